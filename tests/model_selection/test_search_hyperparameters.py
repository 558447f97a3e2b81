"""Whatever a grid varies: the results are those of scikit-learn's search."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from scipy.stats import loguniform
from searches import ONE, TARGETS, THREE, TWO, X, classifier, compare, differ, regressor

from xpnet import (
    SGD,
    Adam,
    Cosine,
    Plateau,
    StackedRandomizedSearchCV,
    StepDecay,
)
from xpnet.stacking import training

RATES = [0.003, 0.03, 0.3]
GRIDS = {
    "rates and penalties": {"learning_rate_init": RATES, "alpha": [0.0, 0.1, 3.0]},
    "seeds": {"random_state": [0, 1, 2, 7]},
    "batches": {"batch_size": [1, 5, 16, 200, "auto"], "learning_rate_init": [0.03, 0.1]},
    "order": {"shuffle": [True, False], "batch_size": [9, 16]},
    "layers": {"hidden_layer_sizes": [3, (4, 3), (6,), [2, 2, 2]]},
    "activations": {"activation": ["tanh", "relu", "logistic", "identity", "leaky_relu"]},
    "solvers": {"solver": ["sgd", "adam", "adamw", "rmsprop", "lion"], "alpha": [0.0, 0.1]},
    "optimizers": {"solver": [SGD(0.1), Adam(Cosine(0.1, total=5)), SGD(0.5, momentum=0.9)]},
    "momenta": {"solver": ["sgd"], "momentum": [0.0, 0.5, 0.9, 1.0], "learning_rate_init": [0.05]},
    "nesterov": {"solver": ["sgd"], "nesterovs_momentum": [True, False], "momentum": [0.0, 0.8]},
    "betas": {"beta_1": [0.0, 0.5, 0.9], "beta_2": [0.9, 0.999], "epsilon": [1e-8, 0.1]},
    "dropout": {"dropout": [0.0, 0.2, 0.5], "random_state": [0, 3]},
    "dropout of layers": {
        "hidden_layer_sizes": [(4, 3)],
        "dropout": [0.0, 0.3, (0.3, 0.0), (0.0, 0.3)],
    },
    "norms": {"max_norm": [None, 0.1, 1.0], "learning_rate_init": [0.1]},
    "rates by rule": {
        "solver": ["sgd"],
        "learning_rate": ["constant", "invscaling", "adaptive"],
        "power_t": [0.2, 0.5],
        "learning_rate_init": [0.5],
    },
    "schedules": {
        "learning_rate": ["cosine", "step", "exponential", "inverse_time", "plateau"],
        "learning_rate_init": [0.03, 0.3],
    },
    "schedules handed in": {
        "learning_rate": [Cosine(0.3, total=3), StepDecay(0.2, every=2), Plateau(0.1, patience=0)]
    },
    "lengths": {"max_iter": [1, 3, 8], "learning_rate_init": [0.03, 0.3]},
    "penalty of scikit-learn's and another": {
        "alpha_scaling": ["batch", "none"],
        "alpha": [0.0, 0.01],
    },
    "all in one": [
        {"hidden_layer_sizes": [(3,), (5, 2)], "batch_size": [7, 16], "solver": ["sgd", "adam"]},
        {"activation": ["tanh", "logistic"], "alpha": [0.0, 0.5], "dropout": [0.0, 0.3]},
        {"learning_rate_init": [0.1], "max_iter": [2, 4], "early_stopping": [True, False]},
    ],
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_over(name):
    clipped = (UserWarning,) if name == "batches" else ()
    found = compare(classifier(learning_rate_init=0.05), GRIDS[name], y=THREE, ignored=clipped)
    assert found.cv_results_["stacked"].all()
    differ(found)


@pytest.mark.parametrize("y", [ONE, TARGETS], ids=["one output", "two"])
def test_a_grid_of_regression(y):
    losses = ["squared_error", "absolute_error", "huber"]
    grid = {"learning_rate_init": [0.003, 0.03], "loss": losses, "solver": ["adam", "sgd"]}
    found = compare(regressor(), grid, y=y)
    assert found.cv_results_["stacked"].all()
    differ(found)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_grid_over_types(dtype):
    """X has its own type for each candidate, whichever comes first."""
    for types in ([None, "float32", "float64"], ["float32", "float64", None]):
        x = X.astype(dtype)
        differ(compare(regressor(), {"dtype": types, "alpha": [0.1, 1.0]}, x, ONE))


WEIGHTS_OF_CLASSES = {
    "class_weight": [None, "balanced", {0: 1.0, 1: 4.0, 2: 0.5}],
    "learning_rate_init": [0.03, 0.1],
}


def test_a_grid_over_weights_of_classes():
    unequal = np.where(np.arange(62) % 2, THREE, 0)
    differ(compare(classifier(), WEIGHTS_OF_CLASSES, y=unequal))


def test_what_has_one_shape_is_one_stack():
    """62 samples in 3 folds: two train on 41, one on 42; each batch size is a stack of its own."""
    grid = {"batch_size": [8, 16], "learning_rate_init": RATES, "alpha": [0.1, 0.2]}
    with mock.patch.object(training, "train_stack", wraps=training.train_stack) as trained:
        compare(classifier(), grid)
    assert [len(call.args[0]) for call in trained.call_args_list] == [12, 6, 12, 6]


STOPPING = {"tol": 1e-2, "n_iter_no_change": 2, "max_iter": 15}


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_models_that_stop_at_different_epochs_leave_the_stack(solver):
    grid = {"learning_rate_init": [1e-4, 0.01, 0.1, 0.5], "tol": [1e-3, 0.03]}
    found = compare(classifier(solver=solver, **STOPPING), grid)
    lengths = {history.n_epochs for own in found.histories_ for history in own}
    assert len(lengths) > 4
    assert min(lengths) < 15


@pytest.mark.parametrize(
    "options",
    [
        {"solver": "adam"},
        {"solver": "sgd", "learning_rate": "adaptive", "max_iter": 40},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"learning_rate": "cosine"},
        {"dropout": 0.2, "class_weight": "balanced"},
    ],
)
def test_early_stopping(options):
    """Each has a validation set of its own seed, and ends with its best parameters."""
    grid = {
        "random_state": [0, 1, 2],
        "learning_rate_init": [0.01, 0.3],
        "validation_fraction": [0.2, 0.3],
    }
    found = compare(classifier(early_stopping=True, **{**STOPPING, **options}), grid)
    lengths = {history.n_epochs for own in found.histories_ for history in own}
    assert len(lengths) > 1
    differ(found)


def test_early_stopping_of_regression():
    grid = {"early_stopping": [True, False], "learning_rate_init": [0.01, 0.3]}
    differ(compare(regressor(**STOPPING), grid, y=ONE))


def test_the_adaptive_rate_ends_where_it_is_too_small():
    options = {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 1}
    grid = {"learning_rate_init": [1e-5, 0.1], "momentum": [0.0, 0.9]}
    found = compare(classifier(**options, max_iter=40), grid)
    lengths = {history.n_epochs for own in found.histories_ for history in own}
    assert len(lengths) > 1


@pytest.mark.parametrize("seed", [0, 5])
def test_random_search(seed):
    drawn = {
        "learning_rate_init": loguniform(1e-3, 1.0),
        "alpha": [0.0, 0.1],
        "hidden_layer_sizes": [(3,), (4, 2)],
    }
    for own in (seed, np.random.RandomState(seed)):
        found = compare(
            classifier(), drawn, kind=StackedRandomizedSearchCV, n_iter=6, random_state=own
        )
        assert len(found.cv_results_["params"]) == 6
        differ(found)


def test_random_search_of_lists():
    drawn = [{"alpha": [0.0, 0.1, 1.0]}, {"dropout": [0.0, 0.4], "batch_size": [8, 12]}]
    compare(classifier(), drawn, kind=StackedRandomizedSearchCV, n_iter=5, random_state=1)


@pytest.mark.parametrize("kind", [np.random.RandomState, lambda seed: seed])
def test_random_states_of_the_estimator(kind):
    """An instance begins anew in each fit, as clone copies it."""
    grid = {"learning_rate_init": [0.01, 0.1], "early_stopping": [False, True]}
    differ(compare(classifier(random_state=kind(3), dropout=0.2), grid))
    compare(classifier(), {"random_state": [kind(3), kind(4)], "alpha": [0.0, 1.0]}, refit=False)


def test_lbfgs_is_fitted_alone():
    grid = {"solver": ["adam", "lbfgs", "sgd"], "alpha": [0.0, 0.5]}
    found = compare(classifier(learning_rate_init=0.05), grid)
    stacked = [params["solver"] != "lbfgs" for params in found.cv_results_["params"]]
    assert found.cv_results_["stacked"].tolist() == stacked
    histories = [[history is not None for history in own] for own in found.histories_]
    assert histories == [[own] * 3 for own in stacked]


def test_lbfgs_alone():
    found = compare(classifier(solver="lbfgs"), {"alpha": [0.0, 0.5]})
    assert not found.cv_results_["stacked"].any()


def test_one_candidate():
    compare(classifier(), {})
    compare(classifier(), {"alpha": [0.1]}, X[:40], TWO[:40], cv=2)
