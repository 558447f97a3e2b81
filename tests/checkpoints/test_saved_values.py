"""Nested values come back to the bit, and descriptions by strangers ask for little."""

from __future__ import annotations

import collections
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from saved import identical

from xpnet.checkpoints import container
from xpnet.checkpoints.values import pack, unpack

NAN = float(np.array([0xFFF8000000000123], np.uint64).view(np.float64)[0])
DTYPES = ("bool", "int8", "uint8", "int64", "uint32", "float16", "float32", "float64")

arrays = hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, min_side=0, max_side=3))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | arrays,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.floats(), max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def again(value):
    """What comes back, by way of a file's bytes."""
    found = {}
    text = json.dumps(pack("it", value, found), allow_nan=False)
    text, read = container.decode(container.encode(text, found))
    back = unpack(json.loads(text), read)
    assert read == {}
    return back


@given(value=values)
def test_values_come_back_to_the_bit(value):
    assert identical(again(value), value)


@pytest.mark.parametrize(
    "value",
    [
        [NAN, -0.0, float("inf")],
        (0.5, -0.0),
        {"array": "it", "floats": [1, 2.0]},
        {"a": {"b": np.ones(2)}, "a']['b": np.zeros(3)},
        [np.ones((2, 3)), np.zeros((2, 3))],
        [np.ones(2), np.ones(3)],
        [np.ones(2), np.ones(2, np.float32)],
        [np.ones(0), np.ones(0)],
        [np.float64(0.5), np.float32(0.5), np.int8(3), np.True_],
        [np.array(2.0), np.array(3.0)],
        [[], (), {}, [[]], [()]],
        [True, 1, 1.0, 10**40],
        {"\ud800": "\ud800", "ü": np.ones(1)},
        np.asfortranarray(np.arange(6).reshape(2, 3))[:, ::-1],
    ],
    ids=repr,
)
def test_odd_values_come_back_to_the_bit(value):
    assert identical(again(value), value)


def test_long_lists_lie_in_one_array():
    found = {}
    pack("curve", {"losses": [0.5] * 1000, "of models": [np.ones(3)] * 1000}, found)
    assert {name: array.shape for name, array in found.items()} == {
        "curve['losses']": (1000,),
        "curve['of models']": (1000, 3),
    }


def test_arrays_on_devices_come_to_the_host(backend, dtype):
    host = np.arange(3.0).astype(dtype)
    with backend.session(dtype):
        there = {"one": backend.asarray(host), "two": [backend.asarray(host)] * 2}
        back = again(there)
    assert identical(back, {"one": host, "two": [host, host]})


@pytest.mark.parametrize(
    "value",
    [
        *(object(), len, {1: 2}, {1, 2}, b"x", 1j, collections.OrderedDict(a=1)),
        *(np.array(["a"]), np.array([1j]), np.array([None]), np.ones(2, ">f8")),
        *(np.longdouble(1), np.str_("a"), np.ma.array([1.0], mask=True)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_is_refused(value):
    with pytest.raises(TypeError, match=r"(?s)^state\['x'\]\[1\]=.* cannot be saved: None, bool"):
        pack("state", {"x": [1, value]}, {})


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"dict": {}, "list": []},
        {"what": 1},
        {"array": "missing"},
        {"array": ["a"]},
        {"dict": [1]},
        {"tuple": 1},
        [{"array": "a"}, {"array": "a"}],
        {"floats": "empty"},
        {"rows": "empty"},
        {"rows": "number"},
    ],
)
def test_descriptions_of_no_value(description):
    found = {"a": np.ones(3), "empty": np.empty((10**12, 0)), "number": np.array(1.0)}
    with pytest.raises((ValueError, TypeError, AttributeError)):
        unpack(description, found)
