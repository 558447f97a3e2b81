"""L1 and L2 penalties: by hand, by slopes, and on every backend."""

from __future__ import annotations

import numpy as np
import pytest

from xpnet import backends
from xpnet.layers import Dense, ReLU
from xpnet.penalties import Penalty, mask

LAYERS = (Dense(2, 2), ReLU(), Dense(2, 1, bias=False), Dense(1, 1))
MASK = np.array([1.0] * 4 + [0.0] * 2 + [1.0] * 2 + [1.0, 0.0])
W = np.array([1.0, -2.0, 0.5, 0.0, 9.0, -9.0, 3.0, -0.25, 2.0, 7.0])
XP = backends.get("numpy").xp
STRENGTHS = np.array([[0.1], [0.0], [2.0]])


def test_the_mask_spares_the_biases():
    np.testing.assert_array_equal(mask(LAYERS), MASK)


def coefficients(backend, penalty, dtype):
    return {k: backend.asarray(np.asarray(v), dtype) for k, v in penalty.coefficients().items()}


@pytest.mark.parametrize(
    "penalty",
    [
        Penalty(l1=0.3),
        Penalty(l2=0.7),
        Penalty(l1=0.3, l2=0.7),
        Penalty(l1=STRENGTHS),
        Penalty(l1=0.3, l2=STRENGTHS),
    ],
    ids=["l1", "l2", "both", "l1-grid", "both-grid"],
)
def test_value_and_gradient(penalty, backend, dtype, lies_on):
    params = np.stack([W, -W, 2.0 * W])
    weights = params * MASK
    value = penalty.l1 * np.abs(weights).sum(axis=1, keepdims=True)
    value = value + penalty.l2 / 2.0 * (weights**2).sum(axis=1, keepdims=True)
    gradient = (penalty.l1 * np.sign(params) + penalty.l2 * params) * MASK
    with backend.session(dtype):
        arguments = (
            backend.xp,
            backend.asarray(params, dtype),
            backend.asarray(MASK, dtype),
            coefficients(backend, penalty, dtype),
        )
        ours = lies_on(backend, penalty.value(*arguments), dtype)
        slopes = lies_on(backend, penalty.gradient(*arguments), dtype)
    tolerance = {"float64": 1e-15, "float32": 2e-7}[dtype]
    np.testing.assert_allclose(ours, value, rtol=2 * tolerance)
    np.testing.assert_allclose(slopes, gradient, rtol=tolerance)


def test_the_gradient_is_the_slope_of_the_value():
    penalty = Penalty(l1=0.3, l2=0.7)
    params = np.where(W == 0.0, 1.0, W)
    c = penalty.coefficients()
    shifts = 1e-6 * np.eye(len(W))
    up, down = (penalty.value(XP, params + s, MASK, c)[:, 0] for s in (shifts, -shifts))
    np.testing.assert_allclose(
        penalty.gradient(XP, params, MASK, c), (up - down) / 2e-6, rtol=1e-8, atol=1e-8
    )


def test_a_grid_equals_its_runs_bit_for_bit():
    params = np.stack([W, -W, 2.0 * W])
    other = np.roll(STRENGTHS, 1)
    grid = Penalty(l1=STRENGTHS, l2=other)
    value = grid.value(XP, params, MASK, grid.coefficients())
    gradient = grid.gradient(XP, params, MASK, grid.coefficients())
    for k in range(3):
        alone = Penalty(l1=float(STRENGTHS[k, 0]), l2=float(other[k, 0]))
        arguments = (XP, params[k], MASK, alone.coefficients())
        np.testing.assert_array_equal(value[k], alone.value(*arguments))
        np.testing.assert_array_equal(gradient[k], alone.gradient(*arguments))


@pytest.mark.parametrize(
    ("penalty", "names"),
    [
        (Penalty(), []),
        (Penalty(l1=np.zeros((2, 1))), []),
        (Penalty(l1=0.1), ["l1"]),
        (Penalty(l2=STRENGTHS), ["l2"]),
        (Penalty(0.1, 0.2), ["l1", "l2"]),
    ],
)
def test_only_strengths_in_use_are_computed(penalty, names):
    assert list(penalty.coefficients()) == names
    assert bool(penalty) == bool(names)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"l1": -1.0}, ValueError, r"l1=-1\.0 must be at least 0"),
        ({"l2": np.inf}, ValueError, "l2=inf"),
        ({"l2": np.array([[0.1], [-0.1]])}, ValueError, "l2="),
        ({"l2": np.ones(3)}, ValueError, r"l2 of shape \(3,\)"),
        ({"l1": None}, TypeError, "l1=None"),
    ],
)
def test_penalties_refuse(options, error, message):
    with pytest.raises(error, match=message):
        Penalty(**options)
