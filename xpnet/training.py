"""The loop over one epoch."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from .backends import Array, Step
from .batches import Batches, split
from .distributed import ALONE, Ranks
from .evaluation import evaluate, penalty_value
from .history import History
from .optimizers import Schedule
from .placement import Placement, Samples, SparseRows
from .state import TrainState, check_whole, snapshots
from .step import Data, coefficient_table

__all__ = ["DivergenceError", "Rows", "Run", "Steps", "after", "diverged"]

_MOST_ELEMENTS = 1 << 22
"""So many dense elements of sparse features are on the device at a time."""

_STEPS_AHEAD = 1024
"""For so many steps are the coefficients of constant rates computed at a time."""


class DivergenceError(FloatingPointError):
    """A loss or a parameter became NaN or infinite; the message says when."""


class Rows(NamedTuple):
    """The batches of some steps.

    Attributes
    ----------
    parts : list of integer arrays of shape (steps, batch) or (steps, models, batch)
        The rows of this rank: of batches of one size, one array.
    sizes : integer array of shape (steps,)
        The rows of each batch, over all ranks.
    firsts : integer array of shape (steps,), or None
        How many of them ranks before this one have.
    """

    parts: list[np.ndarray]
    sizes: np.ndarray
    firsts: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Steps:
    """What the steps of an epoch gave.

    Attributes
    ----------
    params : array of shape (n_params,) or (models, n_params)
    optimizer_state : tuple of arrays of that shape
    sums : float64 array of shape (steps,) or (steps, models)
        What each step returned, on the host.
    sizes : integer array of shape (steps,)
        The rows of each batch.
    totals : float64 array that broadcasts to the shape of `sums`, or None
        The sum of the sample weights of each batch; None without weights.
    """

    params: Array
    optimizer_state: tuple[Array, ...]
    sums: np.ndarray
    sizes: np.ndarray
    totals: np.ndarray | None

    def __len__(self) -> int:
        return len(self.sums)


@dataclass(frozen=True, eq=False)
class Run:
    """A training run on one backend: what stays the same from epoch to epoch.

    Attributes
    ----------
    place : Placement
    step : Step
    samples : Samples
    batches : Batches
    generators : tuple of numpy.random.RandomState
        Where the orders are drawn from: one for all models, or one a model.
    held_out : Samples or None
        Evaluated after each epoch.
    score : bool
        Whether `samples` is scored after each epoch too.
    keep_steps : bool
        Whether the history keeps the loss of each step.
    objectives : bool
        Whether a step returns its batch's objective, of which the epoch's loss is then the mean.
    compile : bool
        Whether the backend may run the steps another way than call by call.
    members : numpy.ndarray of shape (n,) or (models, n), or None
        The rows of `samples` that are trained on; None is all.
    held_out_members : numpy.ndarray of shape (n,) or (models, n), or None
        Those of `held_out` that are evaluated.
    ranks : Ranks
        Those that train together; each has its share of a batch's rows.
    """

    place: Placement
    step: Step
    samples: Samples
    batches: Batches
    generators: tuple[np.random.RandomState, ...]
    held_out: Samples | None = None
    score: bool = False
    keep_steps: bool = False
    objectives: bool = False
    compile: bool = True
    members: np.ndarray | None = None
    held_out_members: np.ndarray | None = None
    ranks: Ranks = ALONE
    _ahead: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    """The coefficients of the next steps, as far as they are known."""

    def epoch(
        self,
        state: TrainState,
        history: History,
        max_steps: int | None = None,
        learning_rate: Any = None,
    ) -> Generator[TrainState, tuple[TrainState, Any]]:
        """Run one epoch, or its first `max_steps` steps, and add it to the history.

        Parameters
        ----------
        state : TrainState
        history : History
        max_steps : int, optional
        learning_rate : float, array of shape (models, 1), or Schedule, optional
            In place of the optimizer's.

        Yields
        ------
        TrainState
            That after the epoch; before it, of a stream, that after each buffer. There it is sent
            the state to go on with, and the rate.

        Raises
        ------
        DivergenceError
            A loss or a parameter became NaN or infinite; the message names epoch and step.
        """
        began = time.perf_counter()
        order = self._order(state)
        steps = self.steps(self.rows(order, max_steps), state, learning_rate)
        self.check(steps, state)
        kept = order if self.batches.chained else None
        yield self.ended(after(state, steps, order=kept), *self.losses(steps), history, began)

    def check(self, steps: Steps, state: TrainState) -> None:
        """Raise where training diverged."""
        for model, (what, step) in self.failures(steps).items():
            which = model if steps.sums.ndim > 1 else None
            raise diverged(what, state.epoch, state.steps_into_epoch + step, which)

    def ended(
        self, state: TrainState, loss: Any, step_losses: Any, history: History, began: float
    ) -> TrainState:
        """Add an epoch to the history; return the state after it, given that of its last step."""
        history.append(losses=loss)
        for value in step_losses if self.keep_steps else ():
            history.append(step_losses=value)
        # One rank's numbers hold for all: those of another processor may differ by a rounding.
        found = self.evaluations(state.params) if self.ranks.first else {}
        history.append(**self.ranks.agreed(found))
        history.append(seconds=time.perf_counter() - began)
        return replace(
            state,
            epoch=state.epoch + 1,
            generators=snapshots(self.generators),
            curve=(*state.curve, history.monitored[-1]),
        )

    def check_start(self, state: TrainState) -> None:
        """Raise where an epoch cannot begin, or go on, from that state."""
        check_whole(state)

    def setting(self) -> dict[str, Any]:
        """Return what must be alike in runs that are one: on ranks, or before a resumption."""
        return {
            "data": self.fingerprint(),
            "validation_data": None if self.held_out is None else self.held_out.fingerprint(),
            "batches": repr(self.batches),
            "dtype": self.place.dtype,
            "train_score": self.score,
            "step_losses": self.keep_steps,
            "objectives": self.objectives,
        }

    def fingerprint(self) -> str:
        """Return what tells the data of runs apart."""
        return self.samples.fingerprint()

    @property
    def n_samples(self) -> int:
        """How many samples each model trains on."""
        return len(self.samples.t) if self.members is None else self.members.shape[-1]

    def _order(self, state: TrainState) -> np.ndarray:
        n = self.n_samples
        previous: list[dict[str, Any]] = [{}] * len(self.generators)
        if self.batches.chained and state.order is not None and state.order.shape[-1] == n:
            previous = [{"previous": order} for order in np.atleast_2d(state.order)]
        orders = [
            self.batches.order(n, rng, state.epoch, **last)
            for rng, last in zip(self.generators, previous, strict=True)
        ]
        return np.stack(orders) if len(orders) > 1 else orders[0]

    def rows(self, order: np.ndarray, max_steps: int | None = None) -> Rows:
        """Return the batches of an epoch, or its first ones, given the order of its rows."""
        size = self.batches.size(self.n_samples)
        parts = split(order if max_steps is None else order[..., : max_steps * size], size)
        sizes = np.concatenate([np.full(len(part), part.shape[-1]) for part in parts])
        if self.ranks.alone:
            return Rows(parts, sizes)
        shares = [(part, self.ranks.share(part.shape[-1])) for part in parts]
        firsts = np.concatenate([np.full(len(part), share.start) for part, share in shares])
        return Rows([part[..., share] for part, share in shares], sizes, firsts)

    def steps(self, rows: Rows, state: TrainState, learning_rate: Any = None) -> Steps:
        """Run some steps, given the rows of `samples` in each batch."""
        carry: Any = state.params, state.optimizer_state
        first, results = 0, []
        table = self._coefficients(len(rows.sizes), state, learning_rate)
        backend, widest = self.place.backend, int(rows.sizes.max())
        for windows, data in self._windows(rows):
            for batches in self.ranks.rounds(windows, state.step + first):
                parts, begin = [], first
                for window in batches:
                    parts.append(self._inputs(window, rows, table, first, state.step))
                    first += len(window)
                with backend.threads(widest * self.place.problem.network.largest_parameter):
                    carry, found = backend.scan(self.step, carry, parts, data, compile=self.compile)
                seen = sum(part.shape[0] * part.shape[-1] for part in batches)
                total = int(rows.sizes[begin:first].sum())
                params, *moments = self.ranks.averaged(
                    backend.xp, (carry[0], *carry[1]), seen, total
                )
                carry = params, tuple(moments)
                results += found
        # Read back only now, when all is under way.
        sums = np.concatenate([self.place.backend.to_host(s) for s in results])
        sums, totals = np.asarray(sums, dtype=np.float64), self._totals(rows, sums.ndim)
        if self.ranks.average_every is not None:
            sums = self.ranks.total(sums)
        if totals is not None:
            totals = self.ranks.total(totals)
        return Steps(carry[0], carry[1], sums, rows.sizes, totals)

    def _windows(self, rows: Rows) -> Iterator[tuple[list[np.ndarray], Data]]:
        """Yield rows and the data they index; of sparse features some batches at a time."""
        data, host = self.samples.data, self.samples
        if not isinstance(data.x, SparseRows):
            yield rows.parts, data
            return
        for part in rows.parts:
            # As many steps on every rank, whatever its share is.
            models = part[0].size // part.shape[-1] if part.shape[-1] else 1
            elements = models * int(rows.sizes.max()) * data.x.shape[1]
            n_steps = max(1, _MOST_ELEMENTS // elements)
            for start in range(0, len(part), n_steps):
                window = part[start : start + n_steps]
                flat = window.reshape(-1)
                weights = None
                if host.weights is not None:
                    weights = self.place.floats(host.weights_of(window).reshape(-1))
                yield (
                    [np.arange(flat.size, dtype=np.int32).reshape(window.shape)],
                    data._replace(
                        x=data.x[flat],
                        t=self.place.targets(host.t[flat]),
                        weights=weights,
                        offsets=None,
                    ),
                )

    def _inputs(
        self, window: np.ndarray, rows: Rows, table: np.ndarray, first: int, done: int
    ) -> tuple[Array, ...]:
        """Return what the steps from the row `first` of the table on are given, one each."""
        upload, here = self.place.backend.upload, slice(first, first + len(window))
        xs = upload(window, self.place.backend.index_dtype), upload(table[here])
        if self.samples.data.seed is None:
            return xs
        counters = [done + np.arange(here.start, here.stop)]
        counters += [] if rows.firsts is None else [rows.firsts[here]]
        return (*xs, *(upload(counter.astype(np.int32)) for counter in counters))

    def _coefficients(self, n_steps: int, state: TrainState, learning_rate: Any) -> np.ndarray:
        """Return the table of coefficients of an epoch's steps, in the parameters' type.

        Where the rate is the optimizer's own number, some epochs are looked ahead.
        """
        optimizer, known = self.place.problem.optimizer, self._ahead
        if learning_rate is not None or isinstance(optimizer.learning_rate, Schedule):
            return self._table(n_steps, state, learning_rate)
        row, numbers = state.step - known.get("first", 0), [*vars(optimizer).values()]
        same = all(a is b for a, b in zip(numbers, known.get("numbers", ()), strict=False))
        if not (same and 0 <= row <= len(known.get("table", ())) - n_steps):
            models = state.params.shape[0] if state.params.ndim > 1 else 1
            known |= {"first": state.step, "numbers": numbers}
            known["table"] = self._table(max(n_steps, _STEPS_AHEAD // models), state, None)
            row = 0
        return known["table"][row : row + n_steps]

    def _table(self, n_steps: int, state: TrainState, learning_rate: Any) -> np.ndarray:
        table = coefficient_table(
            self.place.problem, state.step, n_steps, state.epoch, state.curve, learning_rate
        )
        return table.astype(self.place.dtype)

    def losses(self, steps: Steps) -> tuple[np.ndarray, Any]:
        """Return the epoch's loss, and those of its steps, of each model."""
        losses, weights, means = self.sums(steps)
        return self.loss(losses, weights, self.samples.total(self.members), steps.params), means

    def sums(self, steps: Steps) -> tuple[np.ndarray, Any, np.ndarray]:
        """Return the sums of losses and weights of which the loss is made, and the steps' means."""
        sums, sizes = steps.sums, steps.sizes.reshape(-1, *[1] * (steps.sums.ndim - 1))
        if self.objectives:
            return _over_steps(sums * sizes), sizes.sum(), sums
        if steps.totals is None:
            return _over_steps(sums), sizes.sum(), sums / sizes
        return _over_steps(sums), _over_steps(steps.totals), _divide(sums, steps.totals)

    def loss(self, losses: np.ndarray, weights: Any, total: Any, params: Array) -> np.ndarray:
        """Return the epoch's loss of each model, given its sums and the weight of all samples."""
        mean = _divide(losses, weights)
        if self.objectives:
            return mean
        return mean + penalty_value(self.place, params, self.samples, total)

    def _totals(self, rows: Rows, ndim: int) -> np.ndarray | None:
        """Return the sum of the sample weights of each batch, shaped to divide the sums."""
        if self.samples.weights is None:
            return None
        parts = [self.samples.weights_of(part).sum(axis=-1) for part in rows.parts]
        totals = np.concatenate(parts)
        return totals if totals.ndim == ndim else totals[:, None]

    def failures(self, steps: Steps) -> dict[int, tuple[str, int]]:
        """Return what became NaN or infinite, and at which step, by the number of the model."""
        backend, xp, n_steps = self.place.backend, self.place.backend.xp, len(steps.sums)
        params = xp.all(xp.isfinite(steps.params), axis=-1)
        if np.isfinite(steps.sums).all() and bool(xp.all(params)):
            return {}
        losses = steps.sums.reshape(n_steps, -1)
        finite = np.isfinite(losses)
        fine = finite.all(axis=0) & np.reshape(backend.to_host(params), (-1,))
        found = {}
        for k in map(int, np.flatnonzero(~fine)):
            if finite[:, k].all():
                found[k] = "a parameter became NaN or infinite", n_steps - 1
            else:
                step = int(np.argmin(finite[:, k]))
                found[k] = f"the training loss became {losses[step, k]}", step
        return found

    def evaluations(self, params: Array) -> dict[str, np.ndarray]:
        """Return scores, and loss and score of the held-out samples, where they are asked for."""
        found = {}
        if self.score:
            found["scores"] = evaluate(self.place, params, self.samples, self.members)[1]
        if self.held_out is not None:
            loss, score = evaluate(self.place, params, self.held_out, self.held_out_members)
            found |= {"val_losses": loss, "val_scores": score}
        return found


def after(state: TrainState, steps: Steps, **changed: Any) -> TrainState:
    """Return the state after some steps."""
    return replace(
        state,
        params=steps.params,
        optimizer_state=steps.optimizer_state,
        step=state.step + len(steps),
        **changed,
    )


def diverged(what: str, epoch: int, step: int, model: int | None = None) -> DivergenceError:
    """Return the error that says what became NaN or infinite, and when."""
    which = "" if model is None else f", model {model}"
    return DivergenceError(
        f"Training diverged: {what} in epoch {epoch + 1}, step {step + 1} of that epoch{which}. "
        "Try a smaller learning rate, scaled inputs, or max_norm=1.0."
    )


def _over_steps(values: np.ndarray) -> np.ndarray:
    """Sum over the steps, contiguous, so that a model of a stack is summed as if alone."""
    if values.ndim == 1:
        return values.sum()
    return np.ascontiguousarray(np.moveaxis(values, 0, -1)).sum(axis=-1)


def _divide(sums: np.ndarray, totals: Any) -> np.ndarray:
    """Return the means; a batch whose weights are all zero has a loss of zero."""
    return np.where(totals > 0, sums / np.where(totals > 0, totals, 1.0), 0.0)
