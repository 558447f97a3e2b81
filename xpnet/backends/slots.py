"""Slots: memory that one thread fills on the host while another computes with what it held before.

The thread that fills calls ``wait``, writes into ``host`` and calls ``bring``, in a session of the
backend of its own (sessions belong to threads). The thread that computes calls ``ready``, launches
its steps and calls ``used``; then the slot may be filled again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .base import Array, Backend

__all__ = ["Layouts", "Slot"]

Layouts = Sequence[tuple[tuple[int, ...], str]]
"""Shape and type's name of each array."""


class Slot:
    """Host memory that is filled again and again, and what a step reads of it on the device.

    This one is for libraries that compute before they return, or copy what they bring over. On
    NumPy, and on PyTorch's CPU, what is brought is the host memory itself.

    Parameters
    ----------
    backend : Backend
    layouts : sequence of (shape, str)
        Shape and type's name of each array.

    Attributes
    ----------
    host : tuple of numpy.ndarray
        What is filled.

    Examples
    --------
    >>> from xpnet import backends
    >>> slot = backends.get("numpy").slot([((2,), "float32")])
    >>> slot.wait()
    >>> slot.host[0][:] = 3
    >>> (x,) = slot.bring()
    >>> slot.ready()
    >>> float(x.sum())
    6.0
    >>> slot.used()
    """

    host: tuple[np.ndarray, ...]

    def __init__(self, backend: Backend, layouts: Layouts) -> None:
        self._backend = backend
        self.host = tuple(np.empty(shape, dtype) for shape, dtype in layouts)

    def wait(self) -> None:
        """Return when the host arrays may be overwritten, in the thread that fills them.

        The slot's last ``used`` has been called before.
        """

    def bring(self) -> tuple[Array, ...]:
        """Return device arrays with the numbers of `host`, in the thread that has filled it.

        They are other objects each time: a tape takes equal objects for equal numbers.
        """
        return tuple(self._backend.asarray(array[...]) for array in self.host)

    def ready(self) -> None:
        """Let the steps that the calling thread launches from now on read the arrays."""

    def used(self) -> None:
        """Tell that all steps which read the arrays have been launched by the calling thread."""
