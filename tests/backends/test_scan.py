"""The verb that runs an epoch, and the proof that a training step reads nothing back."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from steps import CLASSES, FEATURES, STEPS, Case, cases, stacked

from xpnet import (
    SGD,
    Adam,
    Cosine,
    Dense,
    Dropout,
    LeakyReLU,
    Network,
    Penalty,
    Plateau,
    ReLU,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    Trainer,
    backends,
)
from xpnet.step import Problem, make_step


def walk(xp, state, x, data):
    """A step with a nested state, two inputs, and None among the data."""
    (total, (last,)), (a, b), (offset, nothing) = state, x, data
    assert nothing is None
    total = total * 0.5 + a * b + offset
    return (total, (last + a,)), total + last


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("steps", [1, 7])
def test_scan_equals_a_loop(backend, dtype, lies_on, steps, compile):
    rng = np.random.RandomState(0)
    a, b, offset, start = (rng.randn(*s).astype(dtype) for s in ((steps, 2), (steps,), (2,), (2,)))
    state, ys = (start, (np.zeros(2, dtype=dtype),)), []
    for i in range(steps):
        state, y = walk(np, state, (a[i], b[i]), (offset, None))
        ys.append(y)
    with backend.session(dtype):
        bring = backend.asarray
        found, found_ys = backend.scan(
            walk,
            (bring(start), (bring(np.zeros(2, dtype=dtype)),)),
            [(bring(a), bring(b))],
            (bring(offset), None),
            compile=compile,
        )
        (found_ys,) = found_ys
        rtol = 1e-14 if dtype == "float64" else 1e-6
        for array, expected in [(found[0], state[0]), (found[1][0], state[1][0]), (found_ys, ys)]:
            np.testing.assert_allclose(lies_on(backend, array, dtype), expected, rtol=rtol)


def test_jax_traces_a_step_once_for_all_epochs_and_fits():
    pytest.importorskip("jax")
    traced = []

    class Counted(ReLU):
        def forward(self, xp, parameters, x, noise):
            traced.append(tuple(x.shape))
            return super().forward(xp, parameters, x, noise)

    network = Network([Dense(FEATURES, 4), Counted(), Dense(4, 1)])
    x, t = np.ones((10, FEATURES)), np.ones(10)
    trainer = Trainer(network, "squared_error", Adam(), backend="jax", random_state=0)
    trainer.fit(x, t, epochs=1, batch_size=4)
    steps = set(traced)
    assert steps == {(4, 4), (2, 4)}, "one trace for full batches, one for the smaller last one"
    times = len(traced)
    trainer.fit(x, t, epochs=5, batch_size=4)
    trainer.fit(x + 1.0, t, epochs=2, batch_size=4, state=trainer.state_)
    assert len(traced) == times
    trainer.fit(x.astype(np.float32), t, epochs=2, batch_size=4)
    assert len(traced) == 2 * times, "another type is another program"


def test_jax_compiles_once_for_all_runs_that_differ_in_numbers(monkeypatch):
    pytest.importorskip("jax")
    traced, forward = [], ReLU.forward

    def noted(self, xp, parameters, x, noise):
        traced.append(tuple(x.shape))
        return forward(self, xp, parameters, x, noise)

    monkeypatch.setattr(ReLU, "forward", noted)
    x, t = np.ones((11, FEATURES)), np.ones(11)

    def fit(optimizer, **options):
        network = Network([Dense(FEATURES, 4), ReLU(), Dense(4, 1)])
        trainer = Trainer(network, "squared_error", optimizer, backend="jax", **options)
        trainer.fit(x, t, epochs=2, batch_size=4)
        return len(traced)

    times = fit(Adam(0.1), penalty=Penalty(l2=0.1), max_norm=1.0, random_state=0)
    for rate in (0.01, Cosine(0.1, total=5, unit="step"), Plateau(0.1, patience=1)):
        again = fit(Adam(rate), penalty=Penalty(l2=0.2), max_norm=2.0, random_state=1)
        assert again == times
    assert fit(Adam(0.1, beta1=0.8), penalty=Penalty(l2=0.1), max_norm=1.0) == times
    assert fit(Adam(0.1, amsgrad=True), penalty=Penalty(l2=0.1), max_norm=1.0) > times


def step_of(activation=ReLU(), optimizer=SGD(0.1), record="before", penalty=Penalty):  # noqa: B008
    network = Network([Dense(2, 3), activation, Dense(3, 1)])
    penalty = penalty if isinstance(penalty, Penalty) else penalty()
    return make_step(Problem(network, SquaredError(), optimizer, penalty), record=record)


def test_steps_are_shared_where_they_do_the_same():
    assert step_of() is step_of(optimizer=SGD(0.2))
    assert step_of() is step_of(optimizer=SGD(Cosine(0.2, total=5)))
    assert step_of(penalty=Penalty(l2=0.1)) is step_of(penalty=Penalty(l2=0.2))
    stacked = SGD(0.1, momentum=np.array([[0.9], [0.8]]))
    assert step_of(optimizer=SGD(0.1, momentum=0.7)) is step_of(optimizer=stacked)
    others = [
        step_of(),
        step_of(Tanh()),
        step_of(LeakyReLU(0.1)),
        step_of(LeakyReLU(0.2)),
        step_of(penalty=Penalty(l1=0.1)),
        step_of(penalty=Penalty(l2=0.1)),
        step_of(penalty=Penalty(l2=0.1, division="none")),
        step_of(record="objective"),
        step_of(optimizer=SGD(0.1, momentum=0.9)),
        step_of(optimizer=SGD(0.1, momentum=0.9, nesterov=True)),
        step_of(optimizer=Adam()),
    ]
    assert len(set(others)) == len(others)


class OwnLayer(ReLU):
    pass


class OwnOptimizer(SGD):
    pass


class OwnPenalty(Penalty):
    pass


@pytest.mark.parametrize(
    "own", [{"activation": OwnLayer()}, {"optimizer": OwnOptimizer()}, {"penalty": OwnPenalty()}]
)
def test_steps_with_components_of_ones_own_are_not_shared(own):
    """Nobody knows what their methods read."""
    assert step_of(**own) is not step_of(**own)


def test_what_is_changed_later_changes_no_other_step():
    x, t = np.random.RandomState(0).randn(20, 3), np.arange(20) % 2

    def losses(optimizer):
        trainer = Trainer(Network([Dense(3, 1)]), "binary_cross_entropy", optimizer, random_state=0)
        return trainer.fit(x, t, epochs=3, batch_size=4).losses

    optimizer = SGD(0.1, momentum=0.55)
    first = losses(optimizer)
    optimizer.nesterov = True
    assert losses(optimizer) != first
    assert losses(SGD(0.1, momentum=0.55)) == first


class Sealed:
    """A NumPy array that can be computed with, but not read, branched on or written to."""

    def __init__(self, array):
        self._array = array

    shape = property(lambda self: self._array.shape)
    ndim = property(lambda self: self._array.ndim)
    dtype = property(lambda self: self._array.dtype)
    mT = property(lambda self: Sealed(self._array.mT))

    def __getitem__(self, key):
        for part in key if isinstance(key, tuple) else (key,):
            assert part is None or part is ... or isinstance(part, int | slice), f"index {part!r}"
        return Sealed(self._array[key])


def _operator(name):
    def apply(self, *others):
        assert not any(isinstance(o, np.ndarray | np.generic) for o in others), "from the host"
        return Sealed(getattr(self._array, name)(*map(unseal, others)))

    return apply


def _refused(name):
    def refuse(self, *args, **kwargs):
        raise AssertionError(f"{name} reads or writes an array")

    return refuse


BINARY = "add sub mul truediv floordiv mod pow and or xor lshift rshift matmul"
COMPARISONS = "neg pos abs invert lt le gt ge eq ne"
READS = "float int bool complex index array iter len contains setitem dlpack"

for _name in BINARY.split():
    setattr(Sealed, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(Sealed, f"__r{_name}__", _operator(f"__r{_name}__"))
    setattr(Sealed, f"__i{_name}__", _refused(f"__i{_name}__"))
for _name in COMPARISONS.split():
    setattr(Sealed, f"__{_name}__", _operator(f"__{_name}__"))
for _name in READS.split():
    setattr(Sealed, f"__{_name}__", _refused(f"__{_name}__"))
for _name in ("item", "tolist", "tobytes", "__array_ufunc__", "__array_function__"):
    setattr(Sealed, _name, _refused(_name))
Sealed.__hash__ = None


def unseal(value):
    if isinstance(value, list | tuple):
        return type(value)(map(unseal, value))
    return value._array if isinstance(value, Sealed) else value


def seal(value):
    return Sealed(value) if isinstance(value, np.ndarray | np.generic) else value


class SealedNamespace:
    """NumPy's namespace over sealed arrays."""

    def __init__(self, xp):
        self._xp = xp

    def __getattr__(self, name):
        function = getattr(self._xp, name)
        if isinstance(function, type) or not callable(function):
            return function

        def call(*args, **kwargs):
            assert "out" not in kwargs, f"{name} writes an array"
            args, kwargs = unseal(args), {k: unseal(v) for k, v in kwargs.items()}
            return seal(function(*args, **kwargs))

        return call


