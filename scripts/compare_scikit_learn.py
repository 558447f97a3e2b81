"""scikit-learn's MLP and xpnet's, side by side: scores of cross-validation, and times of fits.

Ten data sets, each with one choice of parameters for both, the same folds and the same seeds. The
fits run in turn, theirs, ours, theirs, ours, and medians are compared. It fails where the scores
are further apart than their noise.

    scripts/compare_scikit_learn            # prints the tables, in a few minutes
    scripts/compare_scikit_learn --write    # and puts them into docs/scikit-learn.md
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np
import sklearn
import sklearn.neural_network
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from threadpoolctl import threadpool_limits

import xpnet

PAGE = Path(__file__).parents[1] / "docs" / "scikit-learn.md"
BEGIN, END = "<!-- scripts/compare_scikit_learn writes from here -->", "<!-- to here -->"
N_FOLDS = 5
TYPES = ("float64", "float32")


class Case(NamedTuple):
    """A data set of scikit-learn's, and how all learn it."""

    name: str
    kind: str
    source: str
    options: dict[str, Any]
    params: dict[str, Any]

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"- {self.name}: `{self.kind}({told})`"

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return features and targets; those of a regression have mean 0 and deviation 1."""
        real = self.source.startswith("load")
        more = {"return_X_y": True} if real else {"random_state": 0}
        x, y = getattr(datasets, self.source)(**self.options, **more)
        return x, scale(y) if self.kind == REGRESSOR else y

    def folds(self, y: np.ndarray) -> StratifiedKFold | KFold:
        """Return the folds, by class where each sample has one."""
        of_classes = self.kind == CLASSIFIER and y.ndim == 1
        return (StratifiedKFold if of_classes else KFold)(N_FOLDS, shuffle=True, random_state=0)

    def contestants(self, seed: int) -> list[Pipeline]:
        """Return what is trained: theirs, and ours in each type."""
        theirs, ours = (getattr(where, self.kind) for where in (sklearn.neural_network, xpnet))
        options = self.params | {"random_state": seed}
        nets = [theirs(**options), *(ours(**options, dtype=dtype) for dtype in TYPES)]
        return [make_pipeline(StandardScaler(), net) for net in nets]


CLASSIFIER, REGRESSOR = "MLPClassifier", "MLPRegressor"
ADAM, SGD, LBFGS = ({"solver": solver} for solver in ("adam", "sgd", "lbfgs"))
FAST, EARLY = {"learning_rate_init": 0.01}, {"early_stopping": True}
FIVE = {"n_samples": 800, "n_informative": 8, "n_classes": 5, "flip_y": 0.05}
SIX = {"n_samples": 600, "n_classes": 6}
THREE = {"n_samples": 500, "n_features": 20, "n_targets": 3, "noise": 20.0}
# fmt: off
CASES = [
    Case("breast cancer, 2 classes", CLASSIFIER, "load_breast_cancer", {},
         ADAM | {"hidden_layer_sizes": (50,)}),
    Case("moons, 2 classes", CLASSIFIER, "make_moons", {"n_samples": 1000, "noise": 0.25},
         LBFGS | {"activation": "tanh", "hidden_layer_sizes": (16,), "alpha": 0.1}),
    Case("iris, 3 classes", CLASSIFIER, "load_iris", {},
         SGD | FAST | {"activation": "tanh", "batch_size": 16}),
    Case("wine, 3 classes", CLASSIFIER, "load_wine", {}, ADAM | {"alpha": 1.0, "batch_size": 32}),
    Case("digits, 10 classes", CLASSIFIER, "load_digits", {}, ADAM | FAST | EARLY),
    Case("made, 5 classes", CLASSIFIER, "make_classification", FIVE,
         SGD | {"learning_rate": "adaptive", "learning_rate_init": 0.1}),
    Case("made, 6 labels", CLASSIFIER, "make_multilabel_classification", SIX,
         ADAM | FAST | {"activation": "logistic"}),
    Case("diabetes", REGRESSOR, "load_diabetes", {},
         SGD | EARLY | {"alpha": 0.1, "batch_size": 32}),
    Case("Friedman 1", REGRESSOR, "make_friedman1", {"n_samples": 500, "noise": 1.0},
         LBFGS | {"hidden_layer_sizes": (20,), "alpha": 1.0, "max_iter": 100}),
    Case("made, 3 outputs", REGRESSOR, "make_regression", THREE,
         ADAM | {"hidden_layer_sizes": (40, 20), "alpha": 0.01}),
]
# fmt: on
QUICK = ("iris, 3 classes", "Friedman 1")


def fit_all(case: Case, seeds: range) -> np.ndarray:
    """Return scores and processor seconds, of shape (2, contestants, fits)."""
    x, y = case.data()
    done: list[list[tuple[float, float]]] = []
    for seed in seeds:
        for train, test in case.folds(y).split(x, y):
            done.append([])
            for estimator in case.contestants(seed):
                began = time.process_time()
                estimator.fit(x[train], y[train])
                seconds = time.process_time() - began
                done[-1].append((estimator.score(x[test], y[test]), seconds))
    return np.array(done).T


def compare_scores(case: Case, scores: np.ndarray) -> list[str]:
    """Return a line's cells; raise where scores are further apart than their noise."""
    theirs = scores[0]
    noise = theirs.std(ddof=1) / np.sqrt(len(theirs))
    cells = [case.name, f"{theirs.mean():.4f} ± {theirs.std(ddof=1):.4f}", f"{noise:.4f}"]
    for ours, dtype in zip(scores[1:], TYPES, strict=True):
        difference = ours.mean() - theirs.mean()
        if not abs(difference) <= noise:
            raise RuntimeError(f"{case.name}, {dtype}: {difference:+.4f}, noise {noise:.4f}")
        equal = np.isclose(ours, theirs, rtol=1e-9, atol=0.0).sum()
        told = f"{difference:.0e}" if difference else "0"
        cells += [f"{ours.mean():.4f} ± {ours.std(ddof=1):.4f}", told, str(equal)]
    return cells


