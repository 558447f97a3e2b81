"""What a backend is: a namespace, a device, two ways across, and one verb that runs an epoch."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from .reductions import StagedSum
from .slots import Layouts, Slot

Array = Any
"""An array of any library: the namespace `xp` that belongs to it is handed in beside it."""

Tree = Any
"""An array, None, or a tuple of trees."""

Step = Callable[[Any, Tree, Tree, Tree], tuple[Tree, Array]]
"""``step(xp, state, x, data) -> (state, y)``, a pure function of arrays."""


Parts = Sequence[tuple[Array, ...]]


class BackendUnavailableError(RuntimeError):
    """The backend cannot be used on this machine; the message says why and what would mend it.

    Examples
    --------
    >>> from xpnet import backends
    >>> try:
    ...     backend = backends.get("cupy")
    ... except backends.BackendUnavailableError as error:
    ...     backend = backends.get("numpy")
    """


def imported(package: str) -> Any:
    """Import an optional package, or raise BackendUnavailableError with the reason."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise BackendUnavailableError(f"importing {package} failed ({error})") from error
        raise BackendUnavailableError(f"the package {package} is missing") from error
    except ImportError as error:
        raise BackendUnavailableError(f"importing {package} failed ({error})") from error


def bound(module: Any, device: Any) -> dict[str, Any]:
    """Return a namespace's creation functions, bound to the device."""
    names = ("arange", "asarray", "empty", "full", "linspace", "ones", "zeros")
    return {name: functools.partial(getattr(module, name), device=device) for name in names}


class Namespace:
    """An array namespace in which some functions are replaced.

    Names that are not replaced are looked up in `module` once and kept.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet.backends import Namespace
    >>> xp = Namespace(np, sum=np.add.reduce)
    >>> int(xp.sum(xp.asarray([1, 2])))
    3
    """

    def __init__(self, module: Any, **replacements: Any) -> None:
        self._module = module
        self.__dict__.update(replacements)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        self.__dict__[name] = value
        return value

    def replace(self, **functions: Any) -> None:
        """Replace functions from now on, or add them."""
        self.__dict__.update(functions)


def elementwise(xp: Any, function: Callable[..., Tree], *args: Any) -> Tree:
    """Return ``function(xp, *args)``, whose results depend element by element on its arrays.

    Where the namespace can, it makes one kernel of it.
    """
    fused = getattr(xp, "fused", None)
    return function(xp, *args) if fused is None else fused(function, *args)


