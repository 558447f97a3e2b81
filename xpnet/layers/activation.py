"""Activations as layers: the functions of `xpnet.functions` with their derivatives.

The order of operations in each `input_gradient` is part of the contract: losses are compared
with the tutorials' and with scikit-learn's to the last digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .. import functions, validation
from .base import Layer


class Activation(Layer):
    """Base class: without parameters, element by element (a subclass that is not says so)."""

    elementwise = True


@dataclass(frozen=True)
class Identity(Layer):
    """``y = x``.

    Examples
    --------
    >>> from xpnet import Dense, Identity, Network
    >>> Network([Dense(2, 3), Identity()]).n_outputs
    3
    """

    def forward(self, xp, parameters, x, noise):
        return x, None

    def input_gradient(self, xp, parameters, cache, gradient):
        return gradient


@dataclass(frozen=True)
class Sigmoid(Activation):
    """``y = 1 / (1 + exp(-x))``; the derivative is ``y (1 - y)``.

    Parameters
    ----------
    precise : bool, default False
        Whether NumPy uses SciPy's expit, scikit-learn's sigmoid to the last digit.

    Examples
    --------
    >>> from xpnet import Dense, Network, Sigmoid
    >>> net = Network([Dense(784, 50), Sigmoid(), Dense(50, 10)])
    """

    precise: bool = field(default=False, repr=False)

    def __post_init__(self):
        validation.check_flag("precise", self.precise)

    def forward(self, xp, parameters, x, noise):
        y = functions.sigmoid(x, xp=xp, precise=self.precise)
        return y, y

    def input_gradient(self, xp, parameters, cache, gradient):
        return gradient * cache * (1.0 - cache)


@dataclass(frozen=True)
class Tanh(Activation):
    """``y = tanh(x)``; the derivative is ``1 - y**2``.

    Examples
    --------
    >>> from xpnet import Dense, Network, Tanh
    >>> net = Network([Dense(2, 8), Tanh(), Dense(8, 1)])
    """

    def forward(self, xp, parameters, x, noise):
        y = functions.tanh(x, xp=xp)
        return y, y

    def input_gradient(self, xp, parameters, cache, gradient):
        return gradient * (1.0 - cache * cache)


@dataclass(frozen=True)
class ReLU(Activation):
    """``y = max(x, 0)``; the derivative at 0 is 0.

    Examples
    --------
    >>> from xpnet import Dense, Network, ReLU
    >>> net = Network([Dense(2, 8), ReLU(), Dense(8, 1)])
    """

    def forward(self, xp, parameters, x, noise):
        y = functions.relu(x, xp=xp)
        return y, y

    def input_gradient(self, xp, parameters, cache, gradient):
        return gradient * xp.astype(cache > 0.0, gradient.dtype)


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """``y = max(x, 0) + negative_slope * min(x, 0)``.

    Parameters
    ----------
    negative_slope : float, default 0.01

    Examples
    --------
    >>> from xpnet import Dense, LeakyReLU, Network
    >>> net = Network([Dense(2, 8), LeakyReLU(0.1), Dense(8, 1)])
    """

    negative_slope: float = 0.01

    def __post_init__(self):
        validation.check_real("negative_slope", self.negative_slope)

    def forward(self, xp, parameters, x, noise):
        return functions.leaky_relu(x, self.negative_slope, xp=xp), x

    def input_gradient(self, xp, parameters, cache, gradient):
        positive = xp.astype(cache > 0.0, gradient.dtype)
        return gradient * (positive + self.negative_slope * (1.0 - positive))


@dataclass(frozen=True)
class ELU(Activation):
    """``y = x`` above 0, ``alpha * (exp(x) - 1)`` below.

    Parameters
    ----------
    alpha : float, default 1.0

    Examples
    --------
    >>> from xpnet import Dense, ELU, Network
    >>> net = Network([Dense(2, 8), ELU(), Dense(8, 1)])
    """

    alpha: float = 1.0

    def __post_init__(self):
        validation.check_real("alpha", self.alpha)

    def forward(self, xp, parameters, x, noise):
        return functions.elu(x, self.alpha, xp=xp), x

    def input_gradient(self, xp, parameters, cache, gradient):
        positive = xp.astype(cache > 0.0, gradient.dtype)
        slope = self.alpha * xp.exp(xp.minimum(cache, 0.0))
        return gradient * (positive + slope * (1.0 - positive))


@dataclass(frozen=True)
class Softplus(Activation):
    """``y = log(1 + exp(x))``; the derivative is the sigmoid.

    Examples
    --------
    >>> from xpnet import Dense, Network, Softplus
    >>> net = Network([Dense(2, 8), Softplus(), Dense(8, 1)])
    """

    def forward(self, xp, parameters, x, noise):
        return functions.softplus(x, xp=xp), x

    def input_gradient(self, xp, parameters, cache, gradient):
        return gradient * functions.sigmoid(cache, xp=xp)


@dataclass(frozen=True)
class GELU(Activation):
    """Gaussian error linear unit in its tanh form.

    ``y = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x**3)))``

    Examples
    --------
    >>> from xpnet import Dense, GELU, Network
    >>> net = Network([Dense(2, 8), GELU(), Dense(8, 1)])
    """

    def forward(self, xp, parameters, x, noise):
        return functions.gelu(x, xp=xp), x

    def input_gradient(self, xp, parameters, cache, gradient):
        t = xp.tanh(functions.gelu_inner(cache))
        inner_slope = math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * cache * cache)
        return gradient * (0.5 * (1.0 + t) + 0.5 * cache * (1.0 - t * t) * inner_slope)


@dataclass(frozen=True)
class SiLU(Activation):
    """``y = x * sigmoid(x)`` (swish).

    Examples
    --------
    >>> from xpnet import Dense, Network, SiLU
    >>> net = Network([Dense(2, 8), SiLU(), Dense(8, 1)])
    """

    def forward(self, xp, parameters, x, noise):
        s = functions.sigmoid(x, xp=xp)
        return x * s, (x, s)

    def input_gradient(self, xp, parameters, cache, gradient):
        x, s = cache
        return gradient * (s * (1.0 + x * (1.0 - s)))


ACTIVATIONS: dict[str, type[Layer]] = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "softplus": Softplus,
    "gelu": GELU,
    "silu": SiLU,
}
"""The activations by the names of their functions."""
