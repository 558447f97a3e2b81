"""The tutorials' updates of dicts of parameters: doors to the optimizers' rules."""

from __future__ import annotations

import numpy as np

from .. import backends, validation
from ..backends import Array
from ..optimizers import SGD, Adam, Optimizer

ArrayDict = dict[str, Array]


def _zeros(parameters: ArrayDict) -> ArrayDict:
    validation.check_mapping("parameters", parameters)
    return {f"d{k}": backends.namespace(p).zeros_like(p) for k, p in parameters.items()}


def _check_entry(name: str, arrays: ArrayDict, key: str, param: Array) -> None:
    if f"d{key}" not in arrays:
        raise ValueError(f"{name} has no 'd{key}'; it has {sorted(arrays)}.")
    shape = tuple(arrays[f"d{key}"].shape)
    if shape != tuple(param.shape):
        raise ValueError(f"{name}['d{key}'] has shape {shape}; {tuple(param.shape)} is needed.")


def _apply(
    optimizer: Optimizer,
    parameters: ArrayDict,
    grads: ArrayDict,
    named: dict[str, ArrayDict],
    t: int,
) -> tuple[ArrayDict, list[ArrayDict]]:
    """Step each array of `parameters` by the optimizer's rule; nothing is changed in place."""
    states = list(named.values())
    for name, arrays in ({"parameters": parameters, "grads": grads} | named).items():
        validation.check_mapping(name, arrays)
    rate = np.full((1, 1, 1), optimizer.learning_rate)
    table = optimizer.coefficients(np.full((1, 1, 1), float(t)), rate)
    c = {name: float(np.asarray(value).reshape(())) for name, value in table.items()}
    new_parameters: ArrayDict = {}
    new_states: list[ArrayDict] = [{} for _ in states]
    for key, param in parameters.items():
        _check_entry("grads", grads, key, param)
        for name, arrays in named.items():
            _check_entry(name, arrays, key, param)
        state = tuple(s[f"d{key}"] for s in states)
        new_parameters[key], state = optimizer.rule(
            backends.namespace(param), param, grads[f"d{key}"], state, c
        )
        for arrays, value in zip(new_states, state, strict=True):
            arrays[f"d{key}"] = value
    return new_parameters, new_states


def initialize_momentum(parameters: ArrayDict) -> ArrayDict:
    """Return velocities of zero.

    Parameters
    ----------
    parameters : dict of str to array
        W1, b1 …

    Returns
    -------
    dict of str to array
        dW1, db1 …

    Examples
    --------
    >>> import numpy as np
    >>> initialize_momentum({"W1": np.ones((1, 2))})
    {'dW1': array([[0., 0.]])}
    """
    return _zeros(parameters)


def update_with_momentum(
    parameters: ArrayDict, grads: ArrayDict, v: ArrayDict, beta: float, learning_rate: float
) -> tuple[ArrayDict, ArrayDict]:
    """Step with momentum: ``v = beta v + (1 - beta) g``, ``W = W - learning_rate v``.

    Parameters
    ----------
    parameters : dict of str to array
        W1, b1 …
    grads, v : dict of str to array
        dW1, db1 …
    beta : float in [0, 1)
        0 is plain gradient descent.
    learning_rate : float

    Returns
    -------
    parameters, v : dict of str to array
        New dicts; those handed in stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> p, g = {"W1": np.array([1.0])}, {"dW1": np.array([2.0])}
    >>> update_with_momentum(p, g, initialize_momentum(p), beta=0.5, learning_rate=0.1)
    ({'W1': array([0.9])}, {'dW1': array([1.])})
    """
    beta = validation.check_real("beta", beta, high=1.0)
    optimizer = SGD(learning_rate, momentum=beta, dampening=beta)
    parameters, (v,) = _apply(optimizer, parameters, grads, {"v": v}, 1)
    return parameters, v


def initialize_adam(parameters: ArrayDict) -> tuple[ArrayDict, ArrayDict]:
    """Return first and second moments of zero.

    Parameters
    ----------
    parameters : dict of str to array
        W1, b1 …

    Returns
    -------
    v, s : dict of str to array
        dW1, db1 …

    Examples
    --------
    >>> import numpy as np
    >>> initialize_adam({"b1": np.ones(1)})
    ({'db1': array([0.])}, {'db1': array([0.])})
    """
    return _zeros(parameters), _zeros(parameters)


def update_with_adam(
    parameters: ArrayDict,
    grads: ArrayDict,
    v: ArrayDict,
    s: ArrayDict,
    t: int,
    learning_rate: float = 0.01,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[ArrayDict, ArrayDict, ArrayDict]:
    """Step with Adam: ``W = W - learning_rate v_hat / (sqrt(s_hat) + epsilon)``.

    ``v = beta1 v + (1 - beta1) g``, ``s = beta2 s + (1 - beta2) g**2``, and
    ``v_hat = v / (1 - beta1**t)``, ``s_hat = s / (1 - beta2**t)``.

    Parameters
    ----------
    parameters : dict of str to array
        W1, b1 …
    grads, v, s : dict of str to array
        dW1, db1 …
    t : int
        Number of the step, from 1.
    learning_rate : float, default 0.01
    beta1, beta2 : float in [0, 1), default 0.9, 0.999
    epsilon : float, default 1e-8

    Returns
    -------
    parameters, v, s : dict of str to array
        New dicts; those handed in stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> p, g = {"W1": np.array([1.0])}, {"dW1": np.array([2.0])}
    >>> p, v, s = update_with_adam(p, g, *initialize_adam(p), t=1)
    >>> p["W1"].round(6)
    array([0.99])
    """
    t = validation.check_integer("t", t)
    epsilon = validation.check_real("epsilon", epsilon, open_low=True)
    optimizer = Adam(learning_rate, beta1=beta1, beta2=beta2, eps=epsilon)
    parameters, (v, s) = _apply(optimizer, parameters, grads, {"v": v, "s": s}, t)
    return parameters, v, s
