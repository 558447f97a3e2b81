"""The trainer against loops that are written out by hand."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import re
import sys

import numpy as np
import pytest

from xpnet import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    BinaryCrossEntropy,
    Cosine,
    Dense,
    Dropout,
    Exponential,
    History,
    InOrder,
    InverseTime,
    Lion,
    Nadam,
    Network,
    Ones,
    Penalty,
    Plateau,
    Poisson,
    ReLU,
    RMSprop,
    Shuffled,
    SoftmaxCrossEntropy,
    SquaredError,
    StepDecay,
    Tanh,
    Trainer,
    WithReplacement,
    backends,
    evaluation,
)

N, FEATURES, HIDDEN, OUTPUTS = 20, 3, 4, 2
NETWORK = Network([Dense(FEATURES, HIDDEN), Tanh(), Dense(HIDDEN, OUTPUTS)])
RNG = np.random.RandomState(42)
X = RNG.randn(N, FEATURES)
T = (RNG.rand(N, OUTPUTS) < 0.5).astype(np.float64)
CLASSES, YES = np.arange(N) % 3, T[:, 0]
WEIGHTS = RNG.rand(N) + 0.1
L1, L2 = 0.02, 0.3


class ByHand:
    """Mini-batch descent on a 3-4-2 net of tanh and sigmoid, as a textbook writes it."""

    def __init__(self, rule, weights=None, penalty=False, max_norm=None):
        self.rule, self.max_norm = rule, max_norm
        self.weights = np.ones(N) if weights is None else weights
        self.l1, self.l2 = (L1, L2) if penalty else (0.0, 0.0)

    def fit(self, batches, params):
        """Train on an epoch's batches after the other; `batches` holds lists of rows."""
        params = {name: np.array(p) for name, p in NETWORK.unflatten(params).items()}
        before, after, epochs, state, step = [], [], [], {}, 0
        for epoch, epoch_batches in enumerate(batches):
            sums = []
            for rows in epoch_batches:
                total = self.weights[rows].sum()
                losses, g = self.losses_and_gradients(params, rows)
                sums.append((losses, total))
                before.append(losses / total)
                scale = 1.0
                if self.max_norm is not None:
                    norm = math.sqrt(sum((v**2).sum() for v in g.values()))
                    scale = min(1.0, self.max_norm / norm)
                for name, p in params.items():
                    slot = state.setdefault(name, {})
                    params[name] = p - self.rule(slot, g[name] * scale, epoch, step)
                after.append(self.losses_and_gradients(params, rows)[0] / total)
                step += 1
            mean = sum(s for s, _ in sums) / sum(n for _, n in sums)
            epochs.append(mean + self.penalty(params) / self.weights.sum())
        return NETWORK.flatten(params), epochs, before, after

    def losses_and_gradients(self, p, rows):
        x, t, w = X[rows], T[rows], self.weights[rows][:, None]
        h = np.tanh(x @ p["W1"] + p["b1"])
        a = 1.0 / (1.0 + np.exp(-(h @ p["W2"] + p["b2"])))
        losses = -(w * (t * np.log(a) + (1.0 - t) * np.log(1.0 - a))).sum()
        dz = w * (a - t)
        dh = dz @ p["W2"].T * (1.0 - h**2)
        g = {"W1": x.T @ dh, "b1": dh.sum(0), "W2": h.T @ dz, "b2": dz.sum(0)}
        for name in ("W1", "W2"):
            g[name] = g[name] + self.l1 * np.sign(p[name]) + self.l2 * p[name]
        return losses, {name: v / w.sum() for name, v in g.items()}

    def penalty(self, p):
        return sum(
            self.l1 * np.abs(p[name]).sum() + self.l2 / 2 * (p[name] ** 2).sum()
            for name in ("W1", "W2")
        )


def sgd(slot, g, epoch, step, rate=0.5):
    return rate * g


def momentum(slot, g, epoch, step):
    slot["v"] = 0.9 * slot.get("v", 0.0) + g
    return 0.1 * slot["v"]


