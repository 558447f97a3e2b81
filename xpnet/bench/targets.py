"""What a ratio of two contestants should be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A bound of the ratio of two contestants' times.

    Attributes
    ----------
    slow, fast : str
        Names of contestants; the ratio is the time of the first by that of the second.
    bound : float
    most : bool
        Whether the ratio shall be at most the bound, or at least.
    """

    slow: str
    fast: str
    bound: float
    most: bool

    def reached(self, ratio: float) -> bool:
        """Return whether a ratio will do."""
        return ratio <= self.bound if self.most else ratio >= self.bound

    def __str__(self) -> str:
        return f"{self.slow} / {self.fast} {'<=' if self.most else '>='} {self.bound:g}"


def at_most(slow: str, fast: str, bound: float) -> Target:
    """Return the target that `slow` takes at most so many times as long as `fast`."""
    return Target(slow, fast, bound, most=True)


def at_least(slow: str, fast: str, bound: float) -> Target:
    """Return the target that `slow` takes at least so many times as long as `fast`."""
    return Target(slow, fast, bound, most=False)
