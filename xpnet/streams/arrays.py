"""Arrays in files: whatever has a shape, a dtype and contiguous slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import validation
from .pages import check_whole, release
from .source import Block, ReadError, Source, lengths_of, ranges, reading, rows_of, told_rows


class ArraySource(Source):
    """Rows of ``np.memmap``, ``h5py.Dataset``, ``zarr.Array`` and the like.

    Parameters
    ----------
    X : array-like of shape (samples, features)
        Has `shape`, `dtype` and contiguous slices. Only such slices are asked for, one at a time.
    y : array-like of shape (samples,) or (samples, outputs)
        The same, or anything that `np.asarray` takes.
    sample_weight : array-like of shape (samples,), optional
        Likewise.
    block_rows : int, optional
        By default about 4 MiB, in whole chunks of what has `chunks`.

    Notes
    -----
    Pages of a memory map that is read only are given back to the system after they have been
    read, so that what is resident stays small.

    Examples
    --------
    >>> import numpy as np
    >>> source = ArraySource(np.zeros((5, 3)), np.arange(5), block_rows=2)
    >>> source.lengths, [piece.t.tolist() for piece in source.read(1)]
    ((2, 2, 1), [[2, 3]])
    """

    def __init__(
        self, X: Any, y: Any, sample_weight: Any = None, block_rows: int | None = None
    ) -> None:
        self._x, self._y = _Rows("X", X), _Rows("y", y)
        self._weights = None if sample_weight is None else _Rows("sample_weight", sample_weight)
        self._x.check_features()
        self._y.check_targets()
        self._y.check_length(self._x)
        if self._weights is not None:
            self._weights.check_weights()
            self._weights.check_length(self._x)
        self.n_features, self.dtype = self._x.shape[1], self._x.dtype
        self.weighted = sample_weight is not None
        self._piece_rows = _whole_chunks(X, rows_of(self.n_features, self.dtype))
        self._block_rows = block_rows or self._piece_rows
        self.lengths = lengths_of(self._x.shape[0], self._block_rows)

    def read(self, block: int, start: int = 0) -> Iterator[Block]:
        """Yield the rows of a block from its row `start` on, a piece at a time."""
        for begin, end in self._ranges(block, start, self._piece_rows):
            weights = None if self._weights is None else self._weights.read(begin, end)
            piece = Block(self._x.read(begin, end), self._y.read(begin, end), weights)
            yield piece
            piece.release()

    def targets(self, block: int) -> Iterator[np.ndarray]:
        """Yield the targets of a block, a piece at a time, without reading features."""
        for begin, end in self._ranges(block, 0, self._piece_rows):
            t = self._y.read(begin, end)
            yield t
            release(t)

    def _ranges(self, block: int, start: int, rows: int) -> Iterator[tuple[int, int]]:
        first = block * self._block_rows
        return ranges(first + start, first + self.lengths[block], rows)


class SideArrays:
    """Targets and weights in arrays of their own, beside features that lie elsewhere.

    Parameters
    ----------
    y : array-like of shape (samples,) or (samples, outputs), or None
    sample_weight : array-like of shape (samples,), or None
    n_samples : int
    """

    def __init__(self, y: Any, sample_weight: Any, n_samples: int) -> None:
        self.y = None if y is None else _Rows("y", y)
        self.weights = None if sample_weight is None else _Rows("sample_weight", sample_weight)
        if self.y is not None:
            self.y.check_targets()
            validation.check_same_length(X=n_samples, y=self.y.shape[0])
        if self.weights is not None:
            self.weights.check_weights()
            validation.check_same_length(X=n_samples, sample_weight=self.weights.shape[0])


class _Rows:
    """One array, by its slices."""

    def __init__(self, name: str, array: Any) -> None:
        if hasattr(array, "tocsr"):
            raise TypeError(f"{name} is sparse. Dense numbers are needed: pass {name}.toarray().")
        self.name = name
        with reading(name):
            self._array = array if has_slices(array) else _in_memory(array)
            self.shape = tuple(int(n) for n in self._array.shape)
            dtype = self._array.dtype
        try:
            self.dtype = np.dtype(dtype)
        except TypeError as error:
            raise TypeError(
                f"{name} has dtype {dtype} of another library; a dtype of NumPy is needed."
            ) from error

    def check_features(self) -> None:
        validation.check_features(self.name, self.shape, None)
        if self.shape[1] == 0:
            raise ValueError(f"{self.name} has no features (shape {self.shape}).")
        self._check_numbers()

    def check_targets(self) -> None:
        if len(self.shape) not in (1, 2):
            raise ValueError(
                f"{self.name} has shape {self.shape}; (samples,) or (samples, outputs) is needed."
            )

    def check_weights(self) -> None:
        if len(self.shape) != 1:
            raise ValueError(f"{self.name} has shape {self.shape}; (samples,) is needed.")
        self._check_numbers()

    def check_length(self, x: _Rows) -> None:
        validation.check_same_length(**{x.name: x.shape[0], self.name: self.shape[0]})

    def _check_numbers(self) -> None:
        if self.dtype.kind not in "biuf":
            raise TypeError(
                f"{self.name} has dtype {self.dtype}. Numbers are needed (float32, float64, "
                "integers)."
            )

    def read(self, begin: int, end: int) -> np.ndarray:
        """Return rows, which are as many and of the type that they were said to be."""
        told = f"{self.name}, {told_rows(begin, end)},"
        with reading(told):
            rows = np.asarray(self._array[begin:end])
            check_whole(rows)
        shape = (end - begin, *self.shape[1:])
        if rows.shape != shape or rows.dtype != self.dtype:
            raise ReadError(
                f"{told} has shape {rows.shape} and dtype {rows.dtype} now; it had {shape} and "
                f"{self.dtype} when it was opened."
            )
        return rows


def has_slices(array: Any) -> bool:
    """Return whether something is an array that need not be in memory."""
    if hasattr(array, "to_numpy"):  # of pandas, polars, pyarrow: in memory anyway
        return False
    return all(hasattr(array, name) for name in ("shape", "dtype", "__getitem__"))


def _in_memory(array: Any) -> np.ndarray:
    return array.to_numpy() if hasattr(array, "to_numpy") else np.asarray(array)


def _whole_chunks(X: Any, rows: int) -> int:
    """Return at least so many rows, in whole chunks; one chunk where that has more."""
    chunks = getattr(X, "chunks", None)
    if not chunks:
        return rows
    chunk = max(1, int(np.max(chunks[0])))  # of dask, a tuple of all chunks' rows
    return -(-rows // chunk) * chunk
