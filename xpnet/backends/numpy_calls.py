"""NumPy's functions in a step: each on its own, and as a call that writes into a buffer.

Where a function takes a way of its own, both forms take it, so that they agree to the last bit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .base import Namespace
from .reductions import HostSum
from .tape import Instruction, is_elementwise

__all__ = ["NumPyMachine", "namespace", "new_bytes"]

_add: Any = np.add
_maximum: Any = np.maximum
_minimum: Any = np.minimum

_SHORT = 1024
"""So many float32 numbers are summed as a product with ones, up to seven times as fast."""

_NARROW = 64
"""Of so many columns the maximum is taken from a transposed copy, up to four times as fast."""


@dataclass(frozen=True)
class _Reduction:
    """A reduction that takes another way than its ufunc's for some arguments.

    Attributes
    ----------
    ufunc : numpy.ufunc
    is_special : callable
        Whether it does, given (x, axis).
    special : callable
        The call that writes the result, given (x, axis, out).
    """

    ufunc: Any
    is_special: Callable[[np.ndarray, Any], bool]
    special: Callable[[np.ndarray, Any, np.ndarray], Instruction]

    def __call__(
        self, x: np.ndarray, *, axis: Any = None, dtype: Any = None, keepdims: bool = False
    ) -> Any:
        if dtype is not None or not self.is_special(x, axis):
            return self.ufunc.reduce(x, axis, dtype, None, keepdims)
        shape = list(x.shape)
        shape[axis] = 1
        out = np.empty(shape, dtype=x.dtype)
        function, args = self.special(x, axis, out)
        function(*args)
        return out if keepdims else out.reshape((*shape[:axis], *shape[x.ndim + axis + 1 :]))

    def into(
        self,
        out: np.ndarray,
        x: np.ndarray,
        *,
        axis: Any = None,
        dtype: Any = None,
        keepdims: bool = False,
    ) -> Instruction:
        """Return the call that writes the result into `out`."""
        if dtype is not None or not self.is_special(x, axis):
            return self.ufunc.reduce, (x, axis, dtype, out, keepdims)
        shape = list(x.shape)
        shape[axis] = 1
        return self.special(x, axis, out.reshape(shape))


def _has_other_sum(x: np.ndarray, axis: Any) -> bool:
    if axis not in (-1, -2) or x.ndim < -axis or x.dtype.kind != "f":
        return False
    if axis == -1 and x.shape[-1] == 1:
        return True
    # float64 keeps the order in which the tutorials and scikit-learn add.
    return x.dtype == np.float32 and 0 < x.shape[axis] <= _SHORT


def _other_sum(x: np.ndarray, axis: int, out: np.ndarray) -> Instruction:
    if x.shape[-1] == 1 and axis == -1:
        return np.copyto, (out, x)
    ones = _ones(x.shape[axis])
    if axis == -2:
        return _product(ones, x, out)
    if x.ndim == 1:
        return x.dot, (ones[0], out.reshape(()))
    return np.matmul, (x[..., None, :], ones.T, out[..., None])


def _product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Instruction:
    """Return the call of a product: for single matrices the one that is sooner at BLAS."""
    if a.ndim == b.ndim == 2 and out.flags.c_contiguous:
        return a.dot, (b, out)
    return np.matmul, (a, b, out)


@functools.lru_cache(maxsize=64)
def _ones(n: int) -> np.ndarray:
    return np.ones((1, n), dtype=np.float32)


def _has_other_max(x: np.ndarray, axis: Any) -> bool:
    return axis == -1 and x.ndim > 1 and 1 < x.shape[-1] <= _NARROW


def _other_max(x: np.ndarray, axis: int, out: np.ndarray) -> Instruction:
    columns = np.moveaxis(x, -1, 0)
    return _max_of_rows, (columns, np.empty(columns.shape, x.dtype), out.reshape(x.shape[:-1]))


def _max_of_rows(rows: np.ndarray, buffer: np.ndarray, out: np.ndarray) -> None:
    np.copyto(buffer, rows)
    _maximum.reduce(buffer, 0, None, out)


def _matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.dot(b) if a.ndim == b.ndim == 2 else np.matmul(a, b)


def _matmul_into(out: np.ndarray, a: np.ndarray, b: np.ndarray) -> Instruction:
    return _product(a, b, out)


def _take(x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
    return x.take(indices, axis=axis)


def _take_into(out: np.ndarray, x: np.ndarray, indices: np.ndarray, *, axis: int) -> Instruction:
    return x.take, (indices, axis, out, "clip")  # what does not clip takes a detour


def _astype_into(out: np.ndarray, x: np.ndarray, dtype: Any) -> Instruction:
    return np.copyto, (out, x, "unsafe")


def _where_into(out: np.ndarray, condition: Any, a: Any, b: Any) -> Instruction:
    return _choose, (out, condition, a, b)


def _choose(out: np.ndarray, condition: Any, a: Any, b: Any) -> None:
    np.copyto(out, b)
    np.copyto(out, a, where=condition)


_INTO: dict[str, Callable[..., Instruction]] = {
    "astype": _astype_into,
    "where": _where_into,
    "matmul": _matmul_into,
    "take": _take_into,
}


class _NumPyNamespace(Namespace):
    """NumPy's namespace, and SciPy's expit, which costs a tenth of a second and few need."""

    @functools.cached_property
    def expit(self) -> Any:
        from scipy.special import expit

        return expit


def namespace() -> Namespace:
    """Return NumPy's namespace; reductions and `take` skip its Python layer."""
    import array_api_compat.numpy as compat

    return _NumPyNamespace(
        compat,
        sum=_Reduction(_add, _has_other_sum, _other_sum),
        max=_Reduction(_maximum, _has_other_max, _other_max),
        take=_take,
        matmul=_matmul,
        empty=np.empty,
    )


