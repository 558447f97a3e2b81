"""``xpnet parity``: train the same nets on every backend and compare them with NumPy float64."""

from __future__ import annotations

import argparse

from .. import validation
from .outputs import check_file, check_picture


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--backends",
        nargs="+",
        metavar="NAME",
        help="names, or NAME:DEVICE; by default all that are usable",
    )
    parser.add_argument("--dtype", help="float32 or float64; by default both")
    parser.add_argument(
        "--full", action="store_true", help="every combination, not only every pair of values"
    )
    parser.add_argument(
        "--eager", action="store_true", help="call by call: without NumPy's tape, JAX's compiler"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures")
    parser.add_argument("--plot", metavar="FILE", help="write a heat map (.png)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Print the table; return 1 if any comparison failed."""
    from .. import parity

    if arguments.dtype is not None:
        validation.check_choice("--dtype", arguments.dtype, ["float32", "float64"])
    check_file("--json", arguments.json)
    check_picture("--plot", arguments.plot)
    report = parity.run(
        backends=arguments.backends,
        dtypes=None if arguments.dtype is None else [arguments.dtype],
        full=arguments.full,
        compile=not arguments.eager,
        progress=not arguments.quiet,
    )
    print(report.table())
    if arguments.json is not None:
        report.to_json(arguments.json)
        print(f"figures: {arguments.json}")
    if arguments.plot is not None:
        print(f"picture: {report.plot(arguments.plot)}")
    return 0 if report.passed else 1
