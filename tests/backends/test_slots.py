"""Slots: what is filled on the host arrives, and stays what it was for as long as it is read."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from stand_in import Cuda

from xpnet import backends
from xpnet.backends.cupy import CuPy
from xpnet.backends.cupy_slots import CuPySlot

LAYOUTS = [((4, 3), "float32"), ((4,), "int32")]


def filled(slot, value):
    """Fill a slot and bring it, as another thread would."""
    found = []

    def fill():
        with slot._backend.session(slot.host[0].dtype.name):
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
    monkeypatch.setattr("xpnet.backends.taped._FEW", 0)
    backend = backends.get("numpy")
    slot, x = backend.slot([((3,), "float64")]), np.ones((2, 3))

    def step(xp, state, x, data):
        return state, xp.sum(xp.exp(data[0]) * x[0])

    for value in (0.0, 1.0, 2.0):
        data = filled(slot, value)
        _, (ys,) = backend.scan(step, (np.zeros(1),), [(x,)], data)
        np.testing.assert_allclose(ys, 3 * np.exp(value))
        slot.used()


# CuPy, on a stand-in whose streams run in any order that the events allow.


def read_on_a_stand_in(monkeypatch, seed, without=()):
    """Return what steps read of two slots in turn, some of whose calls are left out."""
    cuda = Cuda(seed).install(monkeypatch)
    for name in without:
        monkeypatch.setattr(CuPySlot, name, lambda self: None)
    backend = CuPy.__new__(CuPy)
    backend.device = cuda.device
    slots = [backend.slot([((2,), "float32"), ((), "int32")]) for _ in range(2)]
    assert cuda.log == ["Stream"]  # one for all
    read = []

    def step(arrays):
        read.extend(float(part) for a in arrays for part in a.memory.ravel())

    for block in range(6):
        slot = slots[block % 2]
        slot.wait()
        for host in slot.host:
            host[...] = block
        arrays = slot.bring()
        slot.ready()
        for _ in range(2):
            cuda.compute.launch(lambda arrays=arrays: step(arrays))
        slot.used()
    cuda.run_until(lambda: not (cuda.compute.queue or cuda.copying.queue))
    return read


EXPECTED = [float(block) for block in range(6) for _ in range(2 * 3)]


@pytest.mark.parametrize("seed", range(50))
def test_steps_on_a_device_read_what_was_filled_for_them(monkeypatch, seed):
    assert read_on_a_stand_in(monkeypatch, seed) == EXPECTED


@pytest.mark.parametrize("name", ["wait", "ready", "used"])
def test_each_call_of_a_slot_on_a_device_is_needed(monkeypatch, name):
    def read(seed):
        with monkeypatch.context() as patch:
            return read_on_a_stand_in(patch, seed, without=[name])

    assert any(read(seed) != EXPECTED for seed in range(50))


def test_memory_that_is_used_again_waits_for_the_steps_of_before(monkeypatch):
    cuda = Cuda().install(monkeypatch)
    backend, before = CuPy.__new__(CuPy), []
    backend.device = cuda.device
    cuda.compute.launch(lambda: before.append(len(cuda.copying.queue)))
    slot = backend.slot([((2,), "float32")])
    slot.bring()
    slot.wait()
    assert before == [3]  # it ran when the copy had not


def test_a_copy_ends_before_its_memory_is_given_away(monkeypatch):
    cuda = Cuda().install(monkeypatch)
    backend = CuPy.__new__(CuPy)
    backend.device = cuda.device
    slot = backend.slot([((2,), "float32")])
    slot.bring()
    assert cuda.copying.queue
    del slot
    assert not cuda.copying.queue


def test_the_real_cupy_has_what_slots_call():
    cupy = pytest.importorskip("cupy")
    import cupyx

    assert callable(cupyx.empty_pinned)
    assert {"wait_event", "synchronize", "ptr"} <= {*dir(cupy.cuda.Stream.null)}
    assert {"record", "synchronize"} <= {*dir(cupy.cuda.Event)}
    assert {"set", "view"} <= {*dir(cupy.ndarray)}
    assert callable(cupy.cuda.get_current_stream)
