"""Training steps with all that there is, for the tests of what runs them."""

from __future__ import annotations

import numpy as np
import pytest

from xpnet import (
    SGD,
    AdaGrad,
    Adam,
    BinaryCrossEntropy,
    Dense,
    Dropout,
    Huber,
    Lion,
    Nadam,
    Network,
    Penalty,
    Poisson,
    ReLU,
    RMSprop,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    backends,
)
from xpnet.penalties import mask
from xpnet.step import Data, Problem, coefficient_table, constant_coefficients, make_step

N, FEATURES, CLASSES, STEPS = 12, 3, 4, 5

HEAVY = {
    "softmax": (SoftmaxCrossEntropy(), ReLU(), Adam()),
    "binary": (BinaryCrossEntropy(), Sigmoid(), Nadam(amsgrad=True)),
    "huber": (Huber(), Tanh(), RMSprop(centered=True)),
    "sgd": (SoftmaxCrossEntropy(clip=1e-6), ReLU(), SGD(momentum=0.9, nesterov=True)),
    "lion": (SoftmaxCrossEntropy(offset=1e-7), ReLU(), Lion()),
    "adagrad": (SoftmaxCrossEntropy(), ReLU(), AdaGrad()),
    "steps": (
        BinaryCrossEntropy(precise=True, clip=1e-6),
        Sigmoid(precise=True),
        SGD(momentum=0.9, nesterov=True, velocity_form="steps"),
    ),
    "mixed": (SquaredError(outputs="mixed"), Tanh(), Adam(eps_form="plain")),
    "sum": (Poisson(outputs="sum"), Tanh(), SGD(0.01)),
}
DIVISIONS = {"steps": "together", "mixed": "none"}


class Case:
    """A training step with all that there is, and its arguments on the host."""

    def __init__(self, kind, models):
        loss, activation, optimizer = HEAVY[kind]
        layers = [Dense(FEATURES, 6), activation, Dropout(0.3), Dense(6, CLASSES)]
        penalty = Penalty(l1=0.01, l2=0.1, division=DIVISIONS.get(kind, "apart"))
        self.problem = Problem(Network(layers), loss, optimizer, penalty, 0.5)
        self.lead = (models,) if models else ()
        rng = np.random.RandomState(1)
        params = rng.randn(*self.lead, self.problem.network.n_params)
        state = tuple(np.zeros_like(params) for _ in optimizer.state_names)
        rows = rng.randint(N, size=(STEPS, *self.lead, 4)).astype(np.int32)
        t = rng.randint(CLASSES, size=N).astype(np.int32)
        self.carry = params, state
        self.xs = (
            rows,
            coefficient_table(self.problem, 0, STEPS, 0),
            np.arange(STEPS, dtype=np.int32),
        )
        self.data = Data(
            x=rng.randint(256, size=(N, FEATURES)).astype(np.uint8),
            t=t if kind == "softmax" else np.eye(CLASSES)[t],
            weights=rng.rand(N),
            mask=mask(self.problem.network.layers),
            seed=np.arange(models or 1, dtype=np.int32).reshape((-1, 1, 1) if models else (1, 1)),
            constants=constant_coefficients(self.problem),
        )

    def arguments(self, bring):
        """Return the arguments of a scan, each array brought by `bring`."""
        carry, xs, data = (tree_map(bring, tree) for tree in (self.carry, self.xs, self.data))
        return carry, [xs], data

    def expected(self, record="before"):
        """Run the step on NumPy."""
        step = make_step(self.problem, record=record)
        carry, (losses,) = backends.get("numpy").scan(
            step, *self.arguments(np.asarray), compile=False
        )
        return carry, losses


def tree_map(f, tree):
    if tree is None or not isinstance(tree, tuple):
        return None if tree is None else f(tree)
    leaves = [tree_map(f, leaf) for leaf in tree]
    return type(tree)(*leaves) if hasattr(tree, "_fields") else tuple(leaves)


cases = pytest.mark.parametrize("kind", HEAVY)
stacked = pytest.mark.parametrize("models", [None, 3])
