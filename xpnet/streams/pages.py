"""Pages of memory maps: given back to the system once read, never asked of a file cut short."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

_AROUND = 1 << 21
"""So far around what is read the system may have brought pages in."""


def release(rows: np.ndarray) -> None:
    """Tell the system that these rows of a read-only `np.memmap` are not needed for now.

    Nothing is lost: who reads them again has them read from the file. Other arrays are left alone.

    Parameters
    ----------
    rows : array
        A view of a map, or any other array.
    """
    view, pages = _map_of(rows)
    if view is None or view.mode != "r" or not hasattr(mmap, "MADV_DONTNEED") or not rows.size:
        return
    origin = np.frombuffer(pages, dtype=np.uint8).__array_interface__["data"][0]
    low, high = np.lib.array_utils.byte_bounds(rows)
    begin = max(0, low - origin - _AROUND) // mmap.PAGESIZE * mmap.PAGESIZE
    end = min(len(pages), high - origin + _AROUND)
    pages.madvise(mmap.MADV_DONTNEED, begin, end - begin)


def check_whole(rows: np.ndarray) -> None:
    """Raise where a map's file has become shorter: to read its rows would end the process.

    Parameters
    ----------
    rows : array
        A view of a map, or any other array.
    """
    view, pages = _map_of(rows)
    if view is None:
        return
    needed = view.offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY + len(pages)
    if pages.size() < needed:
        raise OSError(f"the file has {pages.size()} bytes, {needed} were mapped.")


def _map_of(array: Any) -> tuple[np.memmap | None, Any]:
    """Return the `np.memmap` that an array is a view of, and its map; or None twice."""
    view = None
    while isinstance(array, np.ndarray):
        view = array if isinstance(array, np.memmap) else view
        array = array.base
    return (view, array) if isinstance(array, mmap.mmap) else (None, None)
