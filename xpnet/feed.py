"""A stream on its way to the device: a buffer is filled while another one is trained on."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import numpy as np

from . import validation
from .backends import Slot
from .batches import split
from .distributed import ALONE, Ranks
from .placement import Placement, Samples
from .streams import Block, Plan, ReadError, Stream
from .streams.reader import Reader

__all__ = ["Feed", "Window"]


class Window(NamedTuple):
    """A buffer that is full.

    Attributes
    ----------
    samples : Samples
        Its rows, on the device.
    parts : list of integer arrays of shape (steps, batch)
        The rows of each batch; of a rank that is out of data, empty ones at the end.
    steps : slice
        Which steps of the epoch these are.
    """

    samples: Samples
    parts: list[np.ndarray]
    steps: slice


class Feed:
    """Reads a stream for the epochs of a run.

    Parameters
    ----------
    place : Placement
    stream : Stream
    batch_size : int
        Rows a batch, over all ranks.
    ranks : Ranks
    """

    def __init__(
        self, place: Placement, stream: Stream, batch_size: int, ranks: Ranks = ALONE
    ) -> None:
        self.place = place
        self.stream = stream
        self.ranks = ranks
        first = self._checked(stream.first, "the first rows")
        place.check_pixels(first.x, np)
        self._layouts = _layouts(first)
        row_bytes = sum(part[0].nbytes for part in first if part is not None)
        self.batch_size = min(batch_size, stream.n_samples)
        self._buffer_rows = max(self.batch_size, stream.buffer_bytes // row_bytes)
        self._slots: list[Slot] = []
        n_blocks = len(stream.source.lengths)
        if ranks.size > min(n_blocks, self.batch_size):
            raise ValueError(
                f"x has {n_blocks} block(s), and batch_size={batch_size}, for {ranks.size} ranks. "
                "Each needs a block, and a row of each batch: pass a smaller block_rows, or fewer "
                "ranks."
            )

    def plan(self, seed: int | None) -> Plan:
        """Return an epoch's plan."""
        lengths = self.stream.source.lengths
        who = self.ranks.rank, self.ranks.size
        return Plan(lengths, self.batch_size, self._buffer_rows, seed, *who)

    def windows(
        self, plan: Plan, template: Samples, first_step: int, n_steps: int
    ) -> Generator[Window]:
        """Yield the buffers of an epoch, from one step on up to another one.

        Parameters
        ----------
        plan : Plan
        template : Samples
            With all that is the same for all rows.
        first_step, n_steps : int
        """
        per = plan.steps_per_buffer
        numbers = range(first_step // per, -(-n_steps // per))
        with contextlib.closing(self._buffers(plan, numbers)) as buffers:
            for number, (slot, arrays) in zip(numbers, buffers, strict=True):
                begin, end = number * per, min((number + 1) * per, n_steps)
                steps = slice(max(begin, first_step), end)
                parts = _batches(plan, number, steps.start - begin, end - begin)
                samples = self._samples(template, slot, arrays, plan.rows_in(number))
                slot.ready()
                try:
                    yield Window(samples, parts, steps)
                finally:
                    slot.used()

    def _samples(
        self, template: Samples, slot: Slot, arrays: tuple[Any, ...], n_rows: int
    ) -> Samples:
        weighted = len(arrays) > 2
        data = template.data._replace(
            x=arrays[0], t=arrays[1], weights=arrays[2] if weighted else None
        )
        weights = slot.host[2][:n_rows].astype(np.float64) if weighted else None
        return template._replace(data=data, t=slot.host[1], weights=weights)

    def _buffers(self, plan: Plan, numbers: range) -> Generator[tuple[Slot, tuple[Any, ...]]]:
        """Yield slots that another thread fills; what is yielded is free again at the next turn."""
        reader = Reader(self._new_slots(plan)[: len(numbers)], self._fill, plan, numbers)
        try:
            for _ in numbers:
                slot, arrays = reader.next()
                yield slot, arrays
                reader.free(slot)
        finally:
            if not reader.end():
                self._slots = []  # it may still write to them

    def _new_slots(self, plan: Plan) -> list[Slot]:
        """Return two slots, the same ones for all epochs."""
        if not self._slots:
            rows = min(plan.rows_per_buffer, self.stream.n_samples)
            layouts = [((rows, *shape), dtype) for shape, dtype in self._layouts]
            self._slots = [self.place.backend.slot(layouts) for _ in range(2)]
        return self._slots

    def _fill(self, reader: Reader, plan: Plan, numbers: range) -> None:
        """Fill one slot after the other, in the order of the plan."""
        pieces = self._pieces(plan, numbers)
        with self.place.session(), contextlib.closing(pieces):  # sessions are a thread's own
            rows = _Rows(itertools.takewhile(lambda _: not reader.stopped, pieces))
            for number in numbers:
                slot = reader.take()
                if slot is None:
                    return
                slot.wait()
                if not rows.copy_to(slot.host, plan.rows_in(number)):
                    return
                reader.give(slot, slot.bring())

    def _pieces(self, plan: Plan, numbers: range) -> Generator[Block]:
        """Yield the rows that the plan reads from the first of some buffers on."""
        for block, start in plan.reads(numbers.start):
            row = start
            for piece in self.stream.read(block, start):
                where = f"rows {row} to {row + len(piece.t)} of block {block}"
                rows = self._checked(piece, where)
                if _layouts(rows) != self._layouts:
                    raise ValueError(
                        f"x, t and sample_weight have rows of {_layouts(rows)} ({where}); the "
                        f"first ones are of {self._layouts}."
                    )
                yield rows
                row += len(piece.t)
            if row != plan.lengths[block]:
                raise ReadError(
                    f"Block {block} of x has {row} rows; it had {plan.lengths[block]} when the "
                    "stream was made."
                )

    def _checked(self, block: Block, where: str) -> Block:
        """Return rows as the steps take them, on the host."""
        try:
            return self._prepared(block)
        except (ValueError, TypeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{error} ({where})") from error

    def _prepared(self, block: Block) -> Block:
        place, weights = self.place, block.weights
        x = place.host_features(block.x)
        t = place.cast_targets(place.host_targets(block.t))
        validation.check_same_length(x=len(x), t=len(t))
        if weights is not None:
            weights = validation.check_weights("sample_weight", weights, len(t), zeros=True)
            weights = weights.astype(place.dtype)
        return Block(x, t, weights)


def _layouts(block: Block) -> list[tuple[tuple[int, ...], str]]:
    """Return shape and type of a row's features, targets and, if there are any, weight."""
    return [(part.shape[1:], part.dtype.name) for part in block if part is not None]


class _Rows:
    """Pieces of any size, copied as rows of any number."""

    def __init__(self, pieces: Iterator[Block]) -> None:
        self._pieces = pieces
        self._rest: Block | None = None

    def copy_to(self, arrays: tuple[np.ndarray, ...], n_rows: int) -> bool:
        """Copy the next rows to the beginning of the arrays; return whether there were as many."""
        row = 0
        while row < n_rows:
            piece = next(self._pieces, None) if self._rest is None else self._rest
            if piece is None:
                return False
            n = min(n_rows - row, len(piece.t))
            parts = [part for part in piece if part is not None]
            for array, part in zip(arrays, parts, strict=True):
                array[row : row + n] = part[:n]
            self._rest = piece.rows(n) if n < len(piece.t) else None
            row += n
        return True


def _batches(plan: Plan, number: int, first: int, n_steps: int) -> list[np.ndarray]:
    """Return the rows of a buffer's batches, from its step `first` on; empty ones at the end."""
    size = plan.share(plan.rank)
    order = plan.order(number)[first * size : n_steps * size]
    parts = split(order, size) if size else []
    empty = n_steps - first - sum(map(len, parts))
    return [*parts, np.zeros((empty, 0), dtype=np.int32)] if empty else parts
