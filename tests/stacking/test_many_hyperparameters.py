"""Models of one stack that differ in numbers: each result is, bit for bit, that of its own fit."""

from __future__ import annotations

import numpy as np
import pytest
from alone import CLASSES, FEATURES, FOLDS, HELD_OUT, LOSS, NET, T, X, bits, compare, trainer

from xpnet import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Dense,
    Dropout,
    Exponential,
    InverseTime,
    Lion,
    Nadam,
    Network,
    Penalty,
    Plateau,
    ReLU,
    RMSprop,
    StepDecay,
    Tanh,
    Trainer,
    fit_many,
)

A, B, C = (0.5, 0.05, 0.1), (0.9, 0.5, 0.0), (0.1, 0.001, 0.3)
BETAS, D = (0.99, 0.9, 0.999), (1.0, 0.9, 0.5)
OPTIMIZERS = {
    "sgd": lambda k: SGD(A[k]),
    "momentum": lambda k: SGD(A[k], momentum=BETAS[k]),
    "nesterov": lambda k: SGD(0.1, momentum=BETAS[k], dampening=C[k], nesterov=True),
    "steps": lambda k: SGD(A[k], momentum=D[k], nesterov=True, velocity_form="steps"),
    "adagrad": lambda k: AdaGrad(A[k], eps=C[k]),
    "rmsprop": lambda k: RMSprop(C[k], rho=B[k]),
    "centred": lambda k: RMSprop(0.01, rho=BETAS[k], centered=True),
    "adam": lambda k: Adam(C[k], beta1=B[k], beta2=BETAS[k]),
    "amsgrad": lambda k: Adam(C[k], amsgrad=True, eps_form="plain"),
    "adamw": lambda k: AdamW(C[k], weight_decay=A[k]),
    "nadam": lambda k: Nadam(C[k], momentum_decay=A[k]),
    "lion": lambda k: Lion(C[k], weight_decay=A[k]),
}
SCHEDULES = [
    lambda: Cosine(0.1, total=20, warmup=2, unit="step"),
    lambda: Plateau(0.3, reduction=0.5, patience=0, min_delta=0.05),
    lambda: StepDecay(0.2, every=1, gamma=0.5),
    lambda: Exponential(0.1, gamma=0.9, unit="step"),
    lambda: InverseTime(0.4, decay=0.5),
    lambda: Constant(0.02),
    lambda: Plateau(0.2, reduction=0.1, patience=1, min_rate=0.01),
    lambda: 0.05,
]
both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])


@both_types
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_optimizers_penalties_norms_and_seeds(kind, dtype):
    def make(k):
        penalty = Penalty(l1=(0.2, 0.01, 0.1)[k], l2=(0.5, 0.3, 0.1)[k])
        options = {"penalty": penalty, "max_norm": (0.1, 10.0, 0.5)[k], "random_state": k}
        return trainer(OPTIMIZERS[kind](k), dtype=dtype, **options)

    compare(make, rows=FOLDS, validation_rows=HELD_OUT)


@both_types
@pytest.mark.parametrize("form", [SGD, Adam, Nadam])
def test_schedules_of_every_kind_and_a_plain_rate(form, dtype):
    def make(k):
        return trainer(form(SCHEDULES[k]()), dtype=dtype, random_state=k)

    n = len(SCHEDULES)
    compare(make, n, epochs=4, batch_size=7, validation_data=(X[:9], T[:9]))


def test_plateaus_read_each_model_s_own_curve():
    """Of the validation losses, which differ; the trainers share one schedule."""
    schedule = Plateau(1.0, reduction=0.5, patience=0, min_delta=0.01)

    def make(k):
        return trainer(SGD(schedule), random_state=k)

    outcomes = compare(make, epochs=8, validation_rows=HELD_OUT, rows=FOLDS)
    rates = [schedule.rates(np.arange(1), 8, o.state.curve).item() for o in outcomes]
    assert len(set(rates)) > 1
    assert min(rates) < 1.0


