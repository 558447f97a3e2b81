"""A bar over models and epochs."""

from __future__ import annotations

import sys
from typing import Any

from tqdm.auto import tqdm

from .. import validation


class Bar:
    """A context in which epochs that are done can be told.

    It is written to stderr where that is a terminal, and drawn in notebooks.

    Parameters
    ----------
    shown : bool or str
        Whether there is a bar; a text stands beside it.
    total : int
        The epochs of all models.
    """

    def __init__(self, shown: bool | str, total: int) -> None:
        validation.check_progress(shown)
        text = shown if isinstance(shown, str) else None
        self._options: dict[str, Any] = {"total": total, "desc": text, "unit": "epoch"}
        here = False if "ipykernel" in sys.modules else None
        self._disable = here if shown else True

    def __enter__(self) -> Any:
        self._bar = tqdm(**self._options, disable=self._disable)
        return self._bar.update

    def __exit__(self, *error: object) -> None:
        self._bar.close()
