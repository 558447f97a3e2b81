"""Losses of classification; they add up the outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import functions, validation
from ..backends import Array, Namespace
from .base import Loss


def _bounds(clip: float, dtype: Any, xp: Namespace) -> tuple[float, float]:
    # 1 - 1e-10 is 1 in float32, and log(1 - 1) no number: stay one unit of rounding below.
    return clip, min(1.0 - clip, 1.0 - float(xp.finfo(dtype).eps))


def _clamped(p: Array, clip: float | None, xp: Namespace) -> Array:
    if clip is None:
        return p
    low, high = _bounds(clip, p.dtype, xp)
    return xp.minimum(xp.maximum(p, low), high)


def _check_forms(clip: float | None, offset: float | None) -> None:
    if clip is not None:
        validation.check_real("clip", clip, high=0.5, open_low=True, open_high=True)
    if offset is not None:
        validation.check_real("offset", offset, open_low=True)
    if clip is not None and offset is not None:
        raise ValueError(f"clip={clip} and offset={offset} are two forms of one guard: pass one.")


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    r"""Log loss of independent yes-or-no outputs.

    ``-sum_k [t_k log a_k + (1 - t_k) log(1 - a_k)]`` with ``a = sigmoid(z)``, by default in the
    stable form ``max(z, 0) - z t + log(1 + exp(-|z|))``. The gradient in z is ``a - t``.

    Parameters
    ----------
    clip : float, optional
        Bounds a to [clip, 1 - clip] in the value (1e-10 in the tutorials, the type's epsilon
        in scikit-learn), never in the gradient. In float32 the upper bound is at most 1 - 2**-23.
    offset : float, optional
        Adds to a and to 1 - a inside the logarithms.
    precise : bool, default False
        Whether NumPy uses SciPy's expit, scikit-learn's sigmoid to the last digit.

    Examples
    --------
    >>> import numpy as np
    >>> loss = BinaryCrossEntropy()
    >>> round(float(loss.value(np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]]))), 4)
    0.41
    """

    clip: float | None = None
    offset: float | None = None
    precise: bool = False
    classifies = True

    def __post_init__(self):
        validation.check_flag("precise", self.precise)
        _check_forms(self.clip, self.offset)

    def link(self, logits, *, xp=None):
        return functions.sigmoid(logits, xp=xp, precise=self.precise)

    def samples(self, xp, logits, t):
        if self.clip is None and self.offset is None:
            losses = xp.maximum(logits, 0.0) - logits * t + xp.log1p(xp.exp(-xp.abs(logits)))
        else:
            a = _clamped(self.link(logits, xp=xp), self.clip, xp)
            e = self.offset or 0.0
            losses = -(t * xp.log(a + e) + (1.0 - t) * xp.log(1.0 - a + e))
        return xp.sum(losses, axis=-1)

    def residual(self, xp, logits, t):
        return self.link(logits, xp=xp) - t

    def prepare(self, t, n_outputs, name="t"):
        t = super().prepare(t, n_outputs, name)
        if ((t < 0) | (t > 1)).any():
            raise ValueError(
                f"{name} holds values in [{t.min():g}, {t.max():g}]; BinaryCrossEntropy needs "
                "targets in [0, 1]. SoftmaxCrossEntropy is for one class among several."
            )
        return t


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    r"""Cross-entropy of one class among several.

    ``-sum_k t_k log p_k`` with ``p = softmax(z)``. The gradient in z is ``p - t`` for targets
    that sum to 1.

    Parameters
    ----------
    clip : float, optional
        Bounds p to [clip, 1 - clip] in the value.
    offset : float, optional
        Adds to p inside the logarithm (1e-7 in the tutorials).

    Notes
    -----
    Targets are integer classes of shape (..., batch) or rows of shape (..., batch, classes),
    one-hot or any probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> loss = SoftmaxCrossEntropy()
    >>> round(float(loss.value(np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([1, 0]))), 4)
    0.3709
    """

    clip: float | None = None
    offset: float | None = None
    classifies = True
    exclusive = True

    def __post_init__(self):
        _check_forms(self.clip, self.offset)

    def link(self, logits, *, xp=None):
        return functions.softmax(logits, xp=xp)

    def _rows(self, xp: Namespace, logits: Array, t: Array) -> Array:
        if t.dtype == logits.dtype:
            return t
        return functions.one_hot(t, logits.shape[-1], dtype=logits.dtype, xp=xp)

    def samples(self, xp, logits, t):
        t = self._rows(xp, logits, t)
        if self.clip is None and self.offset is None:
            logs = functions.log_softmax(logits, xp=xp)
        else:
            p = _clamped(functions.softmax(logits, xp=xp), self.clip, xp)
            logs = xp.log(p + (self.offset or 0.0))
        return -xp.sum(t * logs, axis=-1)

    def residual(self, xp, logits, t):
        return functions.softmax(logits, xp=xp) - self._rows(xp, logits, t)

    def prepare(self, t, n_outputs, name="t"):
        if n_outputs < 2:
            raise ValueError(
                "SoftmaxCrossEntropy needs at least 2 outputs; use BinaryCrossEntropy for one."
            )
        if t.ndim == 1:
            if t.dtype.kind == "f" and (t != np.floor(t)).any():
                raise ValueError(f"{name} of one axis holds classes; integers are needed.")
            outside = t[(t < 0) | (t >= n_outputs)]
            if outside.size:
                raise ValueError(
                    f"{name} holds {outside[0]:g}, outside the classes 0..{n_outputs - 1} "
                    f"of a network with {n_outputs} outputs; classes are counted from 0."
                )
            return t.astype(np.int32)
        t = super().prepare(t, n_outputs, name)
        if (t < 0).any() or not np.allclose(t.sum(axis=-1), 1.0, atol=1e-4):
            raise ValueError(f"{name}: rows must be probabilities that sum to 1, such as one-hot.")
        return t.astype(np.float64) if t.dtype.kind != "f" else t
