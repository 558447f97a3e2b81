"""A step as a list of calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..base import Array

__all__ = ["ALL_REDUCE", "VIEWS", "Node", "Program", "is_elementwise", "look", "nodes_of"]

VIEWS = {"broadcast_to", "expand_dims", "getitem", "mT", "permute_dims", "reshape", "squeeze"}
"""Calls that look at an array, where its numbers lie so that this is possible."""

ALL_REDUCE = "all_reduce"
"""The call that adds over ranks. It is neither left out nor made once for several: a rank that
replays a tape and one that runs call by call make the same ones in the same order."""


@dataclass(eq=False, repr=False)
class Node:
    """A call, or an array that is given.

    Attributes
    ----------
    name : str
        The function in the namespace; "getitem", "mT", or "given".
    args : tuple
        Nodes, numbers, and what else the function takes.
    options : dict
        Keyword arguments.
    shape : tuple of int
    dtype : numpy.dtype
    fixed : bool
        Whether it is the same at every step.
    layout : numpy.ndarray
        An array of that shape and type which nobody reads: views are tried out on it.
    value : array or None
        Of a constant.
    elementwise : bool
        Whether a block of its result needs only that block of its arguments.
    """

    name: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    fixed: bool
    layout: np.ndarray
    value: Array = None
    elementwise: bool = False
    shape: tuple[int, ...] = field(init=False)
    dtype: np.dtype[Any] = field(init=False)
    inputs: tuple[Node, ...] = field(init=False)
    is_view: bool = field(init=False)
    """Whether it only looks at another node's numbers."""

    def __post_init__(self) -> None:
        self.shape, self.dtype = self.layout.shape, self.layout.dtype
        self.inputs = tuple(nodes_of((self.args, tuple(self.options.values()))))
        self.is_view = self.name in VIEWS and self._can_look()

    def _can_look(self) -> bool:
        try:
            self.look(self.inputs[0].layout)
        except ValueError:  # its numbers would have to be copied
            return False
        return True

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def may_write_over_arguments(self) -> bool:
        """Whether each element is written when those that it is made of have been read."""
        return self.elementwise and self.name != "where"

    def look(self, array: Array, xp: Any = np) -> Array:
        """Return the view of an array that this node is; ValueError where there is none."""
        return look(self.name, array, self.args[1:], self.options, xp)


def look(name: str, array: Array, args: tuple[Any, ...], options: dict[str, Any], xp: Any) -> Any:
    """Return a view of an array; ValueError where there is none."""
    if name == "getitem":
        return array[args[0]]
    if name == "mT":
        return array.mT
    if name == "reshape":
        reshape = np.reshape if isinstance(array, np.ndarray) else xp.reshape
        return reshape(array, args[0], copy=False)
    return getattr(xp, name)(array, *args, **options)


def nodes_of(tree: Any) -> Iterator[Node]:
    if isinstance(tree, Node):
        yield tree
    elif isinstance(tree, tuple | list):
        for branch in tree:
            yield from nodes_of(branch)


@dataclass(frozen=True)
class Program:
    """A step as calls.

    Attributes
    ----------
    nodes : list of Node
        What the outputs need, in the order of the calls.
    state, x, data : list of Node
        What is given: a step's arguments, flattened.
    outputs : list of Node
        The new state, flattened, and last the step's result.
    calls : dict
        Functions by the names of nodes.
    """

    nodes: list[Node]
    state: list[Node]
    x: list[Node]
    data: list[Node]
    outputs: list[Node]
    calls: dict[str, Callable[..., Any]]


def is_elementwise(function: Any) -> bool:
    """Return whether the function computes each element of its result by itself."""
    return isinstance(function, np.ufunc) and function.signature is None
