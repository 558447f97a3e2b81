"""What a problem's parameters give on a whole data set: logits, loss and score, gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import functions, metrics
from .backends import Array
from .layers import Noise
from .placement import Placement, Samples, SparseRows
from .step import Data, batch_loss, mean_gradient, mean_objective

__all__ = ["differentiate", "evaluate", "network_logits", "objective", "penalty_value"]

_MOST_ELEMENTS = 1 << 22
"""So many elements does the widest layer have at a time, over all models."""


def network_logits(place: Placement, params: Array, x: Array | SparseRows) -> Array:
    """Return the logits of all rows, computed in chunks of bounded memory."""
    xp, network = place.backend.xp, place.problem.network
    parts = []
    for rows in _chunks(place, params, x.shape[0]):
        floats = functions.as_floats(x[rows, ...], params.dtype, xp=xp)
        parts.append(network.forward(xp, params, floats))
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=-2)


def _chunks(place: Placement, params: Array, n_samples: int) -> Iterator[slice]:
    """Yield rows that may be computed at a time."""
    network = place.problem.network
    widest = max(network.n_features_in, *(layer.n_outputs or 0 for layer in network.layers))
    models = params.shape[0] if params.ndim > 1 else 1
    size = max(1, _MOST_ELEMENTS // (widest * models))
    for start in range(0, n_samples, size):
        yield slice(start, min(start + size, n_samples))


def penalty_value(place: Placement, params: Array, samples: Samples) -> np.ndarray:
    """Return each model's penalty, divided as the mean loss is; zero without one."""
    problem, backend = place.problem, place.backend
    if not problem.penalty:
        return np.zeros(tuple(params.shape[:-1]))
    value = problem.penalty.value(backend.xp, params, samples.data.mask, place.strengths())
    value = np.asarray(backend.to_host(value), dtype=np.float64)[..., 0]
    return problem.penalty.mean(value, samples.total)


def evaluate(place: Placement, params: Array, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return the objective (loss and penalty) and the score: one number a model, on the host."""
    backend, loss, data = place.backend, place.problem.loss, samples.data
    logits = network_logits(place, params, data.x)
    losses = loss.samples(backend.xp, logits, data.t)
    if data.weights is not None:
        losses = losses * data.weights
    total = np.asarray(backend.to_host(backend.xp.sum(losses, axis=-1)), dtype=np.float64)
    score = metrics.score(loss, backend.to_host(logits), samples.t, samples.weights)
    return total / samples.total + penalty_value(place, params, samples), score


def differentiate(
    place: Placement, params: Array, samples: Samples, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss without penalty and the objective's gradient, as that step sees them."""
    backend, problem, xp = place.backend, place.problem, place.backend.xp
    noise = _noise(place, samples, step)
    total = gradient = 0.0
    for batch in _batches(place, params, samples):
        loss, slope = problem.network.loss_and_gradient(
            xp, params, batch.x, batch.t, problem.loss, batch.weights, noise
        )
        total, gradient = loss + total, slope + gradient
    gradient = mean_gradient(
        problem, xp, params, gradient, samples.total, samples.data.mask, place.strengths()
    )
    mean = np.asarray(backend.to_host(total), dtype=np.float64) / samples.total
    return mean, backend.to_host(gradient)


def objective(place: Placement, samples: Samples, step: int, params: Array) -> Array:
    """Return what `differentiate` differentiates: loss and penalty, one number a model."""
    xp, problem = place.backend.xp, place.problem
    noise = _noise(place, samples, step)
    total = sum(
        batch_loss(problem, xp, params, batch, noise) for batch in _batches(place, params, samples)
    )
    mask = samples.data.mask
    return mean_objective(problem, xp, params, total, samples.total, mask, place.strengths())


def _batches(place: Placement, params: Array, samples: Samples) -> Iterator[Data]:
    """Yield the whole set as batches of bounded memory; as one where dropout counts elements."""
    data, n_samples = samples.data, len(samples.t)
    whole = data.seed is not None
    for rows in [slice(None)] if whole else _chunks(place, params, n_samples):
        yield data._replace(
            x=functions.as_floats(data.x[rows, ...], params.dtype, xp=place.backend.xp),
            t=data.t[rows, ...],
            weights=None if data.weights is None else data.weights[rows],
        )


def _noise(place: Placement, samples: Samples, step: int) -> Noise | None:
    """Return the noise of that step; None without dropout."""
    if samples.data.seed is None:
        return None
    return Noise(samples.data.seed, place.backend.asarray(np.asarray(step, dtype=np.int32)))
