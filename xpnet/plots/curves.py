"""Curves of losses and scores."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import validation
from ..history import History
from .figures import COLOURS, check_axes, new_axes
from .sources import read_curves

CURVES = {
    "losses": "training loss",
    "val_losses": "validation loss",
    "scores": "training score",
    "val_scores": "validation score",
    "step_losses": "loss of the batch",
    "seconds": "seconds",
}
_PAIRS = {
    "losses": {"training": "losses", "validation": "val_losses"},
    "scores": {"training": "scores", "validation": "val_scores"},
}


def plot_history(
    history_or_estimator: Any,
    *,
    curve: str = "losses",
    ax: Any = None,
    label: str | None = None,
) -> Any:
    """Draw losses or scores over the epochs: training solid, validation dashed.

    With early stopping a point marks the epoch with the best validation score, whose parameters
    the estimator has kept.

    Parameters
    ----------
    history_or_estimator : History or estimator
        Of one model; of a stack pass ``history.model(k)``. Or a fitted MLPClassifier or
        MLPRegressor, of xpnet or of scikit-learn: then all epochs of `loss_curve_`; the last
        fit's alone are its `history_`.
    curve : {'losses', 'scores'}
        scikit-learn's own estimators have scores of early stopping only.
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
    sklearn.exceptions.NotFittedError
        The estimator is not fitted.
    ValueError
        The history is empty, or that of a stack; or the estimator has no curve, as with 'lbfgs'.
    TypeError
        It is neither a history nor an estimator.

    Examples
    --------
    >>> from xpnet import History, MLPClassifier, plots
    >>> ax = plots.plot_history(History(losses=[0.7, 0.5], val_losses=[0.6, 0.5]))
    >>> [line.get_label() for line in ax.lines]
    ['training', 'validation']

    >>> from sklearn.datasets import make_moons
    >>> X, y = make_moons(200, noise=0.2, random_state=0)
    >>> clf = MLPClassifier(random_state=0, early_stopping=True, backend="numpy").fit(X, y)
    >>> ax = plots.plot_history(clf)
    >>> len(ax.lines[0].get_ydata()) == clf.n_iter_
    True
    """
    if label is not None:
        validation.check_text("label", label)
    pair = _PAIRS[validation.check_choice("curve", curve, _PAIRS)]
    name = "history_or_estimator"
    history, best = read_curves(name, history_or_estimator)
    present = {k: attribute for k, attribute in pair.items() if getattr(history, attribute)}
    if curve == "losses" or not present:
        present = {"training": pair["training"], **present}  # if it is missing, this is told
    curves = {k: _values(history, attribute, name) for k, attribute in present.items()}
    check_axes(ax)
    ax = new_axes() if ax is None else ax
    colour = COLOURS[len({line.get_color() for line in ax.lines}) % len(COLOURS)]
    for key, values in curves.items():
        text = key if label is None else f"{label}, {key}" if len(curves) > 1 else label
        _line(ax, values, text, colour, "--" if key == "validation" else "-")
    if best is not None:
        text = f"best epoch: {best}" if label is None else f"{label}, best epoch: {best}"
        at = list(curves.values())[-1][best - 1]
        point: dict[str, Any] = {"markeredgecolor": "white", "markersize": 7, "zorder": 3}
        ax.plot([best], [at], "o", color=colour, label=text, **point)
    _label_curves(ax, "epoch", "loss" if curve == "losses" else "score")
    return ax


def compare_histories(
    histories: Mapping[str, Any] | Iterable[tuple[str, Any]],
    *,
    curve: str = "losses",
    ax: Any = None,
) -> Any:
    """Draw the same curve of several runs.

    Parameters
    ----------
    histories : mapping of str to History or estimator, or sequence of such pairs
        By the names that the legend shows: histories, or fitted estimators as for `plot_history`.
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
    sklearn.exceptions.NotFittedError
        One of the estimators is not fitted.
    ValueError
        There is no history, or one of them has no such curve, or is that of a stack.
    TypeError
        A value is neither a history nor an estimator, or there are no pairs.

    Examples
    --------
    >>> from xpnet import History, plots
    >>> runs = {"batch 32": History(losses=[0.7, 0.5]), "batch 128": History(losses=[0.7, 0.6])}
    >>> [line.get_label() for line in plots.compare_histories(runs).lines]
    ['batch 32', 'batch 128']
    """
    validation.check_choice("curve", curve, CURVES)
    curves = []
    for name, source in _pairs(histories):
        told = f"histories[{name!r}]"
        curves.append((str(name), _values(read_curves(told, source)[0], curve, told)))
    if not curves:
        raise ValueError("histories is empty; at least one history is needed.")
    check_axes(ax)
    ax = new_axes() if ax is None else ax
    styles = itertools.product(("-", "--", "-.", ":"), COLOURS)
    for (name, values), (style, colour) in zip(curves, itertools.cycle(styles)):
        _line(ax, values, name, colour, style)
    _label_curves(ax, "step" if curve == "step_losses" else "epoch", CURVES[curve])
    return ax


def _pairs(histories: Any) -> list[tuple[Any, Any]]:
    if isinstance(histories, Mapping):
        return list(histories.items())
    try:
        return [(name, source) for name, source in histories]
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"histories={histories!r} must be a mapping of names to histories or fitted "
            "estimators, or a sequence of pairs (name, history or estimator)."
        ) from error


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
    from matplotlib.ticker import MaxNLocator

    ax.set(xlabel=x_label, ylabel=y_label)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="#E3E3E3", linewidth=0.7)
    ax.set_axisbelow(True)
    locator = ax.xaxis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(integer=True)
    ax.legend(frameon=False)
