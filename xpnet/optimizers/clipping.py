"""Gradient clipping by norm."""

from __future__ import annotations

from ..backends import Array, Namespace


def clip_by_norm(xp: Namespace, grad: Array, max_norm: Array) -> Array:
    """Scale each model's gradient so that its Euclidean norm is at most `max_norm`.

    Parameters
    ----------
    xp : namespace of the arrays
    grad : array of shape (..., n)
    max_norm : array of shape () or (models, 1)

    Returns
    -------
    array of shape (..., n)
        ``grad * max_norm / max(norm, max_norm)``: bit for bit `grad` where the norm is smaller.

    References
    ----------
    Pascanu, Mikolov, Bengio (2013), https://arxiv.org/abs/1211.5063

    Examples
    --------
    >>> import numpy as np
    >>> clip_by_norm(np, np.array([3.0, 4.0]), np.float64(1.0))
    array([0.6, 0.8])
    """
    # Squares of what is largest, or of less: those of 1e20 are infinite in float32.
    tiny = float(xp.finfo(grad.dtype).smallest_normal)
    largest = xp.maximum(xp.max(xp.abs(grad), axis=-1, keepdims=True), tiny)
    parts = grad / largest
    norm = largest * xp.sqrt(xp.sum(parts * parts, axis=-1, keepdims=True))
    return grad * (max_norm / xp.maximum(norm, max_norm))
