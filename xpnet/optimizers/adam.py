"""Adam and its relatives: one set of running means, several ways to step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import validation
from .base import Optimizer, check_beta


def _power(base: Any, exponent: np.ndarray) -> np.ndarray:
    """Return C's pow: NumPy's own differs from it, and between processors, in the last digit."""
    return np.frompyfunc(math.pow, 2, 1)(base, exponent).astype(np.float64)


class Adam(Optimizer):
    r"""Adaptive moments.

    ``m = beta1 * m + (1 - beta1) * g``, ``v = beta2 * v + (1 - beta2) * g**2``,
    ``p -= learning_rate * m_hat / (sqrt(v_hat) + eps)`` with the bias-corrected
    ``m_hat = m / (1 - beta1**t)``, ``v_hat = v / (1 - beta2**t)``.

    The rule in fact used is ``p -= s * m / (sqrt(v) + e)`` with
    ``s = learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t)``, and e by `eps_form`.

    Parameters
    ----------
    learning_rate : float, array of shape (models, 1), or Schedule, default 1e-3
    beta1, beta2 : float or array in [0, 1), default 0.9, 0.999
    eps : float or array, default 1e-8
    amsgrad : bool, default False
        Divide by the largest v so far.
    eps_form : {'corrected', 'plain'}
        'corrected' is ``e = eps * sqrt(1 - beta2**t)``, the formula above (the paper's
        algorithm, torch, optax, the tutorials); 'plain' is ``e = eps`` (scikit-learn, chainer).

    References
    ----------
    Kingma, Ba (2015), https://arxiv.org/abs/1412.6980; Reddi, Kale, Kumar (2018),
    https://openreview.net/forum?id=ryQu7f-RZ (AMSGrad)

    Examples
    --------
    >>> from xpnet import Adam
    >>> Adam(learning_rate=1e-3).state_names
    ('mean', 'mean_square')
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        *,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        eps: Any = 1e-8,
        amsgrad: bool = False,
        eps_form: str = "corrected",
    ) -> None:
        super().__init__(learning_rate)
        self.beta1 = check_beta("beta1", beta1)
        self.beta2 = check_beta("beta2", beta2)
        self.eps = validation.check_hyperparameter("eps", eps, open_low=True)
        self.amsgrad = validation.check_flag("amsgrad", amsgrad)
        self.eps_form = validation.check_choice("eps_form", eps_form, ["corrected", "plain"])

    @property
    def state_names(self):
        return ("mean", "mean_square", "largest")[: 3 if self.amsgrad else 2]

    def coefficients(self, t, rate):
        root = np.sqrt(1.0 - _power(self.beta2, t))
        return {
            "rate": rate * root / (1.0 - _power(self.beta1, t)),
            "eps": self.eps * root if self.eps_form == "corrected" else self.eps,
            "beta1": self.beta1,
            "gain1": 1.0 - self.beta1,
            "beta2": self.beta2,
            "gain2": 1.0 - self.beta2,
        }

    def moments(self, xp, grad, state, c):
        """Return the new state and what the step is divided by."""
        mean = c["beta1"] * state[0] + c["gain1"] * grad
        mean_square = c["beta2"] * state[1] + c["gain2"] * (grad * grad)
        if not self.amsgrad:
            return (mean, mean_square), xp.sqrt(mean_square) + c["eps"]
        largest = xp.maximum(state[2], mean_square)
        return (mean, mean_square, largest), xp.sqrt(largest) + c["eps"]

    def rule(self, xp, param, grad, state, c):
        state, size = self.moments(xp, grad, state, c)
        return param - c["rate"] * state[0] / size, state


class AdamW(Adam):
    r"""Adam with decoupled weight decay.

    ``p *= 1 - learning_rate * weight_decay`` before Adam's step. Unlike a `Penalty` it decays
    all parameters, biases included, as torch and optax do by default.

    Parameters
    ----------
    learning_rate, beta1, beta2, eps, amsgrad, eps_form
        As for `Adam`.
    weight_decay : float or array, default 0.01

    References
    ----------
    Loshchilov, Hutter (2019), https://arxiv.org/abs/1711.05101

    Examples
    --------
    >>> from xpnet import AdamW
    >>> AdamW(weight_decay=0.1).weight_decay
    0.1
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        *,
        weight_decay: Any = 0.01,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        eps: Any = 1e-8,
        amsgrad: bool = False,
        eps_form: str = "corrected",
    ) -> None:
        super().__init__(
            learning_rate, beta1=beta1, beta2=beta2, eps=eps, amsgrad=amsgrad, eps_form=eps_form
        )
        self.weight_decay = validation.check_hyperparameter("weight_decay", weight_decay)

    def coefficients(self, t, rate):
        return super().coefficients(t, rate) | {"keep": 1.0 - rate * self.weight_decay}

    def rule(self, xp, param, grad, state, c):
        return super().rule(xp, c["keep"] * param, grad, state, c)


class Nadam(Adam):
    r"""Adam with Nesterov's momentum (torch's NAdam).

    ``p -= learning_rate * (mu_{t+1} * m / (1 - M_{t+1}) + (1 - mu_t) * g / (1 - M_t))
    / (sqrt(v_hat) + eps)`` with ``mu_t = beta1 * (1 - 0.96**(t * momentum_decay) / 2)`` and
    ``M_t = mu_1 * ... * mu_t``.

    Parameters
    ----------
    learning_rate : float, array of shape (models, 1), or Schedule, default 2e-3
    beta1, beta2, eps, amsgrad, eps_form
        As for `Adam`.
    momentum_decay : float or array, default 4e-3

    References
    ----------
    Dozat (2016), https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

    Examples
    --------
    >>> from xpnet import Nadam
    >>> Nadam().learning_rate
    0.002
    """

    def __init__(
        self,
        learning_rate: Any = 2e-3,
        *,
        momentum_decay: Any = 4e-3,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        eps: Any = 1e-8,
        amsgrad: bool = False,
        eps_form: str = "corrected",
    ) -> None:
        super().__init__(
            learning_rate, beta1=beta1, beta2=beta2, eps=eps, amsgrad=amsgrad, eps_form=eps_form
        )
        self.momentum_decay = validation.check_hyperparameter("momentum_decay", momentum_decay)

    def _momentum(self, t: np.ndarray) -> Any:
        return self.beta1 * (1.0 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def _product(self, t: np.ndarray) -> np.ndarray:
        """Return the product of the momenta of the steps 1..t."""
        largest = float(np.max(self.beta1))
        # It is below beta1**t: from some step on it is lost beside the 1 it is taken from.
        vanished = 1 if largest == 0.0 else int(np.ceil(np.log(1e-17) / np.log(largest)))
        steps = np.arange(1.0, min(float(t.max()), vanished) + 1.0)[:, None, None]
        products = np.cumprod(self._momentum(steps), axis=0)
        index = np.minimum(t[:, 0, 0], len(products)).astype(np.int64) - 1
        return np.where(t > vanished, 0.0, products[index])

    def coefficients(self, t, rate):
        c = super().coefficients(t, rate)
        scaled = rate * np.sqrt(1.0 - _power(self.beta2, t))
        c["rate"] = scaled * self._momentum(t + 1.0) / (1.0 - self._product(t + 1.0))
        c["rate_gradient"] = scaled * (1.0 - self._momentum(t)) / (1.0 - self._product(t))
        return c

    def rule(self, xp, param, grad, state, c):
        state, size = self.moments(xp, grad, state, c)
        return param - (c["rate"] * state[0] + c["rate_gradient"] * grad) / size, state
