"""Ensembles of nets that are trained in one pass."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from . import backends, validation
from .estimators import MLPClassifier, data
from .estimators.fittings import Candidate, warn
from .estimators.many import Pool
from .evaluation import network_logits
from .penalties import Penalty
from .placement import float_dtype
from .stacking.progress import Bar

__all__ = ["StackedEnsembleClassifier"]


class StackedEnsembleClassifier(ClassifierMixin, BaseEstimator):
    """Nets that differ in seed and bootstrap sample, trained as one stack.

    The probabilities are the members' mean; their spread says how sure that is.

    Parameters
    ----------
    estimator : MLPClassifier, default MLPClassifier()
        Each member is a copy with a seed of its own.
    n_estimators : int, default 10
    bootstrap : bool, default True
        Whether each member is trained on rows drawn with replacement; if not, they differ in their
        seeds alone.
    random_state : int, RandomState or None
        Where seeds and rows are drawn from.
    n_jobs : int, optional
        So many stacks are trained at a time, by joblib.
    progress : bool or str, default False
        Whether to show a bar over members and epochs.

    Attributes
    ----------
    classes_ : numpy.ndarray of shape (n_classes,)
    estimators_ : list of MLPClassifier
        The members, each as if it were fitted alone.
    estimators_samples_ : list of integer arrays
        The rows that each was trained on.
    n_features_in_, feature_names_in_
        As scikit-learn's.

    References
    ----------
    Breiman (1996), https://doi.org/10.1007/BF00058655 (bagging); Lakshminarayanan, Pritzel,
    Blundell (2017), https://arxiv.org/abs/1612.01474 (spread as uncertainty)

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from xpnet import MLPClassifier, StackedEnsembleClassifier
    >>> X, y = make_moons(200, noise=0.2, random_state=0)
    >>> net = MLPClassifier((8,), learning_rate_init=0.05, tol=1e-3, max_iter=500)
    >>> ensemble = StackedEnsembleClassifier(net, n_estimators=5, random_state=0).fit(X, y)
    >>> p, std = ensemble.predict_proba(X, return_std=True)
    >>> p.shape, std.shape, bool(ensemble.score(X, y) > 0.9)
    ((200, 2), (200, 2), True)
    """

    def __init__(
        self,
        estimator: Any = None,
        n_estimators: int = 10,
        *,
        bootstrap: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        progress: Any = False,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.bootstrap = bootstrap
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.progress = progress

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train all members.

        Parameters
        ----------
        X, y, sample_weight
            As for `MLPClassifier.fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Parameters or data will not do; or the training of a member diverged.
        """
        base = MLPClassifier() if self.estimator is None else self.estimator
        if not isinstance(base, MLPClassifier):
            raise TypeError(f"estimator={base!r} must be xpnet's MLPClassifier.")
        n_members = validation.check_integer("n_estimators", self.n_estimators)
        validation.check_flag("bootstrap", self.bootstrap)
        rng = validation.check_random_state("random_state", self.random_state)
        pool = Pool(base, X, y, sample_weight)
        fittings, self.estimators_samples_ = [], []
        for _ in range(n_members):
            member = clone(base).set_params(random_state=rng.randint(2**31 - 1))
            candidate = Candidate(member, pool)
            if not candidate.can_be_stacked:
                raise ValueError(
                    f"estimator={base!r} cannot be trained in a stack: another solver than 'lbfgs' "
                    "is needed, and no Checkpoint."
                )
            rows = np.arange(len(pool.t))
            if self.bootstrap:
                rows = rng.randint(len(rows), size=len(rows))
            self.estimators_samples_.append(rows)
            fittings.append(pool.fitting(candidate, rows))
        with Bar(self.progress, sum(fitting.request.epochs for fitting in fittings)) as told:
            pool.fit(fittings, n_jobs=self.n_jobs, told=told)
        warn(fittings, stacklevel=2)
        self.estimators_ = [pool.fitted(fitting) for fitting in fittings]
        for name, value in pool.learned.items():
            if name[0] != "_":
                setattr(self, name, value)
        return self

    def predict_proba(self, X: Any, *, return_std: bool = False) -> Any:
        """Return the mean of the members' probabilities.

        Parameters
        ----------
        X : array, pandas data frame or sparse matrix of shape (n_samples, n_features)
        return_std : bool, default False
            Whether to return their standard deviation too.

        Returns
        -------
        array of shape (n_samples, n_classes)
            In the order of `classes_`; of X's library.
        std : array of that shape
            If `return_std`.
        """
        check_is_fitted(self, "estimators_")
        validation.check_flag("return_std", return_std)
        first = self.estimators_[0]
        X = data.check_features(first, X, reset=False)
        place = first._placement(X, float_dtype(first.coefs_[0]), Penalty())
        xp = place.backend.xp
        with place.session():
            params = xp.stack([place.floats(member._params()) for member in self.estimators_])
            logits = network_logits(place, params, place.features(X, "X"))
            found = first._probabilities(logits, xp=xp)
            parts = [xp.mean(found, axis=0)]
            parts += [xp.std(found, axis=0)] if return_std else []
            if backends.owner(X) is None:
                parts = [place.backend.to_host(part) for part in parts]
        return tuple(parts) if return_std else parts[0]

    def predict(self, X: Any) -> np.ndarray:
        """Return the classes of the largest mean probability.

        Parameters
        ----------
        X : array, pandas data frame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        numpy.ndarray of shape (n_samples,), or (n_samples, n_labels) of several labels
        """
        p = backends.to_host(self.predict_proba(X))
        if self.estimators_[0]._multilabel:
            return (p > 0.5).astype(np.int64)
        return self.classes_[np.argmax(p, axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        float
        """
        y, weights = backends.to_host(y), backends.to_host(sample_weight)
        return float(accuracy_score(y, self.predict(X), sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags
