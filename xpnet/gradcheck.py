"""Numerical gradients, and a comparison of them with backpropagation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import backends, validation
from .backends import Array, Backend
from .evaluation import differentiate, objective
from .losses import LOSSES, Loss
from .network import Network
from .optimizers import SGD
from .penalties import Penalty
from .placement import Placement
from .step import Problem

__all__ = ["check_gradients", "numerical_gradient"]


def numerical_gradient(
    f: Callable[[Array], Array],
    params: Any,
    *,
    h: float = 1e-4,
    backend: Backend | None = None,
    dtype: str = "float64",
    stack: int = 64,
) -> np.ndarray:
    """Central differences, ``(f(p + h e_i) - f(p - h e_i)) / 2h`` for each element i.

    Since leading axes are models, one call of `f` computes many differences at once.

    Parameters
    ----------
    f : callable
        Takes an array of shape (models, n), returns one of shape (models,).
    params : array of shape (n,)
    h : float, default 1e-4
    backend : Backend, optional
        Where `f` computes; NumPy if None.
    dtype : {'float64', 'float32'}
        What `f` is given; float32 leaves few digits.
    stack : int, default 64
        How many elements one call of `f` differentiates.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> numerical_gradient(lambda p: (p**2).sum(axis=-1), np.array([1.0, -2.0])).round(6)
    array([ 2., -4.])
    """
    if not callable(f):
        raise TypeError(f"f={f!r} must be a function of an array of shape (models, n).")
    if backend is not None and not isinstance(backend, Backend):
        raise TypeError(f"backend={backend!r} must be a Backend, such as backends.get().")
    h = validation.check_real("h", h, open_low=True)
    dtype = validation.check_float_dtype("dtype", dtype)
    stack = validation.check_integer("stack", stack)
    backend = backends.get("numpy") if backend is None else backend
    host = validation.check_numeric("params", backends.to_host(params)).astype(np.float64)
    if host.ndim != 1:
        raise ValueError(f"params has shape {host.shape}; (n,) is needed.")
    gradient = np.empty_like(host)
    for start in range(0, host.size, stack):
        elements = np.arange(start, min(start + stack, host.size))
        shifts = np.zeros((elements.size, host.size))
        shifts[np.arange(elements.size), elements] = h
        values = f(backend.asarray(np.concatenate([host + shifts, host - shifts]), dtype))
        above, below = np.split(np.asarray(backend.to_host(values), np.float64), 2)
        gradient[elements] = (above - below) / (2.0 * h)
    return gradient


def check_gradients(
    network: Network,
    loss: Loss | str,
    x: Any,
    t: Any,
    *,
    params: Any = None,
    sample_weight: Any = None,
    penalty: Penalty | None = None,
    h: float = 1e-5,
    backend: str = "numpy",
    device: Any = None,
    random_state: Any = 0,
) -> float:
    """Compare backpropagation with numerical gradients, in float64.

    Dropout is switched on, with one and the same mask on both sides.

    Parameters
    ----------
    network : Network
    loss : Loss or str
    x, t : arrays
        A small batch.
    params : array of shape (n_params,), optional
        Where to compare; drawn from `random_state` if None.
    sample_weight : array of shape (samples,), optional
    penalty : Penalty, optional
    h : float, default 1e-5
    backend, device
        As for `Trainer`.
    random_state : int, RandomState or None, default 0

    Returns
    -------
    float
        ``|a - n| / (|a| + |n|)``, Euclidean norms of the two gradients; below 1e-7 where
        backpropagation is right and no kink (of ReLU, L1 …) lies within h.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Dense, Network, SquaredError, Tanh
    >>> net = Network([Dense(2, 3), Tanh(), Dense(3, 1)])
    >>> x = np.array([[0.1, 0.2], [0.3, -0.4]])
    >>> check_gradients(net, SquaredError(), x, np.array([1.0, 0.0])) < 1e-7
    True
    """
    if not isinstance(network, Network):
        raise TypeError(f"network={network!r} must be a Network.")
    rng = validation.check_random_state("random_state", random_state)
    params = network.initialize(rng) if params is None else backends.to_host(params)
    params = validation.check_numeric("params", params).astype(np.float64)
    if params.shape != (network.n_params,):
        raise ValueError(f"params has shape {params.shape}; ({network.n_params},) is needed.")
    if isinstance(loss, str):
        loss = LOSSES[validation.check_choice("loss", loss, LOSSES)]()
    if not isinstance(loss, Loss):
        raise TypeError(f"loss={loss!r} is no Loss: pass one, such as SquaredError().")
    penalty = Penalty() if penalty is None else penalty
    if not isinstance(penalty, Penalty) or np.ndim(penalty.l1) or np.ndim(penalty.l2):
        raise TypeError(f"penalty={penalty!r} must be the Penalty of one net.")
    problem = Problem(network, loss, SGD(), penalty)
    place = Placement(backends.get(backend, device, like=(x, t)), "float64", problem)
    seed = np.full((1, 1), rng.randint(2**31 - 1), dtype=np.int32)
    with place.session():
        samples = place.seeded(place.samples(x, t, sample_weight), seed)
        exact = differentiate(place, place.floats(params), samples, 0)[1]
        f = functools.partial(objective, place, samples, 0)
        numerical = numerical_gradient(f, params, h=h, backend=place.backend)
    size = np.linalg.norm(exact) + np.linalg.norm(numerical)
    return float(np.linalg.norm(exact - numerical) / size) if size else 0.0
