"""Steps as CUDA graphs, on a stand-in for CuPy: who owns what, in which order, and what fails.

What no stand-in tells: whether cuBLAS and CuPy's own kernels can be captured, and how fast it is.
"""

from __future__ import annotations

import gc
import warnings

import captured
import numpy as np
import pytest
from captured import Cuda
from steps import Case, cases, stacked

from xpnet import Adam, Callback, Dense, Network, Sigmoid, Trainer, backends, parity
from xpnet.backends import TapeError, captured_tape, cuda_graphs
from xpnet.backends.cublas import Products
from xpnet.step import make_step


@pytest.fixture
def cuda(monkeypatch):
    """A stand-in with graphs switched on, where a step is recorded before the first."""
    monkeypatch.setenv("XPNET_CUDA_GRAPHS", "1")
    monkeypatch.delenv("CUPY_TF32", raising=False)
    monkeypatch.setattr("xpnet.backends.taped._FEW", 0)
    return Cuda().install(monkeypatch)


def walk(xp, state, x, data):
    return (state[0] * 0.5 + x[0] * data[0],), xp.sum(state[0])


def scanned(backend, steps, data, start=0.0, compile=True):
    """The last state and the results of a few steps, on the host."""
    bring = backend.asarray
    x = np.arange(3.0 * steps).reshape(steps, 3)
    (state,), (ys,) = backend.scan(
        walk, (bring(np.full(3, start)),), [(bring(x),)], (data,), compile=compile
    )
    return backend.to_host(state), backend.to_host(ys)


def expected(steps, factor, start=0.0):
    return scanned(backends.get("numpy"), steps, np.full(3, factor), start, compile=False)


