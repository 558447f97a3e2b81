"""Recording: a step runs once on arrays without numbers, and each of its calls is noted."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..base import Array, Namespace, Step, Tree
from ..trees import leaves, rebuilt
from .layouts import blank, layout_of
from .program import ALL_REDUCE, Node, Program, is_elementwise, nodes_of
from .recorded import Recorded, UnsupportedError

__all__ = ["record"]

_CREATION = {"arange", "empty", "eye", "full", "linspace", "ones", "zeros"}
_QUESTIONS = {"can_cast", "finfo", "iinfo", "isdtype", "result_type"}


class _Recorder:
    """Collects calls. Its namespace is what the step is handed as `xp`."""

    def __init__(self, xp: Namespace, model: Namespace) -> None:
        self.xp = xp
        self.model = model
        self.nodes: list[Node] = []
        self._known: dict[Any, Node] = {}

    @property
    def namespace(self) -> _RecordingNamespace:
        """One each time: kept here, the constants would outlive the tape."""
        return _RecordingNamespace(self)

    def given(self, array: Array, *, fixed: bool, value: Array = None) -> Recorded:
        """Return an array that the step is given, or a constant."""
        strides = array.strides if fixed else None
        layout = blank(array.shape, np.dtype(str(array.dtype)), strides)
        node = Node("given", (), {}, fixed, layout, value)
        self.nodes.append(node)
        return Recorded(self, node)

    def call(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Recorded:
        """Note a call, once where an equal one has been noted."""
        args = self._lower(args)
        options = dict(zip(options, self._lower(tuple(options.values())), strict=True))
        key = (name, _token(args), _token(tuple(options.items())))
        if key not in self._known:
            fixed = all(node.fixed for node in nodes_of((args, tuple(options.values()))))
            layout, elementwise = self._layout(name, args, options), self._is_elementwise(name)
            node = Node(name, args, options, fixed, layout, elementwise=elementwise)
            self.nodes.append(node)
            self._known[key] = node
        return Recorded(self, self._known[key])

    def _layout(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> np.ndarray:
        try:
            return layout_of(self.model, name, args, options)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # Where the call itself is wrong, the run call by call tells so.
            raise UnsupportedError(f"xp.{name} ({error})") from error

    def _is_elementwise(self, name: str) -> bool:
        return name in ("astype", "where") or is_elementwise(getattr(self.model, name, None))

    def all_reduce(self, x: Any) -> Recorded:
        """Note a sum over ranks: each is made at every step, since all ranks must make it."""
        argument = self._lower(x)
        node = Node(ALL_REDUCE, (argument,), {}, False, blank(argument.shape, argument.dtype))
        self.nodes.append(node)
        return Recorded(self, node)

    def sum(self, x: Recorded, **options: Any) -> Recorded:
        """Note a sum; that of one number is the number, seen in another shape."""
        if options.get("axis") != -1 or x.shape[-1:] != (1,) or x.dtype.kind != "f":
            return self.call("sum", (x,), options)
        shape = x.shape if options.get("keepdims") else x.shape[:-1]
        return self.call("reshape", (x, shape), {})

    def asarray(self, value: Any, dtype: Any = None, **options: Any) -> Recorded:
        """Note a constant, or a cast."""
        if not isinstance(value, Recorded):
            return self.create("asarray", (value,), {"dtype": dtype} | options)
        return value if dtype is None else self.astype(value, dtype)

    def astype(self, x: Recorded, dtype: Any, **options: Any) -> Recorded:
        """Note a cast, where it is one."""
        return x if x.dtype == dtype else self.call("astype", (x, np.dtype(dtype)), {})

    def reshape(self, x: Recorded, shape: Any, **options: Any) -> Recorded:
        """Note another shape; whether it is a copy makes no difference to a pure function."""
        return self.call("reshape", (x, shape), {})

    def create(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Recorded:
        """Note a constant."""
        key = (name, _token(args), _token(tuple(options.items())))
        if key not in self._known:
            value = getattr(self.xp, name)(*args, **options)
            self._known[key] = self.given(value, fixed=True, value=value)._node
        return Recorded(self, self._known[key])

    def create_like(
        self, name: str, x: Recorded, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Recorded:
        """Note a constant that lies as another array does."""
        value = getattr(self.model, name)(x._node.layout, *args, **options)
        return self.given(value, fixed=True, value=self.xp.asarray(value))

    def _lower(self, tree: Any) -> Any:
        """Return arguments with nodes in place of arrays."""
        if isinstance(tree, Recorded):
            return tree._node
        if isinstance(tree, tuple | list):
            return tuple(map(self._lower, tree))
        if isinstance(tree, np.ndarray | np.generic):
            return self.given(tree, fixed=True, value=self.xp.asarray(tree))._node
        return tree


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
        if name in (ALL_REDUCE, "asarray", "astype", "reshape", "sum"):
            return getattr(recorder, name)
        if name in _CREATION:
            return lambda *args, **options: recorder.create(name, args, options)
        if name.endswith("_like"):
            return lambda x, *args, **options: recorder.create_like(name, x, args, options)
        if name == "matrix_transpose":
            return lambda x: x.mT
        return lambda *args, **options: recorder.call(name, args, options)


def _token(value: Any) -> Any:
    """Return what is equal for equal arguments: 0.0 and -0.0 differ, and so do 1 and 1.0."""
    if isinstance(value, Node):
        return id(value)
    if isinstance(value, tuple | list):
        return tuple(map(_token, value))
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
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
    for old, node in zip(leaves(state), outputs, strict=False):
        if (tuple(old.shape), str(old.dtype)) != (node.shape, str(node.dtype)):
            told = (
                f"A state of {old.dtype} {tuple(old.shape)} that becomes {node.dtype} {node.shape}"
            )
            raise UnsupportedError(told)
    calls: dict[str, Any] = {n.name: getattr(xp, n.name, None) for n in recorder.nodes}
    calls |= {"getitem": operator.getitem, "mT": lambda array: array.mT}
    given_state, given_x, given_data = (
        [array._node for array in leaves(tree)] for tree in arguments
    )
    nodes = _needed(recorder.nodes, outputs)
    return Program(nodes, given_state, given_x, given_data, outputs, calls)


def _needed(nodes: list[Node], outputs: list[Node]) -> list[Node]:
    """Return the nodes that the outputs are made of, or that other ranks wait for."""
    needed: set[Node] = set()
    todo = [*outputs, *(node for node in nodes if node.name == ALL_REDUCE)]
    while todo:
        node = todo.pop()
        if node not in needed:
            needed.add(node)
            todo.extend(node.inputs)
    return [node for node in nodes if node in needed]
