"""What callbacks see, in which order, and what becomes of a fit that one of them ends."""

from __future__ import annotations

import numpy as np
import pytest
from runs import Each, Fail, bits, fit, host, outcome, trainer

from xpnet import BinaryCrossEntropy, Callback, Dense, History, Network, Trainer, backends, training


class Note(Callback):
    """Writes its name and each event on a common list."""

    def __init__(self, name, events, last=False):
        self.name, self.events, self.last = name, events, last

    def on_fit_begin(self, fit):
        self.events.append((self.name, "begin"))

    def on_epoch_begin(self, fit):
        self.events.append((self.name, fit.history.n_epochs, "("))

    def on_epoch_end(self, fit):
        self.events.append((self.name, fit.history.n_epochs, ")"))

    def on_fit_end(self, fit):
        self.events.append((self.name, "end"))


def notes(names, *events):
    return [(name, *event) for event in events for name in names]


def test_the_order_of_events():
    events = []
    fit(trainer(), *[Note(name, events) for name in "abc"], epochs=2)
    assert events == [
        *notes("abc", ("begin",), (0, "("), (1, ")"), (1, "("), (2, ")")),
        *notes("cba", ("end",)),
    ]


def test_some_are_called_last():
    events = []
    fit(trainer(), *[Note(name, events, name in "AB") for name in "AaBb"], epochs=1)
    assert events == [*notes("abAB", ("begin",), (0, "("), (1, ")")), *notes("BAba", ("end",))]


def test_an_empty_callback_may_be_anywhere():
    expected = outcome(fit(trainer()))
    assert outcome(fit(trainer(), Callback(), Callback())) == expected
    assert Callback().state() == {}
    assert repr(Callback()) == "Callback()"


def test_a_callback_sees_each_epoch():
    seen = []

    def look(fit):
        assert isinstance(fit.history, History)
        seen.append((fit.history.n_epochs, len(fit.history.val_losses), fit.state.epoch, fit.done))

    fit(trainer(), Each(look), epochs=3)
    assert seen == [(1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)]


def test_the_length_in_steps():
    seen = []
    look = Each(lambda fit: seen.append((fit.unit, fit.total, fit.done, fit.state.step)))
    fit(trainer(), look, iterations=7)
    assert seen == [("step", 7, 3, 3), ("step", 7, 6, 6), ("step", 7, 7, 7)]


@pytest.mark.parametrize("seeds", [0, [0, 1]])
def test_numbers_lie_on_the_host_parameters_on_the_device(backend, dtype, lies_on, seeds):
    place = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    kinds = set()

    def look(fit):
        lies_on(backend, fit.state.params, dtype)
        for name, curve in vars(fit.history).items():
            if curve and name != "seconds":
                kinds.add((type(curve[-1]), getattr(curve[-1], "shape", None)))

    fit(trainer(random_state=seeds, **place), Each(look), train_score=True, step_losses="before")
    assert kinds == {(np.ndarray, (2,)) if seeds else (float, None)}


def test_reading_the_history_costs_no_transfer(backend, monkeypatch):
    place = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    counts, cls, kept = [0], type(backend), type(backend).to_host

    def to_host(self, array):
        counts[0] += 1
        return kept(self, array)

    monkeypatch.setattr(cls, "to_host", to_host)
    read = []

    def transfers(*callbacks):
        counts[0] = 0
        trained = fit(trainer(**place), *callbacks, epochs=5)
        return counts[0], outcome(trained)

    without = transfers()
    assert without[0] >= 5
    assert transfers(Each(lambda fit: read.append(fit.history.losses[-1]))) == without
    assert len(read) == 5
    looking = transfers(Each(lambda fit: fit.run.place.backend.to_host(fit.state.params)))
    assert looking == (without[0] + 5, without[1])


def test_stop_ends_the_fit_after_the_epoch():
    def stop(fit):
        if fit.history.n_epochs == 3:
            fit.stop("enough is enough")

    seen = []
    trained = fit(trainer(), Each(stop), Each(lambda fit: seen.append(fit.stopped)))
    assert trained.stopped_ == "enough is enough"
    assert seen == [None, None, "enough is enough"]
    assert bits(trained.state_) == bits(fit(trainer(), epochs=3).state_)
    assert fit(trained).stopped_ is None


class StopAtOnce(Callback):
    def on_fit_begin(self, fit):
        fit.stop("there is nothing to do")


def test_stop_before_the_first_epoch():
    trained = fit(trainer(), StopAtOnce())
    assert (trained.stopped_, trained.history_.n_epochs) == ("there is nothing to do", 0)
    np.testing.assert_array_equal(host(trained), trainer().initialize().params)