def same(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def fit(callbacks=(), **options):
    """Train a small net; return its losses and parameters."""
    rng = np.random.RandomState(0)
    x, t = rng.randn(90, 4), rng.randint(3, size=90)
    net = Network([Dense(4, 5), Sigmoid(), Dense(5, 3)])
    options = {"backend": "cupy", "random_state": 0} | options
    trainer = Trainer(net, "softmax_cross_entropy", Adam(0.05), **options)
    losses = trainer.fit(x, t, epochs=4, batch_size=8, callbacks=callbacks).losses
    return np.array(losses), backends.to_host(trainer.state_.params)


# The same losses.


@pytest.mark.parametrize("case", parity.covering(), ids=str)
def test_graphs_give_numpys_losses(cuda, case):
    found = parity.attempt(case, parity.Target("cupy", None))
    assert found.failure is None
    assert "launch" in cuda.log
    assert cuda.pools_in_capture <= {"graphs"}


@stacked
@cases
def test_graphs_equal_steps_call_by_call(cuda, kind, models):
    case, backend = Case(kind, models), backends.get("cupy")
    with backend.session("float64"):
        carry, (losses,) = backend.scan(make_step(case.problem), *case.arguments(backend.asarray))
    assert cuda.log.count("launch") == 5
    (params, moments), wanted = case.expected()
    for a, b in zip((*carry[1], carry[0], losses), (*moments, params, wanted), strict=True):
        np.testing.assert_allclose(backend.to_host(a), b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("steps", [1, 7, 8, 9, 24])
def test_any_number_of_steps(cuda, steps):
    backend = backends.get("cupy")
    data = backend.asarray(np.full(3, 2.0))
    for _ in range(2):
        same(scanned(backend, steps, data, start=1.0), expected(steps, 2.0, start=1.0))
    many, few = divmod(steps, captured_tape._UNROLLED)
    assert cuda.log.count("launch") == 2 * (many + few)
    assert cuda.log.count("begin") == (many > 0) + (few > 0), "captured once"


# Who owns what.


def test_other_data_are_copied_to_one_place(cuda):
    backend, captures = backends.get("cupy"), []
    for factor in (2.0, 2.0, 3.0, 4.0, 5.0):
        data = backend.asarray(np.full(3, factor))
        for _ in range(2):
            same(scanned(backend, 9, data), expected(9, factor))
        captures.append(cuda.log.count("begin"))
        del data  # the graphs of before would read it
    assert captures == [2, 4, 4, 4, 4], "of the first data, and of the place of all others"


def test_data_that_come_again_are_seen_again(cuda):
    backend = backends.get("cupy")
    data = {factor: backend.asarray(np.full(3, factor)) for factor in (2.0, 3.0)}
    for factor in (2.0, 3.0, 2.0, 3.0):
        same(scanned(backend, 9, data[factor]), expected(9, factor))


def test_what_depends_on_the_data_alone_changes_with_them(cuda):
    def step(xp, state, x, data):
        fixed = xp.reshape(xp.exp(data[0]).mT, (-1,)) * xp.sum(data[0])
        return (state[0] + fixed[:3] * x[0],), xp.sum(fixed + data[0][0, 0])

    arrays = [np.random.RandomState(seed).randn(2, 3) for seed in range(4)]
    x, backend = np.ones((2, 3)), backends.get("cupy")
    for array in (*arrays, arrays[1]):
        carry = (backend.asarray(np.zeros(3)),), [(backend.asarray(x),)]
        (state,), (ys,) = backend.scan(step, *carry, (backend.asarray(array),))
        wanted = backends.get("numpy").scan(step, (np.zeros(3),), [(x,)], (array,), compile=False)
        same((state.get(), ys.get()), (wanted[0][0], wanted[1][0]))
    assert cuda.log.count("begin") == 2


def test_more_steps_than_before_need_room(cuda):
    backend = backends.get("cupy")
    data = backend.asarray(np.full(3, 2.0))
    captures = []
    for steps in (8, 16, 8, 24):
        same(scanned(backend, steps, data), expected(steps, 2.0))
        captures.append(cuda.log.count("begin"))
    assert captures == [1, 2, 2, 3]


def test_batches_of_two_sizes_share_the_state(cuda):
    places = set()

    class Look(Callback):
        def on_epoch_end(self, fit):
            for tape in fit.run.place.backend._tapes.values():
                places.add(tape.state[0].data.ptr)
                assert cuda.pool(tape.state[0]) == cuda.pool(tape._ys) == "graphs"

    losses, params = fit([Look()])  # 11 batches of 8 rows, and one of 2
    assert len(places) == 1
    wanted = fit(backend="numpy")
    np.testing.assert_allclose(losses, wanted[0], rtol=1e-13)
    np.testing.assert_allclose(params, wanted[1], rtol=1e-12)


def test_nothing_of_a_fit_stays_on_the_device(cuda):
    gc.collect()
    gc.disable()
    try:
        fit()
        assert cuda.log.count("create") == 1
        assert cuda.log.count("destroy") == 1
        assert not cuda.live
    finally:
        gc.enable()


def test_the_order_of_the_calls(cuda):
    backend = backends.get("cupy")
    scanned(backend, 9, backend.asarray(np.ones(3)))
    setting_up = ["create", "set_stream", "set_workspace"]
    captured = ["synchronize default", "begin", "end", "begin", "end", "synchronize capturing"]
    assert cuda.log == [*setting_up, *captured, "launch", "launch"]


def test_no_garbage_is_collected_while_a_stream_is_captured(cuda, monkeypatch):
    seen = []
    step = captured_tape.CapturedTape._step
    monkeypatch.setattr(
        captured_tape.CapturedTape, "_step", lambda self: seen.append(gc.isenabled()) or step(self)
    )
    backend = backends.get("cupy")
    scanned(backend, 1, backend.asarray(np.ones(3)))
    assert seen == [True, True, False], "two warm-ups, and the capture"
    assert gc.isenabled()


def test_what_is_handed_out_stays_as_it_is(cuda):
    backend = backends.get("cupy")
    data, x = backend.asarray(np.ones(3)), backend.asarray(np.ones((9, 3)))
    first, (ys,) = backend.scan(walk, (backend.asarray(np.zeros(3)),), [(x,)], (data,))
    kept = first[0].get(), ys.get()
    backend.scan(walk, first, [(x,)], (data,))
    same((first[0].get(), ys.get()), kept)


# Steps of one's own.


def alternating(xp, state, x, data):
    """States that change places, and a result that is one of them."""
    a, b = state
    return (b, a + x[0]), a


def shifting(xp, state, x, data):
    """Integers that overflow and are negative."""
    return ((state[0] * 1103515245 + x[0]) >> 1,), state[0] - 7


def of_numpys_numbers(xp, state, x, data):
    return (state[0] * np.float64(0.5) + np.arange(3.0) * x[0],), xp.sum(state[0])


def smallest(xp, state, x, data):
    return (state[0] + x[0],), xp.min(state[0], axis=-1) - xp.max(x[0], axis=-1, keepdims=True)[0]


@pytest.mark.parametrize("step", [alternating, shifting, of_numpys_numbers, smallest])
def test_steps_of_ones_own(cuda, step):
    rng = np.random.RandomState(0)
    arrays = [rng.randint(-(2**30), 2**30, size=shape) for shape in ((3,), (3,), (9, 3))]
    *state, x = (a.astype(np.int32 if step is shifting else np.float64) for a in arrays)
    state = state[: 2 if step is alternating else 1]
    results = []
    for name in ("cupy", "numpy"):
        backend = backends.get(name)
        bring = backend.asarray
        with backend.session("float64"):
            carry = backend.scan(step, tuple(map(bring, state)), [(bring(x),)], ())
        results.append([backend.to_host(a) for a in (*carry[0], *carry[1])])
    same(*results)
    assert "launch" in cuda.log


def test_kernels_that_differ_in_a_constant_alone(cuda):
    backend = backends.get("cupy")
    x = backend.asarray(np.ones((1, 3)))
    for zero in (0.0, -0.0):

        def step(xp, state, x, data, zero=zero):
            return (state[0] + x[0] * zero,), x[0] * zero

        _, (ys,) = backend.scan(step, (x[0],), [(x,)], ())
        assert np.all(np.signbit(ys.get()) == np.signbit(zero))


# Products.

FORMS = {
    "as it is": lambda a: a,
    "transposed": lambda a: np.ascontiguousarray(a.mT).mT,
    "with gaps": lambda a: np.concatenate([a, a], axis=-1)[..., : a.shape[-1]],
    "transposed, with gaps": lambda a: (
        np.concatenate([a, a], axis=-2).mT.copy().mT[..., : a.shape[-2], :]
    ),
}


@pytest.fixture
def product(cuda):
    def compute(a, b, out):
        products = Products(cuda.default)
        on_device = [cuda.new(x) if x.flags.c_contiguous else placed(cuda, x) for x in (a, b, out)]
        function, args = products.instruction(*on_device)
        function(*args)
        return on_device[2].get()

    return compute


def placed(cuda, array):
    """The array on the device, with the strides that it has."""
    last = sum((n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True))
    memory = cuda.new(np.zeros(last // array.itemsize + 1, dtype=array.dtype))
    found = np.lib.stride_tricks.as_strided(memory, array.shape, array.strides, subok=True)
    found[...] = array
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize(
    ("lead_a", "lead_b"), [((), ()), ((4,), (4,)), ((), (4,)), ((4,), ()), ((1,), (4,))]
)
def test_products(product, dtype, first, second, lead_a, lead_b):
    rng = np.random.RandomState(0)
    for m, k, n in [(3, 5, 2), (1, 5, 2), (3, 1, 2), (3, 5, 1), (1, 1, 1)]:
        a = FORMS[first](rng.randn(*lead_a, m, k).astype(dtype))
        b = FORMS[second](rng.randn(*lead_b, k, n).astype(dtype))
        wanted = np.matmul(a, b)
        found = product(a, b, np.full_like(wanted, np.nan, order="C"))
        np.testing.assert_allclose(found, wanted, rtol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize(
    ("a", "b", "out", "told"),
    [
        (np.ones((2, 3)), np.ones((3, 2), np.float32), np.ones((2, 2)), "float64 and float32"),
        (np.ones((2, 3), int), np.ones((3, 2), int), np.ones((2, 2), int), "int64"),
        (np.ones(3), np.ones((3, 2)), np.ones(2), r"\(3,\)"),
        (np.ones((2, 2, 2, 3)), np.ones((3, 2)), np.ones((2, 2, 2, 2)), r"\(2, 2, 2, 3\)"),
        (np.ones((4, 6))[::2, ::2], np.ones((3, 2)), np.ones((2, 2)), "strides"),
        (np.ones((2, 3)), np.ones((3, 2)), np.ones((2, 2)).T, "strides"),
    ],
)
def test_what_is_no_product(product, a, b, out, told):
    with pytest.raises(TypeError, match=told):
        product(a, b, out)


def test_tf32_is_cupys_switch(cuda, monkeypatch):
    Products(cuda.default)
    assert "math 3" not in cuda.log
    monkeypatch.setenv("CUPY_TF32", "1")
    Products(cuda.default)
    assert "math 3" in cuda.log


# What fails: the run goes on call by call, and says why.


def broken(*args, **options):
    raise RuntimeError("a kernel that does not compile")


def test_no_graph_unless_it_is_asked_for(cuda, monkeypatch):
    monkeypatch.delenv("XPNET_CUDA_GRAPHS")
    losses, _ = fit()
    assert cuda.log == []
    np.testing.assert_allclose(losses, fit(backend="numpy")[0], rtol=1e-13)


def test_a_product_that_fails(cuda, monkeypatch):
    monkeypatch.setattr(cuda.cublas, "dgemm", broken)
    with pytest.warns(RuntimeWarning, match="RuntimeError: a kernel that does not") as warned:
        losses, params = fit()
    assert len(warned) == 1
    wanted = fit(backend="numpy")
    np.testing.assert_allclose(losses, wanted[0], rtol=1e-13)
    np.testing.assert_allclose(params, wanted[1], rtol=1e-12)
    assert "xpnet_Sigmoid_forward" in cuda.kernels, "each rule is one kernel still"


def sorting(xp, state, x, data):
    return (xp.sort(state[0] + x[0]),), xp.sum(state[0])


def test_a_call_that_cannot_be_captured(cuda):
    backend = backends.get("cupy")
    x = backend.asarray(np.random.RandomState(0).randn(9, 3))
    arguments = (backend.asarray(np.ones(3)),), [(x,)], ()
    with pytest.warns(RuntimeWarning, match="sort.* is not captured.*run without"):
        found, (ys,) = backend.scan(sorting, *arguments)
    assert cuda.log.count("destroy") == 1, "what was made for graphs is given back"
    wanted, (wanted_ys,) = backend.scan(sorting, *arguments, compile=False)
    same((found[0].get(), ys.get()), (wanted[0].get(), wanted_ys.get()))
    assert cuda.log.count("begin") == cuda.log.count("end") == 1


def test_a_launch_that_fails(cuda, monkeypatch):
    monkeypatch.setattr(captured.Graph, "launch", broken)
    with pytest.warns(RuntimeWarning, match="a kernel that does not"):
        found = scanned(backends.get("cupy"), 9, cuda.new(np.ones(3)))
    same(found, expected(9, 1.0))


def test_a_call_that_cannot_be_recorded(cuda):
    def step(xp, state, x, data):
        return (state[0] + x[0].cumsum(),), xp.sum(x[0])

    backend = backends.get("cupy")
    with pytest.warns(RuntimeWarning, match="'cumsum' cannot be recorded"):
        backend.scan(step, (cuda.new(np.ones(3)),), [(cuda.new(np.ones((2, 3))),)], ())
    scanned(backend, 1, cuda.new(np.ones(3)))
    assert "launch" in cuda.log, "others are captured as before"


def test_a_later_capture_that_fails_leaves_the_state(cuda, monkeypatch):
    backend, ones = backends.get("cupy"), np.ones(3)
    first = scanned(backend, 9, backend.asarray(ones))
    monkeypatch.setattr(cuda_graphs.Capturer, "graph", broken)
    with pytest.warns(RuntimeWarning, match="RuntimeError"):
        second = scanned(backend, 9, backend.asarray(2.0 * ones))
    same(first, expected(9, 1.0))
    same(second, expected(9, 2.0))


def test_too_little_memory(cuda):
    cuda.limit = 1 << 20
    with pytest.warns(RuntimeWarning, match="OutOfMemoryError: Out of memory allocating 33,554"):
        losses, _ = fit()
    np.testing.assert_allclose(losses, fit(backend="numpy")[0], rtol=1e-13)


def test_too_little_memory_without_graphs(cuda, monkeypatch):
    monkeypatch.delenv("XPNET_CUDA_GRAPHS")
    cuda.limit = 1000
    told = r"allocating 2,880 bytes\. cuda:0 has 6,000,000 of 8,000,000 bytes free\. .*uint8"
    with pytest.raises(MemoryError, match=told) as caught:
        fit()
    assert type(caught.value) is MemoryError


def test_without_nvmath(cuda, monkeypatch):
    Cuda().install(monkeypatch, without=["nvmath", "nvmath.bindings.cublas"])
    with pytest.warns(RuntimeWarning, match="nvmath.*pip install nvmath-python"):
        fit()


def test_sums_over_ranks_are_not_captured(cuda):
    with pytest.warns(RuntimeWarning, match="sums over ranks"):
        backends.get("cupy").joined(None)


def test_a_step_that_reads_is_an_error(cuda):
    def step(xp, state, x, data):
        return state, x[0] if float(state[0][0]) > 0 else state[0]

    backend = backends.get("cupy")
    with warnings.catch_warnings(), pytest.raises(TapeError, match="read"):
        backend.scan(
            step, (backend.asarray(np.ones(3)),), [(backend.asarray(np.ones((2, 3))),)], ()
        )
