"""The two-layer net of the MNIST tutorial: sigmoid, then softmax."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import backends, validation
from ..backends import Array
from ..batches import WithReplacement
from ..callbacks.progress import progress_bars
from ..evaluation import objective
from ..gradcheck import numerical_gradient
from ..history import History
from ..initializers import Normal
from ..layers import Dense, Sigmoid
from ..losses import SoftmaxCrossEntropy
from ..network import Network
from ..optimizers import SGD
from ..placement import Placement
from ..trainer import Trainer


class TwoLayerNet:
    """One hidden layer of sigmoids and a softmax output.

    Parameters
    ----------
    input_size, hidden_size, output_size : int
    weight_init_std : float, default 0.01
        Weights start as ``weight_init_std * N(0, 1)``, W1 drawn before W2; biases at 0.
    random_state : int, RandomState or None, default None
        None is NumPy's global generator.
    backend, device, dtype
        As for `Trainer`; NumPy and float64 by default.

    Attributes
    ----------
    params : dict
        W1 (input_size, hidden_size), b1 (hidden_size,), W2 (hidden_size, output_size),
        b2 (output_size,); arrays of the backend's library (of NumPy with JAX, whose arrays
        cannot be changed), to be changed as one likes: ``net.params["W1"] -= 0.1 * grad["W1"]``.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet.nets import TwoLayerNet
    >>> net = TwoLayerNet(4, 3, 2, random_state=0)
    >>> x, t = np.eye(4), np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    >>> for _ in range(200):
    ...     grad = net.gradient(x, t)
    ...     for key in net.params:
    ...         net.params[key] -= 2.0 * grad[key]
    >>> net.accuracy(x, t)
    1.0
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        random_state: Any = None,
        backend: str | None = "numpy",
        device: Any = None,
        dtype: Any = "float64",
    ) -> None:
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            validation.check_integer(name, size)
        validation.check_integer("output_size", output_size, minimum=2)
        validation.check_real("weight_init_std", weight_init_std)
        init = Normal(weight_init_std)
        self.network = Network(
            [
                Dense(input_size, hidden_size, weight_init=init),
                Sigmoid(),
                Dense(hidden_size, output_size, weight_init=init),
            ]
        )
        if backend is None:
            raise ValueError("backend=None: params are made before any array came in; name one.")
        self._backend = backends.get(backend, device)
        self._dtype = validation.check_float_dtype("dtype", dtype)
        self._rng = validation.check_random_state("random_state", random_state)
        self.params: dict[str, Array] = self._named(self.network.initialize(self._rng))

    def _named(self, flat: Array) -> dict[str, Array]:
        """Return parameters by name, given the flat vector: arrays that users may change."""
        b, dtype = self._backend, self._dtype
        host = self.network.unflatten(np.asarray(backends.to_host(flat), dtype))
        with b.session(dtype):
            b.dtype(dtype)
            return {
                name: b.asarray(value.copy()) if b.mutable else value.copy()
                for name, value in host.items()
            }

    def _flat(self) -> np.ndarray:
        host = {name: backends.to_host(value) for name, value in self.params.items()}
        return self.network.flatten(host)

    def _trainer(self, learning_rate: float = 0.1) -> Trainer:
        """Return a trainer that stands at `params`."""
        trainer = Trainer(
            self.network,
            SoftmaxCrossEntropy(offset=1e-7),
            SGD(learning_rate),
            backend=self._backend.name,
            device=self._backend.device,
            dtype=self._dtype,
            random_state=self._rng,
        )
        trainer.state_ = trainer.initialize(self._flat())
        return trainer

    def predict(self, x: Any) -> Any:
        """Return the probabilities of the classes.

        Parameters
        ----------
        x : array of shape (samples, input_size)

        Returns
        -------
        array of shape (samples, output_size)
            A NumPy array where x is host data, else an array of x's library.
        """
        return self._trainer().predict(x)

    def loss(self, x: Any, t: Any) -> float:
        """Return the cross-entropy, mean of ``-log(y[target] + 1e-7)``.

        Parameters
        ----------
        x : array of shape (samples, input_size)
        t : array of shape (samples, output_size), one-hot, or (samples,), classes

        Returns
        -------
        float
        """
        return self._trainer().evaluate(x, t)[0]

    def accuracy(self, x: Any, t: Any) -> float:
        """Return the part of the samples that are classified right.

        Parameters
        ----------
        x, t
            As for `loss`.

        Returns
        -------
        float
        """
        return self._trainer().evaluate(x, t)[1]

    def gradient(self, x: Any, t: Any) -> dict[str, Array]:
        """Return the loss's gradient by backpropagation, keyed as `params`.

        Parameters
        ----------
        x, t
            As for `loss`.

        Returns
        -------
        dict of str to array
        """
        return self._named(self._trainer().loss_and_gradient(x, t)[1])

    def numerical_gradient(self, x: Any, t: Any) -> dict[str, Array]:
        """Return the loss's gradient by central differences with h = 1e-4, keyed as `params`.

        Parameters
        ----------
        x, t
            As for `loss`.

        Returns
        -------
        dict of str to array
        """
        b, dtype = backends.get(self._backend.name, self._backend.device, like=(x, t)), self._dtype
        place = Placement(b, dtype, self._trainer().problem)
        with place.session():
            f = functools.partial(objective, place, place.samples(x, t), 0)
            return self._named(numerical_gradient(f, self._flat(), backend=b, dtype=dtype))

    def fit(
        self,
        x: Any,
        t: Any,
        *,
        iterations: int = 10_000,
        batch_size: int = 100,
        learning_rate: float = 0.1,
        validation_data: tuple[Any, Any] | None = None,
        progress: bool | str = False,
    ) -> History:
        """Run the tutorial's loop: batches drawn with replacement, plain gradient descent.

        Parameters
        ----------
        x : array of shape (samples, input_size)
        t : array of shape (samples, output_size), one-hot, or (samples,), classes
        iterations : int, default 10,000
        batch_size : int, default 100
        learning_rate : float, default 0.1
        validation_data : tuple (x, t), optional
            Such as the test set.
        progress : bool or str, default False

        Returns
        -------
        History
            `step_losses` has the loss of each batch after its update. `scores` and `val_scores`
            have the accuracy after the first update, after each epoch's worth of further ones
            (``samples // batch_size``), and after the last.
        """
        trainer = self._trainer(learning_rate)
        batch_size = validation.check_integer("batch_size", batch_size)
        each = max(1, np.shape(t)[0] // batch_size) if np.ndim(t) else 1
        history = trainer.fit(
            x,
            t,
            iterations=iterations,
            sampling=WithReplacement(batch_size, lengths=(1, each)),
            validation_data=validation_data,
            train_score=True,
            step_losses="after",
            state=trainer.state_,
            callbacks=progress_bars(progress),
        )
        self.params = self._named(trainer.state_.params)
        self._rng.set_state(trainer.state_.generators[0])  # what comes next is drawn anew
        return history
