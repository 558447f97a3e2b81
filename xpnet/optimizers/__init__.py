"""Optimizers: elementwise rules over the flat vector of parameters."""

from .adagrad import AdaGrad
from .adam import Adam, AdamW, Nadam
from .base import Optimizer
from .clipping import clip_by_norm
from .lion import Lion
from .rmsprop import RMSprop
from .schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Plateau,
    Schedule,
    StepDecay,
)
from .sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adagrad": AdaGrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": Nadam,
    "lion": Lion,
}
"""The optimizers by name."""

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
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
    "Optimizer",
    "Plateau",
    "RMSprop",
    "Schedule",
    "StepDecay",
    "clip_by_norm",
]
