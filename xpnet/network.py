"""A network: a list of layers over one flat vector of parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import validation
from .backends import Array, Namespace, elementwise
from .layers import Layer, Noise
from .losses import Loss

__all__ = ["Network"]


class Network:
    """Layers whose parameters are one flat vector.

    The network holds no arrays. Parameters are handed in as an array of shape
    (..., n_params): leading axes are models, and all of a stack is computed at once.

    Parameters
    ----------
    layers : sequence of Layer
        Neighbours must fit; at least one layer must say how many features come in.

    Attributes
    ----------
    layers : tuple of Layer
    n_features_in, n_outputs : int
    n_params : int
    names : tuple of str
        W1, b1, W2 … in the order of the flat vector.

    Raises
    ------
    ValueError
        There is no layer with parameters, or neighbours do not fit.

    Examples
    --------
    >>> from xpnet import Dense, Network, Sigmoid
    >>> net = Network([Dense(2, 3), Sigmoid(), Dense(3, 1)])
    >>> net.n_params, net.names
    (13, ('W1', 'b1', 'W2', 'b2'))
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        if not isinstance(layers, Iterable):
            raise TypeError(f"layers={layers!r} must be a list of layers, such as [Dense(2, 1)].")
        self.layers = tuple(layers)
        for i, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layers[{i}]={layer!r} must be a Layer, such as Dense(30, 10).")
        self.n_features_in, self.n_outputs = self._check_sizes()
        self._first = next(i for i, layer in enumerate(self.layers) if layer.parameters)
        self._slices: list[list[tuple[int, int, tuple[int, ...]]]] = []
        names, start, number = [], 0, 0
        for layer in self.layers:
            number += bool(layer.parameters)
            slices = []
            for p in layer.parameters:
                stop = start + math.prod(p.shape)
                slices.append((start, stop, p.shape))
                names.append(f"{p.name}{number}")
                start = stop
            self._slices.append(slices)
        self.names = tuple(names)
        self.n_params = start

    def _check_sizes(self) -> tuple[int, int]:
        size = first = None
        for i, layer in enumerate(self.layers):
            if layer.n_features_in is not None:
                if size is not None and layer.n_features_in != size:
                    raise ValueError(
                        f"layers[{i}]={layer!r} takes {layer.n_features_in} features, but "
                        f"{size} come out of the layers before it."
                    )
                first = layer.n_features_in if first is None else first
            size = layer.n_outputs if layer.n_outputs is not None else size
        if first is None or size is None:
            raise ValueError("layers must hold at least one layer with parameters, such as Dense.")
        return first, size

    @property
    def largest_parameter(self) -> int:
        """The elements of the largest parameter: a sample's share of the largest product."""
        return max(stop - start for start, stop, _ in self._flat_slices())

    @property
    def widest(self) -> int:
        """The most features that any layer takes or gives."""
        return max(self.n_features_in, *(layer.n_outputs or 0 for layer in self.layers))

    def __repr__(self) -> str:
        return f"Network([{', '.join(map(repr, self.layers))}])"

    def initialize(self, random_state: Any = None) -> np.ndarray:
        """Draw the initial parameters of one net on the host.

        Parameters
        ----------
        random_state : int, numpy.random.RandomState or None

        Returns
        -------
        numpy.ndarray of float64, shape (n_params,)
            Drawn layer by layer, weights before biases.

        Examples
        --------
        >>> from xpnet import Dense, Network
        >>> Network([Dense(2, 3)]).initialize(0).shape
        (9,)
        """
        rng = validation.check_random_state("random_state", random_state)
        values = [v for layer in self.layers for v in layer.initialize(rng)]
        return self.flatten(dict(zip(self.names, values, strict=True)))

    def flatten(self, parameters: dict[str, Any]) -> np.ndarray:
        """Return the flat host vector of parameters given by name.

        Parameters
        ----------
        parameters : dict of str to array
            All of `names`; the shapes of `unflatten`.

        Returns
        -------
        numpy.ndarray of shape (..., n_params)

        Raises
        ------
        ValueError
            A name is missing or unknown, or a shape does not fit.
        """
        validation.check_mapping("parameters", parameters)
        if set(parameters) != set(self.names):
            raise ValueError(
                f"parameters has the names {sorted(parameters)}; {list(self.names)} are needed."
            )
        parts = []
        for name, (start, stop, shape) in zip(self.names, self._flat_slices(), strict=True):
            value = np.asarray(parameters[name])
            lead = value.shape[: value.ndim - len(shape)]
            if value.shape != lead + shape:
                raise ValueError(f"{name} has shape {value.shape}; {shape} is needed.")
            parts.append(value.reshape((*lead, stop - start)))
        return np.concatenate(parts, axis=-1)

    def unflatten(self, params: Array, *, xp: Namespace | Any = np) -> dict[str, Array]:
        """Return the parameters by name, as reshaped slices of the flat vector.

        Parameters
        ----------
        params : array of shape (..., n_params)
        xp : namespace of `params`, default numpy

        Returns
        -------
        dict of str to array
            Views where the library has views: W1 of shape (..., in, out), b1 (..., out) …

        Examples
        --------
        >>> from xpnet import Dense, Network
        >>> net = Network([Dense(2, 3)])
        >>> {name: p.shape for name, p in net.unflatten(net.initialize(0)).items()}
        {'W1': (2, 3), 'b1': (3,)}
        """
        shape = tuple(getattr(params, "shape", ()))
        if shape[-1:] != (self.n_params,):
            raise ValueError(f"params has shape {shape}; (..., {self.n_params}) is needed.")
        flat = [p for layer in self._views(xp, params) for p in layer]
        return dict(zip(self.names, flat, strict=True))

    def _flat_slices(self) -> list[tuple[int, int, tuple[int, ...]]]:
        return [s for slices in self._slices for s in slices]

    def _views(self, xp: Any, params: Array) -> list[tuple[Array, ...]]:
        lead = tuple(params.shape[:-1])
        return [
            tuple(xp.reshape(params[..., a:b], lead + shape) for a, b, shape in slices)
            for slices in self._slices
        ]

    def forward(self, xp: Namespace, params: Array, x: Array, noise: Noise | None = None) -> Array:
        """Return the logits.

        Parameters
        ----------
        xp : namespace of the arrays
        params : array of shape (..., n_params)
        x : array of shape (..., batch, n_features_in)
        noise : Noise, optional
            What makes dropout random; None is inference.

        Returns
        -------
        array of shape (..., batch, n_outputs)
        """
        return self._forward(xp, self._views(xp, params), x, noise)[0]

    def _forward(
        self, xp: Namespace, views: Sequence[tuple[Array, ...]], x: Array, noise: Noise | None
    ) -> tuple[Array, list[Any]]:
        caches = []
        for i, (layer, parameters) in enumerate(zip(self.layers, views, strict=True)):
            if layer.elementwise and not layer.noisy:
                x, cache = elementwise(xp, layer.forward, parameters, x, None)
            else:
                x, cache = layer.forward(xp, parameters, x, noise and noise._replace(layer=i))
            caches.append(cache)
        return x, caches

    def loss_and_gradient(
        self,
        xp: Namespace,
        params: Array,
        x: Array,
        t: Array,
        loss: Loss,
        weights: Array | None = None,
        noise: Noise | None = None,
    ) -> tuple[Array, Array]:
        """Return the sum of the samples' losses and its gradient: the caller divides, last.

        Parameters
        ----------
        xp : namespace of the arrays
        params : array of shape (..., n_params)
        x : array of shape (..., batch, n_features_in)
        t : array
            Targets as `loss.prepare` returns them.
        loss : Loss
        weights : array of shape (..., batch), optional
        noise : Noise, optional

        Returns
        -------
        loss_sum : array of shape (...)
        gradient : array of shape (..., n_params)
        """
        views = self._views(xp, params)
        logits, caches = self._forward(xp, views, x, noise)
        losses = loss.samples(xp, logits, t)
        residual = loss.residual(xp, logits, t)
        if weights is not None:
            losses = losses * weights
            residual = residual * weights[..., None]
        return xp.sum(losses, axis=-1), self._backward(xp, params, views, caches, residual)

    def _backward(
        self,
        xp: Namespace,
        params: Array,
        views: Sequence[tuple[Array, ...]],
        caches: Sequence[Any],
        gradient: Array,
    ) -> Array:
        lead = tuple(params.shape[:-1])
        parts: list[Array] = []
        for i in range(len(self.layers) - 1, self._first - 1, -1):
            layer = self.layers[i]
            gradients = layer.parameter_gradients(xp, caches[i], gradient)
            parts[:0] = [xp.reshape(g, (*lead, -1)) for g in gradients]
            if i == self._first:
                break  # nobody needs the gradient in the data
            if layer.elementwise:
                gradient = elementwise(xp, layer.input_gradient, views[i], caches[i], gradient)
            else:
                gradient = layer.input_gradient(xp, views[i], caches[i], gradient)
        return xp.concat(parts, axis=-1)
