"""Wrong calls of `fit_many`: each names the argument, and none begins to train."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from alone import FEATURES, LOSS, NET, WEIGHTS, N, T, X, Y, trainer

from xpnet import (
    SGD,
    Checkpoint,
    Dense,
    EarlyStopping,
    Network,
    ProgressBar,
    Shuffled,
    Trainer,
    backends,
    fit_many,
    stacking,
)
from xpnet.validation import check_rows


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch):
    def scan(*args, **options):
        raise AssertionError("an epoch was run")

    monkeypatch.setattr(stacking.training.Run, "steps", scan)


def many(n=2, *, trainers=None, x=X, t=T, **options):
    trainers = [trainer(random_state=k) for k in range(n)] if trainers is None else trainers
    try:
        fit_many(trainers, x, t, **options)
    finally:
        made = trainers if isinstance(trainers, list) else []
        assert not any(hasattr(own, "state_") for own in made)


def stacked(**options):
    return Trainer(NET, LOSS, **options)


def refused(error, told, **options):
    with pytest.raises(error) as caught:
        many(**options)
    assert told in str(caught.value)


ONE_EACH = "a sequence with one entry for each of 2 trainers is needed."


@pytest.mark.parametrize(
    ("trainers", "error", "told"),
    [
        (trainer(), TypeError, "must be a sequence of Trainer; trainer.models() takes a stack"),
        (3, TypeError, "trainers=3 must be a sequence of Trainer"),
        ({trainer()}, TypeError, "must be a sequence of Trainer"),
        ([trainer(), NET], TypeError, "trainers[1]=Network("),
        ([trainer(), stacked(random_state=[0, 1])], ValueError, "trainers[1] is a stack of 2 mod"),
        ([stacked(optimizer=SGD([[0.1]]))], ValueError, "trainers[0] is a stack of 1 models; put"),
        ([trainer()] * 2, ValueError, "trainers has one of them twice."),
        ([], ValueError, "trainers is empty; at least one is needed."),
    ],
)
def test_trainers(trainers, error, told):
    refused(error, told, trainers=trainers)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"validation_data": (X, T), "validation_rows": [[0], [1]]}, ValueError, "only one of the"),
        ({"validation_data": X}, TypeError, "validation_data must be a tuple"),
        ({"validation_data": (X[:, :2], T)}, ValueError, "validation_x has shape (26, 2)"),
        ({"validation_data": (X, T[1:])}, ValueError, "validation_x has 26, validation_t has 25"),
        ({"validation_data": (X, T, WEIGHTS)}, ValueError, "validation_sample_weight has shape"),
        ({"validation_rows": [[0]]}, ValueError, f"validation_rows: {ONE_EACH}"),
        ({"validation_rows": [[0], [26]]}, ValueError, "validation_rows[1] holds rows from 26 to"),
        ({"epochs": 0}, ValueError, "epochs=0 must be at least 1"),
        ({"epochs": [1, 0]}, ValueError, "epochs=0 must be at least 1"),
        ({"epochs": [1, 2.5]}, TypeError, "epochs=2.5 must be an integer"),
        ({"epochs": None}, TypeError, "epochs=None must be an integer"),
        ({"epochs": [1, 2, 3]}, ValueError, f"epochs: {ONE_EACH}"),
        ({"epochs": "ten"}, TypeError, "epochs='ten' must be an integer"),
        ({"batch_size": 0}, ValueError, "batch_size=0 must be at least 1"),
        ({"batch_size": [4, True]}, TypeError, "batch_size=True must be an integer"),
        ({"batch_size": [4]}, ValueError, f"batch_size: {ONE_EACH}"),
        ({"sampling": "shuffel"}, ValueError, "Did you mean 'shuffle'?"),
        ({"step_losses": "later"}, ValueError, "step_losses='later'"),
        ({"step_losses": "after", "objectives": True}, ValueError, "objectives=True are those"),
        ({"states": [trainer().initialize()]}, ValueError, f"states: {ONE_EACH}"),
        ({"states": trainer().initialize()}, ValueError, f"states: {ONE_EACH}"),
        ({"states": [None, 3]}, TypeError, "states[1]=3 must be a TrainState"),
        (
            {"states": [None, stacked(random_state=[0, 1], optimizer="adam").initialize()]},
            ValueError,
            "states[1] is of a stack of 2 models; one is needed.",
        ),
        (
            {"states": [None, replace(trainer().initialize(), dropout_seed=None)]},
            ValueError,
            "state.dropout_seed is None",
        ),
        ({"callbacks": EarlyStopping()}, TypeError, "must be a sequence: [EarlyStopping("),
        ({"callbacks": ["stop"]}, TypeError, "callbacks[0]='stop' must be a Callback"),
        ({"callbacks": [EarlyStopping()]}, ValueError, "monitor='val_losses' has no values"),
        ({"callbacks": [Checkpoint("run")]}, ValueError, "is for a fit of its own"),
        ({"callbacks": [ProgressBar()]}, ValueError, "a bar over all fits is progress=True."),
    ],
)
def test_options(options, error, told):
    refused(error, told, **options)


@pytest.mark.parametrize(
    ("weights", "error", "told"),
    [
        (3.0, ValueError, "sample_weight has shape (); (26,) is needed."),
        ([], ValueError, "sample_weight has shape (0,); (26,) is needed."),
        (WEIGHTS[0, :5], ValueError, "sample_weight has shape (5,); (26,) is needed."),
        (WEIGHTS, ValueError, f"sample_weight: {ONE_EACH}"),
        ([WEIGHTS[0]], ValueError, f"sample_weight: {ONE_EACH}"),
        ([WEIGHTS[0], WEIGHTS[0, :5]], ValueError, "sample_weight[1] has shape (5,)"),
        ([WEIGHTS[0], -WEIGHTS[0]], ValueError, "sample_weight[1] holds -"),
        ([WEIGHTS[0], np.zeros(N)], ValueError, "sample_weight[1] holds only zeros"),
        ([None, None], TypeError, "sample_weight has dtype object"),
        ("balanced", TypeError, "sample_weight has dtype <U8"),
        ({"a": 1.0}, TypeError, "sample_weight has dtype object"),
    ],
)
def test_weights(weights, error, told):
    refused(error, told, sample_weight=weights)


ROWS = [
    ([], "has shape (0,) and dtype float64; integers of shape (n,), or True and False of shape"),
    ([1.0, 2.0], "has shape (2,) and dtype float64"),
    ([[1, 2]], "has shape (1, 2) and dtype int64"),
    (5, "has shape () and dtype int64"),
    (["a"], "has shape (1,) and dtype <U1"),
    (None, "has shape () and dtype object"),
    (np.zeros(N, dtype=bool), "has shape (0,) and dtype int64"),
    (np.ones(N - 1, dtype=bool), "has shape (25,) and dtype bool"),
    ([-1, 3], "holds rows from -1 to 3; there are 26 samples, counted from 0."),
    ([0, 26], "holds rows from 0 to 26; there are 26 samples, counted from 0."),
    (np.array([0, 300], dtype=np.uint16), "holds rows from 0 to 300"),
]


@pytest.mark.parametrize(("rows", "told"), ROWS)
def test_rows(rows, told):
    refused(ValueError, f"rows[1] {told}", rows=[[0], rows])
    with pytest.raises(ValueError, match="some rows ") as caught:
        check_rows("some rows", rows, N)
    assert told in str(caught.value)


@pytest.mark.parametrize("rows", [3, [[0]], "ab c", [[0]] * 3, iter([[0], [1]])])
def test_rows_that_are_no_sequence(rows):
    refused(ValueError, f"rows: {ONE_EACH}", rows=rows)


def test_rows_are_returned_as_integers():
    for rows in ([2, 0, 2], (2, 0, 2), np.array([2, 0, 2], dtype=np.uint8)):
        found = check_rows("rows", rows, 3)
        assert found.dtype == np.int64
        assert found.tolist() == [2, 0, 2]
    mask = check_rows("rows", [True, False, True], 3)
    assert mask.dtype == np.int64
    assert mask.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("data", "error", "told"),
    [
        ({"x": X[:, :3]}, ValueError, "x has shape (26, 3); (samples, 4) is needed."),
        ({"x": X[0]}, ValueError, "x has shape (4,); (samples, features) is needed."),
        ({"x": []}, ValueError, "x has shape (0,); (samples, features) is needed."),
        ({"x": X[:0], "t": T[:0]}, ValueError, "x has no samples"),
        ({"x": 3.0}, ValueError, "x has shape (); (samples, features) is needed."),
        ({"x": None}, TypeError, "x has dtype object"),
        ({"x": np.where(X > 1, np.nan, X)}, ValueError, "x holds NaN or infinity"),
        ({"x": (X > 0).astype(np.uint8)}, ValueError, "which are read as pixels"),
        ({"t": T[:-1]}, ValueError, "x has 26, t has 25"),
        ({"t": T + 1}, ValueError, "t holds 3, outside the classes 0..2"),
        ({"t": T - 0.5}, ValueError, "t of one axis holds classes; integers are needed."),
        ({"t": Y}, ValueError, "t has shape (26, 2)"),
        ({"t": None}, TypeError, "t has dtype object"),
    ],
)
def test_data(data, error, told):
    refused(error, told, **data)


def test_nets_of_another_number_of_features():
    """Also where the features are known already, from the stack before."""
    other = trainer(network=Network([Dense(FEATURES - 1, 3)]))
    refused(ValueError, "x has shape (26, 4); (samples, 3) is needed.", trainers=[other])
    table = stacking.training.Table(X, T)
    table.samples(trainer()._place(X))
    with pytest.raises(ValueError, match=r"\(samples, 3\) is needed"):
        table.samples(other._place(X))


def test_backends():
    refused(ValueError, "backend='numpy'", trainers=[trainer(backend="numpy", device="moon")])
    if not backends.available()["torch"].usable:
        pytest.skip("no torch")
    x = backends.get("torch").asarray(X)
    refused(ValueError, "arrays of torch came in", x=x, trainers=[trainer(backend="jax")])


def test_batches_bring_their_own_sizes():
    """So that a size for each is not looked at, but counted."""
    refused(ValueError, f"batch_size: {ONE_EACH}", sampling=Shuffled(5), batch_size=[3])
