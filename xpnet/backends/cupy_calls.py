"""CuPy's functions in a step as launches that write into buffers: what a CUDA graph can hold.

Elementwise calls that follow each other are one kernel, whatever rules they are of.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from .base import Array, Namespace
from .cublas import Products
from .tape import Instruction, Node, nodes_of

__all__ = ["CuPyMachine"]

_REDUCTIONS = {"all", "any", "max", "mean", "prod", "sum"}
"""Those that take `out`: CuPy's min does not (its issue 9032)."""

_OVERFLOWING = {"add", "multiply", "negative", "subtract"}


class CuPyMachine:
    """What a tape needs of CuPy, see `Machine`.

    Parameters
    ----------
    xp : Namespace
    products : Products
        cuBLAS with a handle of our own: CuPy's refuses to be captured.
    """

    block = 0  # a run of elementwise calls is one kernel, which writes what others need

    def __init__(self, xp: Namespace, products: Products) -> None:
        self.xp, self._products = xp, products

    def copy(self, out: Array, value: Array) -> None:
        import cupy

        cupy.copyto(out, value)

    def instruction(
        self, name: str, args: tuple[Any, ...], options: dict[str, Any], out: Array
    ) -> Instruction:
        """Return the launch that writes the result of a call into `out`."""
        import cupy

        if name == "matmul":
            a, b = args
            return self._products.instruction(a, b, out)
        if name in _REDUCTIONS or name == "take":
            return functools.partial(getattr(cupy, name), *args, **options, out=out), ()
        return self._copied, (out, getattr(self.xp, name), args, options)

    def _copied(
        self, out: Array, function: Callable[..., Array], args: tuple[Any, ...], options: Any
    ) -> None:
        self.copy(out, function(*args, **options))

    def kernel(self, run: list[Node], array: Callable[[Node], Any]) -> Instruction:
        """Return the launch of elementwise calls as one kernel."""
        read = [i for i in dict.fromkeys(nodes_of([n.args for n in run])) if i not in run]
        written = [node for node in run if array(node) is not None]
        places: dict[Node, Any] = {node: _Given(k) for k, node in enumerate(read)}
        places |= {node: _Result(k) for k, node in enumerate(run)}
        out = {node: len(read) + k for k, node in enumerate(written)}
        ops = (_Op(n.name, _described(n.args, places), n.dtype.name, out.get(n)) for n in run)
        return _fused(tuple(ops)), tuple(map(array, [*read, *written]))


class _Given(NamedTuple):
    """An array that a kernel is given, by its place."""

    given: int


class _Result(NamedTuple):
    """What an operation has computed, by its number."""

    result: int


class _Constant(NamedTuple):
    """A number or a type; equal ones are spelled alike, so that 1 is not 1.0."""

    spelling: str
    value: Any


class _Op(NamedTuple):
    """A call in a kernel, and at which place of its arrays the result is written, if it is."""

    name: str
    args: tuple[Any, ...]
    dtype: str
    out: int | None


def _described(args: tuple[Any, ...], places: dict[Node, Any]) -> tuple[Any, ...]:
    return tuple(
        places[arg] if isinstance(arg, Node) else _Constant(f"{type(arg)} {arg!r}", arg)
        for arg in args
    )


@functools.lru_cache(maxsize=512)
def _fused(ops: tuple[_Op, ...]) -> Callable[..., None]:
    """Return the kernel of some operations, which takes what they read and where they write."""
    import array_api_compat.cupy as xp
    import cupy

    name = "xpnet_" + "_".join(op.name for op in ops[:4])
    return cupy.fuse(kernel_name=name)(functools.partial(_run, xp, ops))


def _run(xp: Any, ops: tuple[_Op, ...], *arrays: Array) -> None:
    """Run some operations, or be traced."""
    results: list[Array] = []

    def value(arg: Any) -> Any:
        if isinstance(arg, _Given):
            return arrays[arg.given]
        return results[arg.result] if isinstance(arg, _Result) else arg.value

    for op in ops:
        args = [value(arg) for arg in op.args]
        if op.name in _OVERFLOWING and op.dtype == "int32":
            args = [_unsigned(arg) for arg in args]
        result = getattr(xp, op.name)(*args)
        if result.dtype != op.dtype:  # as the tape's NumPy would have it
            result = result.astype(op.dtype)
        if op.out is not None:
            arrays[op.out][...] = result
        results.append(result)


def _unsigned(arg: Any) -> Any:
    """Return 32-bit integers so that C lets them wrap around when they overflow, as NumPy does."""
    return arg % (1 << 32) if isinstance(arg, int) else arg.astype("uint32")
