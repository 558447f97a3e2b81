"""What the NVIDIA driver supports, asked of the driver itself."""

from __future__ import annotations

import ctypes
import sys


def cuda_version() -> tuple[int, int] | None:
    """Return the newest CUDA that the driver supports; None without a driver."""
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    number = ctypes.c_int(0)
    if library.cuDriverGetVersion(ctypes.byref(number)) or not number.value:
        return None
    return number.value // 1000, number.value % 1000 // 10
