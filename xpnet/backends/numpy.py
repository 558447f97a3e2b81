"""NumPy on the CPU: the reference, step by step, and the same from a tape."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from typing import Any

import numpy as np

from .base import Array, Backend, Parts, Step, Tree
from .numpy_calls import NumPyMachine, namespace, new_bytes
from .reductions import HostSum
from .tape import Arena, Tape, UnsupportedError
from .threads import limited
from .trees import leaves, rebuilt

_LARGE = 1 << 22
"""A state of so many bytes is not copied out of a tape, whose buffers are handed out instead."""

_FEW = 16
"""So many steps of a shape are run call by call before it is recorded, which takes as long."""

_WORK = 1 << 20
"""A thread of BLAS that has fewer multiplications to do costs more than it brings."""


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
        self._tapes: dict[Any, Tape] = {}
        self._seen: Counter[Any] = Counter()
        self._refused: set[Step] = set()
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

    def _compiled(
        self, step: Step, state: Tree, parts: Parts, data: Tree
    ) -> tuple[Tree, list[Array]]:
        now, ys = state, []
        for xs in parts:
            tape = self._tape(step, now, xs, data)
            if tape is None:
                now, y = self._loop(step, now, xs, data)
            else:
                y = tape.run(now, xs, data)
                now = tape.state
            ys.append(y)
        return self._handed_out(now), ys

    def _tape(self, step: Step, state: Tree, xs: tuple[Array, ...], data: Tree) -> Tape | None:
        """Return the tape for arrays of these shapes and types; None where there is none."""
        if step in self._refused:
            return None
        shapes = [(a.shape, a.dtype) for a in leaves((state, data))]
        key = (step, *shapes, *((x.shape[1:], x.dtype) for x in xs))
        if key in self._tapes:
            return self._tapes[key]
        self._seen[key] += len(xs[0])
        # A step with parts of the user's is recorded at once: what is wrong is told at once. Call
        # by call a large state would take more memory than from a tape.
        trusted = getattr(step, "trusted", False)
        if trusted and self._seen[key] < _FEW and _size(state) < _LARGE:
            return None
        try:
            empties = self._arena.lease(), self._states.lease()
            first = tuple(x[0] for x in xs)
            tape = Tape(self._machine, self.xp, *empties, step, state, first, data)
        except UnsupportedError as error:
            self._refused.add(step)
            told = f"{error}. The step is run call by call, which takes longer."
            warnings.warn_explicit(told, RuntimeWarning, error.filename, error.lineno)
            return None
        self._tapes[key] = tape
        return tape

    def _handed_out(self, state: Tree) -> Tree:
        """Return a state that may lie in the tapes' buffers as one that stays as it is."""
        if not self._tapes:
            return state
        if _size(state) < _LARGE:
            return rebuilt(state, [array.copy() for array in leaves(state)])
        self._states = Arena(new_bytes)
        empty = self._states.lease
        for tape in self._tapes.values():
            tape.renew(empty())
        return state


def _size(state: Tree) -> int:
    return sum(array.nbytes for array in leaves(state))