def adam(slot, g, epoch, step):
    t = step + 1
    slot["m"] = 0.9 * slot.get("m", 0.0) + 0.1 * g
    slot["v"] = 0.999 * slot.get("v", 0.0) + 0.001 * g**2
    return 0.05 * (slot["m"] / (1 - 0.9**t)) / (np.sqrt(slot["v"] / (1 - 0.999**t)) + 1e-8)


RULES = {
    "sgd": (sgd, SGD(0.5)),
    "momentum": (momentum, SGD(0.1, momentum=0.9)),
    "adam": (adam, Adam(0.05)),
}


def orders(sampling, size, epochs, seed=0):
    """Return the initial parameters and the rows of each epoch's batches."""
    rng = np.random.RandomState(seed)
    params = NETWORK.initialize(rng)
    size = N if size is None else min(size, N)
    batches = []
    for _ in range(epochs):
        if sampling == "shuffle":
            order = rng.permutation(N)
        elif sampling == "replacement":
            order = rng.choice(N, math.ceil(N / size) * size)
        else:
            order = np.arange(N)
        batches.append([order[i : i + size] for i in range(0, len(order), size)])
    return params, batches


def train(optimizer, *, epochs=3, batch_size=6, sampling="shuffle", fit=None, **options):
    trainer = Trainer(NETWORK, BinaryCrossEntropy(), optimizer, **{"random_state": 0, **options})
    trainer.fit(X, T, epochs=epochs, batch_size=batch_size, sampling=sampling, **(fit or {}))
    return trainer


def host(trainer):
    return backends.to_host(trainer.state_.params)


def close(found, expected, rtol=1e-12):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("batch_size", [1, 6, 10, None, 100])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalized", [False, True])
def test_training_equals_the_loop_by_hand(kind, batch_size, weighted, penalized):
    rule, optimizer = RULES[kind]
    weights = WEIGHTS if weighted else None
    expected = ByHand(rule, weights, penalized).fit(*orders("shuffle", batch_size, 3)[::-1])
    for step_losses in ("before", "after"):
        trainer = train(
            optimizer,
            batch_size=batch_size,
            penalty=Penalty(l1=L1, l2=L2) if penalized else None,
            fit={"sample_weight": weights, "step_losses": step_losses},
        )
        params, epochs, before, after = expected
        close(host(trainer), params)
        close(trainer.history_.step_losses, before if step_losses == "before" else after)
        if step_losses == "before":
            close(trainer.history_.losses, epochs)


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("sampling", ["shuffle", "replacement", "sequential"])
def test_every_backend_equals_the_loop_by_hand(backend, dtype, lies_on, kind, sampling):
    rule, optimizer = RULES[kind]
    expected, epochs, *_ = ByHand(rule).fit(*orders(sampling, 6, 3)[::-1])
    trainer = train(
        optimizer,
        sampling=sampling,
        backend=backend.name,
        device=backend.device_name,
        dtype=dtype,
    )
    rtol = 1e-12 if dtype == "float64" else 2e-5
    with backend.session(dtype):
        close(lies_on(backend, trainer.state_.params, dtype), expected, rtol)
    close(trainer.history_.losses, epochs, rtol)


@pytest.mark.parametrize(
    ("schedule", "rate"),
    [
        (StepDecay(0.5, every=2, gamma=0.1), lambda epoch, step: [0.5, 0.5, 0.05, 0.05][epoch]),
        (Exponential(0.5, gamma=0.9, unit="step"), lambda epoch, step: 0.5 * 0.9**step),
        (InverseTime(0.5, decay=0.3), lambda epoch, step: 0.5 / (1 + 0.3 * epoch)),
        (
            Cosine(0.5, total=4, warmup=1),
            lambda epoch, step: [0.5, 0.5, 0.375, 0.125][epoch],
        ),
        # Nothing is ever better by 10: after the first epoch each one halves the rate.
        (
            Plateau(0.5, reduction=0.5, patience=0, min_delta=10.0),
            lambda epoch, step: [0.5, 0.5, 0.25, 0.125][epoch],
        ),
    ],
)
def test_schedules_change_the_rate(schedule, rate):
    by_hand = ByHand(lambda slot, g, epoch, step: rate(epoch, step) * g)
    params, epochs, *_ = by_hand.fit(*orders("shuffle", 6, 4)[::-1])
    trainer = train(SGD(schedule), epochs=4)
    close(host(trainer), params)
    close(trainer.history_.losses, epochs)


