"""What holds for whatever layers, losses, optimizers, batches and nets there are."""

from __future__ import annotations

import itertools
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpnet import Dense, Dropout, InOrder, Network, Reshuffled, Shuffled, backends, checkpoints
from xpnet.batches import split
from xpnet.gradcheck import check_gradients
from xpnet.layers import ACTIVATIONS
from xpnet.losses import LOSSES, SoftmaxCrossEntropy
from xpnet.optimizers import OPTIMIZERS

SEEDS = st.integers(0, 2**32 - 1)
SMOOTH = sorted(set(ACTIVATIONS) - {"relu", "leaky_relu"})
"""Activations without a kink, where differences are no gradient."""


@st.composite
def networks(draw, activations=SMOOTH):
    """A stack of two to four dense layers with activations and dropout between them."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers.append(Dense(n_in, n_out, bias=draw(st.booleans())))
        layers.append(ACTIVATIONS[draw(st.sampled_from(activations))]())
        if draw(st.booleans()):
            layers.append(Dropout(0.25))
    return Network([*layers, Dense(sizes[-1], sizes[-1])])


def targets(loss, rng, n_samples, n_outputs):
    if isinstance(loss, SoftmaxCrossEntropy):
        return rng.randint(n_outputs, size=n_samples)
    return rng.randint(2, size=(n_samples, n_outputs)).astype(float)


@settings(max_examples=40, deadline=None)
@given(
    network=networks(),
    loss=st.sampled_from(["squared_error", "binary_cross_entropy", "poisson", "huber"]),
    n_samples=st.integers(1, 6),
    seed=SEEDS,
    weighted=st.booleans(),
)
def test_backpropagation_is_the_gradient_of_whatever_stack(
    network, loss, n_samples, seed, weighted
):
    rng = np.random.RandomState(seed)
    x = rng.randn(n_samples, network.n_features_in)
    t = rng.randint(2, size=(n_samples, network.n_outputs)).astype(float)
    weights = rng.rand(n_samples) + 0.1 if weighted else None
    found = LOSSES[loss]()
    error = check_gradients(network, found, x, t, sample_weight=weights, random_state=seed)
    assert error < 1e-5


@pytest.mark.parametrize("name", LOSSES)
@given(seed=SEEDS, size=st.sampled_from([1.0, 30.0, 700.0, 1e4, 1e150]))
def test_losses_of_large_logits_are_numbers(name, seed, size):
    """Neither NaN nor below zero, and the gradient is finite; exp is beyond Poisson's reach."""
    rng, loss = np.random.RandomState(seed), LOSSES[name]()
    size = min(size, 30.0 if name == "poisson" else 1e150)
    logits, t = size * rng.uniform(-1, 1, (4, 3)), targets(loss, rng, 4, 3)
    value, gradient = float(loss.value(logits, t)), np.asarray(loss.gradient(logits, t))
    assert np.isfinite(value)
    assert name == "poisson" or value >= 0
    assert gradient.shape == logits.shape
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
@given(seed=SEEDS, n_steps=st.integers(1, 4), rate=st.floats(1e-6, 1.0))
def test_a_gradient_of_zero_moves_nothing(name, seed, n_steps, rate):
    make = OPTIMIZERS[name]
    decay = {"weight_decay": 0.0} if name in ("adamw", "lion") else {}
    optimizer, param = make(rate, **decay), np.random.RandomState(seed).randn(5)
    xp = backends.get("numpy").xp
    state = tuple(np.zeros(5) for _ in optimizer.state_names)
    found = param
    for step in range(1, n_steps + 1):
        times = np.full((1, 1, 1), float(step))
        table = optimizer.coefficients(times, np.full((1, 1, 1), rate))
        c = {key: float(np.asarray(value).reshape(())) for key, value in table.items()}
        found, state = optimizer.rule(xp, found, np.zeros(5), state, c)
    np.testing.assert_array_equal(found, param)


@given(
    kind=st.sampled_from([InOrder, Reshuffled, Shuffled]),
    n_samples=st.integers(1, 60),
    size=st.none() | st.integers(1, 70),
    seed=SEEDS,
)
def test_batches_hold_each_row_once(kind, n_samples, size, seed):
    batches = kind(size)
    order = batches.order(n_samples, np.random.RandomState(seed), 0)
    parts = split(order, batches.size(n_samples))
    rows = [row for part in parts for batch in part for row in batch]
    assert sorted(rows) == list(range(n_samples))
    assert sum(map(len, parts)) == batches.n_steps(n_samples, 0)


@settings(max_examples=25, deadline=None)
@given(
    network=networks(sorted(ACTIVATIONS)),
    dtype=st.sampled_from(["float32", "float64"]),
    models=st.none() | st.integers(1, 3),
    seed=SEEDS,
)
def test_saved_nets_come_back_bit_for_bit(network, dtype, models, seed):
    shape = (network.n_params,) if models is None else (models, network.n_params)
    rng = np.random.RandomState(seed)
    params = (rng.randn(*shape) * 10.0 ** rng.randint(-30, 30)).astype(dtype)
    with tempfile.TemporaryDirectory() as folder:
        saved = checkpoints.load(checkpoints.save(f"{folder}/net", network, params))
    assert repr(saved.network) == repr(network)
    assert (saved.params.dtype, saved.params.shape) == (params.dtype, params.shape)
    assert saved.params.tobytes() == params.tobytes()
