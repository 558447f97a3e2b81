"""Pictures of training runs.

matplotlib is needed only here, and is imported when the first picture is drawn. Figures that
are made here are the caller's alone: pyplot does not know them, and no display is needed.
"""

from .boundary import plot_decision_boundary
from .curves import compare_histories, plot_history
from .figures import check_path, save
from .tables import heat_map

__all__ = [
    "check_path",
    "compare_histories",
    "heat_map",
    "plot_decision_boundary",
    "plot_history",
    "save",
]