class NumPyMachine:
    """What a tape needs of NumPy, see `Machine`."""

    block = 1 << 16  # some arrays of so many elements fit into a core's cache
    kernel = None
    copy = staticmethod(np.copyto)

    def __init__(self, xp: Namespace) -> None:
        self.xp = xp

    def instruction(
        self, name: str, args: tuple[Any, ...], options: dict[str, Any], out: np.ndarray
    ) -> Instruction:
        """Return what writes the result of a call into `out`."""
        function = getattr(self.xp, name)
        if isinstance(function, _Reduction | HostSum):
            return function.into(out, *args, **options)
        if is_elementwise(function):
            return _elementwise(function, args, out)
        if name in _INTO:
            return _INTO[name](out, *args, **options)
        return _copy_result, (out, function, args, options)


def new_bytes(n: int) -> np.ndarray:
    """Return so many bytes, from where a line of the cache begins."""
    raw = np.empty(n + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n]


def _elementwise(function: np.ufunc, args: tuple[Any, ...], out: np.ndarray) -> Instruction:
    """Return a call without Python numbers, which would be made arrays at each step."""
    given = [a.dtype if isinstance(a, np.ndarray) else type(a) for a in args]
    types = function.resolve_dtypes((*(np.dtype(t) if t is bool else t for t in given), None))
    pairs = zip(args, types, strict=False)
    args = tuple(a if isinstance(a, np.ndarray) else np.asarray(a, t) for a, t in pairs)
    args = tuple(a.reshape(()) if a.size == 1 else a for a in args)  # takes a third of the time
    if function in (_maximum, _minimum):  # they deprecate a third argument
        return _with_keyword(function, out), args
    return function, (*args, out)


def _with_keyword(function: np.ufunc, out: np.ndarray) -> Callable[..., Any]:
    def call(a: np.ndarray, b: np.ndarray) -> None:
        function(a, b, out=out)

    return call


def _copy_result(
    out: np.ndarray, function: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> None:
    np.copyto(out, function(*args, **options))
