"""PyTorch: run eagerly, without its autograd."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .base import Array, Backend, Namespace, bound, imported


class Torch(Backend):
    """PyTorch tensors on any of its devices."""

    name = "torch"
    remedy = "Install it (pip install torch), or use backend='numpy'"

    def __init__(self, device: Any = None) -> None:
        self.version()
        import array_api_compat.torch as compat
        import torch

        try:
            self.device = torch.device("cpu" if device is None else device)
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"device={device!r}: PyTorch cannot use it ({reason}).") from error
        self.xp = Namespace(compat, **bound(compat, self.device))

    @classmethod
    def version(cls) -> str:
        torch = imported("torch")
        return str(torch.__version__)

    @staticmethod
    def owns(value: Any) -> bool:
        from array_api_compat import is_torch_array

        return is_torch_array(value)

    @classmethod
    def of(cls, array: Array) -> Backend:
        return cls(array.device)

    def asarray(self, value: Any, dtype: str | None = None) -> Array:
        import torch

        target = None if dtype is None else getattr(torch, dtype)
        if not self.owns(value):
            value = np.asarray(value, dtype=dtype)
            if not value.flags.writeable or min(value.strides, default=0) < 0:
                value = value.copy()
        return torch.as_tensor(value, dtype=target, device=self.device).detach()

    def to_host(self, array: Array) -> np.ndarray:
        return np.asarray(array.detach().cpu())

    def free_memory(self) -> int | None:
        import torch

        if self.device.type == "cuda":
            return int(torch.cuda.mem_get_info(self.device)[0])
        return super().free_memory() if self.device.type == "cpu" else None

    @contextlib.contextmanager
    def session(self, dtype: str) -> Iterator[None]:
        import torch

        with super().session(dtype), torch.no_grad():
            yield
