"""Time limits, by a clock that is set by hand."""

from __future__ import annotations

import time

import pytest
from runs import Each, fit, outcome, trainer

from xpnet import Checkpoint, TimeLimit


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by 2 s an epoch, see `tick`."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def tick(clock):
    def go_on(fit):
        clock[0] += 2.0

    return Each(go_on)


@pytest.mark.parametrize(
    ("seconds", "epochs"), [(0.5, 1), (2.0, 1), (2.1, 2), (6, 3), (15.9, 8), (16.1, 8)]
)
def test_it_stops_after_the_epoch_in_which_the_time_is_up(clock, seconds, epochs):
    trained = fit(trainer(), tick(clock), TimeLimit(seconds))
    assert trained.history_.n_epochs == epochs
    reached = f"the time limit of {seconds:g} s was reached" if seconds <= 16 else None
    assert trained.stopped_ == reached
    assert outcome(trained)["state"] == outcome(fit(trainer(), epochs=epochs))["state"]


def test_each_fit_has_the_whole_time(clock):
    limit = TimeLimit(5.0)
    assert [fit(trainer(), tick(clock), limit).state_.epoch for _ in range(2)] == [3, 3]


def test_a_long_training_is_done_in_several_runs(clock, tmp_path):
    epochs = []
    for _ in range(4):
        callbacks = tick(clock), TimeLimit(5.0), Checkpoint(tmp_path / "run")
        trained = fit(trainer(), *callbacks)
        epochs.append(trained.state_.epoch)
    assert epochs == [3, 6, 8, 8]
    assert trained.stopped_ is None
    assert outcome(trained) == outcome(fit(trainer()))


@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan")])
def test_wrong_limits(seconds):
    with pytest.raises(ValueError, match=r"seconds=.* must be above 0 and finite"):
        TimeLimit(seconds)


def test_a_limit_is_a_number():
    with pytest.raises(TypeError, match="seconds='1 h' must be a number"):
        TimeLimit("1 h")
