"""NumPy on the CPU: the reference, step by step, and the same from a tape."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from .base import Array, Backend, Step, Tree
from .numpy_calls import NumPyMachine, namespace, new_bytes
from .reductions import HostSum
from .tape import Arena, Tape
from .taped import Taped, n_bytes
from .threads import limited

_WORK = 1 << 20
"""A thread of BLAS that has fewer multiplications to do costs more than it brings."""


class NumPy(Taped):
    """NumPy, bit for bit the same from a tape as call by call.

    A large state is not copied out of a tape, whose buffers are handed out instead.
    """

    at_once = 1 << 22
    name = "numpy"
    remedy = "pip install numpy"
    index_dtype = "int64"

    def __init__(self, device: Any = None) -> None:
        if device not in (None, "cpu"):
            raise ValueError(f"device={device!r}: backend='numpy' has only 'cpu'.")
        self.device = "cpu"
        self.xp = namespace()
        self._machine = NumPyMachine(self.xp)
        self._start()
        self._arena, self._states = Arena(new_bytes), Arena(new_bytes)

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
        # From an array that is not aligned `take` would copy all of it at every step.
        return np.require(np.asarray(value, dtype=dtype), requirements="A")

    def _join(self, comm: Any, transport: str) -> None:
        self._tapes.clear()  # they know the communicator of before
        self.xp.replace(all_reduce=HostSum(comm))

    def threads(self, work: int) -> contextlib.AbstractContextManager[Any]:
        return limited(max(1, work // _WORK))

    def to_host(self, array: Array) -> np.ndarray:
        return np.asarray(array)

    def _record(self, step: Step, state: Tree, x: tuple[Array, ...], data: Tree) -> Tape:
        empties = self._arena.lease(), self._states.lease()
        return Tape(self._machine, self.xp, *empties, step, state, x, data)

    def _handed_out(self, state: Tree) -> Tree:
        if n_bytes(state) < self.at_once:
            return super()._handed_out(state)
        self._states = Arena(new_bytes)
        empty = self._states.lease
        for tape in self._tapes.values():
            tape.renew(empty())
        return state
