"""Which models are trained in one stack, and how much memory is counted for them."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace

import numpy as np
import pytest
from alone import FEATURES, FOLDS, NET, WEIGHTS, N, T, X, trainer

from xpnet import SGD, Adam, Dense, Network, Penalty, Reshuffled, Shuffled, backends, fit_many
from xpnet.stacking.plan import bytes_needed, plan
from xpnet.stacking.requests import Request, Setting
from xpnet.stacking.training import Table, train

NUMPY = backends.get("numpy")
SETTING = Setting(None, None, "float64")


def request(own=None, **options):
    own = trainer() if own is None else own
    parts = {"rows": FOLDS[0], "batches": Shuffled(5), "epochs": 3, **options}
    return Request(own.problem, own.initialize(), **parts)


def planned(requests, memory=10**9, n_jobs=1, **options):
    return plan(requests, SETTING, options.pop("backend", NUMPY), memory, n_jobs, **options)


def test_models_of_one_shape_are_one_stack_in_the_order_of_their_groups():
    wide = trainer(network=Network([Dense(FEATURES, 9), Dense(9, 3)]))
    requests = [request(), request(wide), request(), request(wide), request()]
    assert planned(requests) == [[0, 2, 4], [1, 3]]


@pytest.mark.parametrize(
    "other",
    [
        lambda: request(rows=FOLDS[0][:-1]),
        lambda: request(batches=Shuffled(6)),
        lambda: request(batches=Reshuffled(5)),
        lambda: request(held_out_rows=np.arange(4)),
        lambda: request(weights=WEIGHTS[0]),
        lambda: request(trainer(SGD())),
        lambda: request(trainer(penalty=Penalty(l1=0.1))),
        lambda: request(trainer(max_norm=1.0)),
        lambda: request(trainer(loss="squared_error")),
        lambda: replace(request(), state=replace(trainer().initialize(), step=1)),
        lambda: replace(request(), state=replace(trainer().initialize(), epoch=1)),
    ],
)
def test_what_must_be_equal(other):
    assert planned([request(), other(), request()]) == [[0, 2], [1]]
    assert planned([other(), request()]) == [[0], [1]]


def test_what_may_differ():
    others = [
        request(trainer(Adam(0.5, beta1=0.1, eps=0.1), random_state=7)),
        request(rows=FOLDS[1], epochs=9),
        request(batches=Shuffled(5)),
    ]
    assert planned([request(), *others]) == [[0, 1, 2, 3]]
    held_out = [request(held_out_rows=rows, weights=w) for rows, w in zip(FOLDS, WEIGHTS)]  # noqa: B905
    assert planned(held_out) == [[0, 1, 2]]


def test_a_seed_of_dropout_that_is_not_needed_is_no_one_else_s():
    """A state may have one that the net does not use."""
    plain = trainer(network=Network([Dense(FEATURES, 3)]))
    seed = np.array([[7]], dtype=np.int32)
    states = [plain.initialize(), replace(plain.initialize(), dropout_seed=seed)]
    for given in (states, states[::-1]):
        trainers = [trainer(network=plain.problem.network) for _ in given]
        outcomes = fit_many(trainers, X, T, states=given, epochs=1)
        np.testing.assert_array_equal(outcomes[0].state.params, outcomes[1].state.params)
        assert [o.state.dropout_seed for o in outcomes] == [s.dropout_seed for s in given]


def test_memory_bounds_a_stack_and_its_jobs():
    requests = [request() for _ in range(7)]
    each = bytes_needed(requests[0], SETTING)
    sizes = {0: 1, each - 1: 1, 2 * each: 2, 3 * each - 1: 2, 3 * each: 3, 7 * each: 7}
    for memory, size in sizes.items():
        stacks = planned(requests, memory)
        assert len(stacks[0]) == size
        assert [k for numbers in stacks for k in numbers] == list(range(7))
    assert [len(s) for s in planned(requests, 4 * each, n_jobs=2)] == [2, 2, 2, 1]
    assert [len(s) for s in planned(requests, n_jobs=2)] == [4, 3]
    assert [len(s) for s in planned(requests, n_jobs=10)] == [1] * 7


class Small:
    """A backend that has so much memory."""

    def __init__(self, free, device_name="cpu"):
        self.device_name = device_name
        self._free = free

    def free_memory(self):
        return self._free


def test_half_of_what_is_free_is_taken_where_nothing_is_said():
    requests = [request() for _ in range(7)]
    each = bytes_needed(requests[0], SETTING)
    assert len(planned(requests, None, backend=Small(4 * each))[0]) == 2
    assert len(planned(requests, None, backend=Small(None))[0]) == 7
    assert NUMPY.free_memory() is None or NUMPY.free_memory() > 0


def test_on_the_host_a_stack_has_256_models_at_most():
    requests = [request()] * 600
    assert [len(s) for s in planned(requests)] == [256, 256, 88]
    assert [len(s) for s in planned(requests, backend=Small(None, "gpu"))] == [600]


def test_bytes_that_are_counted():
    """The state twice and three gradients, the batch in every layer thrice, the order of rows."""
    n_params = NET.n_params
    widths = FEATURES + 5 + 5 + 5 + 3  # ReLU and Dropout: the widest layer
    expected = 8 * ((2 * 3 + 3) * n_params + 3 * 5 * widths) + 32 * 18
    assert bytes_needed(request(), SETTING) == expected
    half = 4 * ((2 * 3 + 3) * n_params + 3 * 5 * widths) + 32 * 18
    assert bytes_needed(request(), replace(SETTING, dtype="float32")) == half
    all_rows = 8 * ((2 * 1 + 3) * n_params + 3 * 18 * widths) + 32 * 18
    assert bytes_needed(request(trainer(SGD()), batches=Shuffled(None)), SETTING) == all_rows


def test_what_is_planned_is_logged(caplog):
    requests = [request() for _ in range(3)]
    each = bytes_needed(requests[0], SETTING)
    with caplog.at_level(logging.INFO, logger="xpnet"):
        planned(requests, 2_000_000)
        planned(requests, None, backend=Small(None))
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == (
        f"3 nets in 1 stacks of at most 3, about {3 * each / 1e6:.1f} MB at a time of 2 MB that "
        "they may take."
    )
    assert lines[1].endswith("MB at a time.")
    heard = []
    planned(requests, each, say=heard.append)
    assert heard[0].startswith("3 nets in 3 stacks of at most 1, ")


def test_epochs_are_told_as_they_are_done_or_not_needed():
    """Of all models: whether they end at their length, stop or diverge."""
    requests = [request(epochs=k) for k in (1, 4, 2)]
    heard = []
    train(requests, Table(X, T), SETTING, told=heard.append)
    assert heard == [3, 2, 1, 1, 0]
    net = Network([Dense(FEATURES, 1)])
    diverging = request(trainer(SGD(1e308), network=net, loss="squared_error"), epochs=6)
    outcomes = train([diverging], Table(X, T), SETTING, told=heard.append)
    assert outcomes[0].failure
    assert sum(heard) == 7 + 6


@pytest.mark.parametrize("progress", [True, "folds"])
def test_a_bar_over_models_and_epochs(progress, capsys, monkeypatch):
    """Drawn in notebooks always, else in terminals."""
    fit_many([trainer()], X, T, epochs=1, progress=progress)
    assert not capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    fit_many([trainer(), trainer()], X, T, epochs=[2, 3], progress=progress)
    shown = capsys.readouterr().err
    assert "5/5" in shown
    assert ("folds: 100%" in shown) == (progress == "folds")
    fit_many([trainer()], X, T, epochs=1)
    assert not capsys.readouterr().err


def test_rows_are_those_of_the_table():
    """`train` is what `fit_many` calls; a request with all rows is a fit on all."""
    own = trainer()
    outcomes = train([request(rows=np.arange(N))], Table(X, T), SETTING)
    own.fit(X, T, epochs=3, batch_size=5)
    np.testing.assert_array_equal(outcomes[0].state.params, own.state_.params)