@pytest.mark.parametrize("seeds", [0, [0, 1]])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("event", ["on_epoch_begin", "on_epoch_end"])
def test_a_callback_that_fails_leaves_the_complete_epochs(event, error, seeds):
    events, trained = [], trainer(random_state=seeds)
    failing = Fail(3, error, event)
    with pytest.raises(error, match="as it was asked to"):
        fit(trained, Note("a", events), failing, Note("b", events))
    done = 3 if event == "on_epoch_end" else 2
    assert events[-2:] == notes("ba", ("end",))
    assert events[-3] == ("a", done, ")" if event == "on_epoch_end" else "(")
    assert outcome(trained) == outcome(fit(trainer(random_state=seeds), epochs=done))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("method", ["_order", "steps", "failures", "losses", "evaluations"])
def test_an_epoch_that_is_interrupted_leaves_the_complete_ones(monkeypatch, method, error):
    events, calls, kept = [], [], getattr(training.Run, method)

    def fail(self, *arguments):
        calls.append(method)
        if len(calls) == 3:
            raise error("in the midst")
        return kept(self, *arguments)

    trained = trainer()
    monkeypatch.setattr(training.Run, method, fail)
    with pytest.raises(error, match="in the midst"):
        fit(trained, Note("a", events), Note("b", events), train_score=True)
    assert events[-4:] == notes("a", (2, "(")) + notes("b", (2, "(")) + notes("ba", ("end",))
    assert outcome(trained) == outcome(fit(trainer(), epochs=2, train_score=True))
    goes_on = fit(trained, epochs=6, state=trained.state_)
    assert bits(goes_on.state_) == bits(fit(trainer()).state_)


def test_a_divergence_leaves_the_complete_epochs():
    seen = []

    def explode(fit):
        seen.append(fit.history.n_epochs)
        if fit.history.n_epochs == 2:
            fit.learning_rate = 1.7e308

    trained = trainer()
    with pytest.raises(FloatingPointError, match=r"Training diverged: .* in epoch 3"):
        fit(trained, Each(explode))
    assert seen == [1, 2]
    assert outcome(trained) == outcome(fit(trainer(), epochs=2))


class FailAt(Note):
    """Raises as the fit begins or ends."""

    def __init__(self, name, events, event, error=RuntimeError):
        super().__init__(name, events)
        self.event, self.error = event, error

    def on_fit_begin(self, fit):
        super().on_fit_begin(fit)
        if self.event == "begin":
            raise self.error(self.name)

    def on_fit_end(self, fit):
        super().on_fit_end(fit)
        if self.event == "end":
            raise self.error(self.name)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_one_that_fails_as_the_fit_begins(error):
    """Those that have begun are ended, it is not, the others do not begin."""
    events = []
    abcd = [FailAt("c", events, "begin", error) if n == "c" else Note(n, events) for n in "abcd"]
    with pytest.raises(error, match="c"):
        fit(trainer(), *abcd)
    assert events == notes("abc", ("begin",)) + notes("ba", ("end",))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_one_that_fails_as_the_fit_ends(error):
    """All others are ended too."""
    events, trained = [], trainer()
    abc = [FailAt("b", events, "end", error) if n == "b" else Note(n, events) for n in "abc"]
    with pytest.raises(error, match="b"):
        fit(trained, *abc)
    assert events[-3:] == notes("cba", ("end",))
    assert outcome(trained) == outcome(fit(trainer()))


def test_both_errors_are_told():
    events = []
    with pytest.raises(RuntimeError, match="b") as told:
        fit(trainer(), Note("a", events), FailAt("b", events, "end"), Fail(2, KeyError))
    assert type(told.value.__context__) is KeyError
    assert events[-1] == ("a", "end")


def test_a_rate_holds_until_another_is_set():
    def jump(fit):
        if fit.history.n_epochs in (2, 4):
            fit.learning_rate = 0.4 / fit.history.n_epochs

    trained = trainer()
    fit(trained, Each(jump), epochs=6)
    by_hand = fit(trainer(), epochs=2)
    for rate, epochs in (0.2, 2), (0.1, 2):
        slower = trainer(type(by_hand.problem.optimizer)(rate))
        by_hand = fit(slower, epochs=epochs, state=by_hand.state_)
    np.testing.assert_array_equal(host(trained), host(by_hand))


def test_the_state_may_be_replaced():
    """Weights that are kept small by a callback, against a loop of fits of one epoch."""
    import dataclasses

    def shrink(fit):
        fit.state = dataclasses.replace(fit.state, params=fit.state.params * 0.5)

    trained, by_hand = fit(trainer(), Each(shrink), epochs=4), trainer()
    state = by_hand.initialize()
    for _ in range(4):
        state = fit(by_hand, epochs=1, state=state).state_
        state = dataclasses.replace(state, params=state.params * 0.5)
    np.testing.assert_array_equal(host(trained), state.params)


def test_watching_works_without_validation_data():
    net = Network([Dense(1, 1)])
    trained = Trainer(net, BinaryCrossEntropy(), random_state=0)
    seen = []
    trained.fit([[-1.0], [1.0]], [0, 1], epochs=2, callbacks=[Each(lambda f: seen.append(f))])
    assert seen[0] is seen[1]
    assert seen[0].history is trained.history_
    assert backends.owner(seen[0].history.losses[0]) is None
