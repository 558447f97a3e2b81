"""The trainer against loops that are written out by hand."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import re

import numpy as np
import pytest
from sklearn.utils import shuffle

from xpnet import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    BinaryCrossEntropy,
    Callback,
    Cosine,
    Dense,
    Dropout,
    Exponential,
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
    Reshuffled,
    RMSprop,
    Shuffled,
    SoftmaxCrossEntropy,
    SquaredError,
    StepDecay,
    Tanh,
    Trainer,
    WithReplacement,
    backends,
    check_gradients,
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


class Each(Callback):
    """Calls a function with the fit after each epoch."""

    def __init__(self, function):
        self.on_epoch_end = function


class Before(Callback):
    """Calls a function with the fit before each epoch."""

    def __init__(self, function):
        self.on_epoch_begin = function


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
        self.objectives, self.epoch_objectives = [], []
        for epoch, epoch_batches in enumerate(batches):
            sums = []
            for rows in epoch_batches:
                total = self.weights[rows].sum()
                losses, g = self.losses_and_gradients(params, rows)
                sums.append((losses, total))
                before.append(losses / total)
                self.objectives.append((losses + self.penalty(params)) / total)
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
            own = self.objectives[-len(epoch_batches) :]
            sizes = [len(rows) for rows in epoch_batches]
            self.epoch_objectives.append(sum(o * n for o, n in zip(own, sizes, strict=True)))
            self.epoch_objectives[-1] /= sum(sizes)
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


def steps_form(slot, g, epoch, step):
    slot["v"] = 0.9 * slot.get("v", 0.0) + 0.2 * 0.5**step * g
    return slot["v"]


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
    "steps": (
        steps_form,
        SGD(Exponential(0.2, gamma=0.5, unit="step"), momentum=0.9, velocity_form="steps"),
    ),
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
        elif sampling == "reshuffle":
            order = shuffle(np.arange(N) if not batches else order, random_state=rng)
        elif sampling == "replacement":
            order = rng.choice(N, math.ceil(N / size) * size)
        else:
            order = np.arange(N)
        batches.append([order[i : i + size] for i in range(0, len(order), size)])
    return params, batches


def train(optimizer, *, epochs=3, batch_size=6, sampling="shuffle", fit=None, **options):
    trainer = Trainer(NETWORK, BinaryCrossEntropy(), optimizer, **{"random_state": 0, **options})
    lengths = {"epochs": epochs, "batch_size": batch_size, "sampling": sampling}
    trainer.fit(X, T, **lengths | (fit or {}))
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
@pytest.mark.parametrize("sampling", ["shuffle", "reshuffle", "replacement", "sequential"])
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


@pytest.mark.parametrize("batch_size", [1, 6, None])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalized", [False, True])
def test_objectives_are_means_by_size_before_the_updates(batch_size, weighted, penalized):
    """Weights count within a batch, sizes between batches: scikit-learn's loss curve."""
    weights = WEIGHTS if weighted else None
    hand = ByHand(sgd, weights, penalized)
    params, epochs, before, _ = hand.fit(*orders("shuffle", batch_size, 3)[::-1])
    fit = {"sample_weight": weights, "objectives": True}
    penalty = Penalty(l1=L1, l2=L2, division="together") if penalized else None
    found = train(SGD(0.5), batch_size=batch_size, penalty=penalty, fit=fit)
    close(host(found), params)
    close(found.history_.losses, hand.epoch_objectives)
    assert found.history_.step_losses == []
    if penalized or (weighted and batch_size is not None):  # they are not the losses of always
        assert np.abs(np.array(epochs) / hand.epoch_objectives - 1.0).max() > 1e-6
    fit["step_losses"] = "before"
    kept = train(SGD(0.5), batch_size=batch_size, penalty=penalty, fit=fit)
    close(kept.history_.step_losses, hand.objectives)
    assert kept.history_.losses == found.history_.losses
    if penalized:
        assert (np.array(hand.objectives) > before).all()


