"""Sums over the ranks of a communicator between GPUs: by NCCL, or by an MPI that knows CUDA.

Neither has run on two GPUs yet, until when NCCL is experimental (docs/gpu-results.md).
"""

from __future__ import annotations

import contextlib
import socket
import warnings
from collections import defaultdict
from typing import Any

from .base import Array

__all__ = ["NCCL", "CudaSum"]


class CudaSum:
    """The sum of a CuPy array over all ranks by a CUDA-aware MPI. It has not run yet.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        Of an MPI that takes device memory.
    device : cupy.cuda.Device
    """

    def __init__(self, comm: Any, device: Any) -> None:
        self._comm, self._device = comm, device

    def __call__(self, x: Array) -> Array:
        import cupy

        with self._device:
            sent = cupy.asarray(x, order="C")
            received = cupy.empty(sent.shape, sent.dtype)
            # MPI knows nothing of streams, on which either array may still be in use.
            cupy.cuda.get_current_stream().synchronize()
            self._comm.Allreduce(sent, received)
        return received


class NCCL:
    """The sum of a CuPy array over all ranks by NCCL, each of which has a GPU of its own.

    Experimental until it has run on two GPUs. All ranks make one together.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        Over which the ranks find each other.
    device : cupy.cuda.Device
        This rank's.

    Raises
    ------
    ValueError
        Two ranks are on one GPU, or a rank has no NCCL: on all ranks alike.
    """

    def __init__(self, comm: Any, device: Any) -> None:
        self._device = device
        nccl = _library()
        ranks = comm.allgather((socket.gethostname(), device.pci_bus_id, nccl is not None))
        _check(ranks)
        assert nccl is not None
        self._types = {"float32": nccl.NCCL_FLOAT32, "float64": nccl.NCCL_FLOAT64}
        self._sum = nccl.NCCL_SUM
        key = comm.bcast(nccl.get_unique_id() if comm.rank == 0 else None)
        with device:
            self._comm = nccl.NcclCommunicator(comm.size, key, comm.rank)

    def all_reduce(self, array: Array) -> Array:
        """Return the sum over all ranks of a float32 or float64 array, on the current stream."""
        import cupy

        if array.dtype.name not in self._types:
            raise TypeError(
                f"transport='nccl' sums float32 and float64, but an array of {array.dtype} came in."
            )
        with self._device:
            sent = cupy.asarray(array, order="C")
            received = cupy.empty(sent.shape, sent.dtype)
            self._comm.allReduce(
                sent.data.ptr,
                received.data.ptr,
                sent.size,
                self._types[array.dtype.name],
                self._sum,
                cupy.cuda.get_current_stream().ptr,
            )
        return received


def _library() -> Any:
    """Return CuPy's wrapper of NCCL, or None where NCCL is not installed."""
    with warnings.catch_warnings(), contextlib.suppress(ImportError):
        warnings.simplefilter("ignore")  # CuPy warns, and our message says more
        from cupy.cuda import nccl

        return nccl if nccl.available else None
    return None


def _check(ranks: list[tuple[str, str, bool]]) -> None:
    """Refuse ranks, given as (host, GPU, whether there is NCCL), that NCCL cannot join."""
    places = defaultdict(list)
    for rank, (host, gpu, has_nccl) in enumerate(ranks):
        if not has_nccl:
            raise ValueError(
                f"transport='nccl': rank {rank} on {host} has no NCCL. Install it there "
                "(pip install nvidia-nccl-cu12, or -cu13), or use transport='host'."
            )
        places[host, gpu].append(rank)
    for (host, gpu), several in places.items():
        if len(several) > 1:
            told = " and ".join(map(str, several))
            raise ValueError(
                f"transport='nccl': ranks {told} are on one GPU, {gpu} of {host}, which NCCL "
                f"refuses. Give each rank one of its own (device='cuda:{several[1]}' for rank "
                f"{several[1]}), or use transport='host'."
            )
