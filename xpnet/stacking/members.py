"""A fit whose epochs are run with those of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..backends import Array
from ..fitting import Fit, Observer
from ..state import TrainState
from ..training import DivergenceError, Run


class Holder(Protocol):
    """Where members have their states while they are trained."""

    def params_of(self, member: Member) -> Array: ...
    def state_of(self, member: Member) -> TrainState: ...


class Member(Fit):
    """A fit that is one model of a stack; for its callbacks, a fit like any other.

    Attributes
    ----------
    index : int
        Which model of the stack it is.
    curve : list
        Its monitored loss of each epoch so far.
    failure : DivergenceError or None
        How it ended, if it diverged; its state is then that before the epoch in which it did.
    """

    def __init__(
        self,
        run: Run,
        state: TrainState,
        epochs: int,
        callbacks: Sequence[Observer],
        random_state: Any = None,
    ) -> None:
        self._holder: Holder | None = None
        self._own: TrainState | None = state
        super().__init__(run, state, ("epoch", epochs), callbacks, random_state)
        self.index = 0
        self.curve = list(state.curve)
        self.failure: DivergenceError | None = None
        self._running = self.epochs()

    @property
    def state(self) -> TrainState:
        """After the last epoch; to replace it is allowed."""
        if self._own is not None:
            return self._own
        assert self._holder is not None
        return self._holder.state_of(self)

    @state.setter
    def state(self, state: TrainState) -> None:
        self._own = state

    @property
    def params(self) -> Array:
        """The parameters after the last epoch, on the device."""
        if self._own is not None:
            return self._own.params
        assert self._holder is not None
        return self._holder.params_of(self)

    @property
    def has_own_state(self) -> bool:
        """Whether its state is not the holder's: it is new, has ended, or was given another."""
        return self._own is not None

    def join(self, holder: Holder, index: int) -> None:
        """Leave the state to the holder from now on."""
        if self._own is not None:
            self.curve = list(self._own.curve)
        self._holder, self.index, self._own = holder, index, None

    def advance(self) -> bool:
        """Call the callbacks between two epochs; return whether another one is wanted."""
        if next(self._running, False):
            return True
        self._own = self.state
        return False

    def fail(self, failure: DivergenceError, before: TrainState) -> None:
        """End, with the state before the epoch that diverged."""
        self._own, self.failure, self.stopped = before, failure, str(failure)
        try:
            self._running.throw(failure)
        except DivergenceError as error:
            if error is not failure:
                raise

    def close(self) -> None:
        """End in the midst, as an interrupted fit does."""
        self._running.close()
