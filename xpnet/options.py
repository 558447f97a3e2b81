"""What a run is asked for: names resolved, numbers of models and lengths agreed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import validation
from .batches import SAMPLINGS, Batches
from .optimizers import Schedule
from .step import Problem


def component(name: str, value: Any, base: type, known: Mapping[str, type]) -> Any:
    """Return the component itself, or the one of that name with its default options."""
    if isinstance(value, str):
        return known[validation.check_choice(name, value, known)]()
    if isinstance(value, base):
        return value
    example = next(iter(known.values())).__name__
    raise TypeError(
        f"{name}={value!r} is no {base.__name__}: pass one, such as {example}(), or its name."
    )


def model_seeds(random_state: Any) -> list[Any] | None:
    """Return the random states of the models, or None if one serves all."""
    if not isinstance(random_state, Sequence | np.ndarray) or np.ndim(random_state) == 0:
        return None
    if len(random_state) == 0:
        raise ValueError("random_state is an empty sequence; one entry a model is needed.")
    return list(random_state)


def generators(seeds: list[Any] | None, random_state: Any) -> tuple[np.random.RandomState, ...]:
    """Return a generator for each model, or one for all."""
    sources = [random_state] if seeds is None else seeds
    found = tuple(validation.check_random_state("random_state", source) for source in sources)
    if len(set(map(id, found))) < len(found):
        raise ValueError("random_state has one generator (or None) twice; pass different seeds.")
    return found


def count_models(problem: Problem, seeds: list[Any] | None) -> int | None:
    """Return how many models the hyperparameters and seeds are for; None if for one net."""
    schedule = problem.optimizer.learning_rate
    values = {"max_norm": problem.max_norm, **vars(problem.penalty), **vars(problem.optimizer)}
    if isinstance(schedule, Schedule):
        values |= {name: value for name, value in vars(schedule).items() if name[0] != "_"}
    counts = {name: v.shape[0] for name, v in values.items() if np.ndim(v) == 2}
    if seeds is not None:
        counts["random_state"] = len(seeds)
    if len(set(counts.values())) > 1:
        raise ValueError(f"The numbers of models disagree: {counts}.")
    return next(iter(counts.values()), None)


def check_lengths(epochs: Any, iterations: Any) -> tuple[str, int]:
    """Return in what a run's length is counted, 'epoch' or 'step', and how many."""
    if epochs is not None and iterations is not None:
        raise ValueError(f"epochs={epochs!r} and iterations={iterations!r}: pass only one of them.")
    if iterations is not None:
        return "step", validation.check_integer("iterations", iterations)
    return "epoch", validation.check_integer("epochs", 10 if epochs is None else epochs)


def check_sampling(sampling: Any, batch_size: Any) -> Batches:
    """Return the batches themselves, or those of that name and size."""
    if isinstance(sampling, Batches):
        return sampling
    return SAMPLINGS[validation.check_choice("sampling", sampling, SAMPLINGS)](batch_size)


def check_pair(validation_data: Any) -> tuple[Any, Any]:
    """Return x and t of a pair."""
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise TypeError("validation_data must be a tuple (x, t).")
    return validation_data[0], validation_data[1]
