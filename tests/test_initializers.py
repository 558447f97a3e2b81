"""Initializers: the stream of NumPy's RandomState, scaled by the fans."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from xpnet.initializers import Glorot, He, LeCun, Normal, Ones, Uniform, Zeros

SHAPE, FAN_IN, FAN_OUT = (300, 200), 300, 200


@pytest.mark.parametrize(
    ("initializer", "std"),
    [
        (Normal(), 0.01),
        (Normal(0.5), 0.5),
        (Glorot("normal"), math.sqrt(2 / 500)),
        (He("normal"), math.sqrt(2 / 300)),
        (LeCun("normal"), math.sqrt(1 / 300)),
    ],
    ids=repr,
)
def test_normal_ones(initializer, std):
    drawn = initializer(np.random.RandomState(3), SHAPE, FAN_IN, FAN_OUT)
    np.testing.assert_array_equal(drawn, std * np.random.RandomState(3).standard_normal(SHAPE))
    assert stats.kstest(drawn.ravel(), "norm", (0.0, std)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("initializer", "limit"),
    [
        (Uniform(), 0.05),
        (Uniform(0.5), 0.5),
        (Glorot(), math.sqrt(6 / 500)),
        (He(), math.sqrt(6 / 300)),
        (LeCun("uniform"), math.sqrt(3 / 300)),
    ],
    ids=repr,
)
def test_uniform_ones(initializer, limit):
    drawn = initializer(np.random.RandomState(3), SHAPE, FAN_IN, FAN_OUT)
    expected = np.random.RandomState(3).uniform(-limit, limit, SHAPE)
    np.testing.assert_allclose(drawn, expected, rtol=1e-14)
    assert stats.kstest(drawn.ravel(), "uniform", (-limit, 2 * limit)).pvalue > 1e-3


@pytest.mark.parametrize(("initializer", "value"), [(Zeros(), 0.0), (Ones(), 1.0)])
def test_constant_ones_draw_nothing(initializer, value):
    rng = np.random.RandomState(3)
    drawn = initializer(rng, (2, 3), 2, 3)
    np.testing.assert_array_equal(drawn, np.full((2, 3), value))
    assert rng.randint(10**6) == np.random.RandomState(3).randint(10**6)


@pytest.mark.parametrize("cls", [Glorot, He, LeCun])
def test_biases_are_scaled_by_their_layers_fans(cls):
    weights = cls()(np.random.RandomState(3), (6,), 5, 2)
    matrix = cls()(np.random.RandomState(3), (3, 2), 5, 2)
    np.testing.assert_array_equal(weights, matrix.ravel())


def test_initializers_are_values():
    assert Glorot() == Glorot("uniform") != Glorot("normal")
    assert len({He(), LeCun(), Glorot(), He()}) == 3
    assert repr(He("normal")) == "He(distribution='normal')"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Glorot("gaussian"), ValueError, "distribution='gaussian' is unknown.*normal"),
        (lambda: Normal(-0.1), ValueError, r"std=-0\.1 must be at least 0"),
        (lambda: Normal(np.nan), ValueError, "std=nan"),
        (lambda: Uniform("wide"), TypeError, "limit='wide' must be a number"),
        (lambda: Uniform(np.ones((2, 1))), ValueError, r"limit of shape \(2, 1\)"),
    ],
)
def test_initializers_refuse(make, error, message):
    with pytest.raises(error, match=message):
        make()
