"""Layers: pure functions of arrays, one concept per file."""

from .activation import (
    ACTIVATIONS,
    ELU,
    GELU,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from .base import Layer, Noise, Parameter
from .dense import Dense
from .dropout import Dropout

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "Dense",
    "Dropout",
    "Identity",
    "Layer",
    "LeakyReLU",
    "Noise",
    "Parameter",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]
