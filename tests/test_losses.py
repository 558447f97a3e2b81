"""Losses: values and gradients against torch, scikit-learn and finite differences."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from scipy import special

from xpnet.losses import (
    LOSSES,
    AbsoluteError,
    BinaryCrossEntropy,
    Huber,
    Poisson,
    SoftmaxCrossEntropy,
    SquaredError,
)

rng = np.random.RandomState(0)
BATCH, OUTPUTS = 7, 3
LOGITS = 3.0 * rng.standard_normal((BATCH, OUTPUTS))
WEIGHTS = rng.uniform(0.1, 2.0, BATCH)
YES_NO = rng.randint(2, size=(BATCH, OUTPUTS)).astype(np.float64)
SOFT = rng.uniform(size=(BATCH, OUTPUTS))
CLASSES = rng.randint(OUTPUTS, size=BATCH)
ROWS = SOFT / SOFT.sum(axis=1, keepdims=True)
REALS = 2.0 * rng.standard_normal((BATCH, OUTPUTS))
COUNTS = rng.poisson(2.0, (BATCH, OUTPUTS)).astype(np.float64)

CASES = {
    "bce": (BinaryCrossEntropy(), YES_NO),
    "bce-soft": (BinaryCrossEntropy(), SOFT),
    "softmax": (SoftmaxCrossEntropy(), CLASSES),
    "softmax-rows": (SoftmaxCrossEntropy(), ROWS),
    "squared": (SquaredError(), REALS),
    "absolute": (AbsoluteError(), REALS),
    "huber": (Huber(), REALS),
    "huber-0.3": (Huber(0.3), REALS),
    "poisson": (Poisson(), COUNTS),
}
GUARDED = {
    "bce-clip": (BinaryCrossEntropy(clip=1e-10), YES_NO),
    "bce-offset": (BinaryCrossEntropy(offset=1e-7), YES_NO),
    "softmax-clip": (SoftmaxCrossEntropy(clip=1e-10), CLASSES),
    "softmax-offset": (SoftmaxCrossEntropy(offset=1e-7), CLASSES),
}
FORMS = {
    "bce-precise": (BinaryCrossEntropy(precise=True), YES_NO),
    "bce-precise-clip": (BinaryCrossEntropy(clip=1e-10, precise=True), YES_NO),
    "squared-sum": (SquaredError(outputs="sum"), REALS),
    "squared-mixed": (SquaredError(outputs="mixed"), REALS),
    "absolute-sum": (AbsoluteError(outputs="sum"), REALS),
    "huber-mixed": (Huber(0.3, outputs="mixed"), REALS),
    "poisson-sum": (Poisson(outputs="sum"), COUNTS),
    "poisson-mixed": (Poisson(outputs="mixed"), COUNTS),
}
ALL = CASES | GUARDED | FORMS


def torch_samples(name, z, t):
    """Torch's loss of each sample."""
    import torch

    f = torch.nn.functional
    match name.partition("-")[0]:
        case "bce":
            return f.binary_cross_entropy_with_logits(z, t, reduction="none").sum(-1)
        case "softmax":
            return f.cross_entropy(z, t, reduction="none")
        case "squared":
            return f.mse_loss(z, t, reduction="none").mean(-1) / 2.0
        case "absolute":
            return f.l1_loss(z, t, reduction="none").mean(-1)
        case "huber":
            delta = float(name.partition("-")[2] or 1.0)
            return f.huber_loss(z, t, reduction="none", delta=delta).mean(-1)
        case "poisson":
            constant = torch.special.xlogy(t, t) - t
            return (f.poisson_nll_loss(z, t, reduction="none") + constant).mean(-1)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["mean", "weighted"])
