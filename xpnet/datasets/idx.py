"""The IDX format: MNIST's arrays in a file."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import re
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .. import validation

__all__ = ["read_idx"]

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike[str], *, sha256: str | None = None) -> np.ndarray:
    """Read an array from an IDX file.

    Parameters
    ----------
    path : str or path
        A file whose name ends in ``.gz`` is decompressed.
    sha256 : str, optional
        The hexadecimal SHA-256 that the decompressed bytes must have.

    Returns
    -------
    numpy.ndarray
        Of the file's shape and type (uint8, int8, int16, int32, float32 or float64).

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not gzip, not IDX, shorter or longer than its header says, or has another
        checksum. However much a header promises, no more is allocated than the file holds.

    Notes
    -----
    Two zero bytes, a byte for the type, a byte for the number of dimensions, the dimensions as
    big-endian 32-bit integers, the numbers in C order, big-endian. Source: Y. LeCun, C. Cortes
    and C. J. C. Burges, "The MNIST database of handwritten digits".

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels-idx1-ubyte")
    ...     size = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    ...     read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    path = validation.check_path("path", path)
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", str(sha256)):
        raise ValueError(f"sha256={sha256!r} must be 64 hexadecimal digits.")
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {problem}; an IDX file is needed.")
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            header, dtype, shape = _read_header(file)
            data = _read_data(file, math.prod(shape) * dtype.itemsize)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}.") from error
    except ValueError as error:
        raise ValueError(f"{path} is not a whole IDX file: {error}.") from error
    if sha256 is not None:
        _check_sha256(path, sha256, header, data)
    array = np.frombuffer(data, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(file: gzip.GzipFile | BinaryIO) -> tuple[bytes, np.dtype, tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise ValueError(
            f"it begins with {magic.hex(' ') or 'nothing'}; 00 00, a type (08, 09, 0b to 0e) and "
            "the number of dimensions are needed"
        )
    n_dimensions = magic[3]
    if not 1 <= n_dimensions <= 64:
        raise ValueError(f"it has {n_dimensions} dimensions; 1 to 64 are needed")
    sizes = file.read(4 * n_dimensions)
    if len(sizes) < 4 * n_dimensions:
        raise ValueError(f"it ends within the sizes of its {n_dimensions} dimensions")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    if 0 in shape:
        raise ValueError(f"its shape is {shape}; every dimension must be at least 1")
    return magic + sizes, np.dtype(_DTYPES[magic[2]]), shape


def _read_data(file: gzip.GzipFile | BinaryIO, expected: int) -> bytearray:
    """Read `expected` bytes up to the file's end, in chunks: the header may promise anything."""
    data = bytearray()
    while len(data) <= expected:
        chunk = file.read(min(_CHUNK, expected + 1 - len(data)))
        if not chunk:
            break
        data += chunk
    if len(data) != expected:
        found = f"more than {expected}" if len(data) > expected else len(data)
        raise ValueError(f"its header promises {expected} bytes of data, {found} were found")
    return data


def _check_sha256(path: Path, expected: str, *parts: bytes | bytearray) -> None:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    if digest.hexdigest() != expected.lower():
        raise ValueError(
            f"{path} has the wrong checksum. Expected SHA-256 of the decompressed bytes: "
            f"{expected}; found: {digest.hexdigest()}. Download the file again."
        )
