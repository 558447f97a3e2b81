"""Callbacks of the estimators: parameters are left as they are, copies of them are called."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score

from xpnet import (
    Callback,
    CSVLogger,
    EarlyStopping,
    Exponential,
    LearningRateSchedule,
    MLPClassifier,
    MLPRegressor,
    TimeLimit,
)

X, Y = make_classification(60, 4, random_state=1)
OPTIONS = {"hidden_layer_sizes": (6,), "batch_size": 16, "random_state": 0, "max_iter": 10}


class Count(Callback):
    """Notes what it is called for."""

    def __init__(self, label="count"):
        self.label = label

    def on_fit_begin(self, fit):
        self.calls_ = ["fit begin"]

    def on_epoch_begin(self, fit):
        self.calls_.append("begin")

    def on_epoch_end(self, fit):
        self.calls_.append(fit.history.losses[-1])

    def on_fit_end(self, fit):
        self.calls_.append("fit end")


class Stop(Callback):
    """Raises, or stops, at the end of an epoch."""

    def __init__(self, epoch, error=None):
        self.epoch, self.error = epoch, error

    def on_epoch_end(self, fit):
        if fit.history.n_epochs == self.epoch:
            if self.error is None:
                fit.stop("enough")
            else:
                raise self.error


def fit(kind=MLPClassifier, **options):
    estimator = kind(**OPTIONS | options)
    with pytest.warns(ConvergenceWarning):
        return estimator.fit(X, Y)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_copies_are_called(kind):
    mine = Count()
    ours = fit(kind, callbacks=[mine])
    assert vars(mine) == {"label": "count"}
    assert ours.get_params()["callbacks"][0] is mine
    (used,) = ours.callbacks_
    assert isinstance(used, Count)
    assert used is not mine
    expected = [entry for loss in ours.loss_curve_ for entry in ("begin", loss)]
    assert used.calls_ == ["fit begin", *expected, "fit end"]


def test_watching_changes_nothing():
    assert fit(callbacks=[Count()]).loss_curve_ == fit().loss_curve_


def test_each_fit_has_copies_of_its_own():
    ours = MLPClassifier(**OPTIONS, callbacks=(Count(),))
    used = []
    for _ in range(2):
        with pytest.warns(ConvergenceWarning):
            used.append(ours.fit(X, Y).callbacks_[0])
    assert used[0] is not used[1]
    assert used[0].calls_ == used[1].calls_


def test_no_callbacks():
    assert list(fit().callbacks_) == []


def test_with_clone_and_cross_validation():
    ours = MLPClassifier(**OPTIONS | {"max_iter": 200}, callbacks=[Stop(3)])
    again = clone(ours)
    assert again.callbacks[0].epoch == 3
    assert again.fit(X, Y).n_iter_ == 3
    assert cross_val_score(ours, X, Y, cv=3).shape == (3,)
    assert not hasattr(ours, "callbacks_")


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_callback_stops_the_fit(kind):
    """What it asked for is no failure to converge: nothing is warned of."""
    ours = kind(**OPTIONS, callbacks=[Stop(4)]).fit(X, Y)
    assert ours.n_iter_ == len(ours.loss_curve_) == 4


def raises(error, call):
    """Whether a call raises what would end pytest."""
    try:
        call()
    except error:
        return True
    return False


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_interruption_leaves_a_fitted_model(kind, early_stopping):
    count = Count()
    ours = kind(
        **OPTIONS, early_stopping=early_stopping, callbacks=[count, Stop(3, KeyboardInterrupt())]
    )
    with pytest.warns(UserWarning, match=r"Training interrupted by user\.") as caught:
        let_through = raises(KeyboardInterrupt, lambda: ours.fit(X, Y))
    assert not let_through
    assert len(caught) == 1
    assert ours.n_iter_ == len(ours.loss_curve_) == 3
    assert ours.predict(X).shape == (60,)
    assert ours.callbacks_[0].calls_[-1] == "fit end"
    if early_stopping:
        assert len(ours.validation_scores_) == 3
    else:
        three = kind(**OPTIONS, callbacks=[Stop(3)]).fit(X, Y)
        np.testing.assert_array_equal(ours.predict(X), three.predict(X))


def test_an_error_of_a_callback_is_raised():
    ours = MLPClassifier(**OPTIONS, callbacks=[Stop(2, RuntimeError("mine"))])
    with pytest.raises(RuntimeError, match="mine"):
        ours.fit(X, Y)


def test_early_stopping_as_a_callback():
    stopping = EarlyStopping("val_losses", patience=3)
    ours = MLPClassifier(
        **OPTIONS | {"max_iter": 500, "learning_rate_init": 0.05}, callbacks=[stopping]
    )
    ours.fit(X[:40], Y[:40], validation_data=(X[40:], Y[40:]))
    (used,) = ours.callbacks_
    curve = ours.validation_loss_curve_
    best = int(np.argmin(curve))
    assert used.best_epoch_ == best + 1
    assert used.best_ == curve[best]
    assert ours.n_iter_ == used.stopped_epoch_ == best + 1 + 4
    p = ours.predict_proba(X[40:])[np.arange(20), Y[40:]]
    l2 = 0.5e-4 * sum((w**2).sum() for w in ours.coefs_) / 20
    np.testing.assert_allclose(-np.log(p).mean() + l2, curve[best], rtol=1e-9)


def test_a_time_limit():
    ours = MLPClassifier(**OPTIONS | {"max_iter": 10**6, "tol": 0.0, "n_iter_no_change": np.inf})
    ours.set_params(callbacks=[TimeLimit(0.05)]).fit(X, Y)
    assert 1 <= ours.n_iter_ < 10**6


def test_a_csv_file(tmp_path):
    path = tmp_path / "curve.csv"
    ours = fit(callbacks=[CSVLogger(path)])
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [float(row["losses"]) for row in rows] == ours.loss_curve_


def test_rates_by_callback():
    halving = LearningRateSchedule(lambda epoch, history: 0.01 * 0.5**epoch)
    ours = fit(callbacks=[halving])
    expected = fit(learning_rate=Exponential(0.01, gamma=0.5), learning_rate_init=0.01)
    np.testing.assert_allclose(ours.loss_curve_, expected.loss_curve_, rtol=1e-12)
    assert ours.loss_curve_[-1] != fit(learning_rate_init=0.01).loss_curve_[-1]
