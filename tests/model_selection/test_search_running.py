"""How a search is run: backends, jobs, memory, bars, validation curves, routing."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import sklearn
from searches import (
    NAMES,
    ONE,
    THREE,
    TWO,
    WEIGHTS,
    X,
    classifier,
    compare,
    learned,
    quietly,
    regressor,
)
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xpnet import Callback, EarlyStopping, StackedGridSearchCV, StackedRandomizedSearchCV, TimeLimit
from xpnet.stacking import stack

GRID = {"learning_rate_init": [0.003, 0.03, 0.3], "alpha": [0.0, 1.0]}


def searched(estimator=None, grid=GRID, x=X, y=THREE, fit=None, **options):
    estimator = classifier() if estimator is None else estimator
    search = StackedGridSearchCV(estimator, grid, **{"cv": 3, **options})
    return quietly(search, x, y, **(fit or {}))


@pytest.mark.parametrize("name", ["jax", "torch", "array_api_strict", "cupy"])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_backends(name, make):
    from xpnet import backends

    status = backends.available()[name]
    if not status.usable:
        pytest.skip(status.reason)
    y = THREE if make is classifier else ONE
    expected = searched(make(), y=y, return_train_score=True)
    found = searched(make(backend=name), y=y, return_train_score=True)
    for key in ("mean_test_score", "mean_train_score"):
        np.testing.assert_allclose(found.cv_results_[key], expected.cv_results_[key], atol=1e-3)
    assert found.cv_results_["stacked"].all()
    assert found.best_params_ == expected.best_params_


def test_a_grid_over_backends():
    pytest.importorskip("torch")
    found = searched(grid={"backend": ["numpy", "torch"], "alpha": [0.0, 1.0]})
    means = found.cv_results_["mean_test_score"]
    np.testing.assert_allclose(means[:2], means[2:], atol=1e-3)


def test_tensors():
    torch = pytest.importorskip("torch")
    expected = searched(y=NAMES)
    found = searched(x=torch.asarray(X), y=NAMES)
    key = "mean_test_score"
    np.testing.assert_allclose(found.cv_results_[key], expected.cv_results_[key], atol=1e-3)
    assert found.cv_results_["stacked"].all()


def test_jobs_and_memory_change_nothing(capsys):
    grid = GRID | {"hidden_layer_sizes": [(4,), (3, 2)]}
    expected = learned(searched(grid=grid))
    for options in ({"n_jobs": 2}, {"memory": 1}, {"memory": 60_000}, {"n_jobs": 2, "memory": 1}):
        assert learned(searched(grid=grid, **options)) == expected, options
        assert not capsys.readouterr().out


def test_memory_is_said_before_it_is_taken(capsys, monkeypatch):
    said = []
    build = stack.Stack.__init__

    def after(self, members, record):
        said.append(capsys.readouterr().out)
        build(self, members, record)

    monkeypatch.setattr(stack.Stack, "__init__", after)
    searched(verbose=1, memory=100_000_000)
    first, second, *_ = said[0].splitlines()
    assert first == "Fitting 3 folds for each of 6 candidates, totalling 18 fits"
    assert second.startswith("18 nets in 4 stacks of at most 6, about ")
    assert second.endswith(" MB at a time of 100 MB that they may take.")


def test_folds_that_do_not_fit_are_fitted_one_by_one():
    steps = make_pipeline(StandardScaler(), classifier())
    grid = {"mlpclassifier__" + name: values for name, values in GRID.items()}
    for memory, stacked in ((16 * 3 * X.size, True), (16 * 3 * X.size - 1, False)):
        found = compare(steps, grid, y=THREE, memory=memory)
        assert (found.cv_results_["stacked"] == stacked).all()


def test_a_bar_over_nets_and_epochs(capsys, monkeypatch):
    from xpnet.stacking import progress

    bars = []

    class Spy(progress.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options | {"disable": False})
            self.counted = 0
            bars.append((self, options))

        def update(self, n=1):
            self.counted += n
            return super().update(n)

    monkeypatch.setattr(progress, "tqdm", Spy)
    searched(progress="grid")
    ((bar, options),) = bars
    assert (options["total"], options["desc"], options["disable"]) == (18 * 5, "grid", None)
    assert bar.counted == 18 * 5
    for estimator in (classifier(tol=9.0, n_iter_no_change=1), classifier(early_stopping=True)):
        searched(estimator, n_jobs=2 if estimator.early_stopping else None, progress=True)
        assert bars[-1][0].counted == 18 * 5  # those that ended before count as well


@pytest.mark.parametrize("make", [classifier, regressor])
def test_validation_curves(make):
    """The last entry is the score of the fold, and the search is as without them."""
    y = TWO if make is classifier else ONE
    found = compare(make(), GRID, y=y, validation_curves=True, return_train_score=True)
    plain = searched(make(), y=y, return_train_score=True)
    assert learned(plain) == learned(found)
    for c, own in enumerate(found.histories_):
        for k, history in enumerate(own):
            assert len(history.val_scores) == history.n_epochs == 5
            score = found.cv_results_[f"split{k}_test_score"][c]
            np.testing.assert_allclose(history.val_scores[-1], score, rtol=1e-9)
            assert history.losses == plain.histories_[c][k].losses
            assert not plain.histories_[c][k].val_scores


def test_early_stopping_watches_its_own_rows():
    estimator = classifier(early_stopping=True, n_iter_no_change=1, max_iter=9)
    plain = searched(estimator)
    found = searched(estimator, validation_curves=True)
    assert learned(found) == learned(plain)
    ours, theirs = (
        [history.val_scores for own in search.histories_ for history in own]
        for search in (found, plain)
    )
    assert ours == theirs


def test_curves_are_those_of_fits_alone():
    found = searched(cv=KFold(3))
    for params, own in zip(found.cv_results_["params"], found.histories_, strict=True):
        for (train, _), history in zip(KFold(3).split(X), own, strict=True):
            alone = quietly(classifier(**params), X[train], THREE[train])
            assert history.losses == alone.loss_curve_


class Halving(Callback):
    """Halves the rate after each epoch."""

    steers = True

    def on_epoch_end(self, fit):
        fit.learning_rate = 0.5 * (fit.learning_rate or 0.1)


@pytest.mark.parametrize(
    "callback", [TimeLimit(1e6), Halving(), EarlyStopping("losses", patience=1)]
)
def test_callbacks(callback):
    """Each fit has a copy of its own."""
    found = compare(classifier(callbacks=[callback], max_iter=20), GRID, y=THREE)
    assert found.cv_results_["stacked"].all()


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_metadata_routing():
    """What is passed to `fit` goes where it is asked for, by fits alone; else fits are stacked."""
    for make, y in ((classifier, THREE), (regressor, ONE)):
        asking = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        found = compare(asking, GRID, y=y, fit={"sample_weight": WEIGHTS})
        assert not found.cv_results_["stacked"].any()
        plain = compare(copy.deepcopy(asking), GRID, y=y)
        assert plain.cv_results_["stacked"].all()
        key = "mean_test_score"
        assert (found.cv_results_[key] != plain.cv_results_[key]).any()


@pytest.mark.usefixtures("routing")
def test_metadata_of_a_scorer():
    asking = classifier().set_fit_request(sample_weight=False).set_score_request(sample_weight=True)
    found = compare(asking, GRID, y=THREE, fit={"sample_weight": WEIGHTS})
    plain = compare(classifier(), GRID, y=THREE)
    key = "mean_test_score"
    assert (found.cv_results_[key] != plain.cv_results_[key]).any()
    assert found.cv_results_["stacked"].all()


@pytest.mark.usefixtures("routing")
def test_metadata_that_nobody_asked_for():
    with pytest.raises(ValueError, match="sample_weight"):
        searched(fit={"sample_weight": WEIGHTS})


def test_a_search_within_a_search():
    """Cross-validation of the search itself."""
    from sklearn.model_selection import GridSearchCV, cross_val_score

    scores = [
        quietly_scored(kind(classifier(), GRID, cv=2), cross_val_score)
        for kind in (StackedGridSearchCV, GridSearchCV)
    ]
    np.testing.assert_array_equal(*scores)


def quietly_scored(search, cross_val_score):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cross_val_score(search, X, TWO, cv=3)


def test_parameters_are_scikit_learns():
    for kind in (StackedGridSearchCV, StackedRandomizedSearchCV):
        search = sklearn.base.clone(kind(classifier(), GRID, progress=True, memory=5, cv=4))
        assert search.get_params(deep=False)["memory"] == 5
        assert search.set_params(estimator__alpha=3.0).estimator.alpha == 3.0
        assert "memory=5" in repr(search)
