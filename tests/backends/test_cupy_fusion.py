"""The rules as CuPy kernels, as far as that needs no device: they are traced, but not run."""

from __future__ import annotations

import numpy as np
import pytest

from xpnet import optimizers
from xpnet.backends.cupy_fusion import CuPyNamespace, Fused, _form
from xpnet.layers import ACTIVATIONS
from xpnet.parity import FACTORS
from xpnet.parity.cases import _OPTIMIZERS

cupy = pytest.importorskip("cupy")
RULES = [
    (name, variant, form(rate))
    for name, (forms, rate) in _OPTIMIZERS.items()
    for variant, form in enumerate(forms)
]


def array(shape, dtype):
    """An array whose numbers lie nowhere."""
    memory = cupy.cuda.UnownedMemory(1 << 40, 1 << 20, None, 0)
    return cupy.ndarray(shape, dtype, memptr=cupy.cuda.MemoryPointer(memory, 0))


def traced(function, *args):
    """Return the kernel that CuPy's tracer makes of a function, as `cupy.fuse` would."""
    import array_api_compat.cupy as compat
    from cupy._core import _fusion_thread_local, fusion

    arrays = []
    fused = Fused(function, _form(args, arrays))
    fused._xp = CuPyNamespace(compat)
    history = fusion._FusionHistory()
    state = _fusion_thread_local.thread_local
    fusion._thread_local.history, state.is_old_fusing = history, True
    try:
        kernel, _ = history.get_fusion(fused.flat, tuple(arrays), "rule")
    finally:
        fusion._thread_local.history, state.is_old_fusing = None, False
    types = [p.dtype for p in kernel.params if p.name != "_ind"]
    return types[: len(arrays)], types[len(arrays) :]


@pytest.mark.parametrize("models", [None, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "variant", "optimizer"), RULES)
def test_an_optimizers_rule_is_one_kernel(name, variant, optimizer, dtype, models):
    shape, number = ((7,), ()) if models is None else ((models, 7), (models, 1))
    param, grad, *state = (array(shape, dtype) for _ in range(2 + len(optimizer.state_names)))
    ones = np.ones((1, 1, 1))
    c = {name: array(number, dtype) for name in optimizer.coefficients(ones, ones)}
    _, out = traced(optimizer.rule, param, grad, tuple(state), c)
    assert out == [np.dtype(dtype)] * (1 + len(state))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "identity"])
def test_an_activation_and_its_gradient_are_a_kernel_each(name, dtype):
    layer, x = ACTIVATIONS[name](), array((5, 4), dtype)
    _, out = traced(layer.forward, (), x, None)
    kept = 2 if name == "silu" else 1
    assert out == [np.dtype(dtype)] * kept, "what is kept for the way back is written once"
    cache = (x, x) if name == "silu" else x
    assert traced(layer.input_gradient, (), cache, x)[1] == [np.dtype(dtype)]


def test_every_rule_of_the_library_is_traced():
    assert {type(optimizer) for _, _, optimizer in RULES} == set(optimizers.OPTIMIZERS.values())
    assert set(_OPTIMIZERS) == set(FACTORS["optimizer"])
