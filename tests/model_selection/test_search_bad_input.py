"""What is wrong with a search is said before anything is trained."""

from __future__ import annotations

import re
from unittest import mock

import numpy as np
import pytest
from searches import ONE, THREE, TWO, X, classifier, compare, quietly, regressor
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from xpnet import (
    EarlyStopping,
    Plateau,
    StackedGridSearchCV,
    StackedHalvingSearchCV,
    StackedRandomizedSearchCV,
)
from xpnet.estimators import many
from xpnet.optimizers import Adam

GRID = {"alpha": [0.0, 1.0]}
IN_ORDER = np.argsort(THREE, kind="stable")


def fit(x, y, *, kind=StackedGridSearchCV, estimator=None, grid=GRID, params=None, **options):
    search = kind(classifier() if estimator is None else estimator, grid, cv=options.pop("cv", 3))
    search.set_params(**options)
    with mock.patch.object(many, "train", side_effect=AssertionError("something was trained")):
        search.fit(x, y, **(params or {}))


CASES = {
    "another estimator": (
        {"estimator": LogisticRegression()},
        TypeError,
        "must be xpnet's MLPClassifier or MLPRegressor",
    ),
    "a pipeline of another": (
        {"estimator": make_pipeline(LogisticRegression())},
        TypeError,
        "a Pipeline that ends with one",
    ),
    "no candidates": ({"grid": []}, ValueError, "param_grid=[] is empty"),
    "no values": ({"grid": {"alpha": []}}, ValueError, "'alpha'"),
    "an unknown name": (
        {"grid": {"alfa": [1.0]}},
        ValueError,
        "param_grid: parameter='alfa' is unknown. Did you mean 'alpha'?",
    ),
    "an unknown name, drawn": (
        {"grid": {"alfa": [1.0]}, "kind": StackedRandomizedSearchCV, "n_iter": 1},
        ValueError,
        "param_distributions: parameter='alfa' is unknown",
    ),
    "an unknown name of a step": (
        {"estimator": make_pipeline(classifier()), "grid": {"mlpclassifier__alfa": [1.0]}},
        ValueError,
        "Did you mean 'mlpclassifier__alpha'?",
    ),
    "a fold without a class": (
        {"x": X[IN_ORDER], "y": THREE[IN_ORDER], "cv": KFold(3)},
        ValueError,
        "Fold 0 trains on no sample of class 0",
    ),
    "probabilities of a regressor": (
        {"estimator": regressor(), "y": ONE, "scoring": "neg_log_loss"},
        ValueError,
        "scoring 'score' needs predict_proba, which MLPRegressor lacks",
    ),
    "one of several metrics": (
        {"estimator": regressor(), "y": ONE, "scoring": ["r2", "roc_auc"], "refit": "r2"},
        ValueError,
        "scoring 'roc_auc' needs",
    ),
    "an unknown metric": ({"scoring": "acuracy"}, ValueError, "scoring"),
    "refit of several metrics": (
        {"scoring": ["accuracy", "roc_auc"]},
        ValueError,
        "refit",
    ),
    "memory": ({"memory": 0}, ValueError, "memory=0 must be at least 1"),
    "memory in words": ({"memory": "1 GB"}, TypeError, "memory='1 GB' must be an integer"),
    "progress": ({"progress": 2}, TypeError, "progress=2 must be True, False or a text"),
    "curves": (
        {"validation_curves": "yes"},
        TypeError,
        "validation_curves='yes' must be True or False",
    ),
    "jobs": ({"n_jobs": "two"}, (TypeError, ValueError), "'n_jobs' parameter"),
    "samples": ({"x": X[:-1]}, ValueError, "inconsistent numbers of samples"),
    "weights": ({"params": {"sample_weight": -np.ones(62)}}, ValueError, "sample_weight"),
    "more than weights": (
        {"params": {"validation_data": (X, TWO)}},
        (ValueError, TypeError),
        "validation_data",
    ),
    "curves that are followed": (
        {"validation_curves": True, "estimator": classifier(callbacks=[EarlyStopping()])},
        ValueError,
        "they might follow the test folds",
    ),
    "a plateau of test folds": (
        {"validation_curves": True, "estimator": classifier(learning_rate="plateau")},
        ValueError,
        "'plateau' would follow the test folds",
    ),
    "a solver's plateau": (
        {"validation_curves": True, "grid": {"solver": [Adam(Plateau(0.1))]}},
        ValueError,
        "'plateau' would follow the test folds",
    ),
    "halving: resource": (
        {"kind": StackedHalvingSearchCV, "resource": "epochs"},
        ValueError,
        "epochs",
    ),
    "halving: resource of a pipeline": (
        {
            "kind": StackedHalvingSearchCV,
            "estimator": make_pipeline(classifier()),
            "grid": {"mlpclassifier__alpha": [0.0, 1.0]},
        },
        ValueError,
        "its net's is 'mlpclassifier__max_iter'",
    ),
    "halving: several metrics": (
        {"kind": StackedHalvingSearchCV, "scoring": ["accuracy", "roc_auc"]},
        ValueError,
        "scoring",
    ),
    "halving: a searched resource": (
        {"kind": StackedHalvingSearchCV, "grid": {"max_iter": [3, 9]}},
        ValueError,
        "max_iter",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name):
    options, kind, message = CASES[name]
    given = {"x": X, "y": TWO} | options
    with pytest.raises(kind, match=re.escape(message)):
        fit(given.pop("x"), given.pop("y"), **given)


class Choosy(TransformerMixin, BaseEstimator):
    """Fails on one fold alone."""

    def __init__(self, least=0.0):
        self.least = least

    def fit(self, X, y=None):
        if np.min(X[:, 0]) > self.least:
            raise ValueError("too little")
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X


def test_an_earlier_step_that_fails_on_one_fold():
    """The others of that candidate are fitted, as in a search without stacks."""
    lowest = [np.min(np.delete(X, test, axis=0)[:, 0]) for _, test in KFold(3).split(X)]
    grid = {"choosy__least": [0.0, float(min(lowest)) + 1e-9], "mlpclassifier__alpha": [0.0, 1.0]}
    found = compare(
        make_pipeline(Choosy(), classifier()),
        grid,
        cv=KFold(3),
        error_score=-1.0,
        ignored=(FitFailedWarning, UserWarning),
    )
    failed = sum(found.cv_results_[f"split{k}_test_score"][2] == -1.0 for k in range(3))
    assert 0 < failed < 3
    assert found.cv_results_["stacked"].tolist() == [True, True, False, False]


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_fold_whose_samples_all_count_for_nothing(wrong):
    weights = np.where(np.arange(62) < 20, 0.0, 1.0)
    cv = [(np.arange(20, 62), np.arange(40)), (np.arange(20, 62), np.arange(40))]
    cv[wrong] = np.arange(20), np.arange(20, 62)
    found = compare(
        regressor(),
        GRID,
        y=ONE,
        cv=cv,
        fit={"sample_weight": weights},
        error_score=-1.0,
        ignored=(FitFailedWarning, UserWarning),
    )
    assert (found.cv_results_[f"split{wrong}_test_score"] == -1.0).all()
    assert (found.cv_results_[f"split{1 - wrong}_test_score"] != -1.0).all()
    assert not found.cv_results_["stacked"].any()


def test_error_score_raise_trains_nothing_before_a_wrong_value():
    with pytest.raises(ValueError, match=r"alpha=-1\.0"):
        fit(X, TWO, grid={"alpha": [0.0, -1.0]}, error_score="raise")


def test_one_warning_of_large_batches():
    search = StackedGridSearchCV(classifier(batch_size=60), GRID, cv=3, refit=False)
    with pytest.warns(UserWarning, match="larger than sample size") as told:
        quietly(search, X, TWO)
    assert len(told) == 1
    assert told[0].filename.endswith("searches.py")
