"""CuPy on CUDA devices."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .base import (
    Array,
    Backend,
    BackendUnavailableError,
    Namespace,
    Parts,
    Step,
    Tree,
    bound,
    imported,
)
from .captured_tape import CapturedTape
from .cuda_graphs import CaptureError, Capturer, capturing
from .cupy_fusion import CuPyNamespace
from .cupy_slots import CuPySlot
from .nccl import NCCL, CudaSum
from .reductions import StagedSum
from .slots import Layouts, Slot
from .taped import Taped


@functools.cache
def _failure() -> str | None:
    """Return why CuPy cannot compute here; None if it can.

    ``cupy.is_available`` proves neither the headers that kernels are compiled with nor
    cuBLAS, so one ufunc and one product are run.
    """
    try:
        cupy = imported("cupy")
    except BackendUnavailableError as error:
        return str(error)
    if not cupy.is_available():
        return f"no CUDA device was found ({_device_error(cupy)})"
    try:
        ones = cupy.ones((2, 2), dtype=cupy.float32)
        float((ones @ ones + ones).sum())
    except (
        ImportError,
        RuntimeError,
        MemoryError,
        cupy.cuda.compiler.CompileException,
    ) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return f"a first kernel and product failed ({reason})"
    return None


def _device_error(cupy: Any) -> str:
    try:
        cupy.cuda.runtime.getDeviceCount()
    except RuntimeError as error:
        return str(error).split(":")[0]
    return "the driver lists none"


def _index(device: Any, count: int) -> int | None:
    """Return the index of a device: None, 'cuda', 'cuda:N', N, or a CuPy Device."""
    index = getattr(device, "id", device)
    if isinstance(index, str):
        platform, _, number = index.partition(":")
        index = int(number or 0) if platform == "cuda" and (number or "0").isdigit() else None
    elif index is None:
        return None
    if not isinstance(index, int) or not 0 <= index < count:
        known = ", ".join(f"cuda:{i}" for i in range(count))
        raise ValueError(f"device={device!r}: CuPy has {known}.")
    return index


def _on(device: Any, create: Callable[..., Array]) -> Callable[..., Array]:
    """Return a creation function that allocates on a device, whichever is current."""

    def created(*args: Any, **options: Any) -> Array:
        with device:
            return create(*args, **options)

    return created


class CuPy(Taped):
    """CuPy arrays on one CUDA device."""

    name = "cupy"
    at_once = 1 << 62  # never: a large state takes no more memory call by call
    transports = ("host", "cuda", "nccl")
    remedy = (
        "Install an NVIDIA driver and a CuPy that matches it "
        "(pip install 'cupy-cuda12x[ctk]' or 'cupy-cuda13x[ctk]'), or use backend='numpy'"
    )
    _capture = False
    _capturer: Capturer | None = None

    def __init__(self, device: Any = None) -> None:
        self.version()
        import array_api_compat.cupy as compat
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
        self.device = cupy.cuda.Device(_index(device, count))
        made = bound(compat, None).items()
        created = {name: _on(self.device, create) for name, create in made}
        self.xp = Namespace(compat, **created)
        self._fused = CuPyNamespace(compat, **created)
        self._start()
        self._capture = os.environ.get("XPNET_CUDA_GRAPHS") == "1"

    @classmethod
    def version(cls) -> str:
        failure = _failure()
        if failure is not None:
            raise BackendUnavailableError(failure)
        return str(imported("cupy").__version__)

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

    def free_memory(self) -> int | None:
        import cupy

        with self.device:  # the pool is the current device's; what it keeps can be used again
            return int(self.device.mem_info[0] + cupy.get_default_memory_pool().free_bytes())

    @contextlib.contextmanager
    def session(self, dtype: str) -> Iterator[None]:
        import cupy

        with super().session(dtype), self.device:
            try:
                yield
            except cupy.cuda.memory.OutOfMemoryError as error:
                free, total = self.free_memory(), self.device.mem_info[1]
                raise MemoryError(
                    f"backend='cupy': {error}. {self.device_name} has {free:,} of {total:,} bytes "
                    "free. Pass a smaller batch_size, dtype='float32', images as uint8, or the "
                    "data as an xpnet.Stream."
                ) from error

    @functools.cached_property
    def _copying(self) -> Any:
        """The stream that all slots are copied on."""
        import cupy

        with self.device:
            return cupy.cuda.Stream(non_blocking=True)

    def slot(self, layouts: Layouts) -> Slot:
        return CuPySlot(self, layouts, self._copying)

    def _join(self, comm: Any, transport: str) -> None:
        if self._capture:
            self._stop_capturing("sums over ranks are not captured")
        summed = self._summed(comm, transport)
        for xp in (self.xp, self._fused):
            xp.replace(all_reduce=summed)

    def _summed(self, comm: Any, transport: str) -> Callable[[Array], Array]:
        """Return what sums an array over all ranks."""
        if transport == "nccl":
            return NCCL(comm, self.device).all_reduce
        return CudaSum(comm, self.device) if transport == "cuda" else StagedSum(self, comm)

    def _compiled(
        self, step: Step, state: Tree, parts: Parts, data: Tree
    ) -> tuple[Tree, list[Array]]:
        """Run the steps as graphs, where they are asked for, or one kernel for each rule."""
        if self._capture:
            try:
                return super()._compiled(step, state, parts, data)
            except CaptureError as error:
                self._stop_capturing(str(error))
        return self._eager(self._before_it_is_recorded(step), state, parts, data)

    def _before_it_is_recorded(self, step: Step) -> Step:
        def fused(xp: Namespace, *args: Any) -> tuple[Tree, Array]:
            return step(self._fused, *args)

        return fused

    def _record(self, step: Step, state: Tree, x: tuple[Array, ...], data: Tree) -> CapturedTape:
        with capturing():
            if self._capturer is None:
                self._capturer = Capturer(self.xp, self.device)
            return CapturedTape(self._capturer, self._capturer.record(step, state, x, data))

    def _stop_capturing(self, reason: str) -> None:
        """Go on without graphs, and say why."""
        self._capture, self._capturer = False, None
        self._start()
        warnings.warn(
            f"backend='cupy': no CUDA graph could be made ({reason}). The steps run without, "
            "which takes longer.",
            RuntimeWarning,
            stacklevel=2,
        )

    @property
    def device_name(self) -> str:
        return f"cuda:{self.device.id}"
