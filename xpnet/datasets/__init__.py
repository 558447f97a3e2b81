"""Data to train on: the tutorials' sets with their splits, MNIST, and the user's own tables."""

from __future__ import annotations

from collections.abc import Callable

from .bundled import load_breast_cancer, load_digits, load_moons
from .dataset import Dataset
from .idx import read_idx
from .mnist import load_mnist
from .streamed import stream_table
from .tables import load_table

__all__ = [
    "DATASETS",
    "Dataset",
    "load_breast_cancer",
    "load_digits",
    "load_mnist",
    "load_moons",
    "load_table",
    "read_idx",
    "stream_table",
]

DATASETS: dict[str, Callable[..., Dataset]] = {
    "breast-cancer": load_breast_cancer,
    "digits": load_digits,
    "moons": load_moons,
    "mnist": load_mnist,
}
"""The loaders, by the name of their data."""
