"""Exhaustive and random search."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)

from .search import StackedSearch


class StackedGridSearchCV(StackedSearch, GridSearchCV):
    """scikit-learn's GridSearchCV for xpnet's estimators: all candidates and folds in one pass.

    Fits of one shape (hidden layers, activation, solver, batch size, size of the fold) are one
    stack. On NumPy the scores are those of the sequential search, exactly.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, or a Pipeline that ends with one
        A pipeline's earlier steps are fitted once a fold.
    param_grid : dict, or list of dicts
        As for `GridSearchCV`.
    scoring, refit, cv, error_score, return_train_score
        As for `GridSearchCV`. Accuracy and R², the estimators' own scores, are computed from
        stacked predictions, all others by scikit-learn's scorers.
    n_jobs : int, optional
        So many stacks are trained at a time, by joblib.
    verbose : int, default 0
        From 1 on the number of fits, stacks and bytes is printed.
    pre_dispatch
        Not used.
    progress : bool or str, default False
        Whether to show a bar over models and epochs; a text stands beside it.
    memory : int, optional
        Bytes that the stacks may take; by default half of what is free. Larger ones are cut.
    validation_curves : bool, default False
        Whether each fit is evaluated on the fold's test rows after every epoch, for `histories_`.

    Attributes
    ----------
    cv_results_ : dict
        As of `GridSearchCV`, and ``stacked``: whether a candidate was one of a stack. Candidates
        with ``solver='lbfgs'`` or a `Checkpoint` are fitted one by one. `mean_fit_time` is each
        fit's share of the time.
    histories_ : list of lists of History
        The curves of each candidate on each fold; None where it was fitted alone.
    best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_, refit_time_, …
        As of `GridSearchCV`.

    Notes
    -----
    Training that reaches `max_iter` is told in one warning for all fits.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from xpnet import MLPClassifier, StackedGridSearchCV
    >>> X, y = make_moons(200, noise=0.2, random_state=0)
    >>> net = MLPClassifier((8,), solver="sgd", max_iter=500, tol=1e-3, random_state=0)
    >>> grid = {"learning_rate_init": [0.001, 0.1, 0.3], "alpha": [0.0, 0.1]}
    >>> search = StackedGridSearchCV(net, grid, cv=3).fit(X, y)
    >>> search.best_params_["learning_rate_init"] > 0.001
    True
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        progress: Any = False,
        memory: int | None = None,
        validation_curves: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.progress, self.memory = progress, memory
        self.validation_curves = validation_curves

    def _run_search(self, evaluate_candidates: Any) -> None:
        evaluate_candidates(ParameterGrid(self.param_grid))


class StackedRandomizedSearchCV(StackedSearch, RandomizedSearchCV):
    """scikit-learn's RandomizedSearchCV for xpnet's estimators: all candidates in one pass.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, or a Pipeline that ends with one
    param_distributions : dict, or list of dicts
    n_iter : int, default 10
    random_state : int, RandomState or None
        Which candidates are drawn.
    scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score
        As for `StackedGridSearchCV`.
    progress, memory, validation_curves
        As for `StackedGridSearchCV`.

    Attributes
    ----------
    cv_results_, best_estimator_, …
        As of `StackedGridSearchCV`.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import make_moons
    >>> from xpnet import MLPClassifier, StackedRandomizedSearchCV
    >>> X, y = make_moons(200, noise=0.2, random_state=0)
    >>> net = MLPClassifier((8,), solver="sgd", max_iter=500, tol=1e-3, random_state=0)
    >>> rates = {"learning_rate_init": loguniform(1e-3, 1.0)}
    >>> search = StackedRandomizedSearchCV(net, rates, n_iter=5, cv=3, random_state=0).fit(X, y)
    >>> len(search.cv_results_["params"])
    5
    """

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        progress: Any = False,
        memory: int | None = None,
        validation_curves: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.progress, self.memory = progress, memory
        self.validation_curves = validation_curves

    def _run_search(self, evaluate_candidates: Any) -> None:
        drawn = ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
        evaluate_candidates(drawn)
