"""As many threads of BLAS as the work is worth, for a while."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["limited"]

_lock = threading.Lock()
_asked: list[int] = []
"""The numbers of all who ask now."""


@dataclass
class _Limited:
    """A library, its threads before anybody asked, and those that it has now."""

    library: Any
    found: int
    now: int


_limited: list[_Limited] = []


@functools.cache
def _libraries() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextlib.contextmanager
def limited(n_threads: int) -> Iterator[None]:
    """Let no BLAS have more threads than that; of those who ask at a time, the least holds.

    Parameters
    ----------
    n_threads : int
    """
    # The number is the process's: the last one out puts back what the first one found.
    with _lock:
        if not _asked:
            _limited[:] = [_Limited(b, n, n) for b in _libraries() for n in [b.num_threads]]
        _asked.append(n_threads)
        _apply()
    try:
        yield
    finally:
        with _lock:
            _asked.remove(n_threads)
            _apply()


def _apply() -> None:
    """Give each library as many threads as it had, or the least that is asked for."""
    for each in _limited:
        wanted = min([each.found, *_asked])
        if wanted != each.now:
            each.library.set_num_threads(wanted)
            each.now = wanted
