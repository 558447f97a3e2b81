"""What callbacks see of a model of a stack, and what they may change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from alone import FOLDS, HELD_OUT, T, X, compare, trainer

from xpnet import (
    SGD,
    Adam,
    Callback,
    Cosine,
    LearningRateSchedule,
    Plateau,
    StepDecay,
    fit_many,
)

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])
RATES = (0.3, 0.01, 0.1)


def of_type(dtype, optimizer=Adam):
    return lambda k: trainer(optimizer(RATES[k]), dtype=dtype, random_state=k)


def is_first(fit):
    """Whether it is the model with the largest rate."""
    return fit.run.place.problem.optimizer.learning_rate == RATES[0]


def halving(epoch, history):
    return 0.1 * 0.5**epoch if not history.losses else 0.05 * min(1.0, history.losses[-1])


@both_types
@pytest.mark.parametrize(
    "schedule",
    [halving, Cosine(0.1, total=14, unit="step"), Plateau(0.1, patience=0, min_delta=0.1)],
    ids=["function", "cosine", "plateau"],
)
def test_learning_rate_schedules(schedule, dtype):
    compare(of_type(dtype), epochs=4, callbacks=[LearningRateSchedule(schedule)], rows=FOLDS)


class Rates(Callback):
    """Sets another kind of rate in each epoch, in some models alone."""

    def __init__(self, everywhere):
        self.everywhere = everywhere

    def on_epoch_begin(self, fit):
        if self.everywhere or is_first(fit):
            rates = [None, 0.02, StepDecay(0.3, every=2, unit="step"), np.float32(0.25), None, 0]
            fit.learning_rate = rates[fit.done]


@both_types
@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.parametrize("schedules", [True, False])
def test_rates_that_a_callback_sets(schedules, everywhere, dtype):
    def make(k):
        rate = Cosine(RATES[k], total=9) if schedules and k else RATES[k]
        return trainer(SGD(rate, momentum=0.5), dtype=dtype, random_state=k)

    compare(make, epochs=6, callbacks=[Rates(everywhere)])


@pytest.mark.parametrize(
    ("rate", "error"), [("fast", TypeError), (-1.0, ValueError), (np.nan, ValueError)]
)
def test_rates_that_are_none(rate, error):
    class Wrong(Callback):
        def on_epoch_begin(self, fit):
            fit.learning_rate = rate

    with pytest.raises(error, match=r"fit\.learning_rate="):
        fit_many([trainer(), trainer()], X, T, callbacks=[Wrong()])


class Keep(Callback):
    """Keeps what it sees before and after each epoch."""

    def __init__(self):
        self.seen = []

    def _see(self, fit):
        state = fit.state
        self.seen.append([vars(state), fit.params, fit.done, fit.history.losses[-1:]])

    on_fit_begin = on_epoch_begin = on_epoch_end = on_fit_end = _see


@both_types
@pytest.mark.parametrize("sampling", ["shuffle", "reshuffle"])
def test_states_that_a_callback_sees(sampling, dtype):
    """Copies: they stay what they were when they were seen."""
    compare(of_type(dtype), callbacks=[Keep()], rows=FOLDS, sampling=sampling, epochs=[3, 1, 4])


class Change(Callback):
    """Replaces the parameters, in some epochs of some models."""

    def __init__(self, event, everywhere):
        self.event, self.everywhere = event, everywhere

    def _change(self, fit, event):
        chosen = self.everywhere or is_first(fit)
        if event == self.event and chosen and fit.done % 2 == 1:
            fit.state = replace(fit.state, params=fit.state.params * 0.5)

    def on_fit_begin(self, fit):
        if self.event == "on_fit_begin":
            fit.state = replace(fit.state, params=fit.state.params * 0.5)

    def on_epoch_begin(self, fit):
        self._change(fit, "on_epoch_begin")

    def on_epoch_end(self, fit):
        self._change(fit, "on_epoch_end")

    def on_fit_end(self, fit):
        self._change(fit, "on_fit_end")


@both_types
@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.parametrize("event", ["on_fit_begin", "on_epoch_begin", "on_epoch_end", "on_fit_end"])
def test_parameters_that_a_callback_replaces(event, everywhere, dtype):
    callbacks = [Change(event, everywhere)]
    compare(of_type(dtype), epochs=[5, 5, 3], callbacks=callbacks, sampling="reshuffle")


class Reset(Callback):
    """Sets back the optimizer's state, and forgets the curve that plateaus are looked for in."""

    def on_epoch_end(self, fit):
        if fit.done == 2 and fit.history.losses[-1] > 0.9:
            zeros = tuple(np.zeros_like(a) for a in fit.state.optimizer_state)
            fit.state = replace(fit.state, optimizer_state=zeros, curve=())


def test_other_parts_of_the_state_that_a_callback_replaces():
    def make(k):
        rate = Plateau(RATES[k], reduction=0.5, patience=0, min_delta=0.3)
        return trainer(Adam(rate), random_state=k)

    compare(make, epochs=6, callbacks=[Reset()], validation_rows=HELD_OUT, rows=FOLDS)


class Rewind(Callback):
    """Goes back to the best state, step and epoch included, with half the rate."""

    def on_fit_begin(self, fit):
        self._best = np.inf
        self.rewound = []

    def on_epoch_end(self, fit):
        loss = fit.history.losses[-1]
        if loss < self._best:
            self._best, self._state = loss, fit.state
        else:
            self.rewound.append(fit.done)
            fit.state = self._state
            fit.learning_rate = (fit.learning_rate or 0.2) / 2.0


@both_types
@pytest.mark.parametrize("sampling", ["shuffle", "reshuffle", "sequential"])
@pytest.mark.parametrize("seeds", [(0, 1, 2), (0, 0, 0)])
def test_fits_that_a_callback_sets_back(seeds, sampling, dtype):
    """Each by as many steps as it likes."""

    def make(k):
        rate = Cosine(RATES[k], total=60, unit="step")
        return trainer(SGD(rate, momentum=0.9), dtype=dtype, random_state=seeds[k])

    outcomes = compare(make, epochs=[12, 12, 7], callbacks=[Rewind()], sampling=sampling)
    assert len({tuple(o.callbacks[0].rewound) for o in outcomes}) > 1


def test_callbacks_are_any_iterable():
    outcomes = fit_many([trainer()], X, T, epochs=1, callbacks=iter([Keep()]))
    assert len(outcomes[0].callbacks) == 1