@pytest.mark.parametrize(
    ("name", "n_outputs"),
    [(n, k) for n in CASES for k in (1, OUTPUTS) if k > 1 or not n.startswith("softmax")],
)
def test_value_and_gradient_equal_torch(name, n_outputs, weights):
    torch = pytest.importorskip("torch")
    loss, t = CASES[name]
    logits = LOGITS[:, :n_outputs]
    t = t[:, :n_outputs] if t.ndim == 2 else t
    z = torch.asarray(logits.copy(), requires_grad=True)
    w = torch.ones(BATCH, dtype=torch.float64) if weights is None else torch.asarray(weights)
    expected = (w * torch_samples(name, z, torch.asarray(t.copy()))).sum() / w.sum()
    expected.backward()
    np.testing.assert_allclose(loss.value(logits, t, weights), expected.item(), rtol=1e-13)
    gradient = loss.gradient(logits, t, weights)
    np.testing.assert_allclose(gradient, z.grad.numpy(), rtol=1e-13, atol=1e-16)
    if n_outputs == 1:  # one output's targets may come without their axis
        assert loss.value(logits, t[:, 0], weights) == loss.value(logits, t, weights)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["mean", "weighted"])
@pytest.mark.parametrize(
    ("loss", "t", "theirs"),
    [
        (BinaryCrossEntropy(clip=np.finfo(np.float64).eps), YES_NO, "binary_log_loss"),
        (SoftmaxCrossEntropy(clip=np.finfo(np.float64).eps), np.eye(OUTPUTS)[CLASSES], "log_loss"),
        (SquaredError(), REALS, "squared_loss"),
        (SquaredError(outputs="mixed"), REALS, "squared_loss"),
        (Poisson(), COUNTS[:, :1], "poisson_loss"),  # of several outputs theirs is the sum
        (Poisson(outputs="sum"), COUNTS, "poisson_loss"),
        (
            BinaryCrossEntropy(clip=np.finfo(np.float64).eps, precise=True),
            YES_NO,
            "binary_log_loss",
        ),
    ],
)
def test_value_equals_sklearn(loss, t, theirs, weights):
    from sklearn.neural_network import _base

    oracle = getattr(_base, theirs, None)
    if oracle is None or "sample_weight" not in inspect.signature(oracle).parameters:
        pytest.skip("scikit-learn before 1.7 has no weighted losses")
    logits = LOGITS[:, : t.shape[1]].copy()
    if loss.classifies:
        logits[0] = [60.0, -60.0, 2.0]  # the clip acts
    expected = oracle(t, loss.link(logits), weights)
    np.testing.assert_allclose(loss.value(logits, t, weights), expected, rtol=1e-13)


