"""What is compared: every way to put a small training run together."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..batches import Batches, InOrder, Reshuffled, Shuffled, WithReplacement
from ..layers import (
    ELU,
    GELU,
    Dense,
    Dropout,
    Layer,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ..losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    Huber,
    Loss,
    Poisson,
    SoftmaxCrossEntropy,
    SquaredError,
)
from ..network import Network
from ..optimizers import SGD, AdaGrad, Adam, AdamW, Cosine, Lion, Nadam, Optimizer, RMSprop
from ..penalties import Penalty
from ..trainer import Trainer

N_SAMPLES, N_FEATURES, N_OUTPUTS, N_STEPS = 150, 12, 3, 100

_NETS: dict[str, list[Layer]] = {
    "linear": [],
    "sigmoid": [Sigmoid(), Sigmoid(precise=True)],
    "tanh-softplus": [Tanh(), Softplus()],
    "relu": [ReLU()],
    "leaky_relu-elu": [LeakyReLU(), ELU()],
    "gelu-silu": [GELU(), SiLU()],
}

_NESTEROV: dict[str, Any] = {"momentum": 0.9, "dampening": 0.1, "nesterov": True}

# Each optimizer in its plain form and in a variant, with its rate.
_OPTIMIZERS: dict[str, tuple[tuple[Callable[[Any], Optimizer], ...], float]] = {
    "sgd": ((SGD, lambda r: SGD(r, **_NESTEROV)), 0.02),
    "sgd-steps": (
        (
            lambda r: SGD(r, momentum=0.9, velocity_form="steps"),
            lambda r: SGD(r, **_NESTEROV, velocity_form="steps"),
        ),
        0.02,
    ),
    "adagrad": ((AdaGrad, lambda r: AdaGrad(r, eps=1e-7)), 0.02),
    "rmsprop": ((RMSprop, lambda r: RMSprop(r, rho=0.9, centered=True, eps=1e-4)), 0.002),
    "adam": ((Adam, lambda r: Adam(r, amsgrad=True)), 0.005),
    "adamw": ((AdamW, lambda r: AdamW(r, weight_decay=0.1, eps_form="plain")), 0.005),
    "nadam": ((Nadam, lambda r: Nadam(r, momentum_decay=0.01, amsgrad=True)), 0.005),
    "lion": ((Lion, lambda r: Lion(r, weight_decay=0.1)), 0.0005),
}

# Each loss in its stable form and in another one; the kind of its targets.
_LOSSES: dict[str, tuple[Loss, Loss, str]] = {
    "binary_cross_entropy": (
        BinaryCrossEntropy(),
        BinaryCrossEntropy(clip=1e-10, precise=True),
        "yes-or-no",
    ),
    "softmax_cross_entropy": (SoftmaxCrossEntropy(), SoftmaxCrossEntropy(offset=1e-7), "classes"),
    "squared_error": (SquaredError(), SquaredError(outputs="mixed"), "numbers"),
    "absolute_error": (AbsoluteError(), AbsoluteError(outputs="sum"), "numbers"),
    "huber": (Huber(), Huber(delta=0.1, outputs="mixed"), "numbers"),
    "poisson": (Poisson(), Poisson(outputs="sum"), "counts"),
}

_BATCHES: dict[str, Batches] = {
    "shuffle": Shuffled(32),
    "reshuffle": Reshuffled(32),
    "replacement": WithReplacement(32),
    "sequential": InOrder(40),
    "full": InOrder(None),
    "one": Shuffled(1),
}

_PENALTIES: dict[str, tuple[Penalty, float | None]] = {
    "none": (Penalty(), None),
    "l1": (Penalty(l1=0.01), None),
    "l2": (Penalty(l2=0.01, division="together"), None),
    "l2-whole": (Penalty(l2=0.01, division="none"), None),
    "l1+l2+norm": (Penalty(l1=0.01, l2=0.01), 0.5),
}

FACTORS: dict[str, tuple[Any, ...]] = {
    "optimizer": tuple(_OPTIMIZERS),
    "net": tuple(_NETS),
    "loss": tuple(_LOSSES),
    "batches": tuple(_BATCHES),
    "penalty": tuple(_PENALTIES),
    "dtype": ("float64", "float32"),
    "models": (1, 3),
    "dropout": (False, True),
    "variant": (False, True),
    "weighted": (False, True),
    "scheduled": (False, True),
}
"""What a case is made of, and the values of each part."""

_SPREAD = ("penalty", "variant", "weighted", "scheduled")
"""Parts that are drawn for each case of the product, 32 times as long otherwise."""


@dataclass(frozen=True)
class Case:
    """A training run of 100 steps, put together from one value of each factor.

    Attributes
    ----------
    optimizer, net, loss, batches, penalty, dtype : str
    models : int
        More than 1 is a stack with a rate and an order of its own for each model.
    dropout, variant, weighted, scheduled : bool
        Dropout of 0.2; the other form of optimizer and loss, one-hot targets; sample weights; a
        cosine schedule by step.

    Examples
    --------
    >>> from xpnet import parity
    >>> case = parity.covering()[0]
    >>> sorted(case.as_dict()) == sorted(parity.FACTORS)
    True
    """

    optimizer: str
    net: str
    loss: str
    batches: str
    penalty: str
    dtype: str
    models: int
    dropout: bool
    variant: bool
    weighted: bool
    scheduled: bool

    def __str__(self) -> str:
        flags = [k for k in ("dropout", "variant", "weighted", "scheduled") if getattr(self, k)]
        words = [self.net, self.optimizer, self.loss, self.batches, self.dtype]
        words += [] if self.penalty == "none" else [self.penalty]
        words += [] if self.models == 1 else [f"stack of {self.models}"]
        return " ".join(words + flags)

    def as_dict(self) -> dict[str, Any]:
        """Return the values by factor."""
        return asdict(self)

    @property
    def jumps(self) -> bool:
        """Whether a rounding error can turn a sign: only losses are compared in float32 then."""
        return self.optimizer == "lion" or self.loss == "absolute_error" or "l1" in self.penalty

    @property
    def sampling(self) -> Batches:
        """Which rows make a batch."""
        return _BATCHES[self.batches]

    def trainer(
        self, backend: str, device: Any = None, dtype: str | None = None, *, compile: bool = True
    ) -> Trainer:
        """Return the trainer of this case on a backend, in the case's type or another one."""
        forms, rate = _OPTIMIZERS[self.optimizer]
        rates: Any = rate
        if self.models > 1:
            rates = rate * np.linspace(0.5, 1.0, self.models)[:, None]
        if self.scheduled:
            rates = Cosine(rates, total=2 * N_STEPS, warmup=10, unit="step")
        penalty, max_norm = _PENALTIES[self.penalty]
        return Trainer(
            self.network(),
            _LOSSES[self.loss][self.variant],
            forms[self.variant](rates),
            penalty=penalty,
            max_norm=max_norm,
            backend=backend,
            device=device,
            dtype=dtype or self.dtype,
            random_state=0 if self.models == 1 else list(range(self.models)),
            compile=compile,
        )

    def network(self) -> Network:
        """Return the network."""
        layers: list[Layer] = []
        n_in = N_FEATURES
        for activation in _NETS[self.net]:
            layers += [Dense(n_in, 8), activation]
            n_in = 8
        if self.dropout:
            layers.append(Dropout(0.2))
        return Network([*layers, Dense(n_in, N_OUTPUTS)])

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return features, targets and sample weights, on the host."""
        rng = np.random.RandomState(7)
        x = rng.standard_normal((N_SAMPLES, N_FEATURES))
        z = x @ rng.standard_normal((N_FEATURES, N_OUTPUTS)) / np.sqrt(N_FEATURES)
        z += 0.1 * rng.standard_normal(z.shape)
        classes = np.argmax(z, axis=1)
        t = {
            "yes-or-no": (z > 0).astype(np.float64),
            "classes": np.eye(N_OUTPUTS)[classes] if self.variant else classes,
            "numbers": z,
            "counts": rng.poisson(np.exp(0.3 * z)).astype(np.float64),
        }[_LOSSES[self.loss][2]]
        return x, t, rng.uniform(0.5, 2.0, N_SAMPLES) if self.weighted else None


def product(**only: Any) -> Iterator[Case]:
    """Yield all combinations; some parts are drawn instead of being multiplied out.

    Parameters
    ----------
    **only
        Restricts a factor to these values, such as ``dtype=["float64"]``.

    Examples
    --------
    >>> from xpnet import parity
    >>> few = {"optimizer": ["adam"], "net": ["tanh"], "loss": ["huber"], "batches": ["shuffled"]}
    >>> {case.optimizer for case in parity.product(**few)}
    {'adam'}
    """
    factors = FACTORS | {name: tuple(values) for name, values in only.items()}
    multiplied = [name for name in factors if name not in _SPREAD]
    rng = np.random.RandomState(0)
    for values in itertools.product(*(factors[name] for name in multiplied)):
        drawn = {name: factors[name][rng.randint(len(factors[name]))] for name in _SPREAD}
        yield Case(**dict(zip(multiplied, values, strict=True)), **drawn)


@functools.cache
def covering() -> tuple[Case, ...]:
    """Return few cases in which every pair of values of two factors occurs at least once.

    Each case is the best of several built greedily around a pair that is still missing.

    Examples
    --------
    >>> len(covering()) <= 60
    True
    """
    names = list(FACTORS)
    levels = [len(FACTORS[name]) for name in names]
    missing = {
        (i, a, j, b)
        for i, j in itertools.combinations(range(len(names)), 2)
        for a, b in itertools.product(range(levels[i]), range(levels[j]))
    }
    rng = np.random.RandomState(0)
    cases = []
    while missing:
        rows = [_greedy_row(min(missing), missing, levels, rng) for _ in range(20)]
        best = max(rows, key=lambda row: len(_pairs(row) & missing))
        missing -= _pairs(best)
        cases.append(Case(**{n: FACTORS[n][v] for n, v in zip(names, best, strict=True)}))
    return tuple(cases)


def _pairs(row: list[int]) -> set[tuple[int, int, int, int]]:
    return {(i, row[i], j, row[j]) for i, j in itertools.combinations(range(len(row)), 2)}


def _greedy_row(
    seed: tuple[int, int, int, int],
    missing: set[tuple[int, int, int, int]],
    levels: list[int],
    rng: np.random.RandomState,
) -> list[int]:
    """Return values of all factors: the seed pair's, then those that cover most."""
    chosen = {seed[0]: seed[1], seed[2]: seed[3]}
    for i in rng.permutation([k for k in range(len(levels)) if k not in chosen]):
        gains = [
            sum(((i, v, j, w) if i < j else (j, w, i, v)) in missing for j, w in chosen.items())
            for v in range(levels[i])
        ]
        best = [v for v, gain in enumerate(gains) if gain == max(gains)]
        chosen[int(i)] = int(rng.choice(best))
    return [chosen[k] for k in range(len(levels))]
