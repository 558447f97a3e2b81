"""The public names, where they live: read by type checkers, and by the lazy import."""

from . import backends, checkpoints, datasets, functions, nets, parity, plots
from ._version import __version__
from .batches import InOrder, Shuffled, WithReplacement, batch_partition
from .gradcheck import check_gradients, numerical_gradient
from .history import History
from .initializers import Glorot, He, LeCun, Normal, Ones, Uniform, Zeros
from .layers import (
    ELU,
    GELU,
    Dense,
    Dropout,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from .losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    Huber,
    Poisson,
    SoftmaxCrossEntropy,
    SquaredError,
)
from .network import Network
from .optimizers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Lion,
    Nadam,
    Plateau,
    RMSprop,
    StepDecay,
)
from .penalties import Penalty
from .trainer import Trainer
from .training import TrainState

__all__ = [
    "ELU",
    "GELU",
    "SGD",
    "AbsoluteError",
    "AdaGrad",
    "Adam",
    "AdamW",
    "BinaryCrossEntropy",
    "Constant",
    "Cosine",
    "Dense",
    "Dropout",
    "Exponential",
    "Glorot",
    "He",
    "History",
    "Huber",
    "Identity",
    "InOrder",
    "InverseTime",
    "LeCun",
    "LeakyReLU",
    "Lion",
    "Nadam",
    "Network",
    "Normal",
    "Ones",
    "Penalty",
    "Plateau",
    "Poisson",
    "RMSprop",
    "ReLU",
    "Shuffled",
    "SiLU",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Softplus",
    "SquaredError",
    "StepDecay",
    "Tanh",
    "TrainState",
    "Trainer",
    "Uniform",
    "WithReplacement",
    "Zeros",
    "__version__",
    "backends",
    "batch_partition",
    "check_gradients",
    "checkpoints",
    "datasets",
    "functions",
    "nets",
    "numerical_gradient",
    "parity",
    "plots",
]
