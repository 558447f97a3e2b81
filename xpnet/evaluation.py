"""Logits, loss and score of a whole data set."""

from __future__ import annotations

import numpy as np

from . import functions, metrics
from .backends import Array, Backend
from .inputs import Samples
from .network import Network
from .step import Problem

__all__ = ["evaluate", "network_logits", "penalty_value"]

_MOST_ELEMENTS = 1 << 22
"""So many elements does the widest layer have at a time, over all models."""


def network_logits(backend: Backend, network: Network, params: Array, x: Array) -> Array:
    """Return the logits of all rows, computed in chunks of bounded memory."""
    xp = backend.xp
    widest = max(network.n_features_in, *(layer.n_outputs or 0 for layer in network.layers))
    models = params.shape[0] if params.ndim > 1 else 1
    rows = max(1, _MOST_ELEMENTS // (widest * models))
    parts = []
    for start in range(0, x.shape[0], rows):
        chunk = x[start : min(start + rows, x.shape[0]), ...]
        floats = functions.as_floats(chunk, params.dtype, xp=xp)
        parts.append(network.forward(xp, params, floats))
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=-2)


def penalty_value(backend: Backend, problem: Problem, params: Array, mask: Array) -> np.ndarray:
    """Return the penalty of each model, on the host; zero without one."""
    if not problem.penalty:
        return np.zeros(tuple(params.shape[:-1]))
    name = str(params.dtype).rpartition(".")[2]
    c = {k: backend.asarray(np.asarray(v), name) for k, v in problem.penalty.coefficients().items()}
    value = problem.penalty.value(backend.xp, params, mask, c)
    return np.asarray(backend.to_host(value), dtype=np.float64)[..., 0]


def evaluate(
    backend: Backend, problem: Problem, params: Array, samples: Samples
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean loss, without penalty, and the score: one number a model, on the host."""
    xp, data = backend.xp, samples.data
    logits = network_logits(backend, problem.network, params, data.x)
    losses = problem.loss.samples(xp, logits, data.t)
    if data.weights is not None:
        losses = losses * data.weights
    total = np.asarray(backend.to_host(xp.sum(losses, axis=-1)), dtype=np.float64)
    host = backend.to_host(logits)
    with np.errstate(all="ignore"):  # an overflow is seen in the score
        return total / samples.total, metrics.score(problem.loss, host, samples.t, samples.weights)
