"""As many threads of BLAS as the work is worth, for a while."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["limited"]

_lock = threading.Lock()
_within = 0
_before: list[tuple[Any, int]] = []
"""The libraries that were limited, and their threads before."""


@functools.cache
def _libraries() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextlib.contextmanager
def limited(n_threads: int) -> Iterator[None]:
    """Let no BLAS have more threads than that; of those who ask at a time, the first is heard.

    Parameters
    ----------
    n_threads : int
    """
    # The number is the process's: the last one out puts back what the first one found.
    global _within
    with _lock:
        _within += 1
        if _within == 1:
            for library in _libraries():
                if (found := library.num_threads) > n_threads:
                    _before.append((library, found))
                    library.set_num_threads(n_threads)
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            while _within == 0 and _before:
                library, found = _before.pop()
                library.set_num_threads(found)
