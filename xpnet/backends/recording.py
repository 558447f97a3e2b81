"""A step written down call by call, without a number being computed.

The step runs once on `Recorded` arrays, which have a shape and a type and nothing else. What it
calls becomes a `Program`: each call a `Node`, equal calls the same node.
"""

from __future__ import annotations

import math
import operator
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .base import Array, Namespace, Step, Tree

__all__ = [
    "Node",
    "Program",
    "Recorded",
    "TapeError",
    "UnsupportedError",
    "leaves",
    "rebuilt",
    "record",
]

_HERE = str(Path(__file__).parent)
_CREATION = {"arange", "asarray", "empty", "eye", "full", "linspace", "ones", "zeros"}
_QUESTIONS = {"can_cast", "finfo", "iinfo", "isdtype", "result_type"}
_REDUCTIONS = {"all", "any", "max", "mean", "min", "prod", "sum"}
_NUMPY_NAMES = {
    "absolute": "abs",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
}
_VIEWS = {"broadcast_to", "expand_dims", "getitem", "mT", "permute_dims", "reshape", "squeeze"}


class TapeError(TypeError):
    """A step read or wrote an array while it was recorded; the message names the line."""


class UnsupportedError(AttributeError):
    """A step called what cannot be recorded; the message names the call."""


def _line() -> str:
    """Return the line of the step that is being recorded."""
    stack = traceback.extract_stack()
    frame = next(f for f in reversed(stack) if not f.filename.startswith(_HERE))
    return f"{frame.filename}:{frame.lineno}: {frame.line}"


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
    """

    name: str
    args: tuple[Any, ...]
    options: dict[str, Any]
    fixed: bool
    layout: np.ndarray
    value: Array = None
    shape: tuple[int, ...] = field(init=False)
    dtype: np.dtype[Any] = field(init=False)
    inputs: tuple[Node, ...] = field(init=False)
    is_view: bool = field(init=False)
    """Whether it only looks at another node's numbers."""

    def __post_init__(self) -> None:
        self.shape, self.dtype = self.layout.shape, self.layout.dtype
        self.inputs = tuple(_nodes((self.args, tuple(self.options.values()))))
        self.is_view = self.name in _VIEWS and np.may_share_memory(
            self.layout, self.inputs[0].layout
        )

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def look(self, array: Array, xp: Any = np) -> Array:
        """Return the view of an array that this node is."""
        return _look(self.name, array, self.args[1:], self.options, xp)


def _look(name: str, array: Array, args: tuple[Any, ...], options: dict[str, Any], xp: Any) -> Any:
    if name == "getitem":
        return array[args[0]]
    return array.mT if name == "mT" else getattr(xp, name)(array, *args, **options)


def _nodes(tree: Any) -> Iterator[Node]:
    if isinstance(tree, Node):
        yield tree
    elif isinstance(tree, tuple | list):
        for branch in tree:
            yield from _nodes(branch)


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


def leaves(tree: Tree) -> list[Array]:
    """Return the arrays of a tree, in order."""
    if not isinstance(tree, tuple):
        return [] if tree is None else [tree]
    found: list[Array] = []
    for branch in tree:
        if isinstance(branch, tuple):
            found += leaves(branch)
        elif branch is not None:
            found.append(branch)
    return found


def rebuilt(tree: Tree, arrays: Iterable[Any]) -> Tree:
    """Return a tree of that form with other arrays."""
    return _map(iter(arrays).__next__, tree)


def _map(f: Callable[[], Any], tree: Tree) -> Tree:
    if tree is None or not isinstance(tree, tuple):
        return None if tree is None else f()
    parts = [_map(f, branch) for branch in tree]
    return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)


class Recorded:
    """An array in a step that is being recorded: it can be computed with, but not read."""

    __slots__ = ("_node", "_recorder")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, recorder: _Recorder, node: Node) -> None:
        self._recorder, self._node = recorder, node

    shape = property(lambda self: self._node.shape)
    dtype = property(lambda self: self._node.dtype)
    ndim = property(lambda self: len(self._node.shape))
    size = property(lambda self: self._node.size)
    mT = property(lambda self: self._recorder.call("mT", (self,), {}))

    @property
    def T(self) -> Recorded:
        if len(self._node.shape) != 2:
            raise UnsupportedError(f"The array of shape {self.shape} has no T ({_line()}).")
        return self.mT

    def __len__(self) -> int:
        return int(self._node.shape[0])

    def __iter__(self) -> Iterator[Recorded]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, key: Any) -> Recorded:
        parts = key if isinstance(key, tuple) else (key,)
        for part in parts:
            if not (part is None or part is ... or isinstance(part, int | np.integer | slice)):
                raise UnsupportedError(f"An index of {part!r} ({_line()}): use xp.take.")
        return self._recorder.call("getitem", (self, key), {})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        name = _NUMPY_NAMES.get(ufunc.__name__, ufunc.__name__)
        if method != "__call__" or options or not hasattr(self._recorder.model, name):
            raise UnsupportedError(f"numpy.{ufunc.__name__} ({_line()}) is not of the standard.")
        return self._recorder.call(name, inputs, {})

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> NoReturn:
        raise UnsupportedError(f"numpy.{function.__name__} ({_line()}): use xp instead of numpy.")

    def __getattr__(self, name: str) -> NoReturn:
        raise UnsupportedError(f"An array's own {name!r} ({_line()}) is not of the standard.")


