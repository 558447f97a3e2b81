"""Whether a command is one of several ranks, started by mpiexec."""

from __future__ import annotations

import os
import sys
from typing import Any

_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
"""Where MPICH and Open MPI tell a process how many there are."""


def world() -> Any:
    """Return the communicator of all ranks; None where this process is alone.

    Raises
    ------
    ValueError
        The ranks know nothing of each other: each would do the whole work.
    """
    if "mpi4py" in sys.modules:
        from mpi4py import MPI

        return MPI.COMM_WORLD if MPI.COMM_WORLD.Get_size() > 1 else None
    if any(int(os.environ.get(name, "1")) > 1 for name in _SIZES):
        raise ValueError(
            "mpiexec has started several processes that know nothing of each other. Start them by "
            "mpiexec -n N python -m mpi4py -m xpnet train …"
        )
    return None


def is_first() -> bool:
    """Return whether this process is the one that prints and writes files."""
    comm = world() if "mpi4py" in sys.modules else None
    return comm is None or comm.Get_rank() == 0