@pytest.mark.parametrize("models", [None, 3])
def test_objectives_on_every_backend(backend, dtype, models):
    """Of a stack each model has its own."""
    place = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    fit = {"sample_weight": WEIGHTS, "objectives": True, "validation_data": (X[:7], T[:7])}
    seed = 0 if models is None else [0, 1, 2][:models]
    options = {"penalty": Penalty(l1=L1, l2=L2), "random_state": seed, "fit": fit}
    losses = np.array(train(SGD(0.5), **options, **place).history_.losses)
    for k in range(models or 1):
        hand = ByHand(sgd, WEIGHTS, penalty=True)
        hand.fit(*orders("shuffle", 6, 3, seed=k)[::-1])
        own = losses if models is None else losses[:, k]
        close(own, hand.epoch_objectives, 1e-12 if dtype == "float64" else 1e-5)


def test_objectives_of_whole_penalties():
    """Undivided it adds to each batch alike, at the parameters before its update."""
    penalty = Penalty(l1=L1, l2=L2, division="none")
    fit = {"sampling": "sequential", "objectives": True, "step_losses": "before"}
    with_penalty = train(SGD(0.0), epochs=1, penalty=penalty, fit=fit)
    without = train(SGD(0.0), epochs=1, fit=fit)
    value = ByHand(sgd, penalty=True).penalty(NETWORK.unflatten(host(without)))
    expected = np.array(without.history_.step_losses) + value
    close(with_penalty.history_.step_losses, expected)
    close(with_penalty.history_.losses[0], without.history_.losses[0] + value)


def test_objectives_of_a_batch_without_weight_are_finite():
    weights = np.zeros(N)
    weights[:6] = 2.0
    fit = {"sampling": "sequential", "objectives": True, "sample_weight": weights}
    trainer = train(SGD(0.0), epochs=1, fit={**fit, "step_losses": "before"})
    steps = trainer.history_.step_losses
    assert steps[1:] == [0.0] * 3
    close(trainer.history_.losses, [steps[0] * 6 / N])


def test_objectives_after_the_update_are_refused():
    with pytest.raises(ValueError, match="objectives=True are those before the update"):
        train(SGD(0.5), fit={"objectives": True, "step_losses": "after"})


def test_objectives_that_diverge_are_told():
    trainer = Trainer(LINE, SquaredError(), SGD(1e200), dtype="float64")
    state = trainer.initialize([1.0])
    with pytest.raises(FloatingPointError, match="loss became inf in epoch 1, step 2"):
        trainer.fit(np.ones((2, 1)), np.zeros(2), batch_size=1, state=state, objectives=True)


@pytest.mark.parametrize("how", ["callback", "optimizer"])
@pytest.mark.parametrize("kind", ["number", "schedule"])
def test_a_rate_in_place_of_the_optimizers(kind, how, backend):
    """Set before an epoch, it holds from then on; None is the optimizer's again."""
    rates = [0.5, 0.1, 0.1, 0.5]

    def by_number(fit):
        fit.learning_rate = {0: None, 1: 0.1, 2: fit.learning_rate, 3: None}[fit.state.epoch]

    def by_schedule(fit):
        steep = StepDecay(1.0, every=1, gamma=0.1)
        fit.learning_rate = {1: steep, 2: 0.1, 3: 0.5}.get(fit.state.epoch)

    before = Before(by_number if kind == "number" else by_schedule)
    params, epochs, *_ = ByHand(lambda slot, g, epoch, step: rates[epoch] * g).fit(
        *orders("shuffle", 6, 4)[::-1]
    )
    optimizer = SGD(0.5) if how == "callback" else SGD(Plateau(0.5, patience=99))
    place = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    trainer = train(optimizer, epochs=4, fit={"callbacks": [before]}, **place)
    close(host(trainer), params, 2e-5)
    close(trainer.history_.losses, epochs, 2e-5)


def test_a_rate_for_each_model_of_a_stack():
    rates = np.array([[0.5], [0.1]])
    before = Before(lambda fit: setattr(fit, "learning_rate", rates))
    stack = train(SGD(0.3), random_state=[0, 0], fit={"callbacks": [before]})
    for k in range(2):
        np.testing.assert_array_equal(host(stack)[k], host(train(SGD(float(rates[k, 0])))))


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
    count = Each(lambda fit: seen.append(1))
    trainer = train(SGD(0.5), epochs=None, fit={"iterations": iterations, "callbacks": [count]})
    close(host(trainer), params)
    close(trainer.history_.losses, epochs)
    state = trainer.state_
    assert (state.step, state.epoch, len(seen)) == (iterations, len(cut), len(cut))


