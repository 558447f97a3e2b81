"""Learning rates by callback."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import validation
from ..fitting import Fit
from ..history import History
from ..optimizers import Schedule
from .base import Callback


class LearningRateSchedule(Callback):
    """Sets the learning rate of each epoch, in place of the optimizer's.

    Parameters
    ----------
    schedule : Schedule or callable
        A schedule, or a function ``(epoch, history) -> rate`` with the epoch from 0. It is asked
        before each epoch and should depend on nothing else, so that a resumed run has the rates
        of the uninterrupted one.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Dense, LearningRateSchedule, Network, Trainer
    >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> halving = LearningRateSchedule(lambda epoch, history: 0.1 * 0.5**epoch)
    >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
    >>> history = trainer.fit(x, t, epochs=3, callbacks=[halving])
    """

    def __init__(self, schedule: Schedule | Callable[[int, History], float]) -> None:
        function = callable(schedule) and not isinstance(schedule, type)
        if not isinstance(schedule, Schedule) and not function:
            raise TypeError(
                f"schedule={schedule!r} must be a Schedule, or a function (epoch, history) -> rate."
            )
        self.schedule = schedule

    def on_fit_begin(self, fit):
        if isinstance(self.schedule, Schedule):
            _check_models(self.schedule.rates(np.arange(1), fit.state.epoch), fit)
            fit.learning_rate = self.schedule  # also of an epoch that is resumed in its midst

    def on_epoch_begin(self, fit):
        if isinstance(self.schedule, Schedule):
            fit.learning_rate = self.schedule
            return
        rate = self.schedule(fit.state.epoch, fit.history)
        fit.learning_rate = validation.check_hyperparameter("schedule's rate", rate)
        _check_models(fit.learning_rate, fit)


def _check_models(rate: Any, fit: Fit) -> None:
    """Raise unless it is one rate, or one for each model of the fit's stack."""
    models = math.prod(fit.state.params.shape[:-1])
    if np.size(rate) not in (1, models):
        raise ValueError(f"schedule has rates for {np.size(rate)} models; the fit has {models}.")
