"""CuPy on CUDA devices."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import numpy as np

from .base import Array, Backend, BackendUnavailableError, Namespace, imported


@functools.cache
def _probe() -> str:
    """Return the version of a CuPy that really computes here.

    ``cupy.is_available`` proves neither the headers that kernels are compiled with nor
    cuBLAS, so one ufunc and one product are run.
    """
    cupy = imported("cupy")
    if not cupy.is_available():
        raise BackendUnavailableError(f"no CUDA device was found ({_device_error(cupy)})")
    try:
        ones = cupy.ones((2, 2), dtype=cupy.float32)
        float((ones @ ones + ones).sum())
    except (ImportError, RuntimeError, cupy.cuda.compiler.CompileException) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BackendUnavailableError(f"a first kernel and product failed ({reason})") from error
    return str(cupy.__version__)


def _device_error(cupy: Any) -> str:
    try:
        cupy.cuda.runtime.getDeviceCount()
    except RuntimeError as error:
        return str(error).split(":")[0]
    return "the driver lists none"


class CuPy(Backend):
    """CuPy arrays on one CUDA device."""

    name = "cupy"
    remedy = (
        "Install an NVIDIA driver and a CuPy that matches it "
        "(pip install 'cupy-cuda12x[ctk]' or 'cupy-cuda13x[ctk]'), or use backend='numpy'"
    )

    def __init__(self, device: Any = None) -> None:
        self.version()
        import array_api_compat.cupy as compat
        import cupy

        self.device = cupy.cuda.Device(self._index(device))
        count = cupy.cuda.runtime.getDeviceCount()
        if self.device.id >= count:
            raise ValueError(f"device={device!r}: CuPy sees {count} device(s), counted from 0.")
        self.xp = Namespace(compat)

    @staticmethod
    def _index(device: Any) -> int | None:
        index = getattr(device, "id", device)
        if isinstance(index, str):
            platform, _, number = index.partition(":")
            if platform != "cuda" or not (number or "0").isdigit():
                raise ValueError(f"device={device!r}: pass 'cuda', 'cuda:N' or an index.")
            index = int(number or 0)
        return index

    @classmethod
    def version(cls) -> str:
        return _probe()

    @staticmethod
    def owns(value: Any) -> bool:
        from array_api_compat import is_cupy_array

        return is_cupy_array(value)

    @classmethod
    def of(cls, array: Array) -> Backend:
        return cls(array.device)

    def asarray(self, value: Any, dtype: str | None = None) -> Array:
        import cupy

        with self.device:
            return cupy.asarray(value, dtype=dtype)

    def to_host(self, array: Array) -> np.ndarray:
        import cupy

        return cupy.asnumpy(array)

    def session(self, dtype: str) -> contextlib.AbstractContextManager[Any]:
        stack = contextlib.ExitStack()
        stack.enter_context(super().session(dtype))
        stack.enter_context(self.device)
        return stack

    @property
    def device_name(self) -> str:
        return f"cuda:{self.device.id}"
