"""The parts of a training run, from the options of the command line."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from typing import Any

import numpy as np

from .. import initializers, validation
from ..batches import SAMPLINGS, Batches
from ..datasets import DATASETS, Dataset, load_mnist, load_table, stream_table
from ..layers import ACTIVATIONS, Dense, Dropout, Layer
from ..losses import LOSSES, Loss, SoftmaxCrossEntropy
from ..network import Network
from ..optimizers import OPTIMIZERS, SCHEDULES, Optimizer, Schedule
from ..streams import BUFFER_BYTES

HIDDEN = {"breast-cancer": [10], "digits": [50], "moons": [10, 5], "mnist": [50]}
HIDDEN_OF_FILES = [50]
INITIALIZERS = {
    name.lower(): getattr(initializers, name)
    for name in initializers.__all__
    if name != "Initializer"
}


def make_batches(arguments: argparse.Namespace) -> Batches:
    """Return how batches are drawn."""
    text = arguments.batch_size
    if text != "all" and not text.lstrip("-").isdecimal():
        raise ValueError(f"--batch-size={text!r} must be a number of samples, or 'all'.")
    return SAMPLINGS[arguments.sampling](None if text == "all" else int(text))


def load_data(arguments: argparse.Namespace) -> Dataset:
    """Return the data of that name, or from that file."""
    name = arguments.data
    if arguments.data_home is not None and name != "mnist":
        raise ValueError(f"--data-home is for mnist; DATA is {name!r}.")
    suffix = Path(name).suffix.lower()
    if arguments.buffer_mib is not None and (name in DATASETS or suffix != ".parquet"):
        raise ValueError(f"--buffer-mib is for .parquet files; DATA is {name!r}.")
    if name not in DATASETS:
        if suffix == ".parquet":
            mib = arguments.buffer_mib
            size = BUFFER_BYTES if mib is None else mib << 20
            return stream_table(name, arguments.target, buffer_bytes=size)
        if suffix in (".npz", ".csv") or Path(name).exists():
            return load_table(name, target=arguments.target)
        files = "a path that ends in .npz, .csv or .parquet"
        validation.check_choice("DATA", name, [*DATASETS, files])
    if arguments.target is not None:
        raise ValueError(f"--target is for .csv and .parquet files; DATA is {name!r}.")
    return load_mnist(arguments.data_home) if name == "mnist" else DATASETS[name]()


def make_loss(name: str | None, data: Dataset) -> Loss:
    """Return the loss of that name, or the one that suits the targets."""
    if name is not None:
        return LOSSES[name]()
    t, n_classes = data.t_train, data.n_classes
    if n_classes is not None:
        found = np.unique(t)
        if len(found) > 20 and 10 * len(found) > len(t):
            raise ValueError(
                f"The targets are {len(found)} different whole numbers in {len(t)} samples. If "
                "they are amounts, pass --loss squared_error; if they are classes, pass --loss "
                "softmax_cross_entropy."
            )
        if found[0] > 0:
            raise ValueError(
                f"The targets are whole numbers from {found[0]} to {found[-1]}; classes count from "
                "0. If they are amounts, pass --loss squared_error."
            )
        return LOSSES["binary_cross_entropy" if n_classes <= 2 else "softmax_cross_entropy"]()
    if t.dtype.kind == "f":
        found = np.unique(t)
        if len(found) <= 20 < len(t) and np.all(found == np.round(found)):
            raise ValueError(
                f"The targets are {len(found)} different whole numbers, written as {t.flat[0]}. If "
                "they are amounts, pass --loss squared_error; classes are written without a "
                "decimal point."
            )
        return LOSSES["squared_error"]()
    if t.ndim == 2 and t.shape[1] > 1 and t.min() >= 0 and np.all(t.sum(axis=1) == 1):
        return LOSSES["softmax_cross_entropy"]()
    raise ValueError(
        f"The targets are whole numbers from {t.min()} to {t.max()}, of shape {t.shape}; classes "
        "count from 0. Pass --loss to say what they are, such as --loss squared_error for amounts."
    )


def _n_outputs(loss: Loss, data: Dataset) -> int:
    if data.t_train.ndim == 2:
        return data.t_train.shape[1]
    if isinstance(loss, SoftmaxCrossEntropy):
        return max(2, data.n_classes or 0)
    return 1


def make_network(arguments: argparse.Namespace, data: Dataset, loss: Loss) -> Network:
    """Return dense layers with the activation, and dropout, between them."""
    hidden = arguments.hidden
    if hidden is None:
        hidden = HIDDEN.get(arguments.data, HIDDEN_OF_FILES)
    options: dict[str, Any] = {}
    if arguments.weight_init is not None:
        options["weight_init"] = INITIALIZERS[arguments.weight_init]()
    dropout = Dropout(arguments.dropout)
    if arguments.dropout and not hidden:
        raise ValueError("--dropout needs a hidden layer; --hidden has none.")
    layers: list[Layer] = []
    n_inputs = data.x_val.shape[1]
    for size in hidden:
        layers += [Dense(n_inputs, size, **options), ACTIVATIONS[arguments.activation]()]
        layers += [dropout] if arguments.dropout else []
        n_inputs = size
    return Network([*layers, Dense(n_inputs, _n_outputs(loss, data), **options)])


def make_optimizer(arguments: argparse.Namespace, epochs: int, steps: int) -> Optimizer:
    """Return the optimizer, its rate on a schedule where one is named; the run has that length."""
    make: Any = OPTIMIZERS[arguments.optimizer]
    options = {}
    if arguments.momentum is not None:
        if "momentum" not in inspect.signature(make).parameters:
            raise ValueError(f"--momentum is for sgd; {arguments.optimizer} has none.")
        options["momentum"] = arguments.momentum
    rate = arguments.learning_rate
    rate = make().learning_rate if rate is None else rate
    if arguments.schedule is not None:
        rate = _schedule(arguments, rate, epochs, steps)
    elif arguments.schedule_option:
        raise ValueError("--schedule-option needs --schedule.")
    return make(rate, **options)


def _schedule(arguments: argparse.Namespace, rate: float, epochs: int, steps: int) -> Schedule:
    make: Any = SCHEDULES[arguments.schedule]
    known = dict(inspect.signature(make).parameters)
    del known["learning_rate"]
    options: dict[str, Any] = {}
    for text in arguments.schedule_option:
        key, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--schedule-option={text!r} must be KEY=VALUE.")
        options[validation.check_choice("--schedule-option", key, known)] = _value(value)
    if "total" in known:
        options.setdefault("total", steps if options.get("unit") == "step" else epochs)
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in options:
            raise ValueError(f"--schedule {arguments.schedule} needs --schedule-option {name}=….")
    return make(rate, **options)


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
