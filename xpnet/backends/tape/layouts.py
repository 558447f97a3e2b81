"""Shape and type of a call's result, without the work of computing it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import Namespace
from .program import VIEWS, Node, is_elementwise, look, nodes_of
from .recorded import UnsupportedError, line

__all__ = ["blank", "layout_of"]


def blank(shape: Any, dtype: Any) -> np.ndarray:
    """Return an array of that shape and type without the memory for it: it must not be read."""
    whole = tuple(map(int, shape))
    one = np.zeros(1, dtype)
    steps = [one.itemsize * math.prod(whole[k + 1 :]) for k in range(len(whole))]
    return np.lib.stride_tricks.as_strided(one, whole, steps)


def layout_of(
    model: Namespace, name: str, args: tuple[Any, ...], options: dict[str, Any]
) -> np.ndarray:
    """Return an array of the shape and type of a call's result, whose numbers mean nothing.

    Parameters
    ----------
    model : Namespace
        NumPy's.
    name : str
    args, options
        Arguments, with nodes in place of arrays.

    Raises
    ------
    UnsupportedError
        The call does not return one array.
    """
    if name == "reshape":
        return _reshape(args[0].layout, *args[1:], **options)
    if name in VIEWS:
        return look(name, args[0].layout, args[1:], options, model)
    function = getattr(model, name)
    if is_elementwise(function):
        return _elementwise(name, function, args)
    known = _KNOWN.get(name)
    found = None if known is None else known(function, *args, **options)
    return _tried(name, function, args, options) if found is None else found


def _elementwise(name: str, function: np.ufunc, args: tuple[Any, ...]) -> np.ndarray:
    if function.nout > 1:
        raise UnsupportedError(f"xp.{name} ({line()}) has several results.")
    types = [a.dtype if isinstance(a, Node) else type(a) for a in args]
    types = [np.dtype(t) if t is bool else t for t in types]
    dtype = function.resolve_dtypes((*types, None))[-1]
    return blank(np.broadcast_shapes(*(node.shape for node in nodes_of(args))), dtype)


def _reshape(array: np.ndarray, shape: Any, copy: bool | None = None) -> np.ndarray:
    """Return a view where there is one, else an array that is to be copied to."""
    try:
        return np.reshape(array, shape, copy=False)
    except ValueError:
        whole = np.empty(0 if 0 in array.shape else array.shape, dtype=array.dtype)
        return blank(whole.reshape(shape).shape, array.dtype)


# Each returns None where it does not know this form of the call.


def _astype(function: Any, x: Node, dtype: Any) -> np.ndarray:
    return blank(x.shape, dtype)


def _matmul(function: Any, a: Node, b: Node) -> np.ndarray | None:
    if min(len(a.shape), len(b.shape)) < 2 or a.shape[-1] != b.shape[-2]:
        return None
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return blank((*lead, a.shape[-2], b.shape[-1]), dtype=np.result_type(a.dtype, b.dtype))


def _take(function: Any, x: Node, rows: Node, *, axis: int | None = None) -> np.ndarray | None:
    if axis is None:
        return None
    axis %= len(x.shape)
    return blank((*x.shape[:axis], *rows.shape, *x.shape[axis + 1 :]), x.dtype)


def _concat(function: Any, parts: tuple[Node, ...], *, axis: int | None = 0) -> np.ndarray | None:
    if axis is None:
        return None
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return blank(shape, dtype=np.result_type(*(part.dtype for part in parts)))


def _reduction(function: Any, x: Node, **options: Any) -> np.ndarray:
    one = function(np.ones((1,) * len(x.shape), x.dtype), **options)
    axis, kept = options.get("axis"), options.get("keepdims", False)
    axes = range(len(x.shape)) if axis is None else np.atleast_1d(axis) % len(x.shape)
    shape = [1 if k in axes else n for k, n in enumerate(x.shape) if kept or k not in axes]
    return blank(shape, dtype=one.dtype)


_KNOWN: dict[str, Callable[..., np.ndarray | None]] = {
    "astype": _astype,
    "concat": _concat,
    "matmul": _matmul,
    "take": _take,
    **dict.fromkeys(("all", "any", "max", "mean", "min", "prod", "sum"), _reduction),
}


def _tried(
    name: str, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> np.ndarray:
    """Return the layout of a call that nothing is known of: it is made on ones."""

    given = {option: _ones(value) for option, value in options.items()}
    found = function(*_ones(args), **given)
    if not isinstance(found, np.ndarray | np.generic):
        raise UnsupportedError(f"xp.{name} ({line()}) does not return one array.")
    return blank(found.shape, found.dtype)


def _ones(tree: Any) -> Any:
    if isinstance(tree, Node):
        return np.ones(tree.shape, dtype=tree.dtype)
    return tuple(map(_ones, tree)) if isinstance(tree, tuple) else tree
