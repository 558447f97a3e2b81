"""xpnet's trainer as a contestant, on any backend."""

from __future__ import annotations

from .. import backends
from ..callbacks import Callback
from ..trainer import Trainer
from . import workloads
from .contestant import EpochEnded, Fit
from .task import Parameters, Task


class Clock(Callback):
    """Tells when an epoch has ended."""

    steers = False

    def __init__(self, epoch_ended: EpochEnded) -> None:
        self.epoch_ended = epoch_ended

    def on_epoch_end(self, fit):
        self.epoch_ended()


def trainer(
    task: Task, backend: str = "numpy", device: str | None = None, compiled: bool = True
) -> Fit:
    """Train with the core; the trainer, and what it compiled, is kept from round to round."""
    rules = task.rules
    net = Trainer(
        workloads.network(rules),
        workloads.loss(rules),
        workloads.optimizer(rules),
        backend=backend,
        device=device,
        random_state=rules.seed,
        compile=compiled,
    )

    def fit(epoch_ended: EpochEnded) -> Parameters:
        net.fit(
            task.x,
            task.t,
            epochs=task.epochs,
            batch_size=rules.batch_size,
            sampling="reshuffle",
            callbacks=[Clock(epoch_ended)],
        )
        params = backends.to_host(net.state_.params)
        arrays = list(net.problem.network.unflatten(params).values())
        return list(zip(arrays[::2], arrays[1::2], strict=True))

    return fit
