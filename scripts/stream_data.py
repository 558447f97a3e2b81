"""The data of scripts/stream_demo: classes that a small random net decides, in files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from xpnet import Stream

FEATURES = 64
ROW_BYTES = 4 * FEATURES
_ROWS = 1 << 16
"""So many rows are in memory while a file is written."""


class Teacher:
    """A net with random weights, whose largest output, with some noise, is the class."""

    def __init__(self, n_classes: int, noise: float) -> None:
        rng = np.random.default_rng(0)
        self._first = rng.standard_normal((FEATURES, 8), np.float32) / np.float32(4)
        self._second = rng.standard_normal((8, n_classes), np.float32)
        self._noise = np.float32(noise)

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return features, float32, and classes, uint8."""
        x = rng.standard_normal((n, FEATURES), np.float32)
        z = np.tanh(x @ self._first) @ self._second
        z += self._noise * rng.standard_normal(z.shape, np.float32)
        return x, z.argmax(axis=1).astype(np.uint8)


TWO = Teacher(2, 0.5)
TEN = Teacher(10, 0.3)


def write(folder: Path, n_rows: int) -> None:
    """Write x.npy and y.npy, some rows at a time."""
    rng = np.random.default_rng(1)
    with open(folder / "x.npy", "wb") as xs, open(folder / "y.npy", "wb") as ys:
        _header(xs, np.float32, (n_rows, FEATURES))
        _header(ys, np.uint8, (n_rows,))
        for begin in range(0, n_rows, _ROWS):
            x, t = TWO.draw(rng, min(_ROWS, n_rows - begin))
            x.tofile(xs)
            t.tofile(ys)


def _header(file: Any, dtype: type, shape: tuple[int, ...]) -> None:
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    header = {"descr": description, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    file.flush()


def mapped(folder: Path, n_rows: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the first rows of x.npy and y.npy, as memory maps."""
    x, y = (np.load(folder / name, mmap_mode="r") for name in ("x.npy", "y.npy"))
    return x[:n_rows], y[:n_rows]


def drop_from_cache(folder: Path) -> None:
    """Ask the system to forget what it holds of the files."""
    for path in (folder / "x.npy", folder / "y.npy"):
        with open(path, "rb") as file:
            os.fsync(file.fileno())  # what is not on the disk yet cannot be forgotten
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def share_in_cache(path: Path, places: int = 64) -> float | None:
    """Return how much of a file can be read without the disk; None where that is not told."""
    buffer, found = bytearray(1), 0
    with open(path, "rb") as file:
        for place in np.linspace(0, path.stat().st_size - 1, places).astype(int):
            try:
                found += os.preadv(file.fileno(), [buffer], int(place), os.RWF_NOWAIT)
            except BlockingIOError:
                continue
            except OSError:
                return None
    return found / places


def in_formats(folder: Path, n_rows: int, block_rows: int) -> dict[str, Stream]:
    """Write the first rows in four formats; return streams that have the same blocks."""
    import h5py
    import pyarrow
    import pyarrow.parquet
    import zarr

    x, y = mapped(folder, n_rows)
    blocks, chunks = {"block_rows": block_rows}, {"x": (block_rows, FEATURES), "y": (block_rows,)}
    hdf5, group = (
        h5py.File(folder / "data.h5", "w"),
        zarr.open_group(folder / "data.zarr", mode="w"),
    )
    for file in (hdf5, group):
        for name, array in (("x", x), ("y", y)):
            made = file.create_dataset if file is hdf5 else file.create_array
            made(name, shape=array.shape, dtype=array.dtype, chunks=chunks[name])[:] = array
    table = pyarrow.table({**{f"x{k}": x[:, k] for k in range(FEATURES)}, "label": y})
    pyarrow.parquet.write_table(table, folder / "data.parquet", row_group_size=block_rows)
    return {
        "npy": Stream(x, y, **blocks),
        "h5py": Stream(hdf5["x"], hdf5["y"], **blocks),
        "zarr": Stream(group["x"], group["y"], **blocks),
        "Parquet": Stream(folder / "data.parquet", target="label"),
    }
