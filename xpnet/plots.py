"""Pictures of training runs.

matplotlib is needed only here, and is imported when the first picture is drawn. Figures that
are made here are the caller's alone: pyplot does not know them, and no display is needed.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import backends, validation
from .history import History

__all__ = [
    "check_path",
    "compare_histories",
    "heat_map",
    "plot_decision_boundary",
    "plot_history",
    "save",
]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, told apart by everybody; their yellow is too pale for lines."""

_CURVES = {
    "losses": "training loss",
    "val_losses": "validation loss",
    "scores": "training score",
    "val_scores": "validation score",
    "step_losses": "loss of the batch",
    "seconds": "seconds",
}
_MARKERS = "os^DvP*X"
_NOT_RUN = "#D9D9D9"


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
    ax = _new_axes() if ax is None else ax
    colour = _COLOURS[len({line.get_color() for line in ax.lines}) % len(_COLOURS)]
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
    ax = _new_axes() if ax is None else ax
    styles = itertools.product(("-", "--", "-.", ":"), _COLOURS)
    for (name, values), (style, colour) in zip(curves.items(), itertools.cycle(styles)):
        _line(ax, values, name, colour, style)
    _label_curves(ax, "step" if curve == "step_losses" else "epoch", _CURVES[curve])
    return ax


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
    ax = _new_axes((5.2, 4.4)) if ax is None else ax
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
            color=_COLOURS[k % len(_COLOURS)],
            marker=_MARKERS[k % len(_MARKERS)],
            edgecolors="white",
            linewidths=0.6,
            label=f"class {classes[k]:g}",
        )
    ax.set(xlim=sides[0][[0, -1]], ylim=sides[1][[0, -1]])
    ax.legend(frameon=True, framealpha=0.8, edgecolor="none", loc="best")
    return ax


def heat_map(
    values: Any,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    *,
    ax: Any = None,
    title: str | None = None,
    label: str | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
) -> Any:
    """Draw a table as colours with the numbers on them; NaN is drawn as not run.

    Parameters
    ----------
    values : array of shape (rows, columns)
    row_labels, column_labels : sequence of str
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if None, as large as the table needs.
    title : str, optional
    label : str, optional
        What the numbers are; stands beside the colour bar.
    vmin, vmax : float, optional
        The ends of the colour scale; by default the smallest and the largest finite number.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is missing.
    ValueError
        The labels do not fit the table.

    Examples
    --------
    >>> from xpnet import plots
    >>> ax = plots.heat_map([[0.5, float("nan")]], ["sgd"], ["jax", "cupy"], label="difference")
    >>> [text.get_text() for text in ax.texts]
    ['0.5', 'not run']
    """
    values = np.asarray(values, dtype=np.float64)
    shape = (len(row_labels), len(column_labels))
    if values.shape != shape or 0 in shape:
        raise ValueError(
            f"values has shape {values.shape}; the labels are of {shape[0]} row(s) and "
            f"{shape[1]} column(s), at least one of each."
        )
    if ax is None:
        margin = 0.085 * max(len(str(name)) for name in row_labels)
        ax = _new_axes((2.0 + margin + 0.8 * shape[1], 1.4 + 0.34 * shape[0]))
    finite = values[np.isfinite(values)]
    low = vmin if vmin is not None else finite.min() if finite.size else 0.0
    high = vmax if vmax is not None else finite.max() if finite.size else 1.0
    shown = np.ma.masked_invalid(np.where(np.isnan(values), np.nan, np.clip(values, low, high)))
    image = ax.imshow(shown, cmap="cividis", vmin=low, vmax=high, aspect="auto")
    for row, column in np.ndindex(shape):
        _annotate(ax, image, row, column, values[row, column])
    long = max(len(str(name)) for name in column_labels) > 9
    slant: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(shape[1]), column_labels, **(slant if long else {}))
    ax.set_yticks(range(shape[0]), row_labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(
        image, ax=ax, label=label or "", fraction=0.05, pad=0.02
    ).outline.set_visible(False)
    if title is not None:
        ax.set_title(title)
    return ax


def save(figure_or_ax: Any, path: str | os.PathLike[str]) -> Path:
    """Write a picture as PNG with 150 dots an inch, and close its figure.

    Parameters
    ----------
    figure_or_ax : matplotlib.figure.Figure or matplotlib.axes.Axes
    path : str or path
        Ends in ``.png``. Folders that are missing are made.

    Returns
    -------
    pathlib.Path
        The path.

    Examples
    --------
    >>> import tempfile
    >>> from xpnet import History, plots
    >>> ax = plots.plot_history(History(losses=[0.7, 0.5]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plots.save(ax, f"{folder}/curve.png").name
    'curve.png'
    """
    path = check_path(path)
    figure: Any = getattr(figure_or_ax, "figure", None)
    figure = getattr(figure, "figure", figure)  # the axes' own may be a part of a larger one
    if not hasattr(figure, "savefig"):
        raise TypeError(f"figure_or_ax={figure_or_ax!r} must be a matplotlib Figure or Axes.")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, format="png", facecolor="white")
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)
    return path


def check_path(path: str | os.PathLike[str]) -> Path:
    """Raise what `save` to this path would raise in the end: worth it before a long run.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    ImportError
        matplotlib is missing.
    ValueError
        The path does not end in ``.png``, or is a folder.
    """
    _require_matplotlib()
    path = Path(path)
    if path.suffix.lower() != ".png" or path.is_dir():
        raise ValueError(f"path={str(path)!r} must be a file that ends in .png.")
    return path


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install 'xpnet[plots]'.") from error


def _new_axes(size: tuple[float, float] = (6.4, 4.0)) -> Any:
    _require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


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

    colours = LinearSegmentedColormap.from_list("classes", [_COLOURS[0], "#FFFFFF", _COLOURS[1]])
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
    colours = [_COLOURS[k % len(_COLOURS)] for k in range(len(classes))]
    levels = np.arange(len(classes) + 1) - 0.5
    ax.contourf(*sides, codes, levels, colors=colours, alpha=0.25)


def _annotate(ax: Any, image: Any, row: int, column: int, value: float) -> None:
    if np.isnan(value):
        from matplotlib.patches import Rectangle

        corner = (column - 0.5, row - 0.5)
        ax.add_patch(
            Rectangle(
                corner, 1, 1, facecolor=_NOT_RUN, edgecolor="white", hatch="////", linewidth=0
            )
        )
        ax.text(column, row, "not run", ha="center", va="center", fontsize=7, color="#444444")
        return
    red, green, blue, _ = image.cmap(image.norm(np.clip(value, *image.get_clim())))
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
    colour = "white" if dark else "black"
    ax.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=8, color=colour)
