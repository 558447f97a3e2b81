"""``xpnet info``: what this machine can run, what is missing or wrong, and how to mend it."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform

from .. import __version__, backends, doctor

_CORE = (
    *("numpy", "array-api-compat", "scikit-learn", "scipy", "tqdm", "safetensors"),
    *("lazy-loader", "threadpoolctl", "joblib", "packaging"),
)
_EXTRAS = {
    "matplotlib": "for pictures: pip install 'xpnet[plots]'",
    "nvmath-python": "for CUDA graphs, an experiment: pip install nvmath-python",
    "pytest": "for the tests: pip install 'xpnet[test]'",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the options: there are none."""


def run(arguments: argparse.Namespace) -> int:
    """Print all that a report of a problem should say of a machine."""
    print(f"xpnet {__version__}, Python {platform.python_version()}, {platform.platform()}")
    _section("packages", {name: _version(name) or "missing" for name in _CORE})
    found = backends.available()
    _section("backends", {name: _state(status) for name, status in found.items()})
    _section(
        "optional", {name: _version(name) or f"missing; {how}" for name, how in _EXTRAS.items()}
    )
    threads = {name: os.environ.get(name, "not set") for name in doctor.VARIABLES}
    _section("processor", {"cores": str(doctor.cores()), **threads})
    _findings(doctor.examine(found["cupy"].reason))
    return 0


def _section(title: str, rows: dict[str, str]) -> None:
    print(f"\n{title}")
    for name, text in rows.items():
        first, *more = text.splitlines()
        print(f"  {name:<22}{first}")
        for line in more:
            print(f"  {'':<22}{line}")


def _findings(findings: list[doctor.Finding]) -> None:
    print("\ndiagnosis")
    for line in "\n".join(map(str, findings)).splitlines() or ["nothing wrong was found"]:
        print(f"  {line}")


def _state(status: backends.Status) -> str:
    if status.usable:
        return str(status)
    return f"not usable: {status.reason}\n{status.remedy}"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
