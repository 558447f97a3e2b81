"""A limit on the time that a fit may take."""

from __future__ import annotations

import time

from .. import validation
from .base import Callback


class TimeLimit(Callback):
    """Stops after the epoch in which the time is up or, of a stream, after the buffer.

    Parameters
    ----------
    seconds : float
        Wall time. A fit that is resumed from a checkpoint has it anew: with a limit and a
        checkpoint a long training is done in several runs.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Dense, Network, TimeLimit, Trainer
    >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
    >>> trainer.fit(x, t, epochs=10**6, callbacks=[TimeLimit(0.01)]).n_epochs < 10**6
    True
    """

    steers = False

    def __init__(self, seconds: float) -> None:
        self.seconds = validation.check_real("seconds", seconds, open_low=True)

    def on_fit_begin(self, fit):
        self._began = time.monotonic()

    def on_buffer_end(self, fit):
        self.on_epoch_end(fit)

    def on_epoch_end(self, fit):
        if time.monotonic() - self._began >= self.seconds:
            fit.stop(f"the time limit of {self.seconds:g} s was reached", resumable=True)
