"""Networks and runs as plain JSON: what a file says of them, and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .. import validation
from ..history import History
from ..losses import Loss
from ..network import Network
from ..optimizers import Optimizer
from ..penalties import Penalty
from ..state import Part, TrainState
from .components import construct_component, describe_component, is_foreign, plain
from .contents import Training
from .values import pack, unpack


def describe(
    network: Network, loss: Loss | None = None, *, foreign: bool = False
) -> dict[str, Any]:
    """Return what a file says of a network and a loss.

    Parameters
    ----------
    network : Network
    loss : Loss, optional
    foreign : bool, default False
        Whether a class that is not one of xpnet's is described by its name.

    Returns
    -------
    dict
        Plain JSON: the class and the arguments of each of the ``"layers"``, and of the ``"loss"``.

    Raises
    ------
    ValueError
        A layer, an initializer or the loss cannot be saved, since it is not one of xpnet's.

    Examples
    --------
    >>> from xpnet import Dense, Network, Tanh, checkpoints
    >>> checkpoints.describe(Network([Dense(2, 1), Tanh()]))["layers"][1]
    {'type': 'Tanh'}
    """
    if not isinstance(network, Network):
        raise TypeError(f"network={network!r} must be a Network.")
    foreign = validation.check_flag("foreign", foreign)
    layers = [
        describe_component("layer", f"layers[{i}]", layer, foreign=foreign)
        for i, layer in enumerate(network.layers)
    ]
    if loss is None:
        return {"layers": layers, "loss": None}
    return {"layers": layers, "loss": describe_component("loss", "loss", loss, foreign=foreign)}


def describe_rules(
    optimizer: Optimizer | None, penalty: Penalty | None, max_norm: Any, *, foreign: bool = False
) -> dict[str, Any]:
    """Return the descriptions of what the parameters are changed by; optimizers may be foreign."""
    described: dict[str, Any] = {"optimizer": None, "penalty": None, "max_norm": None}
    if optimizer is not None:
        described["optimizer"] = describe_component(
            "optimizer", "optimizer", optimizer, foreign=True
        )
    if penalty is not None:
        described["penalty"] = describe_component("penalty", "penalty", penalty, foreign=foreign)
    if max_norm is not None:
        described["max_norm"] = plain(_check_max_norm(max_norm))
    return described


def _check_max_norm(max_norm: Any) -> Any:
    return validation.check_hyperparameter("max_norm", max_norm, open_low=True)


def describe_training(training: Training, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the run as plain JSON, but for the parameters, and put its arrays into `arrays`."""
    rules = describe_rules(training.optimizer, training.penalty, training.max_norm)
    rules["optimizer"] = rules["optimizer"] or training.foreign
    state, history = _fields(training.state), _fields(training.history)
    del state["params"]
    state["part"] = None if training.state.part is None else _fields(training.state.part)
    return rules | {
        "state": pack("state", state, arrays),
        "history": pack("history", history, arrays),
        "callbacks": pack("callbacks", list(training.callbacks), arrays),
    }


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def construct_training(description: dict[str, Any], arrays: dict[str, np.ndarray]) -> Training:
    """Return what was described, its params left open; its arrays are taken out of `arrays`.

    Raises
    ------
    Exception
        Of nearly any kind, where a stranger wrote the description.
    """
    optimizer, penalty = description["optimizer"], description["penalty"]
    max_norm = description["max_norm"]
    foreign = optimizer if isinstance(optimizer, dict) and is_foreign(optimizer) else None
    own = optimizer is not None and foreign is None
    return Training(
        _construct_state(unpack(description["state"], arrays)),
        _construct_history(unpack(description["history"], arrays)),
        construct_component("optimizer", optimizer) if own else None,
        None if penalty is None else construct_component("penalty", penalty),
        None if max_norm is None else _check_max_norm(max_norm),
        tuple(unpack(description["callbacks"], arrays)),
        foreign,
    )


def _construct_state(fields: dict[str, Any]) -> TrainState:
    state = TrainState(params=None, **fields)
    if type(state.step) is not int or type(state.epoch) is not int:
        raise ValueError(f"step={state.step!r} and epoch={state.epoch!r} must be integers")
    for generator in state.generators:  # NumPy would read outside the key
        key, position = generator["state"]["key"], generator["state"]["pos"]
        if key.shape != (624,) or not 0 <= position <= 624:
            raise ValueError("a generator's state is not one of MT19937")
    if fields.get("part") is not None:
        state = dataclasses.replace(state, part=Part(**fields["part"]))
    return state


def _construct_history(fields: dict[str, Any]) -> History:
    for name, curve in fields.items():
        if not isinstance(curve, list):
            raise ValueError(f"history.{name} is no list")
    return History(**fields)
