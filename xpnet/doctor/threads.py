"""BLAS threads against the cores that the process may use."""

from __future__ import annotations

import os
import sys

import joblib
import threadpoolctl

from .finding import Finding

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """Return how many cores this process may use, by its affinity and its container's share."""
    return int(joblib.cpu_count())


def too_many_threads() -> Finding | None:
    """Find more threads than cores: they wait for one another."""
    most = cores()
    asked = {name: number for name in VARIABLES if (number := _number(name)) > most}
    running = {
        library["internal_api"]: library["num_threads"]
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas" and library["num_threads"] > most
    }
    if not asked and not running:
        return None
    told = [f"{name}={number}" for name, number in asked.items()]
    told += [f"{name} runs {number} threads" for name, number in running.items()]
    return Finding(
        f"{', '.join(told)}, where this process may use {most} core{'s' * (most > 1)}",
        " && ".join(f"{_set()} {name}={most}" for name in asked or VARIABLES[:1]),
    )


def _number(variable: str) -> int:
    """Return the number of threads that a variable asks for; 0 where it asks for none."""
    first = os.environ.get(variable, "").partition(",")[0].strip()
    return int(first) if first.isdecimal() else 0


def _set() -> str:
    return "set" if sys.platform == "win32" else "export"
