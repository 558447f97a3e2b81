"""Losses of logits: a link to predictions, a value, a gradient.

Logits are the network's output, of shape (..., batch, outputs). A loss is first a number for
each sample; what training minimises is the weighted mean. Losses of classification add up the
outputs, losses of regression average them by default.
"""

from .base import Loss
from .cross_entropy import BinaryCrossEntropy, SoftmaxCrossEntropy
from .regression import AbsoluteError, Huber, Poisson, SquaredError

LOSSES: dict[str, type[Loss]] = {
    "binary_cross_entropy": BinaryCrossEntropy,
    "softmax_cross_entropy": SoftmaxCrossEntropy,
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "poisson": Poisson,
}
"""The losses by name."""

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "Huber",
    "Loss",
    "Poisson",
    "SoftmaxCrossEntropy",
    "SquaredError",
]
