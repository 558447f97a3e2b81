"""Pictures of training runs.

matplotlib is needed only here, and is imported when the first picture is drawn. New figures are
pyplot's where pyplot is in use, in notebooks too; else no display and no pyplot are needed.
"""

from .boundary import plot_decision_boundary
from .curves import compare_histories, plot_history
from .figures import check_path, save
from .searches import search_curves, search_heat_map
from .tables import heat_map

__all__ = [
    "check_path",
    "compare_histories",
    "heat_map",
    "plot_decision_boundary",
    "plot_history",
    "save",
    "search_curves",
    "search_heat_map",
]
