"""Sums over the ranks of a communicator, here one that only says what it was asked."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from stand_in import Cuda

from xpnet import backends
from xpnet.backends import Namespace
from xpnet.backends.cupy import CuPy
from xpnet.backends.numpy_calls import NumPyMachine


class Comm:
    """A communicator of ranks that all have the same numbers."""

    def __init__(self, size=3):
        self.size, self.sent = size, []

    def Allreduce(self, sent, received):
        assert sent.flags.c_contiguous
        assert received.flags.c_contiguous
        assert (sent.dtype, sent.shape) == (received.dtype, received.shape)
        assert not np.shares_memory(sent, received)
        self.sent.append(sent.copy())
        np.multiply(sent, sent.dtype.type(self.size), out=received)


@pytest.fixture
def at_once(monkeypatch):
    """Steps are recorded before the first, and small arrays are cut into blocks."""
    monkeypatch.setattr("xpnet.backends.taped._FEW", 0)
    monkeypatch.setattr(NumPyMachine, "block", 7)


def scanned(step, state, x, data=(), *, compile):
    """Run a step on NumPy; return what comes out, and what the communicator was asked."""
    comm = Comm()
    backend = backends.get("numpy").joined(comm)
    copies = tuple(a.copy() for a in state)
    state, (ys,) = backend.scan(step, copies, [(x,)], data, compile=compile)
    return [*state, ys], comm.sent


def check(step, state, x, data=()):
    """A tape and a run call by call agree, and make the same calls. Return those of a step."""
    taped, plain = (scanned(step, state, x, data, compile=c) for c in (True, False))
    for found, expected in zip(taped, plain, strict=True):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_array_equal(a, b)
    return len(plain[1]) // len(x)


def rows(*shape, dtype="float64"):
    return np.random.RandomState(0).randn(*shape).astype(dtype)


def test_nothing_is_joined_until_it_is_asked_for(backend):
    assert backend.comm is None
    assert not hasattr(backend.xp, "all_reduce")
    comm = Comm()
    assert backend.joined(comm) is backend
    assert backend.comm is comm


@pytest.mark.parametrize("shape", [(5,), (3, 5), (), (0,)])
def test_a_sum_comes_back_where_the_array_lies(backend, lies_on, shape):
    backend.joined(Comm())
    x = rows(*shape, dtype="float32") if shape else np.float32(1.5)
    found = backend.xp.all_reduce(backend.asarray(x))
    np.testing.assert_array_equal(lies_on(backend, found, "float32"), x * np.float32(3))


def test_double_precision_stays_double(backend, lies_on):
    if backend.device_name == "no_x64":
        pytest.skip("the device has no double precision")
    backend.joined(Comm())
    with backend.session("float64"):
        found = backend.xp.all_reduce(backend.asarray(np.full(2, 1 + 1e-12)))
        np.testing.assert_array_equal(lies_on(backend, found, "float64"), 3 * (1 + 1e-12))


def test_a_step_runs_call_by_call_on_any_backend(backend):
    backend.joined(Comm())

    def step(xp, state, x, data):
        total = xp.all_reduce(state[0] * x[0])
        return (total,), xp.sum(total)

    xs = backend.asarray(np.full((2, 3), 0.5, dtype=np.float32))
    state = (backend.asarray(np.ones(3, dtype=np.float32)),)
    state, (ys,) = backend.scan(step, state, [(xs,)], (), compile=False)
    np.testing.assert_array_equal(backend.to_host(state[0]), [2.25] * 3)
    np.testing.assert_array_equal(backend.to_host(ys), [4.5, 6.75])


def test_numpy_writes_where_it_is_told_to():
    xp, out = backends.get("numpy").joined(Comm()).xp, np.empty(3)
    assert xp.all_reduce(np.ones(3), out) is out
    np.testing.assert_array_equal(out, [3, 3, 3])
    turned = np.empty((2, 3)).T
    xp.all_reduce(rows(3, 2), out=turned)
    np.testing.assert_array_equal(turned, rows(3, 2) * 3)


@pytest.mark.parametrize("shape", [(40,), (3, 40), (3,)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gradient_is_summed_on_a_tape(at_once, shape, dtype):
    def step(xp, state, x, data):
        grad = xp.tanh(state[0] * x[0]) + state[1]
        total = xp.all_reduce(grad)
        return (state[0] - 0.1 * total, 0.5 * state[1] + total * total), xp.sum(total, axis=-1)

    assert check(step, (rows(*shape, dtype=dtype),) * 2, rows(4, *shape, dtype=dtype)) == 1


def test_gradient_loss_and_weights_go_together(at_once):
    """Parts of a concatenation are written into it, and read from the sum."""

    def step(xp, state, x, data):
        loss = xp.sum(state[0] * x[0], axis=-1, keepdims=True)
        total = xp.all_reduce(xp.concat([x[0] * 2.0, loss, xp.ones_like(loss)], axis=-1))
        return (state[0] - total[..., :-2] / total[..., -1:],), total[..., -2]

    for lead in ((), (3,)):
        assert check(step, (rows(*lead, 9),), rows(4, *lead, 9)) == 1


def test_a_sum_may_be_part_of_a_concatenation_or_lie_in_another_order(at_once):
    def step(xp, state, x, data):
        total = xp.all_reduce(x[0].mT)
        both = xp.concat([total, xp.all_reduce(state[0]) + 1.0], axis=-1)
        return (both[:, 1:4],), xp.all_reduce(both[:, ::2])

    assert check(step, (rows(3, 3),), rows(4, 3, 3)) == 3


def test_as_many_sums_as_the_step_asks_for_in_its_order(at_once):
    """Those of equal arrays, of what is the same at every step, and those that nobody needs."""

    def step(xp, state, x, data):
        a = xp.all_reduce(data[0])
        b = xp.exp(x[0]) * 0.1
        xp.all_reduce(b)
        c = xp.all_reduce(state[0])
        d = xp.all_reduce(state[0])
        e = xp.all_reduce(np.full(2, 7.0))
        return (c + d * b + a[:20],), xp.sum(e)

    assert check(step, (rows(20),), rows(4, 20), (rows(30),)) == 5


def test_a_sum_may_be_the_state_or_the_result(at_once):
    def step(xp, state, x, data):
        total = xp.all_reduce(state[0])
        return (total, state[0] + x[0]), total

    assert check(step, (rows(20), rows(20)), rows(4, 20)) == 1


def test_a_tape_asks_the_communicator_that_was_joined_last(at_once):
    def step(xp, state, x, data):
        return (xp.all_reduce(state[0]),), x[0]

    backend = backends.get("numpy")
    for size in (2, 5):
        backend.joined(Comm(size))
        state, _ = backend.scan(step, (np.ones(3),), [(np.ones((1, 3)),)], ())
        np.testing.assert_array_equal(state[0], [size] * 3)


def test_jax_does_not_compile_what_it_cannot_cut():
    pytest.importorskip("jax")
    backend = backends.get("jax").joined(Comm())
    with pytest.raises(ValueError, match=r"whole epochs, which cannot be cut.*compile=False"):
        backend.scan(lambda xp, *args: args, (), [(np.ones((1, 1)),)], ())


@pytest.mark.parametrize("name", ["numpy", "jax", "torch", "array_api_strict"])
@pytest.mark.parametrize("transport", ["nccl", "cuda", "tcp"])
def test_a_transport_that_a_backend_lacks(name, transport):
    pytest.importorskip(name)
    backend = backends.get(name)
    with pytest.raises(ValueError, match=f"transport='{transport}': backend='{name}' has only"):
        backend.joined(Comm(), transport)
    assert backend.comm is None


# CuPy, on a stand-in.


class Ranks:
    """A communicator of two ranks, of which this is one, that finds the other's GPU elsewhere."""

    size = 2

    def __init__(self, rank, other=("another", "0000:01:00.0", True)):
        self.rank, self._other, self.log = rank, other, []

    def allgather(self, value):
        self.log.append("allgather")
        return [value, self._other] if self.rank == 0 else [self._other, value]

    def bcast(self, value):
        self.log.append("bcast")
        assert (value is None) == (self.rank > 0)
        return (1, 2, 3)

    def Allreduce(self, sent, received):
        self.log.append(("Allreduce", sent, received))


