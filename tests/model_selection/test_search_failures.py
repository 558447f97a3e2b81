"""Fits that fail: `error_score`, warnings, and neighbours that go on."""

from __future__ import annotations

import re

import numpy as np
import pytest
from searches import ONE, SEARCHES, TWO, X, classifier, compare, quietly, regressor
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning

from xpnet import StackedGridSearchCV, StackedRandomizedSearchCV

DIVERGING = {"learning_rate_init": [0.003, 1e6, 0.03], "alpha": [0.0, 0.01]}
NAN = (FitFailedWarning, UserWarning, RuntimeWarning)


def diverging(**options):
    return regressor(**{"solver": "sgd", "max_iter": 8, **options})


@pytest.mark.parametrize("error_score", [np.nan, -7.5, -8])
@pytest.mark.parametrize(
    "scoring", [None, "neg_mean_squared_error", ["r2", "neg_mean_absolute_error"]]
)
def test_candidates_that_diverge(error_score, scoring):
    refit = "r2" if isinstance(scoring, list) else True
    found = compare(
        diverging(),
        DIVERGING,
        y=ONE,
        error_score=error_score,
        scoring=scoring,
        refit=refit,
        return_train_score=True,
        ignored=NAN,
    )
    means = found.cv_results_["mean_test_" + ("r2" if scoring and refit == "r2" else "score")]
    wrong = np.array([p["learning_rate_init"] == 1e6 for p in found.cv_results_["params"]])
    np.testing.assert_array_equal(means[wrong], error_score)
    assert np.isfinite(means[~wrong]).all()
    assert found.cv_results_["stacked"].all()
    lengths = np.array([[history.n_epochs for history in own] for own in found.histories_])
    assert (lengths[wrong] < 8).all()
    assert (lengths[~wrong] == 8).all()


def test_the_neighbours_of_a_fit_that_diverges_are_as_without_it():
    options = {"cv": 3, "refit": False, "error_score": -7.5}
    with_it = quietly(StackedGridSearchCV(diverging(), DIVERGING, **options), X, ONE, *NAN)
    rest = DIVERGING | {"learning_rate_init": [0.003, 0.03]}
    without = quietly(StackedGridSearchCV(diverging(), rest, **options), X, ONE)
    params = with_it.cv_results_["params"]
    chosen = [params.index(p) for p in without.cv_results_["params"]]
    for k in range(3):
        key = f"split{k}_test_score"
        assert with_it.cv_results_[key][chosen].tolist() == without.cv_results_[key].tolist()


@pytest.mark.parametrize("callable_score", [False, True])
def test_what_is_said_of_fits_that_diverge(callable_score):
    def several(estimator, x, y):
        return {"a": estimator.score(x, y), "b": 0.0}

    options = {"scoring": several, "refit": "a"} if callable_score else {}
    compare(diverging(), DIVERGING, y=ONE, error_score=-1.0, ignored=NAN, **options)
    search = StackedGridSearchCV(diverging(), DIVERGING, cv=3, error_score=-1.0, **options)
    with (
        pytest.warns(FitFailedWarning, match="6 fits failed out of a total of 18") as told,
        pytest.warns(ConvergenceWarning, match="12 of 18 fits reached max_iter"),
        pytest.warns(ConvergenceWarning, match="hasn't converged"),  # of the refit
    ):
        search.fit(X, ONE)
    text = next(str(w.message) for w in told if w.category is FitFailedWarning)
    assert "Try a smaller learning rate" in text


def test_a_fit_that_diverges_raises_where_that_is_asked_for():
    for kind in (StackedGridSearchCV, SEARCHES[StackedGridSearchCV]):
        search = kind(diverging(), DIVERGING, cv=3, error_score="raise")
        with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
            quietly(search, X, ONE)


@pytest.mark.parametrize("kind", [StackedGridSearchCV, SEARCHES[StackedGridSearchCV]])
@pytest.mark.parametrize("grid", [{"learning_rate_init": [1e6, 1e7]}, {"alpha": [-1.0, "much"]}])
def test_all_fits_fail(kind, grid):
    with pytest.raises(ValueError, match="All the 6 fits failed"):
        quietly(kind(diverging(), grid, cv=3), X, ONE)


def test_early_stopping_keeps_good_parameters_of_a_fit_that_diverges():
    grid = {"learning_rate_init": [0.01, 30.0], "random_state": [0, 1]}
    estimator = diverging(early_stopping=True)
    for scoring in (None, "neg_mean_squared_error"):
        compare(estimator, grid, y=ONE, scoring=scoring, refit=scoring is None)


@pytest.mark.parametrize("rate", [1e60, 1e120, 1e160])
@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error"])
def test_parameters_too_large_to_predict_with(rate, scoring):
    """After one step the loss is still finite, but not what the net predicts."""
    estimator = regressor(solver="sgd", batch_size=41, max_iter=1)
    grid = {"learning_rate_init": [0.01, rate]}
    for error_score in (np.nan, -1e9):
        options = {"scoring": scoring, "error_score": error_score, "ignored": NAN}
        compare(estimator, grid, y=ONE, cv=[(np.arange(41), np.arange(41, 62))], **options)


INVALID = {
    "negative": {"alpha": [0.1, -1.0]},
    "another type": {"max_iter": [3, "many"]},
    "unknown": {"solver": ["adam", "adm", "sgd"]},
    "first": {"hidden_layer_sizes": [0, (3,)]},
    "several": {"learning_rate": ["constant", "quickly"], "momentum": [2.0, 0.9]},
    "labels": {"loss": ["squared_error", "poisson"]},
    "too few to stop early": {"early_stopping": [False, True], "validation_fraction": [0.01]},
    "of L-BFGS": {"solver": ["lbfgs"], "alpha": [0.1, -1.0]},
}


@pytest.mark.parametrize("name", INVALID)
def test_values_that_will_not_do(name):
    """They fail where they are asked for; the others are fitted."""
    found = compare(
        regressor(), INVALID[name], y=ONE, error_score=-9.0, ignored=NAN, return_train_score=True
    )
    means = found.cv_results_["mean_test_score"]
    assert (means == -9.0).any()
    assert (means > -9.0).any()


@pytest.mark.parametrize("name", INVALID)
def test_values_that_will_not_do_raise(name):
    for kind in (StackedGridSearchCV, SEARCHES[StackedGridSearchCV]):
        search = kind(regressor(), INVALID[name], cv=3, error_score="raise")
        with pytest.raises((ValueError, TypeError)) as told:
            quietly(search, X, ONE)
        if kind is StackedGridSearchCV:
            message = str(told.value)
    assert message == str(told.value)


def test_nan_scores_are_ranked_last():
    grid = {"alpha": [-1.0, 0.1, 1.0]}
    found = compare(classifier(), grid, ignored=NAN)
    assert found.cv_results_["rank_test_score"][0] == 3
    assert np.isnan(found.cv_results_["mean_test_score"][0])
    with pytest.warns(FitFailedWarning, match=re.escape("alpha=-1.0 must be at least 0")):
        quietly(StackedGridSearchCV(classifier(), grid, cv=3), X, TWO, UserWarning)


def test_random_search_with_failures():
    drawn = {"learning_rate_init": [0.01, 1e6, 0.02], "alpha": [0.1, -1.0]}
    options = {"n_iter": 5, "random_state": 0, "error_score": -2.0, "ignored": NAN}
    compare(diverging(), drawn, y=ONE, kind=StackedRandomizedSearchCV, **options)
