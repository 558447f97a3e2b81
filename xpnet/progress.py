"""A progress bar over epochs or steps (tqdm)."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import numpy as np

from .history import History


@contextlib.contextmanager
def progress_bar(
    label: str | bool, total: int, unit: str
) -> Iterator[Callable[[int, History], None]]:
    """Show a bar, and yield what moves it: ``advance(n, history)``.

    Parameters
    ----------
    label : str or bool
        The text before the bar; False shows none.
    total : int
    unit : str
        What is counted.
    """
    if label is False:
        yield lambda n, history: None
        return
    from tqdm.auto import tqdm

    # Logs are not filled with bars; in a notebook, which is no terminal, they are drawn.
    disable = False if "ipykernel" in sys.modules else None
    text = label if isinstance(label, str) else None
    with tqdm(total=total, unit=unit, desc=text, disable=disable) as bar:

        def advance(n: int, history: History) -> None:
            curves = {"loss": history.losses, "val": history.val_losses}
            last = {k: f"{np.mean(curve[-1]):.4f}" for k, curve in curves.items() if curve}
            bar.set_postfix(last, refresh=False)
            bar.update(n)

        yield advance
