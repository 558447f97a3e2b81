"""Streams that come into the estimators: what their targets are is learned in one pass."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from ..streams import Stream
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
    stream = stream.retargeted(_raveled)
    names = _check_names(estimator, stream, reset)
    X, y = data.check_fit(estimator, stream.first.x, stream.first.t, reset=True, numeric=numeric)
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)
    if not numeric:
        check_classification_targets(y)  # before all of them are counted
        stream, y = _weighed(estimator, stream, y)
    estimator._fit_targets(y, first=reset, incremental=False)
    dtype = X.dtype  # integers are numbers here, not pixels
    rows = stream.transformed(lambda x: x.astype(dtype, copy=False)).retargeted(estimator._encode)
    return Labelled(X, rows.first.t, None, rows)


def _check_names(estimator: Any, stream: Stream, reset: bool) -> Any:
    """Return the features' names; raise where the features are not those of the fit before."""
    names = stream.feature_names
    if reset:
        return names
    if stream.n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {stream.n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None and names is not None and list(known) != list(names):
        raise ValueError(f"The features are {list(names)}; the fit before had {list(known)}.")
    return known if names is None else names


def _raveled(t: np.ndarray) -> np.ndarray:
    return t[:, 0] if t.ndim == 2 and t.shape[1] == 1 else t


def _weighed(estimator: Any, stream: Stream, y: np.ndarray) -> tuple[Stream, np.ndarray]:
    """Return a stream weighed by its classes, and the classes."""
    wanted = estimator.class_weight
    if y.ndim == 2:
        if wanted is not None:
            raise ValueError(
                f"class_weight={wanted!r} is for one class a sample; of several labels, pass "
                "weights of the samples."
            )
        return stream, y
    classes, counts = stream.distinct_targets()
    if wanted is None:
        return stream, classes
    # By the classes of all samples, not of those that happen to lie in a block.
    if isinstance(wanted, str):
        some = counts.sum() / (len(classes) * counts)
    else:
        some = compute_class_weight(wanted, classes=classes, y=classes)
    return stream.weighed(functools.partial(_class_weights, classes, some)), classes


def _class_weights(
    classes: np.ndarray, of_classes: np.ndarray, t: np.ndarray, weights: np.ndarray | None
) -> np.ndarray:
    own = of_classes[np.searchsorted(classes, _raveled(t))]
    return own if weights is None else own * weights
