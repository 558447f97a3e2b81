"""Something wrong, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something wrong with an installation.

    Attributes
    ----------
    problem : str
    command : str
        What the user types to mend it.
    """

    problem: str
    command: str

    def __str__(self) -> str:
        return f"{self.problem}\nTo mend it: {self.command}"
