"""Nested values as plain JSON with the arrays beside it, to the bit.

What JSON has comes as it is: None, True, 3, 0.5, "text", lists. All else is a dict of one entry,
``{how: what}``: ``{"dict": {...}}``, ``{"tuple": [...]}``, and ``{"array": name}`` and the like for
what lies in an array: NaN and infinity, which JSON lacks, and long lists of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backends

_DTYPES = {"bool", *(f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (16, 32, 64))}
_DTYPES |= {"int8", "uint8"}


def pack(name: str, value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return the value as plain JSON, and put its arrays into `arrays`.

    Parameters
    ----------
    name : str
        What messages call the value, and what its arrays' names begin with.
    value : object
        None, bool, int, float, str, arrays and numbers of NumPy, arrays on a device; lists and
        tuples of these; dicts of these by text.
    arrays : dict of str to numpy.ndarray

    Raises
    ------
    TypeError
        There is something else in it.
    """

    def put(how: str, array: np.ndarray) -> dict[str, str]:
        arrays[name] = np.asarray(array, order="C")
        return {how: name}

    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else put("floats", np.array(value))
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": {k: pack(f"{name}[{k!r}]", entry, arrays) for k, entry in value.items()}}
    if type(value) is tuple:
        return {"tuple": pack(name, list(value), arrays)}
    if type(value) is list:
        if value and all(type(entry) is float for entry in value):
            return put("floats", np.array(value))
        value = [backends.to_host(entry) for entry in value]
        if _are_rows(value):
            return put("rows", np.stack(value))
        return [pack(f"{name}[{i}]", entry, arrays) for i, entry in enumerate(value)]
    value = backends.to_host(value)
    if not _is_array(value):
        raise TypeError(
            f"{name}={value!r} cannot be saved: None, bool, int, float, str, arrays of numbers, "
            "lists and tuples of these, and dicts of these by text can be."
        )
    return put("scalar" if isinstance(value, np.generic) else "array", value)


def _is_array(value: Any) -> bool:
    # Not of a subclass: a masked array would lose its mask.
    is_one = type(value) is np.ndarray or isinstance(value, np.generic)
    return is_one and value.dtype.isnative and value.dtype.name in _DTYPES


def _are_rows(values: list[Any]) -> bool:
    kinds = {(v.dtype, v.shape) if type(v) is np.ndarray else None for v in values}
    return len(kinds) == 1 and _is_array(values[0]) and values[0].ndim > 0 and values[0].size > 0


_READERS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda array: array,
    "scalar": lambda array: array[()],
    "floats": lambda array: array.tolist(),
    "rows": list,
}


def unpack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return what `pack` was given, and take its arrays out of `arrays`.

    A description by a stranger cannot ask for more than the file holds: each array is taken once,
    and none without elements becomes a list.
    """
    if isinstance(value, list):
        return [unpack(entry, arrays) for entry in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError(f"no value is described by {value!r}")
    [(how, what)] = value.items()
    if how == "dict":
        return {key: unpack(entry, arrays) for key, entry in what.items()}
    if how == "tuple":
        return tuple(unpack(what, arrays))
    if how not in _READERS or what not in arrays:
        raise ValueError(f"no value is described by {value!r}")
    array = arrays.pop(what)
    if how in ("floats", "rows") and array.size == 0:
        raise ValueError(f"{what} has shape {array.shape}; a list needs elements")
    return _READERS[how](array)
