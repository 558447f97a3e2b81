"""Figures: made without a display, saved as PNG; and the colours of all pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from .. import validation

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, told apart by everybody; their yellow is too pale for lines."""


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
    path = validation.check_path("path", path)
    if path.suffix.lower() != ".png" or path.is_dir():
        raise ValueError(f"path={str(path)!r} must be a file that ends in .png.")
    return path


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install 'xpnet[plots]'.") from error


def check_axes(ax: Any) -> None:
    """Raise unless `ax` is None or has the methods of axes."""
    if ax is not None and (isinstance(ax, type) or not hasattr(ax, "plot")):
        raise TypeError(f"ax={ax!r} must be a matplotlib Axes, or None for a new figure.")


def new_axes(size: tuple[float, float] = (6.4, 4.0)) -> Any:
    """Return the axes of a new figure of that size in inches.

    The figure is pyplot's, which notebooks draw and ``plt.show()`` shows, where pyplot is in use.
    """
    _require_matplotlib()
    if "matplotlib.pyplot" in sys.modules or "ipykernel" in sys.modules:
        from matplotlib import pyplot

        return pyplot.figure(figsize=size, layout="constrained").add_subplot()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()
