"""scikit-learn's MLPClassifier as a contestant."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.neural_network import MLPClassifier

from .contestant import EpochEnded, Fit
from .task import Parameters, Task


class _Timed(MLPClassifier):
    """Tells when an epoch has ended; scikit-learn looks then whether to stop."""

    epoch_ended: EpochEnded

    def _update_no_improvement_count(self, *arguments: Any) -> None:
        super()._update_no_improvement_count(*arguments)
        self.epoch_ended()


def classifier(task: Task) -> Fit:
    """Train by scikit-learn, which draws the same parameters and orders from the seed."""
    options = task.rules.estimator_options(task.epochs)

    def fit(epoch_ended: EpochEnded) -> Parameters:
        net = _Timed(**options)
        net.epoch_ended = epoch_ended
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            net.fit(task.x, task.t)
        return list(zip(net.coefs_, net.intercepts_, strict=True))

    return fit
