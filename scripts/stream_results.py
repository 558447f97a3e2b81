"""The parts of scripts/stream_demo that compare results: orders of sorted rows, and formats."""

from __future__ import annotations

import time
import warnings
from typing import Any

import common
import numpy as np
import stream_child
import stream_data
from stream_data import FEATURES, ROW_BYTES, TEN
from stream_runs import Check, Size

from xpnet import Adam, Dense, Network, ReLU, Stream, Trainer

BLOCKS, FRACTIONS, NEAR = 400, (0.05, 0.1, 0.2), 0.02


def accuracy_of(data: tuple[Any, ...], held_out: tuple[Any, ...], seed: int, **how: Any) -> float:
    """Return the accuracy after ten epochs."""
    net = Network([Dense(FEATURES, 32), ReLU(), Dense(32, 10)])
    trainer = Trainer(net, "softmax_cross_entropy", Adam(0.001), random_state=seed)
    with warnings.catch_warnings():
        # That they are sorted is what is measured here.
        warnings.filterwarnings("ignore", "The blocks look sorted", UserWarning)
        trainer.fit(*data, epochs=10, batch_size=256, **how)
    return float(trainer.evaluate(*held_out)[1])


def sorted_rows(n_rows: int, seeds: int) -> tuple[str, list[Check]]:
    """Return what a buffer costs where rows lie in the order of their classes."""
    rng = np.random.default_rng(1)
    x, t = TEN.draw(rng, n_rows)
    order, held_out = np.argsort(t, kind="stable"), TEN.draw(rng, 20_000)
    x, t = x[order], t[order]
    row_bytes, blocks = ROW_BYTES + 4, {"block_rows": max(1, n_rows // BLOCKS)}
    kinds: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {"all, in memory": ((x, t), {})}
    for fraction in sorted(FRACTIONS, reverse=True):
        data = Stream(x, t, **blocks, buffer_bytes=int(fraction * n_rows * row_bytes))
        kinds[f"a buffer of {fraction:.0%}"] = ((data,), {})
    kinds["none"] = ((Stream(x, t, **blocks),), {"sampling": "sequential"})
    found = {
        name: np.array([accuracy_of(data, held_out, seed, **how) for seed in range(seeds)])
        for name, (data, how) in kinds.items()
    }
    means = {name: float(values.mean()) for name, values in found.items()}
    full = means["all, in memory"]
    lines = [
        [name, f"{means[name]:.3f}", f"{values.min():.3f} to {values.max():.3f}",
         f"{means[name] - full:+.3f}"]
        for name, values in found.items()
    ]  # fmt: skip
    text = f"""\
### Sorted data

{n_rows:,} rows of 10 classes, sorted by class, in blocks of {blocks["block_rows"]} rows; a net of
{FEATURES}-32-10, 10 epochs, {seeds} seeds: the accuracy on 20,000 other rows, by what is shuffled.

{common.table("shuffled, accuracy, seeds, difference", lines)}"""
    fraction = max(FRACTIONS)
    lost = full - means[f"a buffer of {fraction:.0%}"]
    what = f"sorted rows, a buffer of {fraction:.0%}: within {NEAR} of a full shuffle"
    return text, [Check(what, f"{-lost:+.3f}", lost <= NEAR)]


def formats(size: Size, n_rows: int) -> tuple[str, list[Check]]:
    """Return an epoch from each format."""
    n_rows = min(n_rows, size.rows)
    block_rows = max(1, n_rows // 20)
    streams = stream_data.in_formats(size.folder, n_rows, block_rows)
    params, lines = {}, []
    for name, stream in streams.items():
        stream.buffer_bytes = n_rows * ROW_BYTES // 4
        trainer, began = stream_child.trainer(), time.perf_counter()
        trainer.fit(stream, epochs=1, batch_size=stream_child.BATCH)
        seconds = time.perf_counter() - began
        params[name] = trainer.state_.params
        same = "yes" if np.array_equal(params[name], params["npy"]) else "no"
        lines.append([name, f"{n_rows / seconds / 1e6:.2f}", same])
    text = f"""\
### Formats

One epoch on {n_rows:,} rows in blocks of {block_rows:,}, chunks and row groups as large as blocks.

{common.table("format, million rows/s, the same parameters bit for bit", lines)}"""
    alike = [name for name, found in params.items() if np.array_equal(found, params["npy"])]
    return text, [Check("formats: the same parameters", ", ".join(alike), len(alike) == 4)]
