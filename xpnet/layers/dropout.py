"""Dropout by hash: the same units fall out on every backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import random, validation
from .base import Layer


@dataclass(frozen=True)
class Dropout(Layer):
    """Sets each input to zero with probability `rate` while training.

    What remains is divided by ``1 - rate``, so inference changes nothing (inverted dropout).
    Which inputs fall out is a hash of (seed, step, layer, element).

    Parameters
    ----------
    rate : float or array of shape (models, 1), in [0, 1), default 0.5
        Chance of falling out, in steps of 2**-24.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014),
    https://jmlr.org/papers/v15/srivastava14a.html

    Examples
    --------
    >>> from xpnet import Dense, Dropout, Network, ReLU
    >>> net = Network([Dense(30, 10), ReLU(), Dropout(0.2), Dense(10, 1)])
    """

    rate: Any = 0.5
    noisy = True

    def __post_init__(self):
        rate = validation.check_hyperparameter("rate", self.rate, high=1.0, open_high=True)
        object.__setattr__(self, "rate", rate)

    def coefficients(self):
        if isinstance(self.rate, float):
            return {}
        threshold = (self.rate * random.SCALE).round()
        return {"threshold": threshold, "scale": 1.0 / (1.0 - self.rate)}

    def forward(self, xp, parameters, x, noise):
        if noise is None or (isinstance(self.rate, float) and self.rate == 0.0):
            return x, None
        bits = random.bits(
            noise.seed, noise.step, noise.layer, x.shape[-2:], noise.first_row, xp=xp
        )
        if isinstance(self.rate, float):
            kept, scale = bits >= round(self.rate * random.SCALE), 1.0 / (1.0 - self.rate)
        else:  # 24 bits are exact in float32 too
            kept = xp.astype(bits, x.dtype) >= noise.coefficient("threshold")
            scale = noise.coefficient("scale")
        factor = xp.astype(kept, x.dtype) * scale
        return x * factor, factor

    def input_gradient(self, xp, parameters, cache, gradient):
        return gradient if cache is None else gradient * cache
