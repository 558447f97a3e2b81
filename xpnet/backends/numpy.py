"""NumPy on the CPU: the reference, step by step, and the same from a tape."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np

from .base import Array, Backend, Namespace, Step, Tree
from .tape import Instruction, Tape, UnsupportedError, is_elementwise, leaves

_add: Any = np.add
_maximum: Any = np.maximum
_minimum: Any = np.minimum

_BLOCK = 1 << 14
"""Elements of a block: some arrays of that size fit into the cache of a core."""

_NARROW = 64
"""Of so many columns the maximum is taken from a transposed copy, several times as fast."""

_SHORT = 1024
"""So many float32 rows are summed as a product with ones, up to seven times as fast."""


@functools.lru_cache(maxsize=32)
def _ones(n: int) -> np.ndarray:
    return np.ones((1, n), dtype=np.float32)


def _is_product(x: Any, axis: Any) -> bool:
    """Return whether a sum is one over few float32 rows; float64 keeps the order of `add`."""
    return x.dtype == np.float32 and axis == -2 and 0 < x.shape[-2] <= _SHORT


def _summing(x: np.ndarray, axis: Any, keepdims: bool, out: np.ndarray | None) -> Instruction:
    """Return the call that sums, the same for a step on its own and for one on a tape."""
    if out is None:
        return _add.reduce, (x, axis, None, None, keepdims)
    if axis == -1 and x.shape[-1] == 1:
        return np.copyto, (out, x.reshape(out.shape))
    if not _is_product(x, axis):
        return _add.reduce, (x, axis, None, out, keepdims)
    out = out.reshape((*x.shape[:-2], 1, x.shape[-1]))
    product = np.dot if x.ndim == 2 and out.flags.c_contiguous else np.matmul
    return product, (_ones(x.shape[-2]), x, out)


def _maximizing(x: np.ndarray, axis: Any, keepdims: bool, out: np.ndarray | None) -> Instruction:
    """Return the call that takes the maximum: of few columns, from a copy that has them as rows."""
    narrow = axis == -1 and x.ndim > 1 and 1 < x.shape[-1] <= _NARROW
    if out is None or not (narrow and x.flags.c_contiguous and out.flags.c_contiguous):
        return _maximum.reduce, (x, axis, None, out, keepdims)
    columns = x.reshape((-1, x.shape[-1])).T
    return _maximum_of_rows, (columns, np.empty(columns.shape, x.dtype), out.reshape(-1))


def _maximum_of_rows(rows: np.ndarray, buffer: np.ndarray, out: np.ndarray) -> None:
    np.copyto(buffer, rows)
    _maximum.reduce(buffer, 0, None, out)


def _reduced(call: Any, x: np.ndarray, axis: Any, keepdims: bool, special: bool) -> Any:
    """Return a reduction; where its call is a special one, into an array that it is given."""
    out = None
    if special:
        shape = list(x.shape)
        shape[axis : axis + 1 or None] = [1] * keepdims
        out = np.empty(shape, dtype=x.dtype)
    function, args = call(x, axis, keepdims, out)
    result = function(*args)
    return result if out is None else out


def _sum(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    special = _is_product(x, axis) or (axis == -1 and x.shape[-1] == 1)
    return _reduced(_summing, x, axis, keepdims, special)


def _max(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    return _reduced(_maximizing, x, axis, keepdims, axis == -1 and x.ndim > 1)


def _matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.dot(b) if a.ndim == b.ndim == 2 else np.matmul(a, b)


def _take(x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
    return x.take(indices, axis=axis)


@functools.cache
def _scipy_expit() -> Any:
    from scipy.special import expit  # costs a tenth of a second, and few need it

    return expit


class _NumPyNamespace(Namespace):
    """NumPy's namespace, and SciPy's expit."""

    @property
    def expit(self) -> Any:
        return _scipy_expit()


class NumPy(Backend):
    """NumPy; reductions and `take` skip NumPy's Python layer, twice as fast on small arrays."""

    name = "numpy"
    remedy = "pip install numpy"
    index_dtype = "int64"
    block = _BLOCK
    copy = staticmethod(np.copyto)

    def __init__(self, device: Any = None) -> None:
        if device not in (None, "cpu"):
            raise ValueError(f"device={device!r}: backend='numpy' has only 'cpu'.")
        import array_api_compat.numpy as compat

        self.device = "cpu"
        self.xp = _NumPyNamespace(
            compat, sum=_sum, max=_max, take=_take, matmul=_matmul, empty=np.empty
        )
        self._tapes: dict[Any, Tape | None] = {}

    @classmethod
    def version(cls) -> str:
        return np.__version__

    @staticmethod
    def owns(value: Any) -> bool:
        return isinstance(value, np.ndarray | np.generic)

    @classmethod
    def of(cls, array: Array) -> Backend:
        return cls()

    def asarray(self, value: Any, dtype: str | None = None) -> np.ndarray:
        return np.asarray(value, dtype=dtype)

    def to_host(self, array: Array) -> np.ndarray:
        return np.asarray(array)

    def _scan_part(
        self, step: Step, state: Tree, xs: tuple[Array, ...], data: Tree
    ) -> tuple[Tree, Array]:
        shapes = [(a.shape, a.dtype) for a in leaves((state, data))]
        key = (step, *shapes, *((x.shape[1:], x.dtype) for x in xs))
        if key not in self._tapes:
            self._tapes[key] = self._tape(step, state, tuple(x[0] for x in xs), data)
        tape = self._tapes[key]
        if tape is None:
            return self._loop(step, state, xs, data)
        return tape.run(state, xs, data)

    def _tape(self, step: Step, state: Tree, x: Tree, data: Tree) -> Tape | None:
        """Return the step as a tape; None where it calls what cannot be recorded, and say so."""
        try:
            return Tape(self, self.xp, step, state, x, data)
        except UnsupportedError as error:
            warnings.warn(f"The step is run call by call: {error}", RuntimeWarning, stacklevel=2)
            return None

    # What a tape needs.

    def empty(self, n_bytes: int) -> np.ndarray:
        """Return so many bytes, where a line of the cache begins."""
        raw = np.empty(n_bytes + 64, dtype=np.uint8)
        start = -raw.ctypes.data % 64
        return raw[start : start + n_bytes]

    def instructions(
        self, name: str, args: tuple[Any, ...], options: dict[str, Any], out: np.ndarray
    ) -> list[Instruction]:
        """Return what writes the result of a call into `out`."""
        function = getattr(self.xp, name)
        if is_elementwise(function):
            types = [a.dtype if isinstance(a, np.ndarray) else type(a) for a in args]
            types = function.resolve_dtypes((*types, None))
            args = tuple(
                np.asarray(a, t) if not isinstance(a, np.ndarray) else a
                for a, t in zip(args, types, strict=False)
            )
            if function in (_maximum, _minimum):  # they deprecate a third argument
                return [(functools.partial(function, out=out), args)]
            return [(function, (*args, out))]
        if name == "sum" and set(options) <= {"axis", "keepdims"}:
            axis, keepdims = options.get("axis"), options.get("keepdims", False)
            return [_summing(args[0], axis, keepdims, out)]
        if name == "max" and set(options) <= {"axis", "keepdims"}:
            axis, keepdims = options.get("axis"), options.get("keepdims", False)
            return [_maximizing(args[0], axis, keepdims, out)]
        if name == "matmul":
            plain = args[0].ndim == args[1].ndim == 2 and out.flags.c_contiguous
            return [(np.dot if plain else np.matmul, (*args, out))]
        if name == "take":
            return [(args[0].take, (args[1], options["axis"], out, "clip"))]
        if name == "astype":
            return [(np.copyto, (out, args[0], "unsafe"))]
        return [(_evaluate, (out, function, args, options))]


def _evaluate(out: np.ndarray, function: Any, args: tuple[Any, ...], options: Any) -> None:
    np.copyto(out, function(*args, **options))
