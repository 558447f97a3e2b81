"""CUDA graphs: how launches are captured, and who owns what they need.

Experimental: no graph of a whole step has run on CUDA hardware yet, so nothing is captured unless
the environment says ``XPNET_CUDA_GRAPHS=1`` (docs/gpu-results.md). What is launched and who owns
what is tested with a stand-in for CuPy.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .base import Array, Namespace, Step, Tree
from .cublas import Products
from .cupy_calls import CuPyMachine
from .numpy_calls import namespace
from .tape import Arena, Tape, TapeError, UnsupportedError

__all__ = ["CaptureError", "Capturer", "Graph", "capturing"]


class CaptureError(RuntimeError):
    """A step could not be captured; the message says why."""


@contextlib.contextmanager
def capturing() -> Iterator[None]:
    """Raise whatever a library finds wrong with a capture as CaptureError."""
    try:
        yield
    except (TapeError, UnsupportedError):  # the step is none that can be recorded
        raise
    except Exception as error:  # of CuPy, of cuBLAS, of a compiler, of memory
        raise CaptureError(f"{type(error).__name__}: {error}") from error


class Capturer:
    """All that outlives a capture: a stream, a memory pool, and cuBLAS's handle and workspace.

    The pool is of the graphs alone, so that whoever frees another one's blocks, or finds it
    exhausted, leaves them what they were captured with. A graph holds what was allocated while it
    was captured, or the pool could give it to somebody else.

    Parameters
    ----------
    xp : Namespace
    device : cupy.cuda.Device
    """

    def __init__(self, xp: Namespace, device: Any) -> None:
        import cupy

        self._device = device
        with device:
            self._stream = cupy.cuda.Stream(non_blocking=True)
            self._pool = cupy.cuda.MemoryPool()
        with self.memory():
            self._machine = CuPyMachine(xp, Products(self._stream))
        self._arenas = Arena(_bytes), Arena(_bytes)

    def record(self, step: Step, state: Tree, x: tuple[Array, ...], data: Tree) -> Tape:
        """Return the tape of a step, in the pool's memory."""
        with self.memory():
            empty, empty_state = (arena.lease() for arena in self._arenas)
            return Tape(self._machine, namespace(), empty, empty_state, step, state, x, data)

    @contextlib.contextmanager
    def memory(self) -> Iterator[None]:
        """Let arrays be allocated in the graphs' pool."""
        import cupy

        with self._device, cupy.cuda.using_allocator(self._pool.malloc):
            yield

    @contextlib.contextmanager
    def stream(self) -> Iterator[None]:
        """Let what is launched run on the capturing stream, after all that came before."""
        import cupy

        with self.memory():
            cupy.cuda.get_current_stream().synchronize()
            with self._stream:
                try:
                    yield
                finally:
                    self._stream.synchronize()

    def graph(self, launch: Callable[[], None]) -> Graph:
        """Return what ``launch()`` launches as a graph, within `stream`; nothing of it runs."""
        import cupy

        held: list[Any] = []

        def malloc(n_bytes: int) -> Any:
            held.append(self._pool.malloc(n_bytes))
            return held[-1]

        with _without_garbage_collection(), cupy.cuda.using_allocator(malloc):
            self._stream.begin_capture()
            try:
                launch()
            except BaseException:
                with contextlib.suppress(Exception):  # a capture that failed ends with an error
                    self._stream.end_capture()
                raise
            return Graph(self._stream.end_capture(), held)


class Graph(NamedTuple):
    """A graph, and the temporary memory that it uses."""

    graph: Any
    held: list[Any]

    def launch(self) -> None:
        """Run it on the current stream."""
        self.graph.launch()


def _bytes(n: int) -> Array:
    import cupy

    return cupy.empty(n, dtype="uint8")


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Let nothing be collected: to free device memory would end a capture."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