class Backend(ABC):
    """One array library on one device.

    Attributes
    ----------
    name : str
        The name that `backend=` takes.
    xp : Namespace
        The array-API namespace that is handed down to layers, losses and optimizers.
        Its creation functions allocate on `device`.
    device : object
        The library's own device object.
    mutable : bool
        Whether arrays can be changed in place (by users: xpnet itself never does).
    whole_epochs : bool
        Whether steps are compiled into epochs, in which nothing can be exchanged.
    index_dtype : str
        The type of the rows that `xp.take` fetches, where another one would be converted.
    transports : tuple of str
        The ways that `joined` knows.
    comm : mpi4py.MPI.Comm or None
        The communicator that it is joined to.

    Examples
    --------
    >>> from xpnet import backends
    >>> backend = backends.get("numpy")
    >>> backend.name, backend.device_name, backend.asarray([1, 2], "float32").dtype.name
    ('numpy', 'cpu', 'float32')
    """

    mutable: ClassVar[bool] = True
    index_dtype: ClassVar[str] = "int32"
    whole_epochs: ClassVar[bool] = False
    transports: ClassVar[tuple[str, ...]] = ("host",)
    name: ClassVar[str]
    remedy: ClassVar[str]

    xp: Namespace
    device: Any
    comm: Any = None

    @abstractmethod
    def __init__(self, device: Any = None) -> None:
        """Use that device, or the library's default one."""

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Return the library's version; import it, or raise BackendUnavailableError."""

    @staticmethod
    @abstractmethod
    def owns(value: Any) -> bool:
        """Return whether `value` is an array of this library, without importing the library."""

    @classmethod
    @abstractmethod
    def of(cls, array: Array) -> Backend:
        """Return the backend on the device where `array` lies."""

    @abstractmethod
    def asarray(self, value: Any, dtype: str | None = None) -> Array:
        """Bring a host array, or an array of this library, to the device."""

    def upload(self, value: np.ndarray, dtype: str | None = None) -> Array:
        """Bring a host array of an epoch's inputs to where `scan` takes it from."""
        return self.asarray(value, dtype)

    @abstractmethod
    def to_host(self, array: Array) -> np.ndarray:
        """Return the array as a NumPy array."""

    def slot(self, layouts: Layouts) -> Slot:
        """Return host memory of those (shape, dtype name), to be filled again and again."""
        return Slot(self, layouts)

    def check_step(self, step: Step, compile: bool) -> None:
        """Raise where the backend cannot run a step in that way."""
        if compile and self.whole_epochs and getattr(step, "reduced", self.comm is not None):
            raise ValueError(
                f"backend={self.name!r} compiles whole epochs, which cannot be cut where the "
                "ranks' gradients are summed. Pass compile=False, which runs step by step, or "
                "backend='numpy'."
            )

    def joined(self, comm: Any, transport: str = "host") -> Backend:
        """Return this backend with ``xp.all_reduce(array)``, an array's sum over all ranks.

        All ranks must call it as often and in the same order, with arrays of one shape and type;
        all get the same bits.

        Parameters
        ----------
        comm : mpi4py.MPI.Comm
        transport : {'host', 'cuda', 'nccl'}, default 'host'
            The way between the ranks: through host memory or, with CuPy, by a CUDA-aware MPI or
            by NCCL.

        Returns
        -------
        Backend
            Itself.
        """
        if transport not in self.transports:
            known = ", ".join(map(repr, self.transports))
            raise ValueError(f"transport={transport!r}: backend={self.name!r} has only {known}.")
        self._join(comm, transport)
        self.comm = comm
        return self

    def _join(self, comm: Any, transport: str) -> None:
        self.xp.replace(all_reduce=StagedSum(self, comm))

    def session(self, dtype: str) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which arrays of `dtype` are made and used."""
        # Most libraries overflow silently, and on the host NumPy shall: the trainer reports
        # a run that diverges.
        return np.errstate(all="ignore")

    def threads(self, work: int) -> contextlib.AbstractContextManager[Any]:
        """Return the context for products of at most so many multiplications each."""
        return contextlib.nullcontext()

    def free_memory(self) -> int | None:
        """Return how many bytes the device has left; None where nobody knows."""
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, ValueError, OSError):
            return None

    def dtype(self, name: str) -> Any:
        """Return the library's dtype object of that name, or say that the device lacks it."""
        try:
            dtype = getattr(self.xp, name)
            self.xp.zeros((1,), dtype=dtype)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"dtype={name!r}: {self} has no such type ({error}). Pass dtype='float32'."
            ) from error
        return dtype

    def scan(
        self, step: Step, state: Tree, parts: Parts, data: Tree, *, compile: bool = True
    ) -> tuple[Tree, list[Array]]:
        """Run `step` once for each row of each part; return the last state and all results.

        Parameters
        ----------
        step : callable
            ``step(xp, state, x, data) -> (state, y)``, a pure function of arrays.
        state : tree
            What a step hands to the next.
        parts : sequence of tuples of arrays of shape (steps, ...)
            Within a part all steps have one shape: step i sees the i-th row of each array.
        data : tree
            What all steps see alike.
        compile : bool, default True
            Whether the steps may be run another way than one call after the other.

        Returns
        -------
        state : tree
        ys : list of arrays of shape (steps, ...)
            The results of each part's steps, on the device: nothing is read back here.
        """
        return (self._compiled if compile else self._eager)(step, state, parts, data)

    def _compiled(
        self, step: Step, state: Tree, parts: Parts, data: Tree
    ) -> tuple[Tree, list[Array]]:
        """Run the steps in the library's own way, where it has one."""
        return self._eager(step, state, parts, data)

    def _eager(self, step: Step, state: Tree, parts: Parts, data: Tree) -> tuple[Tree, list[Array]]:
        """Run the steps call by call: the reference."""
        ys = []
        for xs in parts:
            state, y = self._loop(step, state, xs, data)
            ys.append(y)
        return state, ys

    def _loop(
        self, step: Step, state: Tree, xs: tuple[Array, ...], data: Tree
    ) -> tuple[Tree, Array]:
        """Run the steps of a part one after the other."""
        ys = []
        for i in range(xs[0].shape[0]):
            state, y = step(self.xp, state, tuple(x[i, ...] for x in xs), data)
            ys.append(y)
        return state, self.xp.stack(ys)

    @property
    def device_name(self) -> str:
        """The device as `device=` takes it."""
        return str(self.device)

    def __repr__(self) -> str:
        return f"{self.name} on {self.device_name}"
