"""Many nets in one pass: each the same, bit for bit on NumPy, as if it were trained alone."""

from .many import fit_many
from .progress import Bar
from .requests import Outcome, Request, Setting
from .training import Table, train

__all__ = ["Bar", "Outcome", "Request", "Setting", "Table", "fit_many", "train"]
