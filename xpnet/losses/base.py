"""What a loss is: a link, a number for each sample, and its gradient in the logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from .. import backends, validation
from ..backends import Array, Namespace


class Loss(ABC):
    """Base class: `value` and `gradient` of the mean, from what a subclass says of a sample.

    Subclasses are frozen dataclasses and hold no arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from dataclasses import dataclass
    >>> from xpnet import Dense, Network, check_gradients
    >>> from xpnet.losses import Loss
    >>> @dataclass(frozen=True)
    ... class Quartic(Loss):
    ...     def link(self, logits, *, xp=None):
    ...         return logits
    ...     def samples(self, xp, logits, t):
    ...         return xp.sum((logits - t) ** 4, axis=-1)
    ...     def residual(self, xp, logits, t):
    ...         return 4.0 * (logits - t) ** 3
    >>> check_gradients(Network([Dense(1, 1)]), Quartic(), np.ones((2, 1)), np.zeros(2)) < 1e-7
    True
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

    @staticmethod
    def target_dtype(t: np.ndarray, dtype: str) -> str:
        """Return the type of prepared targets on the device: classes have one axis, in int32."""
        return "int32" if t.ndim == 1 else dtype

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
            t = backend.asarray(host, self.target_dtype(host, dtype))
            terms = of(xp, logits, t)
            total = batch
            if weights is not None:
                host = validation.check_weights("weights", backends.to_host(weights), batch)
                total = float(host.sum())
                w = backend.asarray(host, dtype)
                terms = terms * (w if summed else w[..., None])
            return (xp.sum(terms, axis=-1) if summed else terms) / total
