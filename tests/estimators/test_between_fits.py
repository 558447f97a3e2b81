"""What one fit leaves to the next: warm starts, changed parameters, interruptions, subclasses."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.datasets import make_classification

from xpnet import Callback, Checkpoint, MLPClassifier, MLPRegressor, checkpoints
from xpnet.layers import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = make_classification(120, 6, n_informative=4, random_state=0)
FIT = {"hidden_layer_sizes": (8,), "random_state": 0, "learning_rate_init": 0.05, "batch_size": 40}


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_linear_models_are_scikit_learns(activation):
    options = {"hidden_layer_sizes": (), "activation": activation, "random_state": 0}
    theirs = sklearn.neural_network.MLPClassifier(**options, max_iter=50).fit(X, y)
    ours = MLPClassifier(**options, max_iter=50).fit(X, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)


@pytest.mark.parametrize("rate", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize("tol", [1e-4, 0.05])
def test_warm_starts_without_moments_are_scikit_learns(rate, tol):
    options = FIT | {"solver": "sgd", "momentum": 0.0, "learning_rate": rate, "tol": tol}
    options |= {"warm_start": True, "max_iter": 15, "n_iter_no_change": 3}
    theirs, ours = sklearn.neural_network.MLPClassifier(**options), MLPClassifier(**options)
    for _ in range(4):
        theirs.fit(X, y)
        ours.fit(X, y)
        assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)


@pytest.mark.parametrize("before", ["sgd", "adam", "lion"])
@pytest.mark.parametrize("after", ["rmsprop", "adagrad", "lion", "adamw"])
def test_another_solver_begins_with_its_own_state(before, after):
    warm = MLPClassifier(**FIT, solver=before, warm_start=True, max_iter=3).fit(X, y)
    fresh = pickle.loads(pickle.dumps(warm))  # has no optimizer state
    for clf in (warm, fresh):
        clf.set_params(solver=after, learning_rate_init=0.01).fit(X, y)
    if before != after:
        np.testing.assert_array_equal(warm.coefs_[0], fresh.coefs_[0])
    else:
        assert not np.array_equal(warm.coefs_[0], fresh.coefs_[0])


def test_losses_are_not_compared_with_scores():
    clf = MLPClassifier(**FIT, early_stopping=True, warm_start=True, max_iter=5).fit(X, y)
    clf.set_params(early_stopping=False, max_iter=40).fit(X, y)
    assert clf.n_iter_ == 40
    assert clf.best_loss_ == min(clf.loss_curve_[5:])
    assert clf.validation_scores_ is None


@pytest.mark.parametrize("rate", ["constant", "adaptive", "invscaling"])
def test_a_warm_start_has_the_rate_that_is_asked_for(rate):
    options = FIT | {"solver": "sgd", "learning_rate": rate, "warm_start": True, "max_iter": 2}
    clf = MLPClassifier(**options, momentum=0.0).fit(X, y)
    before = clf.coefs_[0].copy()
    clf.set_params(learning_rate_init=1e-9).fit(X, y)
    np.testing.assert_allclose(clf.coefs_[0], before, atol=1e-7)


def test_dropout_may_be_asked_for_later():
    clf = MLPClassifier(**FIT, warm_start=True, max_iter=2).fit(X, y)
    clf.set_params(dropout=0.5).fit(X, y)
    assert clf.n_iter_ == 2


class Interrupt(Callback):
    def __init__(self, when):
        self.when = when

    def on_fit_begin(self, fit):
        if fit.state.step == self.when:
            raise KeyboardInterrupt


def test_what_did_not_begin_changes_nothing():
    clf = MLPClassifier(**FIT, callbacks=[Interrupt(3)])
    clf.partial_fit(X, y, classes=[0, 1])
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            clf.partial_fit(X, y)
    assert (len(clf.loss_curve_), clf.t_, clf.n_iter_) == (1, 120, 1)
    with pytest.raises(KeyboardInterrupt):
        MLPClassifier(**FIT, callbacks=[Interrupt(0)]).fit(X, y)


def test_a_second_fit_is_saved_as_it_is(tmp_path):
    clf = MLPClassifier(**FIT, max_iter=3, callbacks=[Checkpoint(tmp_path / "run", resume=False)])
    clf.fit(X, y).fit(X, y)
    again = MLPClassifier.load(tmp_path / "run")
    assert (again.loss_curve_, again.t_) == (clf.loss_curve_, clf.t_)
    assert len(clf.loss_curve_) == 3


def test_weights_of_classes_are_saved(tmp_path):
    weights = {0: 1.0, 1: 2.5}
    saving = Checkpoint(tmp_path / "run")
    clf = MLPClassifier(**FIT, max_iter=3, class_weight=weights, callbacks=[saving]).fit(X, y)
    for path in (tmp_path / "run", clf.save(tmp_path / "net")):
        again = MLPClassifier.load(path)
        assert again.class_weight == weights
        np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_a_checkpoint_knows_the_labels(tmp_path):
    saving = Checkpoint(tmp_path / "run")
    names = np.array(["a", "b"])
    MLPClassifier(**FIT, max_iter=3, callbacks=[saving]).fit(X, names[y])
    with pytest.raises(ValueError, match=r"labels: \['a', 'b'\] in the file, \['x', 'y'\] here"):
        MLPClassifier(**FIT, max_iter=5, callbacks=[saving]).fit(X, np.array(["x", "y"])[y])


class Narrow(MLPRegressor):
    def __init__(self, extra=1, alpha=1e-3, max_iter=5):
        super().__init__(alpha=alpha, max_iter=max_iter, random_state=0)
        self.extra = extra


def test_subclasses_may_have_other_parameters(tmp_path):
    mine = Narrow(extra=2).fit(X, X[:, 0])
    assert mine.get_params() == {"extra": 2, "alpha": 1e-3, "max_iter": 5}
    path = mine.save(tmp_path / "net")
    for cls in (Narrow, MLPRegressor):
        np.testing.assert_array_equal(cls.load(path).predict(X), mine.predict(X))
    np.testing.assert_array_equal(mine.to_sklearn().predict(X), mine.predict(X))
    assert checkpoints.load(path).metadata["estimator"]["type"] == "MLPRegressor"


def test_weights_can_be_written_to(backend):
    clf = MLPClassifier(**FIT, max_iter=2, backend=backend.name, device=backend.device_name)
    clf.set_params(dtype="float32").fit(X, y)
    clf.coefs_[0][:] = 0.0
    p = clf.predict_proba(X)
    np.testing.assert_allclose(p, p[:1].repeat(len(X), axis=0), rtol=1e-6)


def test_every_activation_has_a_name_here():
    for name in ACTIVATIONS:
        assert MLPClassifier(**FIT, activation=name, max_iter=2).fit(X, y).n_iter_ == 2


def test_what_scikit_learns_own_goes_on_with_is_its_own():
    ours = MLPClassifier(**FIT, max_iter=3).fit(X, y)
    theirs = ours.to_sklearn().set_params(warm_start=True).fit(X, y)
    assert len(theirs.loss_curve_) == 6
    assert len(ours.loss_curve_) == 3
