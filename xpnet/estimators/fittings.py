"""A candidate estimator, and its fits on some rows each."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from ..history import History
from ..stacking.requests import Outcome, Request, Setting
from ..state import TrainState, initial_state
from ..step import Problem
from . import data, parameters
from .base import NOT_FINITE, BaseMLP
from .continuation import Continuation
from .convergence import Convergence

if TYPE_CHECKING:
    from .many import Pool


@dataclass(eq=False)
class Fitting:
    """A fit of an estimator on some rows.

    Attributes
    ----------
    candidate : Candidate
    rows : integer array
        The rows of the data set that it is fitted on, those of early stopping among them.
    request : Request
    convergence : Convergence
    outcome : Outcome or None
        What became of it.
    continuation : Continuation or None
        What a longer fit can go on from.
    """

    candidate: Candidate
    rows: np.ndarray
    request: Request
    convergence: Convergence
    outcome: Outcome | None = None
    continuation: Continuation | None = None

    @property
    def failure(self) -> str | None:
        """Why its fit fails: it diverged, with no best parameters to keep."""
        assert self.outcome is not None
        if self.outcome.failure is None or self.candidate.estimator.early_stopping:
            return None
        return f"{NOT_FINITE} {self.outcome.failure}"

    def release(self) -> None:
        """Let go of the parameters, once they are of no more use; not of a fit that may go on."""
        if self.continuation is None and self.outcome is not None:
            self.outcome = replace(self.outcome, state=None)

    @property
    def history(self) -> History:
        """Its curves."""
        assert self.outcome is not None
        return self.outcome.history

    @property
    def diverged(self) -> bool:
        """Whether training diverged, whatever early stopping has kept."""
        return self.outcome is not None and self.outcome.failure is not None

    @property
    def clipped(self) -> bool:
        """Whether there are fewer samples than a batch was asked to have."""
        size = self.candidate.estimator.batch_size
        return not isinstance(size, str) and size > len(self.request.rows)

    @property
    def unfinished(self) -> bool:
        """Whether it ran out of epochs."""
        assert self.outcome is not None
        return self.outcome.stopped is None and self.outcome.failure is None

    @property
    def params(self) -> Any:
        """The parameters that it ended with."""
        assert self.outcome is not None
        return self.outcome.state.params


class Candidate:
    """An estimator that is not fitted, with what all its fits share.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    pool : Pool
    """

    def __init__(self, estimator: BaseMLP, pool: Pool) -> None:
        self.estimator = estimator
        self.checked = parameters.check(estimator)
        estimator.__dict__.update(pool.learned)
        self.dtype = data.float_type(estimator, pool.X)
        if self.can_be_stacked:
            self._prepare(pool)

    @property
    def can_be_stacked(self) -> bool:
        """Whether its fits can be some of many: not of L-BFGS, nor with checkpoints."""
        alone = any(callback.alone for callback in self.checked.callbacks)
        return self.checked.optimizer is not None and not alone

    def _prepare(self, pool: Pool) -> None:
        est, checked = self.estimator, self.checked
        network = checked.network(pool.X.shape[1], est._count_outputs(pool.t))
        est._set_network(network, est._make_loss(self.dtype))
        est._fitted_loss.prepare(pool.t, network.n_outputs, "y")
        assert checked.optimizer is not None
        self.problem = Problem(
            network, est._fitted_loss, checked.optimizer, checked.penalty, est.max_norm
        )
        self.setting = Setting(
            est.backend, est.device, self.dtype, record="objective", objectives=True
        )
        self._begin: tuple[TrainState, np.random.RandomState] | None = None

    def begin(self) -> tuple[TrainState, np.random.RandomState]:
        """Return where a fit begins: with a seed, where all begin."""
        if self._begin is not None:
            state, rng = self._begin
            return state, copy.deepcopy(rng)
        seed = self.estimator.random_state
        rng = check_random_state(copy.deepcopy(seed))
        state = initial_state(self.problem, (rng,), False, None)
        if seed is not None:
            self._begin = state, copy.deepcopy(rng)
        return state, rng


def warn(fittings: Sequence[Fitting], stacklevel: int) -> None:
    """Say once what each fit alone would say."""
    n, unfinished = len(fittings), sum(fitting.unfinished for fitting in fittings)
    kept = sum(fitting.diverged and fitting.failure is None for fitting in fittings)
    clipped = any(fitting.clipped for fitting in fittings)
    texts = {
        f"{unfinished} of {n} fits reached max_iter, and have not converged yet.": unfinished,
        f"{kept} of {n} fits diverged; the best parameters are kept.": kept,
    }
    for text in (text for text, count in texts.items() if count):
        warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel + 1)
    if clipped:
        warnings.warn(data.CLIPPED, UserWarning, stacklevel=stacklevel + 1)
