"""Where a problem is solved, and what comes in: checked on the host, brought over once."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from . import backends, penalties, validation
from .backends import Array, Backend
from .step import Data, Problem, constant_coefficients, fixed_coefficients

__all__ = ["Placement", "Samples", "SparseRows", "checksum", "float_dtype"]


class SparseRows:
    """Sparse features that stay on the host; slices and rows of them are brought over dense.

    Parameters
    ----------
    matrix : scipy.sparse CSR matrix or array of shape (samples, features)
    bring : callable
        Brings a host array to the device.
    """

    def __init__(self, matrix: Any, bring: Callable[[np.ndarray], Array]) -> None:
        self.matrix = matrix
        self.shape: tuple[int, int] = matrix.shape
        self.dtype = matrix.dtype
        self._bring = bring

    def __getitem__(self, rows: Any) -> Array:
        return self._bring(self.matrix[rows].toarray())


class Samples(NamedTuple):
    """A data set.

    Attributes
    ----------
    data : Data
        On the device; sparse features are `SparseRows`.
    t : numpy.ndarray
        Targets as `Loss.prepare` returns them, on the host.
    weights : numpy.ndarray of shape (samples,) or None
        Sample weights, on the host; as `Data.weights` of a stack.
    offsets : integer array of shape (models, 1), or None
        As `Data.offsets`, on the host.
    """

    data: Data
    t: np.ndarray
    weights: np.ndarray | None
    offsets: np.ndarray | None = None

    def fingerprint(self) -> str:
        """Return what tells data sets apart: a checksum of features, targets and weights."""
        x = self.data.x
        sparse = isinstance(x, SparseRows)
        stored = (x.matrix.data, x.matrix.indices, x.matrix.indptr) if sparse else (x,)
        return f"{len(self.t)} samples, {checksum(*stored, self.t, self.weights)}"

    def weights_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the weights of rows of shape (..., n), or (..., models, n) for a stack."""
        assert self.weights is not None
        return self.weights[rows if self.offsets is None else rows + self.offsets]

    def total(self, rows: np.ndarray | None = None) -> Any:
        """Return the sum of the weights of those rows, of all by default: one number a model."""
        if self.weights is None:
            return float(len(self.t) if rows is None else rows.shape[-1])
        if rows is None:
            return float(self.weights.sum())
        return self.weights_of(rows).sum(axis=-1)


def checksum(*arrays: Any) -> str:
    """Return a checksum of arrays of any library; None counts for nothing."""
    found = 0
    for array in arrays:
        if array is not None:
            found = zlib.crc32(np.ascontiguousarray(backends.to_host(array)).data, found)
    return f"{found:08x}"


def float_dtype(x: Any) -> str:
    """Return the type that computations on x have: its own, or float32 for integers."""
    dtype = getattr(x, "dtype", None) or validation.check_numeric("x", x).dtype
    name = getattr(dtype, "name", str(dtype).rpartition(".")[2]).lower()
    wide = name.startswith("float") and name not in ("float16", "float32")
    return "float64" if wide else "float32"


