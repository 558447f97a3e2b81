"""Models of one pass that differ in rows, weights, batches or data: each is its own fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from alone import (
    CLASSES,
    FEATURES,
    FOLDS,
    HELD_OUT,
    WEIGHTS,
    YES,
    N,
    T,
    X,
    Y,
    alone,
    compare,
    of_many,
    same,
    trainer,
)

from xpnet import (
    SGD,
    Adam,
    BinaryCrossEntropy,
    Dense,
    Dropout,
    EarlyStopping,
    Huber,
    Network,
    Penalty,
    Plateau,
    ReLU,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    Trainer,
    WithReplacement,
    evaluation,
    fit_many,
)

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])
BOOTSTRAP = [np.random.RandomState(k).choice(N, 20) for k in range(3)]


def seeded(k):
    """Models that differ in seed and rate."""
    return trainer(Adam((0.1, 0.03, 0.01)[k % 3]), penalty=Penalty(l2=0.1), random_state=k)


def of_type(dtype):
    return lambda k: trainer(Adam((0.1, 0.03, 0.01)[k]), dtype=dtype, random_state=k)


@both_types
@pytest.mark.parametrize("rows", [FOLDS, BOOTSTRAP], ids=["folds", "bootstrap"])
@pytest.mark.parametrize("weights", [None, WEIGHTS[0], list(WEIGHTS)], ids=["no", "one", "each"])
def test_rows_and_weights(rows, weights, dtype):
    compare(of_type(dtype), rows=rows, sample_weight=weights, validation_rows=HELD_OUT)


def test_weights_without_rows():
    compare(seeded, sample_weight=list(WEIGHTS), validation_rows=HELD_OUT)


def test_weights_of_which_some_batches_have_none():
    weights = np.zeros((3, N))
    weights[:, ::7] = [[1.0], [2.0], [3.0]]
    compare(seeded, sample_weight=list(weights), batch_size=2, rows=FOLDS)


def test_folds_of_unequal_length_are_several_stacks():
    folds = [np.arange(k, N) for k in (0, 1, 0, 2, 1)]
    held_out = [np.arange(3 + k) for k in (0, 0, 0, 1, 0)]
    compare(seeded, 5, rows=folds, validation_rows=held_out, stacks=3)
    compare(seeded, 5, rows=[FOLDS[0]] * 5, validation_rows=held_out, stacks=2)


def test_rows_are_also_lists_ranges_masks_and_one_array():
    expected = [of_many(o) for o in fit_many([seeded(k) for k in range(2)], X, T, rows=FOLDS[:2])]
    mask = np.isin(np.arange(N), FOLDS[1])
    for rows in (np.stack(FOLDS[:2]), [FOLDS[0].tolist(), mask], (FOLDS[0], mask)):
        outcomes = fit_many([seeded(k) for k in range(2)], X, T, rows=rows)
        for outcome, own in zip(outcomes, expected, strict=True):
            same(of_many(outcome), own)
    compare(seeded, 2, rows=[range(4, 20), range(16)])


@both_types
@pytest.mark.parametrize("held_out", [(X[:9], T[:9]), (X[:9], T[:9], WEIGHTS[0, :9])])
def test_a_validation_set_for_all(held_out, dtype):
    compare(of_type(dtype), validation_data=held_out, rows=FOLDS)


RECORDS = [
    {"step_losses": "before"},
    {"step_losses": "after"},
    {"step_losses": None, "train_score": False},
    {"step_losses": None, "objectives": True},
    {"step_losses": "before", "objectives": True},
]


@both_types
@pytest.mark.parametrize("record", RECORDS, ids=str)
@pytest.mark.parametrize("weights", [None, list(WEIGHTS)], ids=["plain", "weighted"])
def test_what_is_recorded(record, weights, dtype):
    def make(k):
        return trainer(penalty=Penalty((0.1, 0.2, 0.3)[k], 0.1), dtype=dtype, random_state=k)

    compare(make, rows=FOLDS, sample_weight=weights, **record)


@both_types
@pytest.mark.parametrize("batch_size", [1, 7, None])
@pytest.mark.parametrize("sampling", ["shuffle", "reshuffle", "replacement", "sequential"])
def test_ways_to_draw_batches(sampling, batch_size, dtype):
    """Models 0 and 1 share their orders."""

    def make(k):
        return trainer(SGD(0.1 * (k + 1)), dtype=dtype, random_state=k // 2)

    compare(make, rows=FOLDS, sampling=sampling, batch_size=batch_size)


def test_epochs_of_several_lengths():
    batches = WithReplacement(6, lengths=[2, 1, 5])
    compare(seeded, sampling=batches, batch_size=32, epochs=4)


def test_sizes_of_batches_that_differ():
    compare(seeded, 4, batch_size=[4, None, 4, 9], stacks=3)


def test_batches_of_the_user_are_drawn_for_each_model():
    class Odd(WithReplacement):
        def order(self, n_samples, rng, epoch):
            return (rng.permutation(n_samples) + epoch) % n_samples // 2 * 2

    compare(seeded, sampling=Odd(5), rows=FOLDS)


LOSSES = {
    "softmax": (SoftmaxCrossEntropy(), T, 3),
    "clipped": (SoftmaxCrossEntropy(clip=1e-3), T, 3),
    "one-hot": (SoftmaxCrossEntropy(), np.eye(3)[T], 3),
    "binary": (BinaryCrossEntropy(), YES, 1),
    "labels": (BinaryCrossEntropy(), (Y > 0).astype(int), 2),
    "column": (BinaryCrossEntropy(), YES[:, None], 1),
    "squared": (SquaredError(), Y, 2),
    "mixed": (SquaredError(outputs="mixed"), Y, 2),
    "huber": (Huber(), Y[:, 0], 1),
}


@both_types
@pytest.mark.parametrize("kind", LOSSES)
def test_losses(kind, dtype):
    loss, t, n_outputs = LOSSES[kind]
    net = Network([Dense(FEATURES, 6), Tanh(), Dense(6, n_outputs)])

    def make(k):
        return trainer(network=net, loss=loss, dtype=dtype, random_state=k)

    compare(make, t=t, rows=FOLDS, validation_rows=HELD_OUT, sample_weight=list(WEIGHTS))
    compare(make, t=t, rows=FOLDS, validation_rows=HELD_OUT)


def test_losses_that_differ_are_stacks_of_their_own():
    losses = [BinaryCrossEntropy(), SquaredError(), BinaryCrossEntropy(), Huber()]
    net = Network([Dense(FEATURES, 1)])
    compare(lambda k: trainer(network=net, loss=losses[k]), 4, t=YES, stacks=3)


@both_types
@pytest.mark.parametrize("form", ["csr_array", "csr_matrix", "csc_array"])
def test_sparse_features(form, dtype, monkeypatch):
    """In windows of one batch of three models at most, so that weights are brought with them."""
    x = getattr(scipy.sparse, form)(np.where(X > 0, X, 0.0))
    monkeypatch.setattr("xpnet.training._MOST_ELEMENTS", 3 * 5 * FEATURES)
    options = {"rows": FOLDS, "sample_weight": list(WEIGHTS)}
    compare(of_type(dtype), x=x, validation_rows=HELD_OUT, **options)
    compare(of_type(dtype), x=x, validation_data=(x[:5], T[:5]))


PIXELS = np.random.RandomState(1).randint(256, size=X.shape).astype(np.uint8)


@both_types
def test_pixels(dtype):
    """Dark ones to evaluate on too, which alone nobody takes for flags either."""
    compare(of_type(dtype), x=PIXELS, rows=BOOTSTRAP, validation_rows=HELD_OUT)
    compare(of_type(dtype), x=PIXELS, validation_data=(PIXELS[:6] // 255, T[:6]))


def test_integers_become_float32():
    x = np.round(X * 5).astype(int)
    outcomes = compare(seeded, x=x)
    assert outcomes[0].state.params.dtype == np.float32


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_lists_and_tables(dtype):
    """Labels of a table's rows are not their numbers."""
    names = pd.Index(np.arange(N)[::-1] + 5)
    table, column = pd.DataFrame(X, index=names), pd.Series(T, index=names)
    weights = pd.Series(WEIGHTS[1], index=names)
    for x, t, w in ((table, column, weights), (X.tolist(), T.tolist(), WEIGHTS[1].tolist())):
        trainers = [trainer(dtype=dtype, random_state=k) for k in range(3)]
        outcomes = fit_many(trainers, x, t, rows=FOLDS, sample_weight=w, epochs=3)
        for k, rows in enumerate(FOLDS):
            own = trainer(dtype=dtype, random_state=k)
            expected = alone(own, X[rows], T[rows], sample_weight=WEIGHTS[1][rows], epochs=3)
            same(of_many(outcomes[k]), expected)


