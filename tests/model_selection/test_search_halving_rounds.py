"""Successive halving: epochs that are run, resources, pipelines, callbacks and errors."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from searches import (
    LABELS,
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
    learned,
    quietly,
    regressor,
)
from sklearn.decomposition import FastICA
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from xpnet import EarlyStopping, LearningRateSchedule, Plateau, StackedHalvingSearchCV
from xpnet.estimators import many
from xpnet.optimizers import SGD, Adam
from xpnet.stacking import progress, stack

KINDS = [StackedHalvingSearchCV, SEARCHES[StackedHalvingSearchCV]]
GRID = {"learning_rate_init": [0.003, 0.03, 0.3], "alpha": [0.0, 0.1, 1.0]}
"""Nine candidates: 9, 3 and 1 are trained for 1, 3 and 9 epochs."""
EPOCHS = 3 * (9 * 1 + 3 * 2 + 1 * 6)
"""Those of three folds, none of them trained twice."""
NAN = (FitFailedWarning, UserWarning, RuntimeWarning)


def net(make=classifier, **options):
    return make(**{"max_iter": 9, "n_iter_no_change": 30} | options)


def halve(estimator, grid=GRID, y=THREE, **options):
    found = compare(estimator, grid, y=y, kind=StackedHalvingSearchCV, **options)
    differ(found)
    return found


def lengths(search):
    return np.array([[history.n_epochs for history in own] for own in search.histories_])


def candidates(search):
    """The candidates in words, without their epochs, in the order of `cv_results_`."""
    all_params = search.cv_results_["params"]
    return [repr(sorted((n, v) for n, v in p.items() if n != "max_iter")) for p in all_params]


def longest(search):
    """The epochs of each candidate's longest fits, of all folds together."""
    return sum(dict(zip(candidates(search), lengths(search).sum(axis=1), strict=True)).values())


@pytest.fixture
def run(monkeypatch):
    """How many nets have run in each epoch of each stack."""
    counted, epoch = [], stack.Stack.epoch

    def spy(self, members):
        counted.append(len(members))
        return epoch(self, members)

    monkeypatch.setattr(stack.Stack, "epoch", spy)
    return counted


RULES = ["constant", "invscaling", "adaptive"]


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    ("solver", "rate"), [*(("sgd", rule) for rule in RULES), ("adam", "constant")]
)
def test_survivors_go_on(solver, rate, early_stopping, run):
    found = halve(net(solver=solver, learning_rate=rate, early_stopping=early_stopping))
    assert (found.n_candidates_, found.n_resources_) == ([9, 3, 1], [1, 3, 9])
    assert sum(run) == EPOCHS
    assert found.cv_results_["stacked"].all()