@stacked
@cases
@pytest.mark.parametrize("record", ["before", "after", "objective"])
def test_a_step_neither_reads_nor_writes_an_array(kind, models, record):
    case = Case(kind, models)
    xp = SealedNamespace(backends.get("numpy").xp)
    step = make_step(case.problem, record=record)
    carry, (xs,), data = case.arguments(Sealed)
    losses = []
    for i in range(STEPS):
        carry, loss = step(xp, carry, tuple(x[i, ...] for x in xs), data)
        losses.append(unseal(loss))
    (params, state), expected = case.expected(record)
    np.testing.assert_array_equal(unseal(carry[0]), params)
    np.testing.assert_array_equal(case.expected()[0][0], params)
    for found, wanted in zip(carry[1], state, strict=True):
        np.testing.assert_array_equal(unseal(found), wanted)
    np.testing.assert_array_equal(losses, expected)


@pytest.mark.parametrize(
    "read",
    [
        float,
        bool,
        int,
        np.asarray,
        list,
        lambda a: a.item(),
        lambda a: np.add(a, a),
        lambda a: a.__iadd__(a),
        lambda a: a.__setitem__(0, 1.0),
        lambda a: a[a],
    ],
)
def test_the_seal_holds(read):
    with pytest.raises((AssertionError, TypeError)):
        read(Sealed(np.ones(1)))


