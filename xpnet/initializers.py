"""Initial weights, drawn on the host in float64 so that every backend starts alike."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from . import validation

__all__ = [
    "Glorot",
    "He",
    "Initializer",
    "LeCun",
    "Normal",
    "Ones",
    "Uniform",
    "Zeros",
]


class Initializer(ABC):
    """Draws the initial values of one parameter.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Dense
    >>> from xpnet.initializers import Initializer
    >>> class Signs(Initializer):
    ...     def __call__(self, rng, shape, fan_in, fan_out):
    ...         return rng.choice([-1.0, 1.0], shape)
    >>> layer = Dense(3, 2, weight_init=Signs())
    >>> bool((np.abs(layer.initialize(np.random.RandomState(0))[0]) == 1.0).all())
    True
    """

    @abstractmethod
    def __call__(
        self, rng: np.random.RandomState, shape: tuple[int, ...], fan_in: int, fan_out: int
    ) -> np.ndarray:
        """Return float64 values of `shape`.

        Parameters
        ----------
        rng : numpy.random.RandomState
        shape : tuple of int
        fan_in, fan_out : int
            Inputs and outputs of the layer, for biases too.
        """


@dataclass(frozen=True)
class Zeros(Initializer):
    """All zeros.

    Examples
    --------
    >>> import numpy as np
    >>> Zeros()(np.random.RandomState(0), (2,), 3, 2)
    array([0., 0.])
    """

    def __call__(self, rng, shape, fan_in, fan_out):
        return np.zeros(shape)


@dataclass(frozen=True)
class Ones(Initializer):
    """All ones.

    Examples
    --------
    >>> import numpy as np
    >>> Ones()(np.random.RandomState(0), (2,), 3, 2)
    array([1., 1.])
    """

    def __call__(self, rng, shape, fan_in, fan_out):
        return np.ones(shape)


@dataclass(frozen=True)
class Normal(Initializer):
    """Normal distribution, ``std * N(0, 1)``.

    Parameters
    ----------
    std : float, default 0.01

    Examples
    --------
    >>> import numpy as np
    >>> Normal(std=1.0)(np.random.RandomState(42), (2,), 3, 2).round(3)
    array([ 0.497, -0.138])
    """

    std: float = 0.01

    def __post_init__(self):
        validation.check_real("std", self.std)

    def __call__(self, rng, shape, fan_in, fan_out):
        return self.std * rng.standard_normal(shape)


@dataclass(frozen=True)
class Uniform(Initializer):
    """Uniform distribution on ``[-limit, limit)``.

    Parameters
    ----------
    limit : float, default 0.05

    Examples
    --------
    >>> import numpy as np
    >>> Uniform(limit=1.0)(np.random.RandomState(42), (2,), 3, 2).round(3)
    array([-0.251,  0.901])
    """

    limit: float = 0.05

    def __post_init__(self):
        validation.check_real("limit", self.limit)

    def __call__(self, rng, shape, fan_in, fan_out):
        return rng.uniform(-self.limit, self.limit, shape)


@dataclass(frozen=True)
class _VarianceScaling(Initializer):
    distribution: str = "uniform"
    scale: float = 2.0

    def __post_init__(self):
        name = validation.check_choice("distribution", self.distribution, ["uniform", "normal"])
        object.__setattr__(self, "distribution", name)
        validation.check_real("scale", self.scale, open_low=True)

    @abstractmethod
    def fan(self, fan_in: int, fan_out: int) -> int:
        """Return what the variance is divided by."""

    def __call__(self, rng, shape, fan_in, fan_out):
        fan = self.fan(fan_in, fan_out)
        if self.distribution == "normal":
            return math.sqrt(self.scale / fan) * rng.standard_normal(shape)
        limit = math.sqrt(3.0 * self.scale / fan)
        return rng.uniform(-limit, limit, shape)


@dataclass(frozen=True)
class Glorot(_VarianceScaling):
    """Variance ``scale / (fan_in + fan_out)`` (Xavier); uniform is ±sqrt(6 / (fan_in + fan_out)).

    Parameters
    ----------
    distribution : {'uniform', 'normal'}
    scale : float, default 2.0

    References
    ----------
    Glorot, Bengio (2010), https://proceedings.mlr.press/v9/glorot10a.html

    Examples
    --------
    >>> import numpy as np
    >>> Glorot()(np.random.RandomState(42), (2,), 3, 3).round(3)
    array([-0.251,  0.901])
    """

    def fan(self, fan_in, fan_out):
        return fan_in + fan_out


@dataclass(frozen=True)
class He(_VarianceScaling):
    """Variance ``scale / fan_in`` (Kaiming), for rectifiers.

    Parameters
    ----------
    distribution : {'uniform', 'normal'}
    scale : float, default 2.0

    References
    ----------
    He, Zhang, Ren, Sun (2015), https://arxiv.org/abs/1502.01852

    Examples
    --------
    >>> import numpy as np
    >>> He("normal")(np.random.RandomState(42), (2,), 2, 3).round(3)
    array([ 0.497, -0.138])
    """

    def fan(self, fan_in, fan_out):
        return fan_in


@dataclass(frozen=True)
class LeCun(_VarianceScaling):
    """Variance ``scale / fan_in``.

    Parameters
    ----------
    distribution : {'uniform', 'normal'}
    scale : float, default 1.0

    References
    ----------
    LeCun, Bottou, Orr, Müller (1998), "Efficient BackProp"

    Examples
    --------
    >>> import numpy as np
    >>> LeCun("normal")(np.random.RandomState(42), (2,), 1, 3).round(3)
    array([ 0.497, -0.138])
    """

    scale: float = 1.0

    def fan(self, fan_in, fan_out):
        return fan_in