@pytest.mark.parametrize("max_norm", [0.05, 0.3, 100.0])
def test_long_gradients_are_scaled_down(max_norm):
    params, *_ = ByHand(sgd, max_norm=max_norm).fit(*orders("shuffle", 6, 3)[::-1])
    close(host(train(SGD(0.5), max_norm=max_norm)), params)


@pytest.mark.parametrize("iterations", [1, 4, 6, 9])
def test_iterations_end_an_epoch_early(iterations):
    """Batches of 6 of 20 rows: four steps an epoch, the last one of two rows."""
    start, batches = orders("shuffle", 6, 3)
    steps = [rows for epoch in batches for rows in epoch][:iterations]
    cut = [steps[i : i + 4] for i in range(0, iterations, 4)]
    params, epochs, *_ = ByHand(sgd).fit(cut, start)
    seen = []
    trainer = train(
        SGD(0.5), epochs=None, fit={"iterations": iterations, "on_epoch": lambda h: seen.append(1)}
    )
    close(host(trainer), params)
    close(trainer.history_.losses, epochs)
    state = trainer.state_
    assert (state.step, state.epoch, len(seen)) == (iterations, len(cut), len(cut))


def test_ten_epochs_unless_told_otherwise():
    assert train(SGD(0.5), epochs=None).history_.n_epochs == 10


@pytest.mark.parametrize(
    ("sampling", "batches"),
    [("shuffle", Shuffled(6)), ("sequential", InOrder(6)), ("replacement", WithReplacement(6))],
)
def test_batches_may_be_named_or_handed_in(sampling, batches):
    named = train(Adam(), sampling=sampling)
    handed = train(Adam(), sampling=batches, batch_size=None)
    np.testing.assert_array_equal(host(named), host(handed))


def test_integer_weights_count_as_repeated_samples(backend, dtype):
    counts = np.array([3, 1, 0, 2] * 5)
    again = np.repeat(np.arange(N), counts)
    options = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    rtol = 1e-12 if dtype == "float64" else 1e-5
    penalty, results = Penalty(l2=0.1), []
    for x, t, weights in [(X, T, counts), (X[again], T[again], None)]:
        trainer = Trainer(
            NETWORK,
            BinaryCrossEntropy(),
            Adam(),
            penalty=penalty,
            random_state=0,
            **options,
        )
        history = trainer.fit(
            x, t, batch_size=None, epochs=3, sample_weight=weights, train_score=True
        )
        results.append(
            [host(trainer), history.losses, history.scores, *trainer.evaluate(x, t, weights)]
        )
    for weighted, repeated in zip(*results, strict=True):
        close(weighted, repeated, rtol)


def test_a_batch_of_weight_zero_changes_nothing():
    weights = np.zeros(N)
    weights[:6] = 1.0
    fit = {"sample_weight": weights, "step_losses": "before"}
    trainer = train(SGD(0.5), epochs=1, sampling="sequential", fit=fit)
    start, _ = orders("sequential", 6, 1)
    params, *_ = ByHand(sgd).fit([[np.arange(6)]], start)
    close(host(trainer), params)
    assert trainer.history_.step_losses[1:] == [0.0] * 3


@pytest.mark.parametrize("weighted", [False, True])
def test_validation_and_evaluation_by_hand(backend, weighted):
    weights = WEIGHTS if weighted else None
    trainer = train(
        SGD(0.5),
        penalty=Penalty(l1=L1, l2=L2),
        backend=backend.name,
        device=backend.device_name,
        dtype="float32",
        fit={"validation_data": (X[:7], T[:7]), "train_score": True, "sample_weight": weights},
    )
    params = {k: np.float64(v) for k, v in NETWORK.unflatten(host(trainer)).items()}
    hand = ByHand(sgd, weights, penalty=True)

    def loss(rows):
        return (hand.losses_and_gradients(params, rows)[0] + hand.penalty(params)) / (
            hand.weights[rows].sum()
        )

    right = ((trainer.predict(X) > 0.5) == (T > 0.5)).all(axis=1)
    found = trainer.evaluate(X, T, weights)
    assert [type(v) for v in found] == [float, float]
    close(found, (loss(np.arange(N)), np.average(right, weights=weights)), 1e-6)
    close(trainer.history_.scores[-1], found[1], 1e-6)
    hand.weights = np.ones(N)
    close(trainer.history_.val_losses[-1], loss(np.arange(7)), 1e-6)
    close(trainer.history_.val_scores[-1], right[:7].mean(), 1e-6)


