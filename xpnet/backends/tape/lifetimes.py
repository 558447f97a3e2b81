"""How long the numbers of a program's nodes are needed, and what may be written over what."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from .program import Node, Program

__all__ = ["Lifetimes", "concatenated"]

_Time = tuple[float, float]
_NEVER: _Time = (-1, 0)
_END: _Time = (math.inf, 0)


class Lifetimes:
    """What is known of a program's buffers before there are any.

    Parameters
    ----------
    program : Program
    runs : list of list of Node
        As `schedule` returns them.

    Attributes
    ----------
    order : dict of Node to (int, int)
        When each is computed: run, and place in it.
    owners : dict of Node to Node
        Views, and whose numbers they look at.
    parts : dict of Node to (Node, index)
        What is written into a concatenation, and where.
    written : set of (Node, int)
        Those concatenations, and which of their parts.
    ends : dict of Node to (int, int)
        When each buffer is needed for the last time.
    readers : dict of Node to list of Node
    donated : dict of Node to Node
        New state, and the old one that it is written over.
    """

    def __init__(self, program: Program, runs: list[list[Node]]) -> None:
        self._program, self._runs = program, runs
        self.order: dict[Node, _Time] = {
            node: (i, k) for i, run in enumerate(runs) for k, node in enumerate(run)
        }
        self.owners = self._find_owners()
        self.written: set[tuple[Node, int]] = set()
        self.parts = self._find_parts()
        self.ends, self.readers = self._find_ends()
        self.donated = self._find_donated()

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
                owner = self.owners.get(part, part)
                computed = owner in self.order and owner.name != "concat"
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
            for view, seen in self.owners.items():
                if seen is owner:
                    layouts[view] = view.look(layouts[view.inputs[0]])
        except ValueError:  # it would have to be copied
            return False
        return layouts[part].strides == place.strides

    def owner(self, node: Node) -> Node:
        """Return the node whose buffer a node's numbers lie in."""
        owner = self.owners.get(node, node)
        return self.parts[owner][0] if owner in self.parts else owner

    def _find_ends(self) -> tuple[dict[Node, _Time], dict[Node, list[Node]]]:
        """Return when each buffer is needed for the last time, and who reads each node."""
        ends: dict[Node, _Time] = {}
        readers: dict[Node, list[Node]] = defaultdict(list)
        for node, time in self.order.items():
            for i in node.inputs:
                readers[i].append(node)
                ends[self.owner(i)] = max(ends.get(self.owner(i), _NEVER), time)
            ends[self.owner(node)] = max(ends.get(self.owner(node), _NEVER), time)
        for node in self._program.outputs:
            ends[self.owner(node)] = _END
        return ends, readers

    def may_overwrite(self, node: Node, old: Node) -> bool:
        """Return whether a node can be written where an older one is."""
        end, time = self.ends.get(old, _NEVER), self.order[node]
        if end > time:
            return False
        if end[0] < time[0]:
            return True
        # The same call, or a block of calls, reads it: that must go element by element.
        return node.may_write_over_arguments and all(
            i is old for n in self._runs[int(time[0])] for i in n.inputs if self.owner(i) is old
        )

    def _find_donated(self) -> dict[Node, Node]:
        """Return which new state is written over which old one."""
        donated: dict[Node, Node] = {}
        for old, new in zip(self._program.state, self._program.outputs, strict=False):
            if (
                new in self.order
                and new not in donated
                and new not in self.parts
                and new.name != "concat"  # its parts are written earlier
                and self.may_overwrite(new, old)
            ):
                donated[new] = old
        return donated


def concatenated(node: Node) -> list[tuple[Node, Any]]:
    """Return the parts of a concatenation and where in it they go."""
    axis, start, parts = node.options.get("axis", 0), 0, []
    for part in node.args[0]:
        where = [slice(None)] * len(node.shape)
        where[axis] = slice(start, start + part.shape[axis])
        start += part.shape[axis]
        parts.append((part, tuple(where)))
    return parts
