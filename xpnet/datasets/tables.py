"""The user's own data: a .csv table, or the arrays of an .npz file."""

from __future__ import annotations

import csv
import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import validation
from .dataset import Dataset

__all__ = ["load_table"]

_MOST_DEFLATED = 1100
"""So many times as large may data be as they are when deflated."""

_WHOLE = ("x", "t")
_SPLIT = ("x_train", "t_train", "x_val", "t_val")
_TESTED = (*_SPLIT, "x_test", "t_test")


def load_table(path: str | os.PathLike[str], target: str | None = None) -> Dataset:
    """Read a table, and hold out a part of it for validation.

    Parameters
    ----------
    path : str or path
        A ``.csv`` file (commas, UTF-8) with a header row, all columns but the target numeric. Or
        an ``.npz`` file with arrays ``x`` and ``t``; or with ``x_train``, ``t_train``, ``x_val``
        and ``t_val``, and with ``x_test`` and ``t_test`` where there are test samples.
    target : str, optional
        The name of a ``.csv`` file's target column. Whole numbers without a decimal point are
        class numbers, other numbers are amounts. Words are names of classes, which are numbered
        in sorted order.

    Returns
    -------
    Dataset
        Nothing is scaled. Where the file does not split the samples, a random fifth of them is
        for validation, the same one each time; stratified where the targets are class numbers,
        each has two samples or more, and there is room for all of them.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file cannot be read, or does not hold finite numbers only; the message says where.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "flowers.csv")
    ...     size = path.write_text("length,width,kind\\n" + "5.1,3.5,rose\\n1.4,0.2,iris\\n" * 5)
    ...     load_table(path, target="kind")
    <flowers: 8 train, 2 validation, 0 test, 2 features, 2 classes>
    """
    path = validation.check_path("path", path).expanduser()
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {problem}; a .npz or .csv file is needed.")
    readers = {".npz": _read_npz, ".csv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path} ends in {path.suffix!r}; a .npz or .csv file is needed.")
    try:
        arrays = _checked(reader(path, target))
        parts = arrays if "x_train" in arrays else _held_out(**arrays)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: {error}") from error
    return Dataset(**parts, name=path.stem)


