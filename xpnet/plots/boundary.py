"""What a classifier says of every point of the plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backends, validation
from ..placement import float_dtype
from .figures import COLOURS, check_axes, new_axes
from .sources import check_classifier

_MARKERS = "os^DvPX<"


def plot_decision_boundary(
    predict_or_estimator: Any,
    X: Any,
    y: Any,
    *,
    ax: Any = None,
    resolution: int = 200,
) -> Any:
    """Draw what a classifier says of every point of the plane, and the samples on top.

    Of two classes the probability of the second is drawn where it is known, with a line at 1/2;
    else each class's region.

    Parameters
    ----------
    predict_or_estimator : classifier or callable
        A fitted classifier of scikit-learn's kind, Pipelines and searches included. Or a function
        of an array of shape (n, 2) that returns the probabilities of the second class, or
        classes, of shape (n,) or (n, 1); ``Trainer.predict`` of a net with one output does.
    X : array or pandas data frame of shape (n_samples, 2)
        A data frame's column names are the axes' labels, and the classifier gets a data frame.
    y : array of shape (n_samples,) or (n_samples, 1)
        Classes: numbers or strings.
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
    sklearn.exceptions.NotFittedError
        The classifier is not fitted.
    ValueError
        X has more or less than two features, y a class that the classifier does not know, or the
        function returns another shape.
    TypeError
        It is neither a classifier nor a function.

    See Also
    --------
    sklearn.inspection.DecisionBoundaryDisplay : With more choices of what is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import plots
    >>> X, y = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1])
    >>> ax = plots.plot_decision_boundary(lambda points: points[:, 0] > 0.5, X, y)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['class 0', 'class 1']

    >>> from xpnet import MLPClassifier
    >>> clf = MLPClassifier(solver="lbfgs", random_state=0, backend="numpy").fit(X, ["no", "yes"])
    >>> ax = plots.plot_decision_boundary(clf, X, ["no", "yes"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['no', 'yes']
    """
    function = check_classifier("predict_or_estimator", predict_or_estimator)
    x = validation.check_numeric("X", _host(X))
    validation.check_features("X", x.shape, 2)
    labels = _labels(y)
    validation.check_same_length(X=len(x), y=len(labels))
    resolution = validation.check_integer("resolution", resolution, minimum=2)
    sides = [_side(x[:, k], resolution) for k in (0, 1)]
    points = np.stack([side.ravel() for side in np.meshgrid(*sides)], axis=-1)
    if function is not None:
        values, classes, probable = _ask_function(function, points, labels)
    else:
        values, classes, probable = _ask_classifier(predict_or_estimator, _like(X, points))
    codes = _codes("y", labels, classes)
    shape = (len(sides[1]), len(sides[0]))
    check_axes(ax)
    own = ax is None
    ax = new_axes((5.2, 4.4)) if own else ax
    if probable:
        _fill_probabilities(ax, sides, values.reshape(shape), _name(classes[1]))
    else:
        _fill_classes(ax, sides, _codes("predict(X)", values, classes).reshape(shape))
    shown = np.unique(codes)
    for k in shown:
        ax.scatter(
            *x[codes == k].T,
            s=22,
            color=_colour(k),
            marker=_MARKERS[k % len(_MARKERS)],
            edgecolors="white",
            linewidths=0.6,
            label=_name(classes[k]),
        )
    ax.set(xlim=sides[0][[0, -1]], ylim=sides[1][[0, -1]])
    columns = list(getattr(X, "columns", ()))
    if columns and all(isinstance(column, str) for column in columns):
        ax.set(xlabel=columns[0], ylabel=columns[1])
    if own and len(shown) > 4:  # beside the samples: inside it would hide them
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    else:
        ax.legend(frameon=True, framealpha=0.8, edgecolor="none", loc="best")
    return ax


def _host(X: Any) -> Any:
    if not hasattr(X, "columns"):
        return backends.to_host(X)
    try:
        return np.asarray(X, dtype=np.float64)  # columns of several types too
    except (TypeError, ValueError):
        return np.asarray(X)


def _labels(y: Any) -> np.ndarray:
    labels = np.asarray(backends.to_host(y))
    if labels.dtype.kind in "iuf":
        validation.check_numeric("y", labels)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1:
        raise ValueError(f"y has shape {labels.shape}; classes of shape (n_samples,) are needed.")
    return labels


def _side(values: np.ndarray, resolution: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, resolution)


def _like(X: Any, points: np.ndarray) -> Any:
    """Return the points as X came: a data frame, an array of its library, or of NumPy."""
    if hasattr(X, "columns"):
        return type(X)(dict(zip(X.columns, points.T, strict=True)))
    if backends.owner(X) is None:
        return points
    backend, dtype = backends.get(like=(X,)), float_dtype(X)
    with backend.session(dtype):
        return backend.asarray(points.astype(dtype))


def _ask_classifier(model: Any, points: Any) -> tuple[np.ndarray, list, bool]:
    """Return what it says of each point, its classes, and whether these are probabilities."""
    classes = np.asarray(backends.to_host(model.classes_)).tolist()
    probable = len(classes) == 2 and hasattr(model, "predict_proba")
    if probable:
        return np.asarray(backends.to_host(model.predict_proba(points)))[:, 1], classes, True
    return np.asarray(backends.to_host(model.predict(points))), classes, False


def _ask_function(
    function: Callable[[np.ndarray], Any], points: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, list, bool]:
    values = np.asarray(backends.to_host(function(points)))
    if values.shape not in ((len(points),), (len(points), 1)):
        raise ValueError(
            f"predict(X) has shape {values.shape} for {len(points)} points; "
            "(n,) or (n, 1) is needed: probabilities of the second class, or classes."
        )
    values = values.reshape(-1)
    known = set(labels.tolist())
    if values.dtype.kind in "iufb":
        values = validation.check_numeric("predict(X)", values).astype(np.float64) + 0.0
        if (values != np.floor(values)).any():
            classes = [0, 1] if known <= {0, 1} else sorted(known)
            if len(classes) != 2:
                raise ValueError(
                    f"predict(X) returns probabilities, which tell two classes apart; y has "
                    f"{len(classes)}: {classes}. Return classes."
                )
            return values, classes, True
    found = set(values.tolist())
    try:
        return values, sorted(known | found), False
    except TypeError as error:
        raise ValueError(
            f"predict(X) returns the classes {list(found)}, y has others: {list(known)}."
        ) from error


def _codes(name: str, labels: np.ndarray, classes: list) -> np.ndarray:
    """Return the number of each label's class."""
    index = {label: k for k, label in enumerate(classes)}
    codes = [index.get(label, -1) for label in labels.tolist()]
    if -1 in codes:
        raise ValueError(
            f"{name} holds {labels.tolist()[codes.index(-1)]!r}, which is none of the classes "
            f"{classes}."
        )
    return np.array(codes)


def _name(label: Any) -> str:
    if isinstance(label, str):
        return label
    whole = isinstance(label, float) and label.is_integer()
    return f"class {int(label) if whole else label}"


def _colour(k: int, weight: float = 1.0) -> tuple[float, float, float]:
    """Return the class's colour, darker from the eighth on; mixed with white by its weight."""
    from matplotlib.colors import to_rgb

    shade = 0.6 ** (k // len(COLOURS))
    rgb = [shade * part * weight + 1.0 - weight for part in to_rgb(COLOURS[k % len(COLOURS)])]
    return (rgb[0], rgb[1], rgb[2])


def _fill_probabilities(ax: Any, sides: list[np.ndarray], values: np.ndarray, name: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    ends: list[Any] = [_colour(0, 0.5), "white", _colour(1, 0.5)]
    colours = LinearSegmentedColormap.from_list("classes", ends)
    levels = np.linspace(0.0, 1.0, 11)
    fill = ax.contourf(*sides, np.clip(values, 0.0, 1.0), levels, cmap=colours)
    if values.min() < 0.5 < values.max():
        ax.contour(*sides, values, [0.5], colors="#333333", linewidths=1.2)
    bar = ax.figure.colorbar(fill, ax=ax, label=f"probability of {name}", ticks=levels[::5])
    bar.outline.set_visible(False)


def _fill_classes(ax: Any, sides: list[np.ndarray], codes: np.ndarray) -> None:
    for k in np.unique(codes):  # one by one: contours of all codes would pass through others
        inside = np.where(codes == k, 1.0, 0.0)
        ax.contourf(*sides, inside, [0.5, 1.5], colors=[_colour(k, 0.25)])
        if inside.min() < 0.5:
            ax.contour(*sides, inside, [0.5], colors="white", linewidths=1.2)
