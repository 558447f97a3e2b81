"""A contestant's own process: it makes the contestant, then runs a round for each line it reads.

    python -m xpnet.bench.worker FOLDER MAKER OPTIONS

It answers in lines of JSON, the first after a round to warm up. Whatever else is printed goes to
stderr.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from .contestant import Fit
from .memory import peak
from .task import Task


def main(folder: str, maker: str, options: str) -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def answer(told: dict[str, Any]) -> None:
        print(json.dumps(told), file=answers, flush=True)

    try:
        task = Task.load(Path(folder))
        module, _, function = maker.partition(":")
        began = time.perf_counter()
        make = getattr(importlib.import_module(module), function)
        imported = time.perf_counter() - began
        began = time.perf_counter()
        fit = make(task, **json.loads(options))
        answer({"import": imported} | run_round(task, fit, began))
        for _ in sys.stdin:
            answer(run_round(task, fit))
    except Exception as error:  # of whatever kind: it is told, and the others go on
        answer({"failed": f"{type(error).__name__}: {error}"})


def run_round(task: Task, fit: Fit, began: float | None = None) -> dict[str, Any]:
    """Train from the start; return the seconds of the epochs after the first, of all, the results.

    `began` is when the contestant itself began to be made, in the first round.
    """
    called = time.perf_counter()
    began = called if began is None else began
    ends: list[float] = []
    params = fit(lambda: ends.append(time.perf_counter()))
    whole = time.perf_counter() - called
    if len(ends) != task.epochs:
        raise RuntimeError(f"{len(ends)} epochs were run, {task.epochs} were asked for")
    told: dict[str, Any] = {
        "first_fit": ends[0] - began,
        "seconds": ends[-1] - ends[0],
        "whole": whole,
        "peak": peak(),
    }
    return told | {"loss": None if params is None else task.loss(params)}


if __name__ == "__main__":
    main(*sys.argv[1:])
