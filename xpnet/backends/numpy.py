"""NumPy on the CPU: the reference, step by step, and the same from a tape."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from . import numpy_calls
from .base import Array, Backend, Step, Tree
from .tape import Instruction, Tape, UnsupportedError, leaves


class NumPy(Backend):
    """NumPy: a step is recorded once for each shape of batch, and replayed."""

    name = "numpy"
    remedy = "pip install numpy"
    index_dtype = "int64"
    block = 1 << 16  # some arrays of so many elements fit into a core's cache
    copy = staticmethod(np.copyto)

    def __init__(self, device: Any = None) -> None:
        if device not in (None, "cpu"):
            raise ValueError(f"device={device!r}: backend='numpy' has only 'cpu'.")
        self.device = "cpu"
        self.xp = numpy_calls.namespace()
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
        """Return so many bytes, from where a line of the cache begins."""
        raw = np.empty(n_bytes + 64, dtype=np.uint8)
        start = -raw.ctypes.data % 64
        return raw[start : start + n_bytes]

    def instructions(
        self, name: str, args: tuple[Any, ...], options: dict[str, Any], out: np.ndarray
    ) -> list[Instruction]:
        """Return what writes the result of a call into `out`."""
        return numpy_calls.instructions(self.xp, name, args, options, out)
