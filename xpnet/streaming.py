"""Training on a stream: an epoch is run buffer after buffer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .backends import Step
from .batches import Batches, InOrder, Shuffled
from .distributed import ALONE, Ranks
from .feed import Feed, Window
from .history import History
from .placement import Placement, Samples
from .state import TrainState
from .streams import Stream
from .streams.sorting import warn_if_sorted
from .training import Rows, Run, Steps

__all__ = ["StreamRun", "stream_run"]


def stream_run(
    place: Placement,
    step: Step,
    stream: Stream,
    batches: Batches,
    generators: tuple[np.random.RandomState, ...],
    held_out: Samples | None,
    *,
    ranks: Ranks = ALONE,
    score: bool = False,
    **options: Any,
) -> StreamRun:
    """Return a run on a stream, as ``Run(...)`` is one on samples.

    Raises
    ------
    ValueError
        Something is asked for that needs all samples at a time.
    """
    if type(batches) not in (Shuffled, InOrder):
        raise ValueError(
            f"sampling={batches!r} draws from all samples at a time; a stream is read in the order "
            "'shuffle' or 'sequential'."
        )
    if batches.batch_size is None:
        raise ValueError("batch_size=None is all samples at a time; a stream needs a number.")
    if score:
        raise ValueError(
            "train_score=True would read all samples once more; pass validation_data, such as "
            "Stream.split's."
        )
    if len(generators) > 1:
        raise ValueError(
            f"random_state is of {len(generators)} models; a stream is read in one order for all: "
            "pass one seed."
        )
    feed = Feed(place, stream, batches.batch_size, ranks)
    if isinstance(batches, Shuffled) and ranks.first:
        warn_if_sorted(stream, feed.plan(0))
    samples = Samples(place.rowless(), np.zeros(0), None)
    return StreamRun(
        place, step, samples, batches, generators, held_out, feed=feed, ranks=ranks, **options
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamRun(Run):
    """A run whose samples come from a stream.

    Attributes
    ----------
    feed : Feed
    """

    feed: Feed

    def epoch(
        self,
        state: TrainState,
        history: History,
        max_steps: int | None = None,
        learning_rate: Any = None,
    ) -> Generator[TrainState]:
        """Run one epoch, or what is left of one, see `Run.epoch`."""
        began = time.perf_counter()
        drawn = int(self.generators[0].randint(2**31 - 1))
        plan = self.feed.plan(None if isinstance(self.batches, InOrder) else drawn)
        done = state.steps_into_epoch
        last = plan.n_steps if max_steps is None else min(plan.n_steps, done + max_steps)
        windows = self.feed.windows(plan, self.samples, done, last)
        with contextlib.closing(windows):
            for window in windows:
                steps = self._window(window, plan.sizes, plan.firsts, state, learning_rate)
                self.check(steps, state, done)
                state, done = _joined(state, steps), window.steps.stop
                if done < last:
                    yield state
        assert state.part is not None
        whole = Steps(
            state.params,
            state.optimizer_state,
            state.part[0],
            plan.sizes[:done],
            None if steps.totals is None else state.part[1],
        )
        state = replace(state, part=None, step=state.step - len(whole))
        yield self.after(whole, state, history, began)

    def _window(
        self, window: Window, sizes: np.ndarray, firsts: np.ndarray, state: TrainState, rate: Any
    ) -> Steps:
        """Run the steps of a buffer."""
        own = replace(self, samples=window.samples)
        here = window.steps
        rows = Rows(window.parts, sizes[here], None if self.ranks.alone else firsts[here])
        return own.steps(rows, state, rate)

    def total(self, steps: Steps) -> Any:
        """Return the sum of the weights of the epoch's samples."""
        return float(steps.sizes.sum()) if steps.totals is None else float(steps.totals.sum())

    def fingerprint(self) -> str:
        """Return what tells streams apart, and the orders in which they are read."""
        plan = self.feed.plan(0)
        return f"{self.feed.stream.fingerprint()}, {plan.steps_per_buffer} steps a buffer"


def _joined(state: TrainState, steps: Steps) -> TrainState:
    """Return the state after some steps in the midst of an epoch."""
    totals = steps.sizes if steps.totals is None else steps.totals
    totals = totals.reshape(-1, *[1] * (steps.sums.ndim - 1))
    part = np.stack([steps.sums, np.broadcast_to(totals, steps.sums.shape)])
    if state.part is not None:
        part = np.concatenate([state.part, part], axis=1)
    return replace(
        state,
        params=steps.params,
        optimizer_state=steps.optimizer_state,
        step=state.step + len(steps),
        part=part,
    )
