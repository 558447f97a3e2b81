"""The race: all contestants on one task, round after round in turn."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .contestant import Contestant
from .processes import Worker, WorkerError
from .workloads import Workload, make_task


@dataclass(eq=False)
class Entry:
    """What came of a contestant.

    Attributes
    ----------
    contestant : Contestant
    seconds : list of float
        Of each round's epochs but the first.
    wholes : list of float
        Of each round's whole call.
    losses : list of float
        At the end of each round, the one to warm up included; none of the floor.
    first : dict
        The answer to the first round: ``import`` and ``first_fit`` in seconds, ``peak`` in bytes.
    failure : str or None
        Why there is nothing else.
    """

    contestant: Contestant
    seconds: list[float] = field(default_factory=list)
    wholes: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    first: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None

    def add(self, told: dict[str, Any], *, warm: bool = True) -> None:
        """Keep an answer of its process; the first one is not timed."""
        if warm:
            self.seconds.append(told["seconds"])
            self.wholes.append(told["whole"])
        else:
            self.first = told
        if told["loss"] is not None:
            self.losses.append(told["loss"])


@dataclass(eq=False)
class Result:
    """A race that was run.

    Attributes
    ----------
    workload : Workload
    origin : str
        What the data are.
    threads : int
    steps : int
        That a round's seconds are of.
    start : float
        The loss before the first step.
    entries : dict of str to Entry
        By the contestants' labels.
    """

    workload: Workload
    origin: str
    threads: int
    steps: int
    start: float
    entries: dict[str, Entry]

    @property
    def loss(self) -> float:
        """The loss in the end: the median of the contestants', so that one cannot move it."""
        return statistics.median([e.losses[0] for e in self.entries.values() if e.losses])

    def wrong(self, entry: Entry) -> bool:
        """Return whether a contestant trained something else than the others."""
        if not entry.losses:
            return False
        bound = self.workload.tolerance * abs(self.start - self.loss)
        return any(not abs(loss - self.loss) <= bound for loss in entry.losses)  # NaN is wrong

    @property
    def right(self) -> bool:
        """Whether all that finished agree, and xpnet is among them."""
        return self.reference is not None and not any(map(self.wrong, self.finished.values()))

    @property
    def reference(self) -> str | None:
        """The label of the contestant that the others are compared with: xpnet's first."""
        return next((label for label in self.finished if label.startswith("xpnet ")), None)

    @property
    def finished(self) -> dict[str, Entry]:
        """The contestants that did not fail."""
        return {label: e for label, e in self.entries.items() if e.failure is None}

    def step(self, label: str) -> float:
        """Return the seconds of a step: the median of the rounds."""
        return statistics.median(self.entries[label].seconds) / self.steps

    def ratios(self, slow: str, fast: str) -> list[float]:
        """Return the ratios of two contestants' seconds, round by round."""
        pair = self.entries[slow].seconds, self.entries[fast].seconds
        return [a / b for a, b in zip(*pair, strict=True)]

    def whole_ratio(self, slow: str, fast: str) -> float:
        """Return the median ratio of two contestants' whole calls, round by round."""
        pair = self.entries[slow].wholes, self.entries[fast].wholes
        return statistics.median(a / b for a, b in zip(*pair, strict=True))

    def ratio(self, slow: str, fast: str) -> float:
        """Return the median of those ratios."""
        return statistics.median(self.ratios(slow, fast))

    def best(self, name: str) -> str | None:
        """Return the label of the fastest contestant of a name: its best number of threads."""
        found = [label for label, e in self.finished.items() if e.contestant.name == name]
        return min(found, key=self.step) if found else None


def race(
    workload: Workload,
    contestants: Sequence[Contestant],
    *,
    rounds: int = 5,
    threads: int = 1,
    data_home: str | None = None,
    paths: Sequence[str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> Result:
    """Let all contestants train the same, each in its own process; they take turns.

    Parameters
    ----------
    workload : Workload
    contestants : sequence of Contestant
    rounds : int, default 5
    threads : int, default 1
    data_home : str, optional
        The folder of MNIST's files.
    paths : sequence of str
        Where the contestants' modules are looked for too.
    tell : callable
        Told in a line what goes on.

    Returns
    -------
    Result
        Contestants that failed or are absent are in it, with the reason.
    """
    task, origin = make_task(workload, data_home)
    entries = {c.label: Entry(c) for c in contestants}
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="xpnet-bench-")))
        task.save(folder)
        workers: dict[str, Worker] = {}
        for label, entry in entries.items():
            workers[label] = Worker(entry.contestant, folder, threads, paths)
            ends.callback(workers[label].close)
            _ask(entry, workers[label].answer, warm=False)
            told = entry.failure or f"first fit {entry.first['first_fit']:.2f} s"
            tell(f"{workload.name}, {threads} thread(s): {label}: {told}")
        for k in range(rounds):
            for label, entry in entries.items():
                if entry.failure is None:
                    _ask(entry, workers[label].round)
            tell(f"{workload.name}, {threads} thread(s): round {k + 1} of {rounds}")
    steps = (task.epochs - 1) * task.steps_per_epoch
    return Result(workload, origin, threads, steps, task.loss(task.params), entries)


def _ask(entry: Entry, question: Callable[[], dict[str, Any]], *, warm: bool = True) -> None:
    try:
        entry.add(question(), warm=warm)
    except WorkerError as error:
        entry.failure = str(error)
