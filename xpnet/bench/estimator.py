"""xpnet's MLPClassifier as a contestant."""

from __future__ import annotations

import warnings

from ..estimators import MLPClassifier
from .contestant import EpochEnded, Fit
from .core import Clock
from .task import Parameters, Task


def classifier(task: Task, backend: str = "numpy", device: str | None = None) -> Fit:
    """Train by the estimator."""
    options = task.rules.estimator_options(task.epochs)

    def fit(epoch_ended: EpochEnded) -> Parameters:
        clock = Clock(epoch_ended)
        net = MLPClassifier(**options, backend=backend, device=device, callbacks=[clock])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            net.fit(task.x, task.t)
        return list(zip(net.coefs_, net.intercepts_, strict=True))

    return fit
