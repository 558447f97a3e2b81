"""The loop over one epoch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .backends import Array, Step
from .batches import Batches, split
from .evaluation import evaluate, penalty_value
from .history import History
from .optimizers import Schedule
from .placement import Placement, Samples, SparseRows
from .state import TrainState, snapshots
from .step import Data, coefficient_table

__all__ = ["DivergenceError", "Run", "Steps", "diverged"]

_MOST_ELEMENTS = 1 << 22
"""So many dense elements of sparse features are on the device at a time."""

_STEPS_AHEAD = 1024
"""For so many steps are the coefficients of constant rates computed at a time."""


class DivergenceError(FloatingPointError):
    """A loss or a parameter became NaN or infinite; the message says when."""


@dataclass(frozen=True, eq=False)
class Steps:
    """What the steps of an epoch gave.

    Attributes
    ----------
    params : array of shape (n_params,) or (models, n_params)
    optimizer_state : tuple of arrays of that shape
    sums : float64 array of shape (steps,) or (steps, models)
        What each step returned, on the host.
    rows : list of integer arrays of shape (steps, batch) or (steps, models, batch)
    """

    params: Array
    optimizer_state: tuple[Array, ...]
    sums: np.ndarray
    rows: list[np.ndarray]

    def __len__(self) -> int:
        return sum(map(len, self.rows))


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
    _ahead: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    """The coefficients of the next steps, as far as they are known."""

    def epoch(
        self,
        state: TrainState,
        history: History,
        max_steps: int | None = None,
        learning_rate: Any = None,
    ) -> TrainState:
        """Run one epoch, or its first `max_steps` steps, and add it to the history.

        Parameters
        ----------
        state : TrainState
        history : History
        max_steps : int, optional
        learning_rate : float, array of shape (models, 1), or Schedule, optional
            In place of the optimizer's.

        Raises
        ------
        DivergenceError
            A loss or a parameter became NaN or infinite; the message names epoch and step.
        """
        began = time.perf_counter()
        order = self._order(state)
        steps = self.steps(order, state, learning_rate, max_steps)
        for model, (what, step) in self.failures(steps).items():
            raise diverged(what, state.epoch, step, model if steps.sums.ndim > 1 else None)
        losses, step_losses = self.losses(steps)
        history.append(losses=losses)
        for value in step_losses if self.keep_steps else ():
            history.append(step_losses=value)
        history.append(**self.evaluations(steps.params))
        history.append(seconds=time.perf_counter() - began)
        return replace(
            state,
            params=steps.params,
            optimizer_state=steps.optimizer_state,
            step=state.step + len(steps),
            epoch=state.epoch + 1,
            generators=snapshots(self.generators),
            curve=(*state.curve, history.monitored[-1]),
            order=order if self.batches.chained else None,
        )

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

    def steps(
        self,
        order: np.ndarray,
        state: TrainState,
        learning_rate: Any = None,
        max_steps: int | None = None,
    ) -> Steps:
        """Run the steps of an epoch, given the order of the rows of `samples`."""
        carry: Any = state.params, state.optimizer_state
        first, results = state.step, []
        size = self.batches.size(self.n_samples)
        rows = split(order if max_steps is None else order[..., : max_steps * size], size)
        table = self._coefficients(sum(map(len, rows)), state, learning_rate)
        for windows, data in self._windows(rows):
            parts = []
            for window in windows:
                parts.append(self._inputs(window, table, first, first - state.step))
                first += len(window)
            backend = self.place.backend
            with backend.threads(rows[0].shape[-1] * self.place.problem.network.largest_parameter):
                carry, found = backend.scan(self.step, carry, parts, data, compile=self.compile)
            results += found
        # Read back only now, when all is under way.
        sums = np.concatenate([self.place.backend.to_host(s) for s in results])
        return Steps(carry[0], carry[1], np.asarray(sums, dtype=np.float64), rows)

    def _windows(self, rows: list[np.ndarray]) -> Iterator[tuple[list[np.ndarray], Data]]:
        """Yield rows and the data they index; of sparse features some batches at a time."""
        data, host = self.samples.data, self.samples
        if not isinstance(data.x, SparseRows):
            yield rows, data
            return
        for part in rows:
            elements = part[0].size * data.x.shape[1]
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
        self, rows: np.ndarray, table: np.ndarray, first: int, row: int
    ) -> tuple[Array, ...]:
        backend, n_steps = self.place.backend, len(rows)
        upload = backend.upload
        xs = upload(rows, backend.index_dtype), upload(table[row : row + n_steps])
        if self.samples.data.seed is None:
            return xs
        return (*xs, upload(np.arange(first, first + n_steps, dtype=np.int32)))

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
        rows, sums = steps.rows, steps.sums
        if self.objectives:
            sizes = np.concatenate([np.full(len(part), part.shape[-1]) for part in rows])
            sizes = sizes.reshape(-1, *[1] * (sums.ndim - 1))
            return _over_steps(sums * sizes) / sizes.sum(), sums
        means: Any = None
        if self.samples.weights is None and not self.keep_steps:
            loss = _over_steps(sums) / sum(part.shape[0] * part.shape[-1] for part in rows)
        else:
            totals = np.concatenate([self._totals(part, sums.ndim) for part in rows])
            means = _divide(sums, totals)
            loss = _divide(_over_steps(sums), _over_steps(totals))
        total = self.samples.total(self.members)
        return loss + penalty_value(self.place, steps.params, self.samples, total), means

    def _totals(self, rows: np.ndarray, ndim: int) -> np.ndarray:
        """Return the sum of the sample weights of each batch, shaped to divide the sums."""
        if self.samples.weights is None:
            totals = np.full(rows.shape[:-1], float(rows.shape[-1]))
        else:
            totals = self.samples.weights_of(rows).sum(axis=-1)
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


def _divide(sums: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return the means; a batch whose weights are all zero has a loss of zero."""
    return np.where(totals > 0, sums / np.where(totals > 0, totals, 1.0), 0.0)
