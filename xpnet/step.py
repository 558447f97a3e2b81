"""The training step: a pure function of arrays, in two halves.

Nothing here reads a number back to the host, changes an array in place or branches on data, so
that a backend may loop over the step, compile it, or record and replay it.
"""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from . import functions
from .backends import Array, Namespace, Step, elementwise
from .layers import Layer, Noise
from .losses import Loss
from .network import Network
from .optimizers import Optimizer, Schedule, clip_by_norm
from .penalties import Penalty

__all__ = [
    "Data",
    "Problem",
    "batch_loss",
    "coefficient_names",
    "coefficient_table",
    "constant_coefficients",
    "fixed_coefficients",
    "gradients",
    "make_step",
    "mean_gradient",
    "mean_objective",
    "structure",
    "update",
]


@dataclass(frozen=True, eq=False)
class Problem:
    """What is minimised, and by which rule.

    Attributes
    ----------
    network : Network
    loss : Loss
    optimizer : Optimizer
    penalty : Penalty
    max_norm : float, array of shape (models, 1) or None
        The gradient's largest norm.
    """

    network: Network
    loss: Loss
    optimizer: Optimizer
    penalty: Penalty
    max_norm: Any = None


class Data(NamedTuple):
    """What all steps see alike, on the device.

    Attributes
    ----------
    x : array of shape (samples, features)
        Floats, or 8-bit pixels.
    t : array
        Targets as `Loss.prepare` returns them.
    weights : array of shape (samples,) or None
        Of a stack whose models weigh them differently, several such arrays one after the other.
    mask : array of shape (n_params,) or None
        Which parameters a penalty acts on; None without one.
    seed : int32 array of shape (1, 1) or (models, 1, 1), or None
        Dropout's seed; None without dropout.
    constants : array of shape (coefficients,) or (coefficients, models, 1), or None
        The coefficients that are the same at every step.
    offsets : integer array of shape (models, 1), or None
        Where the weights of each model begin; None where all have the same.
    """

    x: Array
    t: Array
    weights: Array | None
    mask: Array | None
    seed: Array | None
    constants: Array | None = None
    offsets: Array | None = None


def gradients(
    problem: Problem,
    xp: Namespace,
    params: Array,
    batch: Data,
    c: dict[str, Array],
    noise: Any,
    *,
    reduced: bool = False,
) -> tuple[Array, Any, Array]:
    """Return the sum of the batch's losses, that of its weights, and its mean's gradient.

    Division comes last. With `reduced`, the batch is all ranks' together.
    """
    loss_sum, gradient = problem.network.loss_and_gradient(
        xp, params, batch.x, batch.t, problem.loss, batch.weights, noise
    )
    weight = _weight(xp, batch)
    if reduced:
        loss_sum, weight, gradient = _over_ranks(xp, loss_sum, weight, gradient)
    weight = _divisor(xp, weight)
    return loss_sum, weight, mean_gradient(problem, xp, params, gradient, weight, batch.mask, c)


def _weight(xp: Namespace, batch: Data) -> Any:
    """Return the sum of the batch's sample weights: a number, or an array of shape (..., 1)."""
    if batch.weights is None:
        return batch.x.shape[-2]
    return xp.sum(batch.weights, axis=-1, keepdims=True)


def _divisor(xp: Namespace, weight: Any) -> Any:
    if isinstance(weight, int):
        return max(weight, 1)  # a rank may have no rows of a batch
    # Divided by infinity, a batch whose weights are all zero has a gradient of zero, not 0 / 0.
    return xp.where(weight > 0.0, weight, xp.full_like(weight, math.inf))


def _over_ranks(
    xp: Namespace, loss_sum: Array, weight: Any, gradient: Array
) -> tuple[Array, Array, Array]:
    """Return the sums over all ranks, by one exchange: uneven shares stay exact."""
    loss_sum = loss_sum[..., None]
    weight = xp.zeros_like(loss_sum) + weight
    summed = xp.all_reduce(xp.concat([gradient, loss_sum, weight], axis=-1))
    return summed[..., -2], summed[..., -1:], summed[..., :-2]


def mean_gradient(
    problem: Problem,
    xp: Namespace,
    params: Array,
    gradient: Array,
    total: Any,
    mask: Array | None,
    c: dict[str, Array],
) -> Array:
    """Return the gradient of the mean loss and of the penalty, given that of the losses' sum."""
    if not problem.penalty:
        return gradient / total
    return problem.penalty.add(gradient, problem.penalty.gradient(xp, params, mask, c), total)


