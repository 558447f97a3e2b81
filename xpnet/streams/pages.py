"""Pages of memory maps, given back to the system once they have been read."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np


def release(rows: np.ndarray) -> None:
    """Tell the system that these rows of a read-only `np.memmap` are not needed for now.

    Nothing is lost: who reads them again has them read from the file. Other arrays are left alone.

    Parameters
    ----------
    rows : array
        A view of a map, or any other array.
    """
    pages = _read_only_map(rows)
    if pages is None or not hasattr(mmap, "MADV_DONTNEED") or not rows.size:
        return
    origin = np.frombuffer(pages, dtype=np.uint8).__array_interface__["data"][0]
    low, high = np.lib.array_utils.byte_bounds(rows)
    begin = (low - origin) // mmap.PAGESIZE * mmap.PAGESIZE
    pages.madvise(mmap.MADV_DONTNEED, begin, high - origin - begin)


def _read_only_map(array: Any) -> mmap.mmap | None:
    """Return the map whose view an array is, where the map is opened to be read only."""
    mode = None
    while isinstance(array, np.ndarray):
        mode = array.mode if isinstance(array, np.memmap) else mode
        array = array.base
    return array if isinstance(array, mmap.mmap) and mode == "r" else None
