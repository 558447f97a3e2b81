"""Contestants for the tests of the race, made in its processes."""

from __future__ import annotations

import time


def right(task):
    """Trains nothing, twice an epoch of no time."""

    def fit(epoch_ended):
        print("not an answer")
        for _ in range(task.epochs):
            time.sleep(0.001)
            epoch_ended()
        return task.params

    return fit


def wrong(task, by=1.0):
    """Ends at other parameters."""

    def fit(epoch_ended):
        for _ in range(task.epochs):
            epoch_ended()
        return [(W + by, b) for W, b in task.params]

    return fit


def failing(task, rounds=0):
    """Fails after so many rounds."""
    done = []

    def fit(epoch_ended):
        if len(done) >= rounds:
            raise ValueError("no more")
        done.append(1)
        return right(task)(epoch_ended)

    return fit


def dying(task):
    """Ends its process."""
    raise SystemExit(9)


def hasty(task):
    """Ends before its epochs."""
    return lambda epoch_ended: epoch_ended()


def slow(task):
    """Never ends."""
    return lambda epoch_ended: time.sleep(60)


def threads(task):
    """Fails with its environment."""
    import os

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "?"
    raise RuntimeError(f"{os.environ['OPENBLAS_NUM_THREADS']} threads, {cores} cores")
