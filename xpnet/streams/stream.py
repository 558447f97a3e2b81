"""Data larger than memory, as something to train on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import validation
from .open import open_source
from .source import Block, Source
from .subset import Subset

Weigh = Callable[[np.ndarray, "np.ndarray | None"], np.ndarray]

BUFFER_BYTES = 1 << 28
"""So large is a buffer by default."""


class Stream:
    """Data that are read block by block while a net is trained on them.

    In each epoch the blocks are read in a new random order, ahead of the training, into a buffer
    whose rows are shuffled once it is full: at the speed of the disk, with nearly the accuracy of
    a full shuffle (CorgiPile). The order is a function of the seed and the epoch, and of the sizes
    of blocks, buffer and batches.

    Parameters
    ----------
    X : array-like, path, table or callable
        Anything with `shape`, `dtype` and contiguous slices, of shape (samples, features):
        ``np.memmap``, ``h5py.Dataset``, ``zarr.Array``; or an Arrow table, a polars or pandas data
        frame; a Parquet file (its path, or ``pyarrow.parquet.ParquetFile``) or a
        ``pyarrow.dataset.Dataset``; or a function that returns a new iterable of batches
        ``(X, y)``, ``(X, y, sample_weight)`` or record batches each time it is called: once an
        epoch, once before to count the samples, and to look at the first ones.
    y : array-like of shape (samples,) or (samples, outputs), optional
        Targets, of the same kinds as arrays for X.
    target : str or list of str, optional
        The column or columns of a table that are the targets.
    sample_weight : array-like of shape (samples,), or str, optional
        Weights, or the column of a table that has them.
    transform : callable, optional
        ``transform(x) -> x`` of some rows of features, a NumPy array: casts, scales, selects. See
        also `scaled`.
    block_rows : int, optional
        Rows that are read at a time; by default about 4 MiB, in whole chunks of what has chunks.
        Of a Parquet file, blocks are its row groups. The order depends on the blocks.
    buffer_bytes : int, default 2**28
        The size of a buffer, of which there are two, on the host (and on the device where that
        has a memory of its own). The larger, the more random is the order.

    Attributes
    ----------
    n_samples, n_features : int
        The features are those that the transform returns.

    Raises
    ------
    ValueError, TypeError
        It is not clear what to read, or lengths and columns do not fit.
    ReadError
        The data cannot be read.

    Notes
    -----
    A buffer sees only so much of the data: where these are sorted by target, a small one costs
    accuracy. On 200,000 sorted samples with a full shuffle's 0.803, buffers of 5, 10 and 20 % of
    the data reached 0.737, 0.753 and 0.792, no shuffle 0.327. A warning is given where the blocks
    look sorted.

    ``np.memmap`` is an array: only within a `Stream` it is read block by block.

    References
    ----------
    Xu et al. (2022), "In-Database Machine Learning with CorgiPile: Stochastic Gradient Descent
    without Full Data Shuffle", https://doi.org/10.1145/3514221.3526150

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Dense, Network, Stream, Trainer
    >>> x = np.linspace(-1.0, 1.0, 1000).reshape(-1, 1)
    >>> data = Stream(x, x[:, 0] > 0.2, block_rows=100)
    >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
    >>> trainer.fit(data, epochs=5).n_epochs
    5
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        target: str | list[str] | None = None,
        sample_weight: Any = None,
        transform: Callable[[np.ndarray], np.ndarray] | None = None,
        block_rows: int | None = None,
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        if block_rows is not None:
            block_rows = validation.check_integer("block_rows", block_rows)
        self.buffer_bytes = validation.check_integer("buffer_bytes", buffer_bytes)
        self._transforms: tuple[Callable[[np.ndarray], np.ndarray], ...] = ()
        if transform is not None:
            self._transforms = (_check_transform(transform),)
        self._targets: tuple[Callable[[np.ndarray], np.ndarray], ...] = ()
        self._weigh: Weigh | None = None
        self.source: Source = open_source(
            X, y, target=target, sample_weight=sample_weight, block_rows=block_rows
        )
        if self.n_samples == 0:
            raise ValueError("X has no samples; at least one is needed.")

    def __repr__(self) -> str:
        n_blocks = len(self.source.lengths)
        told = f"{self.n_samples:,} samples, {self.n_features} features, {n_blocks} blocks"
        return f"<Stream: {told}>"

    @property
    def n_samples(self) -> int:
        """How many samples there are."""
        return self.source.n_samples

    @property
    def n_features(self) -> int:
        """How many features the transform returns."""
        return int(self.first.x.shape[1])

    @property
    def first(self) -> Block:
        """The first rows, transformed."""
        if not hasattr(self, "_first"):
            blocks = range(len(self.source.lengths))
            self._first = next(piece for block in blocks for piece in self.read(block))
        return self._first

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The columns' names, of a table whose features are not transformed."""
        return None if self._transforms else self.source.feature_names

    def read(self, block: int, start: int = 0) -> Iterator[Block]:
        """Yield the rows of a block from its row `start` on, transformed, a piece at a time.

        Parameters
        ----------
        block : int
        start : int, default 0

        Yields
        ------
        Block
            Of `x`, `t` and `weights` (or None).
        """
        for piece in self.source.read(block, start):
            if len(piece.t):
                t, weights = self._targeted(piece.t), piece.weights
                if self._weigh is not None:
                    weights = self._weigh(piece.t, weights)
                yield Block(self._transformed(piece.x), t, weights)

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield all rows in the order in which they lie, as (x, t) or (x, t, weights)."""
        for k in range(len(self.source.lengths)):
            for piece in self.read(k):
                yield tuple(part for part in piece if part is not None)

    def __array__(self, *args: Any, **options: Any) -> np.ndarray:
        raise TypeError(
            f"{self!r} is read block by block by the fit of Trainer and of the estimators; here an "
            "array is needed. `for x, t in stream` gives its rows, a part at a time."
        )

    def targets(self, block: int) -> Iterator[np.ndarray]:
        """Yield the targets of a block, a piece at a time; features are not read where possible.

        Parameters
        ----------
        block : int
        """
        for t in self.source.targets(block):
            if len(t):
                yield self._targeted(t)

    def distinct_targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the values that the targets have, sorted, and how often; it takes one pass."""
        values: Any = None
        counts: Any = None
        for block in range(len(self.source.lengths)):
            for t in self.targets(block):
                found, n = np.unique(t, return_counts=True)
                if values is not None:
                    found, where = np.unique(np.append(values, found), return_inverse=True)
                    n = np.bincount(where, np.append(counts, n)).astype(np.int64)
                values, counts = found, n
        return values, counts

    def scaled(self, scaler: Any) -> Stream:
        """Return the stream with its features scaled.

        Parameters
        ----------
        scaler : transformer of scikit-learn
            Such as ``StandardScaler()``. One that is not fitted learns by `partial_fit`, in one
            pass over all blocks; it is the same object afterwards, for data to come.

        Returns
        -------
        Stream

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.preprocessing import StandardScaler
        >>> from xpnet import Stream
        >>> x, scaler = np.array([[1.0], [3.0]]), StandardScaler()
        >>> scaled = Stream(x, np.array([0, 1])).scaled(scaler)
        >>> [x.ravel().tolist() for x, t in scaled], scaler.mean_.tolist()
        ([[-1.0, 1.0]], [2.0])
        """
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        if isinstance(scaler, type) or not hasattr(scaler, "transform"):
            raise TypeError(f"scaler={scaler!r} must be a transformer, such as StandardScaler().")
        try:
            check_is_fitted(scaler)
        except NotFittedError:
            self._fit(scaler)
        return self.transformed(scaler.transform)

    def transformed(self, transform: Callable[[np.ndarray], np.ndarray]) -> Stream:
        """Return the stream with its features transformed, after what transforms them already.

        Parameters
        ----------
        transform : callable
            As for the constructor.

        Returns
        -------
        Stream

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import Stream
        >>> data = Stream(np.ones((2, 3)), np.zeros(2)).transformed(lambda x: 2 * x[:, :1])
        >>> data.n_features, data.first.x.tolist()
        (1, [[2.0], [2.0]])
        """
        return self._with(_transforms=(*self._transforms, _check_transform(transform)))

    def _fit(self, scaler: Any) -> None:
        if not hasattr(scaler, "partial_fit"):
            raise TypeError(
                f"scaler={scaler!r} has no partial_fit, which learns a part at a time. Fit it "
                "first, or pass one that has it, such as StandardScaler()."
            )
        for x, *_ in self:
            scaler.partial_fit(x)

    def split(
        self, fraction: float = 0.1, random_state: Any = 0
    ) -> tuple[Stream, tuple[np.ndarray, ...]]:
        """Hold out random samples, for validation.

        Parameters
        ----------
        fraction : float in (0, 1), default 0.1
            The part that is held out, at most as many samples as a buffer has.
        random_state : int or RandomState, default 0

        Returns
        -------
        stream : Stream
            Without them.
        held_out : tuple (x, t) or (x, t, weights)
            In memory, as ``fit(..., validation_data=)`` takes them. It takes one pass to read them.

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import Stream
        >>> train, (x, t) = Stream(np.zeros((10, 2)), np.arange(10)).split(0.2)
        >>> train.n_samples, x.shape
        (8, (2, 2))
        """
        from sklearn.utils.random import sample_without_replacement

        fraction = validation.check_real(
            "fraction", fraction, high=1.0, open_low=True, open_high=True
        )
        rng = validation.check_random_state("random_state", random_state)
        n = self.n_samples
        held_out = min(round(fraction * n), max(1, self.buffer_bytes // self.first.x[0].nbytes))
        if not 0 < held_out < n:
            raise ValueError(
                f"fraction={fraction} of {n} samples is {held_out}; at least one must be held out, "
                "and one be left."
            )
        rows = np.sort(sample_without_replacement(n, held_out, random_state=rng)).astype(np.int64)
        train = self._with(source=Subset(self.source, rows))
        return train, self._rows(rows)

    def _rows(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return some rows, of numbers in ascending order."""
        parts, row = [], 0
        for arrays in self:
            first, row = row, row + len(arrays[0])
            here = rows[slice(*np.searchsorted(rows, [first, row]))] - first
            parts.append([array[here] for array in arrays])
        return tuple(map(np.concatenate, zip(*parts, strict=True)))

    def retargeted(self, function: Callable[[np.ndarray], np.ndarray]) -> Stream:
        """Return the stream with ``function(t)`` in place of the targets of some rows."""
        return self._with(_targets=(*self._targets, _check_function("function", function)))

    def weighed(self, weigh: Weigh) -> Stream:
        """Return the stream with ``weigh(t, weights)`` as weights.

        Parameters
        ----------
        weigh : callable
            It is given the targets as they lie in the data, and the weights or None.
        """
        return self._with(_weigh=_check_function("weigh", weigh))

    def fingerprint(self) -> str:
        """Return what tells streams apart, without reading all of them."""
        transformed = f", transformed by {len(self._transforms)}" if self._transforms else ""
        return f"{self.source.fingerprint()}{transformed}"

    def _targeted(self, t: np.ndarray) -> np.ndarray:
        for function in self._targets:
            t = function(t)
        return t

    def _transformed(self, x: np.ndarray) -> np.ndarray:
        rows = len(x)
        for transform in self._transforms:
            x = validation.check_numeric("transform(x)", transform(x))
            if x.ndim != 2 or len(x) != rows:
                raise ValueError(
                    f"transform(x) has shape {x.shape}; ({rows}, features) is needed: a row for "
                    "each row."
                )
        return x

    def _with(self, **attributes: Any) -> Stream:
        own = copy.copy(self)
        own.__dict__.pop("_first", None)
        vars(own).update(attributes)
        return own


def _check_transform(transform: Any) -> Callable[[np.ndarray], np.ndarray]:
    if callable(transform):
        return transform
    hint = "; fit it and pass its transform, or use scaled(…)" * hasattr(transform, "transform")
    raise TypeError(f"transform={transform!r} must be a function of an array{hint}.")


def _check_function(name: str, value: Any) -> Callable[..., Any]:
    if not callable(value):
        raise TypeError(f"{name}={value!r} must be a function of arrays.")
    return value
