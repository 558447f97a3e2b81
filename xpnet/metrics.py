"""Scores of predictions, on the host: accuracy and R², one number a model."""

from __future__ import annotations

import numpy as np

from .losses import Loss

__all__ = ["accuracy", "r2", "score"]


def score(loss: Loss, logits: np.ndarray, t: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the score that goes with a loss: accuracy where it classifies, else R².

    Parameters
    ----------
    loss : Loss
    logits : array of shape (..., samples, outputs)
    t : array
        Targets as `loss.prepare` returns them.
    weights : array of shape (samples,) or None

    Returns
    -------
    array of shape (...)
    """
    if loss.classifies:
        return accuracy(logits, t, weights, exclusive=loss.exclusive)
    return r2(np.asarray(loss.link(logits)), t, weights)


def accuracy(
    logits: np.ndarray,
    t: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    exclusive: bool,
) -> np.ndarray:
    """Part of the samples that are classified right; of several yes-or-no outputs, all must be.

    Parameters
    ----------
    logits : array of shape (..., samples, outputs)
    t : array of shape (samples,), classes, or (samples, outputs), one-hot or yes-or-no
    weights : array of shape (samples,), optional
    exclusive : bool
        Whether the outputs are classes of which one is right, rather than yes-or-no each.

    Examples
    --------
    >>> import numpy as np
    >>> float(accuracy(np.array([[-1.0], [2.0]]), np.array([[1.0], [1.0]]), exclusive=False))
    0.5
    """
    if exclusive:
        classes = t if t.ndim == 1 else np.argmax(t, axis=-1)
        right = np.argmax(logits, axis=-1) == classes
    else:
        right = np.all((logits > 0) == (t > 0.5), axis=-1)
    return np.average(right, axis=-1, weights=weights)


def r2(y: np.ndarray, t: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Coefficient of determination, mean over the outputs; of a constant target 0, or 1 if exact.

    Parameters
    ----------
    y : array of shape (..., samples, outputs)
    t : array of shape (samples, outputs)
    weights : array of shape (samples,), optional

    Examples
    --------
    >>> import numpy as np
    >>> t = np.array([[1.0], [2.0], [3.0]])
    >>> float(r2(t, t)), float(r2(np.full((3, 1), 2.0), t))
    (1.0, 0.0)
    """
    w = np.ones(len(t)) if weights is None else weights
    residual = np.sum(w[:, None] * (t - y) ** 2, axis=-2)
    spread = np.sum(w[:, None] * (t - np.average(t, axis=0, weights=w)) ** 2, axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.where(spread > 0, 1.0 - residual / spread, np.where(residual > 0, 0.0, 1.0))
    return scores.mean(axis=-1)
