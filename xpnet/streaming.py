"""Training on a stream: an epoch is run buffer after buffer. And which run it is, given data."""

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
from .state import Part, TrainState
from .streams import Plan, Stream
from .streams.sorting import warn_if_sorted
from .training import Rows, Run, Steps, after

__all__ = ["StreamRun", "make_run"]


def make_run(
    place: Placement, step: Step, data: Stream | tuple[Any, Any, Any], *rest: Any, **asked: Any
) -> Run:
    """Return the run on data, which are checked and, where they are in memory, brought over.

    Parameters
    ----------
    place : Placement
    step : Step
    data : Stream, or tuple (x, t, sample_weight)
    *rest, **asked
        As for `Run`.
    """
    place.backend.check_step(step, asked["compile"])
    if isinstance(data, Stream):
        return _stream_run(place, step, data, *rest, **asked)
    if data[1] is None:
        raise TypeError("t is None: targets are needed; only a Stream has its own.")
    samples = place.samples(*data)
    place.check_pixels(samples.data.x, place.backend.xp)
    return Run(place, step, samples, *rest, **asked)


def _stream_run(
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
    common = place, step, samples, batches, generators, held_out
    buffer = f"{feed.plan(0).steps_per_buffer} steps a buffer"
    orders = f"{stream.fingerprint()}, {batches!r}, {buffer}, {ranks!r}"
    return StreamRun(*common, ranks=ranks, feed=feed, orders=orders, **options)


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamRun(Run):
    """A run whose samples come from a stream.

    Attributes
    ----------
    feed : Feed
    orders : str
        What tells apart the orders in which streams are read.
    """

    feed: Feed
    orders: str

    def epoch(
        self,
        state: TrainState,
        history: History,
        max_steps: int | None = None,
        learning_rate: Any = None,
    ) -> Generator[TrainState, tuple[TrainState, Any]]:
        """Run one epoch, or what is left of one, see `Run.epoch`."""
        began = time.perf_counter()
        drawn = int(self.generators[0].randint(2**31 - 1))
        plan = self.feed.plan(None if isinstance(self.batches, InOrder) else drawn)
        part = state.part or Part(0, np.zeros(()), np.zeros(()), None, self.orders)
        last = plan.n_steps if max_steps is None else min(plan.n_steps, part.steps + max_steps)
        with contextlib.closing(self.feed.windows(plan, self.samples, part.steps, last)) as windows:
            for window in windows:
                steps = self._window(window, plan, state, learning_rate)
                self.check(steps, state)
                part = self._joined(part, steps)
                state = after(state, steps, part=part, order=None)
                if part.steps < last:
                    state, learning_rate = yield state
        if not np.all(part.weights > 0):
            raise ValueError("sample_weight holds only zeros; one weight must be above zero.")
        loss = self.loss(part.losses, part.weights, part.weights, state.params)
        yield self.ended(replace(state, part=None), loss, part.step_losses, history, began)

    def _window(self, window: Window, plan: Plan, state: TrainState, rate: Any) -> Steps:
        """Run the steps of a buffer."""
        sizes, firsts = plan.sizes(window.steps)
        rows = Rows(window.parts, sizes, None if self.ranks.alone else firsts)
        return replace(self, samples=window.samples).steps(rows, state, rate)

    def _joined(self, part: Part, steps: Steps) -> Part:
        """Return what an epoch gave so far, with some steps more."""
        losses, weights, means = self.sums(steps)
        kept = None
        if self.keep_steps:
            kept = means if part.step_losses is None else np.concatenate([part.step_losses, means])
        done = part.steps + len(steps)
        return Part(done, part.losses + losses, part.weights + weights, kept, part.order)

    def check_start(self, state: TrainState) -> None:
        """Raise where an epoch cannot begin, or go on, from that state."""
        if state.part is not None and state.part.order != self.orders:
            raise ValueError(
                "state is in the midst of an epoch of another stream, or of another order of it "
                f"({state.part.order}; here it is {self.orders}): pass what it was trained with, "
                "or a state between two epochs."
            )

    def fingerprint(self) -> str:
        """Return what tells streams apart, and the orders in which they are read."""
        return self.orders
