"""Successive halving: scikit-learn's results, without training survivors again."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from searches import (
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
    learned,
    quietly,
    regressor,
)
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import HalvingGridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from xpnet import StackedHalvingSearchCV
from xpnet.optimizers import Adam, Cosine, Exponential
from xpnet.stacking.stack import Stack

RATES = [0.001, 0.003, 0.01, 0.03, 0.1]
GRID = {"learning_rate_init": RATES, "alpha": [0.0, 1.0]}
NAN = (FitFailedWarning, UserWarning, RuntimeWarning)


def halved(estimator=None, grid=GRID, y=THREE, **options):
    estimator = classifier(max_iter=18) if estimator is None else estimator
    return compare(estimator, grid, y=y, kind=StackedHalvingSearchCV, **options)


ESTIMATORS = {
    "adam": {},
    "sgd": {"solver": "sgd"},
    "momentum": {"solver": "sgd", "momentum": 0.9},
    "inverse scaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 2, "tol": 0.02},
    "plateau": {"learning_rate": "plateau", "n_iter_no_change": 2, "tol": 0.02},
    "cosine": {"learning_rate": "cosine"},
    "step": {"learning_rate": "step"},
    "a schedule": {"solver": Adam(Exponential(0.1, 0.9))},
    "a schedule with a length": {"solver": Adam(Cosine(0.1, 30))},
    "stopped early": {"early_stopping": True, "n_iter_no_change": 3},
    "tolerance": {"tol": 0.05, "n_iter_no_change": 1},
    "dropout": {"dropout": 0.3},
    "two layers": {"hidden_layer_sizes": (4, 3), "activation": "tanh"},
    "in order": {"shuffle": False, "batch_size": 41},
    "balanced": {"class_weight": "balanced"},
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_results_are_scikit_learns(name):
    found = halved(classifier(max_iter=18, **ESTIMATORS[name]))
    assert found.n_resources_ == [2, 6, 18]
    assert found.n_candidates_ == [10, 4, 2]
    assert found.cv_results_["stacked"].all()
    differ(found)


@pytest.mark.parametrize("y", [ONE, TARGETS], ids=["one output", "two"])
@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error"])
def test_regression(y, scoring):
    differ(halved(regressor(max_iter=18), y=y, scoring=scoring))


OPTIONS = {
    "another metric": {"scoring": "neg_log_loss"},
    "halves": {"factor": 2},
    "a part": {"factor": 1.5},
    "fewer": {"max_resources": 9},
    "from the smallest": {"min_resources": "smallest"},
    "from three": {"min_resources": 3},
    "aggressive": {"aggressive_elimination": True, "min_resources": 6},
    "no train scores": {"return_train_score": False},
    "not refitted": {"refit": False},
    "jobs": {"n_jobs": 2},
    "weights": {"fit": {"sample_weight": WEIGHTS}},
    "folds": {"cv": KFold(4, shuffle=True, random_state=1)},
    "little memory": {"memory": 1},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name):
    found = halved(y=NAMES, **OPTIONS[name])
    assert len(found.n_candidates_) > 1
    differ(found)


GRIDS = {
    "shapes": {"batch_size": [8, 16], "hidden_layer_sizes": [(4,), (3, 2)], "alpha": [0.0, 1.0]},
    "seeds": {"random_state": list(range(7))},
    "equal candidates": {"alpha": [0.0, 0.0, 1.0, 1.0, 0.0], "learning_rate_init": [0.01, 0.01]},
    "of several kinds": {
        "solver": ["adam", "sgd", "lbfgs"],
        "learning_rate": ["constant", "cosine", "step"],
    },
    "arrays": {"solver": [Adam(0.1), Adam(0.01)], "dropout": [(0.1,), 0.2], "alpha": [0.0, 1.0]},
    "a list": [{"alpha": [0.0, 1.0, 2.0]}, {"learning_rate_init": RATES}],
}


@pytest.mark.parametrize("name", GRIDS)
def test_grids(name):
    found = halved(grid=GRIDS[name], min_resources=2, ignored=NAN)  # lbfgs has no 'cosine'
    alone = [params.get("solver") == "lbfgs" for params in found.cv_results_["params"]]
    assert found.cv_results_["stacked"].tolist() == np.logical_not(alone).tolist()


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_equal_candidates_end_each_for_itself(patience):
    estimator = classifier(max_iter=18, tol=0.02, n_iter_no_change=patience)
    halved(estimator, GRIDS["equal candidates"], min_resources=2)


def test_a_pipeline():
    steps = make_pipeline(StandardScaler(), classifier(max_iter=18))
    resource = "mlpclassifier__max_iter"
    grid = {
        "standardscaler": [StandardScaler(), MinMaxScaler(), "passthrough"],
        "mlpclassifier__learning_rate_init": RATES,
    }
    options = {"resource": resource, "max_resources": 18}
    found = halved(steps, grid, **options)
    assert found.n_resources_ == [2, 6, 18]
    differ(found)
    search = StackedHalvingSearchCV(steps, grid, cv=3, resource=resource)
    assert learned(quietly(search, X, THREE)) == learned(found) | {
        "its parameters": learned(search)["its parameters"]
    }


@pytest.mark.parametrize("make", [classifier, regressor])
def test_samples_as_the_resource(make):
    y = TWO if make is classifier else ONE
    options = {
        "resource": "n_samples",
        "max_resources": "auto",
        "random_state": 3,
        "ignored": (UserWarning,),
    }
    found = halved(make(), y=y, min_resources=24, factor=2, **options)
    assert found.n_resources_ == [24, 48]
    differ(found)


def epochs_run(*args, **options):
    """The epochs of single nets that a search runs."""
    counted = []
    run = Stack.epoch

    def epoch(self, members):
        counted.append(len(members))
        return run(self, members)

    with mock.patch.object(Stack, "epoch", epoch):
        search = quietly(StackedHalvingSearchCV(*args, cv=3, refit=False, **options), X, THREE)
    return sum(counted), search


@pytest.mark.parametrize(
    ("options", "continued"),
    [
        ({}, True),
        ({"solver": "sgd", "learning_rate": "invscaling"}, True),
        ({"learning_rate": "plateau"}, True),
        ({"learning_rate": "cosine"}, False),
        ({"learning_rate": "step"}, False),
    ],
)
def test_survivors_go_on(options, continued):
    """From 2 to 6 and from 6 to 18 epochs, where a rate does not depend on the end."""
    n_epochs, search = epochs_run(classifier(max_iter=18, **options), GRID)
    assert search.n_candidates_ == [10, 4, 2]
    alone = 10 * 2 + 4 * 6 + 2 * 18
    assert n_epochs == 3 * (10 * 2 + 4 * 4 + 2 * 12 if continued else alone)
    lengths = [[history.n_epochs for history in own] for own in search.histories_]
    assert lengths == [[2] * 3] * 10 + [[6] * 3] * 4 + [[18] * 3] * 2


def test_what_has_stopped_does_not_go_on():
    n_epochs, search = epochs_run(classifier(max_iter=18, tol=9.0, n_iter_no_change=2), GRID)
    assert search.n_candidates_ == [10, 4, 2]
    assert n_epochs == 3 * (10 * 2 + 4 * 2)  # more than two epochs without improvement
    assert max(history.n_epochs for own in search.histories_ for history in own) == 4


def test_curves_of_survivors_are_those_of_fits_alone():
    search = StackedHalvingSearchCV(
        classifier(max_iter=18), GRID, cv=KFold(3), validation_curves=True
    )
    quietly(search, X, THREE)
    results = search.cv_results_
    for c, own in enumerate(search.histories_):
        for k, (train, _) in enumerate(KFold(3).split(X)):
            alone = quietly(classifier(**results["params"][c]), X[train], THREE[train])
            assert own[k].losses == alone.loss_curve_
            assert len(own[k].val_scores) == own[k].n_epochs == results["n_resources"][c]
            assert own[k].val_scores[-1] == results[f"split{k}_test_score"][c]


def test_earlier_histories_are_left_as_they_are():
    _, search = epochs_run(classifier(max_iter=18), GRID)
    first, last = search.histories_[:10], search.histories_[-1]
    assert all(history.n_epochs == 2 for own in first for history in own)
    starts = [own[0].losses for own in first]
    assert last[0].losses[:2] in starts


def test_candidates_that_diverge():
    grid = {"learning_rate_init": [0.003, 0.01, 0.03, 1e6, 1e3, 0.1], "alpha": [0.0, 0.01]}
    estimator = regressor(solver="sgd", max_iter=18)
    found = halved(estimator, grid, y=ONE, ignored=NAN)
    assert np.isnan(found.cv_results_["mean_test_score"]).any()
    halved(estimator, grid, y=ONE, ignored=NAN, error_score=-9.0)


def test_fits_that_fail_on_one_fold_come_again():
    weights = np.where(np.arange(62) < 20, 0.0, 1.0)
    cv = [(np.arange(20, 62), np.arange(40)), (np.arange(20), np.arange(20, 62))]
    halved(
        regressor(max_iter=18),
        {"learning_rate_init": RATES[:4]},
        y=ONE,
        cv=cv,
        fit={"sample_weight": weights},
        error_score=-1.0,
        ignored=NAN,
    )


def test_seeds_that_are_not_set():
    search = StackedHalvingSearchCV(classifier(max_iter=18, random_state=None), GRID, cv=3)
    quietly(search, X, THREE)
    assert search.n_candidates_ == [10, 4, 2]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_libraries(library):
    pytest.importorskip(library)
    options = {"max_iter": 18, "alpha": 0.1}
    expected, found = (
        quietly(StackedHalvingSearchCV(net, {"learning_rate_init": RATES}, cv=3), X, THREE)
        for net in (classifier(**options), classifier(backend=library, **options))
    )
    key = "mean_test_score"
    np.testing.assert_allclose(found.cv_results_[key], expected.cv_results_[key], atol=1e-3)


def test_the_most_epochs_are_the_estimators():
    search = quietly(StackedHalvingSearchCV(classifier(max_iter=7), GRID, cv=3), X, THREE)
    assert search.max_resources == "auto"
    theirs = HalvingGridSearchCV(
        classifier(max_iter=7), GRID, cv=3, resource="max_iter", max_resources=7
    )
    assert learned(quietly(theirs, X, THREE))["n_resources_"] == learned(search)["n_resources_"]
