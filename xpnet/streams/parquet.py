"""Parquet files: a block is a row group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .columns import Columns, arrow
from .parquet_files import files_of
from .source import Block, Source, after, counted, each, reading, rows_of


class _Group(NamedTuple):
    """A row group."""

    file: int
    number: int
    rows: int


class ParquetSource(Source):
    """Row groups of Parquet files, decoded a piece at a time.

    Parameters
    ----------
    X : str, path, pyarrow.parquet.ParquetFile or pyarrow.dataset.Dataset
        A file, a folder of files, or a data set whose files are Parquet. All columns are features,
        but those of the other arguments; numeric or boolean, without missing values. A
        `ParquetFile` is read with its own options: without ``pre_buffer=False`` and a
        ``buffer_size`` it holds a whole row group, compressed.
    target : str or list of str
        The column of the targets, which may be texts; or several columns of numbers.
    sample_weight : str, optional
        The column of the weights.
    block_rows : int, optional
        The rows of a piece; by default about 4 MiB.
    """

    def __init__(
        self, X: Any, target: Any, sample_weight: str | None = None, block_rows: int | None = None
    ) -> None:
        self._files, schema = files_of(X)
        if not self._files:
            raise ValueError("X has no samples; no Parquet file was found.")
        first = self._files[0]
        schema = first.schema(first.open()) if schema is None else schema
        self._columns = Columns(schema, target, sample_weight)
        self._opened: tuple[int, Any] | None = None
        self._groups = tuple(
            _Group(k, number, rows)
            for k, file in enumerate(self._files)
            for number, rows in file.rows(self._open(k)).items()
        )
        if not self._groups:
            raise ValueError("X has no samples; at least one is needed.")
        self.lengths = tuple(group.rows for group in self._groups)
        self.n_features, self.dtype = len(self._columns.features), self._columns.dtype
        self.feature_names = self._columns.features
        self.weighted = sample_weight is not None
        self._piece_rows = block_rows or rows_of(self.n_features, self.dtype)

    def read(self, block: int, start: int = 0) -> Iterator[Block]:
        """Yield the rows of a row group from its row `start` on, a piece at a time."""
        columns = self._columns
        tables = self._tables(block, columns.used)
        pieces = (Block(columns.x(part), columns.t(part), columns.w(part)) for part in tables)
        return after(pieces, start)

    def targets(self, block: int) -> Iterator[np.ndarray]:
        """Yield the targets of a row group, a piece at a time; only their columns are read."""
        for table in self._tables(block, self._columns.targets):
            yield self._columns.t(table)

    def _tables(self, block: int, names: tuple[str, ...]) -> Iterator[Any]:
        """Yield some columns of a row group, a piece at a time."""
        group = self._groups[block]
        file = self._files[group.file]
        told = f"{file.name}, row group {group.number},"
        inside = [name for name in names if name not in file.constants]
        options = {"batch_size": self._piece_rows, "row_groups": [group.number]}
        opened = self._open(group.file)
        with reading(told):
            batches = opened.iter_batches(columns=inside, **options)
        for batch in counted(each(batches, lambda number: told), group.rows, told):
            columns = {name: batch.column(name) for name in inside}
            for name in set(names) - set(inside):
                columns[name] = arrow().repeat(file.constants[name], batch.num_rows)
            table = arrow().table(columns)
            self._columns.check_nulls(table, names, told)
            yield table

    def _open(self, k: int) -> Any:
        """Return an open file with the columns that are read, the one before or a new one."""
        if self._opened is None or self._opened[0] != k:
            opened = self._files[k].open()
            self._columns.check(self._files[k].schema(opened), self._files[k].name)
            self._opened = k, opened
        return self._opened[1]
