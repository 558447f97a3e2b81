"""Early stopping."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import backends, validation
from ..fitting import Fit
from ..patience import Patience
from .base import Callback
from .monitor import Monitor, check_fit, check_monitor, read


class EarlyStopping(Callback):
    """Stops when a monitored number has not improved for some epochs, and restores the best.

    Parameters
    ----------
    monitor : {'val_losses', 'val_scores', 'losses', 'scores'} or callable, default 'val_losses'
        A curve of the history, or a function of the history that returns a number.
    patience : int, default 10
        Stops after more than so many epochs in a row without improvement.
    min_delta : float, default 0
        What counts as improvement: below ``best - min_delta`` (above ``best + min_delta`` where
        more is better).
    mode : {'min', 'max'}, optional
        What is better; by default 'max' for scores, 'min' for all else.
    restore_best : bool, default True
        Whether the fit ends with the parameters of the best epoch.

    Attributes
    ----------
    best_ : float
        The best monitored number.
    best_epoch_ : int
        Its epoch, from 1; 0 if there was none.
    stopped_epoch_ : int or None
        The epoch after which the fit was stopped.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Dense, EarlyStopping, Network, Trainer
    >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
    >>> stopping = EarlyStopping(patience=2, min_delta=0.01)
    >>> history = trainer.fit(x, t, epochs=500, validation_data=(x, t), callbacks=[stopping])
    >>> history.n_epochs < 500
    True
    """

    def __init__(
        self,
        monitor: Monitor = "val_losses",
        *,
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str | None = None,
        restore_best: bool = True,
    ) -> None:
        check_monitor(monitor, mode)
        self.monitor = monitor
        self.patience = validation.check_integer("patience", patience, minimum=0)
        self.min_delta = validation.check_real("min_delta", min_delta)
        self.mode = mode
        self.restore_best = validation.check_flag("restore_best", restore_best)

    def _patience(self) -> Patience:
        return Patience(self.patience, self.min_delta)

    def on_fit_begin(self, fit):
        self._monitor, self._sign = check_monitor(self.monitor, self.mode)
        check_fit(self._monitor, fit)
        self._counter = self._patience()
        self._best_params: Any = None
        self.best_epoch_ = 0
        self.stopped_epoch_: int | None = None

    @property
    def best_(self) -> float:
        """The best monitored number."""
        return float(self._sign * self._counter.best)

    def on_epoch_end(self, fit):
        before = self._counter.best
        exhausted = self._counter.update(self._sign * read(self._monitor, fit.history))
        if self._counter.best < before:
            self.best_epoch_ = fit.history.n_epochs
            self._best_params = fit.params if self.restore_best else None
        if exhausted:
            self.exhausted(fit)

    def exhausted(self, fit: Fit) -> None:
        """Do what is to be done when the patience is at its end: stop."""
        self.stopped_epoch_ = fit.history.n_epochs
        name = self.monitor if isinstance(self.monitor, str) else "the monitored number"
        fit.stop(f"{name} did not improve for {self.patience + 1} epochs")

    def on_fit_end(self, fit):
        if self._best_params is not None:
            params, done = fit.run.place.floats(self._best_params), fit.state.steps_into_epoch
            fit.state = replace(fit.state, params=params, part=None, step=fit.state.step - done)
        self._best_params = None  # it would travel with every pickle

    def state(self):
        return {
            "best": np.asarray(self._counter.best, dtype=np.float64),
            "waited": int(self._counter.waited),
            "best_epoch": self.best_epoch_,
            "stopped_epoch": self.stopped_epoch_,
            "best_params": backends.to_host(self._best_params),
        }

    def restore(self, state):
        self._counter.best, self._counter.waited = float(state["best"]), state["waited"]
        self.best_epoch_, self.stopped_epoch_ = state["best_epoch"], state["stopped_epoch"]
        self._best_params = state["best_params"]
