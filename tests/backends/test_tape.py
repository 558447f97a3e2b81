"""A step on a tape against the same step call by call: equal to the last bit."""

from __future__ import annotations

import gc
import re
import warnings
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import Case, cases, stacked

from xpnet import (
    SGD,
    Adam,
    Callback,
    Dense,
    Dropout,
    Network,
    Penalty,
    ReLU,
    SoftmaxCrossEntropy,
    Trainer,
    backends,
    parity,
)
from xpnet.backends import numpy as numpy_backend
from xpnet.backends.numpy_calls import NumPyMachine, _copy_result, new_bytes
from xpnet.backends.tape import Tape, TapeError, leaves, rebuilt
from xpnet.layers import ACTIVATIONS, Layer
from xpnet.penalties import mask
from xpnet.step import Data, Problem, coefficient_table, constant_coefficients, make_step


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Steps are recorded before the first, not only where it pays."""
    monkeypatch.setattr(numpy_backend, "_FEW", 0)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of few elements, so that small arrays are cut."""
    monkeypatch.setattr(NumPyMachine, "block", 7)


def same(found, expected):
    """Equal bits, types and shapes, in a tree."""
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    elif expected is not None:
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(found, expected)
        if found.dtype.kind == "f":  # 0.0 is not -0.0; the sign of NaN is anybody's
            signs = (np.where(np.isnan(a), 0, np.signbit(a)) for a in (found, expected))
            np.testing.assert_array_equal(*signs)


def both(step, state, parts, data):
    """Run taped and call by call; return both results."""
    backend = backends.get("numpy")

    def solid(xp, state, x, data):
        """The step, given state whose rows lie one after the other, as training's always do."""
        if isinstance(state[0], np.ndarray):  # products round by how their arguments lie
            state = rebuilt(state, [np.asarray(a, order="C") for a in leaves(state)])
        return step(xp, state, x, data)

    with backend.session("float64"), warnings.catch_warnings():
        warnings.simplefilter("error")
        return [backend.scan(solid, state, parts, data, compile=c) for c in (True, False)]


# Any program.

SHAPES = [(4, 6), (6,), (6, 4), (), (2, 4, 6), (4, 1), (24,)]
UNARY = ["exp", "negative", "abs", "tanh", "square", "sqrt"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "divide"]
SEVERAL = ["matmul", "concat", "take", "where", "greater", "full_like", "scalar"]
VIEWS = ["mT", "reshape", "slice", "row", "axis", "flat"]
REDUCE = ["sum", "max", "all", "mean"]


def broadcast(a, b):
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


def apply(xp, name, values, draw):
    """Return one more value, made of some of those before; None where it does not fit."""
    a = draw(values)
    if name in UNARY:
        return getattr(xp, name)(a)
    if name in BINARY:
        fitting = [v for v in values if broadcast(a.shape, v.shape) is not None]
        return getattr(xp, name)(a, draw(fitting))
    if name in REDUCE:
        if a.ndim == 0:
            return None
        axis = draw([-1, -2] if a.ndim > 1 else [-1])
        keep = draw([False, True])
        if name == "all":
            return xp.astype(xp.all(a > 0, axis=axis, keepdims=keep), a.dtype)
        return getattr(xp, name)(a, axis=axis, keepdims=keep)
    if name == "matmul":
        a = a.mT if a.ndim > 1 and draw([False, True]) else a
        fitting = [v for v in values if v.ndim > 1 and a.ndim > 1 and a.shape[-1] == v.shape[-2]]
        fitting = [v for v in fitting if broadcast(a.shape[:-2], v.shape[:-2]) is not None]
        turned = [v.mT for v in values if a.ndim > 1 and v.shape == a.shape]
        return xp.matmul(a, draw(fitting + turned)) if fitting + turned else None
    if name == "concat":
        parts = [draw(values) for _ in range(draw([2, 3]))]
        return xp.concat([xp.reshape(part, (-1,)) for part in parts], axis=-1)
    if name == "take":
        return None if a.ndim == 0 else xp.take(a, xp.asarray([0, 0]), axis=draw([0, -1]))
    if name == "where":
        return xp.where(a > 0.0, a, xp.zeros_like(a))
    if name == "greater":
        return xp.astype(a > 0.25, a.dtype)
    if name == "full_like":
        return a + xp.full_like(a, 0.5)
    if name == "scalar":
        return draw([lambda: 1.0 / (2 + a * a), lambda: -a, lambda: 0.5 * a - 1, lambda: abs(a)])()
    if name == "mT":
        return a.mT if a.ndim > 1 else None
    if name == "reshape":
        size = int(np.prod(a.shape))
        fitting = [s for s in SHAPES if np.prod(s) == size]
        return xp.reshape(a, draw(fitting)) if fitting else None
    if name == "flat":
        return xp.reshape(a, (-1,))
    if name == "slice":
        return a[..., 1:] if a.ndim and a.shape[-1] > 1 else None
    if name == "row":
        return a[0, ...] if a.ndim else None
    return a[..., None]


