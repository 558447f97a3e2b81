"""The tutorials' own question on breast cancer: which batch size, rate, penalty and optimizer?

They say that it is found by experiment. Here all candidates are trained on all folds in stacks,
and the experiment takes a few seconds. With ``--dask tcp://HOST:8786`` a Dask cluster trains them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import warnings
from collections.abc import Iterator
from typing import Any

import common
import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from xpnet import MLPClassifier, StackedGridSearchCV, datasets, plots

GRID = {
    "batch_size": [16, 32, 64, 128],
    "learning_rate_init": [0.001, 0.003, 0.01, 0.03, 0.1],
    "alpha": [0.0, 0.01, 0.1, 1.0],
    "solver": ["sgd", "rmsprop", "adam"],
}
QUICK = {"batch_size": [32, 128], "learning_rate_init": [0.01, 0.1], "alpha": [0.0, 0.01]}

PATIENCE = 5
"""So many seconds a scheduler has to answer."""


@contextlib.contextmanager
def spread_over(address: str | None) -> Iterator[int | None]:
    """Send joblib's work to the workers of a Dask cluster, where a scheduler's address is given.

    Yields
    ------
    int or None
        The `n_jobs` that has all workers work.

    Raises
    ------
    ImportError
        distributed is not installed.
    ConnectionError
        No scheduler answers.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError("--dask needs distributed: pip install 'xpnet[dask]'.") from error
    check_scheduler(address)
    with (
        Client(address, timeout=PATIENCE, set_as_default=False) as client,
        joblib.parallel_config(backend="dask", client=client),
    ):
        yield -1


def check_scheduler(address: str) -> None:
    """Raise where no scheduler answers: a Client waits for ever for what does not speak Dask."""
    from distributed import rpc

    async def identity() -> dict[str, Any]:
        async with rpc(address) as server:
            return await server.identity()

    try:
        found = asyncio.run(asyncio.wait_for(identity(), PATIENCE))
    except Exception as error:  # of any kind: what listens there may answer anything
        reason = str(error) or f"no answer in {PATIENCE} seconds"
        raise ConnectionError(f"--dask {address}: no Dask scheduler is there: {reason}.") from error
    if "workers" not in found:  # as a worker and its nanny answer
        raise ConnectionError(f"--dask {address}: a {found['type']} is there, not a scheduler.")


def search(
    grid: dict[str, list[Any]], epochs: int, n_jobs: int | None = None, **where: Any
) -> StackedGridSearchCV:
    """Fit all candidates on five folds; without early stopping, as the tutorials do."""
    d = datasets.load_breast_cancer()
    net = MLPClassifier(
        (10,),
        "logistic",
        max_iter=epochs,
        n_iter_no_change=epochs,
        tol=0.0,
        random_state=0,
        **where,
    )
    found = StackedGridSearchCV(
        net,
        grid,
        cv=5,
        n_jobs=n_jobs,
        verbose=1,
        validation_curves=True,
        progress="breast cancer",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return found.fit(d.x_train, d.t_train)


def table(found: StackedGridSearchCV, n: int = 5) -> str:
    """Return the best candidates, one a line."""
    results = found.cv_results_
    lines = []
    for i in np.argsort(results["rank_test_score"], kind="stable")[:n]:
        params = ", ".join(f"{name}={value}" for name, value in results["params"][i].items())
        score, spread = results["mean_test_score"][i], results["std_test_score"][i]
        lines.append(f"  {score:.4f} ± {spread:.4f}  {params}")
    return "\n".join(lines)


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--dask", metavar="ADDRESS", help="train on the workers of this scheduler")
    options = parser.parse_args()
    grid, epochs = (QUICK, 5) if options.quick else (GRID, 50)
    # on nets this small a second thread costs more than it brings; Dask's workers have one each
    with threadpool_limits(1), spread_over(options.dask) as n_jobs:
        began = time.perf_counter()
        found = search(grid, epochs, n_jobs, **common.where(options))
        seconds = time.perf_counter() - began
    d = datasets.load_breast_cancer()
    n = len(found.cv_results_["params"])
    print(f"{n} candidates on 5 folds in {seconds:.1f} s, {seconds / n / 5 * 1e3:.1f} ms a fit:")
    print(table(found))
    print(f"the best on the validation set: accuracy {found.score(d.x_val, d.t_val):.3f}")
    for name in ("learning_rate_init", *(["solver"] if "solver" in grid else [])):
        ax = plots.search_curves(found, name, title=f"Breast cancer, {n} candidates")
        ax.set_ylim(0.7, 1.0)
        common.save(ax, options.out / f"tune_breast_cancer_{name}.png")
    ax = plots.search_heat_map(found, "alpha", "learning_rate_init")
    common.save(ax, options.out / "tune_breast_cancer_rates.png")
    ax = plots.search_heat_map(found, "solver" if "solver" in grid else "alpha", "batch_size")
    common.save(ax, options.out / "tune_breast_cancer_batches.png")


if __name__ == "__main__":
    common.run(main)
