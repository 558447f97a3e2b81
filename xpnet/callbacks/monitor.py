"""Which number of a history a callback watches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import validation
from ..fitting import Fit
from ..history import History

_CURVES = {"losses": 1.0, "val_losses": 1.0, "scores": -1.0, "val_scores": -1.0}
"""The curves, and the sign that makes smaller better."""

Monitor = str | Callable[[History], float]


def check_monitor(monitor: Any, mode: Any) -> tuple[Monitor, float]:
    """Return the monitor, and the sign that makes smaller better.

    Parameters
    ----------
    monitor : str or callable
        A curve's name, or a function of the history.
    mode : {'min', 'max'} or None
        What is better; None is 'max' for scores, 'min' for all else.
    """
    if not callable(monitor):
        monitor = validation.check_choice("monitor", monitor, _CURVES)
    if mode is None:
        return monitor, 1.0 if callable(monitor) else _CURVES[monitor]
    return monitor, 1.0 if validation.check_choice("mode", mode, ["min", "max"]) == "min" else -1.0


def check_fit(monitor: Monitor, fit: Fit) -> None:
    """Raise where the fit will have no such curve, or one for each model of a stack."""
    if callable(monitor):
        return
    held_out = fit.run.held_out is not None
    kept = {"losses": True, "scores": fit.run.score, "val_losses": held_out, "val_scores": held_out}
    if not kept[monitor]:
        needed = {"scores": "train_score=True"}.get(monitor, "validation_data")
        raise ValueError(f"monitor={monitor!r} has no values: fit needs {needed}.")
    _check_number(monitor, tuple(fit.state.params.shape[:-1]))


def read(monitor: Monitor, history: History) -> float:
    """Return the last number of the monitor.

    Raises
    ------
    ValueError
        There are several, one for each model of a stack.
    """
    value = monitor(history) if callable(monitor) else getattr(history, monitor)[-1]
    _check_number(monitor, np.shape(value))
    return float(value)


def _check_number(monitor: Monitor, shape: tuple[int, ...]) -> None:
    if shape:
        raise ValueError(
            f"monitor={monitor!r} has {math.prod(shape)} values, one a model of the stack. Pass a "
            "function of the history that makes one number of them."
        )
