"""Searches over hyperparameters: scikit-learn's, with all candidates fitted in one pass."""

from .grid import StackedGridSearchCV, StackedRandomizedSearchCV

__all__ = ["StackedGridSearchCV", "StackedRandomizedSearchCV"]
