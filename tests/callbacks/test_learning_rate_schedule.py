"""Rates by callback against optimizers that have the schedule."""

from __future__ import annotations

import numpy as np
import pytest
from runs import Each, Fail, bits, fit, host, outcome, trainer

from xpnet import (
    SGD,
    Adam,
    Checkpoint,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    LearningRateSchedule,
    Plateau,
    StepDecay,
)
from xpnet.optimizers import Schedule


class Sawtooth(Schedule):
    """A schedule of one's own."""

    def factor(self, time):
        return 1.0 / (1.0 + time % 3)


SCHEDULES = [
    Constant(0.1),
    StepDecay(0.1, every=2, gamma=0.5),
    Exponential(0.1, gamma=0.75, unit="step"),
    InverseTime(0.1, decay=0.5),
    Cosine(0.1, total=20, warmup=3, unit="step"),
    Plateau(0.1, 0.5, patience=0, min_delta=0.05),
    Sawtooth(0.1),
]
MAKE = [Adam, lambda rate: SGD(rate, momentum=0.9), lambda rate: SGD(rate, nesterov=False)]


@pytest.mark.parametrize("make", MAKE, ids=["adam", "momentum", "sgd"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_schedule_is_as_if_the_optimizers(schedule, make):
    expected = outcome(fit(trainer(make(schedule))))
    assert outcome(fit(trainer(make(7.0)), LearningRateSchedule(schedule))) == expected
    if type(schedule) is not Constant:
        assert outcome(fit(trainer(make(0.1)))) != expected


FUNCTIONS = [
    (lambda epoch, history: 0.1, Constant(0.1)),
    (lambda epoch, history: 0.1 * 0.5**epoch, Exponential(0.1, gamma=0.5)),
    (lambda epoch, history: np.float64(0.1) * 0.5 ** (epoch // 3), StepDecay(0.1, 3, 0.5)),
    (lambda epoch, history: 0.1 * 0.5**history.n_epochs, Exponential(0.1, gamma=0.5)),
    (
        lambda epoch, history: np.array([[0.1], [0.2]]) * 0.5**epoch,
        Exponential(np.array([[0.1], [0.2]]), gamma=0.5),
    ),
]


@pytest.mark.parametrize("make", MAKE, ids=["adam", "momentum", "sgd"])
@pytest.mark.parametrize("case", range(len(FUNCTIONS)))
def test_a_function_is_as_if_the_optimizers(case, make):
    function, schedule = FUNCTIONS[case]
    seeds = {"random_state": [1, 2]} if np.ndim(schedule.learning_rate) else {}
    expected = outcome(fit(trainer(make(schedule), **seeds)))
    assert outcome(fit(trainer(make(7.0), **seeds), LearningRateSchedule(function))) == expected


def test_every_backend_takes_them(backend, dtype):
    place = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    for by in FUNCTIONS[1][0], FUNCTIONS[1][1]:
        found = fit(trainer(Adam(7.0), **place), LearningRateSchedule(by))
        expected = fit(trainer(Adam(FUNCTIONS[1][1]), **place))
        assert bits(host(found)) == bits(host(expected))


def test_rates_may_follow_the_curve():
    """Plateau's rule by a function of the history."""

    rates = []

    def halved(epoch, history):
        curve = history.val_losses
        worse = [loss >= min(curve[:i]) for i, loss in enumerate(curve) if i]
        rates.append(0.25 * 0.5 ** sum(worse))
        return rates[-1]

    trained = fit(trainer(Adam(7.0)), LearningRateSchedule(halved), epochs=20)
    schedule = Plateau(0.25, 0.5, patience=0, min_delta=0.0)
    assert outcome(trained) == outcome(fit(trainer(Adam(schedule)), epochs=20))
    assert len(set(rates)) > 3


@pytest.mark.parametrize("by", [FUNCTIONS[1][0], SCHEDULES[-2]], ids=["function", "plateau"])
def test_a_resumed_run_has_the_same_rates(tmp_path, by):
    def run(fail, *saving):
        return fit(trainer(Adam(7.0)), LearningRateSchedule(by), fail, *saving)

    with pytest.raises(RuntimeError, match="as it was asked to"):
        run(Fail(4), Checkpoint(tmp_path / "run"))
    assert outcome(run(Fail(), Checkpoint(tmp_path / "run"))) == outcome(run(Fail()))


@pytest.mark.parametrize("seeds", [0, [0, 1], [0]])
@pytest.mark.parametrize("kind", ["function", "schedule", "one's own"])
def test_rates_of_another_number_of_models(seeds, kind):
    rates, seen = np.full((3, 1), 0.1), []
    by = {"function": lambda epoch, history: rates, "schedule": Exponential(rates)}
    schedule = LearningRateSchedule(by.get(kind, Sawtooth(rates)))
    models = len(seeds) if seeds else 1
    with pytest.raises(ValueError, match=f"schedule has rates for 3 models; the fit has {models}"):
        fit(trainer(random_state=seeds), schedule, Each(lambda fit: seen.append(1)))
    assert seen == []


@pytest.mark.parametrize(
    ("rate", "error"),
    [
        (-0.1, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (np.ones(3), ValueError),
        ("fast", TypeError),
        (None, TypeError),
    ],
)
def test_wrong_rates(rate, error):
    schedule, seen = LearningRateSchedule(lambda epoch, history: rate), []
    with pytest.raises(error, match=r"schedule's rate.* must be"):
        fit(trainer(), schedule, Each(lambda fit: seen.append(1)))
    assert seen == []


@pytest.mark.parametrize("schedule", [0.1, "cosine", None])
def test_what_is_no_schedule(schedule):
    with pytest.raises(TypeError, match="must be a Schedule, or a function"):
        LearningRateSchedule(schedule)