def on_a_stand_in(cuda):
    backend = CuPy.__new__(CuPy)
    backend.device = cuda.device
    backend.xp, backend._fused = Namespace(np), Namespace(np)
    return backend


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(("dtype", "number"), [("float32", 7), ("float64", 8)])
@pytest.mark.parametrize("shape", [(3, 5), ()])
def test_nccl_sums_on_the_current_stream(monkeypatch, rank, dtype, number, shape):
    cuda, comm = Cuda().install(monkeypatch), Ranks(rank)
    backend = on_a_stand_in(cuda).joined(comm, "nccl")
    assert comm.log == ["allgather", "bcast"]
    assert cuda.log == [*["get_unique_id"][rank:], ("NcclCommunicator", 2, (1, 2, 3), rank)]
    x = cuda.array(np.ones(shape, dtype))
    for xp in (backend.xp, backend._fused):
        found = xp.all_reduce(x)
        assert (found.shape, found.dtype) == (x.shape, x.dtype)
        args = x.data.ptr, found.data.ptr, x.size, number, 0, cuda.compute.ptr
        assert cuda.log[-1] == ("allReduce", *args)
        assert found.data.ptr != x.data.ptr


def test_nccl_takes_no_other_type(monkeypatch):
    cuda = Cuda().install(monkeypatch)
    backend = on_a_stand_in(cuda).joined(Ranks(0), "nccl")
    with pytest.raises(TypeError, match=r"float32 and float64, but an array of int32"):
        backend.xp.all_reduce(cuda.array(np.ones(3, dtype=np.int32)))


