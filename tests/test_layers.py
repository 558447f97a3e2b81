"""Layers: forward and backward against torch's autograd; dropout's mask on every backend."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from xpnet import backends
from xpnet.initializers import He, Normal, Ones
from xpnet.layers import (
    ACTIVATIONS,
    ELU,
    Dense,
    Dropout,
    Layer,
    LeakyReLU,
    Noise,
    ReLU,
    Sigmoid,
)

XP = backends.get("numpy").xp
rng = np.random.RandomState(0)
X = np.concatenate([3.0 * rng.standard_normal(33), [0.0, -200.0, 200.0]]).reshape(2, 6, 3)
COTANGENT = rng.standard_normal(X.shape)


def passes(layer, parameters, x, gradient, noise=None):
    """Output, input gradient and parameter gradients on NumPy."""
    y, cache = layer.forward(XP, parameters, x, noise)
    back = layer.input_gradient(XP, parameters, cache, gradient)
    return y, back, layer.parameter_gradients(XP, cache, gradient)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((n, {}) for n in ACTIVATIONS),
        ("leaky_relu", {"negative_slope": 0.3}),
        ("elu", {"alpha": 1.7}),
        ("sigmoid", {"precise": True}),
    ],
)
def test_activations_equal_torch(name, options, torch_functions):
    import torch

    layer = ACTIVATIONS[name](**options)
    x = torch.asarray(X.copy(), requires_grad=True)
    theirs = {k: v for k, v in options.items() if k != "precise"}
    expected = torch_functions[name](x, **theirs)
    expected.backward(torch.asarray(COTANGENT.copy()))
    y, gradient, parameters = passes(layer, (), X, COTANGENT)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-13, atol=1e-14)
    assert parameters == layer.parameters == layer.initialize(None) == ()
    assert (layer.n_features_in, layer.n_outputs) == (None, None)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_precise_sigmoid_is_scipys(dtype):
    """Bit for bit, and so is its derivative ``y (1 - y)``; the plain one differs."""
    x = np.linspace(-30.0, 30.0, 999).astype(dtype)
    cotangent = np.linspace(-1.0, 1.0, 999).astype(dtype)
    y, gradient, _ = passes(Sigmoid(precise=True), (), x, cotangent)
    np.testing.assert_array_equal(y, special.expit(x), strict=True)
    np.testing.assert_array_equal(gradient, cotangent * y * (1 - y), strict=True)
    plain, *_ = passes(Sigmoid(), (), x, cotangent)
    assert (plain != y).any()
    np.testing.assert_allclose(plain, y, rtol=4 * np.finfo(dtype).eps)
    assert Sigmoid() == Sigmoid(precise=False) != Sigmoid(precise=True)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_keep_float32(name):
    y, gradient, _ = passes(ACTIVATIONS[name](), (), X.astype("f4"), COTANGENT.astype("f4"))
    assert y.dtype == gradient.dtype == np.float32


@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_dense_equals_torch(bias, lead):
    torch = pytest.importorskip("torch")
    shapes = [(5, 3), (3, 2), (2,), (5, 2)]
    draw = np.random.RandomState(1).standard_normal
    x, w, b, gradient = (draw(lead + s) for s in shapes)
    layer = Dense(3, 2, bias=bias)
    parameters = (w, b) if bias else (w,)
    y, back, gradients = passes(layer, parameters, x, gradient)
    tx, tw, tb = (torch.asarray(a, requires_grad=True) for a in (x, w, b))
    expected = tx @ tw + (tb[..., None, :] if bias else 0.0)
    expected.backward(torch.asarray(gradient))
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-13, atol=1e-14)
    assert len(gradients) == len(parameters)
    for ours, theirs in zip((back, *gradients), (tx, tw, tb), strict=False):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-13, atol=1e-14)


def test_data_shared_by_all_models_give_each_its_gradient():
    draw = np.random.RandomState(1).standard_normal
    x, w, b, gradient = draw((5, 3)), draw((4, 3, 2)), draw((4, 2)), draw((4, 5, 2))
    layer = Dense(3, 2)
    y, back, (dw, db) = passes(layer, (w, b), x, gradient)
    assert (y.shape, back.shape, dw.shape, db.shape) == ((4, 5, 2), (4, 5, 3), (4, 3, 2), (4, 2))
    for k in range(4):
        alone = passes(layer, (w[k], b[k]), x, gradient[k])
        for ours, theirs in zip((y, back, dw, db), (*alone[:2], *alone[2]), strict=True):
            np.testing.assert_array_equal(ours[k], theirs)


def test_dense_says_what_it_learns_and_draws_it():
    layer = Dense(3, 2, He("normal"), Ones())
    assert layer.parameters == (("W", (3, 2), True), ("b", (2,), False))
    w, b = layer.initialize(np.random.RandomState(5))
    np.testing.assert_array_equal(
        w, np.sqrt(2 / 3) * np.random.RandomState(5).standard_normal((3, 2))
    )
    np.testing.assert_array_equal(b, [1.0, 1.0])
    without = Dense(3, 2, bias=False)
    assert without.parameters == (("W", (3, 2), True),)
    assert len(without.initialize(np.random.RandomState(5))) == 1


SHAPE = (200, 50)


def noise(backend, seed, step=3, layer=1):
    seeds = np.asarray(seed, np.int32).reshape((-1, 1, 1) if np.ndim(seed) else (1, 1))
    return Noise(backend.asarray(seeds), backend.asarray(np.array(step, np.int32)), layer)


def dropped(backend, rate, seed, **options):
    """What dropout makes of ones, on the host."""
    x = backend.asarray(np.ones(SHAPE), "float32")
    y, factor = Dropout(rate).forward(backend.xp, (), x, noise(backend, seed, **options))
    gradient = backend.asarray(np.full(SHAPE, 2.0), "float32")
    back = Dropout(rate).input_gradient(backend.xp, (), factor, gradient)
    np.testing.assert_array_equal(backend.to_host(back), 2.0 * backend.to_host(y))
    return backend.to_host(y)


@pytest.mark.parametrize("seed", [7, [7, -(2**31), 2**31 - 1]], ids=["one", "stack"])
def test_the_mask_is_equal_on_all_backends(backend, seed):
    ours = dropped(backend, 0.3, seed)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, dropped(backends.get("numpy"), 0.3, seed))


def test_stacked_seeds_are_bitwise_their_own_runs():
    numpy = backends.get("numpy")
    stack = dropped(numpy, 0.3, [7, 8, 9])
    for k, seed in enumerate((7, 8, 9)):
        np.testing.assert_array_equal(stack[k], dropped(numpy, 0.3, seed))
    assert (stack[0] != stack[1]).any()


RATES = (0.0, 2.0**-24, 0.3, 0.999999)


def test_each_model_has_its_rate(backend, dtype):
    """Its mask, scale and gradient are those of the rate alone, to the bit, in either type."""
    layer = Dropout(np.array(RATES)[:, None])
    assert layer.coefficients().keys() == {"threshold", "scale"}
    numbers = {f"{k}1": backend.asarray(v, dtype) for k, v in layer.coefficients().items()}
    numbers["threshold0"] = numbers["scale0"] = None  # of another layer
    given = noise(backend, [7, 7, 8, 9])._replace(coefficients=numbers)
    x = backend.asarray(np.linspace(-2.0, 3.0, 10_000).reshape(SHAPE), dtype)
    y, factor = layer.forward(backend.xp, (), x, given)
    back = layer.input_gradient(backend.xp, (), factor, x)
    assert tuple(y.shape) == (len(RATES), *SHAPE)
    assert layer.forward(backend.xp, (), x, None)[0] is x
    for k, (rate, seed) in enumerate(zip(RATES, (7, 7, 8, 9), strict=True)):
        own, _ = Dropout(rate).forward(backend.xp, (), x, noise(backend, seed))
        for found in (y, back):
            ours, theirs = backend.to_host(found[k, ...]), backend.to_host(own)
            np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.parametrize("rate", RATES)
def test_what_is_drawn_at_the_threshold_is_kept(rate, monkeypatch):
    threshold = round(rate * 2**24)
    bits = np.array([[max(threshold - 1, 0), threshold, threshold + 1]], dtype=np.uint32)
    monkeypatch.setattr("xpnet.random.bits", lambda *args, xp: bits)
    for layer in (Dropout(rate), Dropout([[rate]])):
        numbers = {f"{k}0": v.astype("f4") for k, v in layer.coefficients().items()}
        given = Noise(np.zeros((1, 1), "i4"), np.int32(0), coefficients=numbers)
        y, _ = layer.forward(XP, (), np.ones((1, 3), "f4"), given)
        assert (y > 0).ravel().tolist() == [rate == 0.0, True, True]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_expectation(rate):
    y = dropped(backends.get("numpy"), rate, 7)
    assert set(np.unique(y)) == {0.0, np.float32(1.0 / (1.0 - rate))}
    # Five standard deviations of the mean of 10,000 draws.
    assert abs(y.mean() - 1.0) < 5.0 * np.sqrt(rate / (1.0 - rate) / y.size)


@pytest.mark.parametrize("other", [{"seed": 8}, {"step": 4}, {"layer": 2}])
def test_the_mask_depends_on(other):
    numpy = backends.get("numpy")
    base = dropped(numpy, 0.5, 7) > 0
    changed = dropped(numpy, 0.5, **({"seed": 7} | other)) > 0
    assert abs((base == changed).mean() - 0.5) < 0.025  # five standard deviations


@pytest.mark.parametrize(("rate", "training"), [(0.5, False), (0.0, True), (0.0, False)])
def test_dropout_is_the_identity_in_inference_and_at_rate_zero(rate, training):
    given = noise(backends.get("numpy"), 7) if training else None
    y, gradient, parameters = passes(Dropout(rate), (), X, COTANGENT, given)
    assert y is X
    assert gradient is COTANGENT
    assert parameters == ()


def test_layers_are_values():
    assert Dense(3, 2) == Dense(3, 2) != Dense(3, 2, Normal())
    assert len({ReLU(), ReLU(), LeakyReLU(), LeakyReLU(0.1), Dropout(0.5), Dropout()}) == 4
    assert repr(Dropout(0.2)) == "Dropout(rate=0.2)"
    assert repr(Dense(3, 2)) == (
        "Dense(n_features_in=3, n_outputs=2, weight_init=Glorot(distribution='uniform', "
        "scale=2.0), bias_init=Zeros(), bias=True)"
    )
    with pytest.raises(AttributeError):
        Dropout(0.2).rate = 0.3


def test_the_base_class_computes_nothing():
    with pytest.raises(NotImplementedError):
        Layer().forward(XP, (), X, None)
    with pytest.raises(NotImplementedError):
        Layer().input_gradient(XP, (), None, X)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Dense(0, 2), ValueError, "n_features_in=0 must be at least 1"),
        (lambda: Dense(2, 1.5), TypeError, "n_outputs=1.5 must be an integer"),
        (lambda: Dense(True, 2), TypeError, "n_features_in=True"),
        (lambda: Dense(3, 2, 0.01), TypeError, r"weight_init=0\.01 must be an initializer"),
        (lambda: Dense(3, 2, bias_init=0), TypeError, "bias_init=0 must be an initializer"),
        (lambda: Dropout(1.0), ValueError, r"rate=1\.0 must be in \[0, 1\)"),
        (lambda: Dropout(-0.1), ValueError, r"rate=-0\.1"),
        (lambda: Dropout("half"), TypeError, "rate='half' must be a number"),
        (lambda: Dropout(np.array([[0.1], [1.0]])), ValueError, r"must be in \[0, 1\)"),
        (lambda: Dropout(np.array([0.1, 0.2])), ValueError, r"rate of shape \(2,\) must be"),
        (lambda: Dropout([[0.1, 0.2]]), ValueError, r"rate of shape \(1, 2\) must be"),
        (lambda: LeakyReLU(-1.0), ValueError, r"negative_slope=-1\.0"),
        (lambda: ELU(np.nan), ValueError, "alpha=nan"),
    ],
)
def test_layers_refuse(make, error, message):
    with pytest.raises(error, match=message):
        make()