def mean_objective(
    problem: Problem,
    xp: Namespace,
    params: Array,
    loss_sum: Array,
    total: Any,
    mask: Array | None,
    c: dict[str, Array],
) -> Array:
    """Return the mean loss and the penalty, of shape (...), given the losses' sum."""
    value = loss_sum[..., None] / total
    if problem.penalty:
        penalty = problem.penalty
        value = value + penalty.mean(penalty.value(xp, params, mask, c), total)
    return value[..., 0]


def update(
    problem: Problem,
    xp: Namespace,
    params: Array,
    gradient: Array,
    state: tuple[Array, ...],
    c: dict[str, Array],
) -> tuple[Array, tuple[Array, ...]]:
    """Return the new parameters and optimizer state."""
    if problem.max_norm is not None:
        gradient = clip_by_norm(xp, gradient, c["max_norm"])
    return elementwise(xp, problem.optimizer.rule, params, gradient, state, c)


def make_step(problem: Problem, *, record: str = "before", reduced: bool = False) -> Step:
    """Return ``step(xp, (params, state), (rows, coefficients, *counter), data)``.

    The counter, where there is dropout, is the number of the step; of several ranks also that of
    the batch's first row that is this rank's.

    Problems made of xpnet's own components that differ only in what is among the coefficients
    share one step, so that what a backend has compiled serves all of them.

    Parameters
    ----------
    problem : Problem
    record : {'before', 'after', 'objective'}
        What a step returns: the sum of the batch's losses before or after its update, or the
        objective before it (mean loss and penalty).
    reduced : bool, default False
        Whether batches lie on several ranks, whose sums ``xp.all_reduce`` adds up.
    """
    token = structure(problem)
    if token is None:
        return _new_step(problem, record, reduced)
    token = record, reduced, token
    if token not in _shared:
        # A copy: what is changed in the problem later shall not change the others' step.
        step = _new_step(copy.deepcopy(problem), record, reduced)
        step.trusted = True  # to be pure
        _shared[token] = step
    _shared.move_to_end(token)
    while len(_shared) > _MOST_SHARED:
        _shared.popitem(last=False)
    return _shared[token]


_shared: OrderedDict[Any, Step] = OrderedDict()
"""Steps by the structure of their problems; the last that was asked for is the last."""

_MOST_SHARED = 64


def structure(problem: Problem) -> Any:
    """Return what is equal where the step is: all but the numbers that are coefficients.

    None where a component is not one of ours: nobody knows what it reads.
    """
    optimizer, layers = problem.optimizer, problem.network.layers
    kinds = tuple(map(type, (problem.network, optimizer, problem.penalty)))
    try:
        if not all(map(_is_ours, kinds)):
            return None
        choices = {name: v for name, v in vars(optimizer).items() if not _is_coefficient(name, v)}
        named = coefficient_names(problem), optimizer.state_names, problem.penalty.division
        return kinds, *map(_layer_token, layers), _token(problem.loss), _token(choices), named
    except TypeError:
        return None


def _is_coefficient(name: str, value: Any) -> bool:
    """Return whether an attribute of an optimizer reaches its rule as a coefficient alone."""
    return name == "learning_rate" or isinstance(value, float | np.ndarray)


def _layer_token(layer: Layer) -> Any:
    if not layer.coefficients():
        return _token(layer)
    fixed = {name: v for name, v in vars(layer).items() if not isinstance(v, np.ndarray)}
    return type(layer), tuple(layer.coefficients()), _token(fixed)


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith("xpnet.")


def _token(value: Any) -> Any:
    """Return what is equal where a component does the same; TypeError where that is not known."""
    if isinstance(value, tuple):
        return tuple(map(_token, value))
    if isinstance(value, dict):
        return tuple((name, _token(v)) for name, v in value.items())
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, str | int | float | None):
        return type(value), value
    if not _is_ours(type(value)):
        raise TypeError(f"{value!r} is foreign.")
    return type(value), _token(vars(value))


def _new_step(problem: Problem, record: str, reduced: bool) -> Any:
    varying, constant = coefficient_names(problem)

    def step(xp: Namespace, carry: Any, x: Any, data: Data) -> Any:
        params, state = carry
        rows, row, *counter = x
        c = {name: row[k, ...] for k, name in enumerate(varying)}
        if data.constants is not None:
            c |= {name: data.constants[k, ...] for k, name in enumerate(constant)}
        numbers = dict(zip(("step", "first_row"), counter, strict=False))
        noise = Noise(data.seed, coefficients=c, **numbers) if counter else None
        batch = gather(xp, data, rows, params.dtype)
        loss, weight, gradient = gradients(problem, xp, params, batch, c, noise, reduced=reduced)
        if record == "objective":
            loss = mean_objective(problem, xp, params, loss, weight, batch.mask, c)
        params, state = update(problem, xp, params, gradient, state, c)
        if record == "after":
            loss = batch_loss(problem, xp, params, batch)
            loss = xp.all_reduce(loss[..., None])[..., 0] if reduced else loss
        return (params, state), loss

    made: Any = step
    made.reduced = reduced
    return made


