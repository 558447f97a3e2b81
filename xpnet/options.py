"""What a run is asked for: names resolved, numbers of models and lengths agreed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import validation
from .batches import SAMPLINGS, Batches
from .callbacks import Callback
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


def plain_seeds(random_state: Any) -> Any:
    """Return the seed or the seeds as plain numbers; None where there are generators or none."""
    seeds = model_seeds(random_state)
    plain = [int(s) if isinstance(s, int | np.integer) else None for s in seeds or [random_state]]
    if None in plain:
        return None
    return plain if seeds else plain[0]


def count_models(problem: Problem, seeds: list[Any] | None) -> int | None:
    """Return how many models the hyperparameters and seeds are for; None if for one net."""
    schedule = problem.optimizer.learning_rate
    values = {"max_norm": problem.max_norm, **vars(problem.penalty), **vars(problem.optimizer)}
    if isinstance(schedule, Schedule):
        values |= {name: value for name, value in vars(schedule).items() if name[0] != "_"}
    for i, layer in enumerate(problem.network.layers):
        values |= {f"{name} of layers[{i}]": v for name, v in layer.coefficients().items()}
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


def check_metadata(metadata: Any) -> dict[str, Any]:
    """Return the metadata as a dict, in which ``"fit"`` is left to the fit."""
    if metadata is not None and (not isinstance(metadata, dict) or "fit" in metadata):
        raise TypeError(f"metadata={metadata!r} must be a dict without the key 'fit'.")
    return metadata or {}


def record(step_losses: Any, objectives: bool) -> str:
    """Return what a step returns, see `make_step`."""
    if step_losses is not None:
        validation.check_choice("step_losses", step_losses, ["before", "after"])
    if not validation.check_flag("objectives", objectives):
        return step_losses or "before"
    if step_losses == "after":
        raise ValueError("objectives=True are those before the update; step_losses='after' is not.")
    return "objective"


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Return the callbacks as a list."""
    if isinstance(callbacks, Callback):
        raise TypeError(f"callbacks={callbacks!r} must be a sequence: [{callbacks!r}].")
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks={callbacks!r} must be a sequence of Callback objects.")
    callbacks = list(callbacks)
    for i, callback in enumerate(callbacks):
        if not isinstance(callback, Callback):
            raise TypeError(
                f"callbacks[{i}]={callback!r} must be a Callback object, such as EarlyStopping()."
            )
    if len(set(map(id, callbacks))) < len(callbacks):
        raise ValueError(f"callbacks={callbacks!r} has one of them twice.")
    return callbacks


def check_held_out(validation_data: Any) -> tuple[Any, Any, Any]:
    """Return x, t and sample weights of a validation set, None where there are none."""
    if validation_data is None:
        return None, None, None
    if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
        raise TypeError("validation_data must be a tuple (x, t) or (x, t, sample_weight).")
    x, t, *weights = validation_data
    return x, t, weights[0] if weights else None
