"""``xpnet bench``: time a training step beside the floor, scikit-learn and the tutorials' loops."""

from __future__ import annotations

import argparse
import sys

from ..bench import lineup, options, report
from ..bench.race import race


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print a table a workload; return 1 if results differ."""
    options.check(arguments)
    chosen = options.workloads(arguments, ("breast-cancer", "mnist"))
    contestants = lineup.of_the_package(options.places(arguments, ("numpy",)))
    results = []
    for threads in arguments.threads:
        for workload in chosen:
            results.append(
                race(
                    workload.shortened(epochs=201, batches=120),
                    contestants,
                    rounds=arguments.rounds,
                    threads=threads,
                    data_home=arguments.data_home,
                    tell=_tell,
                )
            )
            print(report.section(results[-1]), end="\n\n")
    print(report.summary(results))
    return 0 if all(result.right for result in results) else 1


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        print(line, file=sys.stderr)
