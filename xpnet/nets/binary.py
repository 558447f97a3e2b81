"""Binary classifiers by gradient descent: from logistic regression to mini-batches.

All four minimise the log loss, clipped at 1e-10 where it is reported, plus the L1 and L2
penalties of the weights divided by the number of samples in the batch.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from .. import backends, validation
from ..batches import InOrder
from ..callbacks import Callback
from ..callbacks.progress import progress_bars
from ..initializers import Initializer, Ones
from ..losses import BinaryCrossEntropy
from ..network import Network
from ..optimizers import SGD
from ..penalties import Penalty
from ..trainer import Trainer


class BinaryClassifier:
    """What the four have in common; a subclass names its network and its batches."""

    _init: Initializer = Ones()

    def __init__(
        self,
        learning_rate: float,
        l1: float,
        l2: float,
        *,
        random_state: Any,
        backend: str | None,
        device: Any,
        dtype: Any,
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
    ) -> Self:
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
        self._check_targets("x", x, "y", y)
        if x_val is not None:
            if backends.owner(x_val) is None:
                x_val = validation.check_numeric("x_val", x_val)
            validation.check_features("x_val", tuple(x_val.shape), x.shape[1])
            self._check_targets("x_val", x_val, "y_val", y_val)
        # Weights and orders of batches are each drawn from the seed anew.
        params = trainer.problem.network.initialize(self.random_state)
        history = trainer.fit(
            x,
            y,
            epochs=epochs,
            sampling=self._batches(),
            validation_data=None if x_val is None else (x_val, y_val),
            state=trainer.initialize(params),
            callbacks=[*progress_bars(progress), *self._callbacks()],
        )
        self.history_ = history
        self.losses, self.val_losses = history.losses, history.val_losses
        for name, value in self._parameters(backends.to_host(trainer.state_.params)).items():
            setattr(self, name, value.copy())
        return self

    def _check_targets(self, x_name: str, x: Any, y_name: str, y: Any) -> None:
        """Say what is wrong with the targets by their name here."""
        y = validation.check_numeric(y_name, backends.to_host(y))
        y = self.trainer_.problem.loss.prepare(y, 1, y_name)
        validation.check_same_length(**{x_name: len(x), y_name: len(y)})

    def _callbacks(self) -> list[Callback]:
        """Return what a subclass wants to see of each epoch."""
        return []

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
