"""The rules as CuPy kernels, as far as that needs no device: they are traced, but not run."""

from __future__ import annotations

import re
from collections import OrderedDict

import array_api_compat.numpy as compat
import numpy as np
import pytest
from steps import Case, cases, stacked

from xpnet import optimizers
from xpnet.backends import Namespace, cupy_calls, cupy_fusion, numpy_calls
from xpnet.backends.cupy_fusion import CuPyNamespace, Fused
from xpnet.backends.tape import Tape
from xpnet.backends.trees import leaves
from xpnet.layers import ACTIVATIONS
from xpnet.parity import FACTORS
from xpnet.parity.cases import _OPTIMIZERS
from xpnet.step import make_step

cupy = pytest.importorskip("cupy")
kernel_of, nowhere = (
    getattr(pytest.importorskip("cupy_tracer"), n) for n in ("kernel_of", "nowhere")
)
RULES = [
    (name, variant, form(rate))
    for name, (forms, rate) in _OPTIMIZERS.items()
    for variant, form in enumerate(forms)
]


def traced(function, *args):
    """Return the types that CuPy's kernel of a function takes, and those that it returns."""
    import array_api_compat.cupy as of_cupy

    fused, arrays = Fused(function, args), leaves(args)
    fused._xp = CuPyNamespace(of_cupy)
    types = [p.dtype for p in kernel_of(fused.flat, arrays).params if p.name != "_ind"]
    return types[: len(arrays)], types[len(arrays) :]


@pytest.mark.parametrize("models", [None, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "variant", "optimizer"), RULES)
def test_an_optimizers_rule_is_one_kernel(name, variant, optimizer, dtype, models):
    shape, number = ((7,), ()) if models is None else ((models, 7), (models, 1))
    param, grad, *state = (nowhere(shape, dtype) for _ in range(2 + len(optimizer.state_names)))
    ones = np.ones((1, 1, 1))
    c = {name: nowhere(number, dtype) for name in optimizer.coefficients(ones, ones)}
    _, out = traced(optimizer.rule, param, grad, tuple(state), c)
    assert out == [np.dtype(dtype)] * (1 + len(state))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "identity"])
def test_an_activation_and_its_gradient_are_a_kernel_each(name, dtype):
    layer, x = ACTIVATIONS[name](), nowhere((5, 4), dtype)
    _, out = traced(layer.forward, (), x, None)
    kept = 2 if name == "silu" else 1
    assert out == [np.dtype(dtype)] * kept, "what is kept for the way back is written once"
    cache = (x, x) if name == "silu" else x
    assert traced(layer.input_gradient, (), cache, x)[1] == [np.dtype(dtype)]


def test_every_rule_of_the_library_is_traced():
    assert {type(optimizer) for _, _, optimizer in RULES} == set(optimizers.OPTIMIZERS.values())
    assert set(_OPTIMIZERS) == set(FACTORS["optimizer"])


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "identity"])
def test_what_a_kernel_returns_is_put_back_in_its_place(name, monkeypatch):
    """NumPy's arrays, and a kernel that is the function itself."""
    monkeypatch.setattr(cupy, "fuse", lambda kernel_name: lambda function: function)
    monkeypatch.setattr(cupy_fusion, "_kernels", OrderedDict())
    xp, layer = CuPyNamespace(compat), ACTIVATIONS[name]()
    for x in (np.linspace(-1.0, 1.0, 7), np.linspace(0.5, 2.0, 7)):
        y, cache = xp.fused(layer.forward, (), x, None)
        expected, kept = layer.forward(xp, (), x, None)
        np.testing.assert_array_equal(y, expected)
        for found, wanted in zip(leaves((cache,)), leaves((kept,)), strict=True):
            np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(
            xp.fused(layer.input_gradient, (), cache, x), layer.input_gradient(xp, (), kept, x)
        )
    assert len(cupy_fusion._kernels) == 2


def test_a_rules_state_is_put_back_in_its_place(monkeypatch):
    monkeypatch.setattr(cupy, "fuse", lambda kernel_name: lambda function: function)
    xp, rule = CuPyNamespace(compat), optimizers.Adam().rule
    ones = np.ones((1, 1, 1))
    c = {name: np.asarray(0.5) for name in optimizers.Adam().coefficients(ones, ones)}
    param, grad, state = np.ones(3), np.arange(3.0), (np.zeros(3), np.ones(3))
    found, expected = xp.fused(rule, param, grad, state, c), rule(xp, param, grad, state, c)
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


def test_functions_of_ones_own_are_called_as_they_are():
    xp = CuPyNamespace(compat)
    assert xp.fused(lambda xp, x: x.sum(), np.ones(3)) == 3.0


class _NoProducts:
    def instruction(self, a, b, out):
        return None, (a, b, out)


@stacked
@cases
def test_calls_that_follow_each_other_are_one_kernel(kind, models, monkeypatch):
    """Of a whole step that is to be captured, traced by CuPy, on arrays that lie nowhere."""
    import array_api_compat.cupy as of_cupy

    def like(value, **options):
        return value if isinstance(value, cupy.ndarray) else nowhere(*shape_and_type(value))

    def shape_and_type(value):
        return np.asarray(value).shape, np.asarray(value).dtype

    def called(name):
        def call(*args, device=None, **options):
            known = (np.ones(a.shape, a.dtype) if isinstance(a, cupy.ndarray) else a for a in args)
            return like(getattr(model, name)(*known, **options))

        return call

    monkeypatch.setattr(cupy, "fuse", lambda kernel_name: lambda function: function)
    cupy_calls._fused.cache_clear()
    names = ("arange", "empty", "full", "ones", "zeros")
    model = numpy_calls.namespace()
    xp = Namespace(of_cupy, asarray=like, **{name: called(name) for name in names})
    machine, case = cupy_calls.CuPyMachine(xp, _NoProducts()), Case(kind, models)
    carry, (xs,), data = case.arguments(like)
    first, empties = tuple(x[0] for x in xs), [lambda n: nowhere((n,), np.uint8)] * 2
    step = make_step(case.problem)
    tape = Tape(machine, model, *empties, step, carry, first, data)
    for name in {*tape._program.calls} - {"getitem", "given", "mT"}:
        tape._program.calls[name] = called(name)  # what CuPy would compute before the first step
    tape.bind(data)
    kernels = [
        (f, args) for f, args in tape.instructions if getattr(f, "func", None) is cupy_calls._run
    ]
    assert len(kernels) > 10
    for function, args in kernels:
        kernel = kernel_of(function, args)
        assert not re.search(r"cupy_(add|multiply)\((int|long long) &", kernel.preamble), "wraps"
        written = [p for p in kernel.params if not p.is_const]
        assert 1 <= len([p for p in written if p.name != "_ind"]) <= 4
    cupy_calls._fused.cache_clear()
