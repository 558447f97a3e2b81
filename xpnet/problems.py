"""Many problems as one: numbers become arrays with an axis of models."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .layers import Dropout, Layer
from .network import Network
from .optimizers import Optimizer, Plateau, Schedule
from .penalties import Penalty
from .step import Problem, structure

__all__ = ["column", "of_model", "shape", "stacked"]


def stacked(problems: Sequence[Problem]) -> Problem:
    """Return the problem of all models at once.

    Parameters
    ----------
    problems : sequence of Problem
        Of one `shape`.

    Returns
    -------
    Problem
        Hyperparameters in which they differ have shape (models, 1). A rate that is a schedule is 1:
        the schedules' rates are handed to each epoch. Of one problem it is that problem.
    """
    first = problems[0]
    if len(problems) == 1:
        return first  # as it is: it may have components of the user's
    return Problem(
        Network([_layer(layers) for layers in _columns(p.network.layers for p in problems)]),
        first.loss,
        _optimizer([p.optimizer for p in problems]),
        _penalty([p.penalty for p in problems]),
        column([p.max_norm for p in problems]),
    )


def shape(problem: Problem) -> Any:
    """Return what must be equal for problems of one stack; what is foreign equals nothing else."""
    layers = [
        replace(layer, rate=np.full((1, 1), layer.rate)) if isinstance(layer, Dropout) else layer
        for layer in problem.network.layers
    ]
    network = Network(layers) if type(problem.network) is Network else problem.network
    found = structure(replace(problem, network=network))
    return object() if found is None else found


def of_model(problem: Problem, k: int) -> Problem:
    """Return the problem of one model of a stack."""
    layers = [
        _picked(layer, k) if isinstance(layer, Dropout) else layer
        for layer in problem.network.layers
    ]
    stacked_layers = any(layer.coefficients() for layer in problem.network.layers)
    return Problem(
        Network(layers) if stacked_layers else problem.network,
        problem.loss,
        _picked(problem.optimizer, k),
        _picked(problem.penalty, k),
        _number(problem.max_norm, k),
    )


def column(values: Sequence[Any]) -> Any:
    """Return one number if all are the same, else an array of shape (models, 1)."""
    if all(value is None or value == values[0] for value in values):
        return values[0]
    return np.array(values, dtype=np.float64)[:, None]


def _columns(rows: Any) -> Any:
    return zip(*rows, strict=True)


def _layer(layers: Sequence[Layer]) -> Layer:
    """Return the layer of all models: a layer's only numbers are rates of dropout."""
    first, rates = layers[0], [layer.rate for layer in layers if isinstance(layer, Dropout)]
    return replace(first, rate=column(rates)) if isinstance(first, Dropout) else first


def _optimizer(optimizers: Sequence[Optimizer]) -> Optimizer:
    whole = copy.copy(optimizers[0])
    for name, value in vars(optimizers[0]).items():
        values = [getattr(optimizer, name) for optimizer in optimizers]
        if any(isinstance(v, Schedule) for v in values):
            setattr(whole, name, 1.0)
        elif isinstance(value, float):
            setattr(whole, name, column(values))
    return whole


def _penalty(penalties: Sequence[Penalty]) -> Penalty:
    strengths = {name: column([getattr(p, name) for p in penalties]) for name in ("l1", "l2")}
    return replace(penalties[0], **strengths)


def _picked(component: Any, k: int) -> Any:
    """Return a copy of a component with the numbers of one model."""
    own = copy.copy(component)
    for name, value in vars(component).items():
        if isinstance(value, Schedule):
            value = _picked(value, k)
        if name[0] != "_":
            object.__setattr__(own, name, _number(value, k))
    if isinstance(own, Plateau):
        own._memo = own._unread()  # what the stack's has read is of all models
    return own


def _number(value: Any, k: int) -> Any:
    return float(value[k, 0]) if np.ndim(value) == 2 else value
