"""Layers, losses, optimizers and the like as plain JSON: a class's name and its arguments."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import initializers, layers
from .._version import __version__
from ..losses import LOSSES
from ..optimizers import OPTIMIZERS, SCHEDULES
from ..penalties import Penalty


def _by_name(classes: Iterable[Any]) -> dict[str, type]:
    return {cls.__name__: cls for cls in classes}


def _dataclasses_of(room: Any) -> list[Any]:
    return [
        x for x in (getattr(room, name) for name in room.__all__) if dataclasses.is_dataclass(x)
    ]


KNOWN: dict[str, dict[str, type]] = {
    "layer": _by_name(_dataclasses_of(layers)),
    "initializer": _by_name(_dataclasses_of(initializers)),
    "loss": _by_name(LOSSES.values()),
    "penalty": _by_name([Penalty]),
    "optimizer": _by_name(OPTIMIZERS.values()),
    "schedule": _by_name(SCHEDULES.values()),
}
"""The classes that a file may name, by kind."""

_PARTS = {"layer": "initializer", "optimizer": "schedule"}
"""Of which kind an argument may be that is an object itself."""


def describe_component(
    kind: str, name: str, value: Any, *, foreign: bool = False
) -> dict[str, Any]:
    """Return the class and the arguments of an object, as `construct_component` takes them.

    Parameters
    ----------
    kind : str
        A key of `KNOWN`.
    name : str
        What messages call the object.
    value : object
        Whose arguments are its attributes of the same names.
    foreign : bool, default False
        Whether a class that is not xpnet's is described by its name alone, rather than an error.
    """
    cls = type(value)
    if KNOWN[kind].get(cls.__name__) is not cls:
        if foreign:
            return {"type": cls.__name__, "foreign": True}
        raise ValueError(
            f"{name}={value!r} cannot be saved: a file names only xpnet's own "
            f"{', '.join(KNOWN[kind])}."
        )
    description: dict[str, Any] = {"type": cls.__name__}
    for argument in inspect.signature(cls).parameters:
        entry = plain(getattr(value, argument))
        if not isinstance(entry, bool | int | float | str | list | None):
            entry = describe_component(
                _PARTS.get(kind, kind), f"{name}.{argument}", entry, foreign=foreign
            )
        description[argument] = entry
    return description


def plain(value: Any) -> Any:
    """Return numbers of NumPy as numbers, arrays as lists: Python writes floats to the bit."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def is_foreign(description: dict[str, Any]) -> bool:
    """Return whether a class in the description is not one of xpnet's."""
    parts = (part for part in description.values() if isinstance(part, dict))
    return "foreign" in description or any(map(is_foreign, parts))


def construct_component(kind: str, description: Any) -> Any:
    """Return the object that `describe_component` described, or raise."""
    if not isinstance(description, dict) or "type" not in description:
        raise ValueError(f"no {kind} is described by {description!r}")
    arguments = dict(description)
    name = arguments.pop("type")
    if not isinstance(name, str) or name not in KNOWN[kind]:
        raise ValueError(f"the {kind} type {name!r} is unknown to xpnet {__version__}")
    for argument, entry in arguments.items():
        if isinstance(entry, dict):
            arguments[argument] = construct_component(_PARTS.get(kind, kind), entry)
    return KNOWN[kind][name](**arguments)
