"""A source without some of its rows."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from .source import Block, Source


class Subset(Source):
    """The rows of a source that are not left out.

    Parameters
    ----------
    source : Source
    left_out : integer array
        Numbers of rows, in ascending order.
    """

    def __init__(self, source: Source, left_out: np.ndarray) -> None:
        self.source = source
        self.left_out = left_out
        self.n_features, self.dtype = source.n_features, source.dtype
        self.weighted, self.feature_names = source.weighted, source.feature_names
        self._starts = np.cumsum([0, *source.lengths])
        counts = np.diff(np.searchsorted(left_out, self._starts))
        self.lengths = tuple(int(n - out) for n, out in zip(source.lengths, counts, strict=True))

    def _left_out_of(self, block: int) -> np.ndarray:
        """Return the rows of a block that are left out, counted from its beginning."""
        first, last = np.searchsorted(self.left_out, self._starts[block : block + 2])
        return self.left_out[first:last] - self._starts[block]

    def _row(self, block: int, start: int) -> int:
        """Return where in the source's block the row `start` of what is kept lies."""
        out = self._left_out_of(block)
        # The k-th row that is left out has out[k] - k kept ones before it.
        return start + int(np.searchsorted(out - np.arange(len(out)), start, side="right"))

    def read(self, block: int, start: int = 0) -> Iterator[Block]:
        """Yield the rows of a block that are kept, from its row `start` on."""
        out, row = self._left_out_of(block), self._row(block, start)
        for piece in self.source.read(block, row):
            kept = _kept(out, row, len(piece.x))
            row += len(piece.x)
            weights = None if piece.weights is None else piece.weights[kept]
            yield Block(piece.x[kept], piece.t[kept], weights)

    def targets(self, block: int) -> Iterator[np.ndarray]:
        """Yield the targets of a block that are kept."""
        out, row = self._left_out_of(block), 0
        for t in self.source.targets(block):
            kept = _kept(out, row, len(t))
            row += len(t)
            yield t[kept]

    def fingerprint(self) -> str:
        """Return the source's, and which rows are left out."""
        checksum = zlib.crc32(np.ascontiguousarray(self.left_out).data)
        return f"{self.source.fingerprint()} without {len(self.left_out)} rows, {checksum:08x}"


def _kept(left_out: np.ndarray, first: int, n: int) -> slice | np.ndarray:
    """Return which of n rows from the row `first` on are kept: all of them as a slice."""
    here = left_out[slice(*np.searchsorted(left_out, [first, first + n]))] - first
    if not len(here):
        return slice(None)
    kept = np.ones(n, dtype=bool)
    kept[here] = False
    return kept
