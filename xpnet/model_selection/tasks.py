"""One candidate on one fold."""

from __future__ import annotations

from typing import Any

from ..estimators.fittings import Fitting
from .folds import Folds


class Task:
    """One candidate on one fold.

    Attributes
    ----------
    estimator : estimator
        The candidate, not fitted.
    params : dict
    split : int
    fitting : Fitting or None
        How it is fitted, in a stack; None where it is fitted alone.
    folds : Folds
    result : dict
        What scikit-learn's `_fit_and_score` would return.
    """

    def __init__(self, estimator: Any, params: dict[str, Any], split: int) -> None:
        self.estimator, self.params, self.split = estimator, params, split
        self.fitting: Fitting | None = None
        self.folds: Folds | None = None
        self.result: dict[str, Any] = {}
