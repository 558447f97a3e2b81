"""A backend that records a step once for each shape of batch, and replays it."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections import Counter
from typing import Any, ClassVar

from .base import Array, Backend, Parts, Step, Tree
from .tape import UnsupportedError
from .trees import leaves, rebuilt

__all__ = ["Taped"]

_FEW = 16
"""So many steps of a shape must be asked for before it is recorded, which takes as long (NumPy)."""


class Taped(Backend):
    """Base class: which tape a step is replayed from, and when it is recorded.

    Attributes
    ----------
    at_once : int
        A state of at least so many bytes is recorded before the first step.
    """

    at_once: ClassVar[int]

    def _start(self) -> None:
        """Begin without tapes."""
        self._tapes: dict[Any, Any] = {}
        self._seen: Counter[Any] = Counter()
        self._refused: set[Step] = set()

    @abstractmethod
    def _record(self, step: Step, state: Tree, x: tuple[Array, ...], data: Tree) -> Any:
        """Return a tape for arrays of these shapes and types: it has a `run` and a `state`."""

    def _before_it_is_recorded(self, step: Step) -> Step:
        """Return the step as it is run before it is recorded."""
        return step

    def _compiled(
        self, step: Step, state: Tree, parts: Parts, data: Tree
    ) -> tuple[Tree, list[Array]]:
        now, ys = state, []
        for xs in parts:
            tape = self._tape(step, now, xs, data)
            if tape is None:
                now, y = self._loop(self._before_it_is_recorded(step), now, xs, data)
            else:
                y = tape.run(now, xs, data)
                now = tape.state
            ys.append(y)
        return self._handed_out(now) if self._tapes else now, ys

    def _tape(self, step: Step, state: Tree, xs: tuple[Array, ...], data: Tree) -> Any:
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
        if trusted and self._seen[key] < _FEW and n_bytes(state) < self.at_once:
            return None
        try:
            tape = self._record(step, state, tuple(x[0, ...] for x in xs), data)
        except UnsupportedError as error:
            self._refused.add(step)
            told = f"{error}. The step is run call by call, which takes longer."
            warnings.warn_explicit(told, RuntimeWarning, error.filename, error.lineno)
            return None
        self._tapes[key] = tape
        return tape

    def _handed_out(self, state: Tree) -> Tree:
        """Return a state that may lie in the tapes' buffers as one that stays as it is."""
        return rebuilt(state, [array.copy() for array in leaves(state)])


def n_bytes(state: Tree) -> int:
    """Return the bytes of a tree's arrays."""
    return sum(array.nbytes for array in leaves(state))
