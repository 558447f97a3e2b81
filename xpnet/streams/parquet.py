"""Parquet files: a block is a row group."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .columns import Columns, arrow
from .source import Block, Source, after, counted, each, reading, rows_of

_BUFFER_BYTES = 1 << 18
"""So much of each column is read from the file at a time."""


class _File(NamedTuple):
    """A file: how it is opened, and the columns that its folder's name tells."""

    name: str
    open: Callable[[], Any]
    groups: list[int] | None  # None: all
    constants: dict[str, Any]


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
        but those of the other arguments; numeric or boolean, without missing values.
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
        self._files, schema = _files(X)
        self._opened: tuple[int, Any] | None = None
        groups: list[_Group] = []
        for k in range(len(self._files)):
            file = self._open(k)
            if schema is None:
                schema = file.schema_arrow
            if k == 0:
                self._columns = Columns(schema, target, sample_weight)
            self._columns.check(self._schema(k), self._files[k].name)
            groups += _groups(k, file, self._files[k].groups)
        self._groups = tuple(group for group in groups if group.rows)
        if not self._groups:
            raise ValueError("X has no samples; at least one is needed.")
        self.lengths = tuple(group.rows for group in self._groups)
        self.n_features, self.dtype = len(self._columns.features), self._columns.dtype
        self.feature_names = self._columns.features
        self.weighted = sample_weight is not None
        self._piece_rows = block_rows or rows_of(self.n_features, self.dtype)

    def read(self, block: int, start: int = 0) -> Iterator[Block]:
        """Yield the rows of a row group from its row `start` on, a piece at a time."""
        yield from after(
            counted(self._blocks(block), self.lengths[block], self._told(block)), start
        )

    def targets(self, block: int) -> Iterator[np.ndarray]:
        """Yield the targets of a row group, a piece at a time; only their columns are read."""
        for table in self._tables(block, self._columns.targets):
            yield self._columns.t(table)

    def _blocks(self, block: int) -> Iterator[Block]:
        columns = self._columns
        for table in self._tables(block, columns.used):
            yield Block(columns.x(table), columns.t(table), columns.w(table))

    def _tables(self, block: int, names: tuple[str, ...]) -> Iterator[Any]:
        """Yield some columns of a row group, a piece at a time."""
        pyarrow = arrow()
        group, told = self._groups[block], self._told(block)
        constants = self._files[group.file].constants
        inside = [name for name in names if name not in constants]
        for batch in self._batches(group, inside, told):
            columns = {name: batch.column(name) for name in inside}
            for name in set(names) - set(inside):
                columns[name] = pyarrow.repeat(constants[name], batch.num_rows)
            table = pyarrow.table(columns)
            self._columns.check_nulls(table, names, told)
            yield table

    def _batches(self, group: _Group, names: list[str], told: str) -> Iterator[Any]:
        file = self._open(group.file)
        options = {"batch_size": self._piece_rows, "row_groups": [group.number]}
        with reading(told):
            batches = file.iter_batches(columns=names, **options)
        return each(batches, lambda number: told)

    def _open(self, k: int) -> Any:
        """Return a file that is open, the one before or a new one."""
        if self._opened is None or self._opened[0] != k:
            with reading(self._files[k].name):
                self._opened = k, self._files[k].open()
        return self._opened[1]

    def _schema(self, k: int) -> Any:
        """Return a file's columns, and those that its folder's name tells."""
        schema = self._open(k).schema_arrow
        for name, value in self._files[k].constants.items():
            if name not in schema.names:
                schema = schema.append(arrow().field(name, value.type))
        return schema

    def _told(self, block: int) -> str:
        group = self._groups[block]
        return f"{self._files[group.file].name}, row group {group.number},"


def is_parquet(X: Any) -> bool:
    """Return whether something is a Parquet file or a data set."""
    if isinstance(X, str | os.PathLike):
        return True
    origin = type(X).__module__
    return origin.startswith("pyarrow.parquet") or (
        origin.startswith("pyarrow._dataset") and hasattr(X, "get_fragments")
    )


def _files(X: Any) -> tuple[list[_File], Any]:
    """Return the files, and the schema that they have in common, where it is told."""
    parquet = arrow("pyarrow.parquet")
    if isinstance(X, parquet.ParquetFile):
        return [_File("X", lambda: X, None, {})], None
    if hasattr(X, "get_fragments"):
        return _files_of_dataset(X), X.schema
    path = Path(os.fsdecode(X)).expanduser()
    if path.suffix.lower() not in (".parquet", ".pq"):
        raise ValueError(
            f"X={str(X)!r} ends in {path.suffix!r}; a path must be that of a .parquet file. Other "
            "files are opened first, such as np.load(path, mmap_mode='r')."
        )
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; a .parquet file is needed.")
    if path.is_dir():
        with reading(str(path)):
            return _files(arrow("pyarrow.dataset").dataset(path, partitioning="hive"))
    return [_File(str(path), _opener(path), None, {})], None


def _files_of_dataset(dataset: Any) -> list[_File]:
    datasets = arrow("pyarrow.dataset")
    fragments = list(dataset.get_fragments())
    if not all(isinstance(fragment, datasets.ParquetFileFragment) for fragment in fragments):
        raise TypeError(
            "X is a data set whose files are not Parquet; pass a function: "
            "lambda: dataset.scanner().to_reader()"
        )
    files = []
    for fragment in fragments:
        keys = datasets.get_partition_keys(fragment.partition_expression)
        constants = {
            name: arrow().scalar(value, dataset.schema.field(name).type)
            for name, value in keys.items()
        }
        with reading(fragment.path):
            groups = [group.id for group in fragment.row_groups]
        open_file = _opener(fragment.path, filesystem=fragment.filesystem)
        files.append(_File(fragment.path, open_file, groups, constants))
    return files


def _opener(path: Any, **options: Any) -> Callable[[], Any]:
    parquet = arrow("pyarrow.parquet")
    return lambda: parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, **options)


def _groups(k: int, file: Any, numbers: list[int] | None) -> list[_Group]:
    if numbers is None:
        numbers = list(range(file.num_row_groups))
    return [_Group(k, number, file.metadata.row_group(number).num_rows) for number in numbers]
