"""The floor: what no implementation of a training step can leave out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .contestant import EpochEnded, Fit
from .task import Task

Products = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


def floor(task: Task) -> Fit:
    """Fetch the rows, multiply the matrices, pass over parameters and optimizer state once.

    All is NumPy's, into buffers that are reused. The results mean nothing.
    """
    rules, rng = task.rules, np.random.RandomState(0)

    def filled(*shape: int) -> np.ndarray:
        return rng.uniform(0, 1e-2, shape).astype(np.float32)

    weights = [filled(*pair) for pair in pairwise(rules.sizes)]
    gradients = [np.empty_like(w) for w in weights]
    inputs = [filled(rules.batch_size, size) for size in rules.sizes]
    errors = [filled(rules.batch_size, size) for size in rules.sizes]
    memory = filled(rules.n_params * (3 if rules.optimizer == "adam" else 1))

    def products(n: int) -> Products:
        """Return the operands and the result of each product, for a batch of n rows."""
        x, d = [a[:n] for a in inputs], [a[:n] for a in errors]
        found = [(x[i], w, x[i + 1]) for i, w in enumerate(weights)]
        for i, w in reversed(list(enumerate(weights))):
            found.append((x[i].T, d[i + 1], gradients[i]))
            if i > 0:
                found.append((d[i + 1], w.T, d[i]))
        return found

    sizes = {len(rows) for rows in task.batches(0)}
    by_size = {n: (inputs[0][:n], products(n)) for n in sizes}

    def fit(epoch_ended: EpochEnded) -> None:
        for epoch in range(task.epochs):
            for rows in task.batches(epoch):
                x, steps = by_size[len(rows)]
                task.x.take(rows, axis=0, out=x, mode="clip")
                for left, right, out in steps:
                    np.dot(left, right, out=out)
                np.negative(memory, out=memory)
            epoch_ended()

    return fit
