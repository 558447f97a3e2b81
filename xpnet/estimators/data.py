"""What comes into the estimators: checked by scikit-learn on the host, left where it is elsewhere.

Only X says where to compute. Targets and weights are small and checked on the host, wherever they
come from.
"""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from .. import backends, validation
from ..backends import Array
from ..placement import float_dtype
from ..streams import Stream


class Labelled(NamedTuple):
    """Checked data.

    Attributes
    ----------
    X : array or sparse matrix of shape (n_samples, n_features)
        On the host, or a device array; of a stream, its first rows.
    t : numpy.ndarray
        Targets as the loss takes them.
    weights : numpy.ndarray of shape (n_samples,) or None
    stream : Stream or None
        All rows, where they are not in memory.
    """

    X: Any
    t: np.ndarray
    weights: np.ndarray | None
    stream: Stream | None = None

    @property
    def n_samples(self) -> int:
        """How many samples there are."""
        return len(self.t) if self.stream is None else self.stream.n_samples

    @property
    def arguments(self) -> tuple[Any, Any, Any]:
        """What `Trainer.fit` takes as x, t and sample weights."""
        if self.stream is not None:
            return self.stream, None, None
        return self.X, self.t, self.weights


CLIPPED = "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped."
"""What scikit-learn says of batches that are larger than the data."""

_CHECKS: dict[str, Any] = {"accept_sparse": ["csr", "csc"]}


def check_batch(X: Any) -> None:
    """Raise where what comes into `partial_fit` is a stream."""
    if isinstance(X, Stream):
        raise TypeError(f"X={X!r}: partial_fit takes a batch of samples; fit takes a stream.")


def check_features(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return X checked, in a float type: host data on the host, a device array on its device."""
    if backends.owner(X) is not None:
        validation.check_features("X", tuple(X.shape), None)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        return _floats(X)
    return validate_data(estimator, X, reset=reset, dtype=_dtypes(estimator, X), **_CHECKS)


def check_fit(estimator: Any, X: Any, y: Any, *, reset: bool, numeric: bool) -> tuple[Any, Any]:
    """Return X and y checked, y on the host; one column of y is raveled, with a warning."""
    y = backends.to_host(y)
    if backends.owner(X) is not None:
        X = check_features(estimator, X, reset=reset)
        if y is None:
            raise ValueError(
                f"This {type(estimator).__name__} estimator requires y to be passed, but the "
                "target y is None"
            )
        y = check_array(y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name="y")
        check_consistent_length(np.empty(X.shape[0]), y)
    else:
        X, y = validate_data(
            estimator,
            X,
            y,
            reset=reset,
            dtype=_dtypes(estimator, X),
            multi_output=True,
            y_numeric=numeric,
            **_CHECKS,
        )
    if scipy.sparse.issparse(y):
        y = y.toarray()
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if numeric and y.dtype.kind not in "iuf":
        y = y.astype(np.float64)
    return X, y


def _floats(X: Array) -> Array:
    """Return a device array in a float type; 8-bit integers are numbers, as on the host."""
    backend = backends.get(like=(X,))
    with backend.session("float64"):
        if not backend.xp.isdtype(X.dtype, ("bool", "integral")):
            return X
        try:
            return backend.xp.astype(X, backend.dtype("float64"))
        except ValueError:  # the device has none
            return backend.xp.astype(X, backend.xp.float32)


def _dtypes(estimator: Any, X: Any) -> Any:
    """Return the types that X may keep."""
    if estimator.dtype is not None:
        return np.dtype(validation.check_float_dtype("dtype", estimator.dtype))
    return (np.float64, np.float32)


def float_type(estimator: Any, X: Any) -> str:
    """Return the type of the parameters: `dtype`, or that of X."""
    if estimator.dtype is not None:
        return validation.check_float_dtype("dtype", estimator.dtype)
    return float_dtype(X)


def check_weights(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Return sample weights of shape (n_samples,) on the host; a number counts for every sample."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, str):
        raise TypeError(
            f"sample_weight={sample_weight!r} must be an array of numbers; class_weight='balanced' "
            "weighs samples by their classes."
        )
    sample_weight = backends.to_host(sample_weight)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, float(sample_weight))
    return validation.check_weights("sample_weight", sample_weight, n_samples)


def _take(array: Any, rows: np.ndarray) -> Array:
    if array is None or backends.owner(array) is None:
        return None if array is None else array[rows]
    backend = backends.get(like=(array,))
    with backend.session(float_dtype(array)):
        return backend.xp.take(array, backend.asarray(rows.astype(np.int32)), axis=0)


def split(
    samples: Labelled, rng: np.random.RandomState, fraction: float, stratify: np.ndarray | None
) -> tuple[Labelled, Labelled]:
    """Return the samples to train on and those to validate on, in scikit-learn's draw."""
    if samples.stream is not None:
        stream, (x, t, *weights) = samples.stream.split(fraction, rng)
        return samples._replace(stream=stream), Labelled(x, t, weights[0] if weights else None)
    parts = split_rows(len(samples.t), rng, fraction, stratify)
    train, held_out = (Labelled(*(_take(a, rows) for a in samples.arguments)) for rows in parts)
    return train, held_out


def split_rows(
    n_samples: int, rng: np.random.RandomState, fraction: float, stratify: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return which samples to train on and which to validate on, in scikit-learn's draw."""
    train, held_out = train_test_split(
        np.arange(n_samples), random_state=rng, test_size=fraction, stratify=stratify
    )
    if len(held_out) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            f"dataset: validation_fraction={fraction} of {n_samples} samples is {len(held_out)}."
        )
    return train, held_out


def warn_of_batch_size(batch_size: Any, n_samples: int) -> None:
    """Warn where a batch would be larger than the data."""
    if not isinstance(batch_size, str) and batch_size > n_samples:
        warnings.warn(
            CLIPPED,
            UserWarning,
            stacklevel=4,
        )
