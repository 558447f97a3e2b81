"""Columns of Arrow tables, as arrays of NumPy."""

from __future__ import annotations

import difflib
import importlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np


def arrow(module: str = "pyarrow") -> Any:
    """Return pyarrow, or a module of it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            "Tables and Parquet files need pyarrow: pip install 'xpnet[arrow]'"
        ) from error


class Columns:
    """Which columns of a table are features, which are targets, and which one has weights.

    Parameters
    ----------
    schema : pyarrow.Schema
    target : str or sequence of str, or None
        The targets' columns. None where these are not in the table.
    sample_weight : str or None
        The weights' column. All others are features, but an index of pandas.

    Attributes
    ----------
    features, targets : tuple of str
    weights : str or None
    dtype : dtype
        The type that can hold every feature.
    """

    def __init__(self, schema: Any, target: Any, sample_weight: str | None) -> None:
        names = list(schema.names)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"X has several columns of the same name: {', '.join(twice)}.")
        self._single = isinstance(target, str)
        self.targets = _chosen("target", target, names)
        self.weights = (
            None if sample_weight is None else _known("sample_weight", sample_weight, names)
        )
        if self.weights in self.targets:
            raise ValueError(f"sample_weight={sample_weight!r} is a target, too.")
        others = {*self.targets, self.weights, *_index_of_pandas(schema)}
        self.features = tuple(name for name in names if name not in others)
        if not self.features:
            raise ValueError(f"X has no columns beside the targets: {', '.join(names)}.")
        self._types = {name: schema.field(name).type for name in self.used}
        self._check_types()
        self.dtype = np.result_type(*(_numpy_type(self._types[n]) for n in self.features))

    @property
    def used(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (*self.features, *self.targets, *filter(None, [self.weights]))

    def check(self, schema: Any, what: str) -> None:
        """Raise where columns are missing, or of another type than in the rows before."""
        for name, before in self._types.items():
            if name not in schema.names:
                found = ", ".join(schema.names)
                raise ValueError(f"{what} has no column {name!r}, as rows before. Found: {found}.")
            now = schema.field(name).type
            if now != before and not (_is_text(now) and _is_text(before)):
                raise ValueError(
                    f"{what}: column {name!r} is of type {now} there, and {before} before."
                )

    def check_nulls(self, table: Any, names: Iterable[str], what: str) -> None:
        """Raise where values are missing."""
        for name in names:
            missing = table.column(name).null_count
            if missing:
                raise ValueError(
                    f"{what}: column {name!r} has {missing} missing values (null). Fill them, or "
                    "leave out those rows first."
                )

    def x(self, table: Any) -> np.ndarray:
        """Return the features, of shape (rows, features)."""
        return _stacked(table, self.features, self.dtype)

    def t(self, table: Any) -> np.ndarray:
        """Return the targets, of shape (rows,), or (rows, outputs) for a list of columns."""
        if not self._single:
            types = (_numpy_type(self._types[name]) for name in self.targets)
            return _stacked(table, self.targets, np.result_type(*types))
        (name,) = self.targets
        values = table.column(name).to_numpy()
        return values.astype(np.str_) if values.dtype.hasobject else values

    def w(self, table: Any) -> np.ndarray | None:
        """Return the weights, of shape (rows,), or None."""
        return None if self.weights is None else table.column(self.weights).to_numpy()

    def _check_types(self) -> None:
        may_be_text = self.targets if self._single else ()
        for name, kind in self._types.items():
            if not (_is_number(kind) or (name in may_be_text and _is_text(kind))):
                used = "sample_weight" if name == self.weights else "target"
                used = "a feature" if name in self.features else f"{used}="
                raise TypeError(
                    f"Column {name!r} is of type {kind}; {used} must be numbers or True and False."
                    " Convert it, or leave it out."
                )


def _chosen(argument: str, value: Any, names: list[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    chosen = [value] if isinstance(value, str) else value
    if not isinstance(chosen, list | tuple) or not chosen:
        raise TypeError(f"{argument}={value!r} must be the name of a column, or a list of names.")
    if len(set(map(str, chosen))) < len(chosen):
        raise ValueError(f"{argument}={value!r} names a column twice.")
    return tuple(_known(argument, name, names) for name in chosen)


def _known(argument: str, name: Any, names: list[str]) -> str:
    if name in names:
        return str(name)
    nearest = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    raise ValueError(f"{argument}={name!r} is not a column. {hint}Columns: {', '.join(names)}.")


def _index_of_pandas(schema: Any) -> list[str]:
    """Return the columns that are a data frame's index."""
    described = (schema.metadata or {}).get(b"pandas")
    index = json.loads(described).get("index_columns", []) if described else []
    return [name for name in index if isinstance(name, str)]


def _is_number(kind: Any) -> bool:
    types = arrow("pyarrow.types")
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _is_text(kind: Any) -> bool:
    types = arrow("pyarrow.types")
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return any(
        is_kind(kind) for is_kind in (types.is_string, types.is_large_string, types.is_string_view)
    )


def _numpy_type(kind: Any) -> np.dtype[Any]:
    return np.dtype(kind.to_pandas_dtype())


def _stacked(table: Any, names: tuple[str, ...], dtype: np.dtype[Any]) -> np.ndarray:
    stacked = np.empty((table.num_rows, len(names)), dtype)
    row = 0
    for batch in table.select(names).to_batches():
        rows = stacked[row : row + batch.num_rows]
        for j, column in enumerate(batch.columns):
            rows[:, j] = column.to_numpy(zero_copy_only=False)
        row += batch.num_rows
    return stacked
