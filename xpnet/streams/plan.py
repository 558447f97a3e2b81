"""Which rows of a stream are trained on, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Plan:
    """An epoch over blocks of rows: a pure function of what it is made of.

    Blocks are read in a random order, and fill a buffer after the other; the rows of a full buffer
    are shuffled and cut into batches (CorgiPile, Xu et al., 2022). Of several ranks each reads its
    own blocks, and has its share of each batch.

    Attributes
    ----------
    lengths : tuple of int
        Rows of each block.
    batch_size : int
        Rows of a batch, over all ranks.
    buffer_rows : int
        The most rows that a rank's buffer may have.
    seed : int or None
        Of the epoch; None is the order in which the rows lie.
    rank, ranks : int
        Whose plan it is, and how many ranks there are.

    Examples
    --------
    >>> plan = Plan((4, 4, 2), batch_size=4, buffer_rows=9, seed=None)
    >>> plan.n_steps, plan.n_buffers, plan.order(0).tolist(), plan.order(1).tolist()
    (3, 2, [0, 1, 2, 3, 4, 5, 6, 7], [0, 1])
    """

    lengths: tuple[int, ...]
    batch_size: int
    buffer_rows: int
    seed: int | None
    rank: int = 0
    ranks: int = 1

    def blocks_of(self, rank: int) -> np.ndarray:
        """Return the blocks that a rank reads, in its order."""
        return self._permutation(len(self.lengths), 0)[rank :: self.ranks]

    @cached_property
    def blocks(self) -> np.ndarray:
        """The blocks that are read, in order."""
        return self.blocks_of(self.rank)

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum(np.take(self.lengths, self.blocks))

    @cached_property
    def _rows_of_ranks(self) -> list[int]:
        return [int(np.take(self.lengths, self.blocks_of(r)).sum()) for r in range(self.ranks)]

    @property
    def n_rows(self) -> int:
        """The rows that are read."""
        return self._rows_of_ranks[self.rank]

    def share(self, rank: int) -> int:
        """Return a rank's rows of a full batch."""
        return self.batch_size * (rank + 1) // self.ranks - self.batch_size * rank // self.ranks

    @property
    def steps_per_buffer(self) -> int:
        """The steps for which a full buffer lasts: as many on every rank."""
        return max(1, self.buffer_rows // max(map(self.share, range(self.ranks))))

    @property
    def rows_per_buffer(self) -> int:
        """The rows of a full buffer."""
        return self.steps_per_buffer * self.share(self.rank)

    @cached_property
    def n_steps(self) -> int:
        """The steps of the epoch: until the last rank is out of rows."""
        return max(-(-n // self.share(r)) for r, n in enumerate(self._rows_of_ranks))

    @property
    def n_buffers(self) -> int:
        """The buffers of the epoch; those of a rank that is out of rows are empty."""
        return -(-self.n_steps // self.steps_per_buffer)

    def sizes(self, steps: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of some batches, over all ranks, and over the ranks before this one."""
        numbers = np.arange(steps.start, steps.stop)
        of_ranks = np.stack(
            [
                np.clip(n - numbers * self.share(r), 0, self.share(r))
                for r, n in enumerate(self._rows_of_ranks)
            ]
        )
        return of_ranks.sum(axis=0), of_ranks[: self.rank].sum(axis=0)

    def rows_in(self, buffer: int) -> int:
        """Return the rows that a buffer has."""
        return min(self.rows_per_buffer, max(0, self.n_rows - buffer * self.rows_per_buffer))

    def order(self, buffer: int) -> np.ndarray:
        """Return the order in which the rows of a buffer are trained on."""
        # The ranks shuffle their buffers differently; which blocks are whose they agree upon.
        return self._permutation(self.rows_in(buffer), 1 + buffer, self.rank)

    def reads(self, buffer: int) -> Iterator[tuple[int, int]]:
        """Yield what is read from the beginning of a buffer on: blocks, and the first row of each.

        Only the first block is begun in the midst.
        """
        row = buffer * self.rows_per_buffer
        at = int(np.searchsorted(self._ends, row, side="right"))
        for k in range(at, len(self.blocks)):
            begin = int(self._ends[k]) - self.lengths[self.blocks[k]]
            yield int(self.blocks[k]), max(0, row - begin)

    def _permutation(self, n: int, *key: int) -> np.ndarray:
        if self.seed is None:
            return np.arange(n)
        return np.random.RandomState([self.seed, *key]).permutation(n)
