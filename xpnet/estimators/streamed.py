"""Streams that come into the estimators: what their targets are is learned in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from ..streams import Block, Stream
from . import data
from .data import Labelled


def labelled(estimator: Any, stream: Stream, *, reset: bool) -> Labelled:
    """Return a stream checked, its targets as the loss takes them.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Learns names and numbers of the features, and the classes.
    stream : Stream
    reset : bool
        Whether this is a first fit.
    """
    numeric = is_regressor(estimator)
    first, names = stream.first, stream.feature_names
    if not reset:
        _check_features(estimator, stream)
    X, y = data.check_fit(estimator, first.x, _raveled(first.t), reset=True, numeric=numeric)
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)
    class_weight = None
    if not numeric and y.ndim == 1:
        check_classification_targets(y)  # before all of them are counted
        y, counts = _classes(stream)
        class_weight = _weights_of_classes(estimator, y, counts)
    estimator._fit_targets(y, first=reset, incremental=False)

    def encoded(block: Block) -> Block:
        t, weights = _raveled(block.t), block.weights
        if class_weight is not None:
            of_classes = compute_sample_weight(class_weight, t)
            weights = of_classes if weights is None else weights * of_classes
        return block._replace(t=estimator._encode(t), weights=weights)

    dtype = X.dtype  # integers are numbers here, not pixels
    rows = stream.transformed(lambda x: x.astype(dtype, copy=False)).relabeled(encoded)
    return Labelled(X, rows.first.t, None, rows)


def _check_features(estimator: Any, stream: Stream) -> None:
    """Raise where the features are not those of the fit before."""
    if stream.n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {stream.n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    known, names = getattr(estimator, "feature_names_in_", None), stream.feature_names
    if known is not None and names is not None and list(known) != list(names):
        raise ValueError(f"The features are {list(names)}; the fit before had {list(known)}.")


def _raveled(t: np.ndarray) -> np.ndarray:
    return t[:, 0] if t.ndim == 2 and t.shape[1] == 1 else t


def _classes(stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes among all targets, and how many samples each has."""
    counts: dict[Any, int] = {}
    for found, n in _counted(stream):
        for label, number in zip(found, n, strict=True):
            counts[label] = counts.get(label, 0) + int(number)
    classes = np.array(sorted(counts))
    return classes, np.array([counts[label] for label in classes])


def _counted(stream: Stream) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for k in range(len(stream.source.lengths)):
        for t in stream.targets(k):
            yield np.unique(_raveled(t), return_counts=True)


def _weights_of_classes(
    estimator: Any, classes: np.ndarray, counts: np.ndarray
) -> dict[Any, float] | None:
    """Return the weight of each class; 'balanced' is by all samples, not by a block's."""
    if estimator.class_weight != "balanced":
        return estimator.class_weight
    return dict(zip(classes, counts.sum() / (len(classes) * counts), strict=True))
