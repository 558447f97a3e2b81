"""The loop over stacks: each until its last model has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np

from .. import backends, validation
from ..placement import Placement, Samples
from ..step import make_step
from ..training import Run
from .members import Member
from .plan import plan
from .requests import Outcome, Request, Setting
from .stack import Stack

Told = Callable[[int], None]
"""Called with a number of epochs of single models that are done, or that will not be needed."""


class Table:
    """The data set of which each model has its rows: checked and brought over once a backend.

    Parameters
    ----------
    x : array of shape (samples, features)
    t : array
        Targets, as `Trainer.fit` takes them.
    held_out : tuple (x, t, weights) or None
        What all models are evaluated on.
    """

    def __init__(self, x: Any, t: Any, held_out: tuple[Any, Any, Any] | None = None) -> None:
        self.x, self.t, self.held_out = x, t, held_out
        self._features: dict[Any, Any] = {}
        self._checked: list[Any] = []

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_features": {}}

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What came in, whose library is followed where no backend is named."""
        return self.x, self.t, *(self.held_out or ())

    def samples(self, place: Placement) -> Samples:
        """Return all samples on the backend, without weights."""
        samples = self._samples(place, self.x, self.t, None, "")
        place.check_pixels(samples.data.x, place.backend.xp)
        return samples

    def held_out_samples(self, place: Placement) -> Samples | None:
        """Return what all models are evaluated on; None where each has its own rows, or nothing."""
        if self.held_out is None:
            return None
        return self._samples(place, *self.held_out, "validation_")

    def check(self, place: Placement) -> None:
        """Raise where the problem does not suit the data; what is alike is checked once."""
        p = place.problem
        key = place.backend.name, place.dtype, p.loss, p.network.n_features_in, p.network.n_outputs
        if key not in self._checked:
            self.samples(place)
            self.held_out_samples(place)
            self._checked.append(key)

    def _samples(self, place: Placement, x: Any, t: Any, weights: Any, prefix: str) -> Samples:
        key = place.backend.name, place.backend.device_name, place.dtype, prefix
        if key not in self._features:
            self._features[key] = place.features(x, prefix + "x")
        known, n_features = self._features[key], place.problem.network.n_features_in
        validation.check_features(prefix + "x", tuple(known.shape), n_features)
        return place.samples(x, t, weights, prefix=prefix, features=known)


def train(
    requests: Sequence[Request],
    table: Table,
    setting: Setting,
    *,
    memory: int | None = None,
    n_jobs: int | None = None,
    told: Told = lambda epochs: None,
    **plans: Any,
) -> list[Outcome]:
    """Train all requests, in stacks; return what became of each.

    Parameters
    ----------
    requests : sequence of Request
    table : Table
    setting : Setting
    memory : int, optional
        Bytes that the stacks may take.
    n_jobs : int, optional
        Stacks that are trained at a time, by joblib.
    told : callable
    **plans
        `say` of `plan`.
    """
    from joblib import Parallel, delayed, effective_n_jobs

    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral)):
        raise TypeError(f"n_jobs={n_jobs!r} must be an integer or None.")
    if n_jobs == 0:
        raise ValueError("n_jobs=0 must be at least 1, or below 0: -1 is one for each processor.")
    jobs = effective_n_jobs(n_jobs) if n_jobs not in (None, 1) else 1
    backend = backends.get(setting.backend, setting.device, like=table.arrays)
    stacks = plan(requests, setting, backend, memory, jobs, **plans)
    outcomes: list[Any] = [None] * len(requests)
    if jobs == 1 or len(stacks) == 1:
        results: Iterator[list[Outcome]] = (
            train_stack([requests[i] for i in numbers], table, setting, told) for numbers in stacks
        )
    else:
        results = Parallel(n_jobs=jobs, return_as="generator")(
            delayed(train_stack)([requests[i] for i in numbers], table, setting)
            for numbers in stacks
        )
    for numbers, found in zip(stacks, results, strict=True):
        if jobs > 1 and len(stacks) > 1:
            told(sum(requests[i].to_run for i in numbers))
        for i, outcome in zip(numbers, found, strict=True):
            outcomes[i] = outcome
    return outcomes


def train_stack(
    requests: Sequence[Request], table: Table, setting: Setting, told: Told = lambda epochs: None
) -> list[Outcome]:
    """Train requests of one shape."""
    first = requests[0].problem
    backend = backends.get(setting.backend, setting.device, like=table.arrays)
    place = Placement(backend, setting.dtype, first)
    with place.session():
        run = Run(
            place,
            make_step(first, record=setting.record),
            table.samples(place),
            requests[0].batches,
            (),
            table.held_out_samples(place),
            score=setting.score,
            keep_steps=setting.keep_steps,
            objectives=setting.objectives,
            compile=setting.compile,
        )
        members = [_member(request, run) for request in requests]
        try:
            _loop(Stack(members, setting.record), members, told)
        finally:
            for member in members:
                member.close()
        return [
            Outcome(m.state, m.history, m.stopped, m.failure, r.callbacks)
            for m, r in zip(members, requests, strict=True)
        ]


def _member(request: Request, run: Run) -> Member:
    place = replace(run.place, problem=request.problem)
    samples = run.samples._replace(weights=request.weights)
    rows: dict[str, Any] = {}
    if request.held_out_rows is not None:
        rows = {"held_out": samples, "held_out_members": np.asarray(request.held_out_rows)}
    own = replace(
        run,
        place=place,
        samples=samples,
        batches=request.batches,
        generators=request.state.resumed_generators(),
        members=np.asarray(request.rows),
        **rows,
    )
    return Member(own, request.state, request.epochs, request.callbacks)


def _loop(stack: Stack, members: Sequence[Member], told: Told) -> None:
    left = [member for member in members if member.advance()]
    total, known = (
        sum(numbers) for numbers in zip(*((m.total, m.done) for m in members), strict=True)
    )
    stacks = [(stack, left)] if left else []
    while stacks:
        stacks = [pair for stack, left in stacks for pair in _split(stack, left)]
        stacks = [(stack, after) for stack, left in stacks if (after := stack.epoch(left))]
        needed = sum(member.total - member.done for _, left in stacks for member in left)
        told(total - needed - known)
        known = total - needed
    told(total - known)


def _split(stack: Stack, members: Sequence[Member]) -> list[tuple[Stack, list[Member]]]:
    """Return the stacks of the next epoch: members that callbacks have moved have their own."""
    moved = [member for member in members if stack.moved(member)]
    stayed = [member for member in members if member not in moved]
    pairs = [(stack, stayed)] if stayed else []
    return pairs + [(stack.apart(member), [member]) for member in moved]
