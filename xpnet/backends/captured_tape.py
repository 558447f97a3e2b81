"""Steps of a tape as CUDA graphs: eight steps are one launch, whatever they call."""

from __future__ import annotations

import functools

from .base import Array, Tree
from .cuda_graphs import Capturer, Graph, capturing
from .tape import Tape
from .trees import leaves, rebuilt

__all__ = ["CapturedTape"]

_WARM_UPS = 2
"""Runs before a capture, which compile the kernels."""

_UNROLLED = 8
"""Steps of the larger graph; what is left of an epoch runs from a graph of one step."""


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
