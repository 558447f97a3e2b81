"""Training on a file that is read block by block: its memory, its speed, its accuracy.

A file is written whose classes a small random net decides. Then a net is trained on it in processes
of their own, held to 1.5 GB of resident memory; and what a buffer costs on sorted data, other
formats, and a process that is killed in mid-epoch are looked at. A check that fails is told at the
end, and is the exit status. Needs Linux.

    scripts/stream_demo                 # 64 MB, in less than a minute
    scripts/stream_demo --gigabytes 8   # the real one, in some minutes
    scripts/stream_demo --gigabytes 8 --write    # and puts the tables into docs/large-data.md
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path

import common
import numpy as np
import stream_data
from stream_data import FEATURES, ROW_BYTES
from stream_results import formats, sorted_rows
from stream_runs import CAP, Check, Size, enforcement, memory, resumed, speed

import xpnet

PAGE = Path(__file__).parents[1] / "docs" / "large-data.md"
BEGIN, END = "<!-- scripts/stream_demo writes from here -->", "<!-- to here -->"
REAL, SORTED_ROWS = 8.0, 200_000


def report(size: Size, real: bool) -> tuple[str, list[Check]]:
    """Run all; return the text, and the checks."""
    said(f"writing {size.rows * ROW_BYTES / 1e9:.3g} GB into {size.folder}")
    stream_data.write(size.folder, size.rows)
    said("speed")
    fast, checks, whole = speed(size, 3)
    texts = [fast]
    for name, part in {
        "memory": lambda: memory(size, whole),
        "sorted data": lambda: sorted_rows(SORTED_ROWS, 5 if real else 3),
        "formats": lambda: formats(size, SORTED_ROWS),
        "killed in mid-epoch": lambda: resumed(size),
    }.items():
        said(name)
        text, more = part()
        texts.append(text)
        checks += more
    checks += enforcement(size.folder, CAP)
    lines = [[c.what, c.found, "holds" if c.holds else "FAILS"] for c in checks]
    texts.append(f"### Checks\n\n{common.table('what, found, result', lines)}")
    versions = f"xpnet {xpnet.__version__}, NumPy {np.__version__} and "
    versions += f"Python {platform.python_version()}"
    size_told = f"{size.rows:,} rows of {FEATURES} features, {size.rows * ROW_BYTES / 1e9:.3g} GB"
    texts.append(f"A file of {size_told}.\nRun on {date.today()} with {versions}, on "
                 f"{os.cpu_count()} cores.")  # fmt: skip
    return "\n\n".join(texts), checks


def said(what: str) -> None:
    """Say what comes next."""
    print(f"{what} …", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=0.064, help="the size of the file")
    parser.add_argument("--folder", type=Path, help="where files go; default a temporary folder")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options = parser.parse_args()
    real = options.gigabytes >= REAL
    if options.write and not real:
        parser.error(f"--write needs the real size: --gigabytes {REAL:g}")
    if not Path("/proc/self/status").exists():
        raise RuntimeError("the memory of a process is measured by /proc, which Linux has")
    folder = Path(tempfile.mkdtemp(prefix="stream_demo_", dir=options.folder))
    try:
        text, checks = report(Size.of(folder, options.gigabytes), real)
    finally:
        shutil.rmtree(folder)
    print(text)
    if options.write:
        common.write_between(PAGE, BEGIN, END, text)
    failed = [check.what for check in checks if not check.holds]
    if failed:
        raise RuntimeError(f"failed: {'; '.join(failed)}")


if __name__ == "__main__":
    common.run(main)
