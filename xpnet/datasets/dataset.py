"""A data set in its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..streams import Stream

__all__ = ["Dataset"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples to train on, to validate with and, where there are any, to test with.

    Attributes
    ----------
    x_train, x_val, x_test : numpy.ndarray of shape (samples, features)
        `x_train` may be a `Stream`. `x_test` is None where nothing is held back for testing.
    t_train, t_val, t_test : numpy.ndarray of shape (samples,) or (samples, outputs)
        Class numbers are integers, amounts are floats.
    name : str

    Examples
    --------
    >>> import numpy as np
    >>> data = Dataset(np.zeros((3, 2)), np.array([0, 1, 2]), np.zeros((1, 2)), np.array([1]))
    >>> data
    <Dataset: 3 train, 1 validation, 0 test, 2 features, 3 classes>
    """

    x_train: Any
    t_train: np.ndarray
    x_val: np.ndarray
    t_val: np.ndarray
    x_test: np.ndarray | None = None
    t_test: np.ndarray | None = None
    name: str = "Dataset"

    @property
    def is_streamed(self) -> bool:
        """Whether the samples to train on are read while a net is trained."""
        return isinstance(self.x_train, Stream)

    @property
    def n_train(self) -> int:
        """How many samples to train on there are."""
        return self.x_train.n_samples if isinstance(self.x_train, Stream) else len(self.x_train)

    @property
    def n_classes(self) -> int | None:
        """The highest class number plus one; None where the targets are not class numbers."""
        targets = [t for t in (self.t_train, self.t_val, self.t_test) if t is not None]
        if any(t.dtype.kind not in "iu" or t.ndim != 1 or t.min() < 0 for t in targets):
            return None
        return int(max(t.max() for t in targets)) + 1

    def __repr__(self) -> str:
        n_test = 0 if self.x_test is None else len(self.x_test)
        classes = "" if self.n_classes is None else f", {self.n_classes} classes"
        return (
            f"<{self.name}: {self.n_train} train, {len(self.x_val)} validation, "
            f"{n_test} test, {self.x_val.shape[1]} features{classes}>"
        )
