"""The loop over one epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .backends import Array, Step
from .batches import Batches, split
from .evaluation import evaluate, penalty_value
from .history import History
from .placement import Placement, Samples
from .state import TrainState, snapshots
from .step import coefficient_table

__all__ = ["Run"]


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
    """

    place: Placement
    step: Step
    samples: Samples
    batches: Batches
    generators: tuple[np.random.RandomState, ...]
    held_out: Samples | None = None
    score: bool = False
    keep_steps: bool = False

    def epoch(
        self, state: TrainState, history: History, max_steps: int | None = None
    ) -> TrainState:
        """Run one epoch, or its first `max_steps` steps, and add it to the history.

        Raises
        ------
        FloatingPointError
            A loss or a parameter became NaN or infinite; the message names epoch and step.
        """
        began = time.perf_counter()
        rows = self._rows(state, max_steps)
        params, optimizer_state, sums = self._scan(rows, state)
        totals = np.concatenate([self._totals(part, sums.ndim) for part in rows])
        self._check(params, sums, state.epoch)
        mean = _divide(_over_steps(sums), _over_steps(totals))
        history.append(losses=mean + penalty_value(self.place, params, self.samples))
        if self.keep_steps:
            for loss in _divide(sums, totals):
                history.append(step_losses=loss)
        self._evaluate(params, history)
        history.append(seconds=time.perf_counter() - began)
        return replace(
            state,
            params=params,
            optimizer_state=optimizer_state,
            step=state.step + sum(map(len, rows)),
            epoch=state.epoch + 1,
            generators=snapshots(self.generators),
            curve=(*state.curve, history.monitored[-1]),
        )

    def _rows(self, state: TrainState, max_steps: int | None) -> list[np.ndarray]:
        n = self.samples.data.x.shape[0]
        orders = [self.batches.order(n, rng, state.epoch) for rng in self.generators]
        order = np.stack(orders) if len(orders) > 1 else orders[0]
        size = self.batches.size(n)
        return split(order if max_steps is None else order[..., : max_steps * size], size)

    def _scan(self, rows: list[np.ndarray], state: TrainState) -> tuple[Array, Any, np.ndarray]:
        carry = state.params, state.optimizer_state
        first, results = state.step, []
        for part in rows:
            xs = self._inputs(part, first, state)
            carry, sums = self.place.backend.scan(self.step, carry, xs, self.samples.data)
            results.append(sums)
            first += len(part)
        # Read back only now, when all is under way.
        sums = np.concatenate([self.place.backend.to_host(s) for s in results])
        return *carry, np.asarray(sums, dtype=np.float64)

    def _inputs(self, rows: np.ndarray, first: int, state: TrainState) -> tuple[Array, ...]:
        bring, n_steps = self.place.backend.asarray, len(rows)
        table = coefficient_table(self.place.problem, first, n_steps, state.epoch, state.curve)
        xs = bring(rows), self.place.floats(table)
        if self.samples.data.seed is None:
            return xs
        return (*xs, bring(np.arange(first, first + n_steps, dtype=np.int32)))

    def _totals(self, rows: np.ndarray, ndim: int) -> np.ndarray:
        """Return the sum of the sample weights of each batch, shaped to divide the sums."""
        if self.samples.weights is None:
            totals = np.full(rows.shape[:-1], float(rows.shape[-1]))
        else:
            totals = self.samples.weights[rows].sum(axis=-1)
        return totals if totals.ndim == ndim else totals[:, None]

    def _check(self, params: Array, sums: np.ndarray, epoch: int) -> None:
        xp = self.place.backend.xp
        if not np.isfinite(sums).all():
            at = np.argwhere(~np.isfinite(sums))[0]
            what = f"the training loss became {sums[tuple(at)]}"
        elif not bool(xp.all(xp.isfinite(params))):
            at = np.array([len(sums) - 1])
            what = "a parameter became NaN or infinite"
        else:
            return
        model = f", model {at[1]}" if len(at) > 1 else ""
        raise FloatingPointError(
            f"Training diverged: {what} in epoch {epoch + 1}, step {at[0] + 1} of that epoch"
            f"{model}. Try a smaller learning rate, scaled inputs, or max_norm=1.0."
        )

    def _evaluate(self, params: Array, history: History) -> None:
        if self.score:
            history.append(scores=evaluate(self.place, params, self.samples)[1])
        if self.held_out is not None:
            loss, score = evaluate(self.place, params, self.held_out)
            history.append(val_losses=loss, val_scores=score)


def _over_steps(values: np.ndarray) -> np.ndarray:
    """Sum over the steps, contiguous, so that a model of a stack is summed as if alone."""
    return np.ascontiguousarray(np.moveaxis(values, 0, -1)).sum(axis=-1)


def _divide(sums: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return the means; a batch whose weights are all zero has a loss of zero."""
    return np.where(totals > 0, sums / np.where(totals > 0, totals, 1.0), 0.0)
