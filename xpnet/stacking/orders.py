"""The orders of the rows of many models, equal ones drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..batches import Batches
from ..state import TrainState, snapshots
from .members import Member


class Source:
    """A generator and the orders that it gives, for all members that begin with an equal one.

    Parameters
    ----------
    batches : Batches
    n_samples : int
    state : TrainState
        Where the fits begin.
    """

    def __init__(self, batches: Batches, n_samples: int, state: TrainState) -> None:
        self._batches, self._n_samples, self._start = batches, n_samples, state
        (self._generator,) = state.resumed_generators()
        last = state.order if batches.chained else None
        fits = last is not None and last.shape[-1] == n_samples
        self._order = np.ravel(last) if last is not None and fits else None
        self._drawn = 0

    def draw(self) -> np.ndarray:
        """Return the order of the next epoch."""
        last = {} if self._order is None else {"previous": self._order}
        epoch = self._start.epoch + self._drawn
        order = self._batches.order(self._n_samples, self._generator, epoch, **last)
        self._order = order if self._batches.chained else None
        self._drawn += 1
        return order

    def state(self) -> dict[str, Any]:
        """Return what a TrainState keeps of it."""
        return {"generators": snapshots((self._generator,)), "order": self._order}

    def state_before(self) -> dict[str, Any]:
        """Return what it was before the last order was drawn."""
        earlier = Source(self._batches, self._n_samples, self._start)
        for _ in range(self._drawn - 1):
            earlier.draw()
        return earlier.state()


def sources(members: Sequence[Member]) -> dict[Member, Source]:
    """Return where each member's orders come from."""
    known: dict[Any, Source] = {}
    return {member: _source(member, known) for member in members}


def _source(member: Member, known: dict[Any, Source]) -> Source:
    state, run = member.state, member.run
    order = None if state.order is None else state.order.tobytes()
    key = repr(run.batches), run.n_samples, _told(state.generators[0]), order, state.epoch
    if key not in known:
        known[key] = Source(run.batches, run.n_samples, state)
    return known[key]


def _told(generator: dict[str, Any]) -> tuple[Any, ...]:
    """Return what is equal for generators that give the same numbers."""
    inner = generator["state"]
    return inner["key"].tobytes(), inner["pos"], generator["has_gauss"], generator["gauss"]
