"""The sets that come with scikit-learn, in the tutorials' splits."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import validation
from .dataset import Dataset

__all__ = ["load_breast_cancer", "load_digits", "load_moons"]


def load_breast_cancer() -> Dataset:
    """Return the breast cancer data of Wisconsin: 30 measurements, two classes.

    Every feature is scaled to mean 0 and standard deviation 1 over the training samples.

    Returns
    -------
    Dataset
        364 training, 91 validation and 114 test samples, float64; class 1 is benign.

    Notes
    -----
    ``train_test_split(x, t, stratify=t, test_size=0.2, random_state=42)`` holds the test samples
    back; the same split of what is left holds the validation samples back.

    Examples
    --------
    >>> load_breast_cancer()
    <breast-cancer: 364 train, 91 validation, 114 test, 30 features, 2 classes>
    """
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    x_train, x_val, x_test, *targets = _split(*datasets.load_breast_cancer(return_X_y=True))
    scaler = StandardScaler().fit(x_train)
    x_train, x_val, x_test = (scaler.transform(x) for x in (x_train, x_val, x_test))
    return _dataset("breast-cancer", x_train, x_val, x_test, *targets)


def load_digits() -> Dataset:
    """Return scikit-learn's handwritten digits: 8 x 8 pixels in [0, 1], ten classes.

    Returns
    -------
    Dataset
        1149 training, 288 validation and 360 test samples, float64, split as by
        `load_breast_cancer`.

    Examples
    --------
    >>> load_digits()
    <digits: 1149 train, 288 validation, 360 test, 64 features, 10 classes>
    """
    from sklearn import datasets

    x, t = datasets.load_digits(return_X_y=True)
    return _dataset("digits", *_split(x / 16, t))


def load_moons(n_samples: int = 1000, noise: float = 0.2, random_state: Any = 0) -> Dataset:
    """Return two interleaving half circles: 2 features, two classes.

    Parameters
    ----------
    n_samples : int, default 1000
        At least 10, all parts together.
    noise : float, default 0.2
        Standard deviation of the noise.
    random_state : int, RandomState or None, default 0
        Where the samples come from; the split is the one of `load_breast_cancer`.

    Returns
    -------
    Dataset
        64 % training, 16 % validation and 20 % test samples, float64.

    Raises
    ------
    ValueError
        A number is out of its range.

    Examples
    --------
    >>> load_moons()
    <moons: 640 train, 160 validation, 200 test, 2 features, 2 classes>
    """
    from sklearn.datasets import make_moons

    n_samples = validation.check_integer("n_samples", n_samples, minimum=10)
    noise = validation.check_real("noise", noise)
    rng = validation.check_random_state("random_state", random_state)
    return _dataset("moons", *_split(*make_moons(n_samples, noise=noise, random_state=rng)))


def _split(x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return x_train, x_val, x_test, t_train, t_val, t_test, by two stratified splits."""
    from sklearn.model_selection import train_test_split

    held_out: dict[str, Any] = {"test_size": 0.2, "random_state": 42}
    x, x_test, t, t_test = train_test_split(x, t, stratify=t, **held_out)
    x_train, x_val, t_train, t_val = train_test_split(x, t, stratify=t, **held_out)
    return x_train, x_val, x_test, t_train, t_val, t_test


def _dataset(name: str, x_train, x_val, x_test, *targets: np.ndarray) -> Dataset:
    t_train, t_val, t_test = (t.astype(np.int64) for t in targets)
    return Dataset(x_train, t_train, x_val, t_val, x_test, t_test, name)
