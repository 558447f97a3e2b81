"""One hidden layer, by mini-batch gradient descent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import validation
from ..batches import Shuffled
from .dual_layer import RandomInitNetwork


class MinibatchNetwork(RandomInitNetwork):
    """`RandomInitNetwork` trained on mini-batches, in an order drawn anew each epoch.

    Parameters
    ----------
    units : int, default 10
    batch_size : int, default 32
        The last batch may be smaller. 1 is stochastic descent; at least as many as there are
        samples is full-batch descent.
    learning_rate : float, default 0.1
    l1, l2 : float, default 0
        Divided by the size of each batch.
    random_state : int, default 42
        Seeds the weights, and again the orders.
    backend, device, dtype
        As for `Trainer`; NumPy and float64 by default.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet.nets import MinibatchNetwork
    >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> net = MinibatchNetwork(units=4, batch_size=2).fit(x, y, epochs=300)
    >>> net.score(x, y)
    1.0
    >>> [batch.ravel().tolist() for batch, _ in net.gen_batch(x, y)]
    [[-1.0, 2.0], [-2.0, 1.0]]
    """

    def __init__(
        self,
        units: int = 10,
        batch_size: int = 32,
        learning_rate: float = 0.1,
        l1: float = 0,
        l2: float = 0,
        *,
        random_state: Any = 42,
        backend: str | None = "numpy",
        device: Any = None,
        dtype: Any = "float64",
    ) -> None:
        self.batch_size = validation.check_integer("batch_size", batch_size)
        super().__init__(
            units,
            learning_rate,
            l1,
            l2,
            random_state=random_state,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self._rng: np.random.RandomState | None = None

    def _batches(self):
        return Shuffled(self.batch_size)

    def gen_batch(self, x: Any, y: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the batches of one epoch: at the first call those of the first, and so on.

        Parameters
        ----------
        x : array of shape (samples, features)
        y : array of shape (samples,)

        Yields
        ------
        x, y : numpy.ndarray
        """
        if self._rng is None:
            self._rng = validation.check_random_state("random_state", self.random_state)
        x, y = validation.check_numeric("x", x), validation.check_numeric("y", y)
        validation.check_features("x", x.shape, None)
        if y.ndim != 1:
            raise ValueError(f"y has shape {y.shape}; (samples,) is needed.")
        validation.check_same_length(x=len(x), y=len(y))
        order = self._batches().order(len(x), self._rng, 0)
        for start in range(0, len(x), self.batch_size):
            rows = order[start : start + self.batch_size]
            yield x[rows], y[rows]
