"""The nets of the mini-batch tutorials, number for number: thin doors to the core."""

from .deep import DeepNet
from .dicts import (
    initialize_adam,
    initialize_momentum,
    update_with_adam,
    update_with_momentum,
)
from .dual_layer import DualLayer, RandomInitNetwork
from .minibatch import MinibatchNetwork
from .single_layer import SingleLayer
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
