"""The state of a run: made, checked, resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import backends, validation
from .backends import Array
from .step import Problem

__all__ = [
    "Part",
    "TrainState",
    "check_params",
    "check_state",
    "check_whole",
    "initial_state",
    "snapshots",
]


@dataclass(frozen=True, eq=False)
class Part:
    """What an epoch under way gave so far.

    Attributes
    ----------
    steps : int
    losses, weights : float64 array of shape () or (models,)
        The sums of the steps' losses, and of their weights.
    step_losses : float64 array of shape (steps,) or (steps, models), or None
        The mean loss of each step, where they are kept.
    order : str
        What tells the order of the epoch's rows apart from that of another stream.
    """

    steps: int
    losses: np.ndarray
    weights: np.ndarray
    step_losses: np.ndarray | None
    order: str


@dataclass(frozen=True, eq=False)
class TrainState:
    """All that a run needs to go on as if it had never stopped.

    Attributes
    ----------
    params : array of shape (n_params,) or (models, n_params)
    optimizer_state : tuple of arrays of that shape
    step, epoch : int
        How many were done.
    generators : tuple of dict
        States of the generators that the batches' orders come from, one for all models or one a
        model, as ``RandomState.get_state(legacy=False)`` gives them.
    dropout_seed : numpy.ndarray of int32, shape (1, 1) or (models, 1, 1), or None
    curve : tuple
        The monitored loss of each epoch so far, which plateaus are looked for in.
    order : numpy.ndarray of shape (samples,) or (models, samples), or None
        The last epoch's order of rows, where the next one is made from it.
    part : Part or None
        In the midst of an epoch, what it gave so far. The generators are those of the epoch's
        beginning then.

    Examples
    --------
    >>> from xpnet import Dense, Network, SquaredError, Trainer
    >>> trainer = Trainer(Network([Dense(2, 1)]), SquaredError(), random_state=0)
    >>> state = trainer.initialize()
    >>> state.params.shape, state.step
    ((3,), 0)
    """

    params: Array
    optimizer_state: tuple[Array, ...]
    step: int
    epoch: int
    generators: tuple[dict[str, Any], ...]
    dropout_seed: np.ndarray | None
    curve: tuple[Any, ...] = ()
    order: np.ndarray | None = None
    part: Part | None = None

    @property
    def steps_into_epoch(self) -> int:
        """How many steps of an epoch that is under way were done."""
        return 0 if self.part is None else self.part.steps

    def resumed_generators(self) -> tuple[np.random.RandomState, ...]:
        """Return new generators that stand where the state's stood."""
        generators = tuple(np.random.RandomState(0) for _ in self.generators)
        for generator, state in zip(generators, self.generators, strict=True):
            generator.set_state(state)
        return generators

    def moved(self, bring: Callable[[Array], Array]) -> TrainState:
        """Return the state with ``bring(array)`` in place of each array of parameters."""
        moments = tuple(bring(a) for a in self.optimizer_state)
        return replace(self, params=bring(self.params), optimizer_state=moments)


def snapshots(generators: tuple[np.random.RandomState, ...]) -> tuple[dict[str, Any], ...]:
    """Return the states of generators."""
    return tuple(generator.get_state(legacy=False) for generator in generators)


def initial_state(
    problem: Problem,
    generators: tuple[np.random.RandomState, ...],
    stacked: bool,
    n_models: int | None,
    params: Any = None,
) -> TrainState:
    """Return the state before the first step, on the host in float64.

    Parameters
    ----------
    problem : Problem
    generators : tuple of numpy.random.RandomState
        Parameters that are not given are drawn from them, then dropout's seed.
    stacked : bool
        Whether each generator is of a model of its own.
    n_models : int or None
        How many models the hyperparameters and seeds are for; None if for one net.
    params : array of shape (n_params,) or (models, n_params), optional
    """
    given = params is not None
    if not given:
        drawn = [problem.network.initialize(rng) for rng in generators]
        params = np.stack(drawn) if stacked else drawn.pop()
    params = check_params(problem, n_models, params, copy=given)
    seed = None
    if _drops(problem):
        bits = np.array([rng.randint(2**31, dtype=np.int64) for rng in generators])
        seed = bits.astype(np.int32).reshape((-1, 1, 1) if stacked else (1, 1))
    moments = tuple(np.zeros(params.shape) for _ in problem.optimizer.state_names)
    return TrainState(params, moments, 0, 0, snapshots(generators), seed)


def _drops(problem: Problem) -> bool:
    return any(layer.noisy for layer in problem.network.layers)


def check_params(
    problem: Problem, n_models: int | None, params: Any, *, copy: bool = True
) -> np.ndarray:
    """Return parameters on the host in float64, one vector for each model if there are several."""
    n_params = problem.network.n_params
    params = validation.check_numeric("params", backends.to_host(params))
    params = params.astype(np.float64, copy=copy)
    if params.ndim not in (1, 2) or params.shape[-1] != n_params:
        raise ValueError(
            f"params has shape {params.shape}; ({n_params},) or (models, {n_params}) is needed."
        )
    if n_models is not None and params.ndim == 1:
        params = np.repeat(params[None, :], n_models, axis=0)
    if n_models is not None and params.shape[0] != n_models:
        raise ValueError(
            f"params holds {params.shape[0]} models; the hyperparameters and random_state are for "
            f"{n_models}."
        )
    return params


def check_state(problem: Problem, n_models: int | None, state: Any) -> TrainState:
    """Return the state if it is one that a run of the problem can go on from."""
    if not isinstance(state, TrainState):
        raise TypeError(f"state={state!r} must be a TrainState, such as trainer.initialize().")
    params, names = check_params(problem, n_models, state.params), problem.optimizer.state_names
    shapes = [tuple(a.shape) for a in (state.params, *state.optimizer_state)]
    if shapes != [params.shape] * (1 + len(names)):
        raise ValueError(
            f"state holds arrays of shape {shapes}; {1 + len(names)} of shape {params.shape} "
            f"are needed: params{''.join(f', {name}' for name in names)}."
        )
    models = 1 if params.ndim == 1 else params.shape[0]
    if len(state.generators) not in (1, models):
        raise ValueError(
            f"state.generators holds {len(state.generators)} generators; 1 or {models} of them "
            "are needed."
        )
    if state.dropout_seed is None and _drops(problem):
        raise ValueError("state.dropout_seed is None, but the network has Dropout.")
    if state.dropout_seed is not None and state.dropout_seed.size not in (1, models):
        raise ValueError(
            f"state.dropout_seed has shape {state.dropout_seed.shape}; one seed, or one for "
            f"each of {models} models, is needed."
        )
    return state


def check_whole(state: TrainState, name: str = "state") -> TrainState:
    """Return the state if it is not in the midst of an epoch: only its stream can go on there."""
    if state.part is not None:
        raise ValueError(
            f"{name} is {state.part.steps} steps into an epoch of a stream: pass that stream to "
            "finish it, or a state between two epochs."
        )
    return state
