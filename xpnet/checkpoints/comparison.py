"""Whether a run is the one of a file."""

from __future__ import annotations

import reprlib
from typing import Any

from ..penalties import Penalty
from ..step import Problem
from .contents import Saved, Training
from .descriptions import describe, describe_rules


def differences(saved: Saved, problem: Problem) -> list[str]:
    """Tell in what a run is not the one of a file.

    Classes that are not xpnet's are compared by their names.

    Parameters
    ----------
    saved : Saved
        With its training.
    problem : Problem
        The run's network, loss, optimizer, penalty and largest norm: a trainer's ``problem``.

    Returns
    -------
    list of str
        A line for each difference; empty if the run can go on from the file.

    Examples
    --------
    >>> from xpnet import SGD, Adam, Dense, History, Network, Trainer, checkpoints
    >>> net = Network([Dense(2, 1)])
    >>> state = Trainer(net, "squared_error", Adam(0.1)).initialize()
    >>> training = checkpoints.Training(state, History(), Adam(0.1), None)
    >>> saved = checkpoints.Saved(net, state.params, None, {}, training)
    >>> for line in checkpoints.differences(saved, Trainer(net, "huber", Adam(0.2)).problem):
    ...     print(line)
    loss: None in the file, Huber(delta=1.0, outputs='mean') here
    optimizer: Adam(learning_rate=0.1) in the file, Adam(learning_rate=0.2) here
    """
    there, training = _describe_net(saved), saved.training
    here = _describe_net(problem)
    if training is None:
        return [*_compare(there, here), "training: none in the file"]
    there |= _describe_rules(training)
    there["optimizer"] = there["optimizer"] or training.foreign
    return _compare(there, here | _describe_rules(problem))


def _describe_net(owner: Saved | Problem) -> dict[str, Any]:
    described = describe(owner.network, owner.loss, foreign=True)
    layers = {f"layers[{i}]": layer for i, layer in enumerate(described["layers"])}
    return layers | {"loss": described["loss"]}


def _describe_rules(owner: Training | Problem) -> dict[str, Any]:
    penalty = Penalty() if owner.penalty is None else owner.penalty
    return describe_rules(owner.optimizer, penalty, owner.max_norm, foreign=True)


def _compare(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    pairs = ((name, there.get(name), here.get(name)) for name in there | here)
    return [
        f"{name}: {_told(mine, other)} in the file, {_told(other, mine)} here"
        for name, mine, other in pairs
        if mine != other
    ]


def _told(mine: Any, other: Any) -> str:
    """Return a short text of a description: of two of one class, only where they differ."""
    if not isinstance(mine, dict):
        return reprlib.repr(mine)
    if "foreign" in mine:
        return f"one's own {mine['type']}"
    alike = other if isinstance(other, dict) and other["type"] == mine["type"] else {}
    arguments = [
        f"{name}={_told(entry, alike.get(name))}"
        for name, entry in mine.items()
        if name != "type" and (name not in alike or alike[name] != entry)
    ]
    return f"{mine['type']}({', '.join(arguments)})"
