"""One hidden layer, by full-batch gradient descent."""

from __future__ import annotations

from typing import Any

from .. import validation
from ..initializers import Normal
from ..layers import Dense, Sigmoid
from ..network import Network
from .binary import BinaryClassifier


class DualLayer(BinaryClassifier):
    """One hidden layer, sigmoid in both, by full-batch gradient descent; weights start at 1.

    Parameters
    ----------
    units : int, default 10
    learning_rate : float, default 0.1
    l1, l2 : float, default 0
    random_state : int, default 42
    backend, device, dtype
        As for `Trainer`; NumPy and float64 by default.

    Attributes
    ----------
    w1, b1, w2, b2 : numpy.ndarray
        Of shape (features, units), (units,), (units, 1), (1,).
    losses, val_losses : list of float

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet.nets import DualLayer
    >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> DualLayer(units=2).fit(x, y, epochs=200).predict(x)
    array([False, False,  True,  True])
    """

    def __init__(
        self,
        units: int = 10,
        learning_rate: float = 0.1,
        l1: float = 0,
        l2: float = 0,
        *,
        random_state: Any = 42,
        backend: str | None = "numpy",
        device: Any = None,
        dtype: Any = "float64",
    ) -> None:
        self.units = validation.check_integer("units", units)
        super().__init__(
            learning_rate,
            l1,
            l2,
            random_state=random_state,
            backend=backend,
            device=device,
            dtype=dtype,
        )

    def _network(self, n_features):
        return Network(
            [
                Dense(n_features, self.units, weight_init=self._init),
                Sigmoid(),
                Dense(self.units, 1, weight_init=self._init),
            ]
        )


class RandomInitNetwork(DualLayer):
    """`DualLayer` whose weights start as draws from N(0, 1): w1, then w2, from the seed.

    Parameters
    ----------
    units, learning_rate, l1, l2, random_state, backend, device, dtype
        As for `DualLayer`.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet.nets import RandomInitNetwork
    >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> RandomInitNetwork(units=4).fit(x, y, epochs=300).score(x, y)
    1.0
    """

    _init = Normal(std=1.0)
