"""ONNX models: what they compute is what the network computes, labels included."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest

from xpnet import backends
from xpnet._version import __version__
from xpnet.layers import ACTIVATIONS, ELU, Dense, Dropout, Identity, Layer, LeakyReLU, Sigmoid, Tanh
from xpnet.losses import (
    LOSSES,
    BinaryCrossEntropy,
    Huber,
    SoftmaxCrossEntropy,
    SquaredError,
)
from xpnet.network import Network
from xpnet.onnx import _LAYERS, _LINKS, to_onnx

onnx = pytest.importorskip("onnx")
from onnx.reference import ReferenceEvaluator  # noqa: E402

XP = backends.get("numpy").xp
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
EPS = {dtype: float(np.finfo(dtype).eps) for dtype in TOLERANCE}
NAMES = ["Birne", "Äpfel", "梨"]
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


def net(n_outputs):
    return Network([Dense(3, 4), Tanh(), Dropout(0.25), Dense(4, n_outputs)])


def draw(network, dtype="float64"):
    return np.random.RandomState(0).uniform(-1.0, 1.0, network.n_params).astype(dtype)


def data(dtype="float64", n_samples=50):
    return np.random.RandomState(1).standard_normal((n_samples, 3)).astype(dtype)


def run(model, x):
    """Return the outputs by name."""
    names = [output.name for output in model.graph.output]
    return dict(zip(names, ReferenceEvaluator(model).run(None, {"X": x}), strict=True))


def shapes(model):
    """Return what the model says of its outputs: names, types, shapes."""
    return {
        output.name: (
            onnx.helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type),
            tuple(d.dim_param or d.dim_value for d in output.type.tensor_type.shape.dim),
        )
        for output in model.graph.output
    }


def predictions(network, params, loss, x):
    return loss.link(network.forward(XP, params, x), xp=XP)


def same(actual, expected, dtype):
    assert actual.dtype == expected.dtype == dtype
    rtol = TOLERANCE[dtype]
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def check_predictions(network, loss, dtype, x=None, **options):
    params, x = draw(network, dtype), data(dtype) if x is None else x
    model = to_onnx(network, params, loss, **options)
    same(run(model, x)["predictions"], predictions(network, params, loss, x), dtype)
    return model


# The reference's Sigmoid computes the form for the other sign too, and drops it.
@pytest.mark.filterwarnings(
    r"ignore:(overflow|invalid value) encountered:RuntimeWarning:onnx\.reference\.ops\.op_sigmoid"
)
@dtypes
@pytest.mark.parametrize(
    "activation",
    [*(make() for make in ACTIVATIONS.values()), LeakyReLU(0.3), ELU(0.7), ELU(np.float32(2.0))],
    ids=repr,
)
def test_every_activation(activation, dtype):
    # The inputs themselves come out: from far below 0 to far above, and close to it.
    network, loss = Network([Dense(1, 1), activation]), SquaredError()
    ends = np.logspace(-6, 3, 60)
    x = np.concatenate([-ends, [0.0], ends]).astype(dtype)[:, None]
    params = np.array([1.0, 0.0], dtype)
    actual = run(to_onnx(network, params, loss), x)["predictions"]
    expected = predictions(network, params, loss, x)
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE[dtype], atol=2 * EPS[dtype])


def test_elu_is_exact_close_to_zero():
    network, params = Network([Dense(1, 1), ELU()]), np.array([1.0, 0.0])
    x = -np.logspace(-300, 2, 100)[:, None]
    actual = run(to_onnx(network, params, SquaredError()), x)["predictions"]
    np.testing.assert_allclose(actual, np.expm1(x), rtol=1e-15)


@dtypes
@pytest.mark.parametrize("n_outputs", [1, 2, 3])
@pytest.mark.parametrize(
    "loss", [*(make() for make in LOSSES.values()), Huber(0.5), BinaryCrossEntropy(1e-10)], ids=repr
)
def test_every_link(loss, n_outputs, dtype):
    model = check_predictions(net(n_outputs), loss, dtype)
    assert shapes(model) == {"predictions": (np.dtype(dtype), ("N", n_outputs))}


@dtypes
def test_a_deep_network_with_everything_in_it(dtype):
    layers = [Identity(), Dense(3, 6), Dropout(0.3)]
    for activation in ACTIVATIONS.values():
        layers += [activation(), Dense(6, 6, bias=len(layers) % 3 > 0)]
    check_predictions(Network([*layers, Dropout(0.2), Dense(6, 2)]), SquaredError(), dtype)


@dtypes
@pytest.mark.parametrize("loss", [make() for make in LOSSES.values()], ids=repr)
def test_flattened_predictions(loss, dtype):
    network, params, x = net(1), draw(net(1), dtype), data(dtype)
    model = to_onnx(network, params, loss, flatten=True)
    assert shapes(model) == {"predictions": (np.dtype(dtype), ("N",))}
    same(run(model, x)["predictions"], predictions(network, params, loss, x)[:, 0], dtype)


LABELS = [
    [7, -3, 2],
    np.array([7, -3, 2], np.int8),
    np.array([1, 2, 2**32 - 1], np.uint32),
    NAMES,
    np.array(NAMES),
    np.array(NAMES, object),
    np.array(NAMES, np.dtypes.StringDType()),
]


def expected_labels(classes, index):
    classes = np.asarray(classes)
    integers = classes.dtype.kind in "biu"
    return classes.astype(np.int64 if integers else object)[index]


def check_labels(model, x, labels, probabilities, dtype):
    outputs = run(model, x)
    assert list(outputs) == ["label", "probabilities"]
    same(outputs["probabilities"], probabilities, dtype)
    assert outputs["label"].shape == labels.shape
    assert outputs["label"].tolist() == labels.tolist()
    assert len(set(labels.ravel().tolist())) > 1  # else nothing was told apart
    kinds = {name: kind for name, (kind, _) in shapes(model).items()}
    assert kinds == {"label": labels.dtype, "probabilities": dtype}
    leads = {"label": ("N", *labels.shape[1:]), "probabilities": ("N", probabilities.shape[1])}
    assert {name: shape for name, (_, shape) in shapes(model).items()} == leads


@dtypes
@pytest.mark.parametrize("classes", LABELS, ids=lambda c: f"{np.asarray(c).dtype}")
def test_one_class_of_several(classes, dtype):
    network, loss, x = net(3), SoftmaxCrossEntropy(), data(dtype)
    params = draw(network, dtype)
    p = predictions(network, params, loss, x)
    model = to_onnx(network, params, loss, classes=classes)
    check_labels(model, x, expected_labels(classes, p.argmax(axis=1)), p, dtype)


@dtypes
@pytest.mark.parametrize("classes", [*(c[:2] for c in LABELS), [False, True]], ids=str)
def test_one_class_of_two_with_a_single_output(classes, dtype):
    network, loss, x = net(1), BinaryCrossEntropy(), data(dtype)
    params = draw(network, dtype)
    p = predictions(network, params, loss, x)
    model = to_onnx(network, params, loss, classes=classes)
    labels = expected_labels(classes, (p[:, 0] > 0.5).astype(int))
    check_labels(model, x, labels, np.concatenate([1 - p, p], axis=1), dtype)


@dtypes
def test_a_probability_of_one_half_is_the_first_class(dtype):
    network = Network([Dense(3, 1, bias=False)])
    model = to_onnx(network, np.zeros(3, dtype), BinaryCrossEntropy(), classes=["no", "yes"])
    outputs = run(model, data(dtype, 2))
    assert outputs["label"].tolist() == ["no", "no"]
    assert outputs["probabilities"].tolist() == [[0.5, 0.5]] * 2


@dtypes
@pytest.mark.parametrize("loss", [BinaryCrossEntropy(), SoftmaxCrossEntropy()], ids=repr)
@pytest.mark.parametrize("classes", [[5], ["only"]])
def test_a_single_class_is_certain(classes, loss, dtype):
    network = net(1)
    model = to_onnx(network, draw(network, dtype), loss, classes=classes)
    outputs = run(model, 1e6 * data(dtype, 20))
    assert outputs["label"].tolist() == classes * 20
    np.testing.assert_array_equal(outputs["probabilities"], np.ones((20, 1), dtype), strict=True)
    assert {name: shape for name, (_, shape) in shapes(model).items()} == {
        "label": ("N",),
        "probabilities": ("N", 1),
    }


@dtypes
@pytest.mark.parametrize("classes", [[0, 1, 2], NAMES])
def test_several_outputs_of_yes_or_no(classes, dtype):
    network, loss, x = net(3), BinaryCrossEntropy(), data(dtype)
    params = draw(network, dtype)
    p = predictions(network, params, loss, x)
    model = to_onnx(network, params, loss, classes=classes)
    check_labels(model, x, (p > 0.5).astype(np.int64), p, dtype)


def test_parameters_have_the_networks_names():
    network = Network([Dropout(0.5), Dense(3, 4, bias=False), Sigmoid(), Dense(4, 2)])
    params = draw(network, "float32")
    model = to_onnx(network, params, SquaredError())
    found = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    assert tuple(found) == network.names == ("W1", "W2", "b2")
    for name, value in network.unflatten(params).items():
        np.testing.assert_array_equal(found[name], value, strict=True)
    assert [n.op_type for n in model.graph.node] == [
        "MatMul",
        "Sigmoid",
        "MatMul",
        "Add",
        "Identity",
    ]


def test_the_model_says_who_made_it_and_for_whom():
    model = to_onnx(net(1), draw(net(1)), SquaredError())
    assert (model.producer_name, model.producer_version) == ("xpnet", __version__)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    (x,) = model.graph.input
    assert x.name == "X"
    assert [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] == ["N", 3]


@pytest.mark.parametrize("opset", [13, 15, 18, 21, onnx.defs.onnx_opset_version()])
def test_other_opsets_compute_the_same(opset):
    layers = [layer for make in ACTIVATIONS.values() for layer in (Dense(3, 3), make())]
    network = Network([*layers, Dense(3, 1)])
    model = check_predictions(network, SquaredError(), "float64", opset=opset)
    assert model.opset_import[0].version == opset
    for network, loss, classes in [
        (net(3), SoftmaxCrossEntropy(), NAMES),
        (net(1), BinaryCrossEntropy(), [0, 1]),
        (net(2), BinaryCrossEntropy(), [0, 1]),
    ]:
        outputs = run(to_onnx(network, draw(network), loss, classes=classes, opset=opset), data())
        assert set(outputs) == {"label", "probabilities"}
    run(to_onnx(net(1), draw(net(1)), SquaredError(), flatten=True, opset=opset), data())


@pytest.mark.parametrize("n_samples", [0, 1])
def test_batches_of_any_size(n_samples):
    model = to_onnx(net(3), draw(net(3)), SoftmaxCrossEntropy(), classes=NAMES)
    outputs = run(model, data(n_samples=n_samples))
    assert {k: v.shape for k, v in outputs.items()} == {
        "label": (n_samples,),
        "probabilities": (n_samples, 3),
    }


def test_a_model_is_the_same_after_a_file(tmp_path):
    model = to_onnx(net(3), draw(net(3)), SoftmaxCrossEntropy(), classes=NAMES)
    onnx.save(model, tmp_path / "net.onnx")
    again = onnx.load(tmp_path / "net.onnx")
    assert again == model
    assert run(again, data())["label"].tolist() == run(model, data())["label"].tolist()


def test_arrays_of_every_library_are_exported(backend, dtype):
    params = draw(net(2), dtype)
    with backend.session(dtype):
        model = to_onnx(net(2), backend.asarray(params), SquaredError())
    assert model == to_onnx(net(2), params, SquaredError())


@dtypes
def test_onnx_runtime_has_all_operators(dtype):
    runtime = pytest.importorskip("onnxruntime")
    layers = [layer for make in ACTIVATIONS.values() for layer in (Dense(3, 3), make())]
    x = data(dtype)
    for n_outputs, loss, classes in [
        *((1, make(), None) for make in LOSSES.values()),
        (3, SoftmaxCrossEntropy(), NAMES),
        (1, BinaryCrossEntropy(), NAMES[:2]),
        (1, BinaryCrossEntropy(), [5]),
        (3, BinaryCrossEntropy(), [0, 1, 2]),
    ]:
        network = Network([*layers, Dense(3, n_outputs)])
        model = to_onnx(
            network, draw(network, dtype), loss, classes=classes, flatten=classes is None
        )
        session = runtime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        for actual, expected in zip(
            session.run(None, {"X": x}), run(model, x).values(), strict=True
        ):
            if actual.dtype == dtype:
                rtol = 10 * TOLERANCE[dtype]
                np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)
            else:
                assert actual.tolist() == expected.tolist()


class Cube(Sigmoid):
    """A layer that xpnet does not know."""


class Wide(Layer):
    """Another."""


@dataclasses.dataclass(frozen=True)
class Strange(SquaredError):
    """A loss that xpnet does not know."""


NET, PARAMS = net(1), draw(net(1))
BINARY, SOFTMAX = BinaryCrossEntropy(), SoftmaxCrossEntropy()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("net", PARAMS, BINARY), {}, TypeError, "network='net' must be a Network"),
        (
            (NET, PARAMS[None].repeat(5, 0), BINARY),
            {},
            ValueError,
            r"params has shape \(5, 21\), a stack of models; \(21,\) is needed: pass one model's",
        ),
        ((NET, PARAMS[:-1], BINARY), {}, ValueError, r"params has shape \(20,\); \(21,\) is"),
        ((NET, PARAMS[:0], BINARY), {}, ValueError, r"params has shape \(0,\); \(21,\) is"),
        ((NET, np.zeros((0, 21)), BINARY), {}, ValueError, r"params has shape \(0, 21\), a stack"),
        ((NET, 1.0, BINARY), {}, ValueError, r"params has shape \(\); \(21,\) is needed"),
        ((NET, PARAMS * np.nan, BINARY), {}, ValueError, "params holds NaN"),
        ((NET, PARAMS.astype(int), BINARY), {}, ValueError, "params.dtype='int64' is unknown"),
        (
            (Network([Dense(2, 1), Cube()]), np.zeros(3), BINARY),
            {},
            ValueError,
            r"layers\[1\]=Cube\(\) has no form in ONNX. Known: Dense, ",
        ),
        (
            (Network([Wide(), Dense(2, 1)]), np.zeros(3), BINARY),
            {},
            ValueError,
            r"layers\[0\]=.*Wide.* has no form in ONNX",
        ),
        ((NET, PARAMS, Strange()), {}, ValueError, r"loss=Strange\(.*\) has no form in ONNX"),
        ((NET, PARAMS, "huber"), {}, ValueError, r"loss='huber' has no form in ONNX. Known: Ab"),
        ((NET, PARAMS, SquaredError), {}, ValueError, "loss=<class.* has no form in ONNX"),
        (
            (NET, PARAMS, SquaredError()),
            {"classes": [0, 1]},
            ValueError,
            r"SquaredError is a loss of regression: classes=\[0, 1\] must be None",
        ),
        (
            (NET, PARAMS, BINARY),
            {"classes": NAMES},
            ValueError,
            r"classes has shape \(3,\); BinaryCrossEntropy of 1 output\(s\) needs \(2,\) or \(1,\)",
        ),
        ((NET, PARAMS, BINARY), {"classes": []}, ValueError, r"classes has shape \(0,\)"),
        ((NET, PARAMS, BINARY), {"classes": [[0, 1]]}, ValueError, r"classes has shape \(1, 2\)"),
        ((NET, PARAMS, BINARY), {"classes": "ab"}, ValueError, r"classes has shape \(\)"),
        ((NET, PARAMS, SOFTMAX), {"classes": [0, 1]}, ValueError, r"needs \(1,\)\."),
        (
            (net(3), draw(net(3)), SOFTMAX),
            {"classes": [0, 1]},
            ValueError,
            r"classes has shape \(2,\); SoftmaxCrossEntropy of 3 output\(s\) needs \(3,\)\.",
        ),
        ((net(3), draw(net(3)), BINARY), {"classes": [0, 1]}, ValueError, r"needs \(3,\)\."),
        ((NET, PARAMS, BINARY), {"classes": [0.0, 1.0]}, TypeError, r"classes=\[0.0, 1.0\] must"),
        ((NET, PARAMS, BINARY), {"classes": [b"a", b"b"]}, TypeError, "must be integers"),
        (
            (NET, PARAMS, BINARY),
            {"classes": np.array(["a", None], object)},
            TypeError,
            "must be integers .* or strings",
        ),
        ((NET, PARAMS, BINARY), {"classes": [0, 2**63]}, TypeError, "must be integers"),
        (
            (NET, PARAMS, BINARY),
            {"classes": [0, 1], "flatten": True},
            ValueError,
            r"flatten=True is for predictions: classes=\[0, 1\] must be None",
        ),
        (
            (net(3), draw(net(3)), BINARY),
            {"flatten": True},
            ValueError,
            "flatten=True needs a network of 1 output; it has 3",
        ),
        ((NET, PARAMS, BINARY), {"opset": 12}, ValueError, "opset=12 must be at least 13"),
        ((NET, PARAMS, BINARY), {"opset": 999}, ValueError, r"opset=999 must be in \[13, \d+\]"),
        ((NET, PARAMS, BINARY), {"opset": "17"}, TypeError, "opset='17' must be an integer"),
    ],
)
def test_what_cannot_be_exported(arguments, options, error, message):
    with pytest.raises(error, match=message):
        to_onnx(*arguments, **options)


def test_without_onnx_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"needs onnx: pip install 'xpnet\[onnx\]'\."):
        to_onnx(NET, PARAMS, BINARY)


def test_all_layers_and_losses_have_a_form():
    assert {*ACTIVATIONS.values(), Dense, Dropout} == set(_LAYERS)
    assert set(LOSSES.values()) == set(_LINKS)
