"""Many nets in one pass against as many fits, and a stacked search against scikit-learn's.

All run side by side, in rounds, on one BLAS thread, in float32; medians are compared. The fits of a
stack are checked against fits alone, and the search against the sequential one, before they count.

    scripts/compare_searches            # prints the tables, in some minutes
    scripts/compare_searches --write    # and puts them into docs/searches.md
    scripts/compare_searches --backend cupy --sizes 1 256    # stacks alone, on another backend
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import common
import numpy as np
import sklearn
import sklearn.neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

import xpnet
from xpnet import MLPClassifier, StackedGridSearchCV, Trainer, fit_many

PAGE = Path(__file__).parents[1] / "docs" / "searches.md"
BEGIN, END = "<!-- scripts/compare_searches writes from here -->", "<!-- to here -->"
EPOCHS, BATCH = 50, 32
SIZES = (1, 16, 64, 256, 1024)
GRID = {
    "learning_rate_init": np.geomspace(0.01, 1.0, 13).tolist(),
    "alpha": [0.0, 0.001, 0.1, 1.0],
}
PARAMS: dict[str, Any] = {
    "hidden_layer_sizes": (10,),
    "activation": "logistic",
    "solver": "sgd",
    "momentum": 0.0,
    "nesterovs_momentum": False,
    "batch_size": BATCH,
    "learning_rate_init": 0.1,
    "tol": 0.0,
    "random_state": 0,
}


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return the breast cancer training set, float32."""
    d = xpnet.datasets.load_breast_cancer()
    return d.x_train.astype(np.float32), d.t_train


def trainers(n: int, **where: Any) -> list[Trainer]:
    """Return trainers that differ in rate and seed."""
    net = xpnet.Network([xpnet.Dense(30, 10), xpnet.Sigmoid(), xpnet.Dense(10, 1)])
    rates = np.linspace(0.05, 0.2, n)
    return [
        Trainer(net, "binary_cross_entropy", xpnet.SGD(rate), random_state=seed, **where)
        for seed, rate in enumerate(rates)
    ]


def medians(rounds: int, *contestants: Callable[[], Any]) -> list[float]:
    """Return the median seconds of each, run in turn; the first round is not counted."""
    seconds: list[list[float]] = []
    for _ in range(rounds + 1):
        seconds.append([])
        for run in contestants:
            began = time.perf_counter()
            run()
            seconds[-1].append(time.perf_counter() - began)
    return np.median(seconds[1:], axis=0).tolist()


def check_stack(epochs: int) -> None:
    """Raise where a net of a stack is not the net that is trained alone."""
    x, t = data()
    outcomes = fit_many(trainers(3), x, t, epochs=epochs, batch_size=BATCH)
    for outcome, trainer in zip(outcomes, trainers(3), strict=True):
        trainer.fit(x, t, epochs=epochs, batch_size=BATCH)
        if not np.array_equal(outcome.state.params, trainer.state_.params):
            raise RuntimeError("a net of the stack differs from the one that is trained alone")


