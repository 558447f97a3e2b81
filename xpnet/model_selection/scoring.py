"""Scores of many fits: from one stacked prediction where the metric allows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.metrics import accuracy_score, r2_score

from .. import backends
from ..estimators import compat
from ..estimators.base import BaseMLP


def named(scorers: Any) -> dict[str, Any]:
    """Return the scorers by name, as scikit-learn's `_get_scorers` gave them."""
    return dict(scorers._scorers) if hasattr(scorers, "_scorers") else {"score": scorers}


def check(scorers: Any, estimator: Any) -> None:
    """Raise where a scorer needs a method that the estimator lacks.

    Raises
    ------
    ValueError
        The message names the scorer and the method.
    """
    for name, scorer in named(scorers).items():
        methods = getattr(scorer, "_response_method", ())
        methods = (methods,) if isinstance(methods, str) else tuple(methods)
        if "default" in methods or not methods:
            continue
        if not any(hasattr(estimator, method) for method in methods):
            kind = type(estimator).__name__
            raise ValueError(
                f"scoring {name!r} needs {' or '.join(methods)}, which {kind} lacks. Take a metric "
                f"of {'regression' if is_regressor(estimator) else 'classes'}, such as "
                f"{'r2' if is_regressor(estimator) else 'accuracy'!r}."
            )


def stacked_metrics(scorers: Any, estimator: BaseMLP) -> dict[str, Any] | None:
    """Return the metric functions, by name, if all can be had from predictions; else None."""
    own = r2_score if is_regressor(estimator) else accuracy_score
    found = {}
    for name, scorer in named(scorers).items():
        if compat.is_passthrough(scorer) or compat.is_plain(scorer, own):
            found[name] = own
        else:
            return None
    return found


def of_classes(metrics: Mapping[str, Any]) -> bool:
    """Return whether the numbers of classes are compared, which may stand for the labels."""
    return accuracy_score in metrics.values()


def score(metric: Any, estimator: BaseMLP, logits: np.ndarray, y: Any, weights: Any) -> float:
    """Return scikit-learn's number for the predictions of a fit.

    Parameters
    ----------
    metric : accuracy_score or r2_score
    estimator : MLPClassifier or MLPRegressor
        Whose labels and link; it need not be fitted.
    logits : array of shape (samples, outputs)
    y : array of shape (samples,) or (samples, outputs)
        Targets, or numbers of classes.
    weights : array of shape (samples,) or None
    """
    if metric is r2_score:
        found = estimator._link(logits, xp=backends.namespace(logits))
        found = found[:, 0] if estimator.n_outputs_ == 1 else found
        return float(r2_score(y, found, sample_weight=weights))
    decided = estimator._decide(estimator._link(logits, xp=backends.namespace(logits)), np)
    right = (decided == y).all(axis=1) if decided.ndim == 2 else decided == y
    return float(np.average(right, weights=weights))


def told(scores: Mapping[str, float], scorers: Any) -> Any:
    """Return scores as a scorer would: one number, or a dict where there are several metrics."""
    return dict(scores) if hasattr(scorers, "_scorers") else scores["score"]
