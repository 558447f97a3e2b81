"""Checkpoints of a run, to go on from when it was killed."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from .. import checkpoints, validation
from ..fitting import Fit
from ..optimizers import Schedule
from ..placement import checksum
from .base import Callback


def _told(callback: Any) -> str:
    """Return a callback's class and those of its options that can be compared."""
    plain = {
        name: value
        for name, value in vars(callback).items()
        if isinstance(value, int | float | str | None) and name[0] != "_" and name[-1] != "_"
    }
    options = ", ".join(f"{name}={value!r}" for name, value in plain.items())
    return f"{type(callback).__name__}({options})"


def _start(fit: Fit) -> str:
    """Return what tells the states apart that fits begin from: those that are handed in."""
    state = fit.state
    where = f"params of shape {tuple(state.params.shape)} at step {state.step}"
    return f"{where}, {checksum(state.params, *state.optimizer_state)}" if fit.given else where


def _progress(fit: Fit) -> tuple[int, int]:
    """Return how many epochs were done, and how many steps of the next one."""
    return fit.history.n_epochs, fit.state.steps_into_epoch


class Checkpoint(Callback):
    """Writes all that a run needs to go on: first of all, after every `every` epochs, at the end.

    A run that was killed or interrupted, at whatever moment, and is started again in the same way
    goes on from the last write and gives bit for bit what the uninterrupted run gives. A message
    (logging) says that it goes on, or that there is nothing left to do.

    Parameters
    ----------
    path : str or path
        The file is replaced only by a complete one.
    every : int, default 1
        Epochs between two writes.
    every_seconds : float, default 60
        Of a stream, the least time between two writes in the midst of an epoch, after a buffer.
    resume : bool, default True
        Whether a fit goes on from the file where there is one. If not, it is overwritten.

    Notes
    -----
    The file (see `xpnet.checkpoints`) holds parameters, optimizer state, generators, history, and
    the states of all callbacks. `Trainer.load`, or the estimators' `load` if one of them wrote it,
    reads the net in it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from xpnet import Checkpoint, Dense, Network, Trainer
    >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> net = Network([Dense(1, 1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for epochs in (2, 5):  # as if the first were killed after two epochs
    ...         trainer = Trainer(net, "binary_cross_entropy", random_state=0)
    ...         saving = Checkpoint(f"{folder}/run.safetensors")
    ...         history = trainer.fit(x, t, epochs=epochs, callbacks=[saving])
    >>> history.n_epochs, trainer.state_.epoch
    (5, 5)
    """

    last = True
    steers = False
    alone = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every: int = 1,
        every_seconds: float = 60.0,
        resume: bool = True,
    ) -> None:
        self.path = validation.check_path("path", path)
        self.every = validation.check_integer("every", every)
        self.every_seconds = validation.check_real("every_seconds", every_seconds)
        self.resume = validation.check_flag("resume", resume)

    def on_fit_begin(self, fit):
        self._same = self._setting(fit)
        if self.resume and self.path.exists():
            self._resume(fit)
        else:
            self._write(fit)  # says now what cannot be written
        self._written = self._seen = _progress(fit)
        self._when = time.monotonic()

    def on_buffer_end(self, fit):
        self._seen = _progress(fit)
        if fit.stopped or time.monotonic() - self._when >= self.every_seconds:
            self._write(fit)

    def on_epoch_end(self, fit):
        self._seen = _progress(fit)
        if fit.history.n_epochs % self.every == 0 or fit.stopped or fit.done >= fit.total:
            self._write(fit)

    def on_fit_end(self, fit):
        # An epoch that another callback failed in was not seen by all: the file stays as it is.
        if self._written != self._seen == _progress(fit):
            self._write(fit)

    def _write(self, fit: Fit) -> None:
        problem = fit.run.place.problem
        training = checkpoints.Training(
            fit.state,
            fit.history,
            problem.optimizer,
            problem.penalty,
            problem.max_norm,
            tuple(callback.state() for callback in fit.steering),
        )
        rate = None if isinstance(fit.learning_rate, Schedule) else fit.learning_rate
        stopped = None if fit.resumable else fit.stopped
        progress = {"done": fit.done, "stopped": stopped, "learning_rate": rate}
        checkpoints.save(
            self.path,
            problem.network,
            None,
            problem.loss,
            {**fit.metadata, "fit": progress | self._same},
            training=training,
        )
        self._written, self._when = _progress(fit), time.monotonic()

    def _resume(self, fit: Fit) -> None:
        saved = checkpoints.load(self.path)
        progress = saved.metadata.get("fit")
        if saved.training is None or progress is None:
            raise ValueError(
                f"{self.path} holds a net, but no run to go on from. Choose another path, or pass "
                "resume=False to overwrite it."
            )
        wanted = {"done": int, "stopped": str | None}
        if not isinstance(progress, dict) or not all(
            isinstance(progress.get(name, ()), kind) for name, kind in wanted.items()
        ):
            raise ValueError(f"{self.path} is damaged: it does not say how far its run is.")
        problem = fit.run.place.problem
        differ = checkpoints.differences(saved, problem)
        differ += [
            f"{name}: {progress.get(name)} in the file, {here} here"
            for name, here in self._same.items()
            if progress.get(name) != here
        ]
        if differ:
            raise ValueError(
                f"{self.path} is of another run ({'; '.join(differ)}). Choose another path (each "
                "fit needs its own), or pass resume=False to overwrite it."
            )
        try:
            rate = progress["learning_rate"]
            if rate is not None:
                rate = validation.check_hyperparameter("learning_rate", rate)
            fit.resume(saved.training, progress["done"], progress["stopped"])
        except Exception as error:
            raise ValueError(f"{self.path} holds no run to go on from: {error!r}.") from error
        over = fit.stopped is not None or fit.done >= fit.total
        what = "is finished, nothing is trained; resume=False starts anew" if over else "goes on"
        done = f"{fit.unit} {fit.done} of {fit.total}"
        logging.getLogger("xpnet").warning("%s: the run %s, after %s.", self.path, what, done)
        if rate is not None:
            fit.learning_rate = rate

    @staticmethod
    def _setting(fit: Fit) -> dict[str, Any]:
        """Return what must agree between the run in the file and the one that goes on."""
        run = fit.run
        return {
            "unit": fit.unit,
            "random_state": fit.random_state,
            "start": _start(fit),
            "labels": fit.metadata.get("labels"),
            **run.setting(),
            "ranks": repr(run.ranks),
            "callbacks": [_told(callback) for callback in fit.steering],
        }