@dataclass(frozen=True, eq=False)
class Placement:
    """A problem on a backend, in a type.

    Attributes
    ----------
    backend : Backend
    dtype : {'float32', 'float64'}
    problem : Problem
    """

    backend: Backend
    dtype: str
    problem: Problem

    def session(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which all else here is called."""
        return self.backend.session(self.dtype)

    def floats(self, value: Any) -> Array:
        """Bring numbers, or device arrays of any library, to the backend in the type."""
        if backends.owner(value) != self.backend.name:
            value = np.asarray(backends.to_host(value))
        return self.backend.asarray(value, self.dtype)

    def mask(self) -> Array | None:
        """Return which parameters the penalty acts on; None without one."""
        if not self.problem.penalty:
            return None
        return self.floats(penalties.mask(self.problem.network.layers))

    def coefficients(self) -> dict[str, Array]:
        """Return the coefficients that are not the optimizer's."""
        return {k: self.floats(v) for k, v in fixed_coefficients(self.problem).items()}

    def features(self, x: Any, name: str = "x") -> Array | SparseRows:
        """Check features and bring them over; 8-bit pixels stay as they are, sparse ones behind.

        Raises
        ------
        TypeError
            There are no numbers in it.
        ValueError
            The shape does not fit, or NaN or infinity was found.
        """
        xp, n_features = self.backend.xp, self.problem.network.n_features_in
        if hasattr(x, "tocsr"):
            return self._sparse_features(x, name)
        if backends.owner(x) is None:
            return self.backend.asarray(self.host_features(x, name))
        validation.check_features(name, tuple(x.shape), n_features)
        if not xp.isdtype(x.dtype, ("bool", "integral", "real floating")):
            raise TypeError(f"{name} has dtype {x.dtype}. Real numbers are needed.")
        if x.dtype == xp.uint8:
            return self.backend.asarray(x)
        x = self.backend.asarray(x, self.dtype)
        validation.check_finite(name, bool(xp.all(xp.isfinite(x))))
        return x

    def host_features(self, x: Any, name: str = "x") -> np.ndarray:
        """Return features of the host checked, in the type; 8-bit pixels as they are."""
        x = validation.check_numeric(name, x)
        validation.check_features(name, x.shape, self.problem.network.n_features_in)
        return x if x.dtype == np.uint8 else validation.cast(name, x, self.dtype)

    def host_targets(self, t: Any, name: str = "t") -> np.ndarray:
        """Return targets of the host checked, as the loss takes them."""
        t = validation.check_numeric(name, t)
        return self.problem.loss.prepare(t, self.problem.network.n_outputs, name)

    def _sparse_features(self, x: Any, name: str) -> SparseRows:
        validation.check_features(name, x.shape, self.problem.network.n_features_in)
        x = x.tocsr()
        if x.dtype == np.uint8:
            raise TypeError(
                f"{name} is sparse, of 8-bit unsigned integers, which are pixels where they "
                f"are dense. Pass {name}.astype('float32'), divided by 255 if they are pixels."
            )
        stored = validation.cast(name, validation.check_numeric(name, x.data), self.dtype)
        x = type(x)((stored, x.indices, x.indptr), shape=x.shape)
        return SparseRows(x, self.backend.asarray)

    def cast_targets(self, t: np.ndarray, name: str = "t") -> np.ndarray:
        """Return prepared targets in the type that they have on the device."""
        return validation.cast(name, t, self.problem.loss.target_dtype(t, self.dtype))

    def targets(self, t: np.ndarray, name: str = "t") -> Array:
        """Bring prepared targets over."""
        return self.backend.asarray(self.cast_targets(t, name))

    @staticmethod
    def check_pixels(x: Any, xp: Any) -> None:
        """Raise where 8-bit features can hardly be pixels: none of them is above 1."""
        if not isinstance(x, SparseRows) and x.dtype == xp.uint8 and int(xp.max(x)) <= 1:
            raise ValueError(
                "x is of 8-bit unsigned integers, which are read as pixels from 0 to 255, but none "
                "is above 1. If they are flags or counts, pass x.astype('float32')."
            )

    def seeded(self, samples: Samples, seed: np.ndarray | None) -> Samples:
        """Return the samples with dropout's seed beside them."""
        if seed is None:
            return samples
        return samples._replace(data=samples.data._replace(seed=self.backend.asarray(seed)))

    def samples(
        self, x: Any, t: Any, weights: Any = None, *, prefix: str = "", features: Any = None
    ) -> Samples:
        """Check a data set and bring it over.

        Parameters
        ----------
        x, t, weights : arrays
        prefix : str
            What messages put before the arguments' names.
        features : array, optional
            What `features` made of x, where it is known already.
        """
        self.backend.dtype(self.dtype)
        features = self.features(x, prefix + "x") if features is None else features
        host = self.host_targets(backends.to_host(t), prefix + "t")
        validation.check_same_length(**{prefix + "x": features.shape[0], prefix + "t": len(host)})
        if weights is not None:
            name = prefix + "sample_weight"
            weights = validation.check_weights(name, backends.to_host(weights), len(host))
        data = self.rowless()._replace(
            x=features,
            t=self.targets(host, prefix + "t"),
            weights=None if weights is None else self.floats(weights),
        )
        return Samples(data, host, weights)

    def rowless(self) -> Data:
        """Return what the steps see beside the rows."""
        constants = constant_coefficients(self.problem)
        constants = None if constants is None else self.floats(constants)
        return Data(None, None, None, self.mask(), seed=None, constants=constants)