def compare_times(case: Case, seconds: np.ndarray) -> list[str]:
    """Return a line's cells: medians, and the medians of the ratios."""
    cells = [case.name, f"{np.median(seconds[0]):.3f}"]
    for ours in seconds[1:]:
        cells += [f"{np.median(ours):.3f}", f"{np.median(ours / seconds[0]):.2f}"]
    return cells


def report(cases: list[Case], seeds: range) -> str:
    """Run the cases; return the tables, and what they depend on."""
    scores, times = [], []
    for case in cases:
        its_scores, its_seconds = fit_all(case, seeds)
        scores.append(compare_scores(case, its_scores))
        times.append(compare_times(case, its_seconds))
        print(f"{case.name}: done", flush=True)
    columns = "data, scikit-learn, noise, xpnet, difference, equal, float32, difference, equal"
    versions = f"xpnet {xpnet.__version__}, scikit-learn {sklearn.__version__}, "
    versions += f"NumPy {np.__version__} and Python {platform.python_version()}"
    n_seeds, n_fits = len(seeds), N_FOLDS * len(seeds)
    return f"""\
Scores on the data left out, mean ± standard deviation of {n_fits} fits ({N_FOLDS} folds, each with
{n_seeds} seeds): accuracy (of several labels, all must be right), of regressors R². The noise is
one standard error of scikit-learn's mean; equal is the number of fits whose scores agree to 1e-9.

{common.table(columns, scores)}

Seconds of a fit, of processor time on one BLAS thread: medians, and the medians of the ratios.

{common.table("data, scikit-learn, xpnet, ratio, float32, ratio", times)}

Run on {date.today()} with {versions}, on {os.cpu_count()} cores.
What each was given, behind a `StandardScaler`:

{chr(10).join(map(str, cases))}"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two data sets, one seed")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("--write needs the full run, without --quick")
    cases = [case for case in CASES if case.name in QUICK or not options.quick]
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of theirs and of ours
        text = report(cases, range(1 if options.quick else 5))
    print(f"\n{text}")
    if options.write:
        common.write_between(PAGE, BEGIN, END, text)


if __name__ == "__main__":
    common.run(main)
