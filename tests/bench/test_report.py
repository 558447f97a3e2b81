"""The tables, the page and the picture; memory and start."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from xpnet.bench import footprint, lineup, machine, memory, picture, report, startup
from xpnet.bench.contestant import Contestant
from xpnet.bench.footprint import Footprint
from xpnet.bench.race import Entry, Result
from xpnet.bench.targets import at_least, at_most
from xpnet.bench.workloads import WORKLOADS
from xpnet.parity import Target


def entry(name, seconds, losses=(0.5,), threads=None, peak=5_000_000):
    first = {"import": 0.1, "first_fit": 0.25, "peak": peak}
    contestant = Contestant(name, "module:maker", threads=threads)
    wholes = [2 * s + 1 for s in seconds]
    return Entry(contestant, list(seconds), wholes, list(losses), first)


def made(*entries, threads=1, targets=(), name="mnist"):
    workload = replace(WORKLOADS[name], targets=tuple(targets))
    by_label = {e.contestant.label: e for e in entries}
    return Result(workload, "data, 3 rows", threads, 10, 2.5, by_label)


@pytest.fixture
def result():
    absent = Entry(Contestant("JAX scan", "m:f"), failure="ModuleNotFoundError: no jax")
    return made(
        entry("floor", [0.1, 0.1, 0.1], []),
        entry("xpnet numpy", [0.12, 0.24, 0.13]),
        entry("torch eager", [0.36, 0.36, 0.26], peak=None),
        entry("torch eager", [0.3, 0.3, 0.3], threads=2),
        absent,
        targets=[
            at_most("xpnet numpy", "floor", 1.25),
            at_least("torch eager", "xpnet numpy", 2.0),
            at_most("xpnet jax", "JAX scan", 1.1),
            at_most("torch eager", "xpnet numpy", 1.1, whole=True),
        ],
    )


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_of_a_race(result):
    lines = report.figures(result).splitlines()
    assert cells(lines[0])[:5] == [
        "contestant",
        "times xpnet numpy",
        "least",
        "most",
        "times the floor",
    ]
    rows = [cells(line) for line in lines[2:6]]
    assert [row[0] for row in rows] == [
        "floor",
        "xpnet numpy",
        "torch eager, 2 threads",
        "torch eager",
    ]
    # Ratios are of the same round: 3, 1.5 and 2, not 0.36 / 0.13.
    assert rows[3] == [
        "torch eager",
        "2.00",
        "1.50",
        "3.00",
        "3.60",
        "36000.0",
        "0.10",
        "0.25",
        "",
        "0.50000",
    ]
    assert rows[0][-1] == ""
    assert rows[2][-2] == "5"
    assert len({len(line) for line in lines[:6]}) == 1
    assert lines[-1] == "- JAX scan: not run: ModuleNotFoundError: no jax"


def test_targets_take_the_best_number_of_threads(result):
    rows = [cells(line) for line in report.verdicts(result).splitlines()[2:]]
    assert rows == [
        ["xpnet numpy / floor <= 1.25", "1.30", "missed"],
        ["torch eager / xpnet numpy >= 2", "2.31", "reached"],
        ["xpnet jax / JAX scan <= 1.1", "", "not measured"],
        ["torch eager / xpnet numpy <= 1.1, whole fits", "1.27", "missed"],
    ]
    assert report.verdicts(replaced(result, threads=2)) == ""


def replaced(result, **changes):
    return Result(**vars(result) | changes)


def test_who_differs_is_told():
    result = made(
        *(entry(name, [1.0]) for name in ("xpnet numpy", "a", "b")),
        entry("c", [1.0], losses=[0.5, 0.9, 0.5]),
    )
    assert "0.90000 WRONG" in report.figures(result)
    assert "0.50000 WRONG" not in report.figures(result)
    assert report.summary([result]) == "mnist (1): WRONG: c"


def test_without_floor_or_xpnet():
    result = made(entry("a", [1.0]))
    assert cells(report.figures(result).splitlines()[2])[1:5] == ["", "", "", ""]
    assert report.summary([result]) == "mnist (1): xpnet did not finish"


def test_the_summary(result):
    assert report.summary([result, replaced(result, threads=2)]) == (
        "mnist (1): xpnet numpy 1.30 times the floor, 13000.0 µs a step; "
        "mnist (2): xpnet numpy 1.30 times the floor, 13000.0 µs a step"
    )


def test_the_page(result):
    two = replaced(result, threads=2)
    memory = Footprint(data=100, params=10_000_000, batch=2_000_000, growth=50_000_000)
    page = report.page(
        [result, two], {"processor": "fast"}, {"import xpnet": 0.0123}, memory, 7, "images/b.png"
    )
    assert page.startswith("# Benchmarks\n")
    assert re.search(r"^\| processor +\| +fast \|$", page, re.M)
    assert "Here: 7 rounds." in page
    assert "](images/b.png)" in page
    assert page.index("## One thread") < page.index("## 2 threads")
    assert page.count("not measured") == 1  # no targets at two threads
    assert "parameters 10.0 MB; training added 50.0 MB, 5.00 times them" in page
    assert "target at most 4 times and 4 batches, 48.0 MB: missed" in page
    assert re.search(r"^\| import xpnet +\| +0\.012 \|$", page, re.M)
    assert "not known on this system" in report.page([result], {}, {}, None, 1)


def test_the_picture(result, tmp_path):
    two = replaced(result, threads=2)
    path = picture.draw([two, result, made(entry("a", [1.0]))], tmp_path / "b.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="No race has a floor"):
        picture.draw([made(entry("a", [1.0]))], tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"\.png"):
        picture.draw([result], tmp_path / "b.pdf")


def test_the_lineup():
    places = [Target("numpy"), Target("jax"), Target("torch", "cpu")]
    contestants = lineup.of_the_package(places)
    assert [c.label for c in contestants] == [
        *("floor", "xpnet numpy", "xpnet numpy, eager", "xpnet jax", "xpnet jax, eager"),
        *("xpnet torch:cpu", "xpnet MLPClassifier", "scikit-learn"),
        *("tutorial float64", "tutorial float32"),
    ]
    eager = contestants[2].options
    assert eager == {"backend": "numpy", "device": None, "compiled": False}
    assert contestants[5].options == {"backend": "torch", "device": "cpu"}


def test_every_target_names_a_contestant(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    rivals = importlib.import_module("rivals")
    monkeypatch.delitem(sys.modules, "rivals")
    places = [Target("numpy"), Target("jax")]
    names = {c.name for c in [*lineup.of_the_package(places), *rivals.on_cpu(1)]}
    for workload in WORKLOADS.values():
        for target in workload.targets:
            assert {target.slow, target.fast} <= names, target
    labels = [c.label for c in rivals.on_cpu(1)]
    assert "torch fused, 2 threads" in labels
    assert len(rivals.on_cpu(2)) == len(set(labels)) - 3
    assert "torch CUDA graph" in [c.label for c in rivals.on_gpu("cuda:1")]


def test_the_machine():
    told = machine.describe()
    assert set(told) == {"processor", "system", "versions", "BLAS", "commit", "date"}
    assert "numpy" in told["versions"]
    assert all(told.values())


def test_no_git(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.commit() == "unknown (no git here)"


def test_the_footprint():
    found = footprint.here(name="mnist")
    if found is None:
        assert memory.peak() is None
        return
    assert found["data"] == 60000 * 784  # 8 bits stay 8 bits
    assert found["params"] == 4 * 39760
    assert found["batch"] == 4 * 100 * 844
    assert found["growth"] < found["data"]


def test_start(monkeypatch):
    monkeypatch.setattr(startup, "STAGES", {"nothing": "pass"})
    found = startup.measure(repeats=2)
    assert list(found) == ["nothing"]
    assert 0 <= found["nothing"] < 1
