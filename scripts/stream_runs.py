"""The parts of scripts/stream_demo that run in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np
import stream_child
import stream_data
from stream_data import FEATURES, ROW_BYTES

from xpnet import checkpoints

CAP = 1_500_000_000
RATE, RATE_FROM = 0.8, 1.0
"""The part of the reading rate that training must reach, and from how many GB on: a file that is
read in a tenth of a second says nothing."""


class Check(NamedTuple):
    """Something that must hold."""

    what: str
    found: str
    holds: bool


class Size(NamedTuple):
    """The file, and what is read of it at a time."""

    folder: Path
    rows: int
    buffer: int

    @classmethod
    def of(cls, folder: Path, gigabytes: float) -> Size:
        size = int(gigabytes * 1e9)
        # Of a small file too, there are enough buffers to see what lies between them.
        return cls(folder, size // ROW_BYTES, min(1 << 28, size // 16))


def start(task: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a task in a process of its own."""
    script = Path(stream_child.__file__)
    told = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, str(script), task, str(folder), *told]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def measure(task: str, size: Size, **options: Any) -> dict[str, Any]:
    """Run a task under the cap; return what it measured."""
    given = {"cap": CAP, "buffer": size.buffer, "rows": size.rows} | options
    done = start(task, size.folder, **given)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise RuntimeError(f"{task}: {last}")
    return json.loads(done.stdout)


PASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "reading alone, in order": ("read", {}),
    "reading alone, blocks in a random order": ("read", {"seed": 1}),
    "training on the stream": ("train", {}),
}
READING, RANDOM, TRAINING = PASSES


class Rates(NamedTuple):
    """Million rows a second of each pass over a file, and how much of it was held before each."""

    found: dict[str, list[float]]
    held: list[float | None]

    def median(self, name: str) -> float:
        return float(np.median(self.found[name]))

    def cells(self, name: str) -> list[str]:
        rate = self.median(name)
        return [f"{rate:.2f}", f"{rate / self.median(READING):.0%}"]


def speed(size: Size, rounds: int) -> tuple[str, list[Check], dict[str, Any]]:
    """Return reading and training side by side; and a training's measurements."""
    disk, memory = (Rates({name: [] for name in PASSES}, []) for _ in range(2))
    for _ in range(rounds):
        for rates, forget in ((disk, True), (memory, False)):
            last = passes(size, rates, forget)
    alone = measure("in-memory", size)
    rate = alone["rows"] / alone["seconds"] / 1e6
    lines = [[name, *disk.cells(name), *memory.cells(name)] for name in PASSES]
    lines.append(["training alone, on a buffer in memory", "", "", f"{rate:.2f}", ""])
    heads = "million rows/s, from the disk, of reading, from the system's memory, of reading"
    text = f"""\
### Speed

One epoch of a net of {FEATURES}-8-1, batches of {stream_child.BATCH}, Adam; a row is {ROW_BYTES}
bytes. Medians of {rounds} rounds, in turn, each pass in a process of its own.
{told_held(disk, memory)}

{common.table(heads, lines)}"""
    # The faster reading counts: which one that is depends on how the system brings pages in.
    reached = disk.median(TRAINING) / max(map(disk.median, (READING, RANDOM)))
    enough = size.rows * ROW_BYTES >= RATE_FROM * 1e9
    check = Check(f"at least {RATE:.0%} of the faster reading", f"{reached:.0%}", reached >= RATE)
    return text, [check] if enough else [], last


def passes(size: Size, rates: Rates, forget: bool) -> dict[str, Any]:
    """Run each pass once; return what the last one measured."""
    for name, (task, given) in PASSES.items():
        if forget:
            stream_data.drop_from_cache(size.folder)
        rates.held.append(stream_data.share_in_cache(size.folder / "x.npy"))
        last = measure(task, size, **given)
        rates.found[name].append(size.rows / last["seconds"] / 1e6)
    return last


