"""Successive halving: survivors go on from where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, ParameterGrid
from sklearn.utils.validation import _num_samples

from .. import validation
from ..estimators.fittings import Candidate, Fitting
from .evaluation import Evaluation, Task
from .folds import Folds, Split, last_step, of_last_step
from .search import StackedSearch


class _Continuing(Evaluation):
    """An evaluation in which a candidate that comes again goes on where the resource allows it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._earlier: dict[Any, Fitting] = {}
        self._now: dict[Any, Fitting] = {}

    def __call__(self, *args: Any, **options: Any) -> dict[str, Any]:
        self._earlier, self._now = self._now, {}  # those that were not chosen are let go
        return super().__call__(*args, **options)

    def _folds(
        self,
        groups: list[tuple[dict[str, Any], Folds]],
        estimator: Any,
        params: dict[str, Any],
        splits: Sequence[Split],
    ) -> Folds:
        if not hasattr(self, "_groups") or not _grows_epochs(self.search):
            self._groups = groups
        return super()._folds(self._groups, estimator, params, splits)

    def _fitting(self, folds: Folds, candidate: Candidate, task: Task) -> Fitting:
        if not (_grows_epochs(self.search) and _is_prefix(candidate.estimator)):
            return super()._fitting(folds, candidate, task)
        # scikit-learn copies the candidates' dicts; the values in them stay the same objects.
        own = frozenset((n, id(v)) for n, v in task.params.items() if n != self.search.resource)
        key = own, task.split
        earlier = self._earlier.pop(key, None)  # from which one fit alone goes on
        if earlier is not None:
            found = folds.pool.continued(candidate, earlier)
        else:
            found = folds.pool.fitting(candidate, continuable=True, **self._rows(folds, task))
        self._now[key] = found
        return found


def _grows_epochs(search: Any) -> bool:
    """Return whether the resource are the net's epochs, and not those of another step."""
    return search.resource == of_last_step(search.estimator, "max_iter")


def _is_prefix(estimator: Any) -> bool:
    """Return whether a short fit is the beginning of a long one: no rate depends on the length."""
    return str(estimator.learning_rate).lower() not in ("cosine", "step")


class StackedHalvingSearchCV(StackedSearch, HalvingGridSearchCV):
    """scikit-learn's HalvingGridSearchCV for xpnet's estimators, survivors not trained again.

    All candidates are trained for few epochs; the best of them go on, for `factor` times as many,
    until few are left. The scores are those of scikit-learn's search, which trains the survivors
    from the beginning each time.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, or a Pipeline that ends with one
    param_grid : dict, or list of dicts
    factor : float, default 3
        A candidate in so many survives.
    resource : str, default 'max_iter'
        'max_iter' (of a Pipeline ``<last step>__max_iter``) are epochs, in which survivors go on.
        With 'n_samples', or another parameter, they are trained anew; so are those whose
        schedule depends on its length ('cosine', 'step').
    max_resources : int, default 'auto'
        Epochs of the last ones; by default the estimator's `max_iter`.
    min_resources, aggressive_elimination, cv, scoring, refit, error_score, return_train_score
        As for `HalvingGridSearchCV`; of `scoring` there is one metric.
    random_state, n_jobs, verbose
        As for `HalvingGridSearchCV`.
    progress, memory, validation_curves
        As for `StackedGridSearchCV`.

    Attributes
    ----------
    cv_results_, best_estimator_, n_resources_, n_candidates_, n_iterations_, …
        As of `HalvingGridSearchCV`, and ``stacked`` in `cv_results_`.
    histories_ : list of lists of History
        As of `StackedGridSearchCV`.

    References
    ----------
    Jamieson, Talwalkar (2016), https://proceedings.mlr.press/v51/jamieson16.html

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import make_moons
    >>> from xpnet import MLPClassifier, StackedHalvingSearchCV
    >>> X, y = make_moons(200, noise=0.2, random_state=0)
    >>> net = MLPClassifier((8,), max_iter=90, n_iter_no_change=90, random_state=0)
    >>> grid = {"learning_rate_init": [0.001, 0.01, 0.1], "alpha": [0.0, 0.01, 0.1]}
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     search = StackedHalvingSearchCV(net, grid, cv=3).fit(X, y)
    >>> search.n_candidates_, search.n_resources_
    ([9, 3, 1], [10, 30, 90])
    """

    _evaluation = _Continuing
    max_resources: Any

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        factor: float = 3,
        resource: str = "max_iter",
        max_resources: Any = "auto",
        min_resources: Any = "exhaust",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        progress: Any = False,
        memory: int | None = None,
        validation_curves: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.progress, self.memory = progress, memory
        self.validation_curves = validation_curves

    def _check_input_parameters(self, X: Any, y: Any, split_params: Any) -> None:
        if not ParameterGrid(self.param_grid):
            raise ValueError(f"param_grid={self.param_grid!r} is empty: there are no candidates.")
        if self.factor <= 1:
            raise ValueError(f"factor={self.factor} must be above 1.")
        own = of_last_step(self.estimator, "max_iter")
        if self.resource == "max_iter" != own:
            raise ValueError(f"resource='max_iter' is none of a Pipeline; its net's is {own!r}.")
        given: Any = self.max_resources
        if given == "auto" and _grows_epochs(self):
            longest = last_step(self.estimator).max_iter
            self.max_resources = validation.check_integer("max_iter", longest)
        try:
            super()._check_input_parameters(X, y, split_params)
        finally:
            self.max_resources = given

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Search, and fit the best candidate on all of the data.

        Parameters
        ----------
        X, y, **params
            As for `StackedGridSearchCV`.

        Returns
        -------
        self
        """
        self._n_samples_orig = _num_samples(X)
        super().fit(X, y, **params)
        self.best_score_ = self.cv_results_["mean_test_score"][self.best_index_]
        return self
