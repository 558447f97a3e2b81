"""The nets of the mini-batch tutorials, number for number: thin doors to the core."""

from .binary import DualLayer, MinibatchNetwork, RandomInitNetwork, SingleLayer
from .deep import DeepNet
from .dicts import (
    initialize_adam,
    initialize_momentum,
    update_with_adam,
    update_with_momentum,
)
from .two_layer import TwoLayerNet

__all__ = [
    "DeepNet",
    "DualLayer",
    "MinibatchNetwork",
    "RandomInitNetwork",
    "SingleLayer",
    "TwoLayerNet",
    "initialize_adam",
    "initialize_momentum",
    "update_with_adam",
    "update_with_momentum",
]
