"""Binary classifiers by gradient descent: from logistic regression to mini-batches.

All four minimise the log loss, clipped at 1e-10 where it is reported, plus the L1 and L2
penalties of the weights divided by the number of samples in the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import backends, validation
from ..batches import InOrder, Shuffled
from ..initializers import Initializer, Normal, Ones
from ..layers import Dense, Sigmoid
from ..losses import BinaryCrossEntropy
from ..network import Network
from ..optimizers import SGD
from ..penalties import Penalty
from ..trainer import Trainer


class _BinaryClassifier:
    """What the four have in common; a subclass names its network and its batches."""

    _init: Initializer = Ones()

    def __init__(
        self,
        learning_rate: float,
        l1: float,
        l2: float,
        *,
        random_state: Any = 42,
        backend: str | None = "numpy",
        device: Any = None,
        dtype: Any = "float64",
    ) -> None:
        self.learning_rate = learning_rate
        self.l1, self.l2 = l1, l2
        self.random_state = random_state
        self.backend, self.device, self.dtype = backend, device, dtype
        self.losses: list[float] = []
        self.val_losses: list[float] = []
        self._trainer(1)  # whatever is wrong with the arguments is said here

    def _network(self, n_features: int) -> Network:
        raise NotImplementedError

    def _batches(self) -> Any:
        return InOrder(None)

    def _trainer(self, n_features: int) -> Trainer:
        return Trainer(
            self._network(n_features),
            BinaryCrossEntropy(clip=1e-10),
            SGD(self.learning_rate),
            penalty=Penalty(self.l1, self.l2),
            backend=self.backend,
            device=self.device,
            dtype=self.dtype,
            random_state=self.random_state,
        )

    def fit(
        self,
        x: Any,
        y: Any,
        epochs: int = 100,
        x_val: Any = None,
        y_val: Any = None,
        *,
        progress: bool | str = False,
    ):
        """Train from the initial weights.

        Parameters
        ----------
        x : array of shape (samples, features)
        y : array of shape (samples,), zeros and ones
        epochs : int, default 100
        x_val, y_val : arrays, optional
            Without them there is no validation curve.
        progress : bool or str, default False

        Returns
        -------
        self
        """
        if (x_val is None) != (y_val is None):
            raise ValueError("x_val and y_val go together: pass both or neither.")
        x = x if backends.owner(x) is not None else validation.check_numeric("x", x)
        validation.check_features("x", tuple(x.shape), None)
        self.trainer_ = trainer = self._trainer(x.shape[1])
        # Weights and orders of batches are each drawn from the seed anew.
        params = trainer.problem.network.initialize(self.random_state)
        self._before(params)
        history = trainer.fit(
            x,
            y,
            epochs=epochs,
            sampling=self._batches(),
            validation_data=None if x_val is None else (x_val, y_val),
            state=trainer.initialize(params),
            progress=progress,
            on_epoch=self._after_epoch,
        )
        self.history_ = history
        self.losses, self.val_losses = history.losses, history.val_losses
        for name, value in self._parameters(backends.to_host(trainer.state_.params)).items():
            setattr(self, name, value.copy())
        return self

    def _before(self, params: np.ndarray) -> None:
        """Look at the initial parameters."""

    def _after_epoch(self, history: Any) -> None:
        """Look at the parameters after an epoch."""

    def _parameters(self, params: np.ndarray) -> dict[str, Any]:
        named = self.trainer_.problem.network.unflatten(params)
        return {name.lower(): value for name, value in named.items()}

    def predict(self, x: Any) -> np.ndarray:
        """Return whether each sample is of class 1: whether z > 0.

        Parameters
        ----------
        x : array of shape (samples, features)

        Returns
        -------
        numpy.ndarray of bool, shape (samples,)
        """
        if not hasattr(self, "trainer_"):
            raise RuntimeError(f"This {type(self).__name__} is not trained yet. Call fit first.")
        return backends.to_host(self.trainer_.logits(x))[:, 0] > 0

    def score(self, x: Any, y: Any) -> float:
        """Return the accuracy.

        Parameters
        ----------
        x : array of shape (samples, features)
        y : array of shape (samples,)

        Returns
        -------
        float
        """
        predicted = self.predict(x)
        y = validation.check_numeric("y", backends.to_host(y))
        y = self.trainer_.problem.loss.prepare(y, 1, "y")[:, 0]
        validation.check_same_length(x=len(predicted), y=len(y))
        return float(np.mean(predicted == y))


class SingleLayer(_BinaryClassifier):
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

    def _network(self, n_features):
        return Network([Dense(n_features, 1, weight_init=Ones())])

    def _before(self, params):
        self.w_history = [params[:-1].copy()]

    def _after_epoch(self, history):
        params = backends.to_host(self.trainer_.state_.params)
        self.w_history.append(params[:-1].copy())

    def _parameters(self, params):
        return {"w": params[:-1], "b": params[-1:]}


class DualLayer(_BinaryClassifier):
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
        validation.check_same_length(x=len(x), y=len(y))
        order = self._batches().order(len(x), self._rng, 0)
        for start in range(0, len(x), self.batch_size):
            rows = order[start : start + self.batch_size]
            yield x[rows], y[rows]
