"""Activations, softmax, one-hot and the tutorials' cross-entropies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from xpnet import backends, functions
from xpnet.functions import cross_entropy_error, one_hot, sparse_cross_entropy_error

FAR = np.array([-1e4, -1000.0, -101.0, -89.0, -30.0, 30.0, 89.0, 101.0, 1000.0, 1e4])
VALUES = np.concatenate([np.linspace(-6.0, 6.0, 25), FAR])
SQUARE = VALUES.reshape(5, 7)
TOLERANCE = {"float64": 2e-14, "float32": 2e-6}

FORMULAS = {
    "identity": lambda x: x,
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "relu": lambda x: np.where(x > 0, x, 0.0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0.0)) - 1.0),
    "softplus": lambda x: np.logaddexp(0.0, x),
    "gelu": lambda x: x * special.expit(np.sqrt(8.0 / np.pi) * (x + 0.044715 * x**3)),
    "silu": lambda x: x * special.expit(x),
    "sign": np.sign,
    "softmax": lambda x: special.softmax(x, axis=-1),
    "log_softmax": lambda x: special.log_softmax(x, axis=-1),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_equals_its_formula_on_every_backend(name, backend, dtype, lies_on):
    function = getattr(functions, name)
    with backend.session(dtype):
        x = backend.asarray(SQUARE, dtype)
        y = function(x)
        host = lies_on(backend, y, dtype)
        np.testing.assert_array_equal(backend.to_host(function(x, xp=backend.xp)), host)
    expected = FORMULAS[name](SQUARE.astype(dtype).astype(np.float64))
    np.testing.assert_allclose(host, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FORMULAS)
def test_numpy_does_not_warn_of_extreme_values(name, dtype):
    x = np.concatenate([FAR, [1e12, -1e12, np.finfo(dtype).tiny]]).astype(dtype)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert np.isfinite(getattr(functions, name)(x)).all()


@pytest.mark.parametrize("name", [n for n in FORMULAS if "soft" not in n and n != "sign"])
def test_equals_torch(name, torch_functions):
    import torch

    expected = torch_functions[name](torch.asarray(VALUES)).numpy()
    np.testing.assert_allclose(getattr(functions, name)(VALUES), expected, rtol=2e-14, atol=1e-14)


def test_parameters_of_activations():
    x = [-2.0, 3.0]
    np.testing.assert_allclose(functions.leaky_relu(x, 0.3), [-0.6, 3.0])
    np.testing.assert_allclose(functions.elu(x, 2.0), [2.0 * np.expm1(-2.0), 3.0])


@pytest.mark.parametrize(("dtype", "lowest"), [("float64", -100.0), ("float32", -88.0)])
def test_sigmoid_is_bounded(dtype, lowest):
    far, bound = functions.sigmoid(np.array([-np.inf, lowest], dtype))
    assert far == bound == 1 / (1 + np.exp(np.array(-lowest, dtype)))
    assert bound > 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_precise_sigmoid_is_scipys_on_numpy(dtype):
    x = np.concatenate([np.linspace(-700.0, 700.0, 9999), FAR, [np.inf, -np.inf]]).astype(dtype)
    expected = special.expit(x)
    for y in (
        functions.sigmoid(x, precise=True),
        functions.sigmoid(x, xp=backends.get("numpy").xp, precise=True),
    ):
        np.testing.assert_array_equal(y, expected, strict=True)
    assert functions.sigmoid([-np.inf, 0, 800], precise=True).tolist() == [0.0, 0.5, 1.0]


def test_a_precise_sigmoid_elsewhere_is_the_plain_one(backend, dtype, lies_on):
    with backend.session(dtype):
        x = backend.asarray(SQUARE, dtype)
        found = lies_on(backend, functions.sigmoid(x, precise=True), dtype)
        plain = lies_on(backend, functions.sigmoid(x), dtype)
    if backend.name == "numpy":
        assert (found != plain).any(), "the bound of -100 is not SciPy's"
    else:
        np.testing.assert_array_equal(found, plain)
    expected = special.expit(SQUARE.astype(dtype).astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("name", FORMULAS)
def test_host_data_become_float64(name):
    y = getattr(functions, name)([[1, -2], [3, 0]])
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, getattr(functions, name)(np.array([[1.0, -2.0], [3.0, 0.0]])))


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6), st.floats(-1e3, 1e3))
def test_softmax_is_a_distribution_that_shifts_do_not_change(x, shift):
    p = functions.softmax(x)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-14)
    np.testing.assert_allclose(functions.softmax(np.array(x) + shift), p, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(np.exp(functions.log_softmax(x)), p, rtol=1e-12, atol=1e-300)


def test_as_floats(backend, lies_on):
    pixels = backend.asarray(np.array([[0, 51, 255]], np.uint8))
    dtype = backend.xp.float32
    host = lies_on(backend, functions.as_floats(pixels, dtype), "float32")
    # XLA multiplies by 1 / 255.
    np.testing.assert_allclose(host, np.array([[0.0, 0.2, 1.0]]), rtol=2.0**-23)
    integers = backend.asarray(np.array([3, 255], np.int32))
    host = lies_on(backend, functions.as_floats(integers, dtype), "float32")
    np.testing.assert_array_equal(host, [3.0, 255.0])
    floats = backend.asarray(np.array([3.0, 255.0], np.float32))
    assert functions.as_floats(floats, dtype) is floats


def test_one_hot_on_every_backend(backend, lies_on):
    labels = np.array([[2, 0], [1, 3]], np.int32)
    y = one_hot(backend.asarray(labels), 4, dtype=backend.xp.float32)
    np.testing.assert_array_equal(lies_on(backend, y, "float32"), np.eye(4)[labels])


def test_one_hot_of_host_data():
    y = one_hot([1, -1, 3], 3)
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, [[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert one_hot(2, 3).shape == (3,)


@pytest.mark.parametrize(
    ("labels", "n_classes", "error", "message"),
    [
        ([0.0, 1.0], 2, TypeError, "float64; integers"),
        ([True, False], 2, TypeError, "bool; integers"),
        ([0, 1], 0, ValueError, "n_classes=0"),
        ([0, 1], 2.0, TypeError, "n_classes=2.0"),
    ],
)
def test_one_hot_refuses(labels, n_classes, error, message):
    with pytest.raises(error, match=message):
        one_hot(labels, n_classes)


Y2, ONE_HOT2, SPARSE2 = [[0.1, 0.9], [0.5, 0.5], [1.0, 0.0]], [[0, 1], [1, 0], [0, 1]], [1, 0, 1]
EXPECTED2 = -np.mean(np.log(np.array([0.9, 0.5, 0.0]) + 1e-7))
Y1, EXPECTED1 = [0.2, 0.3, 0.5], -np.log(0.3 + 1e-7)


@pytest.mark.parametrize(
    ("function", "y", "t", "expected"),
    [
        (cross_entropy_error, Y2, ONE_HOT2, EXPECTED2),
        (cross_entropy_error, Y1, [0, 1, 0], EXPECTED1),
        (cross_entropy_error, [Y1], [[0, 1, 0]], EXPECTED1),
        (sparse_cross_entropy_error, Y2, SPARSE2, EXPECTED2),
        (sparse_cross_entropy_error, Y1, [1], EXPECTED1),
        (sparse_cross_entropy_error, [Y1], [1], EXPECTED1),
    ],
)
def test_cross_entropies(function, y, t, expected):
    np.testing.assert_allclose(function(y, t), expected, rtol=1e-15)
    assert function(y, t).shape == ()


def test_cross_entropies_on_every_backend(backend, dtype, lies_on):
    with backend.session(dtype):
        y = backend.asarray(np.array(Y2), dtype)
        for function, t in (
            (cross_entropy_error, np.array(ONE_HOT2, np.int32)),
            (sparse_cross_entropy_error, np.array(SPARSE2, np.int32)),
        ):
            for targets in (t, backend.asarray(t)):  # the host's suit every backend
                host = lies_on(backend, function(y, targets), dtype)
                np.testing.assert_allclose(host, EXPECTED2, rtol=TOLERANCE[dtype])


@pytest.mark.parametrize(
    ("function", "y", "t", "error", "message"),
    [
        (cross_entropy_error, Y2, SPARSE2, ValueError, "sparse_cross_entropy_error"),
        (cross_entropy_error, Y2, ONE_HOT2[:2], ValueError, r"t has shape \(2, 2\), y \(3, 2\)"),
        (cross_entropy_error, [Y2], [ONE_HOT2], ValueError, "y has shape"),
        (sparse_cross_entropy_error, Y2, ONE_HOT2, ValueError, "use cross_entropy_error"),
        (sparse_cross_entropy_error, Y2, [1, 0], ValueError, r"shape \(3,\)"),
        (sparse_cross_entropy_error, Y2, [1.0, 0.0, 1.0], TypeError, "t has dtype float64"),
        (sparse_cross_entropy_error, Y2, [1, 0, 2], ValueError, r"outside the classes 0\.\.1"),
        (sparse_cross_entropy_error, Y2, [1, 0, -1], ValueError, "outside the classes"),
        (sparse_cross_entropy_error, Y1, 1, ValueError, r"t has shape \(\)"),
        (sparse_cross_entropy_error, Y1, [1, 1], ValueError, r"shape \(1,\)"),
        (sparse_cross_entropy_error, 0.5, [0], ValueError, "y has shape"),
        (cross_entropy_error, [[np.nan, 1.0]], [[0, 1]], ValueError, "y holds NaN"),
        (cross_entropy_error, [["a", "b"]], [[0, 1]], TypeError, "y has dtype"),
    ],
)
def test_cross_entropies_refuse(function, y, t, error, message):
    with pytest.raises(error, match=message):
        function(y, t)


def test_arrays_of_two_libraries_are_refused():
    torch = pytest.importorskip("torch")
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(ValueError, match="array_api_strict and torch"):
        cross_entropy_error(torch.asarray(Y2), strict.asarray(ONE_HOT2))
    assert backends.owner(torch.asarray(Y2)) == "torch"
