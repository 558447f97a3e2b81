"""Pure array functions: activations, softmax, one-hot, the tutorials' cross-entropies.

Each takes an array of any library. `xp` is its namespace; callers that have it at hand pass it
down, everybody else leaves it out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import backends, validation
from .backends import Array, Namespace

__all__ = [
    "as_floats",
    "cross_entropy_error",
    "elu",
    "gelu",
    "identity",
    "leaky_relu",
    "log_softmax",
    "one_hot",
    "relu",
    "sigmoid",
    "sign",
    "silu",
    "softmax",
    "softplus",
    "sparse_cross_entropy_error",
    "tanh",
]


def _resolve(x: Any, xp: Namespace | None) -> tuple[Array, Namespace]:
    """Find the namespace of `x`, and make floats of host data, where no namespace is given."""
    if xp is not None:
        return x, xp
    if backends.owner(x) is None and not backends.is_recorded(x):
        x = np.asarray(x)
        if x.dtype.kind != "f":
            x = x.astype(np.float64)
    return x, backends.namespace(x)


def as_floats(x: Array, dtype: Any, *, xp: Namespace | None = None) -> Array:
    """Cast to a float type; 8-bit pixels are scaled from 0..255 to [0, 1].

    Parameters
    ----------
    x : array
    dtype : dtype of the same library

    Returns
    -------
    array of the same shape

    Examples
    --------
    >>> import numpy as np
    >>> as_floats(np.array([0, 51, 255], dtype=np.uint8), np.float64)
    array([0. , 0.2, 1. ])
    """
    xp = backends.namespace(x) if xp is None else xp
    if x.dtype == dtype:
        return x
    floats = xp.astype(x, dtype)
    return floats / 255.0 if x.dtype == xp.uint8 else floats


def identity(x: Array, *, xp: Namespace | None = None) -> Array:
    """Return x itself.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the same shape and type

    Examples
    --------
    >>> identity([-1.0, 2.0])
    array([-1.,  2.])
    """
    return _resolve(x, xp)[0]


def sigmoid(x: Array, *, xp: Namespace | None = None, precise: bool = False) -> Array:
    r"""Logistic function, ``1 / (1 + exp(-max(x, -100)))``.

    The bound keeps exp from overflowing; in float32 it is -88.

    Parameters
    ----------
    x : array of any shape
    precise : bool, default False
        Whether a library's own function is used where it has one: on NumPy SciPy's expit, which is
        scikit-learn's sigmoid. It is up to twice as slow; NumPy's exp differs from C's, and
        between processors, in the last digit.

    Returns
    -------
    array of the same shape, in [0, 1]

    Examples
    --------
    >>> sigmoid([-1000.0, 0.0, 1000.0]).round(3)
    array([0. , 0.5, 1. ])
    """
    x, xp = _resolve(x, xp)
    if precise and hasattr(xp, "expit"):
        return xp.expit(x)
    lowest = -88.0 if x.dtype == xp.float32 else -100.0
    return 1.0 / (1.0 + xp.exp(-xp.maximum(x, lowest)))


def tanh(x: Array, *, xp: Namespace | None = None) -> Array:
    """Hyperbolic tangent.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the same shape and type

    Examples
    --------
    >>> tanh([0.0, 1.0]).round(3)
    array([0.   , 0.762])
    """
    x, xp = _resolve(x, xp)
    return xp.tanh(x)


def relu(x: Array, *, xp: Namespace | None = None) -> Array:
    """Rectified linear unit, ``max(x, 0)``.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the same shape and type

    Examples
    --------
    >>> relu([-1.0, 2.0])
    array([0., 2.])
    """
    x, xp = _resolve(x, xp)
    return xp.maximum(x, 0.0)


def leaky_relu(x: Array, negative_slope: float = 0.01, *, xp: Namespace | None = None) -> Array:
    """Leaky rectifier, ``max(x, 0) + negative_slope * min(x, 0)``.

    Parameters
    ----------
    x : array of any shape
    negative_slope : float, default 0.01

    Returns
    -------
    array of the same shape and type

    Examples
    --------
    >>> leaky_relu([-1.0, 2.0])
    array([-0.01,  2.  ])
    """
    x, xp = _resolve(x, xp)
    return xp.maximum(x, 0.0) + negative_slope * xp.minimum(x, 0.0)


def elu(x: Array, alpha: float = 1.0, *, xp: Namespace | None = None) -> Array:
    """Exponential linear unit, ``max(x, 0) + alpha * (exp(min(x, 0)) - 1)``.

    Parameters
    ----------
    x : array of any shape
    alpha : float, default 1.0

    Returns
    -------
    array of the same shape and type

    References
    ----------
    Clevert, Unterthiner, Hochreiter (2016), https://arxiv.org/abs/1511.07289

    Examples
    --------
    >>> elu([-1.0, 2.0]).round(3)
    array([-0.632,  2.   ])
    """
    x, xp = _resolve(x, xp)
    return xp.maximum(x, 0.0) + alpha * xp.expm1(xp.minimum(x, 0.0))


def softplus(x: Array, *, xp: Namespace | None = None) -> Array:
    """Smooth rectifier, ``log(1 + exp(x))``, computed without overflow.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the same shape and type

    Examples
    --------
    >>> softplus([-1000.0, 0.0, 1000.0]).round(3)
    array([0.00e+00, 6.93e-01, 1.00e+03])
    """
    x, xp = _resolve(x, xp)
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))


def gelu(x: Array, *, xp: Namespace | None = None) -> Array:
    """Gaussian error linear unit in its tanh form (torch: ``approximate='tanh'``).

    ``x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x**3)))``

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the same shape and type

    References
    ----------
    Hendrycks, Gimpel (2016), https://arxiv.org/abs/1606.08415

    Examples
    --------
    >>> gelu([-1.0, 0.0, 1.0]).round(3)
    array([-0.159,  0.   ,  0.841])
    """
    x, xp = _resolve(x, xp)
    return 0.5 * x * (1.0 + xp.tanh(gelu_inner(x)))


def gelu_inner(x: Array) -> Array:
    """Return what stands inside GELU's tanh."""
    return math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)


