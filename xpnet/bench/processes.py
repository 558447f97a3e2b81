"""Processes of their own, with so many threads."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .contestant import Contestant

_ROOT = Path(__file__).resolve().parents[2]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def environment(threads: int, paths: Sequence[str] = ()) -> dict[str, str]:
    """Return the environment of a process that computes on so many threads.

    Parameters
    ----------
    threads : int
    paths : sequence of str
        Where modules are looked for too.
    """
    found = dict(os.environ) | dict.fromkeys(_THREADS, str(threads))
    found |= {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}  # who waits must not spin
    found |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "PYTHONWARNINGS": "ignore"}
    if threads == 1:
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        found["XLA_FLAGS"] = f"{found.get('XLA_FLAGS', '')} {flags}".strip()
    path = [*paths, str(_ROOT), found.get("PYTHONPATH", "")]
    return found | {"PYTHONPATH": os.pathsep.join(filter(None, path))}


def confine(pid: int, threads: int) -> None:
    """Keep a process on so many cores: JAX's threads heed nothing else."""
    with contextlib.suppress(AttributeError, OSError):  # other systems, or it is not allowed
        os.sched_setaffinity(pid, sorted(os.sched_getaffinity(0))[-threads:])


class WorkerError(RuntimeError):
    """A contestant failed, is absent, or took too long; the message says which."""


class Worker:
    """A contestant in its own process.

    Parameters
    ----------
    contestant : Contestant
    folder : path
        Where the task was saved.
    threads : int
    paths : sequence of str
        Where modules are looked for too.
    limit : float
        The seconds that a round may take.
    """

    def __init__(
        self,
        contestant: Contestant,
        folder: Path,
        threads: int,
        paths: Sequence[str] = (),
        limit: float = 300.0,
    ) -> None:
        self.limit = limit
        threads = contestant.threads or threads
        arguments = [str(folder), contestant.maker, json.dumps(contestant.options)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "xpnet.bench.worker", *arguments],
            env=environment(threads, paths),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        confine(self.process.pid, threads)

    def answer(self) -> dict[str, Any]:
        """Return the next answer, the first after the round to warm up.

        Raises
        ------
        WorkerError
            There is none.
        """
        assert self.process.stdout is not None
        timer = threading.Timer(self.limit, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            in_time = timer.is_alive()
            timer.cancel()
        if not line:
            code = self.process.wait()
            what = f"ended with exit code {code}" if in_time else f"took over {self.limit:g} s"
            raise WorkerError(f"its process {what}")
        told = json.loads(line)
        if "failed" in told:
            raise WorkerError(told["failed"])
        return told

    def round(self) -> dict[str, Any]:
        """Run a round and return the answer."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except OSError as error:
            raise WorkerError(f"its process is gone ({error})") from error
        return self.answer()

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what was not written is of no use any more
                pipe.close()
