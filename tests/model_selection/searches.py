"""Stacked searches, compared with scikit-learn's of the same estimator."""

from __future__ import annotations

import copy
import re
import warnings

import numpy as np
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from xpnet import (
    MLPClassifier,
    MLPRegressor,
    StackedGridSearchCV,
    StackedHalvingSearchCV,
    StackedRandomizedSearchCV,
)

X, TWO = make_classification(62, 5, n_informative=3, n_redundant=1, random_state=1)
THREE = make_classification(62, 5, n_informative=4, n_redundant=1, n_classes=3, random_state=2)[1]
NAMES = np.array(["pear", "fig", "apple"])[THREE]
LABELS = make_multilabel_classification(62, 5, n_classes=3, random_state=3)[1]
TARGETS = make_regression(62, 5, n_targets=2, noise=1.0, random_state=4)[1] / 50.0
ONE = TARGETS[:, 0]
WEIGHTS = np.random.RandomState(5).randint(1, 4, size=62) / 2.0

SEARCHES = {
    StackedGridSearchCV: GridSearchCV,
    StackedRandomizedSearchCV: RandomizedSearchCV,
    StackedHalvingSearchCV: HalvingGridSearchCV,
}
OWN = ("progress", "memory", "validation_curves")
"""What scikit-learn's searches have not."""
SMALL = {"hidden_layer_sizes": (4,), "batch_size": 16, "max_iter": 5, "random_state": 0}


def classifier(**options):
    return MLPClassifier(**SMALL | options)


def regressor(**options):
    return MLPRegressor(**SMALL | options)


def quietly(search, x, y, *ignored, **fit):
    """Fit it, without a word on nets that have not converged, and on what is ignored."""
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, *ignored):
            warnings.simplefilter("ignore", category)
        return search.fit(x, y, **fit)


def bits(value):
    """A value of `cv_results_` as one that `==` compares to the bit, types and NaN too."""
    if isinstance(value, np.ma.MaskedArray):
        return repr(value.dtype), text(value.tolist())
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return text(value)


def text(value):
    """How a value is written, without its place in memory."""
    return re.sub(" at 0x[0-9A-F]+", "", repr(value), flags=re.IGNORECASE)


def nets(estimator):
    """The parameters of a fitted estimator, or of the last step of a pipeline."""
    net = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if not isinstance(net, MLPClassifier | MLPRegressor):
        return [bits(net.coef_)]
    return [bits(p) for p in (*net.coefs_, *net.intercepts_)]


def learned(search):
    """What a search has learned, but for the time that it took."""
    results = search.cv_results_
    found = {key: bits(v) for key, v in results.items() if "time" not in key and key != "stacked"}
    for name in ("best_index_", "best_params_", "best_score_", "scorer_", "multimetric_"):
        found[name] = text(getattr(search, name, None))
    for name in ("n_splits_", "n_resources_", "n_candidates_", "n_iterations_", "classes_"):
        found[name] = repr(getattr(search, name, None))
    found["feature_names_in_"] = repr(getattr(search, "feature_names_in_", None))
    if hasattr(search, "best_estimator_"):
        found["best_estimator_"] = nets(search.best_estimator_)
        found["its parameters"] = text(search.best_estimator_.get_params())
    return found


def compare(
    estimator, grid, x=X, y=TWO, *, kind=StackedGridSearchCV, ignored=(), fit=None, **options
):
    """Compare a stacked search with scikit-learn's; return it."""
    options = {"cv": 3, "refit": True, **options}
    theirs = {name: value for name, value in options.items() if name not in OWN}
    if kind is StackedHalvingSearchCV:
        resource = {"resource": "max_iter", "max_resources": estimator.get_params().get("max_iter")}
        theirs = resource | theirs
    fit = {} if fit is None else fit
    found = kind(copy.deepcopy(estimator), grid, **copy.deepcopy(options))
    expected = SEARCHES[kind](copy.deepcopy(estimator), grid, **copy.deepcopy(theirs))
    found = quietly(found, x, y, *ignored, **fit)
    expected = quietly(expected, x, y, *ignored, **fit)
    ours, others = learned(found), learned(expected)
    assert list(ours) == list(others)
    for name in others:
        assert ours[name] == others[name], name
    assert set(found.cv_results_) - set(expected.cv_results_) == {"stacked"}
    return found


def differ(search):
    """Assert that the candidates have different scores, so that to compare them says something."""
    means = next(v for k, v in search.cv_results_.items() if k.startswith("mean_test_"))
    assert len(set(means)) > 1
