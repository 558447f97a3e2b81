"""The data of all folds as one table, transformed by a pipeline's earlier steps once a fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from .. import backends
from ..estimators.base import BaseMLP
from ..estimators.many import Pool

Split = tuple[np.ndarray, np.ndarray]
"""The rows to train on, and those to test on."""


def last_step(estimator: Any) -> Any:
    """Return the estimator itself, or the last step of a pipeline."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def net_params(estimator: Any, params: dict[str, Any]) -> bool:
    """Return whether all parameters are of the last step, so that the earlier ones stay."""
    if not isinstance(estimator, Pipeline):
        return True
    return all(name.startswith(f"{estimator.steps[-1][0]}__") for name in params)


def of_last_step(estimator: Any, name: str) -> str:
    """Return what the whole estimator calls something of its last step."""
    return f"{estimator.steps[-1][0]}__{name}" if isinstance(estimator, Pipeline) else name


class SearchError(ValueError):
    """What is wrong with a search before anything is trained, whatever `error_score` says."""


class Folds:
    """The folds of a search, as a pool of which each fit has its rows.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, or a Pipeline that ends with one
    X, y : arrays
    splits : sequence of (train, test)
    fit_params : dict
        As for `fit`: sample weights of the net, and parameters of the earlier steps.
    """

    def __init__(
        self, estimator: Any, X: Any, y: Any, splits: Sequence[Split], fit_params: dict[str, Any]
    ) -> None:
        net = last_step(estimator)
        weight_name = of_last_step(estimator, "sample_weight")
        weights = fit_params.get(weight_name)
        _check_params(estimator, fit_params)
        y = y.toarray() if scipy.sparse.issparse(y) else y
        self.prepared: list[Any] = []
        self.splits: list[Split] = list(splits)
        if not isinstance(estimator, Pipeline):
            self.pool = Pool(net, X, y, weights)
            return
        others = {n: v for n, v in fit_params.items() if n != weight_name}
        parts: list[Any] = []
        labels: list[np.ndarray] = []
        weighed: list[Any] = []
        start = 0
        for k, (train, test) in enumerate(splits):
            steps = clone(estimator)
            steps.steps[-1] = (estimator.steps[-1][0], FunctionTransformer())  # the identity
            own = _check_method_params(X, params=others, indices=train)
            for x, y_part, rows in _transformed(steps, estimator, X, y, (train, test), own):
                parts.append(x)
                labels.append(y_part)
                weighed.append(None if weights is None else rows_of(weights, rows))
            self.prepared.append(steps)
            n_train, n_test = len(labels[-2]), len(labels[-1])
            middle = start + n_train
            self.splits[k] = np.arange(start, middle), np.arange(middle, middle + n_test)
            start = middle + n_test
        together = None if weights is None else np.concatenate(weighed)
        self.pool = Pool(net, _joined(parts), np.concatenate(labels), together)

    def fitted(self, estimator: Any, split: int, net: BaseMLP) -> Any:
        """Return the fitted estimator: the net, or a pipeline of the steps of that fold and it."""
        if not isinstance(estimator, Pipeline):
            return net
        earlier = self.prepared[split].steps[:-1]
        return Pipeline([*earlier, (estimator.steps[-1][0], net)])


def _transformed(
    steps: Any, estimator: Any, X: Any, y: Any, split: Split, fit_params: dict[str, Any]
) -> Any:
    """Yield features, labels and rows of the samples to train on, then of those to test on."""
    for k, rows in enumerate(split):
        x, own = _safe_split(estimator, X, y, rows)
        x = steps.transform(x) if k else steps.fit_transform(x, own, **fit_params)
        yield x, np.asarray(backends.to_host(own)), rows


def rows_of(weights: Any, rows: np.ndarray) -> Any:
    """Return the weights of rows; one number counts for all of them."""
    if np.ndim(weights) == 0:
        return np.full(len(rows), float(weights))
    return np.asarray(weights)[rows]


def _check_params(estimator: Any, fit_params: dict[str, Any]) -> None:
    """Raise where the net's `fit` would be handed more than sample weights."""
    allowed = of_last_step(estimator, "sample_weight")
    for name in fit_params:
        if name.startswith(of_last_step(estimator, "")) and name != allowed:
            raise SearchError(
                f"fit got {name!r}, which folds cannot share: a stacked search takes "
                f"{allowed!r} alone."
            )


def _joined(parts: Sequence[Any]) -> Any:
    if any(map(scipy.sparse.issparse, parts)):
        return scipy.sparse.vstack(parts, format="csr")
    if hasattr(parts[0], "iloc"):
        import pandas

        return pandas.concat(parts, ignore_index=True)
    if backends.owner(parts[0]) is None:
        return np.concatenate([np.asarray(part) for part in parts])
    return backends.get(like=(parts[0],)).xp.concat(list(parts), axis=0)
