"""Logistic regression by gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backends
from ..callbacks import Callback
from ..initializers import Ones
from ..layers import Dense
from ..network import Network
from .binary import BinaryClassifier


class SingleLayer(BinaryClassifier):
    """Logistic regression by full-batch gradient descent.

    Parameters
    ----------
    learning_rate : float, default 0.1
    l1, l2 : float, default 0
    random_state : int, default 42
        Not used: all weights start at 1.
    backend, device, dtype
        As for `Trainer`; NumPy and float64 by default.

    Attributes
    ----------
    w : numpy.ndarray of shape (features,)
    b : numpy.ndarray of shape (1,)
    w_history : list of numpy.ndarray
        The initial weights, then those after each epoch.
    losses, val_losses : list of float
        One value an epoch; before that epoch's update, with the penalty after it.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet.nets import SingleLayer
    >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> SingleLayer(learning_rate=0.1).fit(x, y).score(x, y)
    1.0
    """

    def __init__(
        self,
        learning_rate: float = 0.1,
        l1: float = 0,
        l2: float = 0,
        *,
        random_state: Any = 42,
        backend: str | None = "numpy",
        device: Any = None,
        dtype: Any = "float64",
    ) -> None:
        super().__init__(
            learning_rate,
            l1,
            l2,
            random_state=random_state,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.w_history: list[np.ndarray] = []

    def _callbacks(self):
        self.w_history = []
        return [_Weights(self.w_history)]

    def _network(self, n_features):
        return Network([Dense(n_features, 1, weight_init=Ones())])

    def _parameters(self, params):
        return {"w": params[:-1], "b": params[-1:]}


class _Weights(Callback):
    """Keeps the weights before the first epoch and after each."""

    def __init__(self, seen: list[np.ndarray]) -> None:
        self.seen = seen

    def on_fit_begin(self, fit):
        self.seen.append(backends.to_host(fit.state.params)[:-1].copy())

    def on_epoch_end(self, fit):
        self.on_fit_begin(fit)
