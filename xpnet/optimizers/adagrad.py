"""AdaGrad."""

from __future__ import annotations

from typing import Any

from .. import validation
from .base import Optimizer


class AdaGrad(Optimizer):
    r"""Rates that shrink with all squared gradients so far.

    ``s = s + g**2``, ``p -= learning_rate * g / (sqrt(s) + eps)`` (torch's form).

    Parameters
    ----------
    learning_rate : float, array of shape (models, 1), or Schedule, default 0.01
    eps : float or array, default 1e-10

    References
    ----------
    Duchi, Hazan, Singer (2011), https://jmlr.org/papers/v12/duchi11a.html

    Examples
    --------
    >>> from xpnet import AdaGrad
    >>> AdaGrad().state_names
    ('squares',)
    """

    def __init__(self, learning_rate: Any = 0.01, *, eps: Any = 1e-10) -> None:
        super().__init__(learning_rate)
        self.eps = validation.check_hyperparameter("eps", eps, open_low=True)

    @property
    def state_names(self):
        return ("squares",)

    def coefficients(self, t, rate):
        return {"rate": rate, "eps": self.eps}

    def rule(self, xp, param, grad, state, c):
        squares = state[0] + grad * grad
        return param - c["rate"] * grad / (xp.sqrt(squares) + c["eps"]), (squares,)