OUTPUT_FORMS = {
    "squared": (SquaredError, REALS),
    "absolute": (AbsoluteError, REALS),
    "huber": (Huber, REALS),
    "poisson": (Poisson, COUNTS),
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["mean", "weighted"])
@pytest.mark.parametrize("n_outputs", [1, OUTPUTS])
@pytest.mark.parametrize("outputs", ["mean", "sum", "mixed"])
@pytest.mark.parametrize("name", OUTPUT_FORMS)
def test_combined_outputs_equal_torch(name, outputs, n_outputs, weights):
    """torch's losses of all elements, combined here; 'mixed' is two different losses."""
    torch = pytest.importorskip("torch")
    cls, t = OUTPUT_FORMS[name]
    loss, t, logits = cls(outputs=outputs), t[:, :n_outputs], LOGITS[:, :n_outputs]
    w = torch.asarray(np.ones(BATCH) if weights is None else weights)

    def theirs(combine):
        z = torch.asarray(logits.copy(), requires_grad=True)
        # Each output by itself: torch_samples' mean is of one.
        one = [
            torch_samples(name, z[:, k : k + 1], torch.asarray(t[:, k : k + 1].copy()))
            for k in range(n_outputs)
        ]
        value = (w * getattr(torch, combine)(torch.stack(one, -1), -1)).sum() / w.sum()
        value.backward()
        return value.item(), z.grad.numpy()

    value = theirs("sum" if outputs == "sum" else "mean")[0]
    gradient = theirs("mean" if outputs == "mean" else "sum")[1]
    np.testing.assert_allclose(loss.value(logits, t, weights), value, rtol=1e-13)
    found = loss.gradient(logits, t, weights)
    np.testing.assert_allclose(found, gradient, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize(
    ("cls", "elements", "slopes"),
    [
        (SquaredError, [0.5, 2.0, 0.0], [1.0, -2.0, 0.0]),
        (AbsoluteError, [1.0, 2.0, 0.0], [1.0, -1.0, 0.0]),
        (Huber, [0.5, 1.5, 0.0], [1.0, -1.0, 0.0]),
    ],
)
def test_combined_outputs_by_hand(cls, elements, slopes):
    """One sample of three outputs, off by 1, -2 and 0."""
    z, t = np.array([[1.0, 0.0, 5.0]]), np.array([[0.0, 2.0, 5.0]])
    total, third = sum(elements), sum(elements) / 3
    expected = {"mean": (third, 3.0), "sum": (total, 1.0), "mixed": (third, 1.0)}
    for outputs, (value, divisor) in expected.items():
        loss = cls(outputs=outputs)
        np.testing.assert_allclose(loss.value(z, t), value, rtol=1e-15)
        np.testing.assert_allclose(loss.gradient(z, t)[0], np.array(slopes) / divisor, rtol=1e-15)


@pytest.mark.parametrize("name", OUTPUT_FORMS)
def test_a_mixed_gradient_is_n_outputs_times_the_slope(name):
    cls, t = OUTPUT_FORMS[name]
    mixed, mean, total = (cls(outputs=outputs) for outputs in ("mixed", "mean", "sum"))
    assert mixed.value(LOGITS, t, WEIGHTS) == mean.value(LOGITS, t, WEIGHTS)
    gradient = mixed.gradient(LOGITS, t, WEIGHTS)
    np.testing.assert_array_equal(gradient, total.gradient(LOGITS, t, WEIGHTS))
    slopes = mean.gradient(LOGITS, t, WEIGHTS)
    np.testing.assert_allclose(gradient, OUTPUTS * slopes, rtol=1e-14)
    assert (gradient != slopes).any()


def test_a_precise_cross_entropy_has_scipys_sigmoid():
    """Bit for bit, in the link, the gradient and the guarded value; the stable value has none."""
    logits = np.linspace(-40.0, 40.0, 999).reshape(-1, 3)
    t = (np.arange(999).reshape(-1, 3) % 2).astype(np.float64)
    a = special.expit(logits)
    plain, precise = BinaryCrossEntropy(clip=1e-10), BinaryCrossEntropy(clip=1e-10, precise=True)
    np.testing.assert_array_equal(precise.link(logits), a)
    np.testing.assert_array_equal(precise.gradient(logits, t), (a - t) / len(t))
    assert (plain.link(logits) != a).any()
    clipped = np.clip(a, 1e-10, 1.0 - 1e-10)
    losses = -(t * np.log(clipped) + (1.0 - t) * np.log(1.0 - clipped)).sum(axis=1)
    assert precise.value(logits, t) == losses.sum() / len(t)
    assert BinaryCrossEntropy(precise=True).value(logits, t) == BinaryCrossEntropy().value(
        logits, t
    )


@pytest.mark.parametrize("name", [n for n in ALL if "mixed" not in n])
def test_gradient_is_the_slope_of_the_value(name):
    loss, t = ALL[name]
    # The guards are no part of the gradient: far from them they change it by their own size.
    guarded = name in GUARDED or "clip" in name
    stack = np.stack([LOGITS, -0.5 * LOGITS]) / (4.0 if guarded else 1.0)
    step = 1e-6
    shifts = step * np.eye(LOGITS.size).reshape(-1, 1, *LOGITS.shape)
    slopes = (loss.value(stack + shifts, t, WEIGHTS) - loss.value(stack - shifts, t, WEIGHTS)) / (
        2.0 * step
    )
    expected = slopes.T.reshape(stack.shape)
    tolerance = 2e-6 if guarded else 5e-8
    np.testing.assert_allclose(loss.gradient(stack, t, WEIGHTS), expected, atol=tolerance)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["mean", "weighted"])
@pytest.mark.parametrize("name", ALL)
def test_leading_axes_are_models(name, weights):
    loss, t = ALL[name]
    stack = np.stack([LOGITS, LOGITS[::-1], 2.0 * LOGITS])[None]
    values, gradients = loss.value(stack, t, weights), loss.gradient(stack, t, weights)
    assert values.shape == (1, 3)
    assert gradients.shape == stack.shape
    for k, logits in enumerate(stack[0]):
        assert values[0, k] == loss.value(logits, t, weights)
        np.testing.assert_array_equal(gradients[0, k], loss.gradient(logits, t, weights))


