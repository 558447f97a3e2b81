"""What scripts/stream_demo runs in processes of their own, under a cap of their memory.

Prints what was measured as a line of JSON. The cap is held twice: memory of the process's own
cannot be had beyond it (RLIMIT_DATA), and a thread looks at what is resident, pages of mapped files
included, 20 times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import stream_data

from xpnet import Adam, Callback, Checkpoint, Dense, Network, ReLU, Stream, Trainer
from xpnet.streams import Plan

BATCH = 1024


def status(*names: str) -> dict[str, int]:
    """Return what the system says of this process's memory, in bytes."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return {name: int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1]) * 1024 for name in names}


def hold(most: int) -> None:
    """Hold this process to so many bytes from now on."""
    threading.Thread(target=watch, args=(most,), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def watch(most: int) -> None:
    """End the process once more bytes than that are resident."""
    while (resident := status("VmRSS")["VmRSS"]) <= most:
        time.sleep(0.05)
    told = f"ended: {resident / 1e6:.0f} MB are resident, {most / 1e6:.0f} MB are allowed"
    print(told, file=sys.stderr, flush=True)
    os._exit(3)


class KillAfter(Callback):
    """Kills the process after some buffers, before a checkpoint of the last one is written."""

    steers = False

    def __init__(self, buffers: int) -> None:
        self.left = buffers

    def on_buffer_end(self, fit: Any) -> None:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


def trainer() -> Trainer:
    net = Network([Dense(stream_data.FEATURES, 8), ReLU(), Dense(8, 1)])
    return Trainer(net, "binary_cross_entropy", Adam(0.003), random_state=0)


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Train for one epoch on a stream."""
    data = Stream(*stream_data.mapped(options.folder, options.rows), buffer_bytes=options.buffer)
    callbacks: list[Callback] = []
    if options.checkpoint:
        callbacks.append(Checkpoint(options.checkpoint, every_seconds=0))
    if options.kill_after:
        callbacks.append(KillAfter(options.kill_after))
    net, began = trainer(), time.perf_counter()
    net.fit(data, epochs=1, batch_size=BATCH, callbacks=callbacks)
    seconds = time.perf_counter() - began
    if options.params:
        np.save(options.params, net.state_.params)
    accuracy = net.evaluate(*stream_data.TWO.draw(np.random.default_rng(2), 10_000))[1]
    return {"rows": data.n_samples, "seconds": seconds, "accuracy": float(accuracy)}


def in_memory(options: argparse.Namespace) -> dict[str, Any]:
    """Train on the rows of one buffer, all of them in memory; the first epoch is not counted."""
    rows = options.buffer // stream_data.ROW_BYTES
    x, y = map(np.array, stream_data.mapped(options.folder, rows))
    history = trainer().fit(x, y, epochs=3, batch_size=BATCH)
    return {"rows": len(x), "seconds": min(history.seconds[1:])}


def read(options: argparse.Namespace) -> dict[str, Any]:
    """Read all blocks, in the order in which they lie or a random one, and touch each byte."""
    source = Stream(*stream_data.mapped(options.folder, options.rows)).source
    blocks = Plan(source.lengths, BATCH, source.n_samples, options.seed).blocks
    began = time.perf_counter()
    for block in map(int, blocks):
        for piece in source.read(block):
            piece.x.sum(), piece.t.sum()
    return {"rows": source.n_samples, "seconds": time.perf_counter() - began}


def ask(options: argparse.Namespace) -> dict[str, Any]:
    """Ask for more memory than is allowed."""
    try:
        np.ones(options.cap, np.uint8)
    except MemoryError:
        return {"told": "MemoryError"}
    return {"told": "no error"}


def touch(options: argparse.Namespace) -> dict[str, Any]:
    """Touch more bytes of a mapped file than are allowed, and give no page back."""
    with open(options.folder / "empty", "wb") as file:
        file.truncate(options.cap)
    array = np.memmap(options.folder / "empty", np.uint8, "r")
    for part in pages(array):
        part.max()
    time.sleep(1.0)  # the thread looks now and then only
    return {"told": "no error"}


def pages(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a byte of each page, in some parts."""
    step = 1 << 24
    for begin in range(0, len(array), step):
        yield array[begin : begin + step : 4096]


TASKS = {"train": train, "in-memory": in_memory, "read": read, "ask": ask, "touch": touch}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cap", type=int, required=True, help="bytes that may be resident")
    parser.add_argument("--rows", type=int, help="the first rows of the file; default all")
    parser.add_argument("--buffer", type=int, default=1 << 28, help="bytes of a buffer")
    parser.add_argument("--seed", type=int, help="of a random order of blocks")
    parser.add_argument("--params", type=Path, help="where the parameters go")
    parser.add_argument("--checkpoint", type=Path, help="written after each buffer")
    parser.add_argument("--kill-after", type=int, help="so many buffers")
    options = parser.parse_args()
    start = status("VmRSS")["VmRSS"]
    hold(options.cap)
    found = TASKS[options.task](options)
    print(json.dumps({"start": start, **found, **status("VmHWM", "RssAnon", "RssFile")}))


if __name__ == "__main__":
    main()
