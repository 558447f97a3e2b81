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


FANS = [(fan_in, fan_out) for fan_in in (1, 2, 3, 7, 30, 784, 1001) for fan_out in (1, 5, 10, 333)]


@pytest.mark.parametrize(
    ("initializer", "limit"),
    [
        (Glorot(), lambda i, o: math.sqrt(6.0 / (i + o))),
        (Glorot(scale=2 / 3), lambda i, o: math.sqrt(2.0 / (i + o))),
        (Glorot(scale=1 / 3), lambda i, o: math.sqrt(1.0 / (i + o))),
        (Glorot(scale=4.0), lambda i, o: math.sqrt(12.0 / (i + o))),
        (He(), lambda i, o: math.sqrt(6.0 / i)),
        (He(scale=1.0), lambda i, o: math.sqrt(3.0 / i)),
        (LeCun(), lambda i, o: math.sqrt(3.0 / i)),
        (LeCun(scale=2.0), lambda i, o: math.sqrt(6.0 / i)),
    ],
    ids=lambda value: repr(value) if hasattr(value, "fan") else "",
)
def test_limits_are_exact(initializer, limit):
    """To the bit: scikit-learn draws between ±sqrt(2 / (fan_in + fan_out)) for the logistic."""
    for fan_in, fan_out in FANS:
        drawn = initializer(np.random.RandomState(3), (50,), fan_in, fan_out)
        bound = limit(fan_in, fan_out)
        np.testing.assert_array_equal(drawn, np.random.RandomState(3).uniform(-bound, bound, 50))


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (Glorot("normal", 0.5), lambda i, o: 0.5 / (i + o)),
        (Glorot("normal", scale=2 / 3), lambda i, o: 2 / 3 / (i + o)),
        (He("normal", 3.0), lambda i, o: 3.0 / i),
        (LeCun("normal", 0.25), lambda i, o: 0.25 / i),
    ],
    ids=lambda value: repr(value) if hasattr(value, "fan") else "",
)
def test_scales_of_normal_ones(initializer, variance):
    for fan_in, fan_out in FANS:
        drawn = initializer(np.random.RandomState(3), (50,), fan_in, fan_out)
        expected = math.sqrt(variance(fan_in, fan_out)) * np.random.RandomState(3).randn(50)
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("activation", ["logistic", "relu"])
def test_scikit_learn_starts_from_the_same_weights(activation):
    from sklearn.neural_network import MLPRegressor

    theirs = MLPRegressor((5, 4), activation=activation, random_state=7, max_iter=1)
    x = np.random.RandomState(0).randn(20, 3)
    theirs._random_state = np.random.RandomState(7)
    theirs.n_outputs_, theirs.n_layers_, theirs.out_activation_ = 2, 4, "identity"
    theirs._initialize(x[:, :2], [3, 5, 4, 2], np.float64)
    glorot = Glorot(scale=2 / 3) if activation == "logistic" else Glorot()
    rng = np.random.RandomState(7)
    for weights, biases in zip(theirs.coefs_, theirs.intercepts_, strict=True):
        fans = weights.shape
        np.testing.assert_array_equal(glorot(rng, fans, *fans), weights)
        np.testing.assert_array_equal(glorot(rng, fans[1:], *fans), biases)


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
    assert He(scale=1.0) != LeCun() == LeCun(scale=1.0)
    assert Glorot(scale=2.0) == Glorot() != Glorot(scale=2 / 3)
    assert repr(He("normal")) == "He(distribution='normal', scale=2.0)"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Glorot("gaussian"), ValueError, "distribution='gaussian' is unknown.*normal"),
        (lambda: Glorot(scale=0.0), ValueError, r"scale=0\.0 must be above 0"),
        (lambda: He(scale=-1.0), ValueError, r"scale=-1\.0"),
        (lambda: LeCun(scale=np.inf), ValueError, "scale=inf"),
        (lambda: Glorot(scale="2"), TypeError, "scale='2' must be a number"),
        (lambda: Normal(-0.1), ValueError, r"std=-0\.1 must be at least 0"),
        (lambda: Normal(np.nan), ValueError, "std=nan"),
        (lambda: Uniform("wide"), TypeError, "limit='wide' must be a number"),
        (lambda: Uniform(np.ones((2, 1))), ValueError, r"limit of shape \(2, 1\)"),
    ],
)
def test_initializers_refuse(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_names_are_read_in_any_case():
    assert Glorot("Normal") == Glorot("normal")
