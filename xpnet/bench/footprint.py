"""How much memory training adds to the data: the wide net on images that stay 8-bit.

    python -m xpnet.bench.footprint [FOLDER]

measures it in this process; `measure` does so in another one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from .processes import environment

_FEW = 4
"""So many batches' activations are a few."""

_FLOAT = 4


@dataclass(frozen=True)
class Footprint:
    """What was measured, in bytes.

    Attributes
    ----------
    data : int
        The images.
    params : int
        The parameters, float32.
    batch : int
        What a batch holds: the units of all layers, float32.
    growth : int
        By how much the process grew at most while it trained; the data were there before.
    """

    data: int
    params: int
    batch: int
    growth: int

    @property
    def bound(self) -> int:
        """The most that training shall add: four times the parameters, and a few batches."""
        return 4 * self.params + _FEW * self.batch

    @property
    def reached(self) -> bool:
        """Whether it added no more."""
        return self.growth <= self.bound

    def __str__(self) -> str:
        sizes = f"data {_mega(self.data)} (uint8), parameters {_mega(self.params)}"
        grew = f"training added {_mega(self.growth)}, {self.growth / self.params:.2f} times them"
        bound = f"at most 4 times and {_FEW} batches, {_mega(self.bound)}"
        return f"{sizes}; {grew}; target {bound}: {'reached' if self.reached else 'missed'}"


def _mega(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def measure(data_home: str | None = None) -> Footprint | None:
    """Return the footprint of the wide net, None where the system does not tell peaks."""
    command = [sys.executable, "-m", "xpnet.bench.footprint", *([data_home] if data_home else [])]
    done = subprocess.run(command, env=environment(1), capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return None if found is None else Footprint(**found)


def here(data_home: str | None = None, name: str = "wide") -> dict[str, int] | None:
    """Measure it in this process."""
    import numpy as np

    from ..trainer import Trainer
    from . import workloads
    from .memory import forget_peak, peak

    rules = workloads.WORKLOADS[name].rules
    x, t, _ = workloads.images(data_home)
    net = workloads.network(rules)

    def train(n_rows: int) -> None:
        trainer = Trainer(
            net,
            workloads.loss(rules),
            workloads.optimizer(rules),
            backend="numpy",
            dtype="float32",
            random_state=rules.seed,
        )
        trainer.fit(x[:n_rows], t[:n_rows], epochs=1, batch_size=rules.batch_size)

    small = workloads.WORKLOADS["breast-cancer"].rules
    warm = Trainer(
        workloads.network(small), workloads.loss(small), backend="numpy", dtype="float32"
    )
    pixels = np.random.RandomState(0).randint(0, 256, (64, small.sizes[0]), dtype=np.uint8)
    warm.fit(pixels, t[:64] % 2, epochs=1)  # imports, BLAS's own buffers
    forget_peak()
    before = peak()
    train(8 * rules.batch_size)
    after = peak()
    if before is None or after is None:
        return None
    batch = _FLOAT * rules.batch_size * sum(rules.sizes)
    sizes = {"data": x.nbytes, "params": _FLOAT * rules.n_params, "batch": batch}
    return sizes | {"growth": after - before}


if __name__ == "__main__":
    print(json.dumps(here(*sys.argv[1:])))
