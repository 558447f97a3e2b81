"""The array libraries that xpnet trains on: the only room that imports cupy, jax and torch.

``available()`` tells what this machine can use; ``get`` turns the ``backend=`` and ``device=``
of a public function into a Backend. Neither imports a library that is not asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import validation
from .array_api_strict import ArrayAPIStrict
from .base import (
    Array,
    Backend,
    BackendUnavailableError,
    Namespace,
    Step,
    Tree,
    elementwise,
)
from .cupy import CuPy
from .jax import JAX
from .numpy import NumPy
from .slots import Slot
from .tape import Recorded, TapeError
from .torch import Torch

__all__ = [
    "BACKENDS",
    "Array",
    "Backend",
    "BackendUnavailableError",
    "Namespace",
    "Slot",
    "Status",
    "Step",
    "TapeError",
    "Tree",
    "available",
    "check_name",
    "elementwise",
    "get",
    "is_recorded",
    "namespace",
    "owner",
    "to_host",
]

BACKENDS: dict[str, type[Backend]] = {
    cls.name: cls for cls in (NumPy, CuPy, JAX, Torch, ArrayAPIStrict)
}


@dataclass(frozen=True)
class Status:
    """Whether a backend can be used here.

    Attributes
    ----------
    usable : bool
    version : str or None
        The library's version, where it is usable.
    device : str or None
        The device that is used by default.
    reason : str or None
        Why it is not usable.
    remedy : str or None
        What would mend that.

    Examples
    --------
    >>> from xpnet import backends
    >>> status = backends.available()["numpy"]
    >>> status.usable, status.device
    (True, 'cpu')
    """

    usable: bool
    version: str | None = None
    device: str | None = None
    reason: str | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        if self.usable:
            return f"{self.version} on {self.device}"
        return f"not usable: {self.reason}. To mend it: {self.remedy}"


def available() -> dict[str, Status]:
    """Return the state of every backend on this machine.

    Returns
    -------
    dict of str to Status
        Version and device of each backend, or why it cannot be used and what would mend it.
        Unlike everything else here this imports every library that is installed.

    Examples
    --------
    >>> from xpnet import backends
    >>> backends.available()["numpy"].usable
    True
    """
    return {name: _status(cls) for name, cls in BACKENDS.items()}


def _status(cls: type[Backend]) -> Status:
    try:
        return Status(True, version=cls.version(), device=cls().device_name)
    except BackendUnavailableError as error:
        return Status(False, reason=str(error), remedy=cls.remedy)


def get(backend: str | None = None, device: Any = None, *, like: tuple[Any, ...] = ()) -> Backend:
    """Return the backend of that name.

    Parameters
    ----------
    backend : {'numpy', 'cupy', 'jax', 'torch', 'array_api_strict', 'auto'} or None
        'auto' is CuPy where it is usable, else NumPy. None follows the arrays in `like`:
        their library and, unless `device` is given, their device; NumPy for host data.
    device : str or device object, optional
        A device of that library; its default one if None.
    like : tuple
        The arrays that come in. Host data (NumPy, pandas, lists) suits every backend.

    Returns
    -------
    Backend

    Raises
    ------
    ValueError
        The name or the device is unknown, or an array belongs to another library.
    BackendUnavailableError
        The backend cannot be used here; the message says why and what would mend it.

    Examples
    --------
    >>> from xpnet import backends
    >>> backends.get("numpy")
    numpy on cpu
    """
    if backend is not None:
        backend = check_name(backend)
    if backend == "auto":
        backend = "cupy" if _status(CuPy).usable else "numpy"
    owners = {o for o in map(owner, like) if o is not None}
    wanted = {backend} if backend is not None else owners
    if len(owners | wanted) > 1:
        told = " and ".join(sorted(owners))
        raise ValueError(
            f"backend={backend!r}: arrays of {told} came in. All device arrays of a call must "
            "use the same namespace: bring them to the host (NumPy) or to one library first."
        )
    name = next(iter(wanted), "numpy")
    cls = BACKENDS[name]
    try:
        if device is None and owners:
            return cls.of(next(a for a in like if owner(a) is not None))
        return cls(device)
    except BackendUnavailableError as error:
        raise BackendUnavailableError(f"backend={name!r}: {error}. {cls.remedy}.") from error


def check_name(backend: Any) -> str:
    """Return the name if it is one that `get` takes."""
    return validation.check_choice("backend", backend, [*BACKENDS, "auto"])


def owner(value: Any) -> str | None:
    """Return the name of the library whose device array `value` is; None for host data."""
    for name, cls in BACKENDS.items():
        if name != "numpy" and cls.owns(value):
            return name
    return None


def is_recorded(value: Any) -> bool:
    """Return whether a value is an array without numbers, of a step that is being recorded."""
    return isinstance(value, Recorded)


def to_host(value: Any) -> Any:
    """Return device arrays as NumPy arrays, and host data as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import backends
    >>> backends.to_host(np.ones(2))
    array([1., 1.])
    """
    return value if owner(value) is None else get(like=(value,)).to_host(value)


def namespace(array: Array) -> Namespace:
    """Return the namespace of an array, its creation functions bound to the array's device."""
    if is_recorded(array):
        return array.namespace
    return get(like=(array,)).xp