def build(choices):
    """Return a step that is made of drawn calls, the same each time."""

    def step(xp, state, x, data):
        order = iter(choices)

        def draw(options):
            return options[next(order) % len(options)]

        values = [*state, *x, *data]
        for _ in range(12):
            name = draw(UNARY + BINARY + SEVERAL + VIEWS + REDUCE)
            value = apply(xp, name, values, draw)
            if value is not None and value.size < 300:
                values.append(value)
        new = []
        for old in state:
            fitting = [v for v in values if v.shape == old.shape and v.dtype == old.dtype]
            new.append(draw(fitting[-4:]))
        return tuple(new), draw(values[-3:])

    return step


@settings(max_examples=400)
@given(
    choices=st.integers(0, 2**32 - 1),
    shapes=st.lists(st.sampled_from(SHAPES), min_size=5, max_size=5),
    dtype=st.sampled_from(["float32", "float64"]),
    block=st.sampled_from([1, 5, 7, 24, 1 << 14]),
)
def test_any_program(choices, shapes, dtype, block):
    rng = np.random.RandomState(0)
    arrays = [np.asarray(rng.randn(*shape), dtype=dtype) for shape in shapes]
    x = np.asarray(rng.randn(3, *shapes[3]), dtype=dtype)
    before = [a.copy() for a in arrays]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NumPyMachine, "block", block)
        taped, plain = both(
            build(np.random.RandomState(choices).randint(10**6, size=120)),
            tuple(arrays[:3]),
            [(x,), (x[:1],)],
            (arrays[4],),
        )
    same(taped, plain)
    same(arrays, before)


# Training steps.


@stacked
@cases
@pytest.mark.parametrize("record", ["before", "after", "objective"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_training_step(kind, models, record, dtype, small_blocks):
    def bring(array):
        return np.asarray(array, dtype if array.dtype == np.float64 else array.dtype)

    case = Case(kind, models)
    step = make_step(case.problem, record=record)
    taped, plain = both(step, *case.arguments(bring))
    same(taped, plain)


def outcome(case, *, compile):
    """Train a case of the parity suite on NumPy; return all that it leaves."""
    x, t, weights = case.data()
    trainer = case.trainer("numpy", compile=compile)
    history = trainer.fit(
        x,
        t,
        iterations=30,
        sampling=case.sampling,
        sample_weight=weights,
        validation_data=(x, t),
        step_losses="before",
    )
    curves = [history.losses, history.step_losses, history.val_losses, history.val_scores]
    return [*map(np.array, curves), trainer.state_.params, *trainer.state_.optimizer_state]


@pytest.mark.parametrize("block", [16, NumPyMachine.block])
@pytest.mark.parametrize("case", parity.covering(), ids=str)
def test_a_whole_run(case, block, monkeypatch):
    monkeypatch.setattr(NumPyMachine, "block", block)
    same(outcome(case, compile=True), outcome(case, compile=False))


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), block=st.sampled_from([3, 16, 100, 1 << 14]))
def test_any_network(seed, block):
    """Any depth, widths, activations, dropout, and any of the parity suite's other factors."""
    rng = np.random.RandomState(seed)

    def one_of(options):
        return options[rng.randint(len(options))]

    layers, n_in = [], 5
    for _ in range(rng.randint(4)):
        n_out = int(rng.randint(1, 9))
        layers += [
            Dense(n_in, n_out, bias=one_of([True, False])),
            one_of([*ACTIVATIONS.values()])(),
        ]
        layers += one_of([[], [], [Dropout(0.3)]])
        n_in = n_out
    network = Network([*layers, Dense(n_in, 3)])
    models = one_of([None, 1, 3])
    values = {name: one_of(values) for name, values in parity.FACTORS.items()}
    drawn = parity.Case(**values | {"models": models or 1})
    template = drawn.trainer("numpy")
    x, t, weights = rng.randn(23, 5), drawn.data()[1][:23], drawn.data()[2]

    def run(compile):
        trainer = Trainer(
            network,
            template.problem.loss,
            template.problem.optimizer,
            penalty=template.problem.penalty,
            max_norm=template.problem.max_norm,
            dtype=drawn.dtype,
            random_state=[*range(models)] if models else 0,
            compile=compile,
        )
        weight = None if weights is None else weights[:23]
        trainer.fit(x, t, epochs=2, batch_size=int(seed % 24 + 1), sample_weight=weight)
        return [np.array(trainer.history_.losses), trainer.state_.params]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NumPyMachine, "block", block)
        same(run(True), run(False))


