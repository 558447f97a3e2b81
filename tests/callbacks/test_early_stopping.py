"""Early stopping against the curves of runs without it."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from runs import HELD_OUT, Each, Fail, X, bits, fit, host, outcome, trainer

from xpnet import SGD, Adam, EarlyStopping, History, ReLU, TimeLimit
from xpnet.layers import Dense
from xpnet.network import Network

EPOCHS = 40
FAST = Adam(0.3)  # soon learns the 18 samples by heart
MONITORS = ["val_losses", "val_scores", "losses", "scores"]
CALLABLES = {
    "function": lambda history: history.val_losses[-1] - history.losses[-1],
    "window": lambda history: np.mean(history.val_losses[-3:]),
}


def ran(*callbacks, epochs=EPOCHS, optimizer=FAST, options=None, **fitting):
    trained = trainer(optimizer, **options or {})
    return fit(trained, *callbacks, epochs=epochs, train_score=True, **fitting)


def curve_of(monitor, history):
    """The monitored numbers of a run, one an epoch."""
    if isinstance(monitor, str):
        return getattr(history, monitor)
    curves = vars(history)
    return [
        float(monitor(History(**{name: curve[:epoch] for name, curve in curves.items()})))
        for epoch in range(1, history.n_epochs + 1)
    ]


def expected_stop(curve, more, patience, min_delta):
    """The best number, its epoch, and the epoch after which training stops, as one would count."""
    best, best_epoch, waited = (-math.inf if more else math.inf), 0, 0
    for epoch, value in enumerate(curve, start=1):
        if value > best + min_delta if more else value < best - min_delta:
            best, best_epoch, waited = value, epoch, 0
        else:
            waited += 1
        if waited > patience:
            return best, best_epoch, epoch
    return best, best_epoch, None


@pytest.mark.parametrize("patience", [0, 3, 7])
@pytest.mark.parametrize("min_delta", [0.0, 0.01])
@pytest.mark.parametrize("mode", [None, "min", "max"])
@pytest.mark.parametrize("monitor", [*MONITORS, *CALLABLES])
def test_it_stops_where_one_would(monitor, mode, min_delta, patience):
    monitor = CALLABLES.get(monitor, monitor)
    more = mode == "max" or (mode is None and monitor in ("scores", "val_scores"))
    history = ran().history_
    curve = curve_of(monitor, history)
    best, best_epoch, stopped = expected_stop(curve, more, patience, min_delta)
    stopping = EarlyStopping(monitor, patience=patience, min_delta=min_delta, mode=mode)
    trained = ran(stopping)
    assert trained.history_.n_epochs == (stopped or EPOCHS)
    assert trained.history_.losses == history.losses[: stopped or EPOCHS]
    assert (stopping.best_, stopping.best_epoch_) == (best, best_epoch)
    assert stopping.stopped_epoch_ == stopped
    assert trained.state_.epoch == (stopped or EPOCHS)
    name = monitor if isinstance(monitor, str) else "the monitored number"
    reason = f"{name} did not improve for {patience + 1} epochs"
    assert trained.stopped_ == (reason if stopped else None)


def test_the_runs_above_end_at_different_epochs():
    history = ran().history_
    stopped = {expected_stop(history.val_losses, False, patience, 0.0)[2] for patience in (0, 3, 7)}
    assert len(stopped) > 1
    assert None not in stopped


def test_the_best_parameters_are_restored(backend, dtype, lies_on):
    place = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    states = []
    trained = ran(
        Each(lambda fit: states.append(fit.state)),
        stopping := EarlyStopping(patience=3),
        options=place,
    )
    best = stopping.best_epoch_
    assert 1 < best == trained.history_.n_epochs - 4
    assert trained.history_.val_losses[best - 1] == min(trained.history_.val_losses)
    params = lies_on(backend, trained.state_.params, dtype)
    with backend.session(dtype):
        assert bits(params) == bits(states[best - 1].params)
        assert bits(params) != bits(states[-1].params)
        assert bits(trained.state_.optimizer_state) == bits(states[-1].optimizer_state)
    loss = trained.evaluate(*HELD_OUT)[0]
    assert loss == pytest.approx(stopping.best_, rel=1e-6)


@pytest.mark.parametrize("epochs", [12, EPOCHS], ids=["ended", "stopped"])
def test_the_last_parameters_are_left_where_asked(epochs):
    stopping = EarlyStopping(patience=8, restore_best=False)
    trained = ran(stopping, epochs=epochs)
    assert stopping.best_epoch_ < trained.history_.n_epochs
    assert (trained.stopped_ is None) == (epochs == 12)
    whole = ran(epochs=trained.history_.n_epochs)
    assert bits(trained.state_) == bits(whole.state_)


def test_a_run_that_reaches_its_end_has_the_best_parameters_too():
    stopping = EarlyStopping(patience=EPOCHS)
    trained = ran(stopping, epochs=12)
    assert stopping.best_epoch_ < 12
    assert trained.stopped_ is stopping.stopped_epoch_ is None
    np.testing.assert_array_equal(host(trained), host(ran(epochs=stopping.best_epoch_)))


def test_nan_is_no_improvement():
    values = [3.0, math.nan, 2.0, math.nan, math.nan, 9.0]
    stopping = EarlyStopping(lambda history: values[history.n_epochs - 1], patience=1)
    trained = ran(stopping)
    assert (stopping.best_, stopping.best_epoch_, stopping.stopped_epoch_) == (2.0, 3, 5)
    np.testing.assert_array_equal(host(trained), host(ran(epochs=3)))


def test_without_any_improvement_the_parameters_stay():
    stopping = EarlyStopping(lambda history: math.nan, patience=2)
    trained = ran(stopping)
    assert (stopping.best_, stopping.best_epoch_, stopping.stopped_epoch_) == (math.inf, 0, 3)
    np.testing.assert_array_equal(host(trained), host(ran(epochs=3)))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("first", [True, False])
def test_the_best_parameters_are_restored_after_an_error(error, first):
    failing, stopping = Fail(9, error), EarlyStopping("losses", mode="max", patience=EPOCHS)
    trained = trainer(FAST)
    with pytest.raises(error, match="as it was asked to"):
        fit(trained, *([failing, stopping] if first else [stopping, failing]), epochs=EPOCHS)
    best = int(np.argmax(trained.history_.losses)) + 1
    assert stopping.best_epoch_ == best < 8
    np.testing.assert_array_equal(host(trained), host(ran(epochs=best)))


def test_the_best_parameters_are_restored_after_a_divergence():
    net = Network([Dense(3, 5), ReLU(), Dense(5, 1)])
    trained = trainer(SGD(0.5), network=net)
    trained.fit(X, X[:, :1] > 0, epochs=3)
    best = host(trained)
    growing = EarlyStopping(lambda history: abs(history.n_epochs - 3.0))
    wild = trainer(SGD(0.5), network=net)

    def explode(fit):
        if fit.history.n_epochs == 6:
            fit.learning_rate = 1e200

    with pytest.raises(FloatingPointError, match=r"diverged: .* in epoch \d"):
        wild.fit(X, X[:, :1] > 0, epochs=20, callbacks=[Each(explode), growing])
    assert (growing.best_, growing.best_epoch_) == (0.0, 3)
    assert 6 <= wild.state_.epoch == wild.history_.n_epochs < 20
    np.testing.assert_array_equal(host(wild), best)


def test_each_fit_begins_anew():
    stopping = EarlyStopping(patience=3)
    first = outcome(ran(stopping))
    assert outcome(ran(stopping)) == first
    assert stopping.stopped_epoch_ is not None


def test_parameters_do_not_travel_with_pickles():
    stopping = EarlyStopping(patience=3)
    wide = Network([Dense(3, 5000), ReLU(), Dense(5000, 1)])
    fit(trainer(FAST, network=wide), stopping)
    assert len(pickle.dumps(stopping)) < 2000


def test_a_stack_needs_a_function():
    seeds = {"random_state": [0, 1, 2]}
    mean = EarlyStopping(lambda history: history.val_losses[-1].mean(), patience=3)
    trained = ran(mean, options=seeds)
    curve = [losses.mean() for losses in trained.history_.val_losses]
    assert expected_stop(curve, False, 3, 0.0) == (
        mean.best_,
        mean.best_epoch_,
        mean.stopped_epoch_,
    )
    best = ran(epochs=mean.best_epoch_, options=seeds)
    np.testing.assert_array_equal(host(trained), host(best))


@pytest.mark.parametrize("monitor", MONITORS)
@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_a_stack_without_one_is_an_error_before_training(monitor, seeds):
    epochs = []
    message = rf"monitor='{monitor}' has {len(seeds)} values, one a model.*Pass a function"
    with pytest.raises(ValueError, match=message):
        ran(
            Each(lambda fit: epochs.append(1)),
            EarlyStopping(monitor),
            options={"random_state": seeds},
        )
    assert epochs == []


def test_a_function_that_returns_several_numbers():
    message = r"monitor=<function .*> has 3 values"
    with pytest.raises(ValueError, match=message):
        ran(EarlyStopping(lambda h: h.losses[-1]), options={"random_state": [0, 1, 2]})


@pytest.mark.parametrize(
    ("monitor", "needed"),
    [
        ("val_losses", "validation_data"),
        ("val_scores", "validation_data"),
        ("scores", "train_score=True"),
    ],
)
def test_a_curve_that_is_not_there_is_an_error_before_training(monitor, needed):
    epochs = []
    watching = Each(lambda fit: epochs.append(1))
    with pytest.raises(ValueError, match=f"monitor='{monitor}' has no values: fit needs {needed}"):
        fit(trainer(), watching, EarlyStopping(monitor), validation_data=None)
    assert epochs == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"monitor": "val_loss"}, ValueError, "monitor='val_loss' is unknown. Did you mean"),
        ({"monitor": 3}, ValueError, "monitor=3 is unknown"),
        ({"mode": "least"}, ValueError, "mode='least' is unknown"),
        ({"patience": -1}, ValueError, "patience=-1 must be at least 0"),
        ({"patience": 2.5}, TypeError, "patience=2.5 must be an integer"),
        ({"min_delta": -0.1}, ValueError, "min_delta=-0.1 must be at least 0"),
        ({"min_delta": math.nan}, ValueError, "min_delta=nan must be"),
    ],
)
def test_wrong_options(options, error, message):
    with pytest.raises(error, match=message):
        EarlyStopping(**options)


def test_two_of_them():
    """Each stops at its own end; the first in the list has the last word on the parameters."""
    one, other = EarlyStopping("losses", mode="max", patience=5), EarlyStopping(patience=EPOCHS)
    trained = ran(one, other, TimeLimit(1e6))
    assert one.stopped_epoch_ == trained.history_.n_epochs == one.best_epoch_ + 6
    assert other.stopped_epoch_ is None
    assert other.best_epoch_ != one.best_epoch_
    np.testing.assert_array_equal(host(trained), host(ran(epochs=one.best_epoch_)))


def test_the_representation_tells_the_options():
    assert repr(EarlyStopping("losses", patience=3)) == (
        "EarlyStopping(monitor='losses', patience=3, min_delta=0.0, mode=None, restore_best=True)"
    )