@pytest.mark.parametrize("loss", [SquaredError(), Poisson()])
def test_regression_is_scored_by_r2(loss):
    t = np.abs(X[:, :2])
    trainer = Trainer(NETWORK, loss, random_state=0)
    trainer.fit(X, t, epochs=2)
    y = trainer.predict(X)
    r2 = 1.0 - ((t - y) ** 2).sum(0) / ((t - t.mean(0)) ** 2).sum(0)
    close(trainer.evaluate(X, t)[1], r2.mean())


OPTIMIZERS = [
    SGD(0.5),
    SGD(Plateau(0.5, patience=0, min_delta=0.02), momentum=0.9, nesterov=True),
    AdaGrad(),
    RMSprop(centered=True),
    Adam(Cosine(0.1, total=12, unit="step"), amsgrad=True),
    AdamW(),
    Nadam(),
    Lion(Exponential(0.01)),
]


def snapshot(state):
    return (
        [backends.to_host(a).tolist() for a in (state.params, *state.optimizer_state)],
        (state.step, state.epoch, np.asarray(state.curve).tolist()),
        [[*g["state"]["key"].tolist(), g["state"]["pos"]] for g in state.generators],
        None if state.dropout_seed is None else state.dropout_seed.tolist(),
    )


def resume(optimizer, seed, **options):
    network = Network([Dense(FEATURES, HIDDEN), ReLU(), Dropout(0.4), Dense(HIDDEN, OUTPUTS)])
    fit = {"batch_size": 6, "validation_data": (X[:5], T[:5])}

    def trainer():
        return Trainer(network, BinaryCrossEntropy(), optimizer, random_state=seed, **options)

    whole, first, rest = trainer(), trainer(), trainer()
    whole.fit(X, T, epochs=5, **fit)
    first.fit(X, T, epochs=2, **fit)
    saved = snapshot(first.state_)
    for _ in range(2):
        rest.fit(X, T, epochs=3, state=first.state_, **fit)
        assert snapshot(rest.state_) == snapshot(whole.state_)
    assert snapshot(first.state_) == saved
    for curve in ("losses", "val_losses"):
        parts = getattr(first.history_, curve) + getattr(rest.history_, curve)
        np.testing.assert_array_equal(parts, getattr(whole.history_, curve))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("seed", [0, [0, 1]])
def test_a_resumed_run_is_the_uninterrupted_one(optimizer, seed):
    resume(optimizer, seed)


def test_a_resumed_run_is_the_uninterrupted_one_on_every_backend(backend, dtype):
    resume(OPTIMIZERS[4], 0, backend=backend.name, device=backend.device_name, dtype=dtype)


def test_a_state_moves_to_another_backend(backend):
    whole, first = (
        train(Adam(), epochs=5, dtype="float32"),
        train(Adam(), epochs=2, dtype="float32"),
    )
    rest = train(
        Adam(),
        fit={"state": first.state_},
        backend=backend.name,
        device=backend.device_name,
        dtype="float32",
    )
    close(host(rest), host(whole), 1e-5)


def test_the_state_that_was_handed_in_decides_about_the_start():
    start = train(SGD(), epochs=1).initialize(np.ones(NETWORK.n_params))
    assert (start.params == 1.0).all()
    params, *_ = ByHand(sgd).fit(orders("sequential", 6, 3)[1], start.params)
    close(host(train(SGD(0.5), sampling="sequential", fit={"state": start})), params)


