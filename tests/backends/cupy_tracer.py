"""CuPy's tracer, without a device: what kernel it makes of a function."""

from __future__ import annotations

import sys

import cupy
import pytest
from cupy._core import _fusion_thread_local, fusion


def nowhere(shape, dtype):
    """A CuPy array whose numbers lie nowhere."""
    memory = cupy.cuda.UnownedMemory(1 << 40, 1 << 20, None, 0)
    return cupy.ndarray(shape, dtype, memptr=cupy.cuda.MemoryPointer(memory, 0))


def kernel_of(function, arrays):
    """Return the kernel that CuPy makes of a function, as `cupy.fuse` would."""
    history = fusion._FusionHistory()
    state = _fusion_thread_local.thread_local
    fusion._thread_local.history, state.is_old_fusing = history, True
    try:
        with pytest.MonkeyPatch.context() as patch:  # where a stand-in is installed
            patch.setitem(sys.modules, "cupy", cupy)
            return history.get_fusion(function, tuple(arrays), "rule")[0]
    finally:
        fusion._thread_local.history, state.is_old_fusing = None, False