@both_types
@pytest.mark.parametrize("sizes", [(30, 10, 1), (64, 50, 10), (17, 129, 33)])
def test_sizes_for_which_the_products_are_blocked(sizes, dtype):
    features, hidden, n_outputs = sizes
    rng = np.random.RandomState(2)
    x, t = rng.randn(300, features), rng.rand(300, n_outputs)
    net = Network([Dense(features, hidden), Tanh(), Dense(hidden, n_outputs)])
    folds = [np.setdiff1d(np.arange(300), np.arange(k, 300, 5)) for k in range(3)]

    def make(k):
        return trainer(network=net, loss="squared_error", dtype=dtype, random_state=k)

    options = {"rows": folds, "batch_size": 64, "epochs": 2}
    compare(make, x=x, t=t, validation_rows=[np.arange(k, 300, 5) for k in range(3)], **options)
    compare(make, x=x, t=t, validation_data=(x, t), **options)


@both_types
@pytest.mark.parametrize("rows", [1, 3, 70, 150, 301, 602])
def test_evaluation_in_chunks(rows, dtype, monkeypatch):
    """The chunks are those of a fit alone: products round by the number of their rows."""
    rng = np.random.RandomState(0)
    x, t = rng.randn(301, 64), rng.randint(3, size=301)
    net = Network([Dense(64, 50), ReLU(), Dense(50, 3)])
    monkeypatch.setattr(evaluation, "_MOST_ELEMENTS", 64 * rows)

    def make(k):
        return trainer(network=net, dtype=dtype, random_state=k)

    options = {"x": x, "t": t, "epochs": 1, "batch_size": 64}
    compare(make, validation_data=(x, t), **options)
    compare(make, validation_rows=[np.arange(301)] * 3, **options)