def test_pixels_are_scaled_as_a_batch_is_cast(backend, dtype, monkeypatch):
    pixels = np.random.RandomState(1).randint(256, size=(N, FEATURES)).astype(np.uint8)
    options = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    found, kept = [], []

    scan = type(backend).scan

    def looked_at(self, step, state, xs, data):
        kept.append(data.x.dtype == self.xp.uint8)
        return scan(self, step, state, xs, data)

    monkeypatch.setattr(type(backend), "scan", looked_at)
    for x in (pixels, backend.asarray(pixels), pixels / 255.0):
        trainer = Trainer(NETWORK, BinaryCrossEntropy(), Adam(0.05), random_state=0, **options)
        trainer.fit(x, T, epochs=3, batch_size=None, validation_data=(x, T))
        y = backends.to_host(trainer.predict(x))
        found.append([host(trainer), trainer.history_.val_losses, y])
    assert kept == [True] * 6 + [False] * 3
    for other in found[1:]:
        for of_pixels, expected in zip(found[0], other, strict=True):
            close(of_pixels, expected, 1e-12 if dtype == "float64" else 1e-6)


def test_dropout_falls_anew_each_step_and_alike_on_every_backend(backend):
    """Nothing is learned at a rate of zero: only the masks make the losses differ."""
    network = Network([Dense(FEATURES, HIDDEN), Dropout(0.5), Dense(HIDDEN, OUTPUTS)])

    def losses(record, **options):
        trainer = Trainer(network, "squared_error", SGD(0.0), random_state=0, **options)
        fit = {"epochs": 3, "batch_size": 10, "sampling": "sequential", "step_losses": record}
        return trainer.fit(np.repeat(X[:1], N, axis=0), np.zeros((N, OUTPUTS)), **fit).step_losses

    place = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    found = losses("before", **place)
    assert len(set(found)) == 6
    close(found, losses("before"), 1e-6)
    assert len(set(losses("after", **place))) == 1, "these are without dropout"


@pytest.mark.parametrize(
    ("loss", "n_outputs", "forms"),
    [
        (SoftmaxCrossEntropy(), 3, [CLASSES, CLASSES.astype(np.float32), np.eye(3)[CLASSES]]),
        (BinaryCrossEntropy(), 1, [YES, YES[:, None], YES.astype(int), YES > 0, YES.tolist()]),
    ],
)
def test_the_forms_of_targets_are_one(loss, n_outputs, forms):
    runs = []
    for t in forms:
        trainer = Trainer(Network([Dense(FEATURES, n_outputs)]), loss, random_state=0)
        trainer.fit(X, t, epochs=2, validation_data=(X, t))
        runs.append((*host(trainer), *trainer.history_.losses, *trainer.history_.val_scores))
    assert len(set(runs)) == 1


@pytest.mark.parametrize(
    ("x", "asked", "expected"),
    [
        (X, None, "float64"),
        (X.astype(">f8"), None, "float64"),
        (X.tolist(), None, "float64"),
        (X.astype(np.float32), None, "float32"),
        (X.astype(np.float16), None, "float32"),
        (X.astype(np.int64), None, "float32"),
        (X.astype(np.uint8), None, "float32"),
        (X > 0, None, "float32"),
        (X, "float32", "float32"),
        (X.astype(np.float32), np.float64, "float64"),
        (X.astype(np.int64), "float64", "float64"),
    ],
)
def test_the_type_follows_the_data(x, asked, expected):
    trainer = Trainer(NETWORK, BinaryCrossEntropy(), Adam(), dtype=asked, random_state=0)
    trainer.fit(x, T, epochs=1)
    arrays = (trainer.state_.params, *trainer.state_.optimizer_state, trainer.predict(x))
    assert [a.dtype for a in arrays] == [expected] * 4


def test_predictions_come_back_where_the_data_came_from(backend, dtype, lies_on):
    trainer = train(SGD(), backend=backend.name, device=backend.device_name, dtype=dtype)
    y = trainer.predict(X)
    assert type(y) is np.ndarray
    assert y.shape == (N, OUTPUTS)
    assert y.dtype == dtype
    close(y, 1.0 / (1.0 + np.exp(-trainer.logits(X))), 1e-6)
    with backend.session(dtype):
        on_device = trainer.predict(backend.asarray(X, dtype))
        np.testing.assert_array_equal(lies_on(backend, on_device, dtype), y)


