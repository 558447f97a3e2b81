"""What data larger than memory are read from: blocks of rows, in any order."""

from __future__ import annotations

import contextlib
import itertools
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .pages import release

BLOCK_BYTES = 1 << 22
"""So much is read at a time by default."""

_END = object()


class ReadError(OSError):
    """The data cannot be read: the cause is what the library beneath raised.

    Examples
    --------
    >>> from xpnet.streams import ReadError
    >>> issubclass(ReadError, OSError)
    True
    """


class Block(NamedTuple):
    """Some rows.

    Attributes
    ----------
    x : array of shape (rows, features)
    t : array of shape (rows,) or (rows, outputs)
    weights : array of shape (rows,), or None

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Stream
    >>> block = Stream(np.ones((3, 2)), np.arange(3)).first
    >>> block.x.shape, block.t.tolist(), block.weights
    ((3, 2), [0, 1, 2], None)
    """

    x: np.ndarray
    t: np.ndarray
    weights: np.ndarray | None

    @property
    def num_rows(self) -> int:
        """How many rows there are, by Arrow's name."""
        return len(self.x)

    def rows(self, first: int, last: int | None = None) -> Block:
        """Return the rows from `first` on, before `last`."""
        weights = None if self.weights is None else self.weights[first:last]
        return Block(self.x[first:last], self.t[first:last], weights)

    def release(self) -> None:
        """Give back the pages of memory maps that are read only."""
        for part in self:
            if part is not None:
                release(part)


class Source(ABC):
    """Rows in blocks that can be read in any order, each from its beginning to its end.

    A source that can be read from one end to the other only has a single block. One thread at a
    time may read.

    Attributes
    ----------
    n_features : int
    dtype : dtype
        Of the features.
    lengths : tuple of int
        Rows of each block.
    weighted : bool
        Whether there are sample weights.
    feature_names : tuple of str, or None
        The columns' names, of what has columns with names.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Stream
    >>> source = Stream(np.ones((5, 2)), np.arange(5), block_rows=2).source
    >>> source.lengths, [piece.t.tolist() for piece in source.read(1)]
    ((2, 2, 1), [[2, 3]])
    """

    n_features: int
    dtype: np.dtype[Any]
    lengths: tuple[int, ...]
    weighted: bool
    feature_names: tuple[str, ...] | None = None

    @property
    def n_samples(self) -> int:
        """How many rows there are."""
        return sum(self.lengths)

    @abstractmethod
    def read(self, block: int, start: int = 0) -> Iterator[Block]:
        """Yield the rows of a block, a piece at a time.

        Parameters
        ----------
        block : int
        start : int, default 0
            The row of the block that is the first to be read.

        Yields
        ------
        Block
            Of a few MiB. It may lie in memory that is used again: copy it before the next one.

        Raises
        ------
        ReadError
            The library beneath cannot read it, or it is not what it was when it was opened.
        ValueError
            Rows are not like the rows before: the features, their type, or the columns.
        """

    def targets(self, block: int) -> Iterator[np.ndarray]:
        """Yield the targets of a block, a piece at a time; without its features where possible.

        Parameters
        ----------
        block : int
        """
        for piece in self.read(block):
            yield piece.t

    def fingerprint(self) -> str:
        """Return what tells sources apart, from their shape and a few of their rows."""
        checksum = zlib.crc32(np.array(self.lengths, dtype=np.int64).data)
        for block in sorted({0, len(self.lengths) - 1}):
            piece = next(self.read(block))
            for part in piece.rows(0, 100):
                if part is not None:
                    checksum = zlib.crc32(_content(part), checksum)
        shape = f"({self.n_samples}, {self.n_features})"
        return f"{type(self).__name__} of shape {shape}, {self.dtype}, {checksum:08x}"


def _content(array: np.ndarray) -> bytes:
    """Return bytes that are equal where the arrays are; objects are told by their text."""
    return str(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()


def rows_of(n_features: int, dtype: np.dtype[Any]) -> int:
    """Return how many rows are read at a time by default, at least one."""
    return max(1, BLOCK_BYTES // (n_features * dtype.itemsize))


def ranges(first: int, last: int, rows: int) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of runs of so many rows, the last one perhaps shorter."""
    for begin in range(first, last, rows):
        yield begin, min(begin + rows, last)


def lengths_of(n_samples: int, block_rows: int) -> tuple[int, ...]:
    """Return the rows of each block, all but the last of the same size."""
    return tuple(end - begin for begin, end in ranges(0, n_samples, block_rows))


def told_rows(begin: int, end: int) -> str:
    """Return how the rows before `end` are called in a message."""
    return f"rows {begin} to {end - 1}"


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn what a library raises into a `ReadError` that says what cannot be read."""
    try:
        yield
    except (ReadError, MemoryError):
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise ReadError(f"{what} cannot be read: {told}") from error


def each(items: Iterable[Any], what: Callable[[int], str]) -> Iterator[Any]:
    """Yield what an iterable gives; what it raises becomes a `ReadError` of the item's number."""
    with reading(what(0)):
        iterator = iter(items)
    for number in itertools.count():
        with reading(what(number)):
            item = next(iterator, _END)
        if item is _END:
            return
        yield item


def counted(pieces: Iterable[Any], n_samples: int, what: str) -> Iterator[Any]:
    """Yield blocks or record batches, and raise where they are not as many rows as before."""
    row = 0
    for piece in pieces:
        row += piece.num_rows
        if row > n_samples:
            raise ReadError(f"{what} had {n_samples} rows when it was opened, and has more now.")
        yield piece
    if row < n_samples:
        raise ReadError(f"{what} had {n_samples} rows when it was opened, and has {row} now.")


def after(pieces: Iterable[Block], start: int) -> Iterator[Block]:
    """Yield pieces without their first `start` rows."""
    for piece in pieces:
        if start < len(piece.x):
            yield piece.rows(start) if start else piece
        start = max(0, start - len(piece.x))