@pytest.mark.parametrize("name", ALL)
def test_every_backend_agrees(name, backend, dtype, lies_on):
    loss, t = ALL[name]
    tolerance = {"float64": 1e-13, "float32": 2e-6}[dtype]
    with backend.session(dtype):
        logits = backend.asarray(LOGITS, dtype)
        value = lies_on(backend, loss.value(logits, t, WEIGHTS), dtype)
        gradient = lies_on(backend, loss.gradient(logits, t, WEIGHTS), dtype)
        link = lies_on(backend, loss.link(logits), dtype)
    np.testing.assert_allclose(value, loss.value(LOGITS, t, WEIGHTS), rtol=tolerance)
    np.testing.assert_allclose(
        gradient, loss.gradient(LOGITS, t, WEIGHTS), rtol=tolerance, atol=tolerance / 10
    )
    np.testing.assert_allclose(link, loss.link(LOGITS), rtol=tolerance, atol=tolerance / 10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", GUARDED | {n: CASES[n] for n in ("bce", "softmax")})
def test_losses_of_far_logits_are_finite(name, dtype):
    loss, t = ALL[name]
    logits = np.where(YES_NO > 0, -1e4, 1e4).astype(dtype)  # all wrong
    with np.errstate(all="raise", under="ignore"):
        for z in (logits, -logits):
            value, gradient = loss.value(z, t), loss.gradient(z, t)
            assert value.dtype == gradient.dtype == dtype
            assert np.isfinite(value)
            assert np.isfinite(gradient).all()


def test_the_guards_by_hand():
    z, t = np.array([[-300.0, 1.0]]), np.array([[1.0, 0.0]])
    a = 1.0 / (1.0 + np.exp(-1.0))
    bce = [BinaryCrossEntropy(clip=1e-10), BinaryCrossEntropy(offset=1e-7), BinaryCrossEntropy()]
    expected = [
        -np.log(1e-10) - np.log(1.0 - a),
        -np.log(1e-7) - np.log(1.0 - a + 1e-7),
        300.0 + np.log1p(np.exp(1.0)),
    ]
    np.testing.assert_allclose([loss.value(z, t) for loss in bce], expected, rtol=1e-13)
    softmax = [SoftmaxCrossEntropy(clip=1e-10), SoftmaxCrossEntropy(offset=1e-7)]
    expected = [-np.log(1e-10), -np.log(1e-7)]
    np.testing.assert_allclose([loss.value(z, t) for loss in softmax], expected, rtol=1e-13)


def test_clip_in_float32_stays_below_one():
    value = BinaryCrossEntropy(clip=1e-10).value(np.array([[50.0]], np.float32), [0])
    assert value == -np.log(np.finfo(np.float32).eps)


def test_poisson_of_zero_counts():
    assert Poisson().value(np.array([[0.0]]), [0.0]) == 1.0


def test_classes_may_be_floats_lists_and_device_arrays():
    strict = pytest.importorskip("array_api_strict")
    expected = SoftmaxCrossEntropy().value(LOGITS, CLASSES)
    for t in (CLASSES.astype(np.float64), CLASSES.tolist(), strict.asarray(CLASSES)):
        assert SoftmaxCrossEntropy().value(LOGITS.tolist(), t) == expected


def test_losses_are_values():
    assert Huber(2) == Huber(2.0) != Huber()
    assert repr(BinaryCrossEntropy(clip=1e-10)) == (
        "BinaryCrossEntropy(clip=1e-10, offset=None, precise=False)"
    )
    assert SquaredError() == SquaredError(outputs="mean") != SquaredError(outputs="mixed")
    assert SquaredError(outputs="sum") != AbsoluteError(outputs="sum")
    assert repr(Huber(2.0, outputs="sum")) == "Huber(outputs='sum', delta=2.0)"
    with pytest.raises(TypeError, match="positional"):
        SquaredError("sum")
    assert {type(loss) for loss, _ in CASES.values()} == set(LOSSES.values())
    assert [LOSSES[n]().classifies for n in LOSSES] == [True, True, False, False, False, False]


BCE, SOFTMAX, Z1, Z3 = (
    BinaryCrossEntropy(),
    SoftmaxCrossEntropy(),
    np.zeros((2, 1)),
    np.ones((2, 3)),
)


@pytest.mark.parametrize(
    ("loss", "logits", "t", "weights", "error", "message"),
    [
        (SquaredError(), np.zeros(2), [0, 1], None, ValueError, r"logits have shape \(2,\)"),
        (SquaredError(), Z3, [0, 1], None, ValueError, r"needs \(samples, 3\)"),
        (SquaredError(), Z3, np.zeros((2, 1)), None, ValueError, r"needs \(samples, 3\)"),
        (SquaredError(), Z1, np.zeros((2, 2)), None, ValueError, r"\(samples,\) or \(samples, 1\)"),
        (SquaredError(), Z1, [0, 1, 2], None, ValueError, "logits has 2, t has 3"),
        (SquaredError(), Z1, [0, np.nan], None, ValueError, "t holds NaN"),
        (SquaredError(), Z1, ["a", "b"], None, TypeError, "t has dtype"),
        (SquaredError(), np.array([[np.inf]]), [0], None, ValueError, "logits holds NaN or inf"),
        (SquaredError(), Z1.astype(np.float16), [0, 1], None, ValueError, "logits.dtype='float16'"),
        (BCE, Z1, [0, 1.5], None, ValueError, r"values in \[0, 1\.5\]"),
        (BCE, Z1, [-1, 1], None, ValueError, r"values in \[-1, 1\]"),
        (SOFTMAX, Z1, [0, 0], None, ValueError, "at least 2 outputs"),
        (SOFTMAX, Z3, [0, 3], None, ValueError, r"holds 3, outside the classes 0\.\.2"),
        (SOFTMAX, Z3, [-1, 0], None, ValueError, "holds -1, outside"),
        (SOFTMAX, Z3, [0.5, 0], None, ValueError, "integers are needed"),
        (SOFTMAX, Z3, np.ones((2, 3)), None, ValueError, "sum to 1"),
        (SOFTMAX, Z3, [[2, -1, 0], [1, 0, 0]], None, ValueError, "sum to 1"),
        (SOFTMAX, Z3, np.eye(2), None, ValueError, r"needs \(samples, 3\)"),
        (Poisson(), Z1, [1, -1], None, ValueError, "t holds -1; Poisson needs counts"),
        (BCE, Z1, [0, 1], [1.0, -1.0], ValueError, "weights must be 0 or more"),
        (BCE, Z1, [0, 1], [0.0, 0.0], ValueError, "weights holds only zeros"),
        (BCE, Z1, [0, 1], [1.0], ValueError, r"weights has shape \(1,\); \(2,\) is needed"),
    ],
)
def test_losses_refuse(loss, logits, t, weights, error, message):
    for method in (loss.value, loss.gradient):
        with pytest.raises(error, match=message):
            method(logits, t, weights)


@pytest.mark.parametrize("cls", [BinaryCrossEntropy, SoftmaxCrossEntropy])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip": 1e-10, "offset": 1e-7}, "clip=1e-10 and offset=1e-07"),
        ({"clip": 0.0}, "clip=0.0"),
        ({"clip": 0.5}, "clip=0.5"),
        ({"offset": 0.0}, "offset=0.0"),
    ],
)
def test_guards_refuse(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**options)


@pytest.mark.parametrize("cls", [SquaredError, AbsoluteError, Huber, Poisson])
def test_outputs_refuse(cls):
    with pytest.raises(ValueError, match=r"outputs='average' is unknown\. Known: mean, sum, mixed"):
        cls(outputs="average")
    with pytest.raises(ValueError, match=r"outputs='mixd' is unknown\. Did you mean 'mixed'"):
        cls(outputs="mixd")


def test_huber_refuses_a_delta_of_zero():
    with pytest.raises(ValueError, match=r"delta=0\.0"):
        Huber(0.0)


def test_names_are_read_in_any_case():
    assert SquaredError(outputs="SUM") == SquaredError(outputs="sum")
