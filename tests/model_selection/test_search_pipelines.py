"""Pipelines that end with a net: their earlier steps are fitted once a fold."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pandas
import pytest
import scipy.sparse
from searches import (
    NAMES,
    ONE,
    SEARCHES,
    TARGETS,
    THREE,
    TWO,
    WEIGHTS,
    X,
    classifier,
    compare,
    differ,
    quietly,
    regressor,
)
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from xpnet import MLPClassifier, StackedGridSearchCV, StackedRandomizedSearchCV

RATES = [0.003, 0.03, 0.3]
WIDE = X * [1.0, 30.0, 0.1, 5.0, 1.0] + 3.0
"""What a scaler matters for."""


def scaled(net=None, scaler=None):
    return Pipeline([("scaler", scaler or StandardScaler()), ("net", net or classifier())])


GRIDS = {
    "the net": {"net__learning_rate_init": RATES, "net__alpha": [0.0, 1.0]},
    "the scaler": {"scaler__with_mean": [True, False], "net__learning_rate_init": RATES},
    "scalers": {"scaler": [StandardScaler(), MinMaxScaler(), "passthrough"], "net__alpha": [0, 1]},
    "nets": {"net": [classifier(), classifier(random_state=1, hidden_layer_sizes=(3, 2))]},
    "nets and theirs": {
        "net": [classifier(), classifier(learning_rate_init=0.1)],
        "net__batch_size": [8, 16],
    },
    "a list": [
        {"scaler": ["passthrough"], "net__batch_size": [8, 16]},
        {"scaler": [MinMaxScaler()], "scaler__feature_range": [(0, 1), (-1, 1)]},
        {"net__solver": ["lbfgs", "sgd"]},
    ],
    "nothing": {},
}


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_a_grid_over(name, scoring):
    found = compare(scaled(), GRIDS[name], WIDE, NAMES, scoring=scoring, return_train_score=True)
    alone = np.array([p.get("net__solver") == "lbfgs" for p in found.cv_results_["params"]])
    np.testing.assert_array_equal(found.cv_results_["stacked"], ~alone)
    if GRIDS[name]:
        differ(found)


@pytest.mark.parametrize("y", [ONE, TARGETS], ids=["one output", "two"])
def test_regression(y):
    grid = {"scaler": [StandardScaler(), None], "net__learning_rate_init": [0.003, 0.03]}
    differ(compare(scaled(regressor()), grid, X, y))


def test_several_steps_some_of_which_see_the_labels():
    steps = make_pipeline(StandardScaler(), SelectKBest(k=3), PCA(2, random_state=0), classifier())
    grid = {
        "selectkbest__k": [2, 4],
        "pca__n_components": [1, 2],
        "mlpclassifier__learning_rate_init": RATES,
    }
    found = compare(steps, grid, WIDE, NAMES)
    assert found.cv_results_["stacked"].all()
    differ(found)


def test_a_pipeline_within_another():
    inner = make_pipeline(StandardScaler(), PCA(random_state=0))
    outer = Pipeline([("prepare", inner), ("net", classifier())])
    grid = {"prepare__pca__n_components": [1, 3], "net__alpha": [0.0, 1.0]}
    differ(compare(outer, grid, WIDE, THREE))


@pytest.mark.parametrize("first", [[], ["passthrough"], [None]])
def test_a_pipeline_of_nothing_but_a_net(first):
    steps = make_pipeline(*first, classifier())
    differ(compare(steps, {"mlpclassifier__learning_rate_init": RATES}))


def test_steps_with_capital_letters():
    steps = Pipeline([("Scaler", StandardScaler()), ("MLP", classifier())])
    differ(compare(steps, {"MLP__alpha": [0.0, 3.0], "Scaler__with_std": [True, False]}, WIDE))


def test_another_estimator_at_the_end_is_fitted_alone():
    grid = {
        "net": [RidgeClassifier(), classifier()],
        "scaler": [StandardScaler(), MinMaxScaler()],
    }
    found = compare(scaled(), grid, WIDE, THREE)
    stacked = [isinstance(p["net"], MLPClassifier) for p in found.cv_results_["params"]]
    assert found.cv_results_["stacked"].tolist() == stacked
    assert len(set(stacked)) == 2


@pytest.mark.parametrize("weighted", ["net__sample_weight", "scaler__sample_weight", "both"])
def test_sample_weights_of_a_step(weighted):
    fit = {"net__sample_weight": WEIGHTS, "scaler__sample_weight": WEIGHTS[::-1]}
    if weighted != "both":
        fit = {weighted: fit[weighted]}
    grid = {"net__learning_rate_init": RATES, "scaler__with_mean": [True, False]}
    found = compare(scaled(), grid, WIDE, THREE, fit=fit)
    assert found.cv_results_["stacked"].all()
    plain = compare(scaled(), grid, WIDE, THREE, scoring="neg_log_loss")
    weighed = compare(scaled(), grid, WIDE, THREE, scoring="neg_log_loss", fit=fit)
    key = "mean_test_score"
    assert (plain.cv_results_[key] != weighed.cv_results_[key]).all()


def test_class_weight_and_sample_weight_of_a_step():
    grid = {"net__class_weight": [None, "balanced", {0: 3.0, 1: 1.0}]}
    fit = {"net__sample_weight": WEIGHTS}
    differ(compare(scaled(), grid, WIDE, TWO, fit=fit, scoring="neg_log_loss"))


class Counting(TransformerMixin, BaseEstimator):
    """Counts how often one of them is fitted."""

    fits = 0

    def fit(self, X, y=None):
        type(self).fits += 1
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X


def test_earlier_steps_are_fitted_once_a_fold_and_setting():
    grid = {"net__learning_rate_init": RATES, "net__alpha": [0.0, 1.0], "net__batch_size": [8, 16]}
    for settings, times in (({}, 3), ({"scaler": [Counting(), Counting()]}, 6)):
        with mock.patch.object(Counting, "fits", 0):
            search = StackedGridSearchCV(scaled(scaler=Counting()), grid | settings, cv=3)
            quietly(search.set_params(refit=False), X, TWO)
            assert Counting.fits == times


def test_values_drawn_at_random_for_earlier_steps():
    drawn = {"pca__n_components": [1, 2, 3], "mlpclassifier__learning_rate_init": RATES}
    steps = make_pipeline(StandardScaler(), PCA(random_state=0), classifier())
    options = {"kind": StackedRandomizedSearchCV, "n_iter": 6, "random_state": 0}
    differ(compare(steps, drawn, WIDE, THREE, **options))


def test_steps_that_make_sparse_matrices_or_frames():
    sparse = FunctionTransformer(scipy.sparse.csr_matrix)
    grid = {"scaler": [sparse, FunctionTransformer(scipy.sparse.csc_matrix), StandardScaler()]}
    grid["net__alpha"] = [0.0, 1.0]
    compare(scaled(), grid, np.where(X > 0.5, X, 0.0), THREE)
    frame = pandas.DataFrame(WIDE, columns=list("abcde"))
    steps = scaled().set_output(transform="pandas")
    found = compare(steps, {"net__alpha": [0.0, 1.0]}, frame, THREE)
    assert found.feature_names_in_.tolist() == list("abcde")
    assert found.best_estimator_[-1].feature_names_in_.tolist() == list("abcde")


NAN = (FitFailedWarning, UserWarning)


def test_settings_of_earlier_steps_that_fail():
    """Too many components fail in fit, and only for the candidates that have them."""
    steps = make_pipeline(PCA(random_state=0), classifier())
    grid = {"pca__n_components": [2, 50], "mlpclassifier__alpha": [0.0, 1.0, -1.0]}
    found = compare(steps, grid, error_score=-1.0, ignored=NAN, return_train_score=True)
    assert (found.cv_results_["mean_test_score"] == -1.0).tolist() == [0, 1, 0, 1, 1, 1]
    for kind in (StackedGridSearchCV, SEARCHES[StackedGridSearchCV]):
        with pytest.raises(ValueError, match="n_components=50"):
            quietly(kind(steps, grid, cv=3, error_score="raise"), X, TWO)


class Moody(BaseEstimator, TransformerMixin):
    """Fails with an error that is neither of value nor type."""

    def __init__(self, works=True):
        self.works = works

    def fit(self, X, y=None):
        if not self.works:
            raise RuntimeError("as it was asked to")
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X


def test_earlier_steps_that_fail_in_another_way():
    grid = {"scaler__works": [True, False], "net__alpha": [0.0, 1.0]}
    compare(scaled(scaler=Moody()), grid, error_score=-1.0, ignored=NAN)


def test_a_cache_of_the_pipeline(tmp_path):
    """scikit-learn's `memory` of a pipeline, not that of the search."""
    steps = Pipeline(scaled().steps, memory=str(tmp_path))
    found = compare(steps, {"net__learning_rate_init": RATES}, WIDE, THREE, memory=10**9)
    assert found.best_estimator_.memory == str(tmp_path)
