"""The deep net of the optimizer tutorial: samples along the second axis, weights (out, in)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from .. import backends, options, validation
from ..batches import Batches
from ..callbacks.progress import progress_bars
from ..initializers import He
from ..layers import Dense, Layer, ReLU
from ..losses import BinaryCrossEntropy
from ..network import Network
from ..optimizers import SGD, Adam, Optimizer, RMSprop
from ..trainer import Trainer

_OPTIMIZERS: dict[str, Callable[[Any], Optimizer]] = {
    "gd": SGD,
    "momentum": lambda rate: SGD(rate, momentum=0.9, dampening=0.9),
    "rmsprop": lambda rate: RMSprop(rate, rho=0.9),
    "adam": Adam,
}


class _Reseeded(Batches):
    """An order of its own seed for each epoch: that of ``batch_partition(…, seed + epoch)``."""

    def __init__(self, batch_size: int | None, seed: int) -> None:
        super().__init__(batch_size)
        self.seed = seed

    def order(self, n_samples, rng, epoch):
        return np.random.RandomState(self.seed + epoch).permutation(n_samples)


class DeepNet:
    """Hidden layers of rectifiers, one sigmoid output, trained on mini-batches.

    Parameters
    ----------
    layer_dims : sequence of int
        Features, hidden units …, 1: such as (2, 5, 2, 1).
    optimizer : {'gd', 'momentum', 'rmsprop', 'adam'} or Optimizer, default 'adam'
        The named ones have the tutorial's settings: momentum 0.9 (dampened by as much), rho 0.9,
        beta1 0.9, beta2 0.999, epsilon 1e-8.
    learning_rate : float or Schedule, optional
        Of a named optimizer, by default 0.01; an Optimizer brings its own.
    batch_size : int or None, default 64
    random_state : int, default 42
        Seeds the weights, ``N(0, 1) * sqrt(2 / n_in)`` drawn as (n_out, n_in) layer by layer.
        The order of epoch k is that of ``batch_partition(X, Y, batch_size, random_state + k)``.
    backend, device, dtype
        As for `Trainer`; NumPy and float64 by default.

    Attributes
    ----------
    parameters : dict
        W1, b1 … WL, bL: NumPy arrays of shape (n_out, n_in) and (n_out, 1).
    losses, val_losses : list of float
        One value an epoch.
    history_ : History

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet.nets import DeepNet
    >>> X, Y = np.array([[-2.0, -1.0, 1.0, 2.0]]), np.array([[0, 0, 1, 1]])
    >>> net = DeepNet((1, 4, 1), random_state=1).fit(X, Y, epochs=100)
    >>> net.predict(X)
    array([[0, 0, 1, 1]])
    """

    def __init__(
        self,
        layer_dims: Sequence[int],
        optimizer: str | Optimizer = "adam",
        *,
        learning_rate: Any = None,
        batch_size: int | None = 64,
        random_state: int = 42,
        backend: str | None = "numpy",
        device: Any = None,
        dtype: Any = "float64",
    ) -> None:
        if not isinstance(layer_dims, Sequence | np.ndarray) or isinstance(layer_dims, str):
            raise TypeError(f"layer_dims={layer_dims!r} must be a sequence, such as (2, 5, 1).")
        dims = [validation.check_integer("layer_dims", d) for d in layer_dims]
        if len(dims) < 2 or dims[-1] != 1:
            raise ValueError(f"layer_dims={layer_dims!r} must end in 1, such as (2, 5, 2, 1).")
        if isinstance(optimizer, str):
            name = validation.check_choice("optimizer", optimizer, _OPTIMIZERS)
            optimizer = _OPTIMIZERS[name](0.01 if learning_rate is None else learning_rate)
        elif learning_rate is not None:
            raise ValueError(
                f"learning_rate={learning_rate!r} is for named optimizers; {optimizer!r} has one."
            )
        self.layer_dims = tuple(dims)
        self.random_state = validation.check_integer("random_state", random_state, minimum=0)
        self.batches = _Reseeded(batch_size, self.random_state)
        layers: list[Layer] = []
        for n_in, n_out in itertools.pairwise(dims):
            layers += [Dense(n_in, n_out, weight_init=He("normal")), ReLU()]
        self.trainer = Trainer(
            Network(layers[:-1]),
            BinaryCrossEntropy(),
            optimizer,
            backend=backend,
            device=device,
            dtype=dtype,
            random_state=self.random_state,
        )
        self.parameters = self._initialize()
        self.losses: list[float] = []
        self.val_losses: list[float] = []

    def _initialize(self) -> dict[str, np.ndarray]:
        rng = np.random.RandomState(self.random_state)
        parameters = {}
        pairs = zip(self.layer_dims[:-1], self.layer_dims[1:], strict=True)
        for k, (n_in, n_out) in enumerate(pairs, start=1):
            parameters[f"W{k}"] = rng.randn(n_out, n_in) * np.sqrt(2.0 / n_in)
            parameters[f"b{k}"] = np.zeros((n_out, 1))
        return parameters

    def fit(
        self,
        X: Any,
        Y: Any,
        epochs: int = 100,
        *,
        validation_data: tuple[Any, Any] | None = None,
        progress: bool | str = False,
    ) -> Self:
        """Train from the initial weights.

        Parameters
        ----------
        X : array of shape (features, m)
        Y : array of shape (1, m) or (m,), zeros and ones
        epochs : int, default 100
        validation_data : tuple (X, Y), optional
        progress : bool or str, default False

        Returns
        -------
        self
        """
        X_val, Y_val, _ = options.check_held_out(validation_data)
        network = self.trainer.problem.network
        initial = {
            name: value.T if name[0] == "W" else value[:, 0]
            for name, value in self._initialize().items()
        }
        history = self.trainer.fit(
            *self._data("X", X, "Y", Y),
            epochs=epochs,
            sampling=self.batches,
            validation_data=None
            if validation_data is None
            else self._data("validation_data[0]", X_val, "validation_data[1]", Y_val),
            state=self.trainer.initialize(network.flatten(initial)),
            callbacks=progress_bars(progress),
        )
        trained = network.unflatten(backends.to_host(self.trainer.state_.params))
        self.parameters = {
            name: (value.T if name[0] == "W" else value[:, None]).copy()
            for name, value in trained.items()
        }
        self.history_ = history
        self.losses, self.val_losses = history.losses, history.val_losses
        return self

    def _data(self, x_name: str, X: Any, y_name: str, Y: Any) -> tuple[Any, Any]:
        """Return data with samples first; what is wrong with the targets is said by their name."""
        x, y = _samples_first(x_name, X), _targets(y_name, Y)
        self.trainer.problem.loss.prepare(backends.to_host(y), 1, y_name)
        validation.check_same_length(**{x_name: len(x), y_name: len(y)})
        return x, y

    def predict(self, X: Any) -> np.ndarray:
        """Return the classes.

        Parameters
        ----------
        X : array of shape (features, m)

        Returns
        -------
        numpy.ndarray of int, shape (1, m)
        """
        logits = backends.to_host(self.trainer.logits(_samples_first("X", X)))
        return (logits.T > 0).astype(np.int64)

    def score(self, X: Any, Y: Any) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : array of shape (features, m)
        Y : array of shape (1, m) or (m,)

        Returns
        -------
        float
        """
        predicted = self.predict(X)[0]
        y = self.trainer.problem.loss.prepare(backends.to_host(_targets("Y", Y)), 1, "Y")[:, 0]
        validation.check_same_length(X=len(predicted), Y=len(y))
        return float(np.mean(predicted == y))


def _samples_first(name: str, X: Any) -> Any:
    X = X if backends.owner(X) is not None else validation.check_numeric(name, X)
    if X.ndim != 2:
        raise ValueError(f"{name} has shape {tuple(X.shape)}; (features, m) is needed.")
    return X.T


def _targets(name: str, Y: Any) -> Any:
    Y = Y if backends.owner(Y) is not None else validation.check_numeric(name, Y)
    if Y.ndim == 2 and Y.shape[0] == 1:
        return Y[0, :]
    if Y.ndim != 1:
        raise ValueError(f"{name} has shape {tuple(Y.shape)}; (1, m) or (m,) is needed.")
    return Y
