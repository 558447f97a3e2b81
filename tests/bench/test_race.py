"""The race: processes of their own, in turn; who fails, is absent or differs is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tasks import small

from xpnet.bench import processes
from xpnet.bench import race as races
from xpnet.bench.contestant import Contestant
from xpnet.bench.race import Entry, Result, race
from xpnet.bench.workloads import WORKLOADS

HERE = str(Path(__file__).parent)
TINY = WORKLOADS["breast-cancer"].shortened(epochs=2, batches=3)


def contestant(name, maker="right", **options):
    return Contestant(name, f"makers:{maker}", options)


@pytest.fixture(scope="module")
def result():
    """One race with all kinds of contestants."""
    return race(
        TINY,
        [
            Contestant("floor", "xpnet.bench.floor:floor"),
            contestant("xpnet a"),
            contestant("b"),
            contestant("later", "failing", rounds=2),
            contestant("dying", "dying"),
            contestant("hasty", "hasty"),
            contestant("odd", "wrong"),
            Contestant("absent", "no_such_library:train"),
            Contestant("threads", "makers:threads", threads=2),
        ],
        rounds=2,
        paths=[HERE],
    )


def test_rounds_and_their_numbers(result):
    assert result.steps == 3
    assert list(result.finished) == ["floor", "xpnet a", "b", "odd"]
    for entry in result.finished.values():
        assert len(entry.seconds) == 2
        assert min(entry.seconds) > 0
        assert all(a > b for a, b in zip(entry.wholes, entry.seconds, strict=True))
        assert set(entry.first) == {"import", "first_fit", "seconds", "whole", "peak", "loss"}
        assert entry.first["peak"] is None or entry.first["peak"] > 1e6
    assert result.entries["b"].losses == 3 * [small("breast-cancer").loss(_params())]
    assert result.entries["floor"].losses == []


def _params():
    return small("breast-cancer").params


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("later", "ValueError: no more"),
        ("dying", "its process ended with exit code 9"),
        ("hasty", "RuntimeError: 1 epochs were run, 2 were asked for"),
        ("absent", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("threads, 2 threads", "RuntimeError: 2 threads, "),
    ],
)
def test_who_fails_is_named_with_the_reason(result, label, reason):
    assert result.entries[label].failure.startswith(reason)


def test_processes_keep_to_their_cores(result):
    if hasattr(os, "sched_getaffinity"):
        cores = min(2, len(os.sched_getaffinity(0)))
        assert result.entries["threads, 2 threads"].failure.endswith(f"{cores} cores")


def test_who_differs_is_wrong(result):
    wrong = [label for label, entry in result.finished.items() if result.wrong(entry)]
    # Nobody's loss fell, so nothing may differ at all.
    assert wrong == ["odd"]
    assert result.reference == "xpnet a"
    assert not result.right


def test_the_bound_is_a_part_of_the_fall():
    def entry(*losses):
        return Entry(contestant("any"), [1.0], [2.0], list(losses))

    entries = {"xpnet a": entry(0.2), "b": entry(0.2, 0.2), "c": entry(0.2)}
    result = Result(WORKLOADS["deep"], "data", 1, 1, 1.2, entries)
    assert result.right
    for losses, wrong in (
        ([0.209], False),
        ([0.211], True),
        ([0.2, 0.211], True),
        ([float("nan")], True),
    ):
        assert result.wrong(entry(*losses)) is wrong, losses


def test_rounds_take_turns(monkeypatch):
    order = []

    class Worker:
        def __init__(self, contestant, folder, threads, paths):
            self.name = contestant.name

        def answer(self):
            order.append(self.name)
            return {
                "import": 0,
                "first_fit": 0,
                "seconds": 1,
                "whole": 2,
                "loss": 0.0,
                "peak": None,
            }

        round = answer

        def close(self):
            order.append(f"end of {self.name}")

    monkeypatch.setattr(races, "Worker", Worker)
    lines = []
    result = race(TINY, [contestant("a"), contestant("b")], rounds=2, tell=lines.append)
    assert order == ["a", "b"] * 3 + ["end of b", "end of a"]
    assert result.entries["a"].seconds == [1, 1]
    assert len(lines) == 4
    assert "round 2 of 2" in lines[-1]
    assert result.reference is None
    assert not result.right


def test_who_takes_too_long_is_stopped(tmp_path):
    small("breast-cancer").save(tmp_path)
    worker = processes.Worker(contestant("slow", "slow"), tmp_path, 1, [HERE], limit=2.0)
    try:
        with pytest.raises(processes.WorkerError, match="took over 2 s"):
            worker.answer()
        with pytest.raises(processes.WorkerError, match="its process"):
            worker.round()
    finally:
        worker.close()


def test_the_environment(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "mine")
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    one, two = processes.environment(1, ["more"]), processes.environment(2)
    assert one["OMP_NUM_THREADS"] == one["OPENBLAS_NUM_THREADS"] == "1"
    assert two["MKL_NUM_THREADS"] == "2"
    assert one["OMP_WAIT_POLICY"] == "PASSIVE"
    assert one["XLA_FLAGS"].startswith("--mine --xla_cpu_multi_thread_eigen=false")
    assert two["XLA_FLAGS"] == "--mine"
    first, *_, last = one["PYTHONPATH"].split(os.pathsep)
    assert (first, last) == ("more", "mine")
