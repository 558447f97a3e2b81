"""Argument checks and their messages, each written once.

Every message names the argument, what was given and what would do.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return `value` where it is one of `choices`; the error names the nearest one."""
    choices = list(choices)
    for text in (value, value.lower()) if isinstance(value, str) else ():
        if text in choices:
            return text
    nearest = difflib.get_close_matches(str(value).lower(), choices, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    raise ValueError(f"{name}={value!r} is unknown. {hint}Known: {', '.join(choices)}.")


def check_flag(name: str, value: Any) -> bool:
    """Return `value` as a bool where it is one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}={value!r} must be True or False.")
    return bool(value)


def check_progress(value: Any) -> bool | str:
    """Return `progress` where it is a yes, a no, or the text beside a bar."""
    if not isinstance(value, bool | str):
        raise TypeError(f"progress={value!r} must be True, False or a text.")
    return value


def check_path(name: str, value: Any) -> Path:
    """Return `value` as a path where it is a text or a path."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise TypeError(f"{name}={value!r} must be a text or a pathlib.Path.")
    if "\0" in os.fspath(value):
        raise ValueError(f"{name}={value!r} holds a null character.")
    return Path(value)


def check_text(name: str, value: Any) -> str:
    """Return `value` where it is a text."""
    if not isinstance(value, str):
        raise TypeError(f"{name}={value!r} must be a text.")
    return value


def check_mapping(name: str, value: Any) -> Mapping[str, Any]:
    """Return `value` where it is a dict or the like."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}={value!r} must be a dict by name.")
    return value


def check_integer(name: str, value: Any, *, minimum: int = 1) -> int:
    """Return `value` as an int not below `minimum`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}={value!r} must be an integer, at least {minimum}.")
    if value < minimum:
        raise ValueError(f"{name}={value} must be at least {minimum}.")
    return int(value)


def _interval(low: float, high: float, open_low: bool, open_high: bool) -> str:
    if high == math.inf:
        return f"{'above' if open_low else 'at least'} {low:g} and finite"
    return f"in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"


