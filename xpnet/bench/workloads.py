"""What is trained: nets, rules and data of the benchmark, and the targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..batches import Reshuffled
from ..datasets import load_breast_cancer, load_digits, load_mnist
from ..initializers import Glorot
from ..layers import ACTIVATIONS, Dense
from ..losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy
from ..network import Network
from ..optimizers import SGD, Adam, Optimizer
from .targets import Target, at_least, at_most
from .task import Rules, Task


@dataclass(frozen=True)
class Workload:
    """A net, how it is trained, and on what.

    Attributes
    ----------
    name : str
    rules : Rules
    data : {'breast-cancer', 'digits', 'mnist'}
    epochs : int
        Of a round; the first is not timed.
    tolerance : float
        By how much the losses in the end may differ, as a part of the loss's fall. Sigmoids and
        SGD differ by float32's rounding alone; where Adam divides tiny gradients, its two forms
        of eps part rectifiers by up to some thousandths.
    targets : tuple of Target
        For NumPy, float32 and one BLAS thread.
    rows : int, optional
        So many of the data set's rows; all by default.
    """

    name: str
    rules: Rules
    data: str
    epochs: int
    tolerance: float
    targets: tuple[Target, ...] = ()
    rows: int | None = None

    def __str__(self) -> str:
        r, sizes = self.rules, self.rules.sizes
        net = "-".join(map(str, sizes))
        if len(sizes) > 6:
            net = f"{sizes[0]}-({len(sizes) - 2} x {sizes[1]})-{sizes[-1]}"
        optimizer = {"sgd": "SGD", "adam": "Adam"}[r.optimizer]
        return f"{net}, {r.activation}, {optimizer} {r.learning_rate}, batch {r.batch_size}"

    def shortened(self, epochs: int, batches: int) -> Workload:
        """Return the same with at most so many epochs, and batches an epoch, the last smaller."""
        rows = batches * self.rules.batch_size - 1
        rows = rows if self.rows is None else min(rows, self.rows)
        return replace(self, epochs=min(epochs, self.epochs), rows=rows)


def network(rules: Rules) -> Network:
    """Return the net; its initial parameters are scikit-learn's."""
    init = Glorot(scale=2 / 3 if rules.activation == "sigmoid" else 2.0)
    layers: list[Any] = []
    for n_in, n_out in pairwise(rules.sizes):
        layers += [Dense(n_in, n_out, init, init), ACTIVATIONS[rules.activation]()]
    return Network(layers[:-1])


def loss(rules: Rules) -> Loss:
    """Return the loss that suits the outputs."""
    return BinaryCrossEntropy() if rules.binary else SoftmaxCrossEntropy()


def optimizer(rules: Rules) -> Optimizer:
    """Return the optimizer, Adam in scikit-learn's form."""
    if rules.optimizer == "adam":
        return Adam(rules.learning_rate, eps_form="plain")
    return SGD(rules.learning_rate)


def make_task(workload: Workload, data_home: str | None = None) -> tuple[Task, str]:
    """Return the arrays that all contestants share, and what data they are.

    The parameters and then the orders come from one RandomState, in scikit-learn's way.

    Parameters
    ----------
    workload : Workload
    data_home : str, optional
        The folder of MNIST's files; without it, MNIST is synthetic images of its shapes.

    Raises
    ------
    OSError, ValueError
        The files are missing or damaged.
    """
    x, t, origin = _DATA[workload.data](data_home)
    x, t = x[: workload.rows], t[: workload.rows].astype(np.int64)
    if x.dtype == np.uint8:
        x = x.astype(np.float32) / np.float32(255)
    rules, net = workload.rules, network(workload.rules)
    rng = np.random.RandomState(rules.seed)
    arrays = list(net.unflatten(net.initialize(rng)).values())
    batches = Reshuffled(rules.batch_size)
    orders = [batches.order(len(x), rng, 0)]
    for epoch in range(1, workload.epochs):
        orders.append(batches.order(len(x), rng, epoch, previous=orders[-1]))
    params = list(zip(arrays[::2], arrays[1::2], strict=True))
    x = np.ascontiguousarray(x, dtype=np.float32)
    return Task(rules, x, t, params, np.array(orders)), f"{origin}, {len(x):,} rows"


