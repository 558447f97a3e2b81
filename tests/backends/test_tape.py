"""A step on a tape against the same step call by call: equal to the last bit."""

from __future__ import annotations

import gc
import re
import warnings
import weakref

import numpy as np
import pytest
import scipy.special
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
    functions,
    parity,
)
from xpnet.backends import numpy as numpy_backend
from xpnet.backends.numpy import NumPy
from xpnet.backends.numpy_calls import NumPyMachine, _copy_result, new_bytes
from xpnet.backends.tape import Arena, Tape, TapeError
from xpnet.backends.trees import leaves, rebuilt
from xpnet.layers import ACTIVATIONS, Layer
from xpnet.penalties import mask
from xpnet.step import Data, Problem, coefficient_table, constant_coefficients, make_step


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Steps are recorded before the first, not only where it pays."""
    monkeypatch.setattr("xpnet.backends.taped._FEW", 0)


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
    monkeypatch.setattr(NumPy, "at_once", large)

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
    monkeypatch.setattr(NumPy, "at_once", large)
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


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ((SGD(), Penalty(), None), 2),
        ((Adam(), Penalty(), None), 4),
        ((Adam(), Penalty(0.1, 0.1), 1.0), 6),
    ],
)
def test_parameters_moments_and_gradient_are_all_that_is_large(options, most, monkeypatch):
    """Clipping needs the whole gradient twice: divided, and its squares."""
    monkeypatch.setattr(NumPyMachine, "block", 1000)
    made = []
    monkeypatch.setattr(numpy_backend, "new_bytes", lambda n: made.append(n) or new_bytes(n))
    network = Network([Dense(100, 100), ReLU(), Dense(100, 100), ReLU(), Dense(100, 2)])
    problem = Problem(network, SoftmaxCrossEntropy(), *options)
    params = np.zeros(network.n_params, dtype=np.float32)
    constants = constant_coefficients(problem)
    data = Data(
        x=np.ones((8, 100), dtype=np.float32),
        t=np.zeros(8, dtype=np.int32),
        weights=None,
        mask=mask(network.layers).astype(np.float32) if problem.penalty else None,
        seed=None,
        constants=None if constants is None else constants.astype(np.float32),
    )
    rows, table = np.zeros((2, 8), dtype=np.int64), coefficient_table(problem, 0, 2, 0)
    state = params, tuple(params for _ in problem.optimizer.state_names)
    parts = [(rows, table.astype(np.float32))]
    backends.get("numpy").scan(make_step(problem), state, parts, data)
    assert sum(n >= params.nbytes for n in made) == most
    a_batch = 8 * 100 * 4
    assert sum(n for n in made if n < params.nbytes) <= 8 * 4000 + 12 * a_batch


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


def test_a_branch_on_data_is_an_error_that_names_the_line(monkeypatch):
    def scale(xp, x):
        return x * 2.0 if xp.max(x) > 3.0 else x

    monkeypatch.undo()  # in the shortest of fits too
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

    block, kernel = 1 << 20, None

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


# What a fresh pair of eyes found.

THIRDS = np.arange(1, 5) / 3


@pytest.mark.parametrize("n", [2, 8, 64, 256, 1024])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_reshape_that_must_copy_does_so_at_each_step(n, dtype):
    def step(xp, state, x, data):
        return state, xp.reshape(xp.exp(x[0]).mT, (-1,))

    x = np.random.RandomState(0).randn(2, n, n).astype(dtype)
    same(*both(step, (np.zeros(1),), [(x,)], ()))


@pytest.mark.parametrize(
    "function",
    [
        lambda xp, x: x[0, 0] * x,
        lambda xp, x: x + x[:0, 0].shape[0] + xp.sum(x[:, :0]),
        lambda xp, x: xp.astype(xp.sum(x > 0.5, axis=-1), x.dtype)[:, None] * x,
        lambda xp, x: xp.astype(xp.sum(x[:, :1] > 0.5, axis=-1, keepdims=True), x.dtype) * x,
        lambda xp, x: x * xp.astype(xp.sum(xp.astype(x * 100, xp.uint8), axis=0), x.dtype),
        lambda xp, x: xp.sum(x, axis=-1, dtype=xp.float64, keepdims=True) * x,
        lambda xp, x: xp.asarray(np.array([0.123456789012])) * x - x * np.array([0.123456789999]),
        lambda xp, x: (
            x * xp.asarray(np.arange(1, 5) / 3) - x * xp.asarray(np.arange(1, 5) / 3 + 1e-9)
        ),
        lambda xp, x: xp.asarray(x) * 2.0,
        lambda xp, x: functions.sigmoid(x),
        lambda xp, x: xp.matmul(x, xp.matmul(xp.tanh(x.mT), x) / 100.0),
        lambda xp, x: xp.where(x > 0.0, xp.exp(x), 0.5),
        lambda xp, x: x if hasattr(x, "mean") and not hasattr(x, "shape") else 2.0 * x,
    ],
)
def test_layers_of_ones_own(function):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(trained(function, compile=True), trained(function, compile=False))


def test_a_foreign_function_is_not_taken_for_its_namesake():
    with pytest.warns(RuntimeWarning, match="log1p, which is not xp's"):
        found = trained(lambda xp, x: scipy.special.log1p(xp.abs(x)), compile=True)
    same(found, trained(lambda xp, x: scipy.special.log1p(xp.abs(x)), compile=False))


def test_a_state_that_changes_its_type_is_told():
    def step(xp, state, x, data):
        return (state[0] * np.float64(0.9),), x[0]

    arguments = (np.ones(2, np.float32),), [(np.ones((3, 1)),)], ()
    with pytest.warns(RuntimeWarning, match="becomes float64"):
        taped = backends.get("numpy").scan(step, *arguments)
    same(taped, backends.get("numpy").scan(step, *arguments, compile=False))


def test_a_refusal_is_told_once_and_at_its_line():
    def forward(xp, x):
        return x.cumsum(axis=-1)

    network = Network([Dense(3, 4), Own(forward), Dense(4, 1)])
    trainer = Trainer(network, "squared_error", random_state=0)
    x = np.random.RandomState(0).randn(10, 3)
    with pytest.warns(RuntimeWarning) as warned:
        trainer.fit(x, x[:, 0], epochs=5, batch_size=4)
    assert [(w.filename, w.lineno) for w in warned] == [(__file__, line_of(forward))]


def test_an_activation_of_ones_own_may_be_noisy():
    seen = []

    class Noisy(ReLU):
        noisy = True

        def forward(self, xp, parameters, x, noise):
            seen.append(noise is not None)
            return super().forward(xp, parameters, x, noise)

    trainer = Trainer(Network([Dense(3, 4), Noisy(), Dense(4, 1)]), "squared_error", random_state=0)
    trainer.fit(np.ones((4, 3)), np.ones(4), epochs=1)
    assert seen == [True]


def test_few_steps_are_run_call_by_call(monkeypatch):
    monkeypatch.undo()
    made = []
    monkeypatch.setattr(numpy_backend, "Tape", lambda *args: made.append(1) or Tape(*args))
    x, t = np.random.RandomState(0).randn(12, 3), np.arange(12.0)

    def fit(epochs, batch_size):
        made.clear()
        trainer = Trainer(Network([Dense(3, 1)]), "squared_error", random_state=0)
        trainer.fit(x, t, epochs=epochs, batch_size=batch_size)
        return len(made)

    assert fit(epochs=1, batch_size=3) == 0
    assert fit(epochs=5, batch_size=3) == 1
    assert fit(epochs=16, batch_size=None) == 1


def test_a_rate_that_is_changed_in_a_fit_counts_from_the_next_epoch():
    class Change(Callback):
        def on_epoch_end(self, fit):
            fit.run.place.problem.optimizer.learning_rate = 0.0

    trainer = Trainer(Network([Dense(3, 1)]), "squared_error", SGD(0.1), random_state=0)
    x = np.random.RandomState(0).randn(12, 3)
    losses = trainer.fit(x, x[:, 0], epochs=4, batch_size=4, callbacks=[Change()]).losses
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[2:], losses[1], rtol=1e-12)


def test_a_concatenation_is_not_written_over_a_state_that_its_parts_read():
    def step(xp, state, x, data):
        (old,) = state
        return (xp.concat([xp.exp(x[0]), old[:3] + old[3:]], axis=-1),), x[0]

    same(*both(step, (np.arange(6.0),), [(np.arange(6.0).reshape(2, 3),)], ()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_of_transposed_arrays_lie_as_numpy_lays_them(dtype):
    """Sums round by how their argument lies."""

    def step(xp, state, x, data):
        return state, xp.mean(xp.exp(x[0].mT), axis=-1)

    x = np.random.RandomState(0).randn(2, 100, 64).astype(dtype)
    same(*both(step, (np.zeros(1),), [(x,)], ()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_lie_as_the_data_they_are_made_of(dtype):
    """Sums round by how their argument lies."""

    def step(xp, state, x, data):
        return state, xp.mean(data[0] * x[0], axis=-1)

    data = np.random.RandomState(0).randn(64, 100).astype(dtype).T
    same(*both(step, (np.zeros(1),), [(np.ones((2, 1), dtype),)], (data,)))


def test_tapes_share_their_buffers():
    made = []
    arena = Arena(lambda n: made.append(n) or new_bytes(n))
    first, second = arena.lease(), arena.lease()
    buffers = [first(64), first(64), first(128)]
    assert buffers[0] is not buffers[1]
    again = [second(64), second(64), second(128)]
    assert all(a is b for a, b in zip(again, buffers, strict=True))
    assert made == [64, 64, 128]


@pytest.mark.parametrize("dtype", ["bool", "int32", "uint8"])
def test_integers_are_added_up_in_a_wider_type(dtype):
    xp = backends.get("numpy").xp
    for shape, axis in (((3, 1), -1), ((3, 2), -2), ((3, 2), -1)):
        x = np.ones(shape, dtype=dtype)
        found, expected = xp.sum(x, axis=axis), np.sum(x, axis=axis)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
