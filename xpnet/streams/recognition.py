"""What comes in as data: read block by block, or in memory."""

from __future__ import annotations

from typing import Any

from .stream import Stream

_IN_MEMORY = (
    *("__array_interface__", "__array_namespace__", "__cuda_array_interface__", "__dlpack__"),
    *("tocsr", "iloc"),
)
"""What arrays, sparse matrices and data frames have, and what is stored elsewhere has not."""


def as_stream(X: Any, y: Any = None, sample_weight: Any = None) -> Stream | None:
    """Return what is read block by block as a stream; None for what is in memory.

    Parameters
    ----------
    X : object
        A `Stream`; or what `Stream` takes and no array is: h5py and zarr arrays, functions; with
        the name of a column as `y`, tables and Parquet files.
    y, sample_weight : array-like or str, optional

    Raises
    ------
    TypeError
        Targets or weights are given beside a stream, which has its own.
    """
    if isinstance(X, Stream):
        if y is not None or sample_weight is not None:
            raise TypeError("A Stream has its targets and weights in itself; pass it alone.")
        return X
    if isinstance(y, str):
        return Stream(X, target=y, sample_weight=sample_weight)
    is_array = hasattr(X, "shape") and hasattr(X, "dtype") and hasattr(X, "__getitem__")
    is_stored = is_array and not any(hasattr(X, name) for name in _IN_MEMORY)
    if is_stored or callable(X):
        return Stream(X, y, sample_weight=sample_weight)
    return None