@pytest.mark.parametrize("rate", ["constant", "adaptive"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_fits_that_end_early(early_stopping, rate, run):
    """They stay as they are, while the others go on."""
    options = {"n_iter_no_change": 1, "tol": 0.03, "learning_rate": rate, "solver": "sgd"}
    found = halve(net(early_stopping=early_stopping, max_iter=27, **options))
    assert (lengths(found)[-1] < 27).any()
    assert sum(run) == longest(found)


CASES = {
    "targets": (net(regressor), GRID, TARGETS, {"scoring": "neg_mean_absolute_error"}),
    "labels": (net(), GRID, LABELS, {"cv": KFold(3)}),
    "batches": (net(), {"batch_size": [8, 16, 100], "alpha": [0.0, 0.1, 1.0]}, TWO, {"cv": 4}),
    "weights of errors": (net(regressor), GRID, ONE, {"fit": {"sample_weight": WEIGHTS}}),
    "generators": (net(), {"random_state": [0, 1, np.random.RandomState(3)]}, THREE, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_results(name):
    estimator, grid, y, options = CASES[name]
    found = halve(estimator, grid, y, ignored=(UserWarning,), **options)
    assert found.cv_results_["stacked"].all()
    assert found.n_iterations_ > 1


PLANS = {
    "two": ({"factor": 2}, [9, 5, 3, 2], [1, 2, 4, 8]),
    "a fraction": ({"factor": 2.5, "max_resources": 12}, [9, 4, 2], [1, 2, 6]),
    "smallest": ({"max_resources": 20, "min_resources": "smallest"}, [9, 3, 1], [1, 3, 9]),
    "a number": ({"min_resources": 2}, [9, 3], [2, 6]),
    "aggressive": ({"min_resources": 2, "aggressive_elimination": True}, [9, 3, 1], [2, 2, 6]),
    "all at once": ({"min_resources": 4}, [9], [4]),
    "longer": ({"max_resources": 18}, [9, 3, 1], [2, 6, 18]),
}


@pytest.mark.parametrize("name", PLANS)
def test_resources(name, run):
    options, n_candidates, n_resources = PLANS[name]
    found = halve(net(early_stopping=name == "aggressive"), **options)
    assert (found.n_candidates_, found.n_resources_) == (n_candidates, n_resources)
    assert sum(run) == 3 * np.dot(n_candidates, np.diff(n_resources, prepend=0))
    assert found.max_resources == options.get("max_resources", "auto")
    assert found.max_resources_ == options.get("max_resources", 9)


SCHEDULES = {
    "names": {"learning_rate": ["exponential", "inverse_time", "plateau"]},
    "of solvers": {"solver": [Adam(Plateau(0.1, patience=0, min_delta=0.1)), SGD(0.1)]},
    "a callback": {"callbacks": [[LearningRateSchedule(lambda epoch, _: 0.1 * 0.8**epoch)], None]},
    "stops": {"callbacks": [[EarlyStopping(monitor="losses", patience=1, min_delta=0.02)], None]},
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_that_do_not_depend_on_the_length(name, run):
    found = halve(net(), SCHEDULES[name] | {"alpha": [0.0, 1.0]})
    assert sum(run) == longest(found)


@pytest.mark.parametrize("rate", ["cosine", "step"])
def test_rates_that_depend_on_the_length(rate, run):
    """Such candidates are trained anew, beside others that go on."""
    grid = {"learning_rate": ["constant", rate], "alpha": [0.0, 1.0]}
    found = halve(net(), grid, factor=1.5)
    assert len({params["learning_rate"] for params in found.cv_results_["params"][4:]}) == 2
    assert longest(found) < sum(run) < lengths(found).sum()


STEPS = {
    "the net's": ({"net__" + name: values for name, values in GRID.items()}, EPOCHS),
    "all": ({"scale__feature_range": [(0, 1), (-3, 3)], "net__alpha": [0.0, 0.1, 9.0]}, 3 * 30),
    "swapped": ({"scale": ["passthrough", MinMaxScaler()], "net": [net(), net(alpha=9.0)]}, 3 * 24),
}


@pytest.mark.parametrize("name", STEPS)
def test_pipelines(name, run):
    grid, epochs = STEPS[name]
    steps = Pipeline([("scale", MinMaxScaler()), ("net", net())])
    options = {"resource": "net__max_iter", "cv": 3}
    found = StackedHalvingSearchCV(steps, grid, **options)
    expected = SEARCHES[StackedHalvingSearchCV](steps, grid, max_resources=9, **options)
    for search in (found, expected):
        quietly(search, X, THREE, net__sample_weight=WEIGHTS)
    differ(found)
    assert learned(found) == learned(expected)
    assert sum(run) == epochs
    assert found.cv_results_["stacked"].all()


@pytest.mark.parametrize("resource", ["n_samples", "batch_size"])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_another_resource(make, resource, run):
    estimator, y = net(make, early_stopping=make is regressor), THREE if make is classifier else ONE
    options = {"max_resources": 60, "min_resources": 20, "random_state": 0}
    found = halve(estimator, y=y, resource=resource, ignored=(UserWarning,), **options)
    assert found.n_resources_ == [20, 60]
    assert sum(run) == 3 * 9 * (9 + 3)


def test_candidates_that_are_fitted_alone(run):
    grid = {"solver": ["lbfgs", "adam"], "alpha": [0.1, 1.0]}
    found = halve(net(learning_rate_init=0.1), grid, factor=1.4, min_resources=3)
    stacked = np.array([params["solver"] == "adam" for params in found.cv_results_["params"]])
    np.testing.assert_array_equal(found.cv_results_["stacked"], stacked)
    assert len(set(stacked[4:])) == 2
    assert [own == [None] * 3 for own in found.histories_] == (~stacked).tolist()
    ends = {c: found.histories_[i] for i, c in enumerate(candidates(found)) if stacked[i]}
    assert sum(run) == sum(history.n_epochs for own in ends.values() for history in own)


def test_without_a_seed(run):
    search = StackedHalvingSearchCV(net(random_state=None), GRID, cv=3)
    for _ in range(2):  # it remembers nothing of the first time
        run.clear()
        quietly(search, X, THREE)
        assert sum(run) == EPOCHS
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    first = {history.losses[0] for own in search.histories_ for history in own}
    assert len(first) == 9 * 3  # each begins differently, and none begins anew


def told(estimator, x, y):
    """A score of what a fitted estimator says of its fit."""
    scores = estimator.validation_scores_ if estimator.early_stopping else [0.0]
    curve = sum(estimator.loss_curve_) + sum(scores)
    counts = estimator.n_iter_ + estimator.t_ / 1000.0 + estimator.max_iter
    return estimator.score(x, y) + curve / 1000.0 + counts + estimator.loss_


@pytest.mark.parametrize("early_stopping", [False, True])
def test_scorers_see_fitted_estimators(early_stopping):
    options = {"n_iter_no_change": 3, "tol": 0.01, "early_stopping": early_stopping}
    halve(net(**options), scoring=told, min_resources=3, aggressive_elimination=True)


def test_survivors_that_diverge(run):
    """What is well in the beginning fails later, once for all; its neighbour goes on."""
    estimator = net(regressor, solver="sgd", batch_size=62)
    plan = {"factor": 1.3, "min_resources": 4, "error_score": -1e300, "ignored": NAN}
    found = halve(estimator, {"learning_rate_init": [10.0, 0.01]}, ONE, **plan)
    assert found.n_resources_ == [4, 5, 6]
    failed = [False, False, True, False, True, False]
    assert (found.cv_results_["mean_test_score"] == -1e300).tolist() == failed
    assert (lengths(found)[-1] == 6).all()


WRONG = {
    "unknown": ({"resource": "epochs"}, "Cannot use resource=epochs"),
    "samples": (
        {"resource": "n_samples", "max_resources": 99, "min_resources": 98},
        "Cannot sample",
    ),
    "too few": ({"min_resources": 10}, "min_resources_=10 is greater than max_resources_=9"),
    "searched": ({"param_grid": {"max_iter": [1, 2]}}, "part of the searched parameters"),
    "no candidates": ({"param_grid": []}, None),
    "no values": ({"param_grid": {"alpha": []}}, "alpha"),
    "several metrics": ({"scoring": ["accuracy", "roc_auc"]}, "The 'scoring' parameter of"),
    "folds that change": ({"cv": KFold(3, shuffle=True)}, "must yield consistent folds"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong(name, kind):
    options, message = WRONG[name]
    given = {"resource": "max_iter", "max_resources": 9, "random_state": 0}
    search = kind(net(), GRID, cv=3).set_params(**given | options)
    with (
        mock.patch.object(many, "train", side_effect=AssertionError("something was trained")),
        pytest.raises(ValueError, match=message),
    ):
        quietly(search, X, TWO)


@pytest.mark.parametrize("name", ["Cosine", "STEP"])
def test_schedules_in_capital_letters(name):
    halve(net(solver="sgd", learning_rate=name))


def test_the_iterations_of_another_step():
    ica = FastICA(n_components=3, random_state=0, tol=1e-12, whiten="unit-variance")
    steps = Pipeline([("ica", ica), ("net", classifier())])
    grid = {"net__" + name: values for name, values in GRID.items()}
    options = {"resource": "ica__max_iter", "max_resources": 20, "ignored": (UserWarning,)}
    halve(steps, grid, **options)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_bar_counts_the_epochs_that_are_run(n_jobs, monkeypatch):
    bars = []

    class Spy(progress.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options | {"disable": True})
            bars.append([options["total"], 0])

        def update(self, n=1):
            bars[-1][1] += n

    monkeypatch.setattr(progress, "tqdm", Spy)
    search = StackedHalvingSearchCV(net(), GRID, cv=3, n_jobs=n_jobs, progress=True)
    quietly(search, X, THREE)
    assert bars == [[n, n] for n in (3 * 9 * 1, 3 * 3 * 2, 3 * 1 * 6)]


def test_a_number_of_epochs_that_is_none():
    with pytest.raises(TypeError, match="max_iter='many' must be an integer"):
        quietly(StackedHalvingSearchCV(net(max_iter="many"), GRID), X, THREE)
