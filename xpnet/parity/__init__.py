"""The same run on every backend, compared with NumPy in float64."""

from .cases import FACTORS, Case, covering, product
from .compare import TOLERANCES, Comparison, Target, compare, reference
from .report import Report, attempt, run

__all__ = [
    "FACTORS",
    "TOLERANCES",
    "Case",
    "Comparison",
    "Report",
    "Target",
    "attempt",
    "compare",
    "covering",
    "product",
    "reference",
    "run",
]