def test_ten_epochs_unless_told_otherwise():
    assert train(SGD(0.5), epochs=None).history_.n_epochs == 10


@pytest.mark.parametrize(
    ("sampling", "batches"),
    [
        ("shuffle", Shuffled(6)),
        ("reshuffle", Reshuffled(6)),
        ("sequential", InOrder(6)),
        ("replacement", WithReplacement(6)),
    ],
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


def test_validation_weights_by_hand(backend):
    place = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    held_out = X[:7], T[:7], WEIGHTS[:7]
    penalty = Penalty(l1=L1, l2=L2)
    trainer = train(SGD(0.5), penalty=penalty, fit={"validation_data": held_out}, **place)
    params = {k: np.float64(v) for k, v in NETWORK.unflatten(host(trainer)).items()}
    hand = ByHand(sgd, WEIGHTS, penalty=True)
    loss = hand.losses_and_gradients(params, np.arange(7))[0] + hand.penalty(params)
    right = ((trainer.predict(X[:7]) > 0.5) == (T[:7] > 0.5)).all(axis=1)
    close(trainer.history_.val_losses[-1], loss / WEIGHTS[:7].sum(), 1e-6)
    close(trainer.history_.val_scores[-1], np.average(right, weights=WEIGHTS[:7]), 1e-6)
    close(trainer.history_.val_losses[-1], trainer.evaluate(*held_out)[0], 1e-12)
    without = train(SGD(0.5), penalty=penalty, fit={"validation_data": held_out[:2]}, **place)
    np.testing.assert_array_equal(host(without), host(trainer))
    assert abs(without.history_.val_losses[-1] - trainer.history_.val_losses[-1]) > 1e-4


def test_validation_weights_may_be_none():
    runs = [train(SGD(0.5), fit={"validation_data": v}) for v in ((X, T), (X, T, None), [X, T])]
    assert runs[0].history_.val_losses == runs[1].history_.val_losses
    assert runs[0].history_.val_losses == runs[2].history_.val_losses


@pytest.mark.parametrize("loss", [SquaredError(), Poisson()])
def test_regression_is_scored_by_r2(loss):
    t = np.abs(X[:, :2])
    trainer = Trainer(NETWORK, loss, random_state=0)
    trainer.fit(X, t, epochs=2)
    y = trainer.predict(X)
    r2 = 1.0 - ((t - y) ** 2).sum(0) / ((t - t.mean(0)) ** 2).sum(0)
    close(trainer.evaluate(X, t)[1], r2.mean())


@pytest.mark.parametrize("seed", [0, [0, 1, 2]])
@pytest.mark.parametrize("batch_size", [6, None])
def test_reshuffled_orders_are_chained_through_the_state(seed, batch_size):
    """Each epoch shuffles the order before it, as scikit-learn's `shuffle` of a shuffled index."""
    orders_seen = []
    look = Each(lambda fit: orders_seen.append(fit.state.order))
    fit = {"sampling": "reshuffle", "callbacks": [look]}
    train(SGD(0.1), epochs=5, batch_size=batch_size, random_state=seed, fit=fit)
    for k, own in enumerate(np.atleast_1d(seed)):
        rng = np.random.RandomState(own)
        NETWORK.initialize(rng)
        expected = np.arange(N)
        for order in orders_seen:
            expected = shuffle(expected, random_state=rng)
            assert order.shape == ((N,) if np.ndim(seed) == 0 else (3, N))
            np.testing.assert_array_equal(np.atleast_2d(order)[k], expected)


@pytest.mark.parametrize("seed", [0, [0, 1, 2], "shared"])
def test_a_resumed_chain_is_the_uninterrupted_one(seed):
    options = {"random_state": 5 if seed == "shared" else seed}
    if seed == "shared":  # two models, one order
        options["penalty"] = Penalty(l2=np.array([[0.1], [0.2]]))
    fit = {"sampling": "reshuffle"}
    whole = train(Adam(), epochs=5, fit=fit, **options)
    first = train(Adam(), epochs=2, fit=fit, **options)
    order = first.state_.order.copy()
    rest = train(Adam(), epochs=3, fit={**fit, "state": first.state_}, **options)
    np.testing.assert_array_equal(host(rest), host(whole))
    np.testing.assert_array_equal(rest.state_.order, whole.state_.order)
    np.testing.assert_array_equal(first.state_.order, order)
    forgotten = dataclasses.replace(first.state_, order=None)
    other = train(Adam(), epochs=3, fit={**fit, "state": forgotten}, **options)
    assert (host(other) != host(whole)).any(), "the order is a part of the state"


def test_a_chain_whose_last_epoch_was_cut_short_goes_on_from_its_whole_order():
    fit = {"sampling": "reshuffle"}
    first = train(SGD(0.5), epochs=None, fit={**fit, "iterations": 6})
    assert first.state_.epoch == 2
    rng = np.random.RandomState(0)
    NETWORK.initialize(rng)
    order = np.arange(N)
    for _ in range(2):
        order = shuffle(order, random_state=rng)
    np.testing.assert_array_equal(first.state_.order, order)
    rest = train(SGD(0.5), epochs=1, fit={**fit, "state": first.state_})
    np.testing.assert_array_equal(rest.state_.order, shuffle(order, random_state=rng))


def test_data_of_another_size_begin_a_new_chain():
    fit = {"sampling": "reshuffle"}
    state = train(SGD(0.5), epochs=2, fit=fit).state_
    rng = state.resumed_generators()[0]
    trainer = Trainer(NETWORK, BinaryCrossEntropy(), random_state=0)
    trainer.fit(X[:15], T[:15], epochs=1, state=state, **fit)
    np.testing.assert_array_equal(trainer.state_.order, rng.permutation(15))
    again = trainer.fit(X, T, epochs=1, state=trainer.state_, **fit)
    assert again.n_epochs == 1
    np.testing.assert_array_equal(trainer.state_.order, rng.permutation(N))


@pytest.mark.parametrize("sampling", ["shuffle", "replacement", "sequential"])
def test_other_batches_leave_no_order_in_the_state(sampling):
    state = train(SGD(0.5), fit={"sampling": "reshuffle"}).state_
    assert state.order is not None
    assert train(SGD(0.5), fit={"sampling": sampling, "state": state}).state_.order is None
    assert train(SGD(0.5), fit={"sampling": sampling}).state_.order is None
    assert train(SGD(0.5)).initialize().order is None


OPTIMIZERS = [
    SGD(0.5),
    SGD(Cosine(0.1, total=12, unit="step"), momentum=1.0, velocity_form="steps"),
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
    resume(
        Adam(Cosine(0.1, total=12, unit="step"), amsgrad=True),
        0,
        backend=backend.name,
        device=backend.device_name,
        dtype=dtype,
    )


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

    def looked_at(self, step, state, parts, data, **options):
        kept.append(data.x.dtype == self.xp.uint8)
        return scan(self, step, state, parts, data, **options)

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


@pytest.mark.parametrize(
    ("seed", "chunks"), [(0, [8, 8, 4]), ([0, 1, 2], [8, 8, 8, 8, 8, 8, 4, 4])]
)
def test_long_data_are_predicted_in_chunks(monkeypatch, seed, chunks):
    """Those of one model, for so many models at a time as have no more elements."""
    trainer = train(SGD(), random_state=seed)
    y, scores = trainer.predict(X), trainer.evaluate(X, T)
    calls = []

    def forward(self, xp, params, x, noise=None, forward=Network.forward):
        calls.append(len(x))
        return forward(self, xp, params, x, noise)

    monkeypatch.setattr(Network, "forward", forward)
    monkeypatch.setattr(evaluation, "_MOST_ELEMENTS", 8 * HIDDEN)
    close(trainer.predict(X), y)
    assert calls == chunks
    close(trainer.evaluate(X, T), scores)


@pytest.mark.parametrize("seed", [0, [0, 1, 2]])
def test_long_data_are_differentiated_in_chunks(monkeypatch, seed, backend):
    """Chunks of 8, 8 and 4 rows: loss, gradient and the numbers that gradients are checked by."""
    given = {"sample_weight": WEIGHTS}
    place = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    options = {"penalty": Penalty(l1=L1, l2=L2), "random_state": seed}
    trainer = Trainer(NETWORK, BinaryCrossEntropy(), **options, **place)
    state = trainer.initialize()
    x, t = X.astype(np.float32), T
    loss, gradient = trainer.loss_and_gradient(x, t, state=state, **given)
    calls = []
    right = Network.loss_and_gradient

    def counted(self, xp, params, x, *args):
        calls.append(tuple(x.shape))
        return right(self, xp, params, x, *args)

    monkeypatch.setattr(Network, "loss_and_gradient", counted)
    monkeypatch.setattr(evaluation, "_MOST_ELEMENTS", 8 * HIDDEN * np.size(seed))
    found = trainer.loss_and_gradient(x, t, state=state, **given)
    assert calls == [(8, 3), (8, 3), (4, 3)]
    assert type(found[1]) is np.ndarray
    assert found[1].dtype == np.float32
    close(found[0], loss, 1e-6)
    close(found[1], gradient, 1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_chunks_change_no_gradient_by_more_than_rounding(monkeypatch, weighted):
    given = {"sample_weight": WEIGHTS if weighted else None, "penalty": Penalty(L1, L2)}
    weights = {"sample_weight": given["sample_weight"]}
    trainer = Trainer(NETWORK, BinaryCrossEntropy(), penalty=given["penalty"], random_state=0)
    state = trainer.initialize()
    loss, gradient = trainer.loss_and_gradient(X, T, state=state, **weights)
    expected = ByHand(sgd, weights["sample_weight"], True)
    total = expected.weights.sum()
    by_hand, slopes = expected.losses_and_gradients(NETWORK.unflatten(state.params), np.arange(N))
    for most in (1, HIDDEN, 3 * HIDDEN, 7 * HIDDEN, 10**6):
        monkeypatch.setattr(evaluation, "_MOST_ELEMENTS", most)
        found = trainer.loss_and_gradient(X, T, state=state, **weights)
        close(found[0], loss, 1e-13)
        close(found[1], gradient, 1e-13)
        close(found[0], by_hand / total)
        close(found[1], NETWORK.flatten(slopes))
        assert check_gradients(NETWORK, BinaryCrossEntropy(), X, T, **given) < 1e-7


def test_dropout_is_differentiated_in_one_piece(monkeypatch):
    """Its mask counts the elements of the whole batch: chunks would have other masks."""
    network = Network([Dense(FEATURES, HIDDEN), Dropout(0.5), Dense(HIDDEN, OUTPUTS)])
    trainer = Trainer(network, BinaryCrossEntropy(), SGD(1.0), random_state=0)
    state = trainer.initialize()
    loss, gradient = trainer.loss_and_gradient(X, T, state=state)
    monkeypatch.setattr(evaluation, "_MOST_ELEMENTS", 1)
    found = trainer.loss_and_gradient(X, T, state=state)
    assert found[0] == loss
    np.testing.assert_array_equal(found[1], gradient)
    fit = {"sampling": "sequential", "batch_size": None, "epochs": 1}
    trainer.fit(X, T, state=state, **fit)
    np.testing.assert_array_equal(trainer.state_.params, state.params - gradient)


def test_nothing_is_predicted_before_training():
    trainer = Trainer(NETWORK, "binary_cross_entropy", "adam")
    for call in (lambda: trainer.predict(X), lambda: trainer.evaluate(X, T)):
        with pytest.raises(RuntimeError, match="Call fit first"):
            call()


def test_the_representation_tells_every_argument():
    text = repr(Trainer(NETWORK, "huber", "lion", max_norm=2.0, dtype="float32", random_state=7))
    for part in (repr(NETWORK), "Huber(", "Lion(", "max_norm=2.0", "random_state=7"):
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
    trainer.fit(
        X, T, epochs=4, batch_size=7, callbacks=[Each(lambda fit: states.append(fit.state))]
    )
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
