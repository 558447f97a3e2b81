"""Argument checks: what passes, and what the messages say."""

from __future__ import annotations

import re

import numpy as np
import pytest

from xpnet import validation as v


def test_what_passes_is_returned():
    assert v.check_choice("f", "relu", ["tanh", "relu"]) == "relu"
    assert v.check_integer("n", np.int32(3)) == 3
    assert type(v.check_integer("n", np.int64(3))) is int
    assert v.check_integer("n", 0, minimum=0) == 0
    assert v.check_real("x", 1) == 1.0
    assert type(v.check_real("x", np.float32(0.5))) is float
    assert type(v.check_hyperparameter("x", np.array(0.5))) is float
    grid = v.check_hyperparameter("x", [[1], [2]])
    assert (grid.dtype, grid.shape) == (np.float64, (2, 1))
    assert v.check_weights("w", [0, 2], 2).tolist() == [0.0, 2.0]
    v.check_features("x", (1, 4), 4)
    v.check_features("x", (1, 4), None)
    v.check_same_length(x=3, t=3)


@pytest.mark.parametrize(
    ("open_low", "open_high", "inside", "outside"),
    [
        (False, False, [0.0, 1.0], [-1e-9, 1.0 + 1e-9]),
        (True, False, [1e-9, 1.0], [0.0, 1.1]),
        (False, True, [0.0, 1.0 - 1e-9], [-0.1, 1.0]),
        (True, True, [1e-9, 0.5], [0.0, 1.0]),
    ],
)
def test_intervals(open_low, open_high, inside, outside):
    bounds = {"high": 1.0, "open_low": open_low, "open_high": open_high}
    told = re.escape(f"must be in {'(' if open_low else '['}0, 1{')' if open_high else ']'}.")
    for value in inside:
        assert v.check_real("x", value, **bounds) == value
    for value in outside:
        for checked in (value, np.array([[0.5], [value]])):
            with pytest.raises(ValueError, match=told):
                v.check_hyperparameter("x", checked, **bounds)