def silu(x: Array, *, xp: Namespace | None = None) -> Array:
    """Sigmoid linear unit (swish), ``x * sigmoid(x)``.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the same shape and type

    References
    ----------
    Elfwing, Uchibe, Doya (2018), https://arxiv.org/abs/1702.03118

    Examples
    --------
    >>> silu([-1.0, 0.0, 1.0]).round(3)
    array([-0.269,  0.   ,  0.731])
    """
    x, xp = _resolve(x, xp)
    return x * sigmoid(x, xp=xp)


def sign(x: Array, *, xp: Namespace | None = None) -> Array:
    """Sign as -1, 0 or 1, in the type of x.

    Comparisons, since CuPy's own ``sign`` in the standard's namespace synchronises.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    array of the same shape and type

    Examples
    --------
    >>> sign([-2.0, 0.0, 3.0])
    array([-1.,  0.,  1.])
    """
    x, xp = _resolve(x, xp)
    return xp.astype(x > 0.0, x.dtype) - xp.astype(x < 0.0, x.dtype)


def log_softmax(x: Array, *, xp: Namespace | None = None) -> Array:
    """Logarithm of softmax over the last axis, without overflow.

    Parameters
    ----------
    x : array of shape (..., classes)

    Returns
    -------
    array of shape (..., classes)

    Examples
    --------
    >>> log_softmax([0.0, 0.0]).round(3)
    array([-0.693, -0.693])
    """
    x, xp = _resolve(x, xp)
    shifted = x - xp.max(x, axis=-1, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def softmax(x: Array, *, xp: Namespace | None = None) -> Array:
    """Normalised exponentials over the last axis, ``exp(x_k) / sum_j exp(x_j)``.

    Parameters
    ----------
    x : array of shape (..., classes)

    Returns
    -------
    array of shape (..., classes)
        Rows are positive and sum to 1.

    Examples
    --------
    >>> softmax([[0.0, 0.0], [1000.0, 0.0]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    x, xp = _resolve(x, xp)
    powers = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return powers / xp.sum(powers, axis=-1, keepdims=True)


def one_hot(
    labels: Array, n_classes: int, *, dtype: Any = None, xp: Namespace | None = None
) -> Array:
    """Integer labels as rows with a single one.

    Parameters
    ----------
    labels : integer array of shape (...)
        In [0, n_classes); other values give rows of zeros.
    n_classes : int
    dtype : dtype, optional
        A floating-point dtype of the same library; by default the library's own default one.

    Returns
    -------
    array of shape (..., n_classes)

    Examples
    --------
    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    if xp is None:
        n_classes = validation.check_integer("n_classes", n_classes)
        labels = np.asarray(labels) if backends.owner(labels) is None else labels
        xp = backends.namespace(labels)
        if not xp.isdtype(labels.dtype, "integral"):
            raise TypeError(f"labels have dtype {labels.dtype}; integers are needed.")
    classes = xp.arange(n_classes, dtype=labels.dtype)
    return xp.astype(labels[..., None] == classes, xp.zeros(()).dtype if dtype is None else dtype)


def _probabilities_and_targets(y: Any, t: Any) -> tuple[Array, Array, Namespace]:
    backend = backends.get(like=(y, t))
    # Only host data is converted: a device array keeps its library.
    y = backend.asarray(validation.check_numeric("y", y) if backends.owner(y) is None else y)
    t = backend.asarray(validation.check_numeric("t", t) if backends.owner(t) is None else t)
    if y.ndim not in (1, 2):
        raise ValueError(f"y has shape {y.shape}; (batch, classes) or (classes,) is needed.")
    return y, t, backend.xp


def cross_entropy_error(y: Array, t: Array) -> Array:
    """Categorical cross-entropy of one-hot targets, mean of ``-log(y[target] + 1e-7)``.

    Parameters
    ----------
    y : array of shape (batch, classes) or (classes,)
        Probabilities.
    t : array of the shape of y
        One-hot targets.

    Returns
    -------
    scalar

    Raises
    ------
    ValueError
        The shapes differ: integer targets belong to `sparse_cross_entropy_error`.

    Examples
    --------
    >>> round(float(cross_entropy_error([[0.1, 0.9], [0.5, 0.5]], [[0, 1], [1, 0]])), 4)
    0.3993
    """
    y, t, xp = _probabilities_and_targets(y, t)
    if t.shape != y.shape:
        raise ValueError(
            f"t has shape {t.shape}, y {y.shape}: one-hot targets have the shape of y. "
            "For integer targets use sparse_cross_entropy_error."
        )
    t = xp.astype(t, y.dtype, copy=False)
    batch = 1 if y.ndim == 1 else y.shape[0]
    return -xp.sum(t * xp.log(y + 1e-7)) / batch


def sparse_cross_entropy_error(y: Array, t: Array) -> Array:
    """Categorical cross-entropy of integer targets, mean of ``-log(y[target] + 1e-7)``.

    Parameters
    ----------
    y : array of shape (batch, classes) or (classes,)
        Probabilities.
    t : integer array of shape (batch,), or (1,) for a single sample
        Classes in [0, classes).

    Returns
    -------
    scalar

    Raises
    ------
    TypeError
        t does not hold integers.
    ValueError
        The shapes do not fit, or a target is not a class: one-hot targets belong to
        `cross_entropy_error`.

    Examples
    --------
    >>> round(float(sparse_cross_entropy_error([[0.1, 0.9], [0.5, 0.5]], [1, 0])), 4)
    0.3993
    """
    y, t, xp = _probabilities_and_targets(y, t)
    if not xp.isdtype(t.dtype, "integral"):
        raise TypeError(f"t has dtype {t.dtype}: sparse targets are integers.")
    batch = (1,) if y.ndim == 1 else (y.shape[0],)
    if t.shape != batch:
        raise ValueError(
            f"t has shape {t.shape}, y {y.shape}: sparse targets have shape {batch}. "
            "For one-hot targets use cross_entropy_error."
        )
    n_classes = y.shape[-1]
    if bool(xp.any((t < 0) | (t >= n_classes))):
        raise ValueError(f"t holds a target outside the classes 0..{n_classes - 1}.")
    return cross_entropy_error(y, xp.reshape(one_hot(t, n_classes, dtype=y.dtype, xp=xp), y.shape))
