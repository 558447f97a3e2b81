"""A progress bar (tqdm)."""

from __future__ import annotations

import sys

import numpy as np

from .. import validation
from .base import Callback


class ProgressBar(Callback):
    """Shows a bar over the epochs or steps, with the last losses (tqdm).

    Parameters
    ----------
    label : str, optional
        The text before the bar.

    Notes
    -----
    The bar is written to stderr where that is a terminal, and drawn in notebooks; logs are not
    filled with bars.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Dense, Network, ProgressBar, Trainer
    >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
    >>> history = trainer.fit(x, t, epochs=2, callbacks=[ProgressBar("two points")])
    """

    steers = False
    alone = True

    def __init__(self, label: str | None = None) -> None:
        self.label = None if label is None else validation.check_text("label", label)

    def on_fit_begin(self, fit):
        from tqdm.auto import tqdm

        disable = False if "ipykernel" in sys.modules else None
        self._bar = tqdm(total=fit.total, unit=fit.unit, desc=self.label, disable=disable)

    def on_epoch_end(self, fit):
        curves = {"loss": fit.history.losses, "val": fit.history.val_losses}
        last = {k: f"{np.mean(curve[-1]):.4f}" for k, curve in curves.items() if curve}
        self._bar.set_postfix(last, refresh=False)
        self._bar.update(fit.done - self._bar.n)

    def on_fit_end(self, fit):
        self._bar.close()
        del self._bar


def progress_bars(progress: bool | str) -> list[ProgressBar]:
    """Return the callbacks for a yes, a no, or the bar's label."""
    if validation.check_progress(progress) is False:
        return []
    return [ProgressBar(progress if isinstance(progress, str) else None)]
