"""What a search has found: a curve for each candidate, and a table of two hyperparameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import validation
from .curves import CURVES
from .figures import check_axes, new_axes
from .tables import heat_map


def search_curves(
    search: Any,
    color_by: str,
    *,
    curve: str = "val_scores",
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Draw a curve for each candidate of a stacked search, coloured by one of its parameters.

    Parameters
    ----------
    search : StackedGridSearchCV or StackedRandomizedSearchCV
        Fitted with ``validation_curves=True`` for the validation's curves.
    color_by : str
        A parameter that was searched.
    curve : {'val_scores', 'val_losses', 'losses'}
        The mean over the folds is drawn, as long as all of them go on.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if None.
    title : str, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is missing.
    ValueError
        The parameter was not searched, or there is no such curve.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from xpnet import MLPClassifier, StackedGridSearchCV, plots
    >>> X, y = make_moons(60, noise=0.2, random_state=0)
    >>> net = MLPClassifier((4,), solver="sgd", tol=1.0, random_state=0)
    >>> grid = {"learning_rate_init": [0.01, 0.1]}
    >>> search = StackedGridSearchCV(net, grid, cv=3, validation_curves=True).fit(X, y)
    >>> len(plots.search_curves(search, "learning_rate_init").lines)
    2
    """
    if title is not None:
        validation.check_text("title", title)
    values = _searched(search, "color_by", color_by)
    known = ("val_scores", "val_losses", "losses")
    curve = validation.check_choice("curve", curve, known)
    means = [_mean_curve(histories, curve) for histories in search.histories_]
    if not any(mean.size for mean in means):
        raise ValueError(f"There are no {curve}: fit the search with validation_curves=True.")
    check_axes(ax)
    ax = new_axes((7.5, 4)) if ax is None else ax
    shades = _Shades(values)
    for value, mean in zip(values, means, strict=True):
        if mean.size:
            epochs = np.arange(1, len(mean) + 1)
            ax.plot(epochs, mean, color=shades.of(value), linewidth=0.8, alpha=0.7)
    shades.explain(ax, color_by)
    ax.set(xlabel="epoch", ylabel=CURVES[curve])
    if title is not None:
        ax.set_title(title)
    return ax


def search_heat_map(
    search: Any,
    rows: str,
    columns: str,
    *,
    metric: str = "score",
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Draw the best mean test score for each pair of values of two parameters.

    Parameters
    ----------
    search : fitted search
        Of xpnet or of scikit-learn.
    rows, columns : str
        Two parameters that were searched; of all others the best counts.
    metric : str, default 'score'
        Where there are several, one of them.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if None.
    title : str, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is missing.
    ValueError
        A parameter was not searched.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from xpnet import MLPClassifier, StackedGridSearchCV, plots
    >>> X, y = make_moons(60, noise=0.2, random_state=0)
    >>> net = MLPClassifier((4,), solver="sgd", tol=1.0, random_state=0)
    >>> grid = {"learning_rate_init": [0.01, 0.1], "alpha": [0.0, 0.1]}
    >>> search = StackedGridSearchCV(net, grid, cv=3).fit(X, y)
    >>> len(plots.search_heat_map(search, "alpha", "learning_rate_init").texts)
    4
    """
    across, down = _searched(search, "columns", columns), _searched(search, "rows", rows)
    metrics = [key[10:] for key in search.cv_results_ if key.startswith("mean_test_")]
    if metric not in metrics:
        validation.check_choice("metric", metric, metrics)
    scores = np.asarray(search.cv_results_[f"mean_test_{metric}"], dtype=np.float64)
    row_values, column_values = _distinct(down), _distinct(across)
    table = np.full((len(row_values), len(column_values)), np.nan)
    for a, b, score in zip(down, across, scores, strict=True):
        at = row_values.index(a), column_values.index(b)
        table[at] = np.fmax(table[at], score)
    ax = heat_map(
        table,
        [_told(value) for value in row_values],
        [_told(value) for value in column_values],
        ax=ax,
        title=title,
        label=f"best mean test {metric}",
        digits=3,
    )
    ax.set(xlabel=columns, ylabel=rows)
    return ax


def _searched(search: Any, argument: str, name: str) -> list[Any]:
    """Return the value of each candidate."""
    if not hasattr(search, "cv_results_"):
        raise TypeError(f"search={search!r} must be a search that was fitted.")
    params = search.cv_results_["params"]
    known = {key for own in params for key in own}
    if name not in known:
        validation.check_choice(argument, name, sorted(known))
    return [own.get(name) for own in params]


def _distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return sorted(found) if all(map(_is_number, found)) else found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _told(value: Any) -> str:
    return f"{value:.3g}" if _is_number(value) else str(value)


def _mean_curve(histories: list[Any], curve: str) -> np.ndarray:
    curves = [getattr(history, curve) for history in histories if history is not None]
    shortest = min(map(len, curves), default=0)
    if not shortest:
        return np.zeros(0)
    return np.mean([own[:shortest] for own in curves], axis=0)


class _Shades:
    """Colours of values: along a scale for numbers, each its own for all else."""

    def __init__(self, values: list[Any]) -> None:
        import matplotlib

        self._values = _distinct(values)
        self._scale = matplotlib.colormaps["viridis"]

    def of(self, value: Any) -> Any:
        """Return the colour of a value: by its rank, since rates are spread over magnitudes."""
        last = max(1, len(self._values) - 1)
        return self._scale(0.95 * self._values.index(value) / last)

    def explain(self, ax: Any, name: str) -> None:
        """Add a legend; of many values some."""
        from matplotlib.lines import Line2D

        shown = self._values[:: -(-len(self._values) // 10)]
        lines = [Line2D([], [], color=self.of(value), label=_told(value)) for value in shown]
        beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}
        ax.legend(handles=lines, title=name, fontsize="small", **beside)
