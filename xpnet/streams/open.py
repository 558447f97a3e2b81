"""Which kind of source it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import validation
from .arrays import ArraySource, has_slices
from .batches import BatchSource
from .parquet import ParquetSource
from .parquet_files import is_parquet
from .source import Source, reading
from .tables import TableSource, is_reader, once_only


def open_source(
    X: Any,
    y: Any = None,
    *,
    target: str | Sequence[str] | None = None,
    sample_weight: Any = None,
    block_rows: int | None = None,
) -> Source:
    """Return what reads some data block by block.

    Parameters
    ----------
    X : array-like of shape (samples, features), table, path or callable
        One of

        - an array with `shape`, `dtype` and contiguous slices: ``np.memmap``, ``h5py.Dataset``,
          ``zarr.Array``;
        - a table in memory that gives an Arrow stream: ``pyarrow.Table``, a polars or pandas data
          frame;
        - a Parquet file: its path, a ``pyarrow.parquet.ParquetFile``, or a
          ``pyarrow.dataset.Dataset`` of such files;
        - a function that returns a new iterable of batches each time it is called, or an object
          that can be iterated again and again: of ``(X, y)``, ``(X, y, sample_weight)`` or Arrow
          record batches. One pass counts the rows.
    y : array-like of shape (samples,) or (samples, outputs), optional
        The targets, beside an array or a table.
    target : str or list of str, optional
        The column of the targets, of a table, a Parquet file or record batches; or several.
    sample_weight : array-like of shape (samples,), or str, optional
        Weights beside an array or a table; or a column of a table, a Parquet file, record batches.
    block_rows : int, optional
        Rows that are read at a time; by default about 4 MiB. Of an array and a table it is the
        size of a block. Blocks of a Parquet file are its row groups, and batches are one block.

    Returns
    -------
    Source

    Raises
    ------
    TypeError
        X is none of these, can be read once only, or has columns that are not numbers.
    ValueError
        Shapes, lengths or columns do not fit.
    ReadError
        The library beneath cannot read it.

    Examples
    --------
    >>> import numpy as np
    >>> source = open_source(np.zeros((6, 2), dtype=np.uint8), np.arange(6), block_rows=4)
    >>> source.n_samples, source.lengths, source.dtype
    (6, (4, 2), dtype('uint8'))
    """
    if block_rows is not None:
        block_rows = validation.check_integer("block_rows", block_rows)
    if y is not None and target is not None:
        raise ValueError(
            f"target={target!r} names a column and y is given, too; one of them is needed."
        )
    if y is not None and isinstance(X, list | tuple):
        X = np.asarray(X)
    with reading("X"):
        is_array = hasattr(X, "tocsr") or has_slices(X)  # of a closed file, either may raise
    if is_array:
        _check_array(X, y, target, sample_weight)
        return ArraySource(X, y, sample_weight, block_rows)
    if is_parquet(X):
        _check_columns("a Parquet file", y, target, sample_weight)
        return ParquetSource(X, target, sample_weight, block_rows)
    if is_reader(X):
        raise once_only(X)
    if hasattr(X, "__arrow_c_stream__"):
        _check_targets("a table", y, target)
        return TableSource(X, y, target, sample_weight, block_rows)
    if callable(X) or hasattr(X, "__iter__"):
        _check_batches(y, sample_weight)
        return BatchSource(X if callable(X) else lambda: X, target, sample_weight)
    raise TypeError(
        f"X of type {type(X).__name__} cannot be read. Needed is an array with shape, dtype and "
        "slices, a table or data frame, a Parquet file, or a function that returns batches."
    )


def _check_array(X: Any, y: Any, target: Any, sample_weight: Any) -> None:
    for name, value in (("target", target), ("sample_weight", sample_weight)):
        if isinstance(value, str) or (name == "target" and value is not None):
            raise ValueError(
                f"{name}={value!r} names a column of a table; X is an array ({type(X).__name__}). "
                f"Pass {'y' if name == 'target' else name} as an array."
            )
    if y is None:
        raise ValueError("y=None: an array X needs an array y of targets.")


def _check_targets(kind: str, y: Any, target: Any) -> None:
    if y is None and target is None:
        raise ValueError(f"target=None: name the column of the targets, as X is {kind}.")


def _check_columns(kind: str, y: Any, target: Any, sample_weight: Any) -> None:
    """Raise where targets or weights are not columns."""
    if y is not None:
        raise ValueError(f"y goes with arrays; X is {kind}: target= names a column of it.")
    if sample_weight is not None and not isinstance(sample_weight, str):
        raise TypeError(f"sample_weight must name a column where X is {kind}.")
    _check_targets(kind, y, target)


def _check_batches(y: Any, sample_weight: Any) -> None:
    if y is not None:
        raise ValueError("y goes with arrays; batches have their targets with them: (X, y).")
    if sample_weight is not None and not isinstance(sample_weight, str):
        raise ValueError(
            "sample_weight goes with arrays; batches have their weights with them: "
            "(X, y, sample_weight)."
        )
