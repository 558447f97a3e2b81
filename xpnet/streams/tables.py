"""Tables in memory: pyarrow, polars, pandas, whatever gives an Arrow stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .arrays import SideArrays
from .columns import Columns, arrow
from .source import Block, Source, lengths_of, ranges, reading, rows_of


class TableSource(Source):
    """Rows of a table that lies in memory; its columns are copied a few rows at a time.

    Parameters
    ----------
    X : object with ``__arrow_c_stream__``
        ``pyarrow.Table``, a polars or pandas data frame. All columns are features, but those of
        the other arguments; numeric or boolean, without missing values.
    y : array-like of shape (samples,) or (samples, outputs), optional
        In place of `target`.
    target : str or list of str, optional
        The column of the targets, which may be texts; or several columns of numbers.
    sample_weight : array-like of shape (samples,), or str, optional
        Weights, or their column.
    block_rows : int, optional
        By default about 4 MiB.
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        target: Any = None,
        sample_weight: Any = None,
        block_rows: int | None = None,
    ) -> None:
        self._table = _table(X)
        named = sample_weight if isinstance(sample_weight, str) else None
        self._columns = Columns(self._table.schema, target, named)
        n_samples = self._table.num_rows
        if not n_samples:
            raise ValueError("X has no samples; at least one is needed.")
        self._columns.check_nulls(self._table, self._columns.used, "X")
        self._side = SideArrays(y, sample_weight if named is None else None, n_samples)
        self.n_features, self.dtype = len(self._columns.features), self._columns.dtype
        self.feature_names = self._columns.features
        self.weighted = sample_weight is not None
        self._piece_rows = rows_of(self.n_features, self.dtype)
        self._block_rows = block_rows or self._piece_rows
        self.lengths = lengths_of(n_samples, self._block_rows)

    def read(self, block: int, start: int = 0) -> Iterator[Block]:
        """Yield the rows of a block from its row `start` on, a piece at a time."""
        for begin, end in self._ranges(block, start):
            table = self._table.slice(begin, end - begin)
            weights = self._columns.w(table)
            if self._side.weights is not None:
                weights = self._side.weights.read(begin, end)
            yield Block(self._columns.x(table), self._t(begin, end), weights)

    def targets(self, block: int) -> Iterator[np.ndarray]:
        """Yield the targets of a block, a piece at a time, without its features."""
        for begin, end in self._ranges(block, 0):
            yield self._t(begin, end)

    def _t(self, begin: int, end: int) -> np.ndarray:
        if self._side.y is not None:
            return self._side.y.read(begin, end)
        return self._columns.t(self._table.slice(begin, end - begin))

    def _ranges(self, block: int, start: int) -> Iterator[tuple[int, int]]:
        first = block * self._block_rows
        return ranges(first + start, first + self.lengths[block], self._piece_rows)


def is_reader(X: Any) -> bool:
    """Return whether something gives its rows once only."""
    return hasattr(X, "read_next_batch") or isinstance(X, Iterator)


def _table(X: Any) -> Any:
    pyarrow = arrow()
    with reading("X"):
        table = pyarrow.table(X)
    known = type(X).__module__.partition(".")[0] in {"pyarrow", "polars", "pandas"}
    if not known and table.num_rows and _is_consumed(pyarrow, X):
        raise once_only(X)
    return table


def _is_consumed(pyarrow: Any, X: Any) -> bool:
    """Return whether there are no rows in an object that has been read before."""
    try:
        return not any(batch.num_rows for batch in pyarrow.RecordBatchReader.from_stream(X))
    except Exception:
        return True


def once_only(X: Any) -> TypeError:
    """Return the error of what cannot be read a second time."""
    return TypeError(
        f"X of type {type(X).__name__} can be read once only; pass a function that returns a new "
        "reader each time."
    )
