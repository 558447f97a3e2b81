"""Shape and type of a call's result, without the work of computing it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import Namespace
from .program import VIEWS, Node, is_elementwise, look, nodes_of
from .recorded import UnsupportedError

__all__ = ["blank", "layout_of"]


def blank(shape: Any, dtype: Any, strides: Any = None) -> np.ndarray:
    """Return an array of that shape and type without the memory for it: it must not be read."""
    whole = tuple(map(int, shape))
    one = np.zeros(1, dtype=dtype)
    if strides is None:
        strides = [one.itemsize * math.prod(whole[k + 1 :]) for k in range(len(whole))]
    return np.lib.stride_tricks.as_strided(one, whole, strides)


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
        return _reshape(args[0].layout, args[1])
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
        raise UnsupportedError(f"xp.{name}, which has several results,")
    types = [a.dtype if isinstance(a, Node) else type(a) for a in args]
    types = [np.dtype(t) if t is bool else t for t in types]
    dtype = function.resolve_dtypes((*types, None))[-1]
    return _in_their_order([node.layout for node in nodes_of(args)], dtype)


def _in_their_order(arrays: list[np.ndarray], dtype: Any) -> np.ndarray:
    """Return a result that lies as NumPy would lay it: in the order of its arguments."""
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    if all(array.flags.c_contiguous for array in arrays):
        return blank(shape, dtype)
    flags: Any = [["readonly"]] * len(arrays) + [["writeonly", "allocate"]]
    types = [array.dtype for array in arrays]
    laid = np.nditer([*arrays, None], ["zerosize_ok"], flags, [*types, dtype], order="K")
    return blank(shape, dtype, laid.operands[-1].strides)


def _reshape(array: np.ndarray, shape: Any) -> np.ndarray:
    try:
        return look("reshape", array, (shape,), {}, np)
    except ValueError:  # there is no such view, or no such shape
        known = np.broadcast_to(np.zeros((), dtype=bool), array.shape)
        return blank(known.reshape(shape).shape, array.dtype)


# Each returns None where it does not know this form of the call.


def _astype(function: Any, x: Node, dtype: Any) -> np.ndarray:
    return _in_their_order([x.layout], dtype)


def _where(function: Any, condition: Node, a: Any, b: Any) -> np.ndarray | None:
    nodes = [*nodes_of((condition, a, b))]
    if not all(node.layout.flags.c_contiguous for node in nodes):
        return None
    ones = [np.ones((), n.dtype) if isinstance(n, Node) else n for n in (condition, a, b)]
    shape = np.broadcast_shapes(*(node.shape for node in nodes))
    return blank(shape, np.asarray(function(*ones)).dtype)


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
    few = function(np.ones((2,) * len(x.shape), dtype=x.dtype), **options)
    axis, kept = options.get("axis"), options.get("keepdims", False)
    axes = range(len(x.shape)) if axis is None else np.atleast_1d(axis) % len(x.shape)
    shape = [1 if k in axes else n for k, n in enumerate(x.shape) if kept or k not in axes]
    return blank(shape, few.dtype)


_KNOWN: dict[str, Callable[..., np.ndarray | None]] = {
    "astype": _astype,
    "concat": _concat,
    "matmul": _matmul,
    "take": _take,
    "where": _where,
    **dict.fromkeys(("all", "any", "max", "mean", "min", "prod", "sum"), _reduction),
}


def _tried(
    name: str, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> np.ndarray:
    """Return the layout of a call that nothing is known of: it is made on ones."""

    given = {option: _ones(value) for option, value in options.items()}
    found = function(*_ones(args), **given)
    if not isinstance(found, np.ndarray | np.generic):
        raise UnsupportedError(f"xp.{name}, which does not return one array,")
    return blank(found.shape, found.dtype)


def _ones(tree: Any) -> Any:
    if isinstance(tree, Node):
        return np.ones(tree.shape, dtype=tree.dtype)
    return tuple(map(_ones, tree)) if isinstance(tree, tuple) else tree