@stacked
@cases
def test_a_step_can_be_traced_by_jax(kind, models):
    """A tracer has no value: whatever reads one raises."""
    jax = pytest.importorskip("jax")
    case = Case(kind, models)
    backend = backends.get("jax")
    with backend.session("float64"):
        step = functools.partial(make_step(case.problem), backend.xp)
        carry, (xs,), data = case.arguments(backend.asarray)
        first = tuple(x[0] for x in xs)
        outputs = jax.make_jaxpr(step)(carry, first, data).out_avals
        arrays = (carry[0], *carry[1])
        assert [(o.shape, o.dtype) for o in outputs[:-1]] == [(a.shape, a.dtype) for a in arrays]
        assert outputs[-1].shape == case.lead


@stacked
@cases
def test_a_step_needs_no_shape_that_depends_on_data(kind, models):
    strict = pytest.importorskip("array_api_strict")
    case = Case(kind, models)
    backend = backends.get("array_api_strict", "device1")
    with strict.ArrayAPIStrictFlags(boolean_indexing=False, data_dependent_shapes=False):
        carry, (losses,) = backend.scan(make_step(case.problem), *case.arguments(backend.asarray))
    expected = case.expected()
    for array, wanted in ((carry[0], expected[0][0]), (losses, expected[1])):
        np.testing.assert_allclose(backend.to_host(array), wanted, rtol=1e-13)


@pytest.mark.parametrize("models", [None, 3])
def test_an_epoch_reads_the_same_few_arrays_however_many_steps_it_has(backend, models, monkeypatch):
    cls, log = type(backend), []
    to_host, scan = cls.to_host, cls.scan

    def counted(self, array):
        log.append("read")
        return to_host(self, array)

    def marked(self, *args, **options):
        log.append("scan begins")
        result = scan(self, *args, **options)
        log.append("scan ends")
        return result

    monkeypatch.setattr(cls, "to_host", counted)
    monkeypatch.setattr(cls, "scan", marked)
    network = Network([Dense(FEATURES, 4), ReLU(), Dropout(0.2), Dense(4, CLASSES)])
    x = np.random.RandomState(0).randn(33, FEATURES).astype(np.float32)
    t = np.arange(33) % CLASSES

    trainer = Trainer(
        network,
        SoftmaxCrossEntropy(),
        Adam(),
        penalty=Penalty(l2=0.1),
        max_norm=1.0,
        backend=backend.name,
        device=backend.device_name,
        random_state=0 if models is None else list(range(models)),
    )

    def reads(batch_size, epochs):
        log.clear()
        trainer.fit(x, t, epochs=epochs, batch_size=batch_size, validation_data=(x, t))
        joined = " ".join(log)
        assert "scan begins" in joined
        assert "scan begins read" not in joined
        return log.count("read")

    few, many = (reads(16, 2) - reads(16, 1), reads(2, 2) - reads(2, 1))
    assert few == many
    assert few <= 6
