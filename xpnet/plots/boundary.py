"""What a classifier says of every point of the plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backends, validation
from .figures import COLOURS, new_axes

_MARKERS = "os^DvP*X"


def plot_decision_boundary(
    predict: Callable[[np.ndarray], Any],
    x: Any,
    t: Any,
    *,
    ax: Any = None,
    resolution: int = 200,
) -> Any:
    """Draw what a classifier says of every point of the plane, and the samples on top.

    Parameters
    ----------
    predict : callable
        Maps an array of shape (n, 2) to the probabilities of class 1, or to classes, of shape
        (n,) or (n, 1). ``Trainer.predict`` of a net with one output does.
    x : array of shape (samples, 2)
    t : array of shape (samples,) or (samples, 1)
        Classes.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if None.
    resolution : int, default 200
        Points along each side.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is missing.
    ValueError
        x has more or less than two features, or `predict` returns another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import plots
    >>> x, t = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1])
    >>> ax = plots.plot_decision_boundary(lambda points: points[:, 0] > 0.5, x, t)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['class 0', 'class 1']
    """
    x = validation.check_numeric("x", backends.to_host(x))
    validation.check_features("x", x.shape, 2)
    t = validation.check_numeric("t", backends.to_host(t))
    t = t[:, 0] if t.ndim == 2 and t.shape[1] == 1 else t
    if t.ndim != 1:
        raise ValueError(f"t has shape {t.shape}; classes of shape (samples,) are needed.")
    validation.check_same_length(x=len(x), t=len(t))
    resolution = validation.check_integer("resolution", resolution, minimum=2)
    sides = [_side(x[:, k], resolution) for k in (0, 1)]
    values = _predictions(predict, sides).astype(np.float64) + 0.0  # no class is called -0
    ax = new_axes((5.2, 4.4)) if ax is None else ax
    whole = bool((values == np.floor(values)).all())
    classes = np.union1d(t, values) if whole else np.unique(t)
    if whole:
        _fill_classes(ax, sides, values, classes)
    else:
        _fill_probabilities(ax, sides, values)
    for k in np.flatnonzero(np.isin(classes, t)):
        ax.scatter(
            *x[t == classes[k]].T,
            s=22,
            color=COLOURS[k % len(COLOURS)],
            marker=_MARKERS[k % len(_MARKERS)],
            edgecolors="white",
            linewidths=0.6,
            label=f"class {classes[k]:g}",
        )
    ax.set(xlim=sides[0][[0, -1]], ylim=sides[1][[0, -1]])
    ax.legend(frameon=True, framealpha=0.8, edgecolor="none", loc="best")
    return ax


def _side(values: np.ndarray, resolution: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, resolution)


def _predictions(predict: Callable[[np.ndarray], Any], sides: list[np.ndarray]) -> np.ndarray:
    points = np.stack([side.ravel() for side in np.meshgrid(*sides)], axis=-1)
    values = validation.check_numeric("predict(x)", backends.to_host(predict(points)))
    if values.shape not in ((len(points),), (len(points), 1)):
        raise ValueError(
            f"predict(x) has shape {values.shape} for {len(points)} points; "
            "(n,) or (n, 1) is needed: probabilities of class 1, or classes."
        )
    return values.reshape(len(sides[1]), len(sides[0]))


def _fill_probabilities(ax: Any, sides: list[np.ndarray], values: np.ndarray) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("classes", [COLOURS[0], "#FFFFFF", COLOURS[1]])
    levels = np.linspace(0.0, 1.0, 11)
    fill = ax.contourf(*sides, np.clip(values, 0.0, 1.0), levels, cmap=colours, alpha=0.45)
    if values.min() < 0.5 < values.max():
        ax.contour(*sides, values, [0.5], colors="#333333", linewidths=1.2)
    bar = ax.figure.colorbar(fill, ax=ax, label="probability of class 1", ticks=levels[::5])
    bar.outline.set_visible(False)


def _fill_classes(
    ax: Any, sides: list[np.ndarray], values: np.ndarray, classes: np.ndarray
) -> None:
    codes = np.searchsorted(classes, values)
    colours = [COLOURS[k % len(COLOURS)] for k in range(len(classes))]
    levels = np.arange(len(classes) + 1) - 0.5
    ax.contourf(*sides, codes, levels, colors=colours, alpha=0.25)