def test_device_arrays_bring_their_backend_along(backend, dtype, lies_on):
    options = {"random_state": 0, "dtype": dtype}
    trainer, told = (Trainer(NETWORK, BinaryCrossEntropy(), Adam(), **options) for _ in range(2))
    with backend.session(dtype):
        x, t = backend.asarray(X, dtype), backend.asarray(T, dtype)
        trainer.fit(x, t, sample_weight=WEIGHTS, validation_data=(x, T), epochs=2)
        params = lies_on(backend, trainer.state_.params, dtype)
        lies_on(backend, trainer.predict(x), dtype)
        assert [type(v) for v in trainer.evaluate(x, t)] == [float, float]
    told.backend, told.device = backend.name, backend.device_name
    told.fit(X, T, sample_weight=WEIGHTS, validation_data=(X, T), epochs=2)
    np.testing.assert_array_equal(params, host(told))


def test_pandas_is_host_data(backend):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X.astype(np.float32), columns=["a", "b", "c"])
    series = pandas.Series(T[:, 0].astype(int), index=np.arange(N)[::-1])
    network = Network([Dense(FEATURES, 1)])
    options = {"backend": backend.name, "device": backend.device_name, "random_state": 0}
    found = []
    for x, t, w in [
        (frame, series, pandas.Series(WEIGHTS)),
        (frame.to_numpy(), series.to_numpy(), WEIGHTS),
    ]:
        trainer = Trainer(network, BinaryCrossEntropy(), **options)
        trainer.fit(x, t, epochs=2, sample_weight=w, validation_data=(x, t))
        found.append(
            [*host(trainer).tolist(), *trainer.evaluate(x, t, w), *trainer.predict(x).ravel()]
        )
    assert found[0] == found[1]


def test_a_seed_makes_a_run_repeatable():
    trainer = train(Adam())
    first = host(trainer)
    trainer.fit(X, T, epochs=3, batch_size=6)
    np.testing.assert_array_equal(host(trainer), first)
    assert (host(train(Adam(), random_state=1)) != first).any()


def test_a_generator_goes_on_where_it_is():
    rng = np.random.RandomState(0)
    np.testing.assert_array_equal(host(train(Adam(), random_state=rng)), host(train(Adam())))
    assert (host(train(Adam(), random_state=rng)) != host(train(Adam()))).all()


def test_without_a_seed_the_global_generator_is_used():
    saved = np.random.get_state()
    try:
        np.random.seed(0)
        trainer = train(Adam(), random_state=None, epochs=2)
        rest = train(Adam(), random_state=None, fit={"state": trainer.state_})
    finally:
        np.random.set_state(saved)
    np.testing.assert_array_equal(host(trainer), host(train(Adam(), epochs=2)))
    np.testing.assert_array_equal(host(rest), host(train(Adam(), epochs=5)))


LINE = Network([Dense(1, 1, bias=False)])


def diverge(rate, start, dtype, fit=None, **options):
    """Fit w * 1 = 0 step by step: each step multiplies w by about -rate."""
    trainer = Trainer(LINE, SquaredError(), SGD(rate), dtype=dtype, **options)
    x = np.ones((2, 1))
    state = trainer.initialize(start)
    with pytest.raises(FloatingPointError) as caught:
        trainer.fit(x, 0 * x, batch_size=1, state=state, validation_data=(x, 0 * x), **(fit or {}))
    place = re.search(
        r"in epoch (\d+), step (\d+) of that epoch(?:, model (\d+))?\.", str(caught.value)
    )
    return trainer, str(caught.value), place.groups()


def test_divergence_is_told_with_its_place(backend, dtype):
    options = {"backend": backend.name, "device": backend.device_name}
    largest = float(np.finfo(dtype).max)
    # w is 1, then rate, then rate**2, whose square is infinite.
    trainer, message, place = diverge(largest ** (1 / 3), [1.0], dtype, **options)
    assert message.startswith("Training diverged: the training loss became inf")
    assert "smaller learning rate" in message
    assert place == ("2", "1", None)
    assert trainer.history_.n_epochs == trainer.state_.epoch == 1
    assert np.isfinite(host(trainer)).all()
    # Here the loss is finite, and the last update is not.
    _, message, place = diverge(largest / 2, [10.0], dtype, fit={"iterations": 1}, **options)
    assert message.startswith("Training diverged: a parameter became NaN or infinite")
    assert place == ("1", "1", None)


