"""The tutorials' own question on breast cancer: which batch size, rate, penalty and optimizer?

They say that it is found by experiment. Here all candidates are trained on all folds in stacks,
and the experiment takes a few seconds.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import common
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


def search(grid: dict[str, list[Any]], epochs: int, **where: Any) -> StackedGridSearchCV:
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
        net, grid, cv=5, verbose=1, validation_curves=True, progress="breast cancer"
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
    options = common.parser(__doc__).parse_args()
    grid, epochs = (QUICK, 5) if options.quick else (GRID, 50)
    began = time.perf_counter()
    with threadpool_limits(1):  # on nets this small a second thread costs more than it brings
        found = search(grid, epochs, **common.where(options))
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
