"""Elementwise rules as single CUDA kernels, traced by cupy.fuse from the rules themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from .base import Array, Namespace, Tree

__all__ = ["CuPyNamespace", "Fused"]


class CuPyNamespace(Namespace):
    """CuPy's namespace, in which an elementwise function of ours is one kernel.

    Others may do what no kernel can, and are called as they are.
    """

    def fused(self, function: Callable[..., Tree], *args: Any) -> Tree:
        if not function.__module__.startswith("xpnet."):
            return function(self, *args)
        arrays: list[Array] = []
        form = _form(args, arrays)
        return _fused(function, form)(self, arrays)


class Fused:
    """An elementwise function of trees as a kernel of arrays.

    Parameters
    ----------
    function : callable
        ``function(xp, *args)``.
    form : tuple
        Of its arguments, as `_form` returns it.
    """

    def __init__(self, function: Callable[..., Tree], form: Any) -> None:
        self._function, self._form = function, form
        self._xp: Namespace | None = None
        self._results: Any = None
        self._kernel: Callable[..., Any] | None = None

    def __call__(self, xp: Namespace, arrays: list[Array]) -> Tree:
        if self._kernel is None:
            import cupy

            name = getattr(self._function, "__qualname__", "rule").replace(".", "_")
            self._kernel = cupy.fuse(kernel_name=f"xpnet_{name}")(self.flat)
        self._xp = xp
        found = self._kernel(*arrays)
        return _filled(self._results, iter([*arrays, *found].__getitem__(k) for k in self._places))

    def flat(self, *arrays: Array) -> tuple[Array, ...]:
        """Return what the kernel writes: each result once, and none that is an argument."""
        results = self._function(self._xp, *_filled(self._form, iter(arrays)))
        leaves: list[Array] = []
        self._results = _form(results, leaves)
        known = list(arrays)
        self._places: list[int] = []
        for leaf in leaves:
            place = next((k for k, other in enumerate(known) if other is leaf), len(known))
            known += [leaf] if place == len(known) else []
            self._places.append(place)
        return tuple(known[len(arrays) :])


@functools.lru_cache(maxsize=256)
def _fused(function: Callable[..., Tree], form: Any) -> Fused:
    return Fused(function, form)


class _Leaf:
    """Stands for an array."""


def _form(tree: Tree, arrays: list[Array]) -> Any:
    """Return a tree with `_Leaf` in place of arrays, which are appended to `arrays`."""
    if isinstance(tree, tuple):
        return tuple(_form(branch, arrays) for branch in tree)
    if isinstance(tree, dict):
        return dict, tuple((name, _form(branch, arrays)) for name, branch in tree.items())
    if tree is None:
        return None
    arrays.append(tree)
    return _Leaf


def _filled(form: Any, arrays: Iterator[Array]) -> Any:
    """Return the tree of that form."""
    if form is _Leaf:
        return next(arrays)
    if form is None:
        return None
    if form[:1] == (dict,):
        return {name: _filled(branch, arrays) for name, branch in form[1]}
    return tuple(_filled(branch, arrays) for branch in form)
