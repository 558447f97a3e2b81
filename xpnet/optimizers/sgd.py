"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import validation
from .base import Optimizer


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum on request.

    ``v = momentum * v + (1 - dampening) * g``, ``p -= learning_rate * v``; with Nesterov's
    look-ahead ``p -= learning_rate * (g + momentum * v)``.

    Parameters
    ----------
    learning_rate : float, array of shape (models, 1), or Schedule, default 0.1
    momentum : float or array in [0, 1], default 0
    dampening : float or array in [0, 1], default 0
        ``dampening=momentum`` makes v a running mean of the gradients.
    nesterov : bool, default False
    velocity_form : {'gradients', 'steps'}
        What v adds up. 'gradients' is the formula above: the rate stands outside v (the tutorials,
        torch). 'steps' has it inside, ``v = momentum * v + (1 - dampening) * learning_rate * g``,
        ``p -= v`` (scikit-learn); they differ only when the rate changes.

    Notes
    -----
    v starts at 0, as in the tutorials; torch's starts at the undamped first gradient, which
    differs only with dampening.

    References
    ----------
    Sutskever, Martens, Dahl, Hinton (2013), https://proceedings.mlr.press/v28/sutskever13.html

    Examples
    --------
    >>> from xpnet import SGD
    >>> SGD(learning_rate=0.1, momentum=0.9).state_names
    ('velocity',)
    """

    def __init__(
        self,
        learning_rate: Any = 0.1,
        *,
        momentum: Any = 0.0,
        dampening: Any = 0.0,
        nesterov: bool = False,
        velocity_form: str = "gradients",
    ) -> None:
        super().__init__(learning_rate)
        self.momentum = validation.check_hyperparameter("momentum", momentum, high=1.0)
        self.dampening = validation.check_hyperparameter("dampening", dampening, high=1.0)
        self.nesterov = validation.check_flag("nesterov", nesterov)
        forms = ["gradients", "steps"]
        self.velocity_form = validation.check_choice("velocity_form", velocity_form, forms)
        has_momentum = bool(np.any(self.momentum))
        if self.nesterov and not has_momentum:
            raise ValueError(f"nesterov=True needs momentum above 0; momentum={momentum!r}.")

    @property
    def state_names(self):
        plain = not np.any(self.momentum) and not np.any(self.dampening)
        return () if plain else ("velocity",)

    def coefficients(self, t, rate):
        return {"rate": rate, "momentum": self.momentum, "gain": 1.0 - self.dampening}

    def rule(self, xp, param, grad, state, c):
        if not state:
            return param - c["rate"] * grad, ()
        inside = self.velocity_form == "steps"
        pull = c["rate"] * grad if inside else grad
        velocity = c["momentum"] * state[0] + c["gain"] * pull
        step = pull + c["momentum"] * velocity if self.nesterov else velocity
        return param - (step if inside else c["rate"] * step), (velocity,)
