"""Losses of regression: a number for each output, combined into one for the sample."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass

from .. import backends, functions, validation
from ..backends import Array, Namespace
from .base import Loss


@dataclass(frozen=True)
class Regression(Loss):
    """Base class of the losses of regression.

    Parameters
    ----------
    outputs : {'mean', 'sum', 'mixed'}
        How several outputs are combined: their mean, their sum, or the mean with the gradient of
        the sum. The last is scikit-learn's squared error, whose gradient is n_outputs times that
        of what it reports (its issue 8349).
    """

    _: KW_ONLY
    outputs: str = "mean"

    def __post_init__(self):
        outputs = validation.check_choice("outputs", self.outputs, ["mean", "sum", "mixed"])
        object.__setattr__(self, "outputs", outputs)

    def link(self, logits, *, xp=None):
        return logits

    @abstractmethod
    def elements(self, xp: Namespace, logits: Array, t: Array) -> Array:
        """Return the loss of each output."""

    @abstractmethod
    def slopes(self, xp: Namespace, logits: Array, t: Array) -> Array:
        """Return the derivative of `elements` in the logits."""

    def samples(self, xp, logits, t):
        losses = xp.sum(self.elements(xp, logits, t), axis=-1)
        return losses if self.outputs == "sum" else losses / logits.shape[-1]

    def residual(self, xp, logits, t):
        slopes, n_outputs = self.slopes(xp, logits, t), logits.shape[-1]
        return slopes / n_outputs if self.outputs == "mean" and n_outputs > 1 else slopes


@dataclass(frozen=True)
class SquaredError(Regression):
    """Half the squared error, ``mean_k (z_k - t_k)**2 / 2``.

    Parameters
    ----------
    outputs : {'mean', 'sum', 'mixed'}
        How several outputs are combined; 'mixed' is the mean with the gradient of the sum.

    Examples
    --------
    >>> import numpy as np
    >>> float(SquaredError().value(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]])))
    1.0
    """

    def elements(self, xp, logits, t):
        difference = logits - t
        return 0.5 * difference * difference

    def slopes(self, xp, logits, t):
        return logits - t


@dataclass(frozen=True)
class AbsoluteError(Regression):
    """Absolute error, ``mean_k |z_k - t_k|``; its gradient at 0 is 0.

    Parameters
    ----------
    outputs : {'mean', 'sum', 'mixed'}
        As for `SquaredError`.

    Examples
    --------
    >>> import numpy as np
    >>> float(AbsoluteError().value(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]])))
    1.0
    """

    def elements(self, xp, logits, t):
        return xp.abs(logits - t)

    def slopes(self, xp, logits, t):
        return functions.sign(logits - t, xp=xp)


@dataclass(frozen=True)
class Huber(Regression):
    """Squared error near 0, absolute error far from it.

    ``d**2 / 2`` where ``|d| <= delta``, else ``delta * (|d| - delta / 2)``, mean over outputs
    (torch's HuberLoss).

    Parameters
    ----------
    delta : float, default 1.0
    outputs : {'mean', 'sum', 'mixed'}
        As for `SquaredError`.

    Examples
    --------
    >>> import numpy as np
    >>> float(Huber().value(np.array([[0.5], [3.0]]), np.array([[0.0], [0.0]])))
    1.3125
    """

    delta: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        validation.check_real("delta", self.delta, open_low=True)

    def elements(self, xp, logits, t):
        size = xp.abs(logits - t)
        near = xp.minimum(size, self.delta)
        return near * (size - 0.5 * near)

    def slopes(self, xp, logits, t):
        return xp.minimum(xp.maximum(logits - t, -self.delta), self.delta)


@dataclass(frozen=True)
class Poisson(Regression):
    """Half the Poisson deviance of counts, with prediction ``exp(z)``.

    ``mean_k [exp(z_k) - t_k z_k + t_k log t_k - t_k]``. scikit-learn's adds several outputs up;
    torch's PoissonNLLLoss leaves out what does not depend on z.

    Parameters
    ----------
    outputs : {'mean', 'sum', 'mixed'}
        As for `SquaredError`.

    Examples
    --------
    >>> import numpy as np
    >>> float(Poisson().value(np.array([[0.0]]), np.array([[1.0]])))
    0.0
    """

    def link(self, logits, *, xp=None):
        xp = backends.namespace(logits) if xp is None else xp
        return xp.exp(logits)

    def elements(self, xp, logits, t):
        floor = float(xp.finfo(t.dtype).smallest_normal)
        constant = t * xp.log(xp.maximum(t, floor)) - t
        return xp.exp(logits) - t * logits + constant

    def slopes(self, xp, logits, t):
        return xp.exp(logits) - t

    def prepare(self, t, n_outputs, name="t"):
        t = super().prepare(t, n_outputs, name)
        if (t < 0).any():
            raise ValueError(f"{name} holds {t.min():g}; Poisson needs counts, 0 or more.")
        return t
