"""Losses of regression; they average the outputs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from .. import backends, functions, validation
from ..backends import Array, Namespace
from .base import Loss


@dataclass(frozen=True)
class _Regression(Loss):
    """A loss of the differences ``z - t``, averaged over the outputs."""

    def link(self, logits, *, xp=None):
        return logits

    @abstractmethod
    def elements(self, xp: Namespace, difference: Array) -> Array:
        """Return the loss of each difference."""

    @abstractmethod
    def slopes(self, xp: Namespace, difference: Array) -> Array:
        """Return the derivative of `elements`."""

    def samples(self, xp, logits, t):
        return xp.sum(self.elements(xp, logits - t), axis=-1) / logits.shape[-1]

    def residual(self, xp, logits, t):
        slopes = self.slopes(xp, logits - t)
        return slopes if logits.shape[-1] == 1 else slopes / logits.shape[-1]


@dataclass(frozen=True)
class SquaredError(_Regression):
    """Half the squared error, ``mean_k (z_k - t_k)**2 / 2``.

    Examples
    --------
    >>> import numpy as np
    >>> float(SquaredError().value(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]])))
    1.0
    """

    def elements(self, xp, difference):
        return 0.5 * difference * difference

    def slopes(self, xp, difference):
        return difference


@dataclass(frozen=True)
class AbsoluteError(_Regression):
    """Absolute error, ``mean_k |z_k - t_k|``; its gradient at 0 is 0.

    Examples
    --------
    >>> import numpy as np
    >>> float(AbsoluteError().value(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]])))
    1.0
    """

    def elements(self, xp, difference):
        return xp.abs(difference)

    def slopes(self, xp, difference):
        return functions.sign(difference, xp=xp)


@dataclass(frozen=True)
class Huber(_Regression):
    """Squared error near 0, absolute error far from it.

    ``d**2 / 2`` where ``|d| <= delta``, else ``delta * (|d| - delta / 2)``, mean over outputs
    (torch's HuberLoss).

    Parameters
    ----------
    delta : float, default 1.0

    Examples
    --------
    >>> import numpy as np
    >>> float(Huber().value(np.array([[0.5], [3.0]]), np.array([[0.0], [0.0]])))
    1.3125
    """

    delta: float = 1.0

    def __post_init__(self):
        validation.check_real("delta", self.delta, open_low=True)

    def elements(self, xp, difference):
        size = xp.abs(difference)
        near = xp.minimum(size, self.delta)
        return near * (size - 0.5 * near)

    def slopes(self, xp, difference):
        return xp.minimum(xp.maximum(difference, -self.delta), self.delta)


@dataclass(frozen=True)
class Poisson(Loss):
    """Half the Poisson deviance of counts, with prediction ``exp(z)``.

    ``mean_k [exp(z_k) - t_k z_k + t_k log t_k - t_k]``; for one output it is scikit-learn's,
    which adds several up. torch's PoissonNLLLoss leaves out what does not depend on z.

    Examples
    --------
    >>> import numpy as np
    >>> float(Poisson().value(np.array([[0.0]]), np.array([[1.0]])))
    0.0
    """

    def link(self, logits, *, xp=None):
        xp = backends.namespace(logits) if xp is None else xp
        return xp.exp(logits)

    def samples(self, xp, logits, t):
        floor = float(xp.finfo(t.dtype).smallest_normal)
        constant = t * xp.log(xp.maximum(t, floor)) - t
        return xp.sum(xp.exp(logits) - t * logits + constant, axis=-1) / logits.shape[-1]

    def residual(self, xp, logits, t):
        return (xp.exp(logits) - t) / logits.shape[-1]

    def prepare(self, t, n_outputs, name="t"):
        t = super().prepare(t, n_outputs, name)
        if (t < 0).any():
            raise ValueError(f"{name} holds {t.min():g}; Poisson needs counts, 0 or more.")
        return t