def images(data_home: str | None = None) -> tuple[np.ndarray, np.ndarray, str]:
    """Return MNIST's training images as uint8, or synthetic ones; their classes; which it is."""
    if data_home:
        found = load_mnist(data_home)
        return found.x_train, found.t_train, "MNIST"
    rng = np.random.RandomState(0)
    shapes, t = rng.randint(0, 128, (10, 784), dtype=np.uint8), rng.randint(0, 10, 60000)
    noise = rng.randint(0, 128, (60000, 784), dtype=np.uint8)
    return shapes[t] + noise, t, "synthetic images in place of MNIST"


def _breast_cancer(data_home: str | None) -> tuple[np.ndarray, np.ndarray, str]:
    found = load_breast_cancer()
    return found.x_train, found.t_train, "breast cancer"


def _digits(data_home: str | None) -> tuple[np.ndarray, np.ndarray, str]:
    found = load_digits()
    return found.x_train, found.t_train, "scikit-learn's digits"


_DATA: dict[str, Callable[[str | None], tuple[np.ndarray, np.ndarray, str]]] = {
    "breast-cancer": _breast_cancer,
    "digits": _digits,
    "mnist": images,
}

_OURS = "xpnet numpy"
_FOR_ALL = (
    at_most("xpnet MLPClassifier", _OURS, 1.10, whole=True),
    at_most("xpnet jax", "JAX scan", 1.10),
)

WORKLOADS = {
    w.name: w
    for w in (
        Workload(
            "breast-cancer",
            Rules((30, 10, 1), "sigmoid", "sgd", 0.1, 32),
            "breast-cancer",
            epochs=201,
            tolerance=1e-5,
            targets=(
                at_most(_OURS, "floor", 2.2),
                at_least("scikit-learn", _OURS, 11),
                at_least("torch eager", _OURS, 18),
                at_least("JAX jit step", _OURS, 1.3),
                at_least("tutorial float64", _OURS, 4),
                *_FOR_ALL,
            ),
        ),
        Workload(
            "mnist",
            Rules((784, 50, 10), "sigmoid", "sgd", 0.1, 100),
            "mnist",
            epochs=2,
            tolerance=1e-5,
            targets=(
                at_most(_OURS, "floor", 1.25),
                at_least("scikit-learn", _OURS, 2.0),
                at_least("torch eager", _OURS, 2.2),
                at_least("JAX jit step", _OURS, 1.2),
                at_least("tutorial float64", _OURS, 2.5),
                *_FOR_ALL,
            ),
        ),
        Workload(
            "mnist-adam",
            Rules((784, 256, 128, 10), "relu", "adam", 0.001, 128),
            "mnist",
            epochs=4,
            rows=20000,
            tolerance=0.01,
            targets=(
                at_most(_OURS, "floor", 1.35),
                at_least("scikit-learn", _OURS, 1.6),
                at_least("torch eager", _OURS, 1.5),
                at_least("torch fused", _OURS, 1.1),
                *_FOR_ALL,
            ),
        ),
        Workload(
            "wide",
            Rules((784, 1024, 1024, 10), "relu", "adam", 0.001, 256),
            "mnist",
            epochs=3,
            rows=5120,
            tolerance=0.01,
            targets=(
                at_most(_OURS, "floor", 1.20),
                at_least("scikit-learn", _OURS, 1.3),
                at_least("torch eager", _OURS, 1.05),
                at_least("torch fused", _OURS, 0.95),
                *_FOR_ALL,
            ),
        ),
        Workload(
            "deep",
            # A small rate: at 0.001 so deep a net is chaotic, and nobody's loss is anybody else's.
            Rules((64, *[64] * 20, 10), "relu", "adam", 3e-5, 64),
            "digits",
            epochs=11,
            tolerance=0.01,
        ),
    )
}
