"""A bar over models and epochs."""

from __future__ import annotations

from typing import Any

from tqdm.auto import tqdm


class Bar:
    """A context in which a number of epochs can be told.

    Parameters
    ----------
    shown : bool or str
        Whether there is a bar; a text stands beside it.
    total : int
        The epochs of all models.
    """

    def __init__(self, shown: bool | str, total: int) -> None:
        text = shown if isinstance(shown, str) else None
        self._options: dict[str, Any] = {"total": total, "desc": text, "unit": "epoch"}
        self._shown = bool(shown)

    def __enter__(self) -> Any:
        self._bar = tqdm(**self._options, disable=not self._shown)
        return self._bar.update

    def __exit__(self, *error: object) -> None:
        self._bar.close()
