"""The picture of the races: bars as long as a step takes, in units of the floor."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import plots
from ..plots.figures import COLOURS
from .race import Result

_TICKS = [digit * 10.0**power for power in range(-2, 4) for digit in (1, 2, 5)]


def draw(results: Sequence[Result], path: str | os.PathLike[str]) -> Path:
    """Write a panel for each race in which the floor was run, of the fewest threads.

    Parameters
    ----------
    results : sequence of Result
    path : str or path
        Ends in ``.png``.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    ImportError
        matplotlib is missing.
    ValueError
        There is nothing to draw.
    """
    path = plots.check_path(path)
    from matplotlib.figure import Figure

    with_floor = (result for result in results if "floor" in result.finished)
    shown = sorted(with_floor, key=lambda result: result.threads)
    if not shown:
        raise ValueError("No race has a floor: there is nothing to draw.")
    shown = [result for result in shown if result.threads == shown[0].threads]
    heights = [1.0 + 0.2 * len(result.finished) for result in shown]
    figure = Figure(figsize=(8.5, sum(heights)), layout="constrained")
    axes = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
    for ax, result in zip(axes, shown, strict=True):
        _panel(ax, result)
    return plots.save(figure, path)


def _panel(ax: Any, result: Result) -> None:
    labels = sorted(result.finished, key=result.step, reverse=True)
    lengths = [result.ratio(label, "floor") for label in labels]
    bars = ax.barh(labels, lengths, color=[_colour(label) for label in labels])
    told = [
        f" {n:.2f} ({_time(result.step(label))})" for n, label in zip(lengths, labels, strict=True)
    ]
    ax.bar_label(bars, told, fontsize=7)
    ax.axvline(1.0, color="black", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xlim(0.9 * min(lengths), 2.0 * max(lengths))
    ticks = [tick for tick in _TICKS if 0.9 * min(lengths) <= tick <= 2.0 * max(lengths)]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8)
    ax.minorticks_off()
    ax.tick_params(axis="y", labelsize=8)
    threads = "1 thread" if result.threads == 1 else f"{result.threads} threads"
    ax.set_title(f"{result.workload}; {threads}", fontsize=9, loc="left")
    ax.set_xlabel("time a step, in units of the floor", fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def _time(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} µs" if seconds < 1e-3 else f"{1e3 * seconds:.1f} ms"


def _colour(label: str) -> str:
    if label.startswith("xpnet"):
        return COLOURS[0]
    return COLOURS[6] if label == "floor" else "#B0B0B0"
