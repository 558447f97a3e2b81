"""L1 and L2 penalties, and the mask that spares the biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import functions, validation
from .backends import Array, Namespace
from .layers import Layer

__all__ = ["Penalty", "mask"]


@dataclass(frozen=True, eq=False)
class Penalty:
    r"""L1 and L2 penalty of the weights, ``l1 * sum|w| + l2 / 2 * sum w**2``.

    Parameters
    ----------
    l1, l2 : float or array of shape (models, 1), default 0
    division : {'apart', 'together', 'none'}
        How a step divides it by the number of samples of the batch (the sum of their weights).
        'apart': the loss's gradient and the penalty's each by itself (the tutorials). 'together':
        their sum (scikit-learn); the same but for rounding. Both make its strength depend on the
        batch size. 'none': not at all.

    Examples
    --------
    >>> from xpnet import Penalty
    >>> Penalty(l2=0.01)
    Penalty(l1=0.0, l2=0.01, division='apart')
    """

    l1: Any = 0.0
    l2: Any = 0.0
    division: str = "apart"

    def __post_init__(self):
        for name in ("l1", "l2"):
            checked = validation.check_hyperparameter(name, getattr(self, name))
            object.__setattr__(self, name, checked)
        division = validation.check_choice("division", self.division, ["apart", "together", "none"])
        object.__setattr__(self, "division", division)

    def __bool__(self) -> bool:
        return any(map(_is_used, (self.l1, self.l2)))

    def coefficients(self) -> dict[str, Any]:
        """Return the strengths that are in use, as coefficients."""
        strengths = {"l1": self.l1, "l2": self.l2}
        return {name: value for name, value in strengths.items() if _is_used(value)}

    def gradient(self, xp: Namespace, params: Array, mask: Array, c: dict[str, Array]) -> Array:
        """Return ``(l1 * sign(w) + l2 * w)`` of the weights and zeros for the biases."""
        terms = []
        if "l1" in c:
            terms.append(c["l1"] * functions.sign(params, xp=xp))
        if "l2" in c:
            terms.append(c["l2"] * params)
        return sum(terms[1:], start=terms[0]) * mask

    def add(self, gradient: Array, own: Array, total: Any) -> Array:
        """Return the mean's gradient with the penalty's, given the sum's and what `gradient` gave.

        Parameters
        ----------
        gradient : array of shape (..., n_params)
            Of the sum of the samples' losses.
        own : array of shape (..., n_params)
        total : int or array of shape (..., 1)
            The sum of the sample weights.
        """
        if self.division == "together":
            return (gradient + own) / total
        return gradient / total + self.mean(own, total)

    def mean(self, value: Any, total: Any) -> Any:
        """Return what `value` gave, divided by the sum of the sample weights if it is to be."""
        return value if self.division == "none" else value / total

    def value(self, xp: Namespace, params: Array, mask: Array, c: dict[str, Array]) -> Array:
        """Return the penalty of each model, of shape (..., 1)."""
        weights = params * mask
        terms = []
        if "l1" in c:
            terms.append(c["l1"] * xp.sum(xp.abs(weights), axis=-1, keepdims=True))
        if "l2" in c:
            terms.append(c["l2"] / 2.0 * xp.sum(weights * weights, axis=-1, keepdims=True))
        return sum(terms[1:], start=terms[0])


def _is_used(strength: Any) -> bool:
    return strength != 0 if isinstance(strength, float) else bool(np.any(strength))


def mask(layers: tuple[Layer, ...]) -> np.ndarray:
    """Return ones for the weights and zeros for the biases, in the flat vector's order."""
    parts = [
        np.full(int(np.prod(p.shape)), float(p.penalized)) for la in layers for p in la.parameters
    ]
    return np.concatenate(parts)
