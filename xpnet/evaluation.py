"""What a problem's parameters give on a whole data set: logits, loss and score, gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import functions, metrics
from .backends import Array
from .layers import Noise
from .placement import Placement, Samples, SparseRows
from .step import Data, batch_loss, mean_gradient, mean_objective

__all__ = [
    "differentiate",
    "evaluate",
    "logits_of_rows",
    "model_groups",
    "network_logits",
    "objective",
    "penalty_value",
]

_MOST_ELEMENTS = 1 << 22
"""So many elements does the widest layer have at a time, over all models."""


def network_logits(place: Placement, params: Array, x: Array | SparseRows) -> Array:
    """Return the logits of all rows, computed in chunks of bounded memory.

    Each model of a stack has the chunks that it alone has: products round by their sizes.
    """
    xp, parts = place.backend.xp, []
    for rows in _chunks(place, x.shape[0]):
        floats = functions.as_floats(x[rows, ...], params.dtype, xp=xp)
        parts.append(_logits(place, params, floats))
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=-2)


def _logits(place: Placement, params: Array, x: Array) -> Array:
    """Return the logits of a chunk, of so many models at a time as one model has rows of it."""
    xp, network = place.backend.xp, place.problem.network
    models = params.shape[0] if params.ndim > 1 else 1
    groups = list(_slices(models, _MOST_ELEMENTS // (network.widest * x.shape[0])))
    if len(groups) == 1:
        return network.forward(xp, params, x)
    return xp.concat([network.forward(xp, params[group, ...], x) for group in groups], axis=0)


def _chunks(place: Placement, n_samples: int, models: int = 1) -> Iterator[slice]:
    """Yield rows that may be computed at a time."""
    yield from _slices(n_samples, _MOST_ELEMENTS // (place.problem.network.widest * models))


def _slices(n: int, size: int) -> Iterator[slice]:
    size = max(1, size)
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def model_groups(place: Placement, rows: np.ndarray) -> Iterator[slice]:
    """Yield models whose rows, of shape (models, n), may be computed at a time."""
    network = place.problem.network
    elements = max(network.widest * rows.shape[1], network.n_params)
    yield from _slices(len(rows), _MOST_ELEMENTS // max(1, elements))


def logits_of_rows(
    place: Placement, params: Array, x: Array | SparseRows, rows: np.ndarray
) -> Array:
    """Return each model's logits of its own rows, in the chunks in which it alone has them.

    Parameters
    ----------
    place : Placement
    params : array of shape (models, n_params)
    x : array of shape (samples, features)
    rows : integer array of shape (models, n)

    Returns
    -------
    array of shape (models, n, outputs)
    """
    xp, parts = place.backend.xp, []
    for chunk in _chunks(place, rows.shape[1]):
        features = _features(place, x, rows[:, chunk], params.dtype)
        parts.append(place.problem.network.forward(xp, params, features))
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=-2)


def _features(place: Placement, x: Array | SparseRows, rows: np.ndarray, dtype: Any) -> Array:
    """Return the features of rows of shape (models, n), as floats."""
    xp = place.backend.xp
    if isinstance(x, SparseRows):
        taken = xp.reshape(x[rows.reshape(-1)], (*rows.shape, x.shape[1]))
    else:
        taken = _taken(place, x, rows)
    return functions.as_floats(taken, dtype, xp=xp)


def _taken(place: Placement, array: Array, rows: np.ndarray) -> Array:
    """Return those rows, of shape (models, n), of an array on the device."""
    backend, xp = place.backend, place.backend.xp
    flat = xp.take(array, backend.asarray(rows.reshape(-1), backend.index_dtype), axis=0)
    return xp.reshape(flat, (*rows.shape, *array.shape[1:]))


def penalty_value(place: Placement, params: Array, samples: Samples, total: Any) -> np.ndarray:
    """Return each model's penalty, divided as the mean loss is; zero without one."""
    problem, backend = place.problem, place.backend
    if not problem.penalty:
        return np.zeros(tuple(params.shape[:-1]))
    value = problem.penalty.value(backend.xp, params, samples.data.mask, place.coefficients())
    value = np.asarray(backend.to_host(value), dtype=np.float64)[..., 0]
    return problem.penalty.mean(value, total)