def _operator(name: str, swapped: bool = False) -> Callable[..., Any]:
    def apply(self: Recorded, *others: Any) -> Any:
        args = (*others, self) if swapped else (self, *others)
        return self._recorder.call(name, args, {})

    return apply


def _refused(what: str) -> Callable[..., NoReturn]:
    def refuse(self: Recorded, *args: Any, **options: Any) -> NoReturn:
        raise TapeError(
            f"A step {what} an array of shape {self.shape} while it was recorded: {_line()}\n"
            "Steps are pure functions, without branches on data. Use xp.where, or pass "
            "compile=False."
        )

    return refuse


_BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
    "matmul": "matmul",
}
_OTHERS = {
    "neg": "negative",
    "pos": "positive",
    "abs": "abs",
    "invert": "bitwise_invert",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
for _short, _name in _BINARY.items():
    setattr(Recorded, f"__{_short}__", _operator(_name))
    setattr(Recorded, f"__r{_short}__", _operator(_name, swapped=True))
    setattr(Recorded, f"__i{_short}__", _refused("changed"))
for _short, _name in _OTHERS.items():
    setattr(Recorded, f"__{_short}__", _operator(_name))
for _name in ("bool", "float", "int", "complex", "index", "array", "contains", "dlpack"):
    setattr(Recorded, f"__{_name}__", _refused("read"))
for _name in ("item", "tolist", "tobytes"):
    setattr(Recorded, _name, _refused("read"))
Recorded.__setitem__ = _refused("changed")  # type: ignore[attr-defined]


class _Recorder:
    """Collects calls. Its namespace is what the step is handed as `xp`."""

    def __init__(self, xp: Namespace, model: Namespace) -> None:
        self.xp = xp
        self.model = model
        self.namespace = _RecordingNamespace(self)
        self.nodes: list[Node] = []
        self._known: dict[Any, Node] = {}

    def given(self, array: Array, *, fixed: bool, value: Array = None) -> Recorded:
        """Return an array that the step is given, or a constant."""
        layout = np.empty(tuple(array.shape), dtype=np.dtype(str(array.dtype)))
        node = Node("given", (), {}, fixed, layout, value)
        self.nodes.append(node)
        return Recorded(self, node)

    def call(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Recorded:
        """Note a call, once where an equal one has been noted."""
        args = self._lower(args)
        options = dict(zip(options, self._lower(tuple(options.values())), strict=True))
        key = (name, _token(args), _token(tuple(options.items())))
        if key not in self._known:
            fixed = all(node.fixed for node in _nodes((args, tuple(options.values()))))
            node = Node(name, args, options, fixed, self._layout(name, args, options))
            self.nodes.append(node)
            self._known[key] = node
        return Recorded(self, self._known[key])

    def create(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Recorded:
        """Note a constant."""
        key = (name, _token(args), _token(tuple(options.items())))
        if key not in self._known:
            value = getattr(self.xp, name)(*args, **options)
            self._known[key] = self.given(value, fixed=True, value=value)._node
        return Recorded(self, self._known[key])

    def _lower(self, tree: Any) -> Any:
        """Return arguments with nodes in place of arrays."""
        if isinstance(tree, Recorded):
            return tree._node
        if isinstance(tree, tuple | list):
            return tuple(map(self._lower, tree))
        if isinstance(tree, np.ndarray | np.generic):
            return self.given(tree, fixed=True, value=np.asarray(tree))._node
        return tree

    def _layout(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> np.ndarray:
        """Return an array of the result's shape and type, not computed where that is avoidable."""
        if name in _VIEWS:
            return _look(name, args[0].layout, args[1:], options, self.model)
        function = getattr(self.model, name)
        if is_elementwise(function):
            shapes = [node.shape for node in _nodes(args)]
            types = [a.dtype if isinstance(a, Node) else type(a) for a in args]
            dtype = function.resolve_dtypes((*types, *[None] * function.nout))[-1]
            if function.nout > 1:
                raise UnsupportedError(f"xp.{name} ({_line()}) has several results.")
            return np.empty(np.broadcast_shapes(*shapes), dtype=dtype)
        if name == "astype":
            return np.empty(args[0].shape, dtype=args[1])
        if name == "matmul":
            a, b = args
            lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            one = function(*(np.ones((1, 1), dtype=node.dtype) for node in args))
            if len(a.shape) > 1 and len(b.shape) > 1 and a.shape[-1] == b.shape[-2]:
                return np.empty((*lead, a.shape[-2], b.shape[-1]), dtype=one.dtype)
        if name == "take" and options.get("axis") is not None:
            (x, rows), axis = args, options["axis"] % len(args[0].shape)
            return np.empty((*x.shape[:axis], *rows.shape, *x.shape[axis + 1 :]), dtype=x.dtype)
        if name == "concat":
            parts, axis = args[0], options.get("axis", 0)
            if axis is not None:
                shape = list(parts[0].shape)
                shape[axis] = sum(part.shape[axis] for part in parts)
                return np.empty(shape, dtype=np.result_type(*(part.dtype for part in parts)))
        if name in _REDUCTIONS:
            return self._reduced(function, args, options)
        return self._tried(name, function, args, options)

    def _reduced(
        self, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
    ) -> np.ndarray:
        """Return a reduction's layout: its type is that of one element's."""
        x, axis = args[0], options.get("axis")
        one = function(np.ones((1,) * len(x.shape), dtype=x.dtype), *args[1:], **options)
        axes = range(len(x.shape)) if axis is None else np.atleast_1d(axis) % len(x.shape)
        kept = options.get("keepdims", False)
        shape = [1 if k in axes else n for k, n in enumerate(x.shape) if kept or k not in axes]
        return np.empty(shape, dtype=one.dtype)

    def _tried(
        self, name: str, function: Callable[..., Any], args: Any, options: dict[str, Any]
    ) -> np.ndarray:
        """Return the layout of a function that nothing is known of: it is called on ones."""

        def ones(tree: Any) -> Any:
            if isinstance(tree, Node):
                return np.ones(tree.shape, dtype=tree.dtype)
            return tuple(map(ones, tree)) if isinstance(tree, tuple) else tree

        found = function(
            *ones(args), **dict(zip(options, ones(tuple(options.values())), strict=True))
        )
        if not isinstance(found, np.ndarray | np.generic):
            raise UnsupportedError(f"xp.{name} ({_line()}) does not return one array.")
        return np.empty_like(found)


class _RecordingNamespace:
    """The backend's namespace, whose functions note that they are called."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        recorder = self._recorder
        function = getattr(recorder.xp, name)
        if isinstance(function, type) or not callable(function):
            return function
        if name in _QUESTIONS:
            return lambda *args: function(*(getattr(a, "dtype", a) for a in args))
        if name in _CREATION:
            return lambda *args, **options: recorder.create(name, args, options)
        if name.endswith("_like"):
            return lambda x, *args, **options: recorder.create(
                name.removesuffix("_like"), (x.shape, *args), {"dtype": x.dtype} | options
            )
        if name == "astype":
            return lambda x, dtype, **_: (
                x if x.dtype == dtype else recorder.call(name, (x, np.dtype(dtype)), {})
            )
        if name == "matrix_transpose":
            return lambda x: x.mT
        return lambda *args, **options: recorder.call(name, args, options)


def is_elementwise(function: Any) -> bool:
    """Return whether the function computes each element of its result by itself."""
    return isinstance(function, np.ufunc) and function.signature is None


def _token(value: Any) -> Any:
    """Return what is equal for equal arguments: 0.0 and -0.0 differ, and so do 1 and 1.0."""
    if isinstance(value, Node):
        return id(value)
    if isinstance(value, tuple | list):
        return tuple(map(_token, value))
    return type(value), repr(value)


def record(
    step: Step, state: Tree, x: Tree, data: Tree, *, xp: Namespace, model: Namespace
) -> Program:
    """Write a step down.

    Parameters
    ----------
    step : callable
        ``step(xp, state, x, data) -> (state, y)``, a pure function of arrays.
    state, x, data : trees
        Arguments of the shapes and types that the step is recorded for. `data` is what does not
        change from step to step.
    xp : Namespace
        Of the arrays.
    model : Namespace
        NumPy's, which tells shapes and types.

    Raises
    ------
    TapeError
        The step reads or changes an array.
    UnsupportedError
        The step calls what cannot be recorded.
    """
    recorder = _Recorder(xp, model)

    def given(tree: Tree, *, fixed: bool) -> Tree:
        return rebuilt(tree, (recorder.given(array, fixed=fixed) for array in leaves(tree)))

    arguments = given(state, fixed=False), given(x, fixed=False), given(data, fixed=True)
    new, y = step(recorder.namespace, *arguments)
    outputs = [recorder._lower(array) for array in (*leaves(new), y)]
    calls = {node.name: getattr(xp, node.name, None) for node in recorder.nodes}
    calls |= {"getitem": operator.getitem, "mT": lambda array: array.mT}
    return Program(
        _needed(recorder.nodes, outputs),
        *([array._node for array in leaves(tree)] for tree in arguments),
        outputs,
        calls,
    )


def _needed(nodes: list[Node], outputs: list[Node]) -> list[Node]:
    """Return the nodes that the outputs are made of."""
    needed: set[Node] = set()
    todo = list(outputs)
    while todo:
        node = todo.pop()
        if node not in needed:
            needed.add(node)
            todo.extend(node.inputs)
    return [node for node in nodes if node in needed]
