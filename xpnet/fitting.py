"""A fit under way: epoch after epoch, with callbacks around each."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from . import validation
from .backends import Array
from .checkpoints import Training
from .history import History
from .optimizers import Schedule
from .state import TrainState
from .training import DivergenceError, Run

__all__ = ["Fit"]


class Observer(Protocol):
    """What a fit calls; `xpnet.callbacks.Callback` is one."""

    last: bool
    steers: bool

    def on_fit_begin(self, fit: Fit) -> None: ...
    def on_epoch_begin(self, fit: Fit) -> None: ...
    def on_buffer_end(self, fit: Fit) -> None: ...
    def on_epoch_end(self, fit: Fit) -> None: ...
    def on_fit_end(self, fit: Fit) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...


class Fit:
    """A fit under way: what callbacks see, and what they may ask for.

    Attributes
    ----------
    run : Run
        What stays the same from epoch to epoch: problem, backend, samples, batches.
    state : TrainState
        After the last epoch or, of a stream, the last buffer. Its arrays lie on the device; to
        replace it is allowed.
    history : History
        The curves so far, numbers on the host.
    unit : {'epoch', 'step'}
        What the length is counted in.
    total, done : int
        The length that was asked for, and how much of it is done.
    learning_rate : float, array of shape (models, 1), Schedule or None
        In place of the optimizer's, from the next epoch on; of a stream, from the next buffer on.
    stopped : str or None
        Why the fit ends before its length.
    resumable : bool
        Whether a fit that is resumed goes on nevertheless.
    given : bool
        Whether the state that it began from was handed in, not drawn.
    begun : bool
        Whether all callbacks have agreed to begin.
    callbacks : list
    random_state : int, list of int or None
        The seeds, where there are any.
    metadata : dict
        What a checkpoint shall say beside the run.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Callback, Dense, Network, Trainer
    >>> class Enough(Callback):
    ...     def on_epoch_end(self, fit):
    ...         if fit.history.losses[-1] < 0.3:
    ...             fit.stop("the loss is below 0.3")
    >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
    >>> history = trainer.fit(x, t, epochs=100, callbacks=[Enough()])
    >>> history.n_epochs < 100, trainer.stopped_
    (True, 'the loss is below 0.3')
    """

    def __init__(
        self,
        run: Run,
        state: TrainState,
        length: tuple[str, int],
        callbacks: Sequence[Observer],
        random_state: Any = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.run = run
        self.state = state
        self._agreed: TrainState | None = None
        self._within = False
        self.history = History()
        self.unit, self.total = length
        self.done = 0
        self.learning_rate: Any = None
        self.stopped: str | None = None
        self.resumable = self.given = self.begun = False
        if not run.ranks.first:
            callbacks = ()
        self.callbacks = sorted(callbacks, key=lambda callback: callback.last)
        self.random_state = random_state
        self.metadata = metadata or {}

    @property
    def params(self) -> Array:
        """The parameters after the last epoch, on the device."""
        return self.state.params

    @property
    def steering(self) -> list[Observer]:
        """The callbacks that may change the training."""
        return [callback for callback in self.callbacks if callback.steers]

    def stop(self, reason: str, *, resumable: bool = False) -> None:
        """End the fit after this epoch; of a stream, after this buffer.

        Parameters
        ----------
        reason : str
        resumable : bool, default False
            Whether a fit that is resumed from a checkpoint goes on nevertheless.
        """
        self.stopped, self.resumable = reason, resumable

    def resume(self, training: Training, done: int, stopped: str | None) -> None:
        """Go on from what a checkpoint holds; for the use of a callback as the fit begins.

        Parameters
        ----------
        training : Training
        done : int
        stopped : str or None
        """
        self._go_on(training.state, training.history, done, stopped)
        self._within = self.state.part is not None
        for callback, own in zip(self.steering, training.callbacks, strict=True):
            callback.restore(own)

    def _go_on(self, state: TrainState, history: History, done: int, stopped: str | None) -> None:
        place = self.run.place
        samples = place.seeded(self.run.samples, state.dropout_seed)
        for generator, snapshot in zip(self.run.generators, state.generators, strict=True):
            generator.set_state(snapshot)
        self.run = replace(self.run, samples=samples)
        self.state, self.history = state.moved(place.floats), history
        self.done, self.stopped = done, stopped

    def loop(self) -> None:
        """Run the epochs.

        Raises
        ------
        FloatingPointError
            Training diverged; `state` is that before the epoch in which it did; of a stream, before
            the buffer.
        """
        try:
            with contextlib.closing(self.epochs()) as epochs:
                for _ in epochs:
                    self._epoch()
        except DivergenceError:  # on all ranks
            self._agree()
            raise
        self._agree()

    def epochs(self) -> Generator[bool, None, None]:
        """Yield True where an epoch is to be run: what calls the callbacks before and after it."""
        with contextlib.ExitStack() as ends:
            for callback in self.callbacks:
                callback.on_fit_begin(self)
                # Backwards: a checkpoint is written before another restores the best parameters.
                ends.callback(callback.on_fit_end, self)
            self._agree()
            self.begun = True
            while self.done < self.total and self.stopped is None:
                if not self._within:  # of an epoch, whose beginning the callbacks have seen
                    self._call("on_epoch_begin")
                self._within = False
                yield True
                if self.state.part is None:
                    self._call("on_epoch_end")

    def rate(self) -> Any:
        """Return the rate that replaces the optimizer's, checked; None if there is none."""
        rate = self.learning_rate
        if rate is not None and not isinstance(rate, Schedule):
            self.learning_rate = validation.check_hyperparameter("fit.learning_rate", rate)
        return self.learning_rate

    def _epoch(self) -> None:
        steps = self.unit == "step"
        left = self.total - self.done
        entries = History()
        states = self.run.epoch(self.state, entries, left if steps else None, self.rate())
        with contextlib.closing(states):
            self._take(next(states))
            while self.state.part is not None:
                self._call("on_buffer_end")
                if self.stopped is not None:
                    return
                self._take(states.send((self.state, self.rate())))
        # Only now: what interrupts an epoch leaves the history as it was before it.
        for name, curve in vars(entries).items():
            getattr(self.history, name).extend(curve)

    def _take(self, state: TrainState) -> None:
        """Go on with the state after an epoch, or after a buffer."""
        if self.unit == "step":
            self.done += state.step - self.state.step
        else:
            self.done += state.part is None
        self.state = self._agreed = state

    def _call(self, event: str) -> None:
        with self.run.ranks.together():  # the others wait for what is decided here
            for callback in self.callbacks:
                getattr(callback, event)(self)
        self._agree()

    def _agree(self) -> None:
        """Let all ranks go on from what the first one's callbacks have made of the fit."""
        ranks = self.run.ranks
        if ranks.alone:
            return
        told: Any = None
        if ranks.first:
            told = [self.stopped, self.resumable, self.learning_rate, self._within, None]
            if self.state is not self._agreed:
                state = self.state.moved(self.run.place.backend.to_host)
                told[-1] = state, self.history, self.done, self.stopped
        stopped, resumable, rate, within, moved = ranks.agreed(told)
        if moved is not None and not ranks.first:
            if self._agreed is None:  # all begin where the first one does
                self._go_on(*moved)
            else:
                self.state = moved[0].moved(self.run.place.floats)
        self.stopped, self.resumable, self.learning_rate = stopped, resumable, rate
        self._within = within
        self._agreed = self.state
