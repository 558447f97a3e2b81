"""What comes in: checked on the host, brought to the backend once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import backends, validation
from .backends import Array, Backend
from .losses import Loss, target_dtype
from .network import Network
from .step import Data

__all__ = ["Samples", "bring_features", "bring_samples", "float_dtype"]


class Samples(NamedTuple):
    """A data set.

    Attributes
    ----------
    data : Data
        On the device.
    t : numpy.ndarray
        Targets as `Loss.prepare` returns them, on the host.
    weights : numpy.ndarray of shape (samples,) or None
        Sample weights, on the host.
    """

    data: Data
    t: np.ndarray
    weights: np.ndarray | None

    @property
    def total(self) -> float:
        """The sum of the sample weights."""
        return float(len(self.t) if self.weights is None else self.weights.sum())


def float_dtype(x: Any) -> str:
    """Return the type that computations on x have: its own, or float32 for integers."""
    dtype = getattr(x, "dtype", None) or validation.check_numeric("x", x).dtype
    name = getattr(dtype, "name", str(dtype).rpartition(".")[2])
    return name if name in ("float32", "float64") else "float32"


def bring_features(backend: Backend, x: Any, n_features: int, dtype: str, name: str) -> Array:
    """Check features and bring them to the backend; 8-bit pixels stay as they are.

    Raises
    ------
    TypeError
        There are no numbers in it.
    ValueError
        The shape does not fit, or NaN or infinity was found.
    """
    xp = backend.xp
    if backends.owner(x) is None:
        x = validation.check_numeric(name, x)
        validation.check_features(name, x.shape, n_features)
        x = backend.asarray(x if x.dtype == np.uint8 else validation.cast(name, x, dtype))
    else:
        validation.check_features(name, tuple(x.shape), n_features)
        if not xp.isdtype(x.dtype, ("bool", "integral", "real floating")):
            raise TypeError(f"{name} has dtype {x.dtype}. Real numbers are needed.")
        x = backend.asarray(x, None if x.dtype == xp.uint8 else dtype)
        if x.dtype != xp.uint8:
            validation.check_finite(name, bool(xp.all(xp.isfinite(x))))
    return x


def bring_samples(
    backend: Backend,
    network: Network,
    loss: Loss,
    dtype: str,
    x: Any,
    t: Any,
    weights: Any = None,
    prefix: str = "",
) -> Samples:
    """Check a data set and bring it to the backend.

    Parameters
    ----------
    backend : Backend
    network : Network
    loss : Loss
    dtype : {'float32', 'float64'}
    x, t, weights : arrays
    prefix : str
        What messages put before the arguments' names.
    """
    features = bring_features(backend, x, network.n_features_in, dtype, prefix + "x")
    host = loss.prepare(
        validation.check_numeric(prefix + "t", backends.to_host(t)), network.n_outputs, prefix + "t"
    )
    validation.check_same_length(**{prefix + "x": features.shape[0], prefix + "t": len(host)})
    if weights is not None:
        weights = validation.check_weights(
            prefix + "sample_weight", backends.to_host(weights), len(host)
        )
    data = Data(
        x=features,
        t=backend.asarray(validation.cast(prefix + "t", host, target_dtype(host, dtype))),
        weights=None if weights is None else backend.asarray(weights, dtype),
        mask=None,
        seed=None,
    )
    return Samples(data, host, weights)