def compare_stacks(sizes: Sequence[int], epochs: int, rounds: int, **where: Any) -> list[list[str]]:
    """Return a line's cells for each size."""
    x, t = data()
    if where.get("backend") == "numpy":
        check_stack(epochs)
    net = sklearn.neural_network.MLPClassifier(**PARAMS, max_iter=epochs, n_iter_no_change=epochs)
    steps = epochs * -(-len(x) // BATCH)
    lines = []
    for n in sizes:
        stack, alone, theirs = medians(
            rounds,
            lambda n=n: fit_many(trainers(n, **where), x, t, epochs=epochs, batch_size=BATCH),
            lambda: trainers(1, **where)[0].fit(x, t, epochs=epochs, batch_size=BATCH),
            lambda: net.fit(x, t),
        )
        ratios = [f"{n * alone / stack:.1f}", f"{n * theirs / stack:.0f}"]
        lines.append([str(n), f"{stack * 1e3:.0f}", f"{stack / n / steps * 1e6:.1f}", *ratios])
        print(f"{n} nets: done", flush=True)
    return lines


def compare_searches(grid: dict[str, list[float]], epochs: int, rounds: int) -> list[list[str]]:
    """Return a line's cells for each search; raise where the scores are not the same."""
    x, t = data()
    more = {"max_iter": epochs, "n_iter_no_change": epochs}
    ours = MLPClassifier(**PARAMS, **more)
    theirs = sklearn.neural_network.MLPClassifier(**PARAMS, **more)
    searches = {
        "StackedGridSearchCV": StackedGridSearchCV(ours, grid, cv=5),
        "StackedGridSearchCV, n_jobs=2": StackedGridSearchCV(ours, grid, cv=5, n_jobs=2),
        "GridSearchCV, xpnet's net": GridSearchCV(ours, grid, cv=5),
        "GridSearchCV, xpnet's net, n_jobs=2": GridSearchCV(ours, grid, cv=5, n_jobs=2),
        "GridSearchCV, scikit-learn's net, n_jobs=2": GridSearchCV(theirs, grid, cv=5, n_jobs=2),
    }
    seconds = medians(rounds, *(lambda s=search: s.fit(x, t) for search in searches.values()))
    stacked, sequential = (
        searches[name].cv_results_["mean_test_score"]
        for name in ("StackedGridSearchCV", "GridSearchCV, xpnet's net")
    )
    if not np.array_equal(stacked, sequential):
        raise RuntimeError("the stacked search's scores are not those of the sequential one")
    return [
        [name, f"{took:.2f}", f"{took / seconds[0]:.1f}"]
        for name, took in zip(searches, seconds, strict=True)
    ]


def report(options: argparse.Namespace) -> str:
    """Run all; return the tables, and what they depend on."""
    quick, where = options.quick, {"backend": options.backend, "device": options.device}
    epochs, rounds = (2, 1) if quick else (EPOCHS, 5)
    sizes = options.sizes or ((1, 4) if quick else SIZES)
    stacks = compare_stacks(sizes, epochs, rounds, **where)
    search = search_section(quick, epochs) if options.backend == "numpy" else ""
    versions = f"xpnet {xpnet.__version__}, scikit-learn {sklearn.__version__}, "
    versions += f"NumPy {np.__version__} and Python {platform.python_version()}"
    heads = "nets, ms, µs a net and step, against as many fits alone, "
    heads += "against as many of scikit-learn"
    return f"""\
`fit_many` on breast cancer, 30-10-1, batch {BATCH}, {epochs} epochs of SGD, nets that differ in
rate and seed: the whole call, and how many times as long as many fits take, of xpnet's `Trainer`
and of scikit-learn's `MLPClassifier`.

{common.table(heads, stacks)}
{search}
Run on {date.today()} with {versions}, on {os.cpu_count()} cores,
on the backend {options.backend}."""


def search_section(quick: bool, epochs: int) -> str:
    """Return the searches' table, and what it is of."""
    grid = {"alpha": [0.0, 0.1]} if quick else GRID
    searches = compare_searches(grid, epochs, 1 if quick else 3)
    n = int(np.prod([len(values) for values in grid.values()]))
    return f"""
A search over {n} candidates and 5 folds, scoring and the last fit included; the stacked scores are
the sequential ones.

{common.table("search, seconds, ratio", searches)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few nets, two epochs")
    parser.add_argument("--backend", default="numpy", help="numpy, cupy, jax, torch …")
    parser.add_argument("--device", help="a device of the backend, such as cuda:0")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of nets")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options = parser.parse_args()
    if options.write and (options.quick or options.sizes or options.backend != "numpy"):
        parser.error("--write needs the full run on numpy, without --quick and --sizes")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        text = report(options)
    print(f"\n{text}")
    if options.write:
        common.write_between(PAGE, BEGIN, END, text)


if __name__ == "__main__":
    common.run(main)