def test_images_are_cast_and_scaled_batch_by_batch():
    pixels = np.random.RandomState(0).randint(256, size=(50, 9), dtype=np.uint8)
    found = []
    for compile in (True, False):
        network = Network([Dense(9, 4), ReLU(), Dense(4, 2)])
        trainer = Trainer(network, SoftmaxCrossEntropy(), random_state=0, compile=compile)
        trainer.fit(pixels, np.arange(50) % 2, epochs=3, batch_size=16)
        found.append([trainer.state_.params])
    same(*found)


# What a tape does with buffers.


def test_state_may_be_swapped_kept_or_replaced():
    def step(xp, state, x, data):
        a, b, kept, _ = state
        return (b, a + x[0], kept, data[0]), a

    arrays = tuple(np.arange(3.0) + k for k in range(4))
    same(*both(step, arrays, [(np.arange(12.0).reshape(4, 3),)], (np.full(3, 7.0),)))


def test_a_result_may_be_a_state_that_is_overwritten():
    def step(xp, state, x, data):
        return (state[0] * 2.0, state[1] + state[0]), state[0]

    same(*both(step, (np.ones(3), np.ones(3)), [(np.ones((4, 1)),)], ()))


@pytest.mark.parametrize("large", [0, 1 << 40])
def test_what_is_handed_out_stays_as_it_is(large, monkeypatch):
    monkeypatch.setattr(numpy_backend, "_LARGE", large)

    def step(xp, state, x, data):
        return (state[0] + x[0],), xp.sum(state[0])

    backend = backends.get("numpy")
    first, _ = backend.scan(step, (np.zeros(3),), [(np.ones((2, 3)),)], ())
    kept = first[0].copy()
    second, _ = backend.scan(step, first, [(np.ones((2, 3)),)], ())
    np.testing.assert_array_equal(first[0], kept)
    np.testing.assert_array_equal(second[0], kept + 2.0)
    assert not np.shares_memory(first[0], second[0])


@pytest.mark.parametrize("large", [0, 1 << 40])
def test_the_state_before_an_epoch_survives_one_that_diverges(large, monkeypatch):
    monkeypatch.setattr(numpy_backend, "_LARGE", large)
    states = []

    class Keep(Callback):
        def on_epoch_end(self, fit):
            states.append((fit.state.params, fit.state.params.copy()))
            fit.learning_rate = 10.0 ** len(states)

    trainer = Trainer(Network([Dense(3, 2)]), "squared_error", SGD(0.1), random_state=0)
    x = np.random.RandomState(0).randn(10, 3)
    with pytest.raises(FloatingPointError):
        trainer.fit(x, 100.0 * x[:, :2], epochs=200, batch_size=4, callbacks=[Keep()])
    assert len(states) > 3
    for held, copied in states:
        np.testing.assert_array_equal(held, copied)
    np.testing.assert_array_equal(trainer.state_.params, states[-1][1])


def test_other_data_of_the_same_shape_is_other_data():
    def step(xp, state, x, data):
        return state, xp.sum(xp.exp(data[0]) * x[0])

    backend, x = backends.get("numpy"), np.ones((2, 3))
    for value in (0.0, 1.0):
        _, (ys,) = backend.scan(step, (np.zeros(1),), [(x,)], (np.full(3, value),))
        np.testing.assert_allclose(ys, 3 * np.exp(value))


