"""How long nothing has improved: the rule that plateaus and early stopping share."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Patience"]


class Patience:
    """Counts the values in a row that brought no improvement; smaller is better.

    Parameters
    ----------
    limit : float
        More such values in a row than this are too many; infinity is never.
    min_delta : float or array of shape (models, 1), default 0
    strict : bool, default True
        Whether only a value below ``best - min_delta`` improves, and only such a value becomes the
        best (torch, Keras). If not, ``best - min_delta`` itself improves too, and the best is the
        smallest value so far (scikit-learn).

    Attributes
    ----------
    best : float or array of shape (models, 1)
    waited : int or array of shape (models, 1)
        How many values in a row brought no improvement.

    Notes
    -----
    NaN is never the best. Where `strict`, it is a value without improvement; if not, the count
    starts anew, as scikit-learn's does.

    Examples
    --------
    >>> patience = Patience(limit=1)
    >>> [bool(patience.update(loss)) for loss in (0.5, 0.4, 0.4, 0.4, 0.4)]
    [False, False, False, True, False]
    """

    def __init__(self, limit: float, min_delta: Any = 0.0, *, strict: bool = True) -> None:
        self.limit = limit
        self.min_delta = min_delta
        self.strict = strict
        self.best: Any = np.inf
        self.waited: Any = 0

    def update(self, value: Any) -> Any:
        """Read a value, and return whether the patience is at its end; the count then starts anew.

        Parameters
        ----------
        value : float or array of shape (models, 1)
        """
        needed = self.best - self.min_delta
        better = value < self.best
        improved = value < needed if self.strict else _where(value > needed, False, True)
        self.best = _where(improved if self.strict else better, value, self.best)
        waited = _where(improved, 0, self.waited + 1)
        exhausted = waited > self.limit
        self.waited = _where(exhausted, 0, waited)
        return exhausted


def _where(condition: Any, yes: Any, no: Any) -> Any:
    """NumPy's `where`, at once for plain numbers: each fit of a stack asks it after every epoch."""
    if isinstance(condition, bool):
        return yes if condition else no
    return np.where(condition, yes, no)[()]
