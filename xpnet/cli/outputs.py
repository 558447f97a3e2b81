"""Files that a command will write: checked before the work, not after it."""

from __future__ import annotations

import os
from pathlib import Path

from .. import plots


def check_file(option: str, path: str | None) -> None:
    """Make the folder of a file, and raise where the file could not be written."""
    if path is None:
        return
    if Path(path).is_dir():
        raise ValueError(f"{option}={path!r} is a folder; a file is needed.")
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{option}={path!r}: {folder} cannot be written to.")


def check_picture(option: str, path: str | None) -> None:
    """As `check_file`, for a picture: matplotlib is needed too."""
    if path is not None:
        plots.check_path(path)
        check_file(option, path)
