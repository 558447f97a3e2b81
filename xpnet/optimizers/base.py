"""What an optimizer is: an elementwise rule, and the numbers it needs at each step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from .. import validation
from ..backends import Array, Namespace
from .schedules import Schedule

Coefficients = dict[str, Any]


class Optimizer(ABC):
    """Base class of the optimizers.

    A subclass says in `rule` what happens to an element, and in `coefficients` which numbers
    that takes at step t. The numbers are computed on the host in float64, for many steps at a
    time, and rounded once to the parameters' type: ``beta**t`` in float32 is off by 1e-5.

    Parameters
    ----------
    learning_rate : float, array of shape (models, 1), or Schedule

    Examples
    --------
    >>> from xpnet.optimizers import Optimizer
    >>> class Plain(Optimizer):
    ...     state_names = ()
    ...     def coefficients(self, t, rate):
    ...         return {"rate": rate}
    ...     def rule(self, xp, param, grad, state, c):
    ...         return param - c["rate"] * grad, ()
    >>> Plain(0.1).learning_rate
    0.1
    """

    def __init__(self, learning_rate: Any) -> None:
        if not isinstance(learning_rate, Schedule):
            learning_rate = validation.check_hyperparameter("learning_rate", learning_rate)
        self.learning_rate = learning_rate

    @property
    @abstractmethod
    def state_names(self) -> tuple[str, ...]:
        """The arrays that are carried from step to step; they start at zero, shaped as params."""

    @abstractmethod
    def rule(
        self,
        xp: Namespace,
        param: Array,
        grad: Array,
        state: tuple[Array, ...],
        c: dict[str, Array],
    ) -> tuple[Array, tuple[Array, ...]]:
        """Return the new parameters and state: elementwise, and nothing changed in place.

        Parameters
        ----------
        xp : namespace of the arrays
        param, grad : arrays of one shape (..., n)
        state : tuple of such arrays, as `state_names` lists them
        c : dict of str to array
            This step's coefficients, each of shape () or (models, 1).
        """

    @abstractmethod
    def coefficients(self, t: np.ndarray, rate: np.ndarray) -> Coefficients:
        """Return the numbers that `rule` takes.

        Parameters
        ----------
        t : float64 array of shape (steps, 1, 1)
            Numbers of the steps, from 1.
        rate : float64 array of shape (steps, 1, 1) or (steps, models, 1)
            Learning rates.

        Returns
        -------
        dict of str to float or array that broadcasts with `rate`
        """

    def __repr__(self) -> str:
        options = ", ".join(f"{k}={v!r}" for k, v in vars(self).items())
        return f"{type(self).__name__}({options})"


def check_beta(name: str, value: Any) -> Any:
    """Return the decay rate of a running mean: in [0, 1)."""
    return validation.check_hyperparameter(name, value, high=1.0, open_high=True)
