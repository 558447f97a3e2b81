"""What a layer is: shapes, and three pure functions of arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..backends import Array, Namespace


class Parameter(NamedTuple):
    """One parameter of a layer.

    Attributes
    ----------
    name : str
        'W' or 'b'; the network numbers them: W1, b1, W2 …
    shape : tuple of int
        Its shape for one net.
    penalized : bool
        Whether L1 and L2 penalties apply: true of weights, not of biases.

    Examples
    --------
    >>> from xpnet import Dense
    >>> [parameter.name for parameter in Dense(3, 2).parameters]
    ['W', 'b']
    """

    name: str
    shape: tuple[int, ...]
    penalized: bool


class Noise(NamedTuple):
    """What makes a training pass random; None stands for inference.

    Attributes
    ----------
    seed : int32 array of shape (1, 1) or (models, 1, 1)
    step : int32 array of shape ()
    layer : int
    coefficients : dict of str to array
        Among them those of the layers, see `Layer.coefficients`.
    first_row : int32 array of shape (), or None
        The number of the batch's first row, where other ranks have those before it.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Dropout
    >>> from xpnet.backends import get
    >>> noise = Noise(np.zeros((1, 1), np.int32), np.int32(0))
    >>> y, _ = Dropout(0.5).forward(get("numpy").xp, (), np.ones((4, 8)), noise)
    >>> sorted(set(y.ravel().tolist()))
    [0.0, 2.0]
    """

    seed: Array
    step: Array
    layer: int = 0
    coefficients: dict[str, Array] = {}  # noqa: RUF012 - a NamedTuple's default, never changed
    first_row: Array | None = None

    def coefficient(self, name: str) -> Array:
        """Return a coefficient of the layer, of shape (models, 1, 1)."""
        return self.coefficients[f"{name}{self.layer}"][..., None]


class Layer:
    """A layer without parameters; `Dense` has some.

    Subclasses are frozen dataclasses: their fields say all about them. They hold no arrays.
    Inputs have shape (..., batch, features), parameters the shapes of `parameters` behind the
    same leading axes, which are models.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from xpnet import Dense, Network
    >>> from xpnet.layers import Layer
    >>> @dataclass(frozen=True)
    ... class Square(Layer):
    ...     def forward(self, xp, parameters, x, noise):
    ...         return x * x, x
    ...     def input_gradient(self, xp, parameters, cache, gradient):
    ...         return 2.0 * gradient * cache
    >>> Network([Dense(2, 3), Square(), Dense(3, 1)]).n_params
    13
    """

    n_features_in: int | None = None
    """How many features come in; None if the layer takes any number."""

    n_outputs: int | None = None
    """How many features go out; None if as many as come in."""

    elementwise: bool = False
    """Whether each element that goes out depends on the one that comes in at its place alone."""

    noisy: bool = False
    """Whether the layer needs noise in training, so that a run has a seed for it."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What is learned, in the order in which it lies in the flat vector."""
        return ()

    def initialize(self, rng: np.random.RandomState) -> tuple[np.ndarray, ...]:
        """Draw the initial parameters on the host, in the order of `parameters`."""
        return ()

    def coefficients(self) -> dict[str, np.ndarray]:
        """Return the numbers of shape (models, 1) that each model of a stack has its own of."""
        return {}

    def forward(
        self, xp: Namespace, parameters: tuple[Array, ...], x: Array, noise: Noise | None
    ) -> tuple[Array, Any]:
        """Return the output and whatever the backward pass needs of it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward.")

    def parameter_gradients(self, xp: Namespace, cache: Any, gradient: Array) -> tuple[Array, ...]:
        """Return the loss's gradient in each parameter, given that in the output."""
        return ()

    def input_gradient(
        self, xp: Namespace, parameters: tuple[Array, ...], cache: Any, gradient: Array
    ) -> Array:
        """Return the loss's gradient in the input, given that in the output."""
        raise NotImplementedError(f"{type(self).__name__} must define input_gradient.")
