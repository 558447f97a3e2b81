"""Searches over hyperparameters: scikit-learn's, with all candidates fitted in one pass."""

from .grid import StackedGridSearchCV, StackedRandomizedSearchCV
from .halving import StackedHalvingSearchCV

__all__ = ["StackedGridSearchCV", "StackedHalvingSearchCV", "StackedRandomizedSearchCV"]
