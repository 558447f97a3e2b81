"""The file: a text and arrays as the bytes of safetensors, under a checksum, written whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import uuid
from pathlib import Path

import numpy as np
import safetensors.numpy


def encode(text: str, arrays: dict[str, np.ndarray]) -> bytes:
    """Return the bytes of a file with that text and those arrays, contiguous ones."""
    header = {"xpnet": text, "sha256": _digest(text, arrays)}
    return safetensors.numpy.save(arrays, header)


def decode(data: bytes) -> tuple[str, dict[str, np.ndarray]]:
    """Return the text and the arrays of a file's bytes.

    Raises
    ------
    ValueError
        They are not those of a whole file that `encode` made.
    """
    try:
        arrays = safetensors.numpy.load(data)
    except Exception as error:  # a damaged file raises nearly anything
        raise ValueError(f"it is not a whole safetensors file ({error})") from error
    # What safetensors accepted begins with the length of its JSON header.
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header.get("__metadata__") or {}
    if "xpnet" not in metadata or "sha256" not in metadata:
        raise ValueError("it is a safetensors file, but not one that xpnet saved")
    if _digest(metadata["xpnet"], arrays) != metadata["sha256"]:
        raise ValueError("it is damaged: its checksum is not that of its contents")
    return metadata["xpnet"], arrays


def _digest(text: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def replace(path: Path, data: bytes) -> None:
    """Put a complete file at `path`, on the disk before this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Host and process, for `_clean_up`; the rest, for the threads of this process.
    temporary = path.with_name(
        f".{path.name}.{platform.node()}.{os.getpid()}.{uuid.uuid4().hex}.tmp"
    )
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened, nor need it be
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        _clean_up(path)


def _clean_up(path: Path) -> None:
    """Remove what processes of this host that were killed left beside `path`."""
    left = re.compile(re.escape(f".{path.name}.{platform.node()}.") + r"(\d+)\.[0-9a-f]{32}\.tmp")
    with contextlib.suppress(OSError):  # the file is written, whatever becomes of these
        for file in path.parent.iterdir():
            match = left.fullmatch(file.name)
            if match and not _lives(int(match[1])):
                file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        pass
    return True
