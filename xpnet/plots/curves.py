"""Curves of losses and scores."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import validation
from ..history import History
from .figures import COLOURS, new_axes

_CURVES = {
    "losses": "training loss",
    "val_losses": "validation loss",
    "scores": "training score",
    "val_scores": "validation score",
    "step_losses": "loss of the batch",
    "seconds": "seconds",
}


def plot_history(history: History, *, ax: Any = None, label: str | None = None) -> Any:
    """Draw the losses over the epochs: training solid and, where there is one, validation dashed.

    Parameters
    ----------
    history : History
        Of one model; of a stack pass ``history.model(k)``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if None.
    label : str, optional
        What the legend calls this run, where several share the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is missing.
    ValueError
        The history is empty, or that of a stack.

    Examples
    --------
    >>> from xpnet import History, plots
    >>> ax = plots.plot_history(History(losses=[0.7, 0.5], val_losses=[0.6, 0.5]))
    >>> [line.get_label() for line in ax.lines]
    ['training', 'validation']
    """
    curves = {"training": _values(history, "losses", "history")}
    if history.val_losses:
        curves["validation"] = _values(history, "val_losses", "history")
    ax = new_axes() if ax is None else ax
    colour = COLOURS[len({line.get_color() for line in ax.lines}) % len(COLOURS)]
    for (name, values), style in zip(curves.items(), ("-", "--"), strict=False):
        text = name if label is None else f"{label}, {name}" if len(curves) > 1 else label
        _line(ax, values, text, colour, style)
    _label_curves(ax, "epoch", "loss")
    return ax


def compare_histories(
    histories: Mapping[str, History], *, curve: str = "losses", ax: Any = None
) -> Any:
    """Draw the same curve of several runs.

    Parameters
    ----------
    histories : dict of str to History
        By the names that the legend shows.
    curve : {'losses', 'val_losses', 'scores', 'val_scores', 'step_losses', 'seconds'}
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is missing.
    ValueError
        There is no history, or one of them has no such curve, or is that of a stack.

    Examples
    --------
    >>> from xpnet import History, plots
    >>> runs = {"batch 32": History(losses=[0.7, 0.5]), "batch 128": History(losses=[0.7, 0.6])}
    >>> [line.get_label() for line in plots.compare_histories(runs).lines]
    ['batch 32', 'batch 128']
    """
    validation.check_choice("curve", curve, _CURVES)
    if not histories:
        raise ValueError("histories is empty; at least one history is needed.")
    curves = {name: _values(h, curve, f"histories[{name!r}]") for name, h in histories.items()}
    ax = new_axes() if ax is None else ax
    styles = itertools.product(("-", "--", "-.", ":"), COLOURS)
    for (name, values), (style, colour) in zip(curves.items(), itertools.cycle(styles)):
        _line(ax, values, name, colour, style)
    _label_curves(ax, "step" if curve == "step_losses" else "epoch", _CURVES[curve])
    return ax


def _values(history: History, curve: str, name: str) -> np.ndarray:
    values = np.array(getattr(history, curve), dtype=np.float64)
    if values.size == 0:
        raise ValueError(f"{name} has no {curve}: nothing was recorded.")
    if values.ndim > 1:
        raise ValueError(f"{name} is of a stack of models; pass {name}.model(k) for each of them.")
    return values


def _line(ax: Any, values: np.ndarray, label: str, colour: str, style: str) -> None:
    marker = "o" if len(values) == 1 else None  # one point makes no line
    epochs = np.arange(1, len(values) + 1)
    ax.plot(epochs, values, style, color=colour, label=label, marker=marker, linewidth=1.6)


def _label_curves(ax: Any, x_label: str, y_label: str) -> None:
    ax.set(xlabel=x_label, ylabel=y_label)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="#E3E3E3", linewidth=0.7)
    ax.set_axisbelow(True)
    if ax.get_xscale() == "linear":
        ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(frameon=False)