def adam_step(n, batch):
    network = Network([Dense(n, n), ReLU(), Dense(n, n), ReLU(), Dense(n, 2)])
    problem = Problem(network, SoftmaxCrossEntropy(), Adam(), Penalty(l1=0.1, l2=0.1), 1.0)
    params = np.zeros(network.n_params, dtype=np.float32)
    floats = np.float32
    data = Data(
        np.ones((batch, n), dtype=floats),
        np.zeros(batch, dtype=np.int32),
        None,
        mask(network.layers).astype(floats),
        None,
        constant_coefficients(problem).astype(floats),
    )
    xs = np.zeros((2, batch), dtype=np.int64), coefficient_table(problem, 0, 2, 0).astype(floats)
    return make_step(problem), (params, (params, params)), [xs], data


def test_adam_takes_four_times_the_parameters_and_little_else(monkeypatch):
    made = []
    monkeypatch.setattr(numpy_backend, "new_bytes", lambda n: made.append(n) or new_bytes(n))
    step, state, parts, data = adam_step(200, 8)
    backends.get("numpy").scan(step, state, parts, data)
    parameters, a_batch = state[0].nbytes, 8 * 200 * 4
    # Clipping and penalty are there too, each of which would make arrays of its own.
    assert sum(made) <= 5 * parameters + 12 * a_batch + 12 * 4 * NumPyMachine.block


def test_nothing_is_computed_twice_or_in_vain():
    calls = []

    class Watched(NumPyMachine):
        def instruction(self, name, args, options, out):
            calls.append(name)
            return super().instruction(name, args, options, out)

    def step(xp, state, x, data):
        xp.exp(state[0] * 3.0)  # nobody needs it
        fixed = xp.log(data[0]) * 2.0
        twice = xp.exp(state[0]) + xp.exp(state[0])
        return (twice * fixed + xp.arange(3, dtype=x[0].dtype),), x[0]

    backend = backends.get("numpy")
    backend._machine = Watched(backend.xp)
    backend.scan(step, (np.zeros(3),), [(np.ones((2, 3)),)], (np.ones(3),))
    assert calls == ["exp", "add", "multiply", "add"]


def test_nothing_of_a_fit_stays_in_memory():
    """No cycle of references that holds buffers until the garbage is collected."""
    kept = []

    class Keep(Callback):
        def on_epoch_end(self, fit):
            backend = fit.run.place.backend
            kept.append(weakref.ref(backend))
            kept.extend(weakref.ref(tape) for tape in backend._tapes.values())

    gc.collect()
    gc.disable()
    try:
        trainer = Trainer(Network([Dense(3, 2)]), "squared_error", backend="numpy", random_state=0)
        trainer.fit(np.ones((10, 3)), np.ones((10, 2)), epochs=2, batch_size=4, callbacks=[Keep()])
        assert len(kept) == 6
        assert [ref() for ref in kept] == [None] * 6
    finally:
        gc.enable()


# What cannot be taped.


def line_of(function):
    """The number of the second line of a function's body."""
    return function.__code__.co_firstlineno + 1


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (float, "read"),
        (bool, "read"),
        (int, "read"),
        (np.asarray, "read"),
        (lambda a: a.item(), "read"),
        (lambda a: 1.0 in a, "read"),
        (lambda a: a.__setitem__(0, 1.0), "changed"),
        (lambda a: a.__iadd__(1.0), "changed"),
    ],
)
def test_a_step_that_reads_or_writes_is_told_the_line(use, what):
    def step(xp, state, x, data):
        use(state[0])
        return state, x[0]

    with pytest.raises(TapeError) as told:
        backends.get("numpy").scan(step, (np.ones(1),), [(np.ones((2, 1)),)], ())
    assert what in str(told.value)
    assert "compile=False" in str(told.value)
    where = use.__code__ if hasattr(use, "__code__") else step.__code__
    number = where.co_firstlineno + (where is step.__code__)
    assert f"test_tape.py:{number}: " in str(told.value)


