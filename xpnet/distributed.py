"""The ranks that train a net together: who has which rows, and what they tell each other."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from . import validation
from .backends import Array, Backend, Namespace
from .backends.threads import limited

__all__ = ["ALONE", "TRANSPORTS", "Connected", "RankError", "Ranks", "ranks_of"]

TRANSPORTS = ("host", "cuda", "nccl")
"""How sums of device arrays travel: by way of the host, by a CUDA-aware MPI, by NCCL."""

_SECONDS_TO_TELL = 0.3
"""mpiexec ends all where one rank aborts, and drops what it has not passed on yet."""

_CALLS = ("Get_rank", "Get_size", "Allreduce", "bcast", "allgather", "Abort")


def check_comm(comm: Any) -> Any:
    """Return the communicator if it is one of mpi4py."""
    missing = [name for name in _CALLS if not hasattr(comm, name)]
    if missing:
        raise TypeError(
            f"comm={comm!r} must be a communicator of mpi4py, such as mpi4py.MPI.COMM_WORLD."
        )
    return comm


class RankError(RuntimeError):
    """Another rank failed; the message is that rank's."""


class Ranks:
    """The processes of a run, as one of them sees them; these are one that is alone.

    Attributes
    ----------
    rank, size : int
        The number of this process, and how many there are.
    average_every : int or None
        For so many steps each rank trains by itself, before parameters and optimizer state are
        averaged (local SGD). None is gradients that are summed at every step.
    """

    rank, size = 0, 1
    average_every: int | None = None

    def __repr__(self) -> str:
        return f"{self.size} rank(s), average_every={self.average_every}"

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.size == 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that prints, writes files, and runs the callbacks."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """Return which of n rows of a batch are this rank's."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def join(self, backend: Backend) -> None:
        """Let the backend's ``xp.all_reduce`` add up arrays over the ranks."""

    def limited(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which a rank's BLAS has its part of the machine's cores."""
        return contextlib.nullcontext()

    def rounds(self, windows: list[np.ndarray], first: int) -> Iterator[list[np.ndarray]]:
        """Yield rows of steps that follow each other, up to where the ranks are averaged.

        Parameters
        ----------
        windows : list of integer arrays of shape (steps, ...)
        first : int
            The number of the first step.
        """
        yield windows

    def averaged(self, xp: Namespace, arrays: Sequence[Array], seen: int, total: int) -> Any:
        """Return the mean of the ranks' arrays, each weighed by the rows that it has seen.

        Parameters
        ----------
        xp : namespace of the arrays, with `all_reduce`
        arrays : sequence of arrays of one shape
        seen, total : int
            Rows of this rank, and of all.
        """
        return arrays

    def agreed(self, value: Any) -> Any:
        """Return the first rank's value on all of them."""
        return value

    def total(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of host arrays over all ranks."""
        return values

    def alike(self) -> contextlib.AbstractContextManager[Any]:
        """Raise on all ranks where one of them fails; what is done within must not wait for them.

        Raises
        ------
        RankError
            Another rank failed; the message is that rank's.
        """
        return contextlib.nullcontext()

    def together(self, *expected: type[BaseException]) -> contextlib.AbstractContextManager[Any]:
        """End all ranks where one of them fails, since the others would wait for it forever.

        Parameters
        ----------
        *expected : exception types
            Those that all ranks raise alike, and which go their way.
        """
        return contextlib.nullcontext()

    def check_same(self, given: dict[str, Any]) -> None:
        """Raise on all ranks where they were given different things."""


class Connected(Ranks):
    """The ranks of a communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
    average_every : int, optional
    transport : {'host', 'cuda', 'nccl'}, default 'host'
        How sums of device arrays travel, see `Backend.joined`.
    """

    def __init__(
        self, comm: Any, average_every: int | None = None, transport: str = "host"
    ) -> None:
        self.comm = check_comm(comm)
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        if average_every is not None:
            average_every = validation.check_integer("average_every", average_every)
        self.average_every = average_every
        self.transport = validation.check_choice("transport", transport, TRANSPORTS)

    def join(self, backend):
        backend.joined(self.comm, self.transport)

    def agreed(self, value):
        return self.comm.bcast(value, root=0)

    def total(self, values):
        values = np.ascontiguousarray(values)
        total = np.empty_like(values)
        self.comm.Allreduce(values, total)
        return total

    def limited(self):
        # Ranks that were bound to cores of their own share them with nobody.
        cores = self.comm.allgather((platform.node(), _cores()))
        own = cores[self.rank]
        return limited(max(1, len(own[1]) // cores.count(own)))

    def rounds(self, windows, first):
        if self.average_every is None:
            yield windows
            return
        # By the steps' numbers alone: sizes of batches change at other steps on other ranks.
        steps, left = [], self.average_every - first % self.average_every
        for window in windows:
            while len(window):
                steps.append(window[:left])
                window, left = window[left:], left - len(steps[-1])
                if left == 0:
                    yield steps
                    steps, left = [], self.average_every
        if steps:
            yield steps

    def averaged(self, xp, arrays, seen, total):
        if self.average_every is None or self.alone:
            return arrays
        flat = xp.all_reduce(xp.concat(list(arrays), axis=-1) * float(seen)) / float(total)
        n = arrays[0].shape[-1]
        return tuple(flat[..., k * n : (k + 1) * n] for k in range(len(arrays)))

    @contextlib.contextmanager
    def alike(self):
        failure = None
        try:
            yield
        except Exception as error:
            failure = error
        told = self.comm.allgather(failure and f"{type(failure).__name__}: {failure}")
        if failure is not None:
            raise failure
        for rank, text in enumerate(told):
            if text is not None:
                raise RankError(f"Rank {rank} of {self.size} failed: {text}")

    def check_same(self, given):
        told = self.comm.allgather({name: str(value) for name, value in given.items()})
        for name in given:
            texts = [own[name] for own in told]
            if len(set(texts)) > 1:
                each = "; ".join(f"rank {rank}: {text}" for rank, text in enumerate(texts))
                raise ValueError(
                    f"The ranks were given different {name} ({each}). Give all of them the same: "
                    "each takes its share."
                )

    @contextlib.contextmanager
    def together(self, *expected):
        try:
            yield
        except expected:
            raise
        except BaseException:
            if self.size == 1:
                raise
            sys.stdout.flush()
            traceback.print_exc()
            print(f"Rank {self.rank} of {self.size} failed: all ranks end.", file=sys.stderr)
            sys.stderr.flush()
            time.sleep(_SECONDS_TO_TELL)
            self.comm.Abort(1)
            raise


ALONE = Ranks()


def ranks_of(comm: Any, average_every: Any = None, transport: Any = "host") -> Ranks:
    """Return the ranks of a communicator; without one, this process alone."""
    if comm is not None:
        return Connected(comm, average_every, transport)
    if average_every is not None or transport != "host":
        raise ValueError(
            f"average_every={average_every!r}, transport={transport!r} are for several ranks: pass "
            "comm= too, such as mpi4py.MPI.COMM_WORLD."
        )
    return ALONE


def _cores() -> tuple[int, ...]:
    try:
        return tuple(sorted(os.sched_getaffinity(0)))
    except AttributeError:  # not on every system
        return tuple(range(os.cpu_count() or 1))
