"""Slots: what is filled on the host arrives, and stays what it was for as long as it is read."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from xpnet import backends
from xpnet.backends import numpy as numpy_backend

LAYOUTS = [((4, 3), "float32"), ((4,), "int32")]


def filled(slot, value):
    """Fill a slot and bring it, as another thread would."""
    found = []

    def fill():
        slot.wait()
        for array in slot.host:
            array[...] = value
        found.append(slot.bring())

    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()
    slot.ready()
    return found[0]


def test_numbers_arrive_block_after_block(backend, lies_on):
    slot = backend.slot(LAYOUTS)
    for value in (1, 2, 3):
        arrays = filled(slot, value)
        for array, (shape, dtype) in zip(arrays, LAYOUTS, strict=True):
            host = lies_on(backend, array, dtype)
            np.testing.assert_array_equal(host, np.full(shape, value, dtype))
        slot.used()


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_the_host_memory_is_what_is_read_where_that_can_be(name):
    pytest.importorskip(name)
    backend = backends.get(name, "cpu")
    slot = backend.slot(LAYOUTS)
    for array, host in zip(filled(slot, 1), slot.host, strict=True):
        assert np.shares_memory(backend.to_host(array), host)


def test_what_jax_brought_does_not_change_with_the_host_memory():
    pytest.importorskip("jax")
    backend = backends.get("jax", "cpu")
    slot = backend.slot([((1 << 20,), "float32")])
    first = filled(slot, 1)
    second = filled(slot, 2)
    slot.host[0][:] = 3
    for (array,), value in ((first, 1), (second, 2)):
        assert np.all(backend.to_host(array) == value)


def test_jax_brings_double_precision_from_a_thread_of_its_own():
    pytest.importorskip("jax")
    backend = backends.get("jax", "cpu")
    value = 1 + 1e-12
    (array,) = filled(backend.slot([((2,), "float64")]), value)
    np.testing.assert_array_equal(backend.to_host(array), [value, value])


def test_a_tape_sees_that_a_slot_was_filled_again(monkeypatch):
    """What a tape has computed of its data before the first step is of those data only."""
    monkeypatch.setattr(numpy_backend, "_FEW", 0)
    backend = backends.get("numpy")
    slot, x = backend.slot([((3,), "float64")]), np.ones((2, 3))

    def step(xp, state, x, data):
        return state, xp.sum(xp.exp(data[0]) * x[0])

    for value in (0.0, 1.0, 2.0):
        data = filled(slot, value)
        _, (ys,) = backend.scan(step, (np.zeros(1),), [(x,)], data)
        np.testing.assert_allclose(ys, 3 * np.exp(value))
        slot.used()
