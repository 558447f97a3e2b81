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
    whole : bool
        Whether the times are those of whole fits, checks and first epoch included.
    """

    slow: str
    fast: str
    bound: float
    most: bool
    whole: bool = False

    def reached(self, ratio: float) -> bool:
        """Return whether a ratio will do."""
        return ratio <= self.bound if self.most else ratio >= self.bound

    def __str__(self) -> str:
        told = f"{self.slow} / {self.fast} {'<=' if self.most else '>='} {self.bound:g}"
        return f"{told}, whole fits" if self.whole else told


def at_most(slow: str, fast: str, bound: float, *, whole: bool = False) -> Target:
    """Return the target that `slow` takes at most so many times as long as `fast`."""
    return Target(slow, fast, bound, most=True, whole=whole)


def at_least(slow: str, fast: str, bound: float) -> Target:
    """Return the target that `slow` takes at least so many times as long as `fast`."""
    return Target(slow, fast, bound, most=False)
