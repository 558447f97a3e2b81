"""What a fitted estimator is: a network with its parameters, and what it gives."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .. import backends, onnx
from ..backends import Array
from ..evaluation import network_logits
from ..losses import BinaryCrossEntropy, Loss, Poisson, SoftmaxCrossEntropy
from ..network import Network
from ..optimizers import SGD, Optimizer
from ..penalties import Penalty
from ..placement import Placement, float_dtype
from ..state import TrainState
from ..step import Problem
from . import compat, conversion, data, files

_OUT_ACTIVATIONS = {
    SoftmaxCrossEntropy: "softmax",
    BinaryCrossEntropy: "logistic",
    Poisson: "exp",
}


def kind_of(optimizer: Optimizer | None) -> Any:
    """Return what must agree for one optimizer to go on with another's state."""
    if optimizer is None:
        return None
    form = getattr(optimizer, "velocity_form", None)
    return type(optimizer).__name__, optimizer.state_names, form


class FittedMLP(BaseEstimator):
    """A network, its loss and its parameters."""

    pickle_optimizer_state = False
    """Whether pickles hold the optimizer's state, for `partial_fit` to go on with."""

    _memory: tuple[TrainState | None, Any] = (None, None)
    """The last fit's state, and the kind of optimizer that it is of."""

    def _placement(self, X: Any, dtype: str, penalty: Penalty) -> Placement:
        """Return where X is computed on."""
        backend = backends.get(self.backend, self.device, like=(X,))
        return Placement(backend, dtype, Problem(self._network, self._fitted_loss, SGD(), penalty))

    def _remember(self, state: TrainState, optimizer: Optimizer | None) -> None:
        """Keep what the next fit goes on with; `coefs_` and `intercepts_` are the parameters."""
        self._memory = replace(state, params=None, order=None, part=None), kind_of(optimizer)

    def _set_network(self, network: Network, loss: Loss) -> None:
        """Have that network and loss."""
        self._network, self._fitted_loss = network, loss
        self.n_layers_, self.n_outputs_ = len(network.names) // 2 + 1, network.n_outputs
        self.out_activation_ = _OUT_ACTIVATIONS.get(type(loss), "identity")

    def _set_params(self, params: Array, X: Any) -> None:
        """Make `coefs_` and `intercepts_`: of X's library, or NumPy arrays for host data."""
        if backends.owner(X) is None:
            params = np.require(backends.to_host(params), requirements="W")
        backend = backends.get(like=(params,))
        with backend.session(float_dtype(params)):
            named = self._network.unflatten(params, xp=backend.xp)
        self.coefs_ = [named[f"W{i}"] for i in range(1, self.n_layers_)]
        self.intercepts_ = [named[f"b{i}"] for i in range(1, self.n_layers_)]

    def _params(self) -> Array:
        """Return the flat vector of `coefs_` and `intercepts_`."""
        pairs = zip(self.coefs_, self.intercepts_, strict=True)
        parts = [part for pair in pairs for part in pair]
        backend = backends.get(like=(parts[0],))
        with backend.session(float_dtype(parts[0])):
            return backend.xp.concat([backend.xp.reshape(part, (-1,)) for part in parts])

    @property
    def _first_coef(self) -> Array:
        return self.coefs_[0]

    def _link(self, logits: Array, *, xp: Any) -> Array:
        return self._fitted_loss.link(logits, xp=xp)

    def _outputs(self, X: Any, method: str, function: Callable[..., Array]) -> Array:
        """Return ``function(logits, xp=xp)``: of X's library, or a NumPy array for host data."""
        check_is_fitted(self, "coefs_")
        compat.check_same_namespace(X, self, "_first_coef", method)
        X = data.check_features(self, X, reset=False)
        place = self._placement(X, float_dtype(self.coefs_[0]), Penalty())
        with place.session():
            params = place.floats(self._params())
            logits = network_logits(place, params, place.features(X, "X"))
            y = function(logits, xp=place.backend.xp)
            return place.backend.to_host(y) if backends.owner(X) is None else y

    def save(self, path: str | os.PathLike[str], *, optimizer_state: bool = True) -> Path:
        """Write the fitted estimator to a file: safetensors with JSON, no pickle.

        Parameters
        ----------
        path : str or path
            A file that is there is replaced; folders that are missing are made.
        optimizer_state : bool, default True
            Whether the file holds what `partial_fit` and a warm start go on with.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        ValueError
            A layer, the loss, the optimizer or the schedule is not one of xpnet's.

        Notes
        -----
        Callbacks, and a RandomState as `random_state`, are not in the file.
        """
        check_is_fitted(self, "coefs_")
        return files.save(self, path, optimizer_state=optimizer_state)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, backend: str | None = None, device: Any = None
    ) -> Self:
        """Return the fitted estimator of a file.

        Parameters
        ----------
        path : str or path
            What `save` wrote, or a `Checkpoint` of a fit; its estimator is as if the fit had ended
            there.
        backend, device
            As for the constructor: where the file's net was trained does not matter.

        Returns
        -------
        MLPClassifier or MLPRegressor

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            The file is damaged, of a later version, or of another estimator.
        """
        return files.load(cls, path, backend, device)

    def to_sklearn(self) -> Any:
        """Return scikit-learn's own estimator with the same weights.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or MLPRegressor
            Fitted. On NumPy its predictions for dense X of the type of `coefs_` are the same to the
            bit, but for probabilities that scikit-learn rounds to 0. Parameters that it lacks have
            its defaults, and a `partial_fit` of it begins with a fresh optimizer.

        Raises
        ------
        ValueError
            scikit-learn has no such activation, one for each layer, or no such loss.
        """
        check_is_fitted(self, "coefs_")
        return conversion.to_sklearn(self)

    def to_onnx(self) -> Any:
        """Return an ONNX model (the package onnx is needed: ``pip install 'xpnet[onnx]'``).

        Returns
        -------
        onnx.ModelProto
            Its input ``X`` has shape ``(N, n_features_in_)`` and the type of `coefs_`: train with
            ``dtype="float32"`` for runtimes that want that. A classifier has the outputs ``label``
            and ``probabilities``, a regressor ``predictions``.
        """
        check_is_fitted(self, "coefs_")
        classes = getattr(self, "classes_", None)
        if classes is not None and classes.dtype.kind == "f" and (classes % 1 == 0).all():
            classes = classes.astype(np.int64)  # ONNX has no labels that are floats
        flatten = classes is None and self.n_outputs_ == 1
        return onnx.to_onnx(
            self._network, self._params(), self._fitted_loss, classes=classes, flatten=flatten
        )

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for name in ("coefs_", "intercepts_"):
            if name in state:
                state[name] = [backends.to_host(array) for array in state[name]]
        kept, kind = state.pop("_memory", (None, None))
        if kept is not None and self.pickle_optimizer_state:
            moments = tuple(backends.to_host(array) for array in kept.optimizer_state)
            state["_memory"] = replace(kept, optimizer_state=moments), kind
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags
