"""array-api-strict: a referee that allows what the standard allows and nothing else.

Its devices stand in for others: 'device1' refuses NumPy functions as a GPU does,
'no_float64' has no double precision, 'no_x64' no 64-bit type at all.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .base import Array, Backend, Namespace, bound, imported


def _name(device: Any) -> str:
    return str(device).split("'")[1]


class ArrayAPIStrict(Backend):
    """array-api-strict on one of its stand-in devices."""

    name = "array_api_strict"
    remedy = "Install it (pip install array-api-strict), or use backend='numpy'"

    def __init__(self, device: Any = None) -> None:
        self.version()
        import array_api_strict as strict

        devices = strict.__array_namespace_info__().devices()
        if device is None:
            device = "CPU_DEVICE"
        if device not in devices:
            names = [_name(d) for d in devices]
            if device not in names:
                raise ValueError(
                    f"device={device!r}: backend='array_api_strict' has {', '.join(names)}."
                )
            device = strict.Device(device)
        self.device = device
        self.xp = Namespace(strict, **bound(strict, device))

    @classmethod
    def version(cls) -> str:
        array_api_strict = imported("array_api_strict")
        return str(array_api_strict.__version__)

    @staticmethod
    def owns(value: Any) -> bool:
        strict = sys.modules.get("array_api_strict")
        return strict is not None and isinstance(value, type(strict.empty(0)))

    @classmethod
    def of(cls, array: Array) -> Backend:
        return cls(array.device)

    def asarray(self, value: Any, dtype: str | None = None) -> Array:
        if self.owns(value):
            target = value.dtype if dtype is None else self.dtype(dtype)
            return self.xp.astype(value.to_device(self.device), target, copy=False)
        return self.xp.asarray(np.asarray(value, dtype=dtype))

    def to_host(self, array: Array) -> np.ndarray:
        import array_api_strict as strict

        return np.asarray(array.to_device(strict.Device("CPU_DEVICE")))

    @property
    def device_name(self) -> str:
        return _name(self.device)
