"""The most memory that a process has held."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path


def peak() -> int | None:
    """Return the bytes that this process held at most, None where that is not known."""
    with contextlib.suppress(OSError):
        # Not getrusage's first: its figure is inherited from the process that started this one.
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
        if found:
            return 1024 * int(found[1])
    with contextlib.suppress(ImportError):
        import resource
        import sys

        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


def forget_peak() -> None:
    """Let the peak begin anew at what is held now, where the system can do that."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
