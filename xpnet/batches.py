"""Which rows make a batch, and in which order: drawn on the host, the same for every backend."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import validation

__all__ = [
    "SAMPLINGS",
    "Batches",
    "InOrder",
    "Reshuffled",
    "Shuffled",
    "WithReplacement",
    "batch_partition",
    "split",
]


class Batches(ABC):
    """Base class: the order of an epoch's rows, to be cut into batches.

    Parameters
    ----------
    batch_size : int or None
        Rows a batch; the last one may be smaller. None is all rows (full-batch descent), 1 is
        stochastic descent. More than there are rows counts as all rows.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet.batches import Batches
    >>> class Backwards(Batches):
    ...     def order(self, n_samples, rng, epoch):
    ...         return np.arange(n_samples)[::-1]
    >>> Backwards(2).order(3, None, 0), Backwards(2).n_steps(3, 0)
    (array([2, 1, 0]), 2)
    """

    def __init__(self, batch_size: int | None = 32) -> None:
        if batch_size is not None:
            batch_size = validation.check_integer("batch_size", batch_size)
        self.batch_size = batch_size

    chained: bool = False
    """Whether an order is made from that of the epoch before, which a run's state then keeps."""

    def size(self, n_samples: int) -> int:
        """Return the rows of a full batch."""
        return n_samples if self.batch_size is None else min(self.batch_size, n_samples)

    def n_steps(self, n_samples: int, epoch: int) -> int:
        """Return the batches of that epoch, the smaller last one included."""
        return math.ceil(n_samples / self.size(n_samples))

    @abstractmethod
    def order(self, n_samples: int, rng: np.random.RandomState, epoch: int) -> np.ndarray:
        """Return the rows of that epoch, one batch after the other.

        Where `chained`, the order of the epoch before is handed in too, as ``previous=``.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


class Shuffled(Batches):
    """Every row once an epoch, in an order drawn anew by ``permutation(n)``.

    Parameters
    ----------
    batch_size : int or None, default 32

    Examples
    --------
    >>> import numpy as np
    >>> Shuffled(2).order(4, np.random.RandomState(42), epoch=0)
    array([1, 3, 0, 2])
    """

    def order(self, n_samples, rng, epoch):
        return rng.permutation(n_samples)


class Reshuffled(Batches):
    """Every row once an epoch: the order of the epoch before, shuffled again (scikit-learn's).

    Parameters
    ----------
    batch_size : int or None, default 32

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.RandomState(42)
    >>> first = Reshuffled(2).order(4, rng, epoch=0)
    >>> first, Reshuffled(2).order(4, rng, epoch=1, previous=first)
    (array([1, 3, 0, 2]), array([3, 2, 1, 0]))
    """

    chained = True

    def order(self, n_samples, rng, epoch, previous=None):
        shuffled = rng.permutation(n_samples)
        return shuffled if previous is None else previous[shuffled]


class InOrder(Batches):
    """Every row once an epoch, as they lie.

    Parameters
    ----------
    batch_size : int or None, default 32

    Examples
    --------
    >>> import numpy as np
    >>> InOrder(2).order(4, np.random.RandomState(42), epoch=0)
    array([0, 1, 2, 3])
    """

    def order(self, n_samples, rng, epoch):
        return np.arange(n_samples)


class WithReplacement(Batches):
    """Batches drawn by ``choice(n, batch_size)``, each independent of all others.

    Parameters
    ----------
    batch_size : int or None, default 32
    lengths : sequence of int, optional
        How many steps count as the first, second … epoch; the last number holds for all that
        follow. By default an epoch is ``ceil(n / batch_size)`` steps.

    Examples
    --------
    >>> import numpy as np
    >>> WithReplacement(2).order(4, np.random.RandomState(42), epoch=0)
    array([2, 3, 0, 2])
    """

    def __init__(self, batch_size: int | None = 32, *, lengths: Sequence[int] = ()) -> None:
        super().__init__(batch_size)
        if not isinstance(lengths, Sequence | np.ndarray) or isinstance(lengths, str):
            raise TypeError(f"lengths={lengths!r} must be a sequence of integers.")
        self.lengths = tuple(validation.check_integer("lengths", n) for n in lengths)

    def n_steps(self, n_samples, epoch):
        if self.lengths:
            return self.lengths[min(epoch, len(self.lengths) - 1)]
        return super().n_steps(n_samples, epoch)

    def order(self, n_samples, rng, epoch):
        return rng.choice(n_samples, self.n_steps(n_samples, epoch) * self.size(n_samples))


SAMPLINGS: dict[str, type[Batches]] = {
    "shuffle": Shuffled,
    "reshuffle": Reshuffled,
    "replacement": WithReplacement,
    "sequential": InOrder,
}
"""The ways to draw batches, by name."""


def split(orders: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut orders into arrays of equal batches: the full ones, and the smaller last one.

    Parameters
    ----------
    orders : integer array of shape (n,) or (models, n)
    size : int
        Rows a batch.

    Returns
    -------
    list of int32 arrays of shape (steps, size) or (steps, models, size)
        One array, or two where the last batch is smaller.

    Examples
    --------
    >>> import numpy as np
    >>> [part.tolist() for part in split(np.arange(5), 2)]
    [[[0, 1], [2, 3]], [[4]]]
    """
    orders = orders.astype(np.int32)
    full = orders.shape[-1] // size * size
    parts = []
    for rows, width in ((orders[..., :full], size), (orders[..., full:], orders.shape[-1] - full)):
        if rows.shape[-1]:
            cut = rows.reshape(*rows.shape[:-1], -1, width)
            parts.append(cut if cut.ndim == 2 else np.ascontiguousarray(np.moveaxis(cut, -2, 0)))
    return parts


def batch_partition(
    X: Any, Y: Any, batch_size: int = 64, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut samples that lie along the *second* axis into shuffled batches.

    Parameters
    ----------
    X : array of shape (features, m)
    Y : array of shape (outputs, m)
    batch_size : int, default 64
    seed : int, default 0
        A new permutation each epoch comes from a new seed.

    Returns
    -------
    list of (X, Y)
        Full batches, then the smaller remainder.

    Raises
    ------
    ValueError
        The second axes differ.

    Examples
    --------
    >>> import numpy as np
    >>> X, Y = np.arange(10.0).reshape(2, 5), np.arange(5.0).reshape(1, 5)
    >>> [x.shape for x, y in batch_partition(X, Y, batch_size=2)]
    [(2, 2), (2, 2), (2, 1)]
    """
    batch_size = validation.check_integer("batch_size", batch_size)
    X, Y = validation.check_numeric("X", X), validation.check_numeric("Y", Y)
    if X.ndim != 2 or Y.ndim != 2 or X.shape[1] != Y.shape[1] or not X.shape[1]:
        raise ValueError(
            f"X has shape {X.shape}, Y {Y.shape}; (features, m) and (outputs, m) are needed."
        )
    order = validation.check_random_state("seed", seed).permutation(X.shape[1])
    rows = [batch for part in split(order, min(batch_size, X.shape[1])) for batch in part]
    return [(X[:, batch], Y[:, batch]) for batch in rows]
