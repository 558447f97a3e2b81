"""What is asked of each model of many, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..batches import Batches
from ..callbacks import Callback
from ..history import History
from ..state import TrainState
from ..step import Problem
from ..training import DivergenceError


@dataclass(frozen=True, eq=False)
class Request:
    """A fit, of one model, on rows of the data that all share.

    Attributes
    ----------
    problem : Problem
    state : TrainState
        Where it begins, its one generator included.
    rows : integer array of shape (n,)
    batches : Batches
    epochs : int
    held_out_rows : integer array of shape (n,), optional
        What is evaluated after each epoch.
    weights : array of shape (samples,), optional
        The sample weights; those of the rows count.
    callbacks : sequence of Callback
        For this fit alone.
    done : int, default 0
        How many of the epochs an earlier fit has run, from which its callbacks go on.
    """

    problem: Problem
    state: TrainState
    rows: np.ndarray
    batches: Batches
    epochs: int
    held_out_rows: np.ndarray | None = None
    weights: np.ndarray | None = None
    callbacks: Sequence[Callback] = ()
    done: int = 0

    @property
    def to_run(self) -> int:
        """The epochs that are left."""
        return self.epochs - self.done


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a request.

    Attributes
    ----------
    state : TrainState
        After the last epoch; of a fit that diverged, before the epoch in which it did. None where
        nobody needs it any more.
    history : History
    stopped : str or None
        Why it ended before its length.
    failure : DivergenceError or None
    callbacks : sequence of Callback
        The request's, or copies of them from another process.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import SGD, Dense, Network, Trainer, fit_many
    >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> nets = [Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", SGD(r)) for r in (0.1, 1.0)]
    >>> [outcome.history.n_epochs for outcome in fit_many(nets, x, t, epochs=3)]
    [3, 3]
    """

    state: Any
    history: History
    stopped: str | None
    failure: DivergenceError | None
    callbacks: Sequence[Callback] = field(default_factory=tuple)


@dataclass(frozen=True)
class Setting:
    """What all requests of a call have in common.

    Attributes
    ----------
    backend : str or None
    device : object
    dtype : str
    record : str
        What a step returns, see `make_step`.
    score : bool
        Whether the rows that are trained on are scored after each epoch.
    keep_steps : bool
    objectives : bool
        As for `Run`.
    compile : bool
    """

    backend: str | None
    device: Any
    dtype: str
    record: str = "before"
    score: bool = False
    keep_steps: bool = False
    objectives: bool = False
    compile: bool = True
