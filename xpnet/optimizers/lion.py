"""Lion."""

from __future__ import annotations

from typing import Any

from .. import functions, validation
from .base import Optimizer, check_beta


class Lion(Optimizer):
    r"""Steps of one size, in the direction of a running mean's sign.

    ``p -= learning_rate * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * p)``, then
    ``m = beta2 * m + (1 - beta2) * g``.

    Parameters
    ----------
    learning_rate : float, array of shape (models, 1), or Schedule, default 1e-4
    beta1, beta2 : float or array in [0, 1), default 0.9, 0.99
    weight_decay : float or array, default 0

    References
    ----------
    Chen et al. (2023), https://arxiv.org/abs/2302.06675

    Examples
    --------
    >>> from xpnet import Lion
    >>> Lion().state_names
    ('mean',)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-4,
        *,
        beta1: Any = 0.9,
        beta2: Any = 0.99,
        weight_decay: Any = 0.0,
    ) -> None:
        super().__init__(learning_rate)
        self.beta1 = check_beta("beta1", beta1)
        self.beta2 = check_beta("beta2", beta2)
        self.weight_decay = validation.check_hyperparameter("weight_decay", weight_decay)

    @property
    def state_names(self):
        return ("mean",)

    def coefficients(self, t, rate):
        return {
            "rate": rate,
            "keep": 1.0 - rate * self.weight_decay,
            "beta1": self.beta1,
            "gain1": 1.0 - self.beta1,
            "beta2": self.beta2,
            "gain2": 1.0 - self.beta2,
        }

    def rule(self, xp, param, grad, state, c):
        direction = functions.sign(c["beta1"] * state[0] + c["gain1"] * grad, xp=xp)
        mean = c["beta2"] * state[0] + c["gain2"] * grad
        return c["keep"] * param - c["rate"] * direction, (mean,)