def test_types_and_backends_of_one_call():
    """Float32 on NumPy and array-api-strict, float64 on NumPy; one of them step by step."""
    places = [
        {"dtype": "float32"},
        {"dtype": "float64"},
        {"dtype": "float32", "backend": "array_api_strict"},
        {"dtype": "float32"},
        {"dtype": "float32", "compile": False},
        {},
        {"dtype": "float64", "backend": "array_api_strict", "device": "CPU_DEVICE"},
    ]

    def make(k):
        return trainer(random_state=k, **places[k])

    for x in (X, X.astype(np.float32), scipy.sparse.csr_array(X)):
        compare(make, len(places), x=x, stacks=None, validation_data=(X[:5], T[:5]))


def test_fits_step_by_step_are_a_stack_of_their_own():
    compare(lambda k: trainer(random_state=k, compile=k != 1), stacks=2)


@pytest.mark.parametrize("memory", [1, 17_000, 10**9])
def test_little_memory_cuts_stacks(memory):
    """Into stacks of one, of two and of all five."""
    stacks = {1: 5, 17_000: 3, 10**9: 1}[memory]
    folds = [FOLDS[k % 3] for k in range(5)]
    compare(seeded, 5, rows=folds, memory=memory, stacks=stacks)


def test_several_processes():
    callbacks = [EarlyStopping("losses", patience=0, min_delta=0.1)]
    options = {"epochs": 6, "callbacks": callbacks, "sample_weight": list(WEIGHTS)}
    compare(seeded, rows=FOLDS, n_jobs=2, stacks=None, **options)


def test_a_sum_of_many_schedules_and_weights_at_once():
    """Everything that an axis of models can have, in one stack."""

    def make(k):
        net = Network([Dense(FEATURES, 6), ReLU(), Dropout((0.0, 0.5, 0.2)[k]), Dense(6, CLASSES)])
        optimizer = Adam(Plateau(0.1, patience=k), beta1=(0.9, 0.5, 0.0)[k])
        options = {"penalty": Penalty(l1=0.01 * (k + 1)), "max_norm": 0.5 * (k + 1)}
        return Trainer(net, "softmax_cross_entropy", optimizer, random_state=k, **options)

    compare(
        make,
        rows=BOOTSTRAP,
        sample_weight=list(WEIGHTS),
        validation_rows=HELD_OUT,
        epochs=[2, 5, 3],
        sampling="reshuffle",
    )