@both_types
def test_penalties_of_which_some_are_zero(dtype):
    """L1 alone, L2 alone, both and none are four shapes, since the step has other terms."""
    strengths = [(0.0, 0.0), (0.1, 0.0), (0.0, 0.2), (0.1, 0.2), (0.3, 0.0), (0.0, 0.0)]

    def make(k):
        l1, l2 = strengths[k]
        return trainer(penalty=Penalty(l1, l2), dtype=dtype, random_state=k)

    compare(make, len(strengths), stacks=4)


@pytest.mark.parametrize("division", ["apart", "together", "none"])
def test_divisions_of_the_penalty(division):
    def make(k):
        return trainer(SGD(A[k]), penalty=Penalty(C[k], A[k], division), random_state=k)

    compare(make, rows=FOLDS, objectives=True, step_losses=None)


def test_momentum_of_zero_and_norms_of_none_are_shapes_of_their_own():
    def make(k):
        return trainer(SGD(0.1, momentum=(0.9, 0.0, 0.5)[k]), max_norm=(None, 1.0, None)[k])

    compare(make, stacks=2)


@both_types
def test_rates_of_dropout(dtype):
    """Also of zero, and of two layers of which one has the same rate in all models."""
    rates = (0.0, 0.3, 0.7, 0.3)

    def make(k):
        layers = [Dense(FEATURES, 6), Dropout(rates[k]), Tanh(), Dropout(0.2), Dense(6, CLASSES)]
        return trainer(network=Network(layers), dtype=dtype, random_state=k)

    outcomes = compare(make, len(rates))
    assert len({o.state.dropout_seed.item() for o in outcomes}) == len(rates)


def test_equal_seeds_draw_one_order(monkeypatch):
    """Drawn once for all models that share it, for as many rows."""
    from xpnet.batches import Shuffled

    drawn, order = [], Shuffled.order
    monkeypatch.setattr(Shuffled, "order", lambda *a: drawn.append(a) or order(*a))
    seeds = [5, 5, 6, 5]
    trainers = [trainer(SGD(0.1 * (k + 1)), random_state=seed) for k, seed in enumerate(seeds)]
    fit_many(trainers, X, T, epochs=3)
    assert len(drawn) == 3 * 2
    monkeypatch.undo()
    compare(lambda k: trainer(SGD(0.1 * (k + 1)), random_state=seeds[k]), 4)


def test_seeds_may_be_generators():
    compare(lambda k: trainer(random_state=np.random.RandomState(k)))


def test_a_stack_taken_apart_gives_what_the_stack_gives():
    rates = np.array([[0.0], [0.4]])
    net = Network([Dense(FEATURES, 6), ReLU(), Dropout(rates), Dense(6, CLASSES)])
    options = {
        "optimizer": Adam(np.array([[0.1], [0.01]]), beta1=np.array([[0.9], [0.5]])),
        "penalty": Penalty(l2=np.array([[0.1], [0.2]])),
        "max_norm": np.array([[1.0], [0.2]]),
        "random_state": [3, 4],
    }
    stack = Trainer(net, LOSS, **options)
    history = stack.fit(X, T, epochs=3)
    outcomes = fit_many(stack.models(), X, T, epochs=3)
    for k, outcome in enumerate(outcomes):
        assert bits(outcome.state.params) == bits(stack.state_.params[k])
        assert outcome.history.losses == history.model(k).losses


def test_one_trainer_is_a_stack_of_one():
    compare(lambda k: trainer(network=NET), 1)


def test_shapes_that_differ_are_stacks_of_their_own():
    def make(k):
        layers = [Dense(FEATURES, (6, 7, 6, 6)[k]), (Tanh(), Tanh(), ReLU(), Tanh())[k]]
        return trainer(network=Network([*layers, Dense((6, 7, 6, 6)[k], CLASSES)]))

    compare(make, 4, stacks=3)
