"""A step recorded once and replayed over buffers that stay.

The replay is a loop of ``f(*args)``: all views are resolved, all results have a place, and what
is the same at every step was computed before the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ..base import Array, Namespace, Step, Tree
from ..trees import leaves, rebuilt
from .lifetimes import concatenated
from .memory import Memory, Scratch
from .program import Node
from .recorder import record
from .schedule import schedule

__all__ = ["Instruction", "Machine", "Tape"]

Instruction = tuple[Callable[..., Any], tuple[Any, ...]]


class Machine(Protocol):
    """What a tape needs of a library.

    Attributes
    ----------
    xp : Namespace
    block : int
        Elements that large elementwise calls are cut into; 0 where a run of them is one kernel.
    """

    xp: Namespace
    block: int

    @property
    def kernel(self) -> Callable[[list[Node], Callable[[Node], Any]], Instruction] | None:
        """``kernel(run, array)`` returns what runs elementwise calls as one; None: no such thing.

        `array` tells a node's array, and None of a result that nobody else needs.
        """

    def instruction(
        self, name: str, args: tuple[Any, ...], options: dict[str, Any], out: Array
    ) -> Instruction:
        """Return what writes the result of a call into `out`."""

    def copy(self, out: Array, value: Array) -> None:
        """Copy an array into another one."""


class Tape:
    """A step over buffers.

    Parameters
    ----------
    machine : Machine
    model : Namespace
        NumPy's, which tells shapes and types.
    empty, empty_state : callable
        ``empty(n)`` returns a buffer of n bytes, see `Arena`; that for the state another one.
    step : Step
    state, x, data : trees
        Arguments of the shapes and types that the tape is for.

    Attributes
    ----------
    state : tree
        The buffers of the state.
    inputs : list of arrays
        Buffers for the row of each of `xs`.
    instructions : list of (callable, arguments)
        One step, once its inputs are there.
    result : array
        What it returns, until the next one begins.
    last : list of (callable, arguments)
        What ends a step, when its result has been read.
    """

    def __init__(
        self,
        machine: Machine,
        model: Namespace,
        empty: Callable[[int], Array],
        empty_state: Callable[[int], Array],
        step: Step,
        state: Tree,
        x: Tree,
        data: Tree,
    ) -> None:
        self._machine = machine
        self._program = record(step, state, x, data, xp=machine.xp, model=model)
        self._form = rebuilt(state, itertools.repeat(0))
        self._runs = schedule(self._program, machine.block)
        self._memory = Memory(self._program, self._runs, empty, machine.block, machine.xp)
        self.inputs = [self._memory.arrays[node] for node in self._program.x]
        self._data: list[Array] = []
        self._fixed: dict[Node, Array] = {}
        self.instructions: list[Instruction] = []
        self.last: list[Instruction] = []
        self.result: Array = None
        self.renew(empty_state)

    def renew(self, empty: Callable[[int], Array]) -> None:
        """Take other buffers for the state: somebody else owns those of before."""
        self._memory.adopt(empty)
        arrays = self._memory.arrays
        self.state = rebuilt(self._form, (arrays[node] for node in self._program.state))
        self.instructions = []

    def run(self, state: Tree, xs: tuple[Array, ...], data: Tree) -> Array:
        """Run the step for each row of `xs`, and return the results.

        The last state is `self.state`: the tape's own buffers, which the next run overwrites.
        """
        self.bind(data)
        self.load(state)
        copy, result = self._machine.copy, self.result
        ys = self._machine.xp.empty((len(xs[0]), *result.shape), dtype=result.dtype)
        inputs, instructions, last = self.inputs, self.instructions, self.last
        for k, rows in enumerate(zip(*xs, strict=True)):
            for buffer, row in zip(inputs, rows, strict=True):
                copy(buffer, row)
            for function, args in instructions:
                function(*args)
            ys[k] = result
            for function, args in last:
                function(*args)
        return ys

    def load(self, state: Tree) -> None:
        """Bring a state into the tape's buffers."""
        for buffer, value in zip(leaves(self.state), leaves(state), strict=True):
            if buffer is not value:
                self._machine.copy(buffer, value)

    def bind(self, tree: Tree) -> bool:
        """Make the instructions, once for the same data; return whether they are new."""
        data = leaves(tree)
        if self.instructions and all(a is b for a, b in zip(self._data, data, strict=True)):
            return False
        self.instructions = []  # until they are made, there are none
        self._fixed = dict(zip(self._program.data, data, strict=True))
        for node in self._program.nodes:
            if node.value is not None:
                self._fixed[node] = node.value
            elif node.fixed and node.name != "given":
                self._fixed[node] = self._computed(node)
        self.instructions = [i for run in self._runs for i in self._lowered(run)]
        self.last = list(self._copies())
        self.result = self._array(self._program.outputs[-1])
        self._data = data
        return True

    def refresh(self) -> None:
        """Compute anew, where it lies, what depends on the data alone: they hold other numbers."""
        for node in self._program.nodes:
            computed = node.fixed and node.value is None and node.name != "given"
            if computed and not node.is_view:
                self._machine.copy(self._fixed[node], self._computed(node))

    def _computed(self, node: Node) -> Array:
        """Return the result of a call that is the same at every step."""
        args, options = self._arguments(node, self._array)
        return self._machine.xp.asarray(self._program.calls[node.name](*args, **options))

    def _array(self, node: Node) -> Any:
        return self._fixed[node] if node.fixed else self._memory.arrays[node]

    def _arguments(
        self, node: Node, array: Callable[[Node], Array]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return a call's arguments, with arrays in place of nodes."""
        options = {name: _filled(option, array) for name, option in node.options.items()}
        return _filled(node.args, array), options

    def _lowered(self, run: list[Node]) -> Iterator[Instruction]:
        """Yield the instructions of a run: one kernel, or block after block."""
        kernel = self._machine.kernel
        if kernel is not None and run[0].elementwise:
            yield kernel(run, self._array)
            return
        if len(run) == 1:
            yield from self._call(run[0], self._array)
            return
        for block in _blocks(run[0].shape, self._machine.block):

            def cut(node: Node, block: tuple[slice, ...] = block) -> Array:
                array = self._array(node)
                if isinstance(array, Scratch):
                    return array.cut(tuple(s.stop - s.start for s in block))
                return _cut(array, block)

            for node in run:
                yield from self._call(node, cut)

    def _call(self, node: Node, array: Callable[[Node], Array]) -> Iterator[Instruction]:
        """Yield what computes a node."""
        out = array(node)
        if node.name == "concat":
            for k, (part, where) in enumerate(concatenated(node)):
                if (node, k) not in self._memory.written:
                    yield self._machine.copy, (out[where], array(part))
            return
        args, options = self._arguments(node, array)
        yield self._machine.instruction(node.name, args, options, out)

    def _copies(self) -> Iterator[Instruction]:
        """Yield what copies new state over old: by a detour where the new state is old one too."""
        copy, late = self._machine.copy, []
        for old, new in self._memory.copies:
            value, target = self._array(new), self._array(old)
            if self._memory.is_state(new):
                detour = self._machine.xp.empty(value.shape, dtype=value.dtype)
                yield copy, (detour, value)
                value = detour
            late.append((copy, (target, value)))
        yield from late


def _filled(tree: Any, array: Callable[[Node], Array]) -> Any:
    if isinstance(tree, Node):
        return array(tree)
    if isinstance(tree, tuple):
        return tuple(_filled(branch, array) for branch in tree)
    return tree


def _blocks(shape: tuple[int, ...], size: int) -> Iterator[tuple[slice, ...]]:
    """Return the index ranges of blocks of at most `size` elements, cut along few axes."""
    lengths, left = [], size
    for n in reversed(shape):
        lengths.append(max(1, min(n, left)))
        left = left // n if left >= n else 1
    cuts = (
        [slice(start, min(start + length, n)) for start in range(0, n, length)]
        for n, length in zip(shape, reversed(lengths), strict=True)
    )
    return itertools.product(*cuts)


def _cut(array: Array, block: tuple[slice, ...]) -> Array:
    """Return what a block needs of an array that broadcasts to the whole."""
    if array.ndim == 0:
        return array
    along = zip(array.shape, block[len(block) - array.ndim :], strict=True)
    return array[tuple(slice(None) if n == 1 else s for n, s in along)]
