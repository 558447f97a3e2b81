"""The curves in a CSV file, a line an epoch."""

from __future__ import annotations

import csv
import os
from typing import Any

import numpy as np

from .. import validation
from ..fitting import Fit
from ..history import History
from .base import Callback

_CURVES = ("losses", "scores", "val_losses", "val_scores", "seconds")


class CSVLogger(Callback):
    """Writes a line for each epoch: its number, losses, scores, seconds; of a stack, one a model.

    Parameters
    ----------
    path : str or path
        A log that is there is overwritten after a fit's first epoch, another file never; folders
        that are missing are made. A fit that is resumed from a checkpoint writes the epochs before
        it again.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from xpnet import CSVLogger, Dense, Network, Trainer
    >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = trainer.fit(x, t, epochs=2, callbacks=[CSVLogger(f"{folder}/log.csv")])
    ...     lines = Path(f"{folder}/log.csv").read_text().splitlines()
    >>> lines[0], len(lines)
    ('epoch,losses,seconds', 3)
    """

    steers = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = validation.check_path("path", path)

    def on_fit_begin(self, fit):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.open("a").close()  # says now what cannot be written
        with self.path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline(80)
        if first and not first.startswith("epoch,"):
            raise ValueError(
                f"path={str(self.path)!r} holds no log, but begins with {first.rstrip()!r}. Take "
                "another name, or remove the file."
            )
        self._lines = 0

    def on_epoch_end(self, fit):
        self._write(fit)

    def on_fit_end(self, fit):
        if self._lines < fit.history.n_epochs:  # of a finished run, no epoch is left
            self._write(fit)

    def _write(self, fit: Fit) -> None:
        history = fit.history
        curves = [name for name in _CURVES if getattr(history, name)]
        mode = "a" if self._lines else "w"
        with self.path.open(mode, encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            for epoch in range(self._lines, history.n_epochs):
                rows = _rows(history, curves, epoch, fit)
                if epoch == 0:
                    writer.writerow(rows[0])
                writer.writerows(row.values() for row in rows)
        self._lines = history.n_epochs


def _rows(history: History, curves: list[str], epoch: int, fit: Fit) -> list[dict[str, Any]]:
    """Return an epoch's lines by column."""
    models = np.size(history.losses[epoch])
    rows = []
    for model in range(models):
        row: dict[str, Any] = {"epoch": epoch + 1} | ({"model": model} if models > 1 else {})
        for name in curves:
            entry = np.atleast_1d(getattr(history, name)[epoch])
            row[name] = float(entry[model if entry.size > 1 else 0])
        rows.append(row)
    return rows