def evaluate(
    place: Placement, params: Array, samples: Samples, rows: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the objective (loss and penalty) and the score: one number a model, on the host.

    Parameters
    ----------
    place : Placement
    params : array of shape (n_params,) or (models, n_params)
    samples : Samples
    rows : integer array of shape (n,) or (models, n), optional
        Those that count, for each model; all by default.
    """
    backend, loss, data = place.backend, place.problem.loss, samples.data
    xp = backend.xp
    if rows is None:
        logits = network_logits(place, params, data.x)
        losses = loss.samples(xp, logits, data.t)
        if data.weights is not None:
            losses = losses * data.weights
        sums = np.asarray(backend.to_host(xp.sum(losses, axis=-1)), dtype=np.float64)
        score = metrics.score(loss, backend.to_host(logits), samples.t, samples.weights)
    else:
        parts = [
            _evaluate_rows(place, params[models, ...], samples, models, rows[models])
            for models in model_groups(place, rows)
        ]
        sums, score = (np.concatenate(part) for part in zip(*parts, strict=True))
    total = samples.total(rows)
    return sums / total + penalty_value(place, params, samples, total), score


def _evaluate_rows(
    place: Placement, params: Array, samples: Samples, models: slice, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of the losses and the score of some models, each on its own rows."""
    backend, loss, data = place.backend, place.problem.loss, samples.data
    xp, weights = backend.xp, None
    logits = logits_of_rows(place, params, data.x, rows)
    losses = loss.samples(xp, logits, _taken(place, data.t, rows))
    if samples.weights is not None:
        offsets = 0 if samples.offsets is None else samples.offsets[models]
        weights = samples.weights[rows + offsets]
        losses = losses * place.floats(weights)
    sums = np.asarray(backend.to_host(xp.sum(losses, axis=-1)), dtype=np.float64)
    scores = [
        metrics.score(loss, z, samples.t[own], None if weights is None else weights[k])
        for k, (z, own) in enumerate(zip(backend.to_host(logits), rows, strict=True))
    ]
    return sums, np.array(scores)


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
        problem, xp, params, gradient, samples.total(), samples.data.mask, place.coefficients()
    )
    mean = np.asarray(backend.to_host(total), dtype=np.float64) / samples.total()
    return mean, backend.to_host(gradient)


def objective(place: Placement, samples: Samples, step: int, params: Array) -> Array:
    """Return what `differentiate` differentiates: loss and penalty, one number a model."""
    xp, problem = place.backend.xp, place.problem
    noise = _noise(place, samples, step)
    total = sum(
        batch_loss(problem, xp, params, batch, noise) for batch in _batches(place, params, samples)
    )
    mask = samples.data.mask
    return mean_objective(problem, xp, params, total, samples.total(), mask, place.coefficients())


def _batches(place: Placement, params: Array, samples: Samples) -> Iterator[Data]:
    """Yield the whole set as batches of bounded memory; as one where dropout counts elements."""
    data, n_samples = samples.data, len(samples.t)
    whole, models = data.seed is not None, params.shape[0] if params.ndim > 1 else 1
    for rows in [slice(None)] if whole else _chunks(place, n_samples, models):
        yield data._replace(
            x=functions.as_floats(data.x[rows, ...], params.dtype, xp=place.backend.xp),
            t=data.t[rows, ...],
            weights=None if data.weights is None else data.weights[rows],
        )


def _noise(place: Placement, samples: Samples, step: int) -> Noise | None:
    """Return the noise of that step; None without dropout."""
    if samples.data.seed is None:
        return None
    step_number = place.backend.asarray(np.asarray(step, dtype=np.int32))
    return Noise(samples.data.seed, step_number, coefficients=place.coefficients())