def gather(xp: Namespace, data: Data, rows: Array, dtype: Any) -> Data:
    """Return the rows of a batch, or of each model's batch where `rows` is (models, batch)."""

    def take(array: Array, rows: Array) -> Array:
        if rows.ndim == 1:
            return xp.take(array, rows, axis=0)
        flat = xp.take(array, xp.reshape(rows, (-1,)), axis=0)
        return xp.reshape(flat, tuple(rows.shape) + tuple(array.shape[1:]))

    weights = data.weights
    if weights is not None:
        weights = take(weights, rows if data.offsets is None else rows + data.offsets)
    x = functions.as_floats(take(data.x, rows), dtype, xp=xp)
    return data._replace(x=x, t=take(data.t, rows), weights=weights)


def batch_loss(
    problem: Problem, xp: Namespace, params: Array, batch: Data, noise: Noise | None = None
) -> Array:
    """Return the sum of the batch's losses, without dropout unless there is noise."""
    logits = problem.network.forward(xp, params, batch.x, noise)
    losses = problem.loss.samples(xp, logits, batch.t)
    return xp.sum(losses if batch.weights is None else losses * batch.weights, axis=-1)


def _coefficients(problem: Problem, steps: np.ndarray, rates: np.ndarray) -> dict[str, Any]:
    t = (steps + 1.0)[:, None, None]
    return problem.optimizer.coefficients(t, rates) | fixed_coefficients(problem)


def fixed_coefficients(problem: Problem) -> dict[str, Any]:
    """Return the coefficients that are not the optimizer's."""
    c = problem.penalty.coefficients()
    if problem.max_norm is not None:
        c["max_norm"] = problem.max_norm
    for i, layer in enumerate(problem.network.layers):
        c |= {f"{name}{i}": value for name, value in layer.coefficients().items()}
    return c


def coefficient_names(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the coefficients that vary by step, and of those that do not.

    What `Optimizer.coefficients` returns with an axis of steps varies.
    """
    c = _coefficients(problem, np.arange(2), np.ones((2, 1, 1)))
    varying = [name for name, value in c.items() if np.ndim(value) == 3]
    return tuple(varying), tuple(name for name in c if name not in varying)


def coefficient_table(
    problem: Problem, first: int, n_steps: int, epoch: int, curve: Any = (), rate: Any = None
) -> np.ndarray:
    """Return the coefficients that vary by step, for the steps of an epoch.

    Parameters
    ----------
    problem : Problem
    first : int
        Number of the first step, from 0.
    n_steps : int
    epoch : int
    curve : sequence
        The monitored losses so far.
    rate : float, array of shape (models, 1) or (steps, models, 1), or Schedule, optional
        In place of the optimizer's learning rate.

    Returns
    -------
    float64 array of shape (steps, coefficients) or (steps, coefficients, models, 1)
    """
    steps = np.arange(first, first + n_steps)
    rate = problem.optimizer.learning_rate if rate is None else rate
    if isinstance(rate, Schedule):
        rates = rate.rates(steps, epoch, curve)
    else:
        rates = np.asarray(rate) * np.ones((n_steps, 1, 1))
    c = _coefficients(problem, steps, rates)
    columns = [np.asarray(value) for value in c.values() if np.ndim(value) == 3]
    if not columns:
        raise ValueError(
            f"optimizer={problem.optimizer!r}: its coefficients(t, rate) must hold one that varies "
            'by step, such as {"rate": rate}.'
        )
    table = np.stack(np.broadcast_arrays(*columns), axis=1)
    return table[:, :, 0, 0] if table.shape[2] == 1 else table


def constant_coefficients(problem: Problem) -> np.ndarray | None:
    """Return the coefficients that are the same at every step; None if there are none.

    Returns
    -------
    float64 array of shape (coefficients,) or (coefficients, models, 1), or None
    """
    c = _coefficients(problem, np.arange(2), np.ones((2, 1, 1)))
    columns = [np.asarray(c[name], dtype=np.float64) for name in coefficient_names(problem)[1]]
    return np.stack(np.broadcast_arrays(*columns)) if columns else None
