"""The loss on data held out, after each epoch: the split's, or data that are handed in."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from xpnet import History, MLPClassifier, MLPRegressor

ALPHA = 0.5
OPTIONS = {
    "hidden_layer_sizes": (6,),
    "activation": "tanh",
    "batch_size": 16,
    "learning_rate_init": 0.02,
    "alpha": ALPHA,
    "max_iter": 8,
    "random_state": 0,
}
X, CLASSES = make_classification(94, 4, n_informative=3, n_redundant=1, n_classes=3, random_state=1)
TARGETS = make_regression(94, 4, n_targets=2, random_state=2)[1] / 100.0
TRAIN, HELD = slice(0, 64), slice(64, 94)
EPS = np.finfo(np.float64).eps


def fit(kind, y, *args, held_out=None, **options):
    estimator = kind(**OPTIONS | options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if held_out is None:
            return estimator.fit(X[TRAIN], y[TRAIN], *args)
        return estimator.fit(X[TRAIN], y[TRAIN], *args, validation_data=held_out)


def l2(estimator, total):
    return 0.5 * ALPHA * sum((w**2).sum() for w in estimator.coefs_) / total


def log_loss(estimator, x, y):
    """The mean log loss, summed over outputs that are yes or no."""
    p = np.clip(estimator.predict_proba(x), EPS, 1.0 - EPS)
    if y.ndim == 2:
        return -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1).mean()
    rows = np.searchsorted(estimator.classes_, y)
    return -np.log(p[np.arange(len(y)), rows]).mean()


CLASSIFIED = {
    "three": CLASSES,
    "two": CLASSES > 0,
    "names": np.array(["a", "b", "c"])[CLASSES],
    "multilabel": (TARGETS > 0.0).astype(int),
}


@pytest.mark.parametrize("y", CLASSIFIED)
@pytest.mark.parametrize("options", [{}, {"solver": "sgd"}, {"dropout": 0.2}], ids=str)
def test_of_a_classifier_by_hand(y, options):
    y = CLASSIFIED[y]
    ours = fit(MLPClassifier, y, held_out=(X[HELD], y[HELD]), **options)
    curve = ours.validation_loss_curve_
    assert len(curve) == ours.n_iter_ == 8
    assert all(isinstance(loss, float) for loss in curve)
    expected = log_loss(ours, X[HELD], y[HELD]) + l2(ours, 30)
    np.testing.assert_allclose(curve[-1], expected, rtol=1e-10)
    assert len(set(curve)) == 8


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("scaling", ["batch", "none"])
def test_of_a_regressor_by_hand(outputs, scaling):
    y = TARGETS[:, 0] if outputs == 1 else TARGETS
    ours = fit(MLPRegressor, y, held_out=(X[HELD], y[HELD]), alpha_scaling=scaling)
    expected = 0.5 * ((ours.predict(X[HELD]) - y[HELD]) ** 2).mean()
    expected += l2(ours, 30 if scaling == "batch" else 1)
    np.testing.assert_allclose(ours.validation_loss_curve_[-1], expected, rtol=1e-10)


@pytest.mark.parametrize("given", ["sample_weight", "class_weight", "both"])
def test_with_weights_by_hand(given):
    weights, options = np.linspace(0.5, 2.0, 30), {}
    if given == "class_weight":
        weights = np.ones(30)
    held_out = (X[HELD], CLASSES[HELD], weights)
    if given != "sample_weight":
        options["class_weight"] = {0: 3.0, 1: 0.5}
        weights = weights * np.array([3.0, 0.5, 1.0])[CLASSES[HELD]]
    ours = fit(MLPClassifier, CLASSES, held_out=held_out, **options)
    p = ours.predict_proba(X[HELD])[np.arange(30), CLASSES[HELD]]
    expected = np.average(-np.log(p), weights=weights) + l2(ours, weights.sum())
    np.testing.assert_allclose(ours.validation_loss_curve_[-1], expected, rtol=1e-10)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_looking_changes_nothing(kind):
    """With data handed in all of X is trained on, and nothing is drawn for a split."""
    y = CLASSES if kind is MLPClassifier else TARGETS
    ours, plain = fit(kind, y, held_out=(X[HELD], y[HELD])), fit(kind, y)
    assert ours.loss_curve_ == plain.loss_curve_
    for w, other in zip(ours.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(w, other)


def test_of_the_split_of_early_stopping():
    """The rows that scikit-learn's split puts aside, after the initial weights are drawn."""
    ours = fit(MLPClassifier, CLASSES, early_stopping=True, validation_fraction=0.25)
    assert len(ours.validation_loss_curve_) == len(ours.validation_scores_) == ours.n_iter_ == 8
    rng = np.random.RandomState(0)
    rng.uniform(size=4 * 6 + 6 + 6 * 3 + 3)
    y = CLASSES[TRAIN]
    # Several classes are not stratified: scikit-learn does so for one output only.
    _, x_val, _, y_val = train_test_split(X[TRAIN], y, test_size=0.25, random_state=rng)
    best = int(np.argmax(ours.validation_scores_))
    assert accuracy_score(y_val, ours.predict(x_val)) == ours.validation_scores_[best]
    expected = log_loss(ours, x_val, y_val) + l2(ours, len(y_val))
    np.testing.assert_allclose(ours.validation_loss_curve_[best], expected, rtol=1e-10)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_early_stopping_on_data_handed_in(kind):
    """They take the place of the split: the best weights are the best on them."""
    y = CLASSES if kind is MLPClassifier else TARGETS
    options = {"early_stopping": True, "max_iter": 60, "n_iter_no_change": 5, "tol": 1e-3}
    options |= {"learning_rate_init": 0.1}
    ours = fit(kind, y, held_out=(X[HELD], y[HELD]), **options)
    assert ours.n_iter_ < 60
    assert ours.best_validation_score_ == max(ours.validation_scores_)
    score = ours.score(X[HELD], y[HELD])
    np.testing.assert_allclose(score, ours.best_validation_score_, rtol=1e-10)
    plain = fit(kind, y, max_iter=ours.n_iter_, learning_rate_init=0.1)
    np.testing.assert_allclose(ours.loss_curve_[:6], plain.loss_curve_[:6], rtol=1e-12)