@pytest.mark.parametrize(
    ("check", "arguments", "error", "message"),
    [
        (
            "choice",
            ("rleu", ["tanh", "relu"]),
            ValueError,
            "x='rleu' is unknown. Did you mean 'relu'?",
        ),
        (
            "choice",
            ("RELUU", ["tanh", "relu"]),
            ValueError,
            "Did you mean 'relu'? Known: tanh, relu.",
        ),
        ("choice", ("xyz", ["tanh", "relu"]), ValueError, "x='xyz' is unknown. Known: tanh, relu."),
        ("choice", (None, ["tanh"]), ValueError, "x=None is unknown"),
        ("integer", (True,), TypeError, "x=True must be an integer, at least 1."),
        ("integer", (np.True_,), TypeError, "must be an integer"),
        ("integer", (1.0,), TypeError, "x=1.0 must be an integer"),
        ("integer", ("1",), TypeError, "x='1' must be an integer"),
        ("integer", (0,), ValueError, "x=0 must be at least 1."),
        ("real", (True,), TypeError, "x=True must be a number at least 0 and finite."),
        ("real", ("1",), TypeError, "x='1' must be a number"),
        ("real", (None,), TypeError, "x=None must be a number"),
        ("real", (1j,), TypeError, "x=1j must be a number"),
        ("real", (np.nan,), ValueError, "x=nan must be at least 0 and finite."),
        ("real", (np.inf,), ValueError, "x=inf must be"),
        ("real", (-1,), ValueError, "x=-1 must be at least 0"),
        ("real", ([1.0],), ValueError, "x of shape (1,) must be a number"),
        ("hyperparameter", ([1.0, 2.0],), ValueError, "an array of shape (models, 1), at least 0"),
        ("hyperparameter", (np.ones((1, 2)),), ValueError, "x of shape (1, 2)"),
        ("hyperparameter", (np.ones((0, 1)),), ValueError, "x of shape (0, 1)"),
        ("hyperparameter", ([[1.0], [np.nan]],), ValueError, "and finite."),
        ("hyperparameter", ([[1.0], [2.0, 3.0]],), TypeError, "must be a number, or an array"),
        ("random_state", (-1,), ValueError, "x=-1 must be a seed in [0, 2**32)."),
        ("random_state", (2**32,), ValueError, "must be a seed in"),
        ("random_state", (1.5,), TypeError, "x=1.5 must be a seed, a numpy.random.RandomState or"),
        ("random_state", (True,), TypeError, "x=True must be a seed"),
        ("random_state", (np.random.default_rng(0),), TypeError, "must be a seed"),
        ("float_dtype", ("float16",), ValueError, "Known: float32, float64."),
        ("float_dtype", (np.int32,), ValueError, "x='int32' is unknown"),
        ("numeric", (["a"],), TypeError, "x has dtype <U1. Numbers are needed"),
        ("numeric", ([None],), TypeError, "x has dtype object"),
        ("numeric", ([1j],), TypeError, "x has dtype complex128"),
        ("numeric", ([[1], [2, 3]],), ValueError, "x must be a rectangular array"),
        ("numeric", ([1.0, np.nan],), ValueError, "x holds NaN or infinity."),
        ("numeric", ([-np.inf],), ValueError, "x holds NaN or infinity."),
        ("features", ((4,), 4), ValueError, "x has shape (4,); (samples, 4) is needed."),
        ("features", ((4, 3), 4), ValueError, "x has shape (4, 3); (samples, 4) is needed."),
        ("features", ((4, 3, 1), None), ValueError, "(samples, features) is needed."),
        ("features", ((0, 4), 4), ValueError, "x has no samples (shape (0, 4))"),
        ("weights", ([1.0, 2.0], 3), ValueError, "x has shape (2,); (3,) is needed."),
        ("weights", ([1.0, -2.0], 2), ValueError, "x holds -2; weights must be 0 or more"),
        ("weights", ([0.0, 0.0], 2), ValueError, "x holds only zeros"),
    ],
)
def test_messages(check, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        getattr(v, f"check_{check}")("x", *arguments)


def test_lengths_are_told_by_name():
    with pytest.raises(ValueError, match="differ: x has 3, t has 4, weights has 3"):
        v.check_same_length(x=3, t=4, weights=3)


def test_random_states():
    given = np.random.RandomState(3)
    assert v.check_random_state("seed", given) is given
    assert v.check_random_state("seed", np.uint32(3)).randint(999) == given.randint(999)
    np.random.seed(5)
    drawn = v.check_random_state("seed", None).randint(10**6)  # numpy's global generator
    assert drawn == np.random.RandomState(5).randint(10**6)


@pytest.mark.parametrize("dtype", [np.float32, np.dtype("float32"), "float32", "numpy.float32"])
def test_float_dtypes_of_numpy(dtype):
    assert v.check_float_dtype("dtype", dtype) == "float32"


@pytest.mark.parametrize("library", ["torch", "jax.numpy", "array_api_strict"])
def test_float_dtypes_of(library):
    module = pytest.importorskip(library)
    assert v.check_float_dtype("dtype", module.float32) == "float32"


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ([1, 2], np.int64, [1, 2]),
        ([True, False], np.int8, [1, 0]),
        ([[1.5]], np.float64, [[1.5]]),
        (np.array([200], np.uint8), np.uint8, [200]),
        (np.array([0.5], np.float32), np.float32, [0.5]),
    ],
)
def test_numeric_data_keep_their_type(value, dtype, expected):
    array = v.check_numeric("x", value)
    assert array.dtype == dtype
    assert array.tolist() == expected


def test_sparse_matrices_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(
        TypeError, match=re.escape("x is sparse. Dense numbers are needed: pass x.")
    ):
        v.check_numeric("x", sparse.eye_array(2))


def test_cast():
    array = np.array([0.1, 1e30])
    assert v.cast("x", array, "float64") is array
    assert v.cast("x", array, "float32").dtype == np.float32
    assert v.cast("x", np.array([2**62]), "float32") == np.float32(2**62)
    with pytest.raises(ValueError, match="x holds numbers too large for float32"):
        v.cast("x", np.array([1e39]), "float32")
