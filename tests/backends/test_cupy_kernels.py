"""Whole runs whose kernels are CuPy's own, on the processor: all of a graph but the GPU."""

from __future__ import annotations

import functools
import shutil

import pytest
from captured import Cuda

from xpnet import parity
from xpnet.backends import cupy_calls

cupy_tracer = pytest.importorskip("cupy_tracer")
host = pytest.importorskip("kernels_on_host")
if shutil.which("g++") is None:
    pytest.skip("g++ is missing", allow_module_level=True)


@pytest.mark.parametrize("case", parity.covering()[::7], ids=str)
def test_kernels_as_cupy_traces_them_give_numpys_losses(case, monkeypatch, tmp_path):
    import array_api_compat.cupy as of_cupy

    def trace(ops, arrays):
        return cupy_tracer.kernel_of(functools.partial(cupy_calls._run, of_cupy, ops), arrays)

    kernels = host.HostKernels(tmp_path, trace)
    monkeypatch.setenv("XPNET_CUDA_GRAPHS", "1")
    monkeypatch.setattr("xpnet.backends.taped._FEW", 0)
    cuda = Cuda().install(monkeypatch)

    def fused(ops):
        return functools.partial(cuda.launch, functools.partial(kernels.run, ops))

    monkeypatch.setattr(cupy_calls, "_fused", fused)
    found = parity.attempt(case, parity.Target("cupy", None))
    assert found.failure is None
    assert len(kernels.made) > 3
