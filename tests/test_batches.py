"""Batches: which rows, in which order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpnet.batches import (
    SAMPLINGS,
    InOrder,
    Reshuffled,
    Shuffled,
    WithReplacement,
    batch_partition,
    split,
)


def test_shuffled_is_one_permutation_an_epoch():
    rng, expected = np.random.RandomState(42), np.random.RandomState(42)
    for epoch in range(3):
        order = Shuffled(4).order(10, rng, epoch)
        np.testing.assert_array_equal(order, expected.permutation(np.arange(10)))


@pytest.mark.parametrize("n", [1, 2, 10, 1000])
@pytest.mark.parametrize("batch_size", [3, None])
def test_reshuffled_is_scikit_learns_shuffle_again_and_again(n, batch_size):
    from sklearn.utils import shuffle

    rng, theirs = np.random.RandomState(42), np.random.RandomState(42)
    order, expected = None, np.arange(n)
    for epoch in range(6):
        chain = {} if order is None else {"previous": order}
        order = Reshuffled(batch_size).order(n, rng, epoch, **chain)
        expected = shuffle(expected, random_state=theirs)
        np.testing.assert_array_equal(order, expected)
        assert sorted(order) == list(range(n))


def test_reshuffled_differs_from_shuffled_from_the_second_epoch_on():
    rngs = [np.random.RandomState(1) for _ in range(2)]
    first, again = (Shuffled(2).order(50, rngs[0], epoch) for epoch in range(2))
    ours = Reshuffled(2).order(50, rngs[1], 0)
    np.testing.assert_array_equal(ours, first)
    np.testing.assert_array_equal(Reshuffled(2).order(50, rngs[1], 1, previous=ours), first[again])
    assert (first[again] != again).any()


def test_only_reshuffled_is_chained():
    assert {name for name, cls in SAMPLINGS.items() if cls().chained} == {"reshuffle"}
    assert SAMPLINGS["reshuffle"] is Reshuffled
    assert repr(Reshuffled(4)) == "Reshuffled(batch_size=4)"
    previous = np.array([3, 1, 2, 0])
    Reshuffled(2).order(4, np.random.RandomState(0), 1, previous=previous)
    assert previous.tolist() == [3, 1, 2, 0], "nothing is changed in place"


def test_sequential_draws_nothing():
    rng = np.random.RandomState(42)
    np.testing.assert_array_equal(InOrder(4).order(10, rng, 1), np.arange(10))
    assert rng.randint(1000) == np.random.RandomState(42).randint(1000)


@pytest.mark.parametrize("n", [10, 11, 60_000])
def test_with_replacement_equals_one_choice_a_step(n):
    rng, expected = np.random.RandomState(42), np.random.RandomState(42)
    batches = WithReplacement(3, lengths=[2, 5])
    for epoch, n_steps in enumerate([2, 5, 5]):
        assert batches.n_steps(n, epoch) == n_steps
        order = batches.order(n, rng, epoch)
        steps = [expected.choice(n, 3) for _ in range(n_steps)]
        np.testing.assert_array_equal(order, np.concatenate(steps))


@pytest.mark.parametrize("cls", SAMPLINGS.values())
@pytest.mark.parametrize(
    ("batch_size", "size", "n_steps"),
    [(4, 4, 3), (5, 5, 2), (1, 1, 10), (None, 10, 1), (10, 10, 1), (11, 10, 1)],
)
def test_sizes_and_steps(cls, batch_size, size, n_steps):
    batches = cls(batch_size)
    assert (batches.size(10), batches.n_steps(10, 0)) == (size, n_steps)
    order = batches.order(10, np.random.RandomState(0), 0)
    parts = split(order, size)
    assert sum(len(part) for part in parts) == n_steps
    if cls is WithReplacement:  # all batches are full
        assert len(order) == n_steps * size
    else:
        assert sorted(order) == list(range(10))
        assert len(parts[-1][-1]) == 10 - (n_steps - 1) * size


@given(n=st.integers(1, 60), size=st.integers(1, 70), models=st.integers(0, 3))
def test_split_cuts_every_order_as_if_alone(n, size, models):
    orders = np.random.RandomState(0).permutation((models or 1) * n).reshape(-1, n)
    parts = split(orders if models else orders[0], size)
    widths = [part.shape[-1] for part in parts for _ in range(len(part))]
    assert widths == [size] * (n // size) + [n % size] * (n % size > 0)
    assert len(parts) == len(set(widths)) <= 2
    for k, order in enumerate(orders):
        batches = [batch[k] if models else batch for part in parts for batch in part]
        np.testing.assert_array_equal(np.concatenate(batches), order)
    for part in parts:
        assert part.dtype == np.int32
        assert part.flags.c_contiguous
        assert part.ndim == 2 + bool(models)


@pytest.mark.parametrize(("m", "batch_size"), [(148, 64), (128, 64), (5, 64), (7, 1)])
@pytest.mark.parametrize("seed", [0, 3])
def test_batch_partition_equals_its_formula(m, batch_size, seed):
    draw = np.random.RandomState(9).standard_normal
    X, Y = draw((3, m)), draw((2, m))
    order = np.random.RandomState(seed).permutation(m)
    ours = batch_partition(X, Y, batch_size, seed)
    assert len(ours) == math.ceil(m / batch_size)
    for k, (x, y) in enumerate(ours):
        columns = order[k * batch_size : (k + 1) * batch_size]
        np.testing.assert_array_equal(x, X[:, columns])
        np.testing.assert_array_equal(y, Y[:, columns])
    assert len(batch_partition(X, Y)) == math.ceil(m / 64)


def test_batch_partition_leaves_numpys_global_generator_alone():
    np.random.seed(5)
    batch_partition(np.ones((2, 9)), np.ones((1, 9)), 2, seed=0)
    assert np.random.randint(10**6) == np.random.RandomState(5).randint(10**6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones((2, 5)), np.ones((1, 4))), ValueError, r"X has shape \(2, 5\), Y \(1, 4\)"),
        ((np.ones((2, 5)), np.ones(5)), ValueError, r"Y \(5,\)"),
        ((np.ones((2, 0)), np.ones((1, 0))), ValueError, r"X has shape \(2, 0\)"),
        ((np.ones((2, 5)), np.ones((1, 5)), 0), ValueError, "batch_size=0"),
        ((np.ones((2, 5)), np.ones((1, 5)), 2.0), TypeError, r"batch_size=2\.0"),
        ((np.ones((2, 5)), np.ones((1, 5)), 2, -1), ValueError, "seed=-1"),
        ((np.ones((2, 5)), np.ones((1, 5)), 2, "a"), TypeError, "seed='a'"),
        ((np.full((2, 5), np.nan), np.ones((1, 5))), ValueError, "X holds NaN"),
    ],
)
def test_batch_partition_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        batch_partition(*arguments)


@pytest.mark.parametrize("cls", SAMPLINGS.values())
@pytest.mark.parametrize(
    ("batch_size", "error"),
    [(0, ValueError), (2.5, TypeError), (True, TypeError), ("2", TypeError)],
)
def test_batch_sizes_are_checked(cls, batch_size, error):
    with pytest.raises(error, match=f"batch_size={batch_size!r} must be"):
        cls(batch_size)


@pytest.mark.parametrize(
    ("lengths", "error"), [([3, 0], ValueError), ([1.5], TypeError), (3, TypeError)]
)
def test_lengths_are_checked(lengths, error):
    with pytest.raises(error, match="lengths"):
        WithReplacement(2, lengths=lengths)


def test_repr():
    assert repr(Shuffled(4)) == "Shuffled(batch_size=4)"
    assert "batch_size=None" in repr(WithReplacement(None))
