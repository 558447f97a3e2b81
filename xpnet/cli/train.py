"""``xpnet train``: train a net on data that come with xpnet, or on your own."""

from __future__ import annotations

import argparse
import math
from typing import Any

from .. import backends, plots, validation
from ..batches import SAMPLINGS
from ..callbacks import Callback, Checkpoint, ProgressBar
from ..datasets import DATASETS, Dataset
from ..distributed import ranks_of
from ..history import History
from ..layers import ACTIVATIONS, Dense
from ..losses import LOSSES
from ..network import Network
from ..optimizers import OPTIMIZERS, SCHEDULES
from ..penalties import Penalty
from ..trainer import Trainer
from .build import (
    HIDDEN,
    HIDDEN_OF_FILES,
    INITIALIZERS,
    load_data,
    make_batches,
    make_loss,
    make_network,
    make_optimizer,
)
from .outputs import check_file, check_picture
from .ranks import is_first, world

_EPOCHS = 20
_NAMES: dict[str, Any] = {
    "--activation": ACTIVATIONS,
    "--weight-init": INITIALIZERS,
    "--loss": LOSSES,
    "--optimizer": OPTIMIZERS,
    "--schedule": SCHEDULES,
    "--sampling": SAMPLINGS,
    "--backend": [*backends.BACKENDS, "auto"],
    "--dtype": ["float32", "float64"],
}
"""The options that take names, and the names."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "data",
        metavar="DATA",
        help=f"{', '.join(DATASETS)}, or the path of a .npz, .csv or .parquet file",
    )
    _add_data_and_net(parser)
    _add_training(parser.add_argument_group("training"))
    _add_machine_and_results(parser.add_argument_group("machine and results"))


def _add_data_and_net(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument("--target", metavar="NAME", help="the table's column to predict")
    data.add_argument(
        "--buffer-mib",
        type=int,
        metavar="N",
        help="of a .parquet file, which is streamed: a buffer's size, of two (default: 256)",
    )
    data.add_argument("--data-home", metavar="DIR", help="the folder of MNIST's files")
    net = parser.add_argument_group("net")
    sizes = {**HIDDEN, "files": HIDDEN_OF_FILES}
    told = ", ".join(f"{' '.join(map(str, n))} for {name}" for name, n in sizes.items())
    net.add_argument(
        "--hidden",
        nargs="*",
        type=int,
        metavar="N",
        help=f"sizes of the hidden layers, none for a linear net (default: {told})",
    )
    _add_name(net, "--activation", "sigmoid")
    net.add_argument("--dropout", type=float, default=0.0, metavar="RATE", help="in [0, 1)")
    _add_name(net, "--weight-init", None, "glorot")
    _add_name(net, "--loss", None, "what suits the targets: classes or amounts")


def _add_training(group: Any) -> None:
    _add_name(group, "--optimizer", "sgd")
    group.add_argument(
        "--learning-rate", type=float, metavar="RATE", help="(default: the optimizer's)"
    )
    group.add_argument("--momentum", type=float, metavar="M", help="of sgd, in [0, 1]")
    _add_name(group, "--schedule", None, "constant")
    group.add_argument(
        "--schedule-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="such as every=5 (step) or warmup=2 (cosine); may be repeated",
    )
    group.add_argument("--l1", type=float, default=0.0, metavar="L", help="penalty of the weights")
    group.add_argument("--l2", type=float, default=0.0, metavar="L", help="penalty of the weights")
    group.add_argument(
        "--max-norm", type=float, metavar="NORM", help="longer gradients are scaled down to this"
    )
    group.add_argument("--batch-size", default="32", metavar="N", help="or 'all' (default: 32)")
    _add_name(group, "--sampling", "shuffle")
    length = group.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, metavar="N", help=f"(default: {_EPOCHS})")
    length.add_argument("--iterations", type=int, metavar="N", help="steps, in place of epochs")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="(default: 0)")


def _add_machine_and_results(group: Any) -> None:
    _add_name(group, "--backend", "numpy")
    group.add_argument("--device", metavar="NAME", help="of the backend, such as cuda:1 for torch")
    _add_name(group, "--dtype", None, "the data's; float32 for integers")
    group.add_argument("--quiet", action="store_true", help="no progress bar")
    group.add_argument("--plot", metavar="FILE", help="write the loss curves (.png)")
    group.add_argument("--save", metavar="FILE", help="write the net (.safetensors)")
    group.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="write the run as it goes, and go on from it if it is there",
    )
    group.add_argument(
        "--average-every",
        type=int,
        metavar="N",
        help="of several ranks (mpiexec): average parameters every N steps, not gradients at each",
    )


def _add_name(group: Any, option: str, default: str | None, told: str | None = None) -> None:
    text = f"{', '.join(_NAMES[option])} (default: {told or default})"
    group.add_argument(option, default=default, metavar="NAME", help=text)


def run(arguments: argparse.Namespace) -> int:
    """Train, print a summary, and write what was asked for."""
    comm = world()
    with ranks_of(comm).alike():
        _check(arguments)
        backend = backends.get(arguments.backend, arguments.device)
        batches = make_batches(arguments)
        data = load_data(arguments)
        loss = make_loss(arguments.loss, data)
    steps = batches.n_steps(data.n_train, 0)
    iterations, epochs = arguments.iterations, arguments.epochs or _EPOCHS
    if iterations is not None:
        epochs = math.ceil(iterations / steps)
    trainer = Trainer(
        make_network(arguments, data, loss),
        loss,
        make_optimizer(arguments, epochs, iterations or epochs * steps),
        penalty=Penalty(arguments.l1, arguments.l2),
        max_norm=arguments.max_norm,
        backend=backend.name,
        device=arguments.device,
        dtype=arguments.dtype,
        random_state=arguments.seed,
        comm=comm,
        average_every=arguments.average_every,
    )
    history = trainer.fit(
        data.x_train,
        None if data.is_streamed else data.t_train,
        epochs=epochs if iterations is None else None,
        iterations=iterations,
        sampling=batches,
        validation_data=(data.x_val, data.t_val),
        callbacks=_callbacks(arguments, data.name),
    )
    if not is_first():
        return 0
    summary = {"data": repr(data).strip("<>"), **_summary(trainer, history, data)}
    summary["backend"] = f"{backend}, {_dtype(trainer)}"
    if arguments.save is not None:
        summary["net file"] = str(trainer.save(arguments.save))
    if arguments.plot is not None:
        summary["picture"] = str(plots.save(plots.plot_history(history), arguments.plot))
    for name, text in summary.items():
        print(f"{name:<11}{text}")
    return 0


def _callbacks(arguments: argparse.Namespace, label: str) -> list[Callback]:
    callbacks: list[Callback] = [] if arguments.quiet else [ProgressBar(label)]
    if arguments.checkpoint is not None:
        callbacks.append(Checkpoint(arguments.checkpoint))
    return callbacks


def _check(arguments: argparse.Namespace) -> None:
    """Raise what can be known to be wrong before any data are read."""
    for option, known in _NAMES.items():
        value = getattr(arguments, option[2:].replace("-", "_"))
        if value is not None:
            validation.check_choice(option, value, known)
    for option in ("--epochs", "--iterations", "--buffer-mib", "--average-every"):
        value = getattr(arguments, option[2:].replace("-", "_"))
        if value is not None:
            validation.check_integer(option, value)
    for size in arguments.hidden or ():
        validation.check_integer("--hidden", size)
    check_file("--save", arguments.save)
    check_file("--checkpoint", arguments.checkpoint)
    check_picture("--plot", arguments.plot)


def _dtype(trainer: Trainer) -> str:
    return str(trainer.state_.params.dtype).rpartition(".")[2]


def _summary(trainer: Trainer, history: History, data: Dataset) -> dict[str, str]:
    problem, state = trainer.problem, trainer.state_
    losses, scores = {}, {}
    if data.is_streamed:
        losses["last epoch"] = history.losses[-1]
    else:
        losses["train"], scores["train"] = trainer.evaluate(data.x_train, data.t_train)
    losses["validation"], scores["validation"] = history.val_losses[-1], history.val_scores[-1]
    if data.x_test is not None:
        losses["test"], scores["test"] = trainer.evaluate(data.x_test, data.t_test)
    seconds = sum(history.seconds)
    return {
        "net": _net(problem.network),
        "loss": f"{type(problem.loss).__name__}: {_figures(losses)}",
        "accuracy" if problem.loss.classifies else "R²": _figures(scores),
        "optimizer": repr(problem.optimizer),
        "epochs": f"{state.epoch} ({state.step} steps)",
        "time": f"{seconds:.2f} s with validation, {1e6 * seconds / state.step:,.0f} µs a step",
    }


def _figures(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items())


def _net(network: Network) -> str:
    sizes = [network.n_features_in, *(la.n_outputs for la in network.layers if la.n_outputs)]
    kinds = {repr(layer): None for layer in network.layers if not isinstance(layer, Dense)}
    return ", ".join(["-".join(map(str, sizes)), *kinds, f"{network.n_params} parameters"])
