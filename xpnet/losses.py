"""Losses of logits: a link to predictions, a value, a gradient.

Logits are the network's output, of shape (..., batch, outputs). A loss is first a number for
each sample; what training minimises is the weighted mean. Losses of classification add up the
outputs, losses of regression average them, as scikit-learn's do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import backends, functions, validation
from .backends import Array, Namespace

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


class Loss(ABC):
    """Base class: `value` and `gradient` of the mean, from what a subclass says of a sample.

    Subclasses are frozen dataclasses and hold no arrays.
    """

    classifies: bool = False
    """Whether predictions are probabilities of classes: accuracy is then the metric, else R²."""

    exclusive: bool = False
    """Whether the outputs are classes of which one is right, rather than yes-or-no each."""

    @abstractmethod
    def link(self, logits: Array, *, xp: Namespace | None = None) -> Array:
        """Return the predictions that belong to the logits."""

    @abstractmethod
    def samples(self, xp: Namespace, logits: Array, t: Array) -> Array:
        """Return the loss of each sample, of shape (..., batch)."""

    @abstractmethod
    def residual(self, xp: Namespace, logits: Array, t: Array) -> Array:
        """Return the gradient of each sample's loss in its logits, of the logits' shape."""

    def prepare(self, t: np.ndarray, n_outputs: int, name: str = "t") -> np.ndarray:
        """Check host targets and return them in the form that the other methods take.

        Parameters
        ----------
        t : numpy.ndarray of shape (samples,) or (samples, outputs)
        n_outputs : int
            The network's outputs.
        name : str
            What messages call the targets.

        Returns
        -------
        numpy.ndarray
        """
        if t.ndim == 1 and n_outputs == 1:
            t = t[:, None]
        if t.ndim != 2 or t.shape[1] != n_outputs:
            wanted = "(samples,) or (samples, 1)" if n_outputs == 1 else f"(samples, {n_outputs})"
            raise ValueError(
                f"{name} has shape {t.shape}; {type(self).__name__} of {n_outputs} output(s) "
                f"needs {wanted}."
            )
        return t

    def value(self, logits: Array, t: Any, weights: Any = None) -> Array:
        """Return the weighted mean of the samples' losses.

        Parameters
        ----------
        logits : array of shape (..., batch, outputs)
        t : array of shape (batch,) or (batch, outputs)
            Targets; classes of shape (batch,) for softmax.
        weights : array of shape (batch,), optional

        Returns
        -------
        array of shape (...)
        """
        return self._mean(self.samples, (-1,), logits, t, weights)

    def gradient(self, logits: Array, t: Any, weights: Any = None) -> Array:
        """Return the gradient of `value` in the logits (of the unclipped value).

        Parameters
        ----------
        logits, t, weights
            As for `value`.

        Returns
        -------
        array of shape (..., batch, outputs)
        """
        return self._mean(self.residual, (), logits, t, weights)

    def _mean(self, of: Any, summed: tuple[int, ...], logits: Array, t: Any, weights: Any) -> Array:
        backend = backends.get(like=(logits,))
        if backends.owner(logits) is None:
            logits = validation.check_numeric("logits", logits)
            logits = logits if logits.dtype.kind == "f" else logits.astype(np.float64)
        if logits.ndim < 2:
            raise ValueError(f"logits have shape {logits.shape}; (..., batch, outputs) is needed.")
        dtype = validation.check_float_dtype("logits.dtype", logits.dtype)
        xp, batch = backend.xp, logits.shape[-2]
        with backend.session(dtype):
            host = self.prepare(
                validation.check_numeric("t", backends.to_host(t)), logits.shape[-1]
            )
            validation.check_same_length(logits=batch, t=len(host))
            t = backend.asarray(host, target_dtype(host, dtype))
            terms = of(xp, logits, t)
            total = batch
            if weights is not None:
                host = validation.check_weights("weights", backends.to_host(weights), batch)
                total = float(host.sum())
                w = backend.asarray(host, dtype)
                terms = terms * (w if summed else w[..., None])
            return (xp.sum(terms, axis=-1) if summed else terms) / total


def target_dtype(t: np.ndarray, dtype: str) -> str:
    """Return the type of prepared targets on the device: classes have one axis and are int32."""
    return "int32" if t.ndim == 1 else dtype


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

    Examples
    --------
    >>> import numpy as np
    >>> loss = BinaryCrossEntropy()
    >>> round(float(loss.value(np.array([[0.0], [2.0]]), np.array([[1.0], [1.0]]))), 4)
    0.41
    """

    clip: float | None = None
    offset: float | None = None
    classifies = True

    def __post_init__(self):
        _check_forms(self.clip, self.offset)

    def link(self, logits, *, xp=None):
        return functions.sigmoid(logits, xp=xp)

    def samples(self, xp, logits, t):
        if self.clip is None and self.offset is None:
            losses = xp.maximum(logits, 0.0) - logits * t + xp.log1p(xp.exp(-xp.abs(logits)))
        else:
            a = _clamped(functions.sigmoid(logits, xp=xp), self.clip, xp)
            e = self.offset or 0.0
            losses = -(t * xp.log(a + e) + (1.0 - t) * xp.log(1.0 - a + e))
        return xp.sum(losses, axis=-1)

    def residual(self, xp, logits, t):
        return functions.sigmoid(logits, xp=xp) - t

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


LOSSES: dict[str, type[Loss]] = {
    "binary_cross_entropy": BinaryCrossEntropy,
    "softmax_cross_entropy": SoftmaxCrossEntropy,
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "poisson": Poisson,
}
"""The losses by name."""
