"""What every contestant is handed: the same data, parameters and batches."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

Parameters = list[tuple[np.ndarray, np.ndarray]]
"""The weights, of shape (inputs, outputs), and the biases of each layer."""


@dataclass(frozen=True)
class Rules:
    """The net and how it is trained, without the data.

    Attributes
    ----------
    sizes : tuple of int
        Units of the layers, features first; one output is a binary classifier.
    activation : {'sigmoid', 'relu'}
        Of the hidden layers.
    optimizer : {'sgd', 'adam'}
        Adam with its usual constants: 0.9, 0.999, 1e-8.
    learning_rate : float
    batch_size : int
    seed : int
        Of the RandomState that draws the parameters, then the orders.
    """

    sizes: tuple[int, ...]
    activation: str
    optimizer: str
    learning_rate: float
    batch_size: int
    seed: int = 0

    @property
    def binary(self) -> bool:
        """Whether the one output is a log-odds."""
        return self.sizes[-1] == 1

    @property
    def n_params(self) -> int:
        """The number of weights and biases."""
        return sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.sizes))

    def estimator_options(self, epochs: int) -> dict[str, Any]:
        """Return the parameters of an MLPClassifier, whosoever's, that never stops early."""
        return {
            "hidden_layer_sizes": self.sizes[1:-1],
            "activation": "logistic" if self.activation == "sigmoid" else self.activation,
            "solver": self.optimizer,
            "alpha": 0.0,
            "batch_size": self.batch_size,
            "learning_rate_init": self.learning_rate,
            "momentum": 0.0,
            "nesterovs_momentum": False,
            "max_iter": epochs,
            "tol": 0.0,
            "n_iter_no_change": epochs,
            "random_state": self.seed,
        }


@dataclass(frozen=True, eq=False)
class Task:
    """The rules, and the arrays that all contestants share.

    Attributes
    ----------
    rules : Rules
    x : float32 array of shape (samples, features)
    t : int64 array of shape (samples,)
        Classes.
    params : list of (W, b)
        The initial parameters, float64.
    orders : integer array of shape (epochs, samples)
        The rows of each epoch, one batch after the other.
    """

    rules: Rules
    x: np.ndarray
    t: np.ndarray
    params: Parameters
    orders: np.ndarray

    @property
    def epochs(self) -> int:
        """How often all rows are seen."""
        return len(self.orders)

    @property
    def steps_per_epoch(self) -> int:
        """Batches an epoch, the smaller last one included."""
        return -(-len(self.x) // self.rules.batch_size)

    @property
    def one_hot(self) -> np.ndarray:
        """The targets as the tutorials take them: float32 of shape (samples, outputs)."""
        if self.rules.binary:
            return self.t[:, None].astype(np.float32)
        return np.eye(self.rules.sizes[-1], dtype=np.float32)[self.t]

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the rows of each batch of an epoch."""
        order, size = self.orders[epoch], self.rules.batch_size
        return [order[start : start + size] for start in range(0, len(order), size)]

    def loss(self, params: Parameters) -> float:
        """Return the mean loss of all samples, in float64: the contestants are compared by it."""
        z = self.x.astype(np.float64)
        for i, (W, b) in enumerate(params):
            if i > 0:
                z = np.maximum(z, 0) if self.rules.activation == "relu" else 1 / (1 + np.exp(-z))
            z = z @ np.asarray(W, np.float64) + np.asarray(b, np.float64)
        if self.rules.binary:
            z = np.hstack([np.zeros_like(z), z])
        z -= z.max(axis=1, keepdims=True)
        chosen = z[np.arange(len(z)), self.t]
        return float(np.mean(np.log(np.exp(z).sum(axis=1)) - chosen))

    def save(self, folder: Path) -> None:
        """Write everything to a folder, for processes of their own."""
        (folder / "rules.json").write_text(json.dumps(asdict(self.rules)), encoding="utf-8")
        arrays: dict[str, Any] = {"x": self.x, "t": self.t, "orders": self.orders}
        arrays |= {f"p{i}": a for i, a in enumerate(a for pair in self.params for a in pair)}
        np.savez(folder / "arrays.npz", **arrays)

    @classmethod
    def load(cls, folder: Path) -> Task:
        """Read what `save` wrote."""
        told: dict[str, Any] = json.loads((folder / "rules.json").read_text(encoding="utf-8"))
        rules = Rules(**told | {"sizes": tuple(told["sizes"])})
        with np.load(folder / "arrays.npz") as found:
            flat = [found[f"p{i}"] for i in range(2 * (len(rules.sizes) - 1))]
            params = list(zip(flat[::2], flat[1::2], strict=True))
            return cls(rules, found["x"], found["t"], params, found["orders"])
