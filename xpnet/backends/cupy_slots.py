"""Slots on a CUDA device: a stream of its own copies while another one computes.

Ran on one GPU (docs/gpu-results.md); the order of the calls is tested with a stand-in for CuPy.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from .base import Array, Backend, imported
from .slots import Layouts, Slot

__all__ = ["CuPySlot"]


class CuPySlot(Slot):
    """Pinned host memory, and device arrays that are copied to without anybody waiting.

    Two slots are enough for one block to come over while the steps of another run.

    Parameters
    ----------
    backend : CuPy
    layouts : sequence of (shape, str)
    stream : cupy.cuda.Stream
        The one that copies; a non-blocking one, or it would wait for the steps.
    """

    def __init__(self, backend: Backend, layouts: Layouts, stream: Any) -> None:
        import cupy

        empty_pinned = imported("cupyx").empty_pinned
        self._backend, self._stream = backend, stream
        with backend.device:
            self.host = tuple(empty_pinned(shape, np.dtype(d)) for shape, d in layouts)
            self._arrays = tuple(cupy.empty(shape, np.dtype(d)) for shape, d in layouts)
            self._copied = cupy.cuda.Event(disable_timing=True)
            self._used = cupy.cuda.Event(disable_timing=True)
            # Steps of before, still to run, may read the memory that the pool gave again.
            self._used.record(cupy.cuda.get_current_stream())
        # A copy under way ends before the pools give its memory to somebody else.
        weakref.finalize(self, self._copied.synchronize)

    def wait(self) -> None:
        self._copied.synchronize()

    def bring(self) -> tuple[Array, ...]:
        with self._backend.device:  # the current one is the thread's
            self._stream.wait_event(self._used)
            for array, host in zip(self._arrays, self.host, strict=True):
                array.set(host, stream=self._stream)
            self._copied.record(self._stream)
        return tuple(array.view() for array in self._arrays)

    def ready(self) -> None:
        import cupy

        with self._backend.device:
            cupy.cuda.get_current_stream().wait_event(self._copied)

    def used(self) -> None:
        import cupy

        with self._backend.device:
            self._used.record(cupy.cuda.get_current_stream())
