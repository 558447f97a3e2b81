"""What a step sees while it is recorded: arrays with a shape and a type, but without numbers."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np

from ..base import Namespace
from .program import Node

__all__ = ["Recorded", "TapeError", "UnsupportedError"]

_HERE = f"{Path(__file__).parents[1]}{os.sep}"
_PACKAGE = f"{Path(__file__).parents[2]}{os.sep}"
_NUMPY_NAMES = {
    "absolute": "abs",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
}


class TapeError(TypeError):
    """A step read or wrote an array while it was recorded; the message names the line."""


class UnsupportedError(Exception):
    """A step called what cannot be recorded.

    Parameters
    ----------
    what : str
        The call.

    Attributes
    ----------
    filename : str
    lineno : int
        Where it is called.
    """

    def __init__(self, what: str) -> None:
        frame = _frame()
        super().__init__(f"{what} cannot be recorded ({_told(frame)})")
        self.filename, self.lineno = frame.filename, frame.lineno or 0


class _MissingError(UnsupportedError, AttributeError):
    """An array has no such attribute; ``hasattr`` shall say so too."""


def _told(frame: traceback.FrameSummary) -> str:
    return f"{frame.filename}:{frame.lineno}: {frame.line}"


def _frame() -> traceback.FrameSummary:
    """Return the line of the step that is being recorded: the user's, if any of it is."""
    stack = traceback.extract_stack()
    start = max(k for k, f in enumerate(stack) if f.name == "record" and _is_in(_HERE, f))
    inner = [f for f in reversed(stack[start:]) if not _is_in(_HERE, f)]
    users = (f for f in inner if not _is_in(_PACKAGE, f) and "site-packages" not in f.filename)
    return next(users, inner[0] if inner else stack[-1])


def _is_in(folder: str, frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(folder)


class Recorder(Protocol):
    """What notes the calls."""

    model: Namespace

    @property
    def namespace(self) -> Any: ...

    def call(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Recorded: ...


class Recorded:
    """An array in a step that is being recorded: it can be computed with, but not read."""

    __slots__ = ("_node", "_recorder")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, recorder: Recorder, node: Node) -> None:
        self._recorder, self._node = recorder, node

    shape = property(lambda self: self._node.shape)
    dtype = property(lambda self: self._node.dtype)
    ndim = property(lambda self: len(self._node.shape))
    size = property(lambda self: self._node.size)
    mT = property(lambda self: self._recorder.call("mT", (self,), {}))

    @property
    def T(self) -> Recorded:
        if self.ndim != 2:
            raise UnsupportedError(f"T of an array of shape {self.shape}")
        return self.mT

    @property
    def namespace(self) -> Any:
        """What the step is handed as `xp`."""
        return self._recorder.namespace

    def __len__(self) -> int:
        return int(self._node.shape[0])

    def __iter__(self) -> Iterator[Recorded]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, key: Any) -> Recorded:
        parts = key if isinstance(key, tuple) else (key,)
        for part in parts:
            if not (part is None or part is ... or isinstance(part, int | np.integer | slice)):
                raise UnsupportedError(f"An index of {part!r}, for which there is xp.take,")
        if not any(part is ... for part in parts):
            parts = (*parts, ...)  # a view, even of one element
        return self._recorder.call("getitem", (self, parts), {})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        name = _NUMPY_NAMES.get(ufunc.__name__, ufunc.__name__)
        known = getattr(self._recorder.model, name, None) is ufunc
        if method != "__call__" or options or not known:
            raise UnsupportedError(f"{ufunc.__name__}, which is not xp's,")
        return self._recorder.call(name, inputs, {})

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> NoReturn:
        raise UnsupportedError(f"numpy.{function.__name__}, which is not xp's,")

    def __getattr__(self, name: str) -> NoReturn:
        raise _MissingError(f"An array's own {name!r}")


def _operator(name: str, swapped: bool = False) -> Callable[..., Any]:
    def apply(self: Recorded, *others: Any) -> Any:
        args = (*others, self) if swapped else (self, *others)
        return self._recorder.call(name, args, {})

    return apply


def _refused(what: str) -> Callable[..., NoReturn]:
    def refuse(self: Recorded, *args: Any, **options: Any) -> NoReturn:
        raise TapeError(
            f"A step {what} an array of shape {self.shape} while it was recorded:\n"
            f"{_told(_frame())}\n"
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
setattr(Recorded, "__setitem__", _refused("changed"))  # noqa: B010
