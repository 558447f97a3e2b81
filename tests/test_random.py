"""The hash behind dropout: frozen, equal on every library, and random enough."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xpnet import backends
from xpnet.random import SCALE, bits

NUMPY = backends.get("numpy")


def draw(seed, step=0, stream=0, shape=(300, 200), backend=NUMPY):
    seeds = np.asarray(seed, np.int32).reshape((-1, 1, 1) if np.ndim(seed) else (1, 1))
    seeds = backend.asarray(seeds)
    counter = backend.asarray(np.array(step, np.int32))
    return backend.to_host(bits(seeds, counter, stream, shape, xp=backend.xp))


@pytest.mark.parametrize(
    ("seed", "step", "stream", "golden"),
    [
        (0, 0, 0, [[11327251, 4205764, 15371133], [4238031, 3158373, 5617242]]),
        (1, 0, 0, [[221381, 14940102, 13717731], [16435338, 656275, 8969269]]),
        (0, 1, 0, [[463712, 3577447, 14516651], [1863435, 7298960, 9437656]]),
        (0, 0, 1, [[1283968, 2405756, 9592642], [14887242, 14334310, 15526326]]),
        (2**31 - 1, 99, 3, [[6380785, 1199806, 6476057], [16295343, 14033883, 4409570]]),
    ],
)
def test_golden_values(seed, step, stream, golden):
    """What was drawn once is drawn for ever: runs with dropout stay reproducible."""
    assert draw(seed, step, stream, (2, 3)).tolist() == golden


def test_equals_the_hash_in_pythons_integers():
    def mix(x):
        x ^= x >> 16
        x = x * 0x7FEB352D % 2**32
        x ^= x >> 15
        x = x * 0x846CA68B % 2**32
        return x ^ x >> 16

    for seed, step, stream in ((0, 0, 0), (2**31 - 1, 12_345, 7), (-5, 2**31 - 1, 1)):
        key = mix((mix((mix((seed + 0x61C88647) % 2**32) + stream) % 2**32) + step) % 2**32)
        expected = [mix((key + i) % 2**32) >> 8 for i in range(6)]
        assert draw(seed, step, stream, (2, 3)).ravel().tolist() == expected


@pytest.mark.parametrize("seed", [3, [0, -(2**31), 2**31 - 1]], ids=["one", "stack"])
def test_equal_on_every_backend(backend, seed):
    ours = draw(seed, 2**31 - 1, 5, (7, 9), backend)
    assert ours.dtype == np.int32
    assert ours.shape == (7, 9) if np.ndim(seed) == 0 else (3, 7, 9)
    np.testing.assert_array_equal(ours, draw(seed, 2**31 - 1, 5, (7, 9)))


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_uniform(seed):
    x = draw(seed)
    assert x.min() >= 0
    assert x.max() < SCALE
    for part in (x, x & 0xFF):  # the high bits and the low ones
        counts = np.bincount((part >> 16 if part is x else part).ravel(), minlength=256)
        assert 1e-4 < stats.chisquare(counts).pvalue < 1.0 - 1e-4
    for axis in (0, 1):  # neighbours know nothing of each other
        a, b = np.delete(x, 0, axis).ravel(), np.delete(x, -1, axis).ravel()
        assert abs(np.corrcoef(a, b)[0, 1]) < 5.0 / np.sqrt(a.size)


@pytest.mark.parametrize("other", [{"seed": 1}, {"step": 1}, {"stream": 1}])
def test_seeds_steps_and_streams_are_independent(other):
    a, b = draw(0).ravel(), draw(**({"seed": 0} | other)).ravel()
    assert np.mean(a == b) < 1e-3
    assert abs(np.corrcoef(a, b)[0, 1]) < 5.0 / np.sqrt(a.size)


def test_each_model_has_the_bits_of_its_seed():
    stack = draw([4, 5], 6, 7, (8, 9))
    np.testing.assert_array_equal(stack[0], draw(4, 6, 7, (8, 9)))
    np.testing.assert_array_equal(stack[1], draw(5, 6, 7, (8, 9)))
