"""The options that the command and the script share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from .. import validation
from ..parity import Target
from ..parity.report import targets
from .workloads import WORKLOADS, Workload


def add(parser: argparse.ArgumentParser, *, rounds: int = 5, threads: Sequence[int] = (1,)) -> None:
    """Declare the options, with these defaults."""
    parser.add_argument("--workloads", nargs="+", metavar="NAME", help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument(
        "--backends",
        "--backend",
        nargs="+",
        metavar="NAME",
        help="that xpnet runs on: names, or NAME:DEVICE; the others are compared with the first",
    )
    parser.add_argument(
        "--rounds", type=int, default=rounds, metavar="N", help=f"(default: {rounds})"
    )
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=list(threads),
        metavar="N",
        help="of BLAS and of each library; one race for each number "
        f"(default: {' '.join(map(str, threads))})",
    )
    parser.add_argument(
        "--data-home",
        default=os.environ.get("XPNET_DATA_HOME"),
        metavar="DIR",
        help="the folder of MNIST's files (default: XPNET_DATA_HOME); without, synthetic images",
    )


def check(arguments: argparse.Namespace) -> None:
    """Raise where numbers are out of their range."""
    validation.check_integer("--rounds", arguments.rounds)
    for threads in arguments.threads:
        validation.check_integer("--threads", threads)


def workloads(arguments: argparse.Namespace, default: Sequence[str]) -> list[Workload]:
    """Return the workloads of the names that were asked for."""
    names = arguments.workloads or default
    return [WORKLOADS[validation.check_choice("--workloads", n, WORKLOADS)] for n in names]


def places(arguments: argparse.Namespace, default: Sequence[str]) -> list[Target]:
    """Return where xpnet runs: on the backends that were asked for, or on those of the default.

    Raises
    ------
    BackendUnavailableError
        A backend that was asked for cannot be used. One of the default that cannot is for the race
        to name.
    """
    if arguments.backends is None:
        return [Target(name) for name in default]
    return targets(arguments.backends)[0]