def test_divergence_of_one_model_of_a_stack_names_it():
    rates = np.array([[0.1], [1e200], [0.1]])
    _, message, place = diverge(rates, [1.0], "float64")
    assert "loss became inf" in message
    assert place == ("1", "2", "1")


def test_a_validation_loss_may_overflow_without_a_warning(backend):
    x = np.ones((2, 1), dtype=np.float32)
    trainer = Trainer(LINE, SquaredError(), backend=backend.name, device=backend.device_name)
    held_out = 1e30 * x, np.array([0.0, 1.0])
    history = trainer.fit(x, x, epochs=1, validation_data=held_out)
    assert history.val_losses == [np.inf]
    assert history.val_scores[0] < -1e50


def test_a_callback_sees_each_epoch():
    seen = []

    def look(history):
        assert isinstance(history, History)
        seen.append((history.n_epochs, len(history.val_losses), trainer.state_.epoch))

    trainer = Trainer(NETWORK, BinaryCrossEntropy())
    trainer.fit(X, T, epochs=3, validation_data=(X, T), on_epoch=look)
    assert seen == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]


def test_a_callback_may_end_the_run():
    def stop(history):
        if history.n_epochs == 2:
            raise KeyboardInterrupt

    trainer = Trainer(NETWORK, BinaryCrossEntropy(), Adam(), random_state=0)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, T, batch_size=6, on_epoch=stop)
    assert snapshot(trainer.state_) == snapshot(train(Adam(), epochs=2).state_)


@pytest.mark.parametrize("seed", [0, [0, 1]])
@pytest.mark.parametrize(
    ("progress", "limit", "told"),
    [
        ("Nets", {"epochs": 3}, ["Nets: 100%", "3/3", "epoch", "loss=", "val="]),
        (True, {"iterations": 5, "epochs": None}, ["100%", "5/5", "step"]),
        (False, {}, []),
    ],
)
def test_a_progress_bar_is_drawn_on_stderr(capsys, monkeypatch, seed, progress, limit, told):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # a notebook, where bars are always drawn
    fit = {"progress": progress, "validation_data": (X, T), **limit}
    epochs = fit.pop("epochs", 3)
    train(SGD(), random_state=seed, epochs=epochs, fit=fit)
    out, err = capsys.readouterr()
    assert out == ""
    assert all(text in err for text in told)
    assert told or err == ""


def test_no_progress_bar_is_drawn_into_a_file(capsys):
    train(SGD(), random_state=0, fit={"progress": True})
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("seed", [0, [0, 1, 2]])
def test_long_data_are_predicted_in_chunks(monkeypatch, seed):
    trainer = train(SGD(), random_state=seed)
    y, scores = trainer.predict(X), trainer.evaluate(X, T)
    calls = []

    def forward(self, xp, params, x, noise=None, forward=Network.forward):
        calls.append(len(x))
        return forward(self, xp, params, x, noise)

    monkeypatch.setattr(Network, "forward", forward)
    monkeypatch.setattr(evaluation, "_MOST_ELEMENTS", 8 * HIDDEN * np.size(seed))
    close(trainer.predict(X), y)
    assert calls == [8, 8, 4]
    close(trainer.evaluate(X, T), scores)


def test_nothing_is_predicted_before_training():
    trainer = Trainer(NETWORK, "binary_cross_entropy", "adam")
    for call in (lambda: trainer.predict(X), lambda: trainer.evaluate(X, T)):
        with pytest.raises(RuntimeError, match="Call fit first"):
            call()


def test_the_representation_tells_every_argument():
    text = repr(Trainer(NETWORK, "huber", "lion", max_norm=2.0, dtype="float32", random_state=7))
    for part in (repr(NETWORK), "Huber(delta=1.0)", "Lion(", "max_norm=2.0", "random_state=7"):
        assert part in text


