"""Batches that a function gives, from the first one to the last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .columns import Columns, arrow
from .source import Block, Source, after, counted, each, ranges, reading, rows_of

_TOLD = "X, which must give the same rows in each pass,"


class _Form(NamedTuple):
    """What all batches have in common."""

    n_features: int
    dtype: np.dtype[Any]
    t_shape: tuple[int, ...]
    t_dtype: np.dtype[Any]
    weighted: bool

    @classmethod
    def of(cls, block: Block) -> _Form:
        t_dtype = np.dtype(str) if block.t.dtype.kind == "U" else block.t.dtype
        weighted = block.weights is not None
        return cls(block.x.shape[1], block.x.dtype, block.t.shape[1:], t_dtype, weighted)

    def __str__(self) -> str:
        outputs = "".join(f" of {n} outputs" for n in self.t_shape)
        weights = "with" if self.weighted else "without"
        features = f"{self.n_features} features of {self.dtype}"
        return f"{features}, targets{outputs} of {self.t_dtype}, {weights} weights"


class BatchSource(Source):
    """Rows of an iterable of batches, which is asked for anew for each pass.

    They can be read in their order only: there is a single block. One pass counts its rows as the
    source is opened.

    Parameters
    ----------
    make : callable
        Takes no arguments and returns an iterable of ``(X, y)``, of ``(X, y, sample_weight)`` or
        of Arrow record batches; or a reader of these.
    target : str or list of str, optional
        The column of the targets, for Arrow's batches; or several columns.
    sample_weight : str, optional
        The column of the weights, for Arrow's batches.

    Notes
    -----
    A scanner of ``pyarrow.dataset`` reads far ahead: 2 GB where blocks have 4 MiB. Pass the data
    set itself where its files are Parquet, or have it scanned with ``fragment_scan_options=
    ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True)`` (350 MB).

    Examples
    --------
    >>> import numpy as np
    >>> source = BatchSource(lambda: ((np.ones((2, 3)), np.zeros(2)) for k in range(4)))
    >>> source.lengths, source.n_features
    ((8,), 3)
    """

    def __init__(
        self, make: Callable[[], Any], target: Any = None, sample_weight: str | None = None
    ) -> None:
        self._make = make
        self._target, self._weight = target, sample_weight
        self._columns: Columns | None = None
        self._form: _Form | None = None
        n_samples = sum(len(block.x) for block in self._blocks())
        if self._form is None:
            raise ValueError("X has no samples; at least one batch with one sample is needed.")
        self.lengths = (n_samples,)
        self.n_features, self.dtype = self._form.n_features, self._form.dtype
        self.weighted = self._form.weighted
        self.feature_names = None if self._columns is None else self._columns.features

    def read(self, block: int, start: int = 0) -> Iterator[Block]:
        """Yield the batches from the row `start` on; those before are read and left out."""
        yield from after(counted(self._blocks(), self.n_samples, _TOLD), start)

    def _blocks(self) -> Iterator[Block]:
        """Yield the batches, each of them like the first one; those without rows are left out."""
        row = 0
        for number, batch in enumerate(each(self._batches(), "Batch {} of X".format)):
            told = f"Batch {number} of X (from row {row} on)"
            for block in self._converted(batch, told):
                self._check_form(block, told)
                yield block
                block.release()
                row += len(block.x)

    def _batches(self) -> Iterable[Any]:
        """Return the batches as the function gives them."""
        with reading("X"):
            batches = self._make()
            if hasattr(batches, "__arrow_c_stream__"):
                batches = arrow().RecordBatchReader.from_stream(batches)
        if not isinstance(batches, Iterable):
            raise TypeError(
                f"X returned {type(batches).__name__}; an iterable of batches (X, y) or of record "
                "batches is needed."
            )
        return batches

    def _converted(self, batch: Any, told: str) -> Iterator[Block]:
        """Yield what is in a batch as arrays; tables a few MiB at a time."""
        if not (hasattr(batch, "__arrow_c_stream__") or hasattr(batch, "__arrow_c_array__")):
            yield from self._of_arrays(batch, told)
            return
        with reading(told):
            table = arrow().table(batch)
        if self._target is None:
            names = ", ".join(table.column_names)
            raise ValueError(f"target=None: name the column of the targets. Columns: {names}.")
        if self._columns is None:
            self._columns = Columns(table.schema, self._target, self._weight)
        columns = self._columns
        columns.check(table.schema, told)
        columns.check_nulls(table, columns.used, told)
        for begin, end in ranges(0, table.num_rows, rows_of(len(columns.features), columns.dtype)):
            part = table.slice(begin, end - begin)
            yield Block(columns.x(part), columns.t(part), columns.w(part))

    def _of_arrays(self, batch: Any, told: str) -> Iterator[Block]:
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise TypeError(
                f"{told} is of type {type(batch).__name__}; (X, y), (X, y, sample_weight) or a "
                "record batch is needed."
            )
        if self._target is not None or self._weight is not None:
            raise TypeError(
                f"{told} is of arrays; target= and sample_weight= name columns of tables. Give "
                "(X, y) or (X, y, sample_weight) instead."
            )
        with reading(told):
            x, t, *rest = map(np.asarray, batch)
        weights = rest[0] if rest else None
        if x.size or t.size:
            _check_arrays(x, t, weights, told)
            yield Block(x, t, weights)

    def _check_form(self, block: Block, told: str) -> None:
        form = _Form.of(block)
        if self._form is None:
            self._form = form
        elif form != self._form:
            raise ValueError(f"{told} has {form}; the batches before have {self._form}.")


def _check_arrays(x: np.ndarray, t: np.ndarray, weights: np.ndarray | None, told: str) -> None:
    if x.ndim != 2 or not x.shape[1]:
        raise ValueError(f"{told}: X has shape {x.shape}; (samples, features) is needed.")
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{told}: X has dtype {x.dtype}; numbers are needed.")
    if t.ndim not in (1, 2):
        raise ValueError(f"{told}: y has shape {t.shape}; (samples,) or (samples, outputs).")
    if weights is not None and weights.ndim != 1:
        raise ValueError(f"{told}: sample_weight has shape {weights.shape}; (samples,) is needed.")
    lengths = {"X": len(x), "y": len(t), "sample_weight": len(t if weights is None else weights)}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ValueError(f"{told}: the numbers of samples differ: {counts}.")