class Own(Layer):
    """A layer made of one function of (xp, x)."""

    def __init__(self, function):
        self.function = function

    def forward(self, xp, parameters, x, noise):
        return self.function(xp, x), x

    def input_gradient(self, xp, parameters, cache, gradient):
        return gradient * 0.5


def trained(function, compile):
    network = Network([Dense(3, 4), Own(function), Dense(4, 1)])
    trainer = Trainer(network, "squared_error", random_state=0, compile=compile)
    x = np.random.RandomState(0).randn(10, 3)
    trainer.fit(x, x[:, 0], epochs=2, batch_size=4)
    return [trainer.state_.params]


def test_a_branch_on_data_is_an_error_that_names_the_line():
    def scale(xp, x):
        return x * 2.0 if xp.max(x) > 3.0 else x

    with pytest.raises(TapeError, match=r"if xp.max\(x\) > 3.0 else x") as told:
        trained(scale, compile=True)
    assert f"test_tape.py:{line_of(scale)}" in str(told.value)
    trained(scale, compile=False)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda xp, x: x.cumsum(axis=-1), "'cumsum'"),
        (lambda xp, x: np.cumsum(x, axis=-1), "numpy.cumsum"),
        (lambda xp, x: x[:, np.array([1, 0, 2, 3])], "xp.take"),
        (lambda xp, x: np.add.accumulate(x, axis=-1), "numpy.add"),
        (lambda xp, x: xp.unique_inverse(x).inverse_indices * 1.0 + x, "xp.unique_inverse"),
    ],
)
def test_what_cannot_be_recorded_is_named_and_runs_call_by_call(function, told):
    with pytest.warns(RuntimeWarning, match=re.escape(told)) as warned:
        found = trained(function, compile=True)
    assert "test_tape.py" in str(warned[0].message)
    same(found, trained(function, compile=False))


@pytest.mark.parametrize(
    "function",
    [
        lambda xp, x: xp.cumulative_sum(x, axis=-1),
        lambda xp, x: xp.sort(x, axis=-1),
        lambda xp, x: xp.clip(x, -0.5, 0.5),
        lambda xp, x: xp.round(x * 4.0),
        lambda xp, x: xp.roll(x, 1, axis=-1),
        lambda xp, x: np.tanh(x) + np.float64(0.5) * x,
        lambda xp, x: x + xp.mean(x, axis=0) - xp.std(x, axis=0),
        lambda xp, x: xp.stack(list(x), axis=0),
    ],
)
def test_calls_without_a_form_of_their_own_are_made_as_they_are(function):
    same(trained(function, compile=True), trained(function, compile=False))


# Another library's replay.


class StandIn:
    """A machine that runs no instruction before all are handed over, as a device graph does."""

    block = 1 << 20

    def __init__(self):
        self.xp = backends.get("numpy").xp
        self._lower = NumPyMachine(self.xp).instruction
        self.products, self.made, self.outs = 0, 0, []

    def empty(self, n_bytes):
        self.made += 1
        return new_bytes(n_bytes)

    def copy(self, out, value):
        np.copyto(out, value)

    def instruction(self, name, args, options, out):
        assert isinstance(out, np.ndarray), "every operation has an output buffer"
        self.outs.append(out)
        if name == "matmul":
            return self._product, (*args, out)
        function, arguments = self._lower(name, args, options, out)
        assert function is not _copy_result, f"{name} has no form that writes into a buffer"
        return function, arguments

    def _product(self, a, b, out):
        self.products += 1
        np.matmul(a, b, out=out)


@pytest.mark.parametrize("kind", ["softmax", "binary", "lion"])
def test_another_machine_may_replay_a_tape(kind):
    case, machine = Case(kind, None), StandIn()
    step = make_step(case.problem)
    carry, (xs,), data = case.arguments(np.asarray)
    model, first = backends.get("numpy").xp, tuple(x[0] for x in xs)
    tape = Tape(machine, model, machine.empty, machine.empty, step, carry, first, data)
    expected = case.expected()
    same(tape.run(carry, xs, data), expected[1])
    same(tape.state, expected[0])
    made = machine.made
    same(tape.run(carry, xs, data), expected[1])
    assert machine.made == made, "nothing is allocated by a replay"
    assert machine.products == 2 * len(xs[0]) * 5