def test_a_trainer_can_be_copied():
    trainer = train(Adam())
    again = copy.deepcopy(trainer)
    np.testing.assert_array_equal(again.predict(X), trainer.predict(X))
    again.fit(X, T, epochs=3, batch_size=6)
    np.testing.assert_array_equal(host(again), host(trainer))


def test_a_trained_trainer_is_pickled():
    trainer = train(SGD(), random_state=0)
    again = pickle.loads(pickle.dumps(trainer))
    np.testing.assert_array_equal(again.predict(X), trainer.predict(X))
    again.fit(X, T, epochs=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_have_the_type_of_the_parameters(dtype):
    trainer = train(SGD(), random_state=0, dtype=dtype)
    trainer.dtype = None
    for x in (X, X.astype(np.float32), np.round(X).astype(np.int64)):
        assert trainer.predict(x).dtype == dtype
        assert trainer.loss_and_gradient(x, T)[1].dtype == dtype


def test_a_state_is_a_snapshot_that_later_epochs_leave_alone():
    states = []
    trainer = Trainer(NETWORK, BinaryCrossEntropy(), Adam(0.05), random_state=0)
    trainer.fit(X, T, epochs=4, batch_size=7, on_epoch=lambda h: states.append(trainer.state_))
    last = backends.to_host(trainer.state_.params).copy()
    trainer.fit(X, T, epochs=3, batch_size=7, state=states[0])
    np.testing.assert_array_equal(backends.to_host(trainer.state_.params), last)


def test_one_generator_cannot_serve_two_models():
    rng = np.random.RandomState(0)
    with pytest.raises(ValueError, match="random_state has one generator"):
        Trainer(NETWORK, BinaryCrossEntropy(), random_state=[rng, rng])


def test_a_state_with_too_many_generators_is_refused():
    trainer = Trainer(NETWORK, BinaryCrossEntropy(), random_state=[0, 1])
    state = trainer.initialize()
    wrong = dataclasses.replace(state, generators=state.generators * 2)
    with pytest.raises(ValueError, match=r"state\.generators holds 4 generators; 1 or 2"):
        trainer.fit(X, T, state=wrong)


def test_8_bit_flags_are_no_pixels():
    flags = (X > 0).astype(np.uint8)
    trainer = Trainer(NETWORK, BinaryCrossEntropy(), random_state=0)
    with pytest.raises(ValueError, match=r"read as pixels.*x\.astype"):
        trainer.fit(flags, T)
    trainer.fit(X > 0, T, epochs=1)
    assert trainer.state_.params.dtype == np.float32


def test_huge_gradients_are_clipped_not_lost():
    x = np.full((4, 1), 1e12, np.float32)
    net = Network([Dense(1, 1, Ones())])
    trainer = Trainer(net, "squared_error", SGD(1.0), max_norm=1.0, random_state=0)
    trainer.fit(x, np.zeros(4), epochs=1, batch_size=None)
    assert trainer.state_.params[0] == pytest.approx(0.0, abs=1e-6)


def test_a_loaded_trainer_goes_on(tmp_path):
    trainer = train(SGD(), random_state=0)
    again = Trainer.load(trainer.save(tmp_path / "net.safetensors"))
    history = again.fit(X, T, epochs=2, state=again.state_)
    assert history.losses[-1] < trainer.history_.losses[0]


def test_a_plateau_reads_each_entry_of_the_curve_once(monkeypatch):
    read = []
    right = Plateau._read

    def counting(self, curve):
        read.append(len(curve) - len(self._memo[0]))
        return right(self, curve)

    monkeypatch.setattr(Plateau, "_read", counting)
    train(SGD(Plateau(0.1, patience=2)), random_state=0, epochs=20)
    assert max(read) == 1
    assert min(read) >= 0


def test_an_epoch_without_weight_has_a_loss_of_zero():
    weights = np.zeros(N)
    weights[-1] = 1.0
    trainer = Trainer(NETWORK, BinaryCrossEntropy(), random_state=0)
    options = {"sampling": "sequential", "batch_size": 1, "sample_weight": weights}
    history = trainer.fit(X, T, iterations=3, step_losses="before", **options)
    assert history.losses == [0.0]
    assert history.step_losses == [0.0, 0.0, 0.0]
