"""Sums over the ranks of a communicator, staged through the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .base import Array, Backend
    from .tape import Instruction

__all__ = ["HostSum", "StagedSum"]


class HostSum:
    """The sum of a host array over all ranks, as a call and as an instruction of a tape.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        Its ``Allreduce`` adds buffers.
    """

    def __init__(self, comm: Any) -> None:
        self._comm = comm

    def __call__(self, x: Any, out: np.ndarray | None = None) -> np.ndarray:
        x = np.asarray(x)
        out = np.empty(x.shape, dtype=x.dtype) if out is None else out
        function, args = self.into(out, x)
        function(*args)
        return out

    def into(self, out: np.ndarray, x: np.ndarray) -> Instruction:
        """Return the call that writes the sum into `out`, which does not overlap `x`."""
        if x.flags.c_contiguous and out.flags.c_contiguous:
            return self._comm.Allreduce, (x, out)
        return self._by_copies, (x, out)

    def _by_copies(self, x: np.ndarray, out: np.ndarray) -> None:
        """Add arrays with gaps, or in another order, which a communicator would not take."""
        received = np.empty(x.shape, dtype=x.dtype)
        self._comm.Allreduce(np.array(x, order="C"), received)
        np.copyto(out, received)


class StagedSum:
    """The sum of a device array over all ranks: to the host, over the ranks, and back.

    Parameters
    ----------
    backend : Backend
    comm : mpi4py.MPI.Comm
    """

    def __init__(self, backend: Backend, comm: Any) -> None:
        self._backend, self._sum = backend, HostSum(comm)

    def __call__(self, x: Array) -> Array:
        return self._backend.asarray(self._sum(self._backend.to_host(x)))
