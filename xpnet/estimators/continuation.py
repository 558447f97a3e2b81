"""A fit that goes on from where an earlier one has ended, in memory."""

from __future__ import annotations

import copy
from dataclasses import replace

from ..callbacks import Callback
from ..checkpoints import Training


class Continuation(Callback):
    """Keeps what a `Checkpoint` would write, and lets the next fit go on from it.

    Attributes
    ----------
    training : Training or None
        What the fit has come to: its last parameters, whichever early stopping restores.
    done : int
        The epochs so far.
    """

    last = True
    steers = False

    def __init__(self) -> None:
        self.training: Training | None = None
        self.done = 0

    def on_fit_begin(self, fit):
        if self.training is not None:
            curves = copy.deepcopy(self.training.history)  # the earlier fit keeps its own
            fit.resume(replace(self.training, history=curves), self.done, None)

    def on_fit_end(self, fit):
        # Called before the others: early stopping has not restored its best parameters yet.
        problem, own = fit.run.place.problem, (callback.state() for callback in fit.steering)
        rules = problem.optimizer, problem.penalty, problem.max_norm
        self.training = Training(fit.state, fit.history, *rules, tuple(own))
        self.done = fit.done
