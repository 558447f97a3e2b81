"""Where each call of a program writes: few buffers, used again as soon as nobody needs them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import Array, Namespace
from .lifetimes import Lifetimes
from .program import Node, Program

__all__ = ["Arena", "Memory", "Scratch"]


class Arena:
    """Buffers that several tapes share, since one runs at a time and none keeps anything in them.

    Parameters
    ----------
    new : callable
        ``new(n)`` returns a new array of n bytes.
    """

    def __init__(self, new: Callable[[int], Array]) -> None:
        self._new = new
        self._buffers: dict[int, list[Array]] = defaultdict(list)

    def lease(self) -> Callable[[int], Array]:
        """Return ``empty(n)``, which returns each buffer once before it makes new ones."""
        used: dict[int, int] = defaultdict(int)

        def empty(n_bytes: int) -> Array:
            buffers, k = self._buffers[n_bytes], used[n_bytes]
            used[n_bytes] += 1
            if k == len(buffers):
                buffers.append(self._new(n_bytes))
            return buffers[k]

        return empty


class Scratch:
    """A buffer for one block at a time of what is needed nowhere else.

    Attributes
    ----------
    raw : array of bytes
    dtype : numpy.dtype
    """

    def __init__(self, raw: Array, dtype: np.dtype[Any]) -> None:
        self.raw, self.dtype = raw, dtype

    def cut(self, shape: tuple[int, ...]) -> Array:
        """Return the array for a block of that shape."""
        n_bytes = math.prod(shape) * self.dtype.itemsize
        return self.raw[:n_bytes].view(self.dtype).reshape(shape)


class Memory:
    """The buffers of a program.

    A new state is written over the old one where nobody reads that any more, parts of a
    concatenation straight into it, an elementwise result over an argument that ends with it.

    Parameters
    ----------
    program : Program
    runs : list of list of Node
        As `schedule` returns them.
    empty : callable
        ``empty(n)`` returns a new array of n bytes.
    block : int
        Elements of a block; 0 where a run is one kernel.
    xp : Namespace
        Of the buffers.

    Attributes
    ----------
    arrays : dict of Node to array, Scratch or None
        Of all nodes that vary by step; None is a kernel's own.
    written : set of (Node, int)
        Concatenations, and which of their parts are written into them.
    copies : list of (Node, Node)
        New state that is to be copied over the old one when a step has ended: (old, new).
    """

    def __init__(
        self,
        program: Program,
        runs: list[list[Node]],
        empty: Callable[[int], Array],
        block: int,
        xp: Namespace,
    ) -> None:
        self.arrays: dict[Node, Any] = {}
        self._xp = xp
        self._program, self._empty, self._block = program, empty, block
        self._lives = Lifetimes(program, runs)
        self._given = {*program.state, *program.x}
        self._free: dict[int, list[Array]] = defaultdict(list)
        self._raw: dict[Node, Array] = {}
        for node in program.x:
            self._allocate(node)
        for index, run in enumerate(runs):
            self._place(index, run)
        self.written = self._lives.written
        donated = self._lives.donated
        self.copies = [
            (old, new)
            for old, new in zip(program.state, program.outputs, strict=False)
            if new is not old and donated.get(new) is not old
        ]

    def is_state(self, node: Node) -> bool:
        """Return whether a node's numbers lie in the buffers of the state."""
        return self._lives.owner(node) in self._program.state

    def adopt(self, empty: Callable[[int], Array]) -> None:
        """Take buffers for the state; all else keeps its own.

        Parameters
        ----------
        empty : callable
            ``empty(n)`` returns an array of n bytes.
        """
        for node in self._program.state:
            self.arrays[node] = _shaped(empty(_n_bytes(node)), node.layout)
        for new, old in self._lives.donated.items():
            self.arrays[new] = self.arrays[old]
        for node in self._program.nodes:
            if node.is_view and not node.fixed:
                self.arrays[node] = node.look(self.arrays[node.inputs[0]], self._xp)

    def _place(self, index: int, run: list[Node]) -> None:
        """Give each node of a run its array; what ends with the run is free after it."""
        local = self._locals(run)
        scratch: dict[int, list[Array]] = defaultdict(list)
        for node in run:
            if node in local and not self._block:
                self.arrays[node] = None
            elif node in local:
                self._place_scratch(node, local, scratch)
            elif node in self._lives.parts:
                whole, where = self._lives.parts[node]
                if whole not in self.arrays:
                    self._allocate(whole)
                self.arrays[node] = self.arrays[whole][where].reshape(node.shape)
            elif node not in self._lives.donated and node not in self.arrays:
                self._allocate(node, over=self._ending(node, local))
        for owner, end in self._lives.ends.items():
            if end[0] == index and owner in self._raw and owner not in self._given:
                raw = self._raw.pop(owner)
                if not any(raw is other for other in self._raw.values()):
                    self._free[raw.nbytes].append(raw)

    def _place_scratch(self, node: Node, local: set[Node], scratch: dict[int, list[Array]]) -> None:
        """Give a node a buffer of a block, if it may be that of an argument that ends with it."""
        ends, time = self._lives.ends, self._lives.order[node]
        ending = [i for i in dict.fromkeys(node.inputs) if i in local and ends[i] == time]
        over = node.may_write_over_arguments
        self._release(ending if over else [], scratch)
        n_bytes = _lines(self._block * node.dtype.itemsize)
        free = scratch[node.dtype.itemsize]
        self._raw[node] = free.pop() if free else self._take(n_bytes)
        self.arrays[node] = Scratch(self._raw[node], node.dtype)
        self._release([] if over else ending, scratch)

    def _release(self, nodes: list[Node], scratch: dict[int, list[Array]]) -> None:
        """Let the scratch buffers of nodes be used again within the run."""
        for node in nodes:
            scratch[node.dtype.itemsize].append(self.arrays[node].raw)

    def _locals(self, run: list[Node]) -> set[Node]:
        """Return the nodes of a run of blocks that nothing outside of it needs."""
        if len(run) == 1:
            return set()
        seen = {*self._lives.owners.values(), *self._lives.parts, *self._program.outputs}
        readers = self._lives.readers
        return {n for n in run if n not in seen and all(r in run for r in readers[n])}

    def _ending(self, node: Node, local: set[Node]) -> Node | None:
        """Return an argument of a node that the node can be written over."""
        for i in node.inputs:
            if (
                i in self._raw
                and i not in self._given
                and i not in local
                and (i.shape, i.dtype.itemsize) == (node.shape, node.dtype.itemsize)
                and i.layout.strides == node.layout.strides
                and node.may_write_over_arguments
                and self._lives.may_overwrite(node, i)
            ):
                return i
        return None

    def _allocate(self, node: Node, over: Node | None = None) -> None:
        raw = self._take(_n_bytes(node)) if over is None else self._raw[over]
        self._raw[node] = raw
        self.arrays[node] = _shaped(raw, node.layout)

    def _take(self, n_bytes: int) -> Array:
        """Return a buffer of at least so many bytes."""
        return self._free[n_bytes].pop() if self._free[n_bytes] else self._empty(n_bytes)


def _n_bytes(node: Node) -> int:
    """Return the bytes of a node's buffer: whole lines of the cache."""
    return _lines(node.size * node.dtype.itemsize)


def _lines(n_bytes: int) -> int:
    return max(64, -(-n_bytes // 64) * 64)


def _shaped(raw: Array, layout: np.ndarray) -> Array:
    """Return an array over bytes that lies as the layout does."""
    axes = sorted(range(layout.ndim), key=lambda k: -layout.strides[k])
    flat = raw[: layout.size * layout.itemsize].view(layout.dtype)
    return flat.reshape([layout.shape[k] for k in axes]).transpose(np.argsort(axes).tolist())
