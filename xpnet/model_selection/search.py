"""scikit-learn's search, with all candidates and folds fitted at once."""

from __future__ import annotations

import time
from inspect import signature
from numbers import Integral
from typing import Any

from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.validation import _check_method_params, indexable

from .. import validation
from ..estimators import compat
from ..estimators.base import BaseMLP
from . import scoring
from .evaluation import Evaluation
from .folds import last_step


class StackedSearch:
    """What the stacked searches share: `fit`. The rest is scikit-learn's."""

    estimator: Any
    progress: Any
    memory: Any
    validation_curves: Any
    _evaluation: type[Evaluation] = Evaluation

    def fit(self: Any, X: Any, y: Any = None, **params: Any) -> Any:
        """Fit all candidates on all folds, in stacks, and the best one on all of the data.

        Parameters
        ----------
        X : array, pandas data frame or sparse matrix of shape (n_samples, n_features)
        y : array of shape (n_samples,) or (n_samples, n_outputs)
        **params
            As for scikit-learn's searches: `sample_weight`, `groups`, and so on.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            A parameter is unknown, there are no candidates, a fold has no sample of a class, or a
            scorer needs what the estimator lacks: nothing was trained. Or all fits failed.
        """
        self._validate_params()
        _check_estimator(self.estimator)
        validation.check_flag("validation_curves", self.validation_curves)
        if self.memory is not None:
            validation.check_integer("memory", self.memory)
        scorers, refit_metric = self._get_scorers()
        scoring.check(scorers, last_step(self.estimator))
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        cv = _check_cv(self.cv, y, is_classifier(self.estimator))
        self._checked_cv_orig = cv
        if hasattr(self, "_check_input_parameters"):
            self._check_input_parameters(X=X, y=y, split_params=routed.splitter.split)
        self.n_splits_ = cv.get_n_splits(X, y, **routed.splitter.split)
        evaluation = self._evaluation(self, scorers, X, y, routed)
        with compat.searching(self, X, y) as context:
            options = {}
            if "callback_ctx" in signature(self._run_search).parameters:
                options["callback_ctx"] = context
            self._run_search(evaluation, **options)
            self._conclude(evaluation, scorers, refit_metric)
            if self.refit:
                self._refit(X, y, routed.estimator.fit)
        return self

    def _conclude(self: Any, evaluation: Evaluation, scorers: Any, refit_metric: Any) -> None:
        """Set the attributes that are known before the best candidate is fitted."""
        results, first = evaluation.results, evaluation.outcomes[0]["test_scores"]
        self.multimetric_ = isinstance(first, dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(first)
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = results["params"][self.best_index_]
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        self.cv_results_, self.histories_ = results, evaluation.histories

    def _refit(self: Any, X: Any, y: Any, fit_params: dict[str, Any]) -> None:
        best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        began = time.time()
        self.best_estimator_ = best.fit(X, y, **fit_params)
        self.refit_time_ = time.time() - began
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_


def _check_cv(cv: Any, y: Any, classifier: bool) -> Any:
    """Return scikit-learn's splitter; a list of splits is looked through here."""
    if not (cv is None or isinstance(cv, Integral) or hasattr(cv, "split")):
        cv = list(cv)
        if not cv or not all(hasattr(split, "__len__") and len(split) == 2 for split in cv):
            raise ValueError(f"cv={cv!r} must hold splits (rows to train on, rows to test on).")
    return check_cv(cv, y, classifier=classifier)


def _check_estimator(estimator: Any) -> None:
    net = last_step(estimator)
    if not isinstance(net, BaseMLP):
        raise TypeError(
            f"estimator={estimator!r} must be xpnet's MLPClassifier or MLPRegressor, or a Pipeline "
            "that ends with one; for others there are scikit-learn's searches."
        )
