"""The user's own table, too large for memory: a Parquet file, read while a net is trained."""

from __future__ import annotations

import functools
import os

import numpy as np

from .. import validation
from ..streams import BUFFER_BYTES, Stream
from .dataset import Dataset

__all__ = ["stream_table"]


def stream_table(
    path: str | os.PathLike[str], target: str | None = None, *, buffer_bytes: int = BUFFER_BYTES
) -> Dataset:
    """Open a Parquet file to be streamed, and hold out a part of it for validation.

    Parameters
    ----------
    path : str or path
        All columns but the target are numeric.
    target : str, optional
        The name of the target's column. As for `load_table`: whole numbers are class numbers, other
        numbers are amounts; words and booleans are names of classes, numbered in sorted order.
    buffer_bytes : int, default 2**28
        As for `Stream`.

    Returns
    -------
    Dataset
        Its `x_train` is a `Stream`, which has its targets in itself; `t_train` are targets of some
        samples, those of each class among them. A random fifth of the samples, at most as many as a
        buffer has, is for validation, the same one each time.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It cannot be read, or the target is not among its columns.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pyarrow as pa
    >>> import pyarrow.parquet as pq
    >>> table = pa.table({"length": [5.1, 1.4] * 5, "kind": ["rose", "iris"] * 5})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pq.write_table(table, f"{folder}/flowers.parquet")
    ...     stream_table(f"{folder}/flowers.parquet", target="kind")
    <flowers: 8 train, 2 validation, 0 test, 1 features, 2 classes>
    """
    path = validation.check_path("path", path).expanduser()
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {problem}; a .parquet file is needed.")
    stream = Stream(path, target=target, buffer_bytes=buffer_bytes)
    if stream.first.x.dtype == np.uint8:  # numbers of a table, not pixels
        stream = stream.transformed(lambda x: x.astype(np.float32))
    values = None if stream.first.t.dtype.kind == "f" else stream.distinct_targets()
    if values is not None and stream.first.t.dtype.kind not in "iu":
        stream = stream.retargeted(functools.partial(_codes, values[0]))
        values = np.arange(len(values[0])), values[1]
    train, (x, t, *_) = stream.split(0.2, random_state=42)
    some = t if values is None else np.concatenate([values[0], t])
    return Dataset(train, some, x, t, name=path.stem)


def _codes(names: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.searchsorted(names, t)
