"""The thread that reads ahead."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ..backends import Slot

_MOST_SECONDS = 1.0
"""So long is a reader waited for that is in the midst of a piece."""


class Reader:
    """The thread that fills slots, and the two ways between it and the one that uses them.

    Parameters
    ----------
    slots : list of Slot
    fill : callable
        ``fill(reader, *args)`` takes slots and gives them, until there are none.
    """

    def __init__(self, slots: Sequence[Slot], fill: Callable[..., None], *args: Any) -> None:
        self._free: queue.SimpleQueue[Slot | None] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._end = threading.Event()
        for slot in slots:
            self._free.put(slot)
        self._thread = threading.Thread(
            target=self._run, args=(fill, *args), name="xpnet-reader", daemon=True
        )
        self._thread.start()

    def _run(self, fill: Callable[..., None], *args: Any) -> None:
        try:
            fill(self, *args)
        except BaseException as error:
            self._full.put(error)

    @property
    def stopped(self) -> bool:
        """Whether nobody wants more."""
        return self._end.is_set()

    def take(self) -> Slot | None:
        """Wait for a slot that is free; None at the end."""
        return self._free.get()

    def give(self, slot: Slot, arrays: tuple[Any, ...]) -> None:
        """Hand over a slot that is full."""
        self._full.put((slot, arrays))

    def next(self) -> tuple[Slot, tuple[Any, ...]]:
        """Wait for a slot that is full; what was raised in the thread is raised here."""
        found = self._full.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def free(self, slot: Slot) -> None:
        """Give a slot back."""
        self._free.put(slot)

    def end(self) -> bool:
        """End the thread; return whether it has ended: a source may keep it waiting."""
        self._end.set()
        self._free.put(None)
        self._thread.join(timeout=_MOST_SECONDS)
        return not self._thread.is_alive()
