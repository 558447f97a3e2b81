"""A stack of fits: their epochs, run all at once."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..backends import Array
from ..optimizers import Schedule
from ..placement import Placement, Samples
from ..problems import column, stacked
from ..state import TrainState
from ..step import constant_coefficients, make_step
from ..training import Run, Steps, diverged
from .members import Member
from .orders import sources

_MOST_IDLE = 0.5
"""A stack is made anew without the models that have ended once they are more than this part of it.
Until then they stay, for nothing: each new shape is a new program."""


class Stack:
    """Fits of one shape, whose epochs are run together.

    Parameters
    ----------
    members : sequence of Member
        Their problems have one structure, their rows and batches one shape; all stand at one step.
    record : str
        What a step returns, see `make_step`.
    """

    _members: list[Member]
    _run: Run
    _state: TrainState
    _seeds: list[Any]

    def __init__(self, members: Sequence[Member], record: str) -> None:
        self._record = record
        self._sources = sources(members)
        self._build(members)

    def _build(self, members: Sequence[Member]) -> None:
        """Take over the states of members, or of those of them that are left."""
        states = [member.state for member in members]
        runs: list[Any] = [member.run for member in members]
        first = states[0]
        place = replace(runs[0].place, problem=stacked([run.place.problem for run in runs]))
        arrays = zip(*((s.params, *s.optimizer_state) for s in states), strict=True)
        params, *moments = (_joined(place, column) for column in arrays)
        self._state = TrainState(params, tuple(moments), first.step, first.epoch, (), None)
        self._members, self._seeds = list(members), [state.dropout_seed for state in states]
        samples = _shared(place, [run.samples for run in runs])
        if first.dropout_seed is not None:
            seeds = np.concatenate([np.reshape(seed, (1, 1, 1)) for seed in self._seeds])
            samples = place.seeded(samples, seeds)
        self._run = replace(
            runs[0],
            place=place,
            step=make_step(place.problem, record=self._record),
            samples=samples,
            generators=(),
            members=np.stack([run.members for run in runs]),
            **_held_out(place, runs),
        )
        # A schedule remembers what it has read: each member has a copy of its own.
        self._rates = [copy.copy(run.place.problem.optimizer.learning_rate) for run in runs]
        for index, member in enumerate(members):
            member.join(self, index)

    def moved(self, member: Member) -> bool:
        """Return whether a callback has put a member at another step than that of the stack."""
        if not member.has_own_state:
            return False
        state = member.state
        return (state.step, state.epoch) != (self._state.step, self._state.epoch)

    def apart(self, member: Member) -> Stack:
        """Return a stack for a member that goes on from where a callback has put it.

        As in a fit alone, the generator is not put back.
        """
        generators = self._sources[member].state()["generators"]
        member.state = replace(member.state, generators=generators)
        return Stack([member], self._record)

    def epoch(self, members: Sequence[Member]) -> list[Member]:
        """Run an epoch of these members; return those of them that want another one."""
        few = len(members) <= (1.0 - _MOST_IDLE) * len(self._members)
        if few or any(member.has_own_state for member in members):
            self._build(members)
        began, before = time.perf_counter(), self._state
        order = self._order(members)
        rates = self._learning_rates(members, order.shape[-1])
        steps = self._run.steps(self._run.rows(order), before, rates)
        self._state = replace(
            before,
            params=steps.params,
            optimizer_state=steps.optimizer_state,
            step=before.step + len(steps),
            epoch=before.epoch + 1,
        )
        entries = self._entries(steps)
        seconds = (time.perf_counter() - began) / len(members)
        failures = self._run.failures(steps)
        for k in failures.keys() & {member.index for member in members}:
            what, step = failures[k]
            member = self._members[k]
            orders = self._sources[member].state_before()
            member.fail(
                diverged(what, before.epoch, step),
                self._state_of(member, before, member.curve, orders),
            )
        left = [member for member in members if member.failure is None]
        for member in left:
            self._tell(member, entries, seconds)
        return [member for member in left if member.advance()]

    def _order(self, members: Sequence[Member]) -> np.ndarray:
        """Return the order of each model's rows; of those that have ended it does not matter."""
        of: dict[Any, list[int]] = {}
        for member in members:
            of.setdefault(self._sources[member], []).append(member.index)
        rows: Any = self._run.members
        drawn = {source: source.draw() for source in of}
        order = np.zeros((len(rows), len(next(iter(drawn.values())))), dtype=np.int64)
        for source, models in of.items():
            order[models] = np.take(rows[models], drawn[source], axis=1)
        return order

    def _learning_rates(self, members: Sequence[Member], n_rows: int) -> Any:
        """Return the rates of an epoch; None where they are the optimizers' own numbers."""
        rates, given = list(self._rates), False
        for member in members:
            rate = member.rate()
            if rate is not None:
                rates[member.index], given = rate, True
        if not any(isinstance(rate, Schedule) for rate in rates):
            return column(rates) if given else None
        size = self._run.batches.size(self._run.n_samples)
        numbers = np.arange(self._state.step, self._state.step + -(-n_rows // size))
        columns = [
            rate.rates(numbers, self._state.epoch, member.curve)
            if isinstance(rate, Schedule)
            else np.full((len(numbers), 1, 1), rate)
            for rate, member in zip(rates, self._members, strict=True)
        ]
        return np.concatenate(columns, axis=1)

    def _entries(self, steps: Steps) -> dict[str, list[Any]]:
        """Return what the epoch adds to the histories: for each curve, a number a model."""
        losses, step_losses = self._run.losses(steps)
        entries = {"losses": losses, **self._run.evaluations(steps.params)}
        if self._run.keep_steps:
            entries["step_losses"] = np.moveaxis(step_losses, 0, -1)
        return {name: values.tolist() for name, values in entries.items()}

    @staticmethod
    def _tell(member: Member, entries: dict[str, list[Any]], seconds: float) -> None:
        history = member.history
        for name, values in entries.items():
            curve, value = getattr(history, name), values[member.index]
            curve.extend(value) if name == "step_losses" else curve.append(value)
        history.seconds.append(seconds)
        member.curve.append(history.monitored[-1])
        member.done += 1

    def params_of(self, member: Member) -> Array:
        """Return a copy of a member's parameters."""
        return self._picked(self._state.params, member)

    def state_of(self, member: Member) -> TrainState:
        """Return a member's state, arrays copied."""
        return self._state_of(member, self._state, member.curve, self._sources[member].state())

    def _state_of(
        self, member: Member, state: TrainState, curve: Sequence[Any], orders: dict[str, Any]
    ) -> TrainState:
        return replace(
            state,
            params=self._picked(state.params, member),
            optimizer_state=tuple(self._picked(a, member) for a in state.optimizer_state),
            dropout_seed=self._seeds[member.index],
            curve=tuple(curve),
            **orders,
        )

    def _picked(self, array: Array, member: Member) -> Array:
        xp = self._run.place.backend.xp
        return xp.asarray(array[member.index, ...], copy=True)  # a view would keep the stack


def _joined(place: Placement, arrays: Sequence[Array]) -> Array:
    """Return arrays of one shape as one, on the device."""
    if all(isinstance(array, np.ndarray) for array in arrays):
        return place.floats(np.stack(arrays))
    return place.backend.xp.stack([place.floats(array) for array in arrays])


def _shared(place: Placement, sets: Sequence[Samples]) -> Samples:
    """Return the samples that all models share, with the weights of each, equal ones once."""
    first, constants = sets[0], constant_coefficients(place.problem)
    data = first.data._replace(
        mask=place.mask(), constants=None if constants is None else place.floats(constants)
    )
    if first.weights is None:
        return first._replace(data=data)
    numbers: dict[int, int] = {}
    for samples in sets:
        numbers.setdefault(id(samples.weights), len(numbers))
    chosen: dict[int, Any] = {id(samples.weights): samples.weights for samples in sets}
    flat = np.concatenate([chosen[which] for which in numbers])
    offsets = np.array([[numbers[id(samples.weights)] * len(first.t)] for samples in sets])
    backend = place.backend
    data = data._replace(
        weights=place.floats(flat), offsets=backend.asarray(offsets, backend.index_dtype)
    )
    return Samples(data, first.t, flat, offsets)


def _held_out(place: Placement, runs: Sequence[Run]) -> dict[str, Any]:
    """Return what is evaluated after each epoch: a set for all, or each model's rows of one."""
    if runs[0].held_out is None:
        return {}
    if runs[0].held_out_members is None:
        held_out = runs[0].held_out
        return {"held_out": held_out._replace(data=held_out.data._replace(mask=place.mask()))}
    held_out_members: list[Any] = [run.held_out_members for run in runs]
    return {
        "held_out": _shared(place, [run.held_out for run in runs if run.held_out is not None]),
        "held_out_members": np.stack(held_out_members),
    }
