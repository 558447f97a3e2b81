"""Scores of many fits: from one stacked prediction where the metric allows it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import is_regressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection._validation import _score
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from .. import backends
from ..estimators import compat
from ..estimators.base import BaseMLP
from .folds import Split, last_step, rows_of
from .tasks import Task


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


class Scoring:
    """Scores of fits, from one stacked prediction where the metrics allow it.

    Parameters
    ----------
    search : StackedSearch
    scorers : scorers as scikit-learn's `_get_scorers` gives them
    X, y : arrays
        As they were given.
    routed : Bunch
        What is handed to `score`.
    splits : sequence of (train, test)
    """

    def __init__(
        self, search: Any, scorers: Any, X: Any, y: Any, routed: Any, splits: Sequence[Split]
    ) -> None:
        self.search, self.scorers, self.X, self.y = search, scorers, X, y
        self.routed, self.splits = routed, splits

    def give(self, tasks: Sequence[Task], fit_time: float) -> None:
        """Give each task, which was fitted, its result."""
        scored: list[Task] = []
        for task in tasks:
            assert task.fitting is not None
            failure = task.fitting.failure
            if failure is not None:
                if self.search.error_score == "raise":
                    raise ValueError(failure)
                task.result = self._failed(failure, fit_time, self.splits[task.split])
            else:
                scored.append(task)
                _, test = self.splits[task.split]
                counts = {"n_test_samples": len(test), "fit_error": None}
                task.result = counts | {"fit_time": fit_time}
        net = last_step(self.search.estimator)
        metrics = stacked_metrics(self.scorers, net)
        if get_config()["enable_metadata_routing"]:
            metrics = None  # each scorer may ask for other parameters
        sets = ("train", "test") if self.search.return_train_score else ("test",)
        for name in sets:
            began = time.time()
            if metrics is None:
                self._score_alone(scored, name)
            else:
                self._score_together(scored, name, metrics)
            seconds = (time.time() - began) / max(1, len(scored))
            for task in scored if name == "test" else ():
                task.result["score_time"] = seconds
        for task in tasks:
            assert task.fitting is not None
            task.fitting.release()

    def _score_together(self, tasks: Sequence[Task], name: str, metrics: dict[str, Any]) -> None:
        """Score by stacked predictions."""
        which = ("train", "test").index(name)
        of = {task.fitting: task for task in tasks}
        weights = self.routed.scorer.score.get("sample_weight")
        pools: dict[Any, list[Task]] = defaultdict(list)
        for task in tasks:
            assert task.folds is not None
            pools[task.folds.pool].append(task)
        for pool, own in pools.items():
            rows = [task.folds.splits[task.split][which] for task in own if task.folds is not None]
            chosen = dict(zip((task.fitting for task in own), rows, strict=True))
            for fitting, logits in pool.logits([t.fitting for t in own if t.fitting], rows):
                task = of[fitting]
                own_rows = self.splits[task.split][which]
                if of_classes(metrics):
                    y = pool.codes[chosen[fitting]]
                else:
                    y = _safe_indexing(self.y, own_rows)  # as given, which `fit` may have rounded
                weighed = None if weights is None else rows_of(weights, own_rows)
                net = fitting.candidate.estimator
                try:
                    scores = {
                        key: score(metric, net, logits, y, weighed)
                        for key, metric in metrics.items()
                    }
                except ValueError:  # the predictions are not finite: `error_score` says what to do
                    self._score_alone([task], name)
                else:
                    task.result[f"{name}_scores"] = told(scores, self.scorers)

    def _score_alone(self, tasks: Sequence[Task], name: str) -> None:
        """Score by scikit-learn's scorers, each fit by itself."""
        for task in tasks:
            assert task.folds is not None
            assert task.fitting is not None
            train, test = self.splits[task.split]
            rows = train if name == "train" else test
            net = task.folds.pool.fitted(task.fitting)
            fitted = task.folds.fitted(task.estimator, task.split, net)
            X, y = _safe_split(fitted, self.X, self.y, rows)
            params = _check_method_params(self.X, params=self.routed.scorer.score, indices=rows)
            error_score = self.search.error_score
            scores = _score(fitted, X, y, self.scorers, params, error_score)
            task.result[f"{name}_scores"] = scores

    def _failed(self, error: str, fit_time: float, split: Split) -> dict[str, Any]:
        """Return the result of a fit that failed."""
        error_score = self.search.error_score
        names = named(self.scorers)
        scores = told(dict.fromkeys(names, error_score), self.scorers)
        result = {
            "fit_error": error,
            "test_scores": scores,
            "n_test_samples": len(split[1]),
            "fit_time": fit_time,
            "score_time": 0.0,
        }
        return result | ({"train_scores": scores} if self.search.return_train_score else {})
