"""What the tutorials' scripts share: their options, and where pictures go."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xpnet import plots


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all scripts take."""
    p = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--backend", default="numpy", help="numpy, cupy, jax, torch … or auto")
    p.add_argument("--device", help="a device of the backend, such as cuda:0")
    p.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    add_output(p)
    return p


def add_output(p: argparse.ArgumentParser) -> None:
    """Add the options that say what comes out."""
    p.add_argument("--out", type=Path, default=Path("out"), help="folder of the pictures")
    p.add_argument("--quick", action="store_true", help="a short run, to see that all works")


def run(main: Callable[[], None]) -> None:
    """Run a script; what is wrong with its options or data is told in one line."""
    try:
        main()
    except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
        sys.exit(f"error: {error}")


def where(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options that say where to compute, as keywords of a net."""
    return {"backend": options.backend, "device": options.device, "dtype": options.dtype}


def save(axis_or_figure: Any, path: Path) -> Path:
    """Save a picture and say where it is."""
    written = plots.save(axis_or_figure, path)
    print(f"picture: {written}")
    return written


def table(heads: str, rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    columns = heads.split(", ")
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write_between(page: Path, begin: str, end: str, text: str) -> None:
    """Put a text between two marks of a page, in place of what is there."""
    before, rest = page.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