def test_without_data_there_is_no_curve():
    assert not getattr(fit(MLPClassifier, CLASSES), "validation_loss_curve_", None)


@pytest.mark.parametrize("held_out", [False, True])
def test_the_history_has_the_curves(held_out):
    pair = (X[HELD], CLASSES[HELD]) if held_out else None
    ours = fit(MLPClassifier, CLASSES, held_out=pair)
    assert isinstance(ours.history_, History)
    assert ours.history_.losses == ours.loss_curve_
    assert ours.history_.val_losses == (ours.validation_loss_curve_ if held_out else [])


def test_on_every_backend(backend, dtype):
    y = CLASSES.astype(np.int32)
    host = (X[HELD].astype(dtype), y[HELD])
    expected = fit(MLPClassifier, y, held_out=host, dtype=dtype)
    place = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    found = fit(MLPClassifier, y, held_out=host, **place)
    rtol = 1e-10 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(
        found.validation_loss_curve_, expected.validation_loss_curve_, rtol=rtol
    )
    with backend.session(dtype):
        there = MLPClassifier(**OPTIONS)
        pair = (backend.asarray(host[0]), backend.asarray(host[1]))
        with pytest.warns(ConvergenceWarning):
            there.fit(
                backend.asarray(X[TRAIN], dtype), backend.asarray(y[TRAIN]), validation_data=pair
            )
    curve = there.validation_loss_curve_
    np.testing.assert_allclose(curve, expected.validation_loss_curve_, rtol=rtol)
