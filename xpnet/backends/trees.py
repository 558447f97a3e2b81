"""Trees of arrays: tuples and dicts of trees, arrays, and None where there is nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .base import Array, Tree

__all__ = ["form", "leaves", "rebuilt"]


def leaves(tree: Tree) -> list[Array]:
    """Return the arrays of a tree, in order."""
    if tree is None:
        return []
    if not isinstance(tree, tuple | dict):
        return [tree]
    found: list[Array] = []
    for branch in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(branch, tuple | dict):
            found += leaves(branch)
        elif branch is not None:
            found.append(branch)
    return found


def rebuilt(tree: Tree, arrays: Iterable[Any]) -> Tree:
    """Return a tree of that form with other arrays."""
    return _filled(tree, iter(arrays))


def _filled(tree: Tree, arrays: Iterator[Any]) -> Tree:
    if isinstance(tree, dict):
        return {name: _filled(branch, arrays) for name, branch in tree.items()}
    if not isinstance(tree, tuple):
        return None if tree is None else next(arrays)
    parts = [_filled(branch, arrays) for branch in tree]
    return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)


def form(tree: Tree) -> Any:
    """Return what is equal, and can be hashed, for trees that differ in their arrays alone."""
    if isinstance(tree, dict):
        return tuple((name, form(branch)) for name, branch in tree.items())
    return tuple(map(form, tree)) if isinstance(tree, tuple) else tree is None
