"""The command line: ``xpnet info``, ``xpnet train``, ``xpnet parity``, ``xpnet bench``.

Each command has a file with `add`, which declares its options, and `run`, which returns the
exit code.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from ..backends import BackendUnavailableError
from ..distributed import RankError
from . import bench, info, parity, train
from .ranks import is_first

__all__ = ["main"]

_USER_ERRORS = (
    ValueError,
    TypeError,
    OSError,  # missing files, connections that fail
    ImportError,
    BackendUnavailableError,
    FloatingPointError,
)


class _Parser(argparse.ArgumentParser):
    """Reports what is wrong with the arguments as all other errors are reported."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        0; 1 where a comparison failed; 2 for what the user can mend, told on stderr; 130 after
        Ctrl-C.

    Examples
    --------
    >>> from xpnet.cli import main
    >>> main(["train", "moons", "--epochs", "3", "--quiet"])  # doctest: +ELLIPSIS
    data       moons: 640 train, 160 validation, 200 test, 2 features, 2 classes
    ...
    0
    """
    try:
        arguments = _parser().parse_args(argv)
        return arguments.run(arguments)
    except (*_USER_ERRORS, RankError) as error:
        if is_first():
            print(f"xpnet: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("xpnet: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="xpnet",
        description="Train neural nets on NumPy, CuPy, JAX and PyTorch, with the same losses.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"xpnet {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (info, train, parity, bench):
        name = command.__name__.rpartition(".")[2]
        help_text = (command.__doc__ or "").splitlines()[0].partition(": ")[2]
        subparser = commands.add_parser(
            name, help=help_text, description=help_text, allow_abbrev=False
        )
        command.add(subparser)
        subparser.set_defaults(run=command.run)
    return parser
