"""The fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import validation
from ..initializers import Glorot, Initializer, Zeros
from .base import Layer, Parameter


@dataclass(frozen=True)
class Dense(Layer):
    """Fully connected layer, ``y = x W + b``.

    Parameters
    ----------
    n_features_in : int
    n_outputs : int
    weight_init : Initializer, default Glorot()
    bias_init : Initializer, default Zeros()
    bias : bool, default True
        Whether there is a b.

    Notes
    -----
    x is (..., batch, n_features_in), W (..., n_features_in, n_outputs), b (..., n_outputs),
    y (..., batch, n_outputs).

    Examples
    --------
    >>> from xpnet import Dense, Network
    >>> Network([Dense(784, 50), Dense(50, 10)]).n_params
    39760
    """

    n_features_in: int
    n_outputs: int
    weight_init: Initializer = field(default_factory=Glorot)
    bias_init: Initializer = field(default_factory=Zeros)
    bias: bool = True

    def __post_init__(self):
        validation.check_integer("n_features_in", self.n_features_in)
        validation.check_integer("n_outputs", self.n_outputs)
        validation.check_flag("bias", self.bias)
        for name in ("weight_init", "bias_init"):
            if not isinstance(getattr(self, name), Initializer):
                raise TypeError(
                    f"{name}={getattr(self, name)!r} must be an initializer, such as Glorot()."
                )

    @property
    def parameters(self):
        weight = Parameter("W", (self.n_features_in, self.n_outputs), True)
        return (weight, Parameter("b", (self.n_outputs,), False)) if self.bias else (weight,)

    def initialize(self, rng):
        fans = self.n_features_in, self.n_outputs
        initializers = (self.weight_init, self.bias_init)
        return tuple(
            draw(rng, p.shape, *fans)
            for draw, p in zip(initializers, self.parameters, strict=False)
        )

    def forward(self, xp, parameters, x, noise):
        y = xp.matmul(x, parameters[0])
        if self.bias:
            y = y + parameters[1][..., None, :]
        return y, x

    def parameter_gradients(self, xp, cache, gradient):
        weight = xp.matmul(cache.mT, gradient)
        return (weight, xp.sum(gradient, axis=-2)) if self.bias else (weight,)

    def input_gradient(self, xp, parameters, cache, gradient):
        return xp.matmul(gradient, parameters[0].mT)
