"""Many estimators of one kind, fitted in one pass, each on its rows of one data set."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone, is_regressor

from .. import backends
from ..evaluation import logits_of_rows, model_groups
from ..placement import Placement
from ..problems import shape
from ..stacking.requests import Request, Setting
from ..stacking.training import Table, train
from ..state import snapshots
from . import data, parameters
from .attributes import OF_DATA
from .base import BaseMLP
from .continuation import Continuation
from .fittings import Candidate, Fitting


class Pool:
    """A data set, checked once, on whose rows many estimators of one kind are fitted.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Of the kind.
    X, y, sample_weight
        As for its `fit`.
    """

    def __init__(self, estimator: BaseMLP, X: Any, y: Any, sample_weight: Any = None) -> None:
        known = clone(estimator)
        self.X, self.y = data.check_fit(known, X, y, reset=True, numeric=is_regressor(known))
        self.weights = data.check_weights(sample_weight, self.X.shape[0])
        known._fit_targets(self.y, first=True, incremental=False)
        self.t = known._encode(self.y)
        names = (*OF_DATA, "_multilabel")
        self.learned = {name: vars(known)[name] for name in names if name in vars(known)}
        self.codes = self._codes()
        self._table = Table(self.X, self.t)
        self._weights: dict[Any, np.ndarray | None] = {}

    def _codes(self) -> np.ndarray:
        """Return the numbers of the classes; of several labels, and of regression, y itself."""
        classes = self.learned.get("classes_")
        if classes is None or self.learned["_multilabel"]:
            return self.y
        return np.searchsorted(classes, self.y)

    def check_rows(self, rows: np.ndarray, name: str) -> None:
        """Raise where no sample of one of the classes is among the rows."""
        classes = self.learned.get("classes_")
        if classes is None or self.learned["_multilabel"]:
            return
        missing = np.setdiff1d(classes, self.y[rows])
        if missing.size:
            raise ValueError(
                f"{name} trains on no sample of class {missing.tolist()[0]!r}. Take folds that "
                "have all classes, such as StratifiedKFold's, fewer folds, or more samples."
            )

    def fitting(
        self,
        candidate: Candidate,
        rows: np.ndarray,
        *,
        continuable: bool = False,
        watched: np.ndarray | None = None,
    ) -> Fitting:
        """Return a fit of a candidate on rows, to be handed to `fit`.

        Parameters
        ----------
        candidate : Candidate
        rows : integer array
        continuable : bool, default False
            Whether a longer fit is to go on from it, see `continued`.
        watched : integer array, optional
            Rows to evaluate after each epoch; early stopping watches its own instead.
        """
        est, checked = candidate.estimator, candidate.checked
        if self.weights is not None:
            data.check_weights(self.weights[rows], len(rows))
        state, rng = candidate.begin()
        own, held_out = rows, watched
        if est.early_stopping:
            stratify = est._stratify(self.t[rows])
            parts = data.split_rows(len(rows), rng, est.validation_fraction, stratify)
            own, held_out = (rows[part] for part in parts)
            state = replace(state, generators=snapshots((rng,)))
        convergence = est._make_convergence(checked, len(own))
        known = Continuation() if continuable else None
        request = Request(
            candidate.problem,
            state,
            own,
            parameters.batches(est, len(own)),
            est.max_iter,
            held_out,
            self._sample_weights(est, rows),
            [convergence, *copy.deepcopy(checked.callbacks), *([known] if known else [])],
        )
        return Fitting(candidate, rows, request, convergence, continuation=known)

    def continued(self, candidate: Candidate, earlier: Fitting) -> Fitting:
        """Return a longer fit than an earlier one, which it goes on from; or that, if it ended."""
        known, request, outcome = earlier.continuation, earlier.request, earlier.outcome
        assert known is not None
        assert outcome is not None
        if known.training is None or outcome.stopped is not None:
            return replace(earlier, candidate=candidate)
        longer = replace(
            request,
            state=known.training.state,
            epochs=candidate.estimator.max_iter,
            done=known.done,
        )
        return replace(earlier, candidate=candidate, request=longer, outcome=None)

    def _sample_weights(self, estimator: BaseMLP, rows: np.ndarray) -> np.ndarray | None:
        """Return the weights of all samples, right for those rows; equal ones are one array."""
        kind = getattr(estimator, "class_weight", None)
        key = repr(kind), rows.tobytes() if kind is not None else None
        if key not in self._weights:
            own = None if self.weights is None else self.weights[rows]
            found = estimator._sample_weights(self.y[rows], own)
            if found is not None and kind is not None:
                weights = np.zeros(len(self.t))
                weights[rows] = found
                found = weights
            self._weights[key] = found if kind is not None else self.weights
        return self._weights[key]

    def fit(
        self,
        fittings: Sequence[Fitting],
        **options: Any,
    ) -> None:
        """Run all fits, with the options of `train`; each then has its outcome."""
        for setting, group in _grouped(fittings, lambda f: f.candidate.setting):
            requests = [fitting.request for fitting in group]
            found = train(requests, self._table, setting, **options)
            for fitting, outcome in zip(group, found, strict=True):
                if fitting.continuation is None:  # nobody goes on from it
                    left = replace(outcome.state, optimizer_state=(), order=None)
                    outcome = replace(outcome, state=left)
                fitting.outcome = outcome
                fitting.convergence = outcome.callbacks[0]
                if fitting.continuation is not None:
                    fitting.continuation = outcome.callbacks[-1]
                    fitting.request = replace(fitting.request, callbacks=outcome.callbacks)

    def fitted(self, fitting: Fitting) -> BaseMLP:
        """Return the fitted estimator.

        Raises
        ------
        ValueError
            Training diverged.
        """
        est, outcome = copy.copy(fitting.candidate.estimator), fitting.outcome
        assert outcome is not None
        est._forget()
        est._end(outcome, fitting.convergence, fitting.candidate.checked.optimizer, self.X)
        kept = (c for c in outcome.callbacks[1:] if not isinstance(c, Continuation))
        est.callbacks_ = list(kept)
        if outcome.failure is not None:
            est._diverged(outcome.failure)
        return est

    def logits(
        self, fittings: Sequence[Fitting], rows: Sequence[np.ndarray]
    ) -> Iterator[tuple[Fitting, np.ndarray]]:
        """Yield each fit with its logits of its own rows, on the host."""
        pairs = list(zip(fittings, rows, strict=True))

        def kind(pair: tuple[Fitting, np.ndarray]) -> Any:
            fitting, own = pair
            return fitting.candidate.setting, _network_shape(fitting), len(own)

        for (setting, _, _), group in _grouped(pairs, kind):
            yield from self._logits(setting, group)

    def _logits(
        self, setting: Setting, pairs: Sequence[tuple[Fitting, np.ndarray]]
    ) -> Iterator[tuple[Fitting, np.ndarray]]:
        backend = backends.get(setting.backend, setting.device, like=(self.X,))
        place = Placement(backend, setting.dtype, pairs[0][0].candidate.problem)
        with place.session():
            x = self._table.samples(place).data.x
            rows = np.stack([own for _, own in pairs])
            for models in model_groups(place, rows):
                chosen = [place.floats(fitting.params) for fitting, _ in pairs[models]]
                params = backend.xp.stack(chosen)
                found = backend.to_host(logits_of_rows(place, params, x, rows[models]))
                yield from zip((fitting for fitting, _ in pairs[models]), found, strict=True)


def _network_shape(fitting: Fitting) -> Any:
    return shape(fitting.candidate.problem)


def _grouped(items: Sequence[Any], key: Callable[[Any], Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Yield keys, and the items that have them."""
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    yield from groups.items()
