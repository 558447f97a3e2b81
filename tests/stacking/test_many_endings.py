"""Models that leave their stack: at their length, by a callback, or because they diverge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from alone import FEATURES, FOLDS, HELD_OUT, T, X, Y, bits, compare, trainer

from xpnet import (
    SGD,
    Adam,
    Callback,
    Dense,
    EarlyStopping,
    Network,
    Plateau,
    Tanh,
    TimeLimit,
    WithReplacement,
    fit_many,
)
from xpnet.stacking import stack
from xpnet.training import DivergenceError

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])
SAMPLINGS = ["shuffle", "reshuffle", "replacement"]
RATES = (0.3, 0.01, 0.1, 0.03, 0.2, 0.001)


def seeded(k):
    return trainer(Adam(RATES[k]), random_state=k)


@pytest.fixture
def built(monkeypatch):
    """The sizes of the stacks, in the order in which they were made."""
    sizes, build = [], stack.Stack._build

    def counted(self, members):
        sizes.append(len(members))
        build(self, members)

    monkeypatch.setattr(stack.Stack, "_build", counted)
    return sizes


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_lengths_that_differ(sampling, built):
    """The stack is made anew when half of its models have ended, and not before."""
    compare(seeded, 6, epochs=[2, 1, 7, 4, 9, 2], sampling=sampling, batch_size=9)
    assert built == [6, 3, 1]


@both_types
@pytest.mark.parametrize("restore", [True, False])
@pytest.mark.parametrize("monitor", ["val_losses", "losses", "val_scores"])
def test_each_stops_for_itself(monitor, restore, dtype, built):
    """At another epoch each; the best parameters are those of that model."""

    def make(k):
        return trainer(Adam(RATES[k]), dtype=dtype, random_state=k)

    stopping = EarlyStopping(monitor, patience=2, min_delta=0.005, restore_best=restore)
    outcomes = compare(
        make, 6, rows=[FOLDS[k % 3] for k in range(6)], validation_rows=HELD_OUT * 2, epochs=25,
        callbacks=[stopping],
    )  # fmt: skip
    assert len({o.history.n_epochs for o in outcomes}) > 1
    assert any(o.stopped for o in outcomes)
    assert len(built) > 1
    assert not hasattr(stopping, "best_epoch_"), "it is copied"


@both_types
def test_models_that_stop_while_their_order_is_shared(dtype):
    def make(k):
        return trainer(SGD(RATES[k], momentum=0.9), dtype=dtype)

    stopping = EarlyStopping("losses", patience=1, min_delta=0.02)
    compare(make, 6, epochs=20, sampling="reshuffle", callbacks=[stopping])


class StopBelow(Callback):
    """Stops where the loss is below a number, and counts the events."""

    def __init__(self, loss):
        self.loss = loss
        self.events = []

    def on_fit_begin(self, fit):
        self.events.append(("begin", fit.total, fit.unit, fit.done, fit.history.n_epochs))

    def on_epoch_begin(self, fit):
        self.events.append(("epoch", fit.done, fit.state.epoch, fit.state.step))

    def on_epoch_end(self, fit):
        if fit.history.losses[-1] < self.loss:
            fit.stop(f"below {self.loss}")

    def on_fit_end(self, fit):
        self.events.append(("end", fit.stopped, fit.done, fit.begun))


def test_callbacks_of_the_user_stop_and_see_every_event():
    outcomes = compare(seeded, 4, epochs=[9, 9, 2, 9], callbacks=[StopBelow(0.9)], batch_size=6)
    assert {o.stopped for o in outcomes} == {"below 0.9", None}


def test_time_is_limited_for_each():
    outcomes = compare(seeded, callbacks=[TimeLimit(1e-9)], epochs=3)
    assert [o.history.n_epochs for o in outcomes] == [1, 1, 1]


LINEAR = Network([Dense(FEATURES, 2)])


def regression(rates, dtype="float64", **options):
    """Models of which some descend with a rate that is too large."""

    def make(k):
        own = {"random_state": k, **options}
        return trainer(SGD(rates[k]), network=LINEAR, loss="squared_error", dtype=dtype, **own)

    return make


@both_types
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("seeds", ["equal", "different"])
def test_one_diverges_and_its_neighbours_go_on(seeds, sampling, dtype):
    """After some epochs; its state is that before the epoch, as alone."""
    rates = (0.1, 9.0, 0.05, 7.0)
    options = {} if seeds == "different" else {"random_state": 0}
    make = regression(rates, dtype, **options)
    outcomes = compare(make, 4, t=Y, epochs=120, sampling=sampling, rows=[FOLDS[0]] * 4)
    assert [o.failure is None for o in outcomes] == [True, False, True, False]
    for k in (1, 3):
        failure, n_epochs = outcomes[k].failure, outcomes[k].history.n_epochs
        assert isinstance(failure, DivergenceError)
        assert f"in epoch {n_epochs + 1}, step" in str(failure)
        assert "model" not in str(failure), "it says what the fit alone would say"
        assert n_epochs > 1
        assert outcomes[k].state.epoch == n_epochs
        assert np.isfinite(outcomes[k].state.params).all()


@both_types
def test_parameters_that_diverge_in_the_last_step(dtype):
    """Of one batch an epoch, whose loss is finite still."""
    rates = (0.1, 1e307 if dtype == "float64" else 1e38, 0.2)
    x, t = X * 1e3, Y * 1e3
    outcomes = compare(regression(rates, dtype), x=x * 1e-3, t=t, batch_size=None)
    assert str(outcomes[1].failure).startswith("Training diverged: a parameter became NaN or inf")
    assert [o.history.n_epochs for o in outcomes] == [3, 0, 3]


def test_all_diverge():
    outcomes = compare(regression((1e200, 1e250, 1e300)), t=Y)
    assert all(o.failure for o in outcomes)


def test_the_best_parameters_are_restored_where_a_fit_diverges():
    stopping = EarlyStopping("losses", patience=200)
    outcomes = compare(regression((0.1, 4.0, 3.5)), t=Y, epochs=100, callbacks=[stopping])
    assert [o.failure is None for o in outcomes] == [True, False, False]
    assert all(o.callbacks[0].best_epoch_ > 0 for o in outcomes)


def test_what_has_ended_and_would_diverge_later_does_not():
    """It stays in the stack for nothing, until half of the models have ended."""
    outcomes = compare(regression((4.0, 0.1, 0.05)), t=Y, epochs=[2, 90, 90])
    assert not any(o.failure for o in outcomes)
    alone = compare(regression((4.0,)), 1, t=Y, epochs=90)
    assert alone[0].failure


class Fail(Callback):
    """Raises in the second epoch of the fit whose seed is one; counts the fits that end."""

    ended = 0

    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, fit):
        if fit.history.n_epochs == 2 and fit.run.place.problem.optimizer.learning_rate == 0.01:
            raise self.error

    def on_fit_end(self, fit):
        Fail.ended += 1


@pytest.mark.parametrize("error", [RuntimeError("as asked"), KeyboardInterrupt("as asked")])
def test_what_is_interrupted_leaves_the_trainers_as_they_were(error):
    trainers = [seeded(k) for k in range(3)]
    fit_many(trainers[:1], X, T, epochs=1)
    before = bits(trainers[0].state_)
    Fail.ended = 0
    with pytest.raises(type(error), match="as asked"):
        fit_many(trainers, X, T, epochs=5, callbacks=[Fail(error)])
    assert Fail.ended == 3, "every callback has heard of the end"
    assert bits(trainers[0].state_) == before
    assert not any(hasattr(own, "state_") for own in trainers[1:])


@both_types
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_going_on_from_states(sampling, dtype):
    """From those of many fits or of fits alone; two and three epochs are five."""

    def make(k):
        optimizer = Adam(Plateau(RATES[k], patience=0, min_delta=0.1, reduction=0.5))
        return trainer(optimizer, dtype=dtype, random_state=k)

    options = {"rows": FOLDS, "sampling": sampling, "validation_rows": HELD_OUT}
    first = compare(make, epochs=2, **options)
    states = [o.state for o in first]
    before = bits(states)
    second = compare(make, epochs=3, states=states, **options)
    assert bits(states) == before, "what is handed in stays as it is"
    whole = compare(make, epochs=5, **options)
    for a, b in zip(second, whole, strict=True):
        assert bits(a.state) == bits(b.state)
    trainers = [make(k) for k in range(3)]
    for own, rows in zip(trainers, FOLDS, strict=True):
        own.fit(X[rows], T[rows], epochs=2, batch_size=5, sampling=sampling)
    compare(make, epochs=3, states=[own.state_ for own in trainers], **options)


def test_states_at_different_steps_are_stacks_of_their_own():
    begun = fit_many([seeded(k) for k in range(2)], X, T, epochs=2)
    states = [begun[0].state, seeded(1).initialize(), seeded(2).initialize(), begun[1].state]
    compare(lambda k: seeded((0, 1, 2, 1)[k]), 4, states=states, stacks=2)


def test_a_state_keeps_its_own_numbers_alone():
    """Not those of the whole stack, of which a view would be."""
    for outcome in fit_many([seeded(k) for k in range(3)], X, T, epochs=[1, 2, 2]):
        for array in (outcome.state.params, *outcome.state.optimizer_state):
            assert array.base is None


def test_orders_that_differ_where_generators_are_equal():
    begun = fit_many([seeded(0)], X, T, epochs=1, sampling="reshuffle")[0].state
    states = [begun, replace(begun, order=begun.order[::-1].copy()), begun]
    compare(lambda k: seeded(0), states=states, sampling="reshuffle")


def test_epochs_are_counted_on():
    """By batches whose numbers of steps depend on the epoch."""
    batches = WithReplacement(6, lengths=[2, 1, 5])
    begun = fit_many([seeded(k) for k in range(3)], X, T, epochs=2, sampling=batches)
    compare(seeded, states=[o.state for o in begun], sampling=batches)


def test_orders_of_another_number_of_rows_are_not_gone_on_from():
    begun = fit_many([seeded(k) for k in range(3)], X, T, epochs=2, sampling="reshuffle")
    states = [o.state for o in begun]
    compare(seeded, states=states, rows=FOLDS, sampling="reshuffle")


def test_initial_parameters_may_be_given():
    net = Network([Dense(FEATURES, 5), Tanh(), Dense(5, 3)])

    def make(k):
        return trainer(network=net, random_state=k)

    starts = np.random.RandomState(0).standard_normal((3, net.n_params))
    compare(make, states=[make(k).initialize(starts[k]) for k in range(3)])
