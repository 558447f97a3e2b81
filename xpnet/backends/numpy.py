"""NumPy on the CPU: the reference, step by step, and the same from a tape."""

from __future__ import annotations

import contextlib
import functools
import warnings
from typing import Any

import numpy as np

from .base import Array, Backend, Parts, Step, Tree
from .numpy_calls import NumPyMachine, namespace, new_bytes
from .tape import Arena, Tape, UnsupportedError, leaves, rebuilt

_LARGE = 1 << 22
"""A state of so many bytes is not copied out of the tapes: to record them anew takes less time
than a step, and a copy would be the largest thing in memory."""


_WORK = 1 << 20
"""A thread of BLAS that has fewer multiplications to do costs more than it brings."""


@functools.cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


class NumPy(Backend):
    """NumPy: a step is recorded once for each shape of batch, and replayed."""

    name = "numpy"
    remedy = "pip install numpy"
    index_dtype = "int64"

    def __init__(self, device: Any = None) -> None:
        if device not in (None, "cpu"):
            raise ValueError(f"device={device!r}: backend='numpy' has only 'cpu'.")
        self.device = "cpu"
        self.xp = namespace()
        self._machine = NumPyMachine(self.xp)
        self._forget()

    def _forget(self) -> None:
        """Let all tapes and their buffers go."""
        self._tapes: dict[Any, Tape] = {}
        self._arena = Arena(new_bytes)

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

    def threads(self, work: int) -> contextlib.AbstractContextManager[Any]:
        most = max((library["num_threads"] for library in _blas().info()), default=1)
        wanted = max(1, work // _WORK)
        return _blas().limit(limits=wanted) if wanted < most else contextlib.nullcontext()

    def to_host(self, array: Array) -> np.ndarray:
        return np.asarray(array)

    def scan(
        self, step: Step, state: Tree, parts: Parts, data: Tree, *, compile: bool = True
    ) -> tuple[Tree, list[Array]]:
        if not compile:
            return super().scan(step, state, parts, data, compile=False)
        now, ys = state, []
        for xs in parts:
            try:
                tape = self._tape(step, now, xs, data)
            except UnsupportedError as error:
                told = f"The step is run call by call: {error}"
                warnings.warn(told, RuntimeWarning, stacklevel=2)
                return super().scan(step, state, parts, data, compile=False)
            ys.append(tape.run(now, xs, data))
            now = tape.state
        return self._handed_out(now), ys

    def _tape(self, step: Step, state: Tree, xs: tuple[Array, ...], data: Tree) -> Tape:
        """Return the tape of a step for arrays of these shapes and types."""
        shapes = [(a.shape, a.dtype) for a in leaves((state, data))]
        key = (step, *shapes, *((x.shape[1:], x.dtype) for x in xs))
        if key not in self._tapes:
            first = tuple(x[0] for x in xs)
            empty = self._arena.lease()
            self._tapes[key] = Tape(self._machine, self.xp, empty, step, state, first, data)
        return self._tapes[key]

    def _handed_out(self, state: Tree) -> Tree:
        """Return a state of the tapes as one that stays as it is."""
        arrays = leaves(state)
        if sum(array.nbytes for array in arrays) < _LARGE:
            return rebuilt(state, [array.copy() for array in arrays])
        self._forget()  # the buffers themselves are handed out, and new ones made when needed
        return state
