"""JAX: whole epochs in one compiled call."""

from __future__ import annotations

import contextlib
import functools
import os
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

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
from .slots import Layouts, Slot


class JAX(Backend):
    """JAX arrays on any of its devices; float64 runs inside ``jax.enable_x64``."""

    mutable = False
    whole_epochs = True
    name = "jax"
    remedy = "Install it (pip install jax), or use backend='numpy'"
    _programs: ClassVar[weakref.WeakKeyDictionary[Step, dict[Any, Any]]] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(self, device: Any = None) -> None:
        self.version()
        import jax
        import jax.numpy as jnp

        if device is None:
            self.device = jax.devices()[0]
        elif isinstance(device, jax.Device):
            self.device = device
        else:
            self.device = self._find(device)
        # Rows are known to lie in range: without "clip" each take would test for it.
        take = functools.partial(jnp.take, mode="clip")
        self.xp = Namespace(jnp, take=take, **bound(jnp, self.device))

    @staticmethod
    def _find(name: Any) -> Any:
        import jax

        platform, _, index = str(name).partition(":")
        try:
            return jax.devices(platform)[int(index or 0)]
        except (RuntimeError, ValueError, IndexError) as error:
            known = ", ".join(f"{d.platform}:{d.id}" for d in jax.devices())
            raise ValueError(f"device={name!r}: JAX has {known}.") from error

    @classmethod
    def version(cls) -> str:
        jax = imported("jax")
        if not hasattr(jax, "enable_x64"):
            raise BackendUnavailableError(f"jax {jax.__version__} is too old, 0.8 is needed")
        try:
            jax.devices()
        except (RuntimeError, AssertionError) as error:  # the latter for JAX_PLATFORMS=cuda
            wanted = os.environ.get("JAX_PLATFORMS")
            raise BackendUnavailableError(
                f"JAX found no device (JAX_PLATFORMS={wanted!r})"
            ) from error
        return str(jax.__version__)

    @staticmethod
    def owns(value: Any) -> bool:
        from array_api_compat import is_jax_array

        return is_jax_array(value)

    @classmethod
    def of(cls, array: Array) -> Backend:
        device = getattr(array, "device", None)
        return cls(device if hasattr(device, "platform") else None)

    def asarray(self, value: Any, dtype: str | None = None) -> Array:
        import jax

        if not self.owns(value):
            value = np.asarray(value, dtype=dtype)
        elif dtype is not None:
            value = value.astype(dtype)
        return jax.device_put(value, self.device)

    def upload(self, value: np.ndarray, dtype: str | None = None) -> Array:
        return np.asarray(value, dtype=dtype)  # a compiled call brings it over, and sooner

    def to_host(self, array: Array) -> np.ndarray:
        return np.asarray(array)

    def free_memory(self) -> int | None:
        if self.device.platform == "cpu":
            return super().free_memory()
        told = self.device.memory_stats() or {}
        limit = told.get("bytes_limit")
        return None if limit is None else int(limit - told.get("bytes_in_use", 0))

    @contextlib.contextmanager
    def session(self, dtype: str) -> Iterator[None]:
        import jax

        with (
            super().session(dtype),
            jax.enable_x64(dtype == "float64"),
            jax.default_device(self.device),
            # Accelerators would round products to fewer digits by default.
            jax.default_matmul_precision("highest"),
        ):
            yield

    def slot(self, layouts: Layouts) -> Slot:
        return _CopyingSlot(self, layouts)

    def _compiled(
        self, step: Step, state: Tree, parts: Parts, data: Tree
    ) -> tuple[Tree, list[Array]]:
        self.check_step(step, compile=True)
        programs = self._programs.setdefault(step, {})
        if self.device not in programs:
            programs[self.device] = self._compile(step)
        return programs[self.device](state, tuple(parts), data)

    def _compile(self, step: Step) -> Any:
        """Return a program of all steps of an epoch, the smaller last batch included."""
        import jax

        # The step is reached weakly, or the cache's value would keep its own key alive.
        reach, xp = weakref.ref(step), self.xp

        def epoch(state: Tree, parts: Parts, data: Tree) -> tuple[Tree, list[Array]]:
            run, ys = reach(), []
            assert run is not None
            for xs in parts:
                state, y = jax.lax.scan(lambda carry, x: run(xp, carry, x, data), state, xs)
                ys.append(y)
            return state, ys

        # The state is not donated: its owner keeps it, to go back to after an epoch that fails,
        # and to donate a copy of it takes longer.
        return jax.jit(epoch)


class _CopyingSlot(Slot):
    """A slot that brings copies: JAX may use host memory as it is, and later than the call."""

    def bring(self) -> tuple[Array, ...]:
        return tuple(self._backend.asarray(array.copy()) for array in self.host)
