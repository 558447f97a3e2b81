"""What came of the races: tables, verdicts, and the page of the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from .footprint import Footprint
from .race import Entry, Result
from .targets import Target

_METHOD = """\
Every contestant trains the same net on the same float32 data from the same parameters, in the
same batches: parameters and orders come from one `RandomState`, drawn as scikit-learn draws
them. Each runs in a process of its own with its number of threads set beforehand, and is kept on
that many cores; they take turns, round by round, and who waits does not spin. A round trains
from the start; its first epoch is not timed (recording, compilation), the others are, their
losses kept in the library's own way; a target of whole fits takes all of the call. Ratios are
formed within each round, and the median of the rounds is reported, with the smallest and the
largest behind it. The floor is what no implementation can leave out: the rows' `take`, the
step's matrix products and one pass over parameters and optimizer state, in NumPy into buffers
that are reused; a library with a faster BLAS may come below it. Before any speed counts, the
loss of all samples after the last step is computed by one formula in float64 for all
contestants; who differs is marked WRONG. The import is the library's, after NumPy's; the first
fit is the time from the first call to the end of the first epoch; the peak is what the process
held at most by the end of that round, data included."""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns stand one below the other; the first row is the head.

    The first column is text, the others are numbers.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(aligned)} |"

    rule = [f":{'-' * (widths[0] - 1)}", *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return "\n".join([line(rows[0]), f"| {' | '.join(rule)} |", *map(line, rows[1:])])


def heading(result: Result) -> str:
    """Return the workload in a line."""
    threads = "one thread" if result.threads == 1 else f"{result.threads} threads"
    return f"{result.workload.name}: {result.workload} ({result.origin}), {threads}"


def figures(result: Result) -> str:
    """Return the table of a race, the fastest first, then who did not finish and why."""
    ours = result.reference
    head = ["contestant", f"times {ours}", "least", "most", "times the floor", "µs a step"]
    rows = [[*head, "import, s", "first fit, s", "peak, MB", "loss"]]
    for label in sorted(result.finished, key=result.step):
        entry = result.entries[label]
        told = []
        if ours is not None:
            ratios = result.ratios(label, ours)
            told = [result.ratio(label, ours), min(ratios), max(ratios)]
        floor = _floor(result, label)
        rows.append(
            [
                label,
                *([f"{value:.2f}" for value in told] or ["", "", ""]),
                "" if floor is None else f"{floor:.2f}",
                f"{1e6 * result.step(label):.1f}",
                f"{entry.first['import']:.2f}",
                f"{entry.first['first_fit']:.2f}",
                "" if entry.first["peak"] is None else f"{entry.first['peak'] / 1e6:.0f}",
                _loss(result, entry),
            ]
        )
    absent = [
        f"- {label}: not run: {e.failure}" for label, e in result.entries.items() if e.failure
    ]
    return "\n".join([table(rows), *(["", *absent] if absent else [])])


def _floor(result: Result, label: str) -> float | None:
    if "floor" not in result.finished:
        return None
    return result.ratio(label, "floor")


def _loss(result: Result, entry: Entry) -> str:
    if not entry.losses:
        return ""
    # The worst of its rounds: a contestant that strays once is wrong.
    loss = max(entry.losses, key=lambda value: abs(value - result.loss))
    return f"{loss:.5f}" + (" WRONG" if result.wrong(entry) else "")


def measured(result: Result, target: Target) -> float | None:
    """Return the median of a target's ratio, both at their best number of threads."""
    slow, fast = result.best(target.slow), result.best(target.fast)
    if slow is None or fast is None:
        return None
    return (result.whole_ratio if target.whole else result.ratio)(slow, fast)


def verdicts(result: Result) -> str:
    """Return the table of the targets; they are for one thread, and empty for more."""
    if result.threads != 1 or not result.workload.targets:
        return ""
    rows = [["target", "measured", "result"]]
    for target in result.workload.targets:
        ratio = measured(result, target)
        if ratio is None:
            rows.append([str(target), "", "not measured"])
        else:
            verdict = "reached" if target.reached(ratio) else "missed"
            rows.append([str(target), f"{ratio:.2f}", verdict])
    return table(rows)


def section(result: Result) -> str:
    """Return all of a race: what it was, its figures, its targets."""
    parts = [f"### {heading(result)}", figures(result), verdicts(result)]
    return "\n\n".join(filter(None, parts))


def summary(results: Sequence[Result]) -> str:
    """Return in a line how it ended."""
    told = []
    for result in results:
        name, ours = f"{result.workload.name} ({result.threads})", result.reference
        wrong = [label for label, e in result.finished.items() if result.wrong(e)]
        if ours is None:
            told.append(f"{name}: xpnet did not finish")
        elif wrong:
            told.append(f"{name}: WRONG: {', '.join(wrong)}")
        else:
            floor = _floor(result, ours)
            ratio = "" if floor is None else f" {floor:.2f} times the floor,"
            told.append(f"{name}: {ours}{ratio} {1e6 * result.step(ours):.1f} µs a step")
    return "; ".join(told)


def page(
    results: Sequence[Result],
    machine: dict[str, str],
    startup: dict[str, float],
    footprint: Footprint | None,
    rounds: int,
    picture: str | None = None,
) -> str:
    """Return the page of the documentation.

    Parameters
    ----------
    results : sequence of Result
    machine : dict of str to str
    startup : dict of str to float
        Seconds by stage.
    footprint : Footprint or None
    rounds : int
    picture : str, optional
        Its path, seen from the page.
    """
    parts = [
        "# Benchmarks",
        "Written by `scripts/benchmark --write`; not to be edited. What was decided by these "
        "figures, and why some targets are out of reach: "
        "[design.md](design.md#speed-and-memory).",
        table([["machine", ""], *([name, text] for name, text in machine.items())]),
        "## How it is measured",
        f"{_METHOD} Here: {rounds} rounds.",
    ]
    if picture is not None:
        parts.append(f"![Time a step beside the floor, by workload and contestant]({picture})")
    for threads in sorted({result.threads for result in results}):
        parts.append(f"## {'One thread' if threads == 1 else f'{threads} threads'}")
        parts += [section(result) for result in results if result.threads == threads]
    parts += [
        "## Memory",
        f"The wide net, Adam, on images of 8 bits: {footprint or 'not known on this system'}.",
        "## Start",
        table(
            [
                ["median of fresh processes", "seconds"],
                *([name, f"{seconds:.3f}"] for name, seconds in startup.items()),
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"