def _checked(arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays as finite numbers; each x has its t, and all have the same features."""
    checked: dict[str, Any] = {}
    n_features = None
    names = list(arrays)
    for x_name, t_name in zip(names[::2], names[1::2], strict=True):
        x = validation.check_numeric(x_name, arrays[x_name])
        t = validation.check_numeric(t_name, arrays[t_name])
        validation.check_features(x_name, x.shape, n_features)
        if x.shape[1] == 0:
            raise ValueError(f"{x_name} has no features (shape {x.shape}).")
        if t.ndim not in (1, 2):
            raise ValueError(f"{t_name} has shape {t.shape}; (samples,) or (samples, outputs).")
        validation.check_same_length(**{x_name: len(x), t_name: len(t)})
        n_features = x.shape[1]
        checked[x_name] = x
        checked[t_name] = t.astype(np.int64) if t.dtype.kind in "iu" else t
    return checked


def _held_out(x: np.ndarray, t: np.ndarray) -> dict[str, Any]:
    from sklearn.model_selection import train_test_split

    if len(x) < 2:
        raise ValueError("1 sample was found; 2 are needed, one of them for validation.")
    stratify = t if _can_stratify(t) else None
    parts = train_test_split(x, t, stratify=stratify, test_size=0.2, random_state=42)
    return dict(zip(("x_train", "x_val", "t_train", "t_val"), parts, strict=True))


def _can_stratify(t: np.ndarray) -> bool:
    if t.dtype.kind != "i" or t.ndim != 1:
        return False
    counts = np.unique(t, return_counts=True)[1]
    return bool(counts.min() >= 2 and math.ceil(0.2 * len(t)) >= len(counts))


def _read_npz(path: Path, target: str | None) -> dict[str, Any]:
    if target is not None:
        raise ValueError(f"target={target!r} is for .csv files; an .npz file names its arrays.")
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("this is not an .npz archive (or not a whole one).")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                names = _layout(archive.files)
                for name in names:
                    _check_promise(archive.zip, name, path.stat().st_size)
                return {name: archive[name] for name in names}
        except Exception as error:  # a damaged archive raises nearly anything
            raise ValueError(f"its arrays cannot be read: {error}") from error


def _check_promise(archive: zipfile.ZipFile, name: str, n_bytes: int) -> None:
    """Raise where a header promises more than its file can hold: NumPy would make room for it."""
    with archive.open(f"{name}.npy") as file:
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        version = np.lib.format.read_magic(file)
        if version[0] not in read:
            raise ValueError(f"{name} is of version {version[0]} of the format; 1 or 2 is needed")
        shape, _, dtype = read[version[0]](file)
    held = min(archive.getinfo(f"{name}.npy").file_size, _MOST_DEFLATED * n_bytes)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize > held:
        raise ValueError(f"{name} of shape {shape} and type {dtype} is more than the file holds")


def _layout(found: Sequence[str]) -> tuple[str, ...]:
    for names in (_TESTED, _SPLIT, _WHOLE):
        if set(names) <= set(found):
            return names
    raise ValueError(
        f"found {', '.join(found) or 'none'}; needed are {' and '.join(_WHOLE)}, or "
        f"{', '.join(_SPLIT)}"
    )


def _read_csv(path: Path, target: str | None) -> dict[str, Any]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True, skipinitialspace=True)
        rows: dict[int, list[str]] = {}
        try:
            for row in filter(None, reader):
                rows[reader.line_num] = [cell.strip() for cell in row]
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: {error}.") from error
    if not rows:
        raise ValueError("the file is empty; a header row and rows of numbers are needed.")
    header = rows.pop(next(iter(rows)))
    column = _target_column(header, target)
    if not rows:
        raise ValueError("there is a header row, but no rows of numbers follow.")
    for line, row in rows.items():
        if len(row) != len(header):
            raise ValueError(f"line {line} has {len(row)} cells, the header row {len(header)}.")
    labels = {line: row.pop(column) for line, row in rows.items()}
    name = header.pop(column)
    x = [
        [_number(*cell, line) for cell in zip(header, row, strict=True)]
        for line, row in rows.items()
    ]
    return {"x": np.array(x, dtype=np.float64), "t": _targets(name, labels)}


def _target_column(header: list[str], target: str | None) -> int:
    if all(map(_is_number, header)):
        raise ValueError("the first line holds only numbers; the columns' names are needed.")
    if len(header) == 1 and ";" in header[0]:
        raise ValueError("the columns are parted by semicolons; commas are needed.")
    if len(set(header)) < len(header):
        raise ValueError(f"columns of the same name: {', '.join(header)}.")
    if target is None:
        raise ValueError(f"target= must name the column to predict: {', '.join(header)}.")
    return header.index(validation.check_choice("target", target, header))


def _number(name: str, cell: str, line: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"line {line}, column {name!r}: {cell!r} is not a finite number.")
    return value


def _targets(name: str, labels: dict[int, str]) -> np.ndarray:
    """Return amounts, class numbers, or the numbers of words in sorted order."""
    empty = next((line for line, label in labels.items() if not label), None)
    if empty is not None:
        raise ValueError(f"line {empty}, column {name!r}: the target is missing.")
    number = next((line for line, label in labels.items() if _is_number(label)), None)
    word = next((line for line, label in labels.items() if not _is_number(label)), None)
    if number is None:
        return np.unique(list(labels.values()), return_inverse=True)[1]
    if word is not None:
        raise ValueError(
            f"column {name!r} has {labels[number]!r} in line {number} and {labels[word]!r} in line "
            f"{word}; all must be numbers, or all must be words."
        )
    if all(label.lstrip("+-").isdecimal() for label in labels.values()):
        return np.array([int(label) for label in labels.values()], dtype=np.int64)
    return np.array([_number(name, label, line) for line, label in labels.items()])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
