"""Where each call of a program writes: few buffers, used again as soon as nobody needs them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import Array
from .program import Node, Program
from .schedule import may_write_over_arguments

__all__ = ["Arena", "Memory", "Scratch"]

_Time = tuple[float, float]
_NEVER: _Time = (-1, 0)
_END: _Time = (math.inf, 0)


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
        Elements of a block.

    Attributes
    ----------
    arrays : dict of Node to array or Scratch
        Of all nodes that vary by step.
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
    ) -> None:
        self.arrays: dict[Node, Any] = {}
        self.written: set[tuple[Node, int]] = set()
        self._program, self._runs, self._empty, self._block = program, runs, empty, block
        self._free: dict[int, list[Array]] = defaultdict(list)
        self._raw: dict[Node, Array] = {}
        self._given = {*program.state, *program.x}
        self._order: dict[Node, _Time] = {
            node: (i, k) for i, run in enumerate(runs) for k, node in enumerate(run)
        }
        self._owners = self._find_owners()
        self._parts = self._find_parts()
        self._ends, self._readers = self._find_ends()
        for node in program.x:
            self._allocate(node)
        self._donated = self._donate()
        for index, run in enumerate(runs):
            self._place(index, run)
        self.copies = [
            (old, new)
            for old, new in zip(program.state, program.outputs, strict=False)
            if new is not old and self._donated.get(new) is not old
        ]

    def adopt(self, empty: Callable[[int], Array]) -> None:
        """Take buffers for the state; all else keeps its own.

        Parameters
        ----------
        empty : callable
            ``empty(n)`` returns an array of n bytes.
        """
        for node in self._program.state:
            self.arrays[node] = _shaped(empty(_n_bytes(node)), node.layout)
        for new, old in self._donated.items():
            self.arrays[new] = self.arrays[old]
        for node in self._program.nodes:
            if node.is_view and not node.fixed:
                self.arrays[node] = node.look(self.arrays[node.inputs[0]])

    # What is known before anything is placed.

    def _find_owners(self) -> dict[Node, Node]:
        """Return for each view whose numbers it looks at."""
        owners: dict[Node, Node] = {}
        for node in self._program.nodes:
            if node.is_view:
                owners[node] = owners.get(node.inputs[0], node.inputs[0])
        return owners

    def _find_parts(self) -> dict[Node, tuple[Node, Any]]:
        """Return in which part of which concatenation nodes can be written."""
        parts: dict[Node, tuple[Node, Any]] = {}
        for node in self._program.nodes:
            if node.name != "concat" or node.fixed:
                continue
            for k, (part, where) in enumerate(concatenated(node)):
                owner = self._owners.get(part, part)
                computed = owner in self._order and owner.name != "concat"
                if computed and owner not in parts and self._fits(part, owner, node, where):
                    parts[owner] = node, where
                    self.written.add((node, k))
        return parts

    def _fits(self, part: Node, owner: Node, node: Node, where: Any) -> bool:
        """Return whether the owner of a part, and all that look at it, can lie there."""
        place = node.layout[where]
        if owner.dtype != node.dtype or owner.size != part.size:
            return False
        try:
            layouts = {owner: np.reshape(place, owner.shape, copy=False)}
            for view, seen in self._owners.items():
                if seen is owner:
                    layouts[view] = view.look(layouts[view.inputs[0]])
        except ValueError:  # it would have to be copied
            return False
        return layouts[part].strides == place.strides

    def owner(self, node: Node) -> Node:
        """Return the node whose buffer a node's numbers lie in."""
        owner = self._owners.get(node, node)
        return self._parts[owner][0] if owner in self._parts else owner

    def _find_ends(self) -> tuple[dict[Node, _Time], dict[Node, list[Node]]]:
        """Return when each buffer is needed for the last time, and who reads each node."""
        ends: dict[Node, _Time] = {}
        readers: dict[Node, list[Node]] = defaultdict(list)
        for node, time in self._order.items():
            for i in node.inputs:
                readers[i].append(node)
                ends[self.owner(i)] = max(ends.get(self.owner(i), _NEVER), time)
            ends[self.owner(node)] = max(ends.get(self.owner(node), _NEVER), time)
        for node in self._program.outputs:
            ends[self.owner(node)] = _END
        return ends, readers

    def _may_overwrite(self, node: Node, old: Node) -> bool:
        """Return whether a node can be written where an older one is."""
        end, time = self._ends.get(old, _NEVER), self._order[node]
        if end > time:
            return False
        if end[0] < time[0]:
            return True
        # The same call, or a block of calls, reads it: that must go element by element.
        return may_write_over_arguments(node, self._program) and all(
            i is old for n in self._runs[int(time[0])] for i in n.inputs if self.owner(i) is old
        )

    def _donate(self) -> dict[Node, Node]:
        """Return which new state is written over which old one."""
        donated: dict[Node, Node] = {}
        for old, new in zip(self._program.state, self._program.outputs, strict=False):
            if (
                new in self._order
                and new not in donated
                and new not in self._parts
                and new.name != "concat"  # its parts are written earlier
                and self._may_overwrite(new, old)
            ):
                donated[new] = old
        return donated

    # Placing.

    def _place(self, index: int, run: list[Node]) -> None:
        """Give each node of a run its array; what ends with the run is free after it."""
        local = self._locals(run)
        scratch: dict[int, list[Array]] = defaultdict(list)
        for node in run:
            if node in local:
                ending = [
                    i
                    for i in dict.fromkeys(node.inputs)
                    if i in local and self._ends[i] == self._order[node]
                ]
                over = may_write_over_arguments(node, self._program)
                self._release(ending if over else [], scratch)
                free = scratch[node.dtype.itemsize]
                raw = free.pop() if free else self._take(_lines(self._block * node.dtype.itemsize))
                self.arrays[node] = Scratch(raw, node.dtype)
                self._raw[node] = raw
                self._release([] if over else ending, scratch)
            elif node in self._donated:
                continue
            elif node in self._parts:
                whole, where = self._parts[node]
                if whole not in self.arrays:
                    self._allocate(whole)
                self.arrays[node] = self.arrays[whole][where].reshape(node.shape)
            elif node not in self.arrays:
                self._allocate(node, over=self._ending(node, local))
        for owner, end in self._ends.items():
            if end[0] == index and owner in self._raw and owner not in self._given:
                raw = self._raw.pop(owner)
                if not any(raw is other for other in self._raw.values()):
                    self._free[raw.nbytes].append(raw)

    def _release(self, nodes: list[Node], scratch: dict[int, list[Array]]) -> None:
        """Let the scratch buffers of nodes be used again within the run."""
        for node in nodes:
            scratch[node.dtype.itemsize].append(self.arrays[node].raw)

    def _locals(self, run: list[Node]) -> set[Node]:
        """Return the nodes of a run of blocks that nothing outside of it needs."""
        if len(run) == 1:
            return set()
        seen = {*self._owners.values(), *self._parts, *self._program.outputs}
        return {n for n in run if n not in seen and all(r in run for r in self._readers[n])}

    def _ending(self, node: Node, local: set[Node]) -> Node | None:
        """Return an argument of a node that the node can be written over."""
        for i in node.inputs:
            if (
                i in self._raw
                and i not in self._given
                and i not in local
                and (i.shape, i.dtype.itemsize) == (node.shape, node.dtype.itemsize)
                and i.layout.strides == node.layout.strides
                and may_write_over_arguments(node, self._program)
                and self._may_overwrite(node, i)
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


def concatenated(node: Node) -> list[tuple[Node, Any]]:
    """Return the parts of a concatenation and where in it they go."""
    axis, start, parts = node.options.get("axis", 0), 0, []
    for part in node.args[0]:
        where = [slice(None)] * len(node.shape)
        where[axis] = slice(start, start + part.shape[axis])
        start += part.shape[axis]
        parts.append((part, tuple(where)))
    return parts
