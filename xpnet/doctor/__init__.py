"""What is wrong with an installation, and the command that mends it."""

from __future__ import annotations

from . import driver
from .cupys import several_cupys, unsuitable_cupy, without_toolkit
from .finding import Finding
from .threads import VARIABLES, cores, too_many_threads
from .versions import wrong_versions

__all__ = ["VARIABLES", "Finding", "cores", "examine"]


def examine(cupy_reason: str | None) -> list[Finding]:
    """Return all that was found.

    Parameters
    ----------
    cupy_reason : str or None
        Why CuPy is not usable.
    """
    known = driver.cuda_version()
    findings = (
        wrong_versions(),
        several_cupys(known),
        unsuitable_cupy(known),
        without_toolkit(cupy_reason, known),
        too_many_threads(),
    )
    return [finding for finding in findings if finding is not None]
