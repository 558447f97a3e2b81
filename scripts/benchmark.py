"""Every contestant on the same data, parameters and batches, in turn: who is how fast.

Contestants: the floor of the machine, xpnet on its backends, its estimator, scikit-learn, the
tutorials' loops, and the rivals of scripts/rivals, written by hand for PyTorch and JAX. Each runs
in a process of its own. Equal results are checked before speed is told.

    scripts/benchmark                                # everything, about half an hour
    scripts/benchmark --write                        # and docs/benchmarks.md with its picture
    scripts/benchmark --workloads mnist --rivals     # one workload, without PyTorch and JAX
    scripts/benchmark --backends cupy --rivals gpu   # a GPU, and the rivals on it

exit code: 0; 1 where results differ or xpnet did not finish; 2 for wrong options
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import rivals

from xpnet import backends, plots
from xpnet.bench import footprint, lineup, machine, options, picture, report, startup
from xpnet.bench.contestant import Contestant
from xpnet.bench.race import Result, race
from xpnet.bench.workloads import WORKLOADS, Workload

SCRIPTS = Path(__file__).resolve().parent
DOCS = SCRIPTS.parent / "docs"
OURS = ("numpy", "jax", "torch", "cupy")
"""The backends that race by default; array_api_strict is made to be strict, not fast."""


def main(argv: list[str] | None = None) -> int:
    """Run the races, print their tables, write the page if asked to; return the exit code."""
    arguments = parse(argv)
    try:
        options.check(arguments)
        workloads = options.workloads(arguments, tuple(WORKLOADS))
        places = options.places(arguments, OURS)
        contestants = lineup.of_the_package(places)
        if arguments.write is None:
            results = run(arguments, workloads, contestants)
        else:
            results = write(arguments, workloads, contestants)
    except (backends.BackendUnavailableError, ValueError, TypeError, OSError, ImportError) as error:
        print(f"benchmark: error: {error}", file=sys.stderr)
        return 2
    print(report.summary(results))
    return 0 if all(result.right for result in results) else 1


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="benchmark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add(parser, threads=(1, 2))
    parser.add_argument(
        "--rivals",
        nargs="*",
        choices=["cpu", "gpu"],
        default=["cpu"],
        help="where PyTorch and JAX run (default: cpu); without a value, nowhere",
    )
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that all works")
    parser.add_argument(
        "--write",
        nargs="?",
        type=Path,
        const=DOCS,
        metavar="DIR",
        help="write benchmarks.md and images/benchmarks.png (default: to docs)",
    )
    return parser.parse_args(argv)


def run(
    arguments: argparse.Namespace, workloads: list[Workload], ours: list[Contestant]
) -> list[Result]:
    """Return the results, each printed as soon as it is there."""
    results = []
    for threads in arguments.threads:
        others = rivals.on_cpu(threads) if "cpu" in arguments.rivals else []
        others += rivals.on_gpu() if "gpu" in arguments.rivals else []
        for workload in workloads:
            if arguments.quick:
                workload = workload.shortened(epochs=2, batches=5)
            result = race(
                workload,
                [*ours, *others],
                rounds=arguments.rounds,
                threads=threads,
                data_home=arguments.data_home,
                paths=[str(SCRIPTS)],
                tell=lambda line: print(line, file=sys.stderr, flush=True),
            )
            print(report.section(result), end="\n\n", flush=True)
            results.append(result)
    return results


def write(
    arguments: argparse.Namespace, workloads: list[Workload], ours: list[Contestant]
) -> list[Result]:
    """Run the races, and write the page and its picture; what can fail at once comes first."""
    path = plots.check_path(arguments.write / "images" / "benchmarks.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    memory = footprint.measure(arguments.data_home)
    start = startup.measure(1 if arguments.quick else 5)
    results = run(arguments, workloads, ours)
    picture.draw(results, path)
    told = report.page(
        results, machine.describe(), start, memory, arguments.rounds, f"images/{path.name}"
    )
    page = arguments.write / "benchmarks.md"
    page.write_text(told, encoding="utf-8")
    print(f"page: {page}\npicture: {path}")
    return results


if __name__ == "__main__":
    sys.exit(main())
