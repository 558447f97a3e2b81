"""Scores of every kind: stacked predictions, scikit-learn's scorers, functions of one's own."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from searches import (
    LABELS,
    NAMES,
    ONE,
    TARGETS,
    THREE,
    TWO,
    WEIGHTS,
    X,
    classifier,
    compare,
    differ,
    regressor,
)
from sklearn.metrics import accuracy_score, make_scorer, mean_absolute_error, r2_score

from xpnet import StackedGridSearchCV
from xpnet.estimators.many import Pool
from xpnet.model_selection import scoring

GRID = {"learning_rate_init": [0.003, 0.03, 0.3], "alpha": [0.0, 0.5]}
NAMED = {
    "accuracy": (TWO, "accuracy"),
    "accuracy of texts": (NAMES, "accuracy"),
    "accuracy of labels": (LABELS, "accuracy"),
    "roc_auc": (TWO, "roc_auc"),
    "roc_auc of labels": (LABELS, "roc_auc"),
    "roc_auc_ovr": (THREE, "roc_auc_ovr"),
    "neg_log_loss": (NAMES, "neg_log_loss"),
    "neg_brier_score": (TWO, "neg_brier_score"),
    "balanced_accuracy": (NAMES, "balanced_accuracy"),
    "f1": (TWO, "f1"),
    "f1_macro": (NAMES, "f1_macro"),
    "f1_samples": (LABELS, "f1_samples"),
    "top": (THREE, "top_k_accuracy"),
}
OF_REGRESSION = ["r2", "neg_mean_squared_error", "explained_variance", "neg_median_absolute_error"]


@pytest.mark.parametrize("name", NAMED)
def test_scorers_of_classes(name):
    y, scorer = NAMED[name]
    ignored = (RuntimeWarning, UserWarning) if name in ("f1_samples", "f1", "f1_macro") else ()
    differ(compare(classifier(), GRID, y=y, scoring=scorer, ignored=ignored))


@pytest.mark.parametrize("name", OF_REGRESSION)
@pytest.mark.parametrize("y", [ONE, TARGETS], ids=["one output", "two"])
def test_scorers_of_regression(name, y):
    grid = {"learning_rate_init": [0.003, 0.03], "alpha": [0.0, 0.5]}
    differ(compare(regressor(), grid, y=y, scoring=name, return_train_score=True))


def plain_error(estimator, x, y):
    """One number."""
    return -float(np.mean(estimator.predict(x) != y))


def two_numbers(estimator, x, y):
    """Two of them."""
    right = estimator.predict(x) == y
    return {"share": right.mean(), "least": estimator.predict_proba(x).min()}


def fewest(results):
    """Choose the worst."""
    return int(np.argmin(results["mean_test_score"]))


def steadiest(results):
    return int(np.argmin(results["std_test_accuracy"]))


MANY = {"accuracy": "accuracy", "auc": "roc_auc", "loss": "neg_log_loss"}
REFITS = {
    "a list, by name": (["accuracy", "roc_auc"], "roc_auc"),
    "a tuple, not refitted": (("accuracy", "f1"), False),
    "a dict, by name": (MANY, "loss"),
    "a dict, by a function": (MANY, steadiest),
    "a dict, not refitted": (MANY, False),
    "a dict of scorers": ({"a": make_scorer(accuracy_score), "b": "balanced_accuracy"}, "b"),
    "accuracy twice": ({"a": "accuracy", "b": make_scorer(accuracy_score)}, "a"),
    "one of a dict": ({"a": "accuracy"}, "a"),
    "the estimator's own, by a function": (None, fewest),
    "the estimator's own, not refitted": (None, False),
    "a function": (plain_error, True),
    "a function, chosen by another": (plain_error, fewest),
    "a function of several, by name": (two_numbers, "least"),
    "a function of several, not refitted": (two_numbers, False),
    "a scorer with an option": (make_scorer(accuracy_score, normalize=False), True),
    "a scorer that is negated": (make_scorer(accuracy_score, greater_is_better=False), True),
}


@pytest.mark.parametrize("name", REFITS)
@pytest.mark.parametrize("train", [True, False], ids=["train score", "test score"])
def test_several_metrics_and_what_is_refitted(name, train):
    scorers, refit = REFITS[name]
    grid = {"learning_rate_init": [0.01, 0.3], "alpha": [0.0, 0.5]}
    found = compare(classifier(), grid, scoring=scorers, refit=refit, return_train_score=train)
    assert found.cv_results_["stacked"].all()
    assert hasattr(found, "best_estimator_") == (refit is not False)
    differ(found)


@pytest.mark.parametrize("y", [ONE, TARGETS], ids=["one output", "two"])
def test_several_metrics_of_regression(y):
    scorers = {"r2": "r2", "mae": make_scorer(mean_absolute_error, greater_is_better=False)}
    grid = {"learning_rate_init": [0.003, 0.03]}
    differ(compare(regressor(), grid, y=y, scoring=scorers, refit="mae", return_train_score=True))
    scorers = ["r2", "neg_mean_squared_error"]
    differ(compare(regressor(), grid, y=y, scoring=scorers, refit="r2"))


@pytest.mark.parametrize(
    ("scorers", "together"),
    [
        (None, True),
        ("accuracy", True),
        (["accuracy"], True),
        (make_scorer(accuracy_score), True),
        ("roc_auc", False),
        (["accuracy", "roc_auc"], False),
        (make_scorer(accuracy_score, normalize=False), False),
        (make_scorer(accuracy_score, greater_is_better=False), False),
        (make_scorer(accuracy_score, response_method=["decision_function", "predict"]), False),
        (make_scorer(r2_score), False),
    ],
)
def test_what_comes_from_stacked_predictions(scorers, together):
    """Estimators are made of fits only where a scorer wants them."""
    search = StackedGridSearchCV(classifier(), GRID, scoring=scorers, cv=3, refit=False)
    found, _ = search._get_scorers()
    assert (scoring.stacked_metrics(found, classifier()) is not None) == together
    if scorers in (None, "roc_auc"):
        with mock.patch.object(Pool, "fitted", autospec=True, side_effect=Pool.fitted) as made:
            compare(classifier(), GRID, scoring=scorers)
        assert made.call_count == (0 if together else 18)


@pytest.mark.parametrize("scorers", [None, "accuracy", "roc_auc", ["accuracy", "roc_auc"]])
def test_weights_in_scores(scorers):
    """scikit-learn hands its scorers the sample weights, since a version that it knows itself."""
    options = {"scoring": scorers, "refit": "roc_auc" if isinstance(scorers, list) else True}
    found = compare(
        classifier(), GRID, fit={"sample_weight": WEIGHTS}, return_train_score=True, **options
    )
    differ(found)


def failing(estimator, x, y):
    if estimator.alpha:
        raise ValueError("as it was asked to")
    return 1.0


def test_a_scorer_that_fails():
    grid = {"alpha": [0.0, 0.5]}
    found = compare(
        classifier(), grid, scoring=failing, error_score=-1.0, ignored=(UserWarning,), refit=False
    )
    assert found.cv_results_["mean_test_score"].tolist() == [1.0, -1.0]
    search = StackedGridSearchCV(classifier(), grid, scoring=failing, cv=3, error_score="raise")
    with (
        pytest.raises(ValueError, match="as it was asked to"),
        pytest.warns(match="6 of 6 fits reached max_iter"),
    ):
        search.fit(X, TWO)


def test_methods_of_a_search_that_is_fitted():
    found = compare(classifier(), GRID, y=NAMES)
    best = found.best_estimator_
    np.testing.assert_array_equal(found.predict(X), best.predict(X))
    np.testing.assert_array_equal(found.predict_proba(X), best.predict_proba(X))
    np.testing.assert_array_equal(found.predict_log_proba(X), best.predict_log_proba(X))
    assert found.score(X, NAMES) == best.score(X, NAMES) == found.scorer_(best, X, NAMES)
    assert found.n_features_in_ == 5
    assert found.refit_time_ > 0.0
