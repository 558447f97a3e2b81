"""Neural nets and optimizers written once, for NumPy, CuPy, JAX and PyTorch.

Everything public is a name of this package, imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from ._version import __version__

_HOME = {
    "backends": ["backends"],
    "batches": ["Sequential", "Shuffled", "WithReplacement", "batch_partition"],
    "gradcheck": ["check_gradients", "numerical_gradient"],
    "history": ["History"],
    "initializers": ["Glorot", "He", "LeCun", "Normal", "Ones", "Uniform", "Zeros"],
    "layers": [
        "ELU",
        "GELU",
        "Dense",
        "Dropout",
        "Identity",
        "LeakyReLU",
        "ReLU",
        "SiLU",
        "Sigmoid",
        "Softplus",
        "Tanh",
    ],
    "losses": [
        "AbsoluteError",
        "BinaryCrossEntropy",
        "Huber",
        "Poisson",
        "SoftmaxCrossEntropy",
        "SquaredError",
    ],
    "network": ["Network"],
    "optimizers": [
        "SGD",
        "AdaGrad",
        "Adam",
        "AdamW",
        "Constant",
        "Cosine",
        "Exponential",
        "InverseTime",
        "Lion",
        "Nadam",
        "Plateau",
        "RMSprop",
        "StepDecay",
    ],
    "penalties": ["Penalty"],
    "trainer": ["Trainer"],
    "training": ["TrainState"],
}
_ROOM_OF = {name: room for room, names in _HOME.items() for name in names}
_ROOMS = ["backends", "checkpoints", "datasets", "functions", "nets", "parity", "plots"]

__all__ = ["__version__", *_ROOMS, *(n for n in _ROOM_OF if n not in _ROOMS)]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name in _ROOM_OF:
        value = getattr(importlib.import_module(f".{_ROOM_OF[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'xpnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
