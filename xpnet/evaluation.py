"""What a problem's parameters give on a whole data set: logits, loss and score, gradient."""

from __future__ import annotations

import numpy as np

from . import functions, metrics
from .backends import Array
from .layers import Noise
from .placement import Placement, Samples
from .step import Data, batch_loss, gradients

__all__ = ["differentiate", "evaluate", "network_logits", "objective", "penalty_value"]

_MOST_ELEMENTS = 1 << 22
"""So many elements does the widest layer have at a time, over all models."""


def network_logits(place: Placement, params: Array, x: Array) -> Array:
    """Return the logits of all rows, computed in chunks of bounded memory."""
    xp, network = place.backend.xp, place.problem.network
    widest = max(network.n_features_in, *(layer.n_outputs or 0 for layer in network.layers))
    models = params.shape[0] if params.ndim > 1 else 1
    rows = max(1, _MOST_ELEMENTS // (widest * models))
    parts = []
    for start in range(0, x.shape[0], rows):
        chunk = x[start : min(start + rows, x.shape[0]), ...]
        floats = functions.as_floats(chunk, params.dtype, xp=xp)
        parts.append(network.forward(xp, params, floats))
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=-2)


def penalty_value(place: Placement, params: Array, samples: Samples) -> np.ndarray:
    """Return each model's penalty divided by the sum of the sample weights; zero without one."""
    problem, backend = place.problem, place.backend
    if not problem.penalty:
        return np.zeros(tuple(params.shape[:-1]))
    value = problem.penalty.value(backend.xp, params, samples.data.mask, place.strengths())
    return np.asarray(backend.to_host(value), dtype=np.float64)[..., 0] / samples.total


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
    backend = place.backend
    data, noise = _as_step_sees(place, params, samples, step)
    strengths = place.strengths()
    total, gradient = gradients(place.problem, backend.xp, params, data, strengths, noise)
    loss = np.asarray(backend.to_host(total), dtype=np.float64) / samples.total
    return loss, backend.to_host(gradient)


def objective(place: Placement, samples: Samples, step: int, params: Array) -> Array:
    """Return what `differentiate` differentiates: loss and penalty, one number a model."""
    xp, problem = place.backend.xp, place.problem
    data, noise = _as_step_sees(place, params, samples, step)
    value = batch_loss(problem, xp, params, data, noise)
    if problem.penalty:
        value = value + problem.penalty.value(xp, params, data.mask, place.strengths())[..., 0]
    return value / samples.total


def _as_step_sees(
    place: Placement, params: Array, samples: Samples, step: int
) -> tuple[Data, Noise | None]:
    """Return the whole set as a batch, and the noise of that step."""
    backend, data = place.backend, samples.data
    data = data._replace(x=functions.as_floats(data.x, params.dtype, xp=backend.xp))
    if data.seed is None:
        return data, None
    return data, Noise(data.seed, backend.asarray(np.asarray(step, dtype=np.int32)))
