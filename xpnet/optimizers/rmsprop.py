"""RMSprop."""

from __future__ import annotations

from typing import Any

from .. import validation
from .base import Optimizer, check_beta


class RMSprop(Optimizer):
    r"""Rates divided by a running root mean square of the gradients.

    ``s = rho * s + (1 - rho) * g**2``, ``p -= learning_rate * g / (sqrt(s) + eps)``; centred:
    ``sqrt(s - m**2)`` with ``m = rho * m + (1 - rho) * g``.

    Parameters
    ----------
    learning_rate : float, array of shape (models, 1), or Schedule, default 0.01
    rho : float or array in [0, 1), default 0.99
    eps : float or array, default 1e-8
        Outside the root, as in torch; Keras has it inside.
    centered : bool, default False

    References
    ----------
    Hinton (2012), "Neural Networks for Machine Learning", lecture 6; Graves (2013),
    https://arxiv.org/abs/1308.0850 (centred)

    Examples
    --------
    >>> from xpnet import RMSprop
    >>> RMSprop(centered=True).state_names
    ('mean_square', 'mean')
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        rho: Any = 0.99,
        eps: Any = 1e-8,
        centered: bool = False,
    ) -> None:
        super().__init__(learning_rate)
        self.rho = check_beta("rho", rho)
        self.eps = validation.check_hyperparameter("eps", eps, open_low=True)
        self.centered = validation.check_flag("centered", centered)

    @property
    def state_names(self):
        return ("mean_square", "mean") if self.centered else ("mean_square",)

    def coefficients(self, t, rate):
        return {"rate": rate, "rho": self.rho, "gain": 1.0 - self.rho, "eps": self.eps}

    def rule(self, xp, param, grad, state, c):
        mean_square = c["rho"] * state[0] + c["gain"] * (grad * grad)
        if not self.centered:
            size = xp.sqrt(mean_square) + c["eps"]
            return param - c["rate"] * grad / size, (mean_square,)
        mean = c["rho"] * state[1] + c["gain"] * grad
        # Rounding can push a variance of zero below it.
        size = xp.sqrt(xp.maximum(mean_square - mean * mean, 0.0)) + c["eps"]
        return param - c["rate"] * grad / size, (mean_square, mean)
