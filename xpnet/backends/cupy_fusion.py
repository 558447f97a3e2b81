"""Elementwise rules as single CUDA kernels, traced by cupy.fuse from the rules themselves."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .base import Array, Namespace, Tree
from .trees import form, leaves, rebuilt

__all__ = ["CuPyNamespace", "Fused"]

_MOST = 256
"""So many kernels are kept, the last that were used."""

_kernels: OrderedDict[Any, Fused] = OrderedDict()


class CuPyNamespace(Namespace):
    """CuPy's namespace, in which an elementwise function of ours is one kernel.

    Others may do what no kernel can, and are called as they are.
    """

    def fused(self, function: Callable[..., Tree], *args: Any) -> Tree:
        if not function.__module__.startswith("xpnet."):
            return function(self, *args)
        key = function, form(args)
        if key not in _kernels:
            _kernels[key] = Fused(function, args)
        _kernels.move_to_end(key)
        while len(_kernels) > _MOST:
            _kernels.popitem(last=False)
        return _kernels[key](self, leaves(args))


class Fused:
    """An elementwise function of trees as a kernel of arrays.

    Parameters
    ----------
    function : callable
        ``function(xp, *args)``.
    args : tuple of trees
        Of the form that its arguments have.
    """

    def __init__(self, function: Callable[..., Tree], args: tuple[Tree, ...]) -> None:
        self._function, self._args = function, rebuilt(args, itertools.repeat(0))
        self._xp: Namespace | None = None
        self._kernel: Callable[..., Any] | None = None
        self._results: Tree = None
        self._places: list[int] = []

    def __call__(self, xp: Namespace, arrays: list[Array]) -> Tree:
        if self._kernel is None:
            import cupy

            name = self._function.__qualname__.replace(".", "_")
            self._kernel = cupy.fuse(kernel_name=f"xpnet_{name}")(self.flat)
        self._xp = xp
        known = [*arrays, *self._kernel(*arrays)]
        return rebuilt(self._results, (known[place] for place in self._places))

    def flat(self, *arrays: Array) -> tuple[Array, ...]:
        """Return what the kernel writes: each result once, and none that is an argument."""
        results = self._function(self._xp, *rebuilt(self._args, arrays))
        known, places = list(arrays), []
        for leaf in leaves(results):
            place = next((k for k, other in enumerate(known) if other is leaf), len(known))
            known += [leaf] if place == len(known) else []
            places.append(place)
        self._results, self._places = rebuilt(results, itertools.repeat(0)), places
        return tuple(known[len(arrays) :])
