"""Steps of a tape as CUDA graphs: eight steps are one launch, whatever they call.

Experimental: no graph of a whole step has run on CUDA hardware yet, so nothing is captured unless
the environment says ``XPNET_CUDA_GRAPHS=1`` (docs/gpu-results.md). What is launched and who owns
what is tested with a stand-in for CuPy.
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .base import Array, Namespace, Step, Tree
from .cublas import Products
from .cupy_calls import CuPyMachine
from .numpy_calls import namespace
from .tape import Arena, Tape, TapeError, UnsupportedError
from .trees import leaves, rebuilt

__all__ = ["CaptureError", "CapturedTape", "Capturer", "capturing"]

_WARM_UPS = 2
"""Runs before a capture, which compile the kernels."""

_UNROLLED = 8
"""Steps of the larger graph; what is left of an epoch runs from a graph of one step."""


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


class CapturedTape:
    """A tape whose steps are launched as graphs.

    A graph knows its arrays by their addresses. So the rows and coefficients of an epoch are
    copied to where the graphs look for them, each step fetches its own by a counter on the device,
    and stores its result by it. Data are read where they lie; where other data follow, as the
    buffers of a stream do, all but the first are copied to one place.

    Parameters
    ----------
    capturer : Capturer
    tape : Tape
        Whose machine makes instructions that can be captured.
    """

    def __init__(self, capturer: Capturer, tape: Tape) -> None:
        self._capturer, self._tape = capturer, tape
        self._graphs: dict[int, Graph] = {}
        self._seen: list[Array] = []
        self._own: Tree = None
        self._room = 0
        self._xs: list[Array] = []
        self._ys: Array = None
        self._counter: Array = None

    @property
    def state(self) -> Tree:
        """The buffers of the state."""
        return self._tape.state

    def run(self, state: Tree, xs: tuple[Array, ...], data: Tree) -> Array:
        """Run the step for each row of `xs`, and return the results; see `Tape.run`."""
        import cupy

        steps = len(xs[0])
        runs = [(n, k) for n, k in zip((_UNROLLED, 1), divmod(steps, _UNROLLED), strict=True) if k]
        with capturing():
            self._prepare(state, xs, data, [n for n, _ in runs])
            for place, x in zip(self._xs, xs, strict=True):
                cupy.copyto(place[:steps], x)
            self._tape.load(state)
            self._counter.fill(0)
            for n, k in runs:
                for _ in range(k):
                    self._graphs[n].launch()
            return self._ys[:steps].copy()

    def _prepare(self, state: Tree, xs: tuple[Array, ...], data: Tree, lengths: list[int]) -> None:
        """Capture the graphs of these lengths that are missing, or were made for other arrays."""
        with self._capturer.memory():
            if self._tape.bind(self._settled(data)):
                self._graphs = {}
            if len(xs[0]) > self._room:
                self._graphs = {}
                self._make_room(xs)
        missing = [n for n in lengths if n not in self._graphs]
        if missing:
            self._capture(missing, state)

    def _settled(self, data: Tree) -> Tree:
        """Return the data at addresses that stay, whatever comes after it."""
        import cupy

        arrays = leaves(data)
        known = not self._seen or all(a is b for a, b in zip(self._seen, arrays, strict=True))
        if not known and self._own is None:
            self._own = rebuilt(data, [array.copy() for array in arrays])
        elif not known:
            for own, array in zip(leaves(self._own), arrays, strict=True):
                cupy.copyto(own, array)
            self._tape.refresh()
        self._seen = arrays
        return data if self._own is None else self._own

    def _capture(self, lengths: list[int], state: Tree) -> None:
        kept = rebuilt(state, [array.copy() for array in leaves(state)])
        try:
            with self._capturer.stream():
                for _ in range(0 if self._graphs else _WARM_UPS):
                    self._counter.fill(0)
                    self._step()
                for n in lengths:
                    launch = functools.partial(self._steps, n)
                    self._graphs[n] = self._capturer.graph(launch)
        finally:
            self._tape.load(kept)  # the state may be the tape's own, on which warm-ups ran

    def _make_room(self, xs: tuple[Array, ...]) -> None:
        """Make arrays for as many steps as there are."""
        import cupy

        steps, result = len(xs[0]), self._tape.result
        self._xs = [cupy.zeros((steps, *x.shape[1:]), dtype=x.dtype) for x in xs]
        self._ys = cupy.empty((steps, *result.shape), dtype=result.dtype)
        self._counter = cupy.zeros((1,), dtype="int64")
        self._room = steps

    def _steps(self, n: int) -> None:
        for _ in range(n):
            self._step()

    def _step(self) -> None:
        """Launch a step: it fetches its inputs, stores its result, and counts on."""
        import cupy

        tape = self._tape
        for place, x in zip(tape.inputs, self._xs, strict=True):
            cupy.take(x, self._counter, axis=0, out=place[None, ...])
        for function, args in tape.instructions:
            function(*args)
        self._ys[self._counter] = tape.result
        for function, args in tape.last:
            function(*args)
        cupy.add(self._counter, 1, out=self._counter)


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
