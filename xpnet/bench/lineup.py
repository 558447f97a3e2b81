"""Who takes part: the floor, xpnet on its backends, scikit-learn, the tutorials' loops."""

from __future__ import annotations

from collections.abc import Sequence

from ..parity import Target
from .contestant import Contestant


def ours(place: Target) -> list[Contestant]:
    """Return xpnet's trainer on a backend: compiled, and step by step where that differs."""
    options = {"backend": place.backend, "device": place.device}
    name, maker = f"xpnet {place}", "xpnet.bench.core:trainer"
    if place.backend in ("torch", "array_api_strict"):  # nothing is compiled there
        return [Contestant(name, maker, options)]
    return [
        Contestant(name, maker, options),
        Contestant(f"{name}, eager", maker, options | {"compiled": False}),
    ]


def of_the_package(places: Sequence[Target]) -> list[Contestant]:
    """Return the contestants that need no other device library than the backends do.

    Parameters
    ----------
    places : sequence of parity.Target
        Where xpnet's trainer runs; its estimator runs on the first.
    """
    first = {"backend": places[0].backend, "device": places[0].device}
    return [
        Contestant("floor", "xpnet.bench.floor:floor"),
        *(c for place in places for c in ours(place)),
        Contestant("xpnet MLPClassifier", "xpnet.bench.estimator:classifier", first),
        Contestant("scikit-learn", "xpnet.bench.scikit_learn:classifier"),
        Contestant("tutorial float64", "xpnet.bench.tutorials:loop", {"dtype": "float64"}),
        Contestant("tutorial float32", "xpnet.bench.tutorials:loop", {"dtype": "float32"}),
    ]
