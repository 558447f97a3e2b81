"""The installed versions against those that xpnet's own metadata asks for."""

from __future__ import annotations

import importlib.metadata

from packaging.requirements import Requirement

from .finding import Finding

_FOR_DEVELOPERS = {"docs", "test"}
"""The extras whose packages nobody needs to train nets."""


def wrong_versions() -> Finding | None:
    """Find packages that are missing, too old, or known to be broken."""
    asked = {f"{r.name}{r.specifier}": _problem(r) for r in _requirements()}
    wrong = {requirement: problem for requirement, problem in asked.items() if problem}
    if not wrong:
        return None
    quoted = " ".join(f'"{requirement}"' for requirement in wrong)
    return Finding("; ".join(wrong.values()), f"pip install --upgrade {quoted}")


def _requirements() -> list[Requirement]:
    """Return what xpnet asks for: the bounds stand in pyproject.toml alone."""
    try:
        told = importlib.metadata.metadata("xpnet")
    except importlib.metadata.PackageNotFoundError:
        return []
    extras = set(told.get_all("Provides-Extra") or []) - _FOR_DEVELOPERS
    return [
        requirement
        for requirement in map(Requirement, told.get_all("Requires-Dist") or [])
        if _applies(requirement, {"", *extras})
    ]


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


def _problem(requirement: Requirement) -> str | None:
    needed = f"xpnet needs {requirement.specifier}"
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name} is missing; {needed}" if requirement.marker is None else None
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return f"{requirement.name} {version} does not suit; {needed}"
