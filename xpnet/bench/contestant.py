"""What a contestant is: a function that makes a fit of a task, to be run in its own process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .task import Parameters

EpochEnded = Callable[[], None]
"""Called at the end of each epoch, when its losses are known on the host."""

Fit = Callable[[EpochEnded], Parameters | None]
"""Trains from the initial parameters on, and returns the last ones; None for the floor."""

Maker = Callable[..., Fit]
"""``maker(task, **options)`` prepares what a user would prepare once; then rounds are fitted."""


@dataclass(frozen=True)
class Contestant:
    """Who takes part, told so that another process can make it.

    Attributes
    ----------
    name : str
    maker : str
        ``module:function``, a `Maker`. The module imports what it needs.
    options : dict
        Handed to the maker.
    threads : int, optional
        Of BLAS, OpenMP and the library; by default the race's.
    """

    name: str
    maker: str
    options: dict[str, Any] = field(default_factory=dict)
    threads: int | None = None

    @property
    def label(self) -> str:
        """The name, and the threads where they are not the race's."""
        return self.name if self.threads is None else f"{self.name}, {self.threads} threads"
