"""Many nets in one pass: each the same, bit for bit on NumPy, as if it were trained alone."""

from .many import fit_many
from .requests import Outcome

__all__ = ["Outcome", "fit_many"]
