"""What the figures depend on: machine, versions, commit."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

_PACKAGES = ("numpy", "scikit-learn", "torch", "jax", "cupy", "cupy-cuda12x", "cupy-cuda13x")


def describe() -> dict[str, str]:
    """Return names and texts: processor, system, versions, BLAS, commit, date."""
    return {
        "processor": f"{cpu_model()}, {os.cpu_count()} cores",
        "system": f"{platform.platform()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{p} {v}" for p in ("xpnet", *_PACKAGES) if (v := _version(p))),
        "BLAS": blas(),
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def cpu_model() -> str:
    """Return the processor's name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def blas() -> str:
    """Return NumPy's BLAS."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown (threadpoolctl is missing)"
    import numpy as np  # noqa: F401 - its BLAS must be there to be seen

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    told = {
        f"{p['internal_api']} {p['version']} {p.get('architecture', '')}".strip() for p in pools
    }
    return ", ".join(sorted(told)) or "unknown"


def commit() -> str:
    """Return the checkout's commit, and whether files differ from it."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        command = ["git", "-C", str(here), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + (", with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown (no git here)"


def _version(package: str) -> str | None:
    if package == "xpnet":
        from .. import __version__

        return __version__
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