def check_real(
    name: str,
    value: Any,
    *,
    low: float = 0.0,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return `value` as a finite float within the interval."""
    return float(_check_reals(name, value, low, high, open_low, open_high, stacked=False))


def check_hyperparameter(
    name: str,
    value: Any,
    *,
    low: float = 0.0,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> Any:
    """Return a hyperparameter: a float, or a float64 array of shape (models, 1)."""
    checked = _check_reals(name, value, low, high, open_low, open_high, stacked=True)
    return float(checked) if checked.ndim == 0 else checked


def _check_reals(
    name: str,
    value: Any,
    low: float,
    high: float,
    open_low: bool,
    open_high: bool,
    stacked: bool,
) -> np.ndarray:
    wanted = _interval(low, high, open_low, open_high)
    forms = "a number, or an array of shape (models, 1)," if stacked else "a number"
    try:
        array = np.asarray(value)
    except Exception as error:
        raise TypeError(f"{name}={value!r} must be {forms} {wanted}.") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name}={value!r} must be {forms} {wanted}.")
    if array.ndim and not (stacked and array.ndim == 2 and array.shape[1] == 1 and array.size):
        raise ValueError(f"{name} of shape {array.shape} must be {forms} {wanted}.")
    array = array.astype(np.float64)
    too_low = array <= low if open_low else array < low
    too_high = array >= high if open_high else array > high
    if np.any(too_low | too_high | ~np.isfinite(array)):
        raise ValueError(f"{name}={value!r} must be {wanted}.")
    return array


def check_random_state(name: str, value: Any) -> np.random.RandomState:
    """Return NumPy's RandomState for a seed, a RandomState, or None (the global one)."""
    if value is None:
        return np.random.mtrand._rand
    if isinstance(value, np.random.RandomState):
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        if 0 <= value < 2**32:
            return np.random.RandomState(int(value))
        raise ValueError(f"{name}={value} must be a seed in [0, 2**32).")
    raise TypeError(f"{name}={value!r} must be a seed, a numpy.random.RandomState or None.")


def check_float_dtype(name: str, value: Any) -> str:
    """Return 'float32' or 'float64' for a dtype of any library, or its name."""
    text = getattr(value, "__name__", None) or str(value)
    return check_choice(name, text.rpartition(".")[2], ["float32", "float64"])


def check_numeric(name: str, value: Any) -> np.ndarray:
    """Return host data as a numeric array without NaN and infinity."""
    if hasattr(value, "tocsr"):
        raise TypeError(f"{name} is sparse. Dense numbers are needed: pass {name}.toarray().")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array of numbers: {error}") from error
    if array.dtype.kind == "b":
        array = array.astype(np.int8)  # not unsigned: those are pixels
    if array.dtype.kind not in "iuf":
        told = f"names of classes become numbers by np.unique({name}, return_inverse=True)[1]"
        raise TypeError(
            f"{name} has dtype {array.dtype}. Numbers are needed (float32, float64, integers)"
            f"{'; ' + told if array.ndim == 1 else ''}."
        )
    check_finite(name, bool(np.isfinite(array).all()) if array.dtype.kind == "f" else True)
    return array


def cast(name: str, array: np.ndarray, dtype: str) -> np.ndarray:
    """Return a numeric array in that type; raise where its numbers are too large for it."""
    with np.errstate(over="ignore"):
        fitted = array.astype(dtype, copy=False)
    narrowed = array.dtype.kind == "f" and fitted.dtype.itemsize < array.dtype.itemsize
    if narrowed and not np.isfinite(fitted).all():
        raise ValueError(f"{name} holds numbers too large for {dtype}. Scale them first.")
    return fitted


def check_finite(name: str, finite: bool) -> None:
    """Raise unless `finite`."""
    if not finite:
        raise ValueError(f"{name} holds NaN or infinity. Remove or impute those values first.")


def check_features(name: str, shape: tuple[int, ...], n_features: int | None) -> None:
    """Raise unless `shape` is (samples, n_features) with at least one sample."""
    columns = "features" if n_features is None else str(n_features)
    if len(shape) != 2 or (n_features is not None and shape[1] != n_features):
        raise ValueError(
            f"{name} has shape {shape}; (samples, {columns}) is needed."
            + (
                " A single sample is x.reshape(1, -1), a single feature x.reshape(-1, 1)."
                if len(shape) == 1
                else ""
            )
        )
    if shape[0] == 0:
        raise ValueError(f"{name} has no samples (shape {shape}); at least one is needed.")


def check_same_length(**lengths: int) -> None:
    """Raise unless all lengths agree; the keywords are the arguments' names."""
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"The numbers of samples differ: {told}.")


def check_rows(name: str, value: Any, n_samples: int) -> np.ndarray:
    """Return row numbers of shape (n,), at least one, each of one of so many samples."""
    rows = np.asarray(value)
    if rows.dtype == bool and rows.shape == (n_samples,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or not rows.size:
        raise ValueError(
            f"{name} has shape {rows.shape} and dtype {rows.dtype}; integers of shape (n,), or "
            f"True and False of shape ({n_samples},), at least one of them, are needed."
        )
    if rows.min() < 0 or rows.max() >= n_samples:
        raise ValueError(
            f"{name} holds rows from {rows.min()} to {rows.max()}; there are {n_samples} samples, "
            "counted from 0."
        )
    return rows.astype(np.int64)


def check_weights(name: str, value: Any, n_samples: int, *, zeros: bool = False) -> np.ndarray:
    """Return sample weights of shape (n_samples,), not negative; not all zero, unless `zeros`."""
    weights = check_numeric(name, value).astype(np.float64)
    if weights.shape != (n_samples,):
        raise ValueError(f"{name} has shape {weights.shape}; ({n_samples},) is needed.")
    if (weights < 0).any():
        raise ValueError(f"{name} holds {weights.min():g}; weights must be 0 or more.")
    if not zeros and not weights.any():
        raise ValueError(f"{name} holds only zeros; one weight must be above zero.")
    return weights