@pytest.mark.parametrize("rank", [0, 1])
def test_two_ranks_on_one_gpu_are_told_so_before_nccl_is_asked(monkeypatch, rank):
    cuda = Cuda().install(monkeypatch)
    host = socket.gethostname()
    backend = on_a_stand_in(cuda)
    comm = Ranks(rank, (host, "0000:01:00.0", True))
    told = rf"ranks 0 and 1 are on one GPU, 0000:01:00\.0 of {host}.*device='cuda:1' for rank 1"
    with pytest.raises(ValueError, match=told):
        backend.joined(comm, "nccl")
    assert cuda.log == []
    assert backend.comm is None


@pytest.mark.parametrize("here", [True, False])
def test_all_ranks_are_told_of_one_without_nccl(monkeypatch, here):
    cuda = Cuda().install(monkeypatch)
    cuda.nccl.available = here
    with pytest.raises(ValueError, match=r"rank \d on .* has no NCCL. Install it there"):
        on_a_stand_in(cuda).joined(Ranks(0, ("another", "0000:01:00.0", not here)), "nccl")


def test_mpi_that_knows_cuda_is_called_when_the_stream_has_ended(monkeypatch):
    cuda, comm = Cuda().install(monkeypatch), Ranks(0)
    backend = on_a_stand_in(cuda).joined(comm, "cuda")
    x = cuda.array(np.zeros((3, 5), np.float32).T)
    cuda.compute.launch(lambda: comm.log.append("computed"))
    found = backend.xp.all_reduce(x)
    assert backend._fused.all_reduce is backend.xp.all_reduce
    assert comm.log[0] == "computed"
    assert cuda.log == ["synchronize"]
    (_, sent, received) = comm.log[1]
    assert received is found
    assert sent.memory.flags.c_contiguous
    assert (found.shape, found.dtype) == (x.shape, x.dtype)


def test_cupy_stages_through_the_host_unless_told_otherwise(monkeypatch):
    backend = on_a_stand_in(Cuda().install(monkeypatch))
    monkeypatch.setattr(CuPy, "to_host", lambda self, x: np.asarray(x))
    monkeypatch.setattr(CuPy, "asarray", lambda self, x: ("brought", x))
    backend.joined(Comm())
    for xp in (backend.xp, backend._fused):
        name, found = xp.all_reduce(np.ones(3))
        assert name == "brought"
        np.testing.assert_array_equal(found, [3, 3, 3])
    with pytest.raises(ValueError, match=r"backend='cupy' has only 'host', 'cuda', 'nccl'"):
        backend.joined(Comm(), "tcp")


def test_the_real_cupy_without_nccl():
    pytest.importorskip("cupy")
    from xpnet.backends.nccl import _library

    nccl = _library()
    assert nccl is None or {"get_unique_id", "NcclCommunicator", "NCCL_SUM"} <= {*dir(nccl)}
