"""All candidates on all folds: fitted in stacks, scored from stacked predictions."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection._validation import (
    _fit_and_score,
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_samples
from tqdm import tqdm

from .. import backends, validation
from ..estimators.base import BaseMLP
from ..estimators.fittings import Candidate, Fitting, warn
from ..history import History
from ..optimizers import Plateau
from ..stacking.plan import allowed
from ..stacking.progress import Bar
from .folds import Folds, SearchError, Split, last_step, net_params
from .scoring import Scoring
from .tasks import Task


class Evaluation:
    """scikit-learn's `evaluate_candidates`: called with candidates, it returns the results."""

    def __init__(self, search: Any, scorers: Any, X: Any, y: Any, routed: Any) -> None:
        self.search, self.scorers, self.X, self.y, self.routed = search, scorers, X, y, routed
        self.candidates: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []
        self.more: dict[str, list[Any]] = defaultdict(list)
        self.stacked: list[bool] = []
        self.histories: list[list[History | None]] = []
        self.results: dict[str, Any] = {}

    def __call__(
        self,
        candidate_params: Iterable[dict[str, Any]],
        cv: Any = None,
        more_results: dict[str, Any] | None = None,
        callback_ctx: Any = None,
    ) -> dict[str, Any]:
        search, candidates = self.search, list(candidate_params)
        if not candidates:
            raise ValueError(f"{_grid(search)}={getattr(search, _grid(search))!r} is empty.")
        found = (cv or search._checked_cv_orig).split(self.X, self.y, **self._splitting)
        everything = np.arange(_num_samples(self.X))  # a split may be a mask, or count backwards
        splits = [(everything[train], everything[test]) for train, test in found]
        if len(splits) != search.n_splits_:
            raise ValueError(
                f"cv.split gave {len(splits)} splits, cv.get_n_splits {search.n_splits_}."
            )
        _check_names(_grid(search), search.estimator, candidates)
        tasks = self._tasks(candidates, splits)
        if search.verbose > 0:
            n, k = len(candidates), len(splits)
            print(f"Fitting {k} folds for each of {n} candidates, totalling {n * k} fits")
        self._run_stacked([task for task in tasks if task.fitting is not None], splits)
        self._run_alone([task for task in tasks if task.fitting is None], splits)
        outcomes = [task.result for task in tasks]
        _warn_or_raise_about_fit_failures(outcomes, search.error_score)
        if callable(search.scoring):
            _insert_error_scores(outcomes, search.error_score)
        self.candidates += candidates
        self.outcomes += outcomes
        for start in range(0, len(tasks), len(splits)):
            own = [task.fitting for task in tasks[start : start + len(splits)]]
            self.stacked.append(None not in own)
            self.histories.append([None if f is None else f.history for f in own])
        for key, values in (more_results or {}).items():
            self.more[key].extend(values)
        self.results = search._format_results(
            self.candidates, len(splits), self.outcomes, self.more
        )
        self.results["stacked"] = np.array(self.stacked)
        return self.results

    @property
    def _splitting(self) -> dict[str, Any]:
        return self.routed.splitter.split

    def _tasks(self, candidates: Sequence[dict[str, Any]], splits: Sequence[Split]) -> list[Task]:
        """Return a task for each candidate and fold; those of a stack have their fits."""
        groups: list[tuple[dict[str, Any], Folds]] = []
        tasks = []
        for params in candidates:
            estimator = clone(self.search.estimator).set_params(**clone(params, safe=False))
            own = [Task(estimator, params, k) for k in range(len(splits))]
            tasks += own
            if not isinstance(last_step(estimator), BaseMLP) or self._fits_alone(splits):
                continue
            try:
                folds = self._folds(groups, estimator, params, splits)
                candidate = Candidate(last_step(estimator), folds.pool)
                for task in own if candidate.can_be_stacked else ():
                    task.folds, task.fitting = folds, self._fitting(folds, candidate, task)
            except SearchError:
                raise
            except Exception:  # the rest are fitted alone, and fail on the folds where they have to
                if self.search.error_score == "raise":
                    raise
        return tasks

    def _fits_alone(self, splits: Sequence[Split]) -> bool:
        """Return whether nothing can be stacked.

        With scikit-learn's metadata routing its own code knows where each parameter belongs; and
        the transformed data of all folds are held at once.
        """
        if get_config()["enable_metadata_routing"] and self.routed.estimator.fit:
            return True
        if not isinstance(self.search.estimator, Pipeline):
            return False
        limit = allowed(backends.get("numpy"), self.search.memory)
        needed = 16 * len(splits) * math.prod(np.shape(self.X))
        return limit is not None and needed > limit

    def _fitting(self, folds: Folds, candidate: Candidate, task: Task) -> Fitting:
        """Return how a task is fitted."""
        return folds.pool.fitting(candidate, **self._rows(folds, task))

    def _rows(self, folds: Folds, task: Task) -> dict[str, Any]:
        """Return the rows that a task trains on, and those that are watched."""
        train, test = folds.splits[task.split]
        if not self.search.validation_curves:
            return {"rows": train}
        estimator = last_step(task.estimator)
        rate, solver = estimator.learning_rate, getattr(estimator.solver, "learning_rate", None)
        if rate == "plateau" or any(isinstance(r, Plateau) for r in (rate, solver)):
            raise SearchError("validation_curves=True: 'plateau' would follow the test folds.")
        if any(callback.steers for callback in estimator.callbacks or ()):
            raise SearchError(
                f"validation_curves=True with callbacks={estimator.callbacks!r}: they might follow "
                "the test folds. Leave one of them out."
            )
        return {"rows": train, "watched": test}

    def _folds(
        self,
        groups: list[tuple[dict[str, Any], Folds]],
        estimator: Any,
        params: dict[str, Any],
        splits: Sequence[Split],
    ) -> Folds:
        """Return the folds as the candidate's earlier steps transform them, equal ones once."""
        base = self.search.estimator
        earlier = {n: v for n, v in params.items() if not net_params(base, {n: v})}
        earlier["dtype"] = last_step(estimator).dtype
        for known, folds in groups:
            if known.keys() == earlier.keys() and all(_same(known[n], earlier[n]) for n in known):
                return folds
        folds = Folds(estimator, self.X, self.y, splits, self.routed.estimator.fit)
        for k, (train, _) in enumerate(folds.splits):
            try:
                folds.pool.check_rows(train, f"Fold {k}")
            except ValueError as error:
                raise SearchError(str(error)) from None
        groups.append((earlier, folds))
        return folds

    def _run_stacked(self, tasks: Sequence[Task], splits: Sequence[Split]) -> None:
        search, began = self.search, time.time()
        waiting = [task for task in tasks if self._is_waiting(task)]
        pools: dict[Any, list[Fitting]] = defaultdict(list)
        for task in waiting:
            assert task.folds is not None
            assert task.fitting is not None
            pools[task.folds.pool].append(task.fitting)
        options: dict[str, Any] = {"say": tqdm.write} if search.verbose > 0 else {}
        total = sum(f.request.to_run for fits in pools.values() for f in fits)
        with Bar(search.progress, total) as told:
            for pool, fits in pools.items():
                pool.fit(fits, n_jobs=search.n_jobs, memory=search.memory, told=told, **options)
        seconds = (time.time() - began) / max(1, len(waiting))
        warn([task.fitting for task in tasks if task.fitting is not None], stacklevel=5)
        Scoring(search, self.scorers, self.X, self.y, self.routed, splits).give(tasks, seconds)

    def _is_waiting(self, task: Task) -> bool:
        return task.fitting is not None and task.fitting.outcome is None

    def _run_alone(self, tasks: Sequence[Task], splits: Sequence[Split]) -> None:
        """Fit and score candidates that cannot be stacked, one by one, as scikit-learn does."""
        search, routed = self.search, self.routed
        found = Parallel(n_jobs=search.n_jobs)(
            delayed(_fit_and_score)(
                clone(search.estimator),
                self.X,
                self.y,
                scorer=self.scorers,
                train=splits[task.split][0],
                test=splits[task.split][1],
                verbose=search.verbose,
                parameters=task.params,
                fit_params=routed.estimator.fit,
                score_params=routed.scorer.score,
                return_train_score=search.return_train_score,
                return_n_test_samples=True,
                return_times=True,
                error_score=search.error_score,
            )
            for task in tasks
        )
        for task, result in zip(tasks, found, strict=True):
            task.result = result


def _same(a: Any, b: Any) -> bool:
    """Return whether two values of a parameter are the same: plain ones where they are equal."""
    plain = isinstance(a, str | int | float | bool | np.generic)
    return a is b or (plain and type(a) is type(b) and bool(a == b))


def _grid(search: Any) -> str:
    """Return what a search calls its candidates."""
    return "param_distributions" if hasattr(search, "param_distributions") else "param_grid"


def _check_names(grid: str, estimator: Any, candidates: Sequence[dict[str, Any]]) -> None:
    """Raise where a candidate names a parameter that the estimator lacks."""
    known = estimator.get_params()
    for name in {name for params in candidates for name in params}:
        outer = name.partition("__")[0]
        replaced = any(outer in params for params in candidates)
        if name not in known and not (replaced and outer != name):
            validation.check_choice(f"{grid}: parameter", name, known)