def told_held(disk: Rates, memory: Rates) -> str:
    """Return in words what the system held of the file before the passes."""
    if None in disk.held:
        return "How much of the file the system held in memory is not told here."
    most, least = max(filter(None, disk.held), default=0.0), min(map(float, memory.held))
    return (
        f"Of the file the system held {most:.0%} at most before a pass from the disk, and\n"
        f"{least:.0%} at least before one from its memory."
    )


def memory(size: Size, whole: dict[str, Any]) -> tuple[str, list[Check]]:
    """Return the memory at three sizes."""
    parts = [size.rows // 8, size.rows // 2]
    found = [*(measure("train", size, rows=rows) for rows in parts), whole]
    names = ("start", "VmHWM", "RssAnon", "RssFile")
    lines = [
        [
            f"{run['rows'] * ROW_BYTES / 1e9:.3g}",
            f"{run['rows']:,}",
            *(f"{run[name] / 1e6:.0f}" for name in names),
            f"{run['accuracy']:.3f}",
        ]
        for run in found
    ]
    heads = "GB, rows, MB before, MB at most, of its own at the end, of files at the end, accuracy"
    text = f"""\
### Memory

Training under a cap of {CAP / 1e9:g} GB, on the first eighth, the first half and the whole of the
file, with buffers of {size.buffer / 1e6:.0f} MB: what is resident, mapped pages of the file
included. The accuracy is that on 10,000 new rows, after one epoch.

{common.table(heads, lines)}"""
    peaks = [run["VmHWM"] for run in found]
    most, apart = max(peaks), max(peaks) - min(peaks)
    allowed = min(64_000_000, size.rows * ROW_BYTES // 4)
    same = f"the sizes' peaks within {allowed / 1e6:.0f} MB"
    return text, [
        Check(f"at most {CAP / 1e9:g} GB resident", f"{most / 1e6:.0f} MB", most <= CAP),
        Check(same, f"{apart / 1e6:.0f} MB", apart <= allowed),
        Check("something is learned", f"{whole['accuracy']:.3f}", whole["accuracy"] > 0.8),
    ]


def enforcement(folder: Path, cap: int) -> list[Check]:
    """Return whether the cap is one: who wants more memory does not get it."""
    asked, touched = (start(task, folder, cap=cap) for task in ("ask", "touch"))
    told = asked.stdout.strip() or asked.stderr.strip()
    last = (touched.stderr.strip().splitlines() or ["went on"])[-1]
    return [
        Check("the cap, for memory of its own", "MemoryError", '"MemoryError"' in told),
        Check("the cap, for mapped pages", last, touched.returncode == 3),
    ]


def resumed(size: Size) -> tuple[str, list[Check]]:
    """Return whether a run that is killed in mid-epoch goes on to the same parameters."""
    folder, part = size.folder, size._replace(rows=size.rows // 8)
    part = part._replace(buffer=min(part.buffer, part.rows * ROW_BYTES // 16))
    measure("train", part, params=folder / "whole.npy")
    saved = {"checkpoint": folder / "run.safetensors"}
    given = {"cap": CAP, "buffer": part.buffer, "rows": part.rows}
    killed = start("train", folder, **given, **saved, kill_after=4)
    steps = checkpoints.load(saved["checkpoint"]).training.state.steps_into_epoch
    measure("train", part, **saved, params=folder / "resumed.npy")
    whole, again = (np.load(folder / f"{name}.npy") for name in ("whole", "resumed"))
    same = killed.returncode == -9 and steps > 0 and np.array_equal(whole, again)
    total = -(-part.rows // stream_child.BATCH)
    text = f"""\
### Killed in mid-epoch

A process that writes a checkpoint after each buffer was killed (SIGKILL) in its fourth one, on
{part.rows:,} rows. The file was of step {steps:,} of {total:,}. Started again, it went on from
there; its parameters at the end are {"" if same else "not "}those of a run that was not killed, bit
for bit."""
    found = f"from step {steps:,} of {total:,}"
    return text, [Check("killed and resumed: the same parameters", found, bool(same))]
