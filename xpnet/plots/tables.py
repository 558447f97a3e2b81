"""Tables of numbers as colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import validation
from .figures import check_axes, new_axes

_NOT_RUN = "#D9D9D9"


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
    digits: int = 2,
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
    digits : int, default 2
        Significant digits of the numbers.

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
    values = _numbers(values)
    for name, labels in (("row_labels", row_labels), ("column_labels", column_labels)):
        if isinstance(labels, str) or not hasattr(labels, "__len__"):
            raise TypeError(f"{name}={labels!r} must be a sequence of texts.")
    for name, limit in (("vmin", vmin), ("vmax", vmax)):
        if limit is not None:
            validation.check_real(name, limit, low=-math.inf)
    validation.check_integer("digits", digits)
    for name, text in (("title", title), ("label", label)):
        if text is not None:
            validation.check_text(name, text)
    shape = (len(row_labels), len(column_labels))
    if values.shape != shape or 0 in shape:
        raise ValueError(
            f"values has shape {values.shape}; the labels are of {shape[0]} row(s) and "
            f"{shape[1]} column(s), at least one of each: see row_labels and column_labels."
        )
    check_axes(ax)
    if ax is None:
        margin = 0.085 * max(len(str(name)) for name in row_labels)
        ax = new_axes((2.0 + margin + 0.8 * shape[1], 1.4 + 0.34 * shape[0]))
    finite = values[np.isfinite(values)]
    low = vmin if vmin is not None else finite.min() if finite.size else 0.0
    high = vmax if vmax is not None else finite.max() if finite.size else 1.0
    if low > high:
        raise ValueError(f"vmin={low} must not be above vmax={high}.")
    shown = np.ma.masked_invalid(np.where(np.isnan(values), np.nan, np.clip(values, low, high)))
    image = ax.imshow(shown, cmap="cividis", vmin=low, vmax=high, aspect="auto")
    for row, column in np.ndindex(shape):
        _annotate(ax, image, row, column, values[row, column], digits)
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


def _numbers(values: Any) -> np.ndarray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"values must be numbers in rows and columns: {error}.") from error


def _annotate(ax: Any, image: Any, row: int, column: int, value: float, digits: int) -> None:
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
    ax.text(column, row, f"{value:.{digits}g}", ha="center", va="center", fontsize=8, color=colour)
