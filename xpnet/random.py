"""Counter-based random bits: the same on every library, on every device, in every order.

A number is the hash of where it is used (seed, step, layer, element), so nothing has to be
carried from step to step. All arithmetic is int32 with wrap-around, and right shifts are
masked, because the libraries share no unsigned type.
"""

from __future__ import annotations

from .backends import Array, Namespace

_BITS = 24
_START = 0x61C88647  # the golden ratio's bits: without it the hash of zeros is zero
SCALE = 1 << _BITS
"""`bits` lie in [0, SCALE): probability p is the threshold p * SCALE."""


def _shift(x: Array, n: int) -> Array:
    return (x >> n) & ((1 << (32 - n)) - 1)


def _mix(x: Array) -> Array:
    """One round of the "lowbias32" integer hash (Wellons, 2018; public domain)."""
    x = x ^ _shift(x, 16)
    x = x * 0x7FEB352D
    x = x ^ _shift(x, 15)
    x = x * (0x846CA68B - (1 << 32))
    return x ^ _shift(x, 16)


def bits(
    seed: Array,
    step: Array,
    stream: int,
    shape: tuple[int, ...],
    first_row: Array | None = None,
    *,
    xp: Namespace,
) -> Array:
    """Return 24 random bits for each element.

    Parameters
    ----------
    seed : int32 array of shape (1, 1) or (models, 1, 1)
    step : int32 array of shape ()
    stream : int
        Tells apart the users within one step, such as layers.
    shape : tuple (rows, columns)
    first_row : int32 array of shape (), optional
        The number of the first row; 0 by default.

    Returns
    -------
    int32 array of shape (rows, columns) or (models, rows, columns)
        Uniform in [0, 2**24).
    """
    rows, columns = shape
    element = xp.reshape(xp.arange(rows * columns, dtype=xp.int32), shape)
    if first_row is not None:
        element = element + first_row * columns
    # Adding to an array with axes: NumPy warns of overflow in scalars only.
    key = _mix(_mix(_mix(seed + _START) + stream) + step)
    return _shift(_mix(key + element), 32 - _BITS)
