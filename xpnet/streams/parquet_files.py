"""Which Parquet files there are, and how they are opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .columns import arrow
from .source import reading

_BUFFER_BYTES = 1 << 18
"""So much of each column is read from the file at a time."""


@dataclass(frozen=True)
class File:
    """A Parquet file that is opened when it is read.

    Attributes
    ----------
    name : str
        What it is called in messages.
    opener : callable
        Returns the ``pyarrow.parquet.ParquetFile``.
    groups : list of int, or None
        The row groups that are read; None are all.
    constants : dict
        The columns that its folder's name tells, each an Arrow scalar.
    """

    name: str
    opener: Callable[[], Any]
    groups: list[int] | None = None
    constants: dict[str, Any] = field(default_factory=dict)

    def open(self) -> Any:
        """Return the open file."""
        with reading(self.name):
            return self.opener()

    def schema(self, opened: Any) -> Any:
        """Return the columns of the open file, and those that its folder's name tells."""
        schema = opened.schema_arrow
        for name, value in self.constants.items():
            if name not in schema.names:
                schema = schema.append(arrow().field(name, value.type))
        return schema

    def rows(self, opened: Any) -> dict[int, int]:
        """Return how many rows each row group of the open file has; those without are left out."""
        groups = range(opened.num_row_groups) if self.groups is None else self.groups
        rows = {group: opened.metadata.row_group(group).num_rows for group in groups}
        return {group: n for group, n in rows.items() if n}


def is_parquet(X: Any) -> bool:
    """Return whether something is a path, a Parquet file or a data set."""
    if isinstance(X, str | os.PathLike):
        return True
    origin = type(X).__module__
    return origin.startswith("pyarrow.parquet") or (
        origin.startswith("pyarrow._dataset") and hasattr(X, "get_fragments")
    )


def files_of(X: Any) -> tuple[list[File], Any]:
    """Return the files, and the schema that they have in common; None where the first one tells.

    Parameters
    ----------
    X : str, path, pyarrow.parquet.ParquetFile or pyarrow.dataset.Dataset
    """
    if hasattr(X, "iter_batches"):
        return [File("X", lambda: X)], None
    if hasattr(X, "get_fragments"):
        return _files_of_dataset(X), X.schema
    path = Path(os.fsdecode(X)).expanduser()
    if path.suffix.lower() != ".parquet":
        raise ValueError(
            f"X={str(X)!r} ends in {path.suffix!r}; a path must be that of a .parquet file. Other "
            "files are opened first, such as np.load(path, mmap_mode='r')."
        )
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; a .parquet file is needed.")
    if not path.is_dir():
        return [File(str(path), _opener(path))], None
    with reading(str(path)):
        dataset = arrow("pyarrow.dataset").dataset(path, format="parquet", partitioning="hive")
    return files_of(dataset)


def _files_of_dataset(dataset: Any) -> list[File]:
    function = "pass a function: lambda: dataset.scanner().to_reader()"
    try:
        fragments = list(dataset.get_fragments())
    except ValueError as error:
        raise TypeError(f"X is a data set that is filtered; {function}") from error
    if not all(hasattr(fragment, "row_groups") for fragment in fragments):
        raise TypeError(f"X is a data set whose files are not Parquet; {function}")
    return [_file_of_fragment(fragment, dataset.schema) for fragment in fragments]


def _file_of_fragment(fragment: Any, schema: Any) -> File:
    keys = arrow("pyarrow.dataset").get_partition_keys(fragment.partition_expression)
    with reading(fragment.path):
        groups = [group.id for group in fragment.row_groups]
    constants = {
        name: arrow().scalar(value, schema.field(name).type)
        for name, value in keys.items()
        if name in schema.names
    }
    opener = _opener(fragment.path, filesystem=fragment.filesystem)
    return File(fragment.path, opener, groups, constants)


def _opener(path: Any, **options: Any) -> Callable[[], Any]:
    parquet = arrow("pyarrow.parquet")
    # By default a whole row group is read ahead, however large it is.
    options |= {"buffer_size": _BUFFER_BYTES, "pre_buffer": False}
    return lambda: parquet.ParquetFile(path, **options)
