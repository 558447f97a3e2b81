"""Matrix products by cuBLAS with a handle of our own, which a CUDA graph can hold.

CuPy refuses to capture its own handle's. Of this one the stream is set once, and the workspace
after it. In an experiment on an H200 such products, captured and replayed, equalled `cupy.matmul`
bit for bit (docs/gpu-results.md); this class has not run on a GPU.
"""

from __future__ import annotations

import os
import weakref
from typing import Any

import numpy as np

from .base import Array, BackendUnavailableError, imported
from .tape import Instruction

__all__ = ["Products"]

_WORKSPACE = 32 << 20
"""What NVIDIA recommends for Hopper; with less some products take slower ways."""


class Products:
    """Products of float32 and float64 matrices, single or as many as there are models.

    Parameters
    ----------
    stream : cupy.cuda.Stream
        On which they are captured, and run before that.

    Raises
    ------
    BackendUnavailableError
        The package nvmath-python is missing.
    """

    def __init__(self, stream: Any) -> None:
        import cupy

        self._cublas = cublas = _bindings()
        self._stream = stream  # which the handle is not to outlive
        self._workspace = cupy.empty(_WORKSPACE, dtype=np.uint8)
        self._handle = cublas.create()
        weakref.finalize(self, _destroy, cublas, self._handle, cupy.cuda.Device())
        cublas.set_stream(self._handle, stream.ptr)
        cublas.set_workspace(self._handle, self._workspace.data.ptr, _WORKSPACE)
        if int(os.environ.get("CUPY_TF32", "0")) > 0:  # CuPy's own products take it then too
            cublas.set_math_mode(self._handle, cublas.Math.TF32_TENSOR_OP_MATH)
        self._one_and_zero = {t: np.array([1, 0], dtype=t) for t in ("float32", "float64")}

    def instruction(self, a: Array, b: Array, out: Array) -> Instruction:
        """Return the call that writes ``a @ b`` into `out`, whose rows are contiguous.

        Parameters
        ----------
        a, b, out : arrays of shape (rows, columns) or (models, rows, columns)
        """
        self._check(a, b, out)
        lib, single = self._cublas, out.dtype == np.float32
        one = self._one_and_zero[out.dtype.name].ctypes.data
        zero = one + out.itemsize
        # cuBLAS counts along columns: it sees all transposed, and out.mT = b.mT @ a.mT.
        (op_a, ld_a), (op_b, ld_b), (_, ld_out) = map(self._form, (a, b, out))
        sizes = self._handle, op_b, op_a, b.shape[-1], *a.shape[-2:], one
        if out.ndim == 2:
            arrays = b.data.ptr, ld_b, a.data.ptr, ld_a, zero, out.data.ptr, ld_out
            return lib.sgemm if single else lib.dgemm, (*sizes, *arrays)
        of_b = b.data.ptr, ld_b, _stride(b)
        of_a = a.data.ptr, ld_a, _stride(a)
        of_out = out.data.ptr, ld_out, _stride(out)
        several = lib.sgemm_strided_batched if single else lib.dgemm_strided_batched
        return several, (*sizes, *of_b, *of_a, zero, *of_out, out.shape[0])

    def _check(self, a: Array, b: Array, out: Array) -> None:
        """Raise TypeError where the arrays are none that a product is made of here."""
        types = {array.dtype.name for array in (a, b, out)}
        if len(types) > 1 or not types <= {*self._one_and_zero}:
            raise TypeError(f"no product of {a.dtype} and {b.dtype}")
        if min(a.ndim, b.ndim) < 2 or out.ndim > 3:
            raise TypeError(f"no product of arrays of shape {a.shape} and {b.shape}")
        if self._form(out)[0] != self._cublas.Operation.N:
            raise TypeError(f"no product whose strides are {out.strides}")

    def _form(self, array: Array) -> tuple[int, int]:
        """Return whether cuBLAS is to transpose a matrix, and the elements from line to line."""
        rows, columns = array.shape[-2:]
        down, along = (stride // array.itemsize for stride in array.strides[-2:])
        operation = self._cublas.Operation
        if (along == 1 or columns == 1) and (down >= columns or rows == 1):
            return int(operation.N), max(down, columns, 1)
        if (down == 1 or rows == 1) and (along >= rows or columns == 1):
            return int(operation.T), max(along, rows, 1)
        raise TypeError(f"no product of an array whose strides are {array.strides}")


def _destroy(cublas: Any, handle: int, device: Any) -> None:
    with device:
        cublas.destroy(handle)


def _bindings() -> Any:
    try:
        return imported("nvmath.bindings.cublas")
    except BackendUnavailableError as error:
        raise BackendUnavailableError(f"{error}; pip install nvmath-python") from error


def _stride(array: Array) -> int:
    """Return the elements from one model's matrix to the next; 0 where all have the same."""
    if array.ndim == 2 or array.shape[0] == 1:
        return 0
    return int(array.strides[0]) // int(array.itemsize)
