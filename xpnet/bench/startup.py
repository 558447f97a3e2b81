"""How long it takes until there is a trainer, in fresh processes."""

from __future__ import annotations

import statistics
import subprocess
import sys

from .processes import environment

STAGES = {
    "import xpnet": "import xpnet",
    "the first Trainer, import included": (
        "from xpnet import Dense, Network, Trainer; "
        "Trainer(Network([Dense(2, 1)]), 'binary_cross_entropy')"
    ),
    "import numpy": "import numpy",
    "scikit-learn's MLPClassifier": "from sklearn.neural_network import MLPClassifier",
    "xpnet's MLPClassifier": "from xpnet import MLPClassifier",
}
"""What is timed."""


def measure(repeats: int = 5) -> dict[str, float]:
    """Return the median seconds of each stage; every repeat is a process of its own.

    Parameters
    ----------
    repeats : int, default 5
    """
    found: dict[str, list[float]] = {name: [] for name in STAGES}
    for _ in range(repeats):
        for name, code in STAGES.items():
            found[name].append(_seconds(code))
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def _seconds(code: str) -> float:
    timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", timed]
    done = subprocess.run(command, env=environment(1), capture_output=True, text=True, check=True)
    return float(done.stdout)
