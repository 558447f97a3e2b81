"""A stand-in for CuPy whose streams can be captured: NumPy's numbers, a device's rules.

What is launched on a capturing stream is noted and not run. A graph knows its arrays by their
addresses alone: where one has been freed, a launch fails, as it would read another's numbers.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import sys
import weakref
from collections import OrderedDict
from types import ModuleType, SimpleNamespace

import array_api_compat
import array_api_compat.numpy as compat
import numpy as np

from xpnet.backends import cupy_calls

_OF_ARRAYS = (
    *("all", "any", "max", "mean", "prod", "sum", "take", "add", "copyto"),
    *("concat", "stack", "where", "abs", "exp", "log", "log1p", "expm1", "tanh", "sqrt"),
    *("maximum", "minimum", "multiply", "subtract", "divide", "matmul", "isfinite", "square"),
)
_REDUCTIONS = ("all", "any", "max", "mean", "prod", "sum")
_CREATION = ("arange", "asarray", "empty", "full", "linspace", "ones", "zeros")


class Array(np.ndarray):
    """Device memory."""

    cuda = None

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)

    @property
    def device(self):
        return self.cuda.device

    def __setitem__(self, key, value):
        self.cuda.launch(np.ndarray.__setitem__, self, key, value)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        out = out[0] if out else None
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return self.cuda.computed(function, inputs, options, out)

    def fill(self, value):
        self.cuda.launch(np.ndarray.fill, self, value)

    def copy(self, order="C"):
        return self.cuda.computed(np.array, (self,), {"order": order, "copy": True}, None)

    def get(self):
        self.cuda.synchronize()
        return np.array(plain(self))

    def __bool__(self):
        return bool(self.get())

    def __float__(self):
        return float(self.get())


def plain(value):
    """The same numbers, in arrays of NumPy's own class."""
    if isinstance(value, tuple | list):
        return type(value)(map(plain, value))
    return value.view(np.ndarray) if isinstance(value, Array) else value


class Address:
    """An array as a graph knows it: where it lies in whose memory."""

    def __init__(self, owner, address, shape, strides, dtype):
        self.owner = weakref.ref(owner)
        self.offset = address - owner.ctypes.data
        self.shape, self.strides, self.dtype = shape, strides, np.dtype(dtype)

    @classmethod
    def of(cls, array):
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        return cls(owner, array.ctypes.data, array.shape, array.strides, array.dtype)

    def array(self):
        owner = self.owner()
        assert owner is not None, "a graph reads or writes memory that has been freed"
        return np.ndarray(self.shape, self.dtype, _bytes(owner), self.offset, self.strides)


def _bytes(owner):
    raw = (ctypes.c_byte * max(owner.nbytes, 1)).from_address(owner.ctypes.data)
    raw.owner = owner
    return raw


def addressed(value):
    if isinstance(value, tuple | list):
        return type(value)(map(addressed, value))
    return Address.of(value) if isinstance(value, np.ndarray) and value.size else value


def found(value):
    if isinstance(value, tuple | list):
        return type(value)(map(found, value))
    return value.array() if isinstance(value, Address) else value


class Stream:
    def __init__(self, cuda, name):
        self.cuda, self.name, self.noted = cuda, name, None
        self.ptr = next(cuda.numbers)
        cuda.streams[self.ptr] = self

    def __enter__(self):
        self.cuda.current.append(self)

    def __exit__(self, *error):
        self.cuda.current.pop()

    def synchronize(self):
        self.cuda.log.append(f"synchronize {self.name}")

    def begin_capture(self):
        assert self.noted is None
        self.cuda.log.append("begin")
        self.noted = []

    def end_capture(self):
        self.cuda.log.append("end")
        noted, self.noted = self.noted, None
        return Graph(self.cuda, noted)


class Graph:
    def __init__(self, cuda, launches):
        self.cuda, self.launches = cuda, launches

    def launch(self):
        assert self.cuda.current[-1].name == "default"
        self.cuda.log.append("launch")
        for function, args, options in self.launches:
            function(*found(args), **options)


class Cublas(ModuleType):
    """The bindings of cuBLAS: matrices by addresses, column after column."""

    Operation = SimpleNamespace(N=0, T=1)
    Math = SimpleNamespace(TF32_TENSOR_OP_MATH=3)

    def __init__(self, cuda):
        super().__init__("nvmath.bindings.cublas")
        self.cuda = cuda

    def create(self):
        self.cuda.log.append("create")
        return 77

    def destroy(self, handle):
        self.cuda.device.check()
        assert self.stream in self.cuda.streams, "the handle's stream is gone"
        self.cuda.log.append("destroy")

    def set_stream(self, handle, stream):
        self.cuda.log.append("set_stream")
        self.stream = stream

    def set_workspace(self, handle, address, n_bytes):
        assert self.cuda.log[-1] == "set_stream", "that sets the workspace back"
        self.cuda.owner_of(address)
        self.cuda.log.append("set_workspace")

    def set_math_mode(self, handle, mode):
        self.cuda.log.append(f"math {mode}")

    def sgemm(self, *args):
        self._gemm("float32", *args)

    def dgemm(self, *args):
        self._gemm("float64", *args)

    def sgemm_strided_batched(self, *args):
        self._batched("float32", *args)

    def dgemm_strided_batched(self, *args):
        self._batched("float64", *args)

    def _gemm(self, dtype, handle, ta, tb, m, n, k, one, a, lda, b, ldb, zero, c, ldc):
        steps = (0, 0, 0)
        self._batched(
            *(dtype, handle, ta, tb, m, n, k, one, a, lda, steps[0], b, ldb, steps[1]),
            *(zero, c, ldc, steps[2], 1),
        )

    def _batched(
        self, dtype, handle, ta, tb, m, n, k, one, a, lda, sa, b, ldb, sb, zero, c, ldc, sc, count
    ):
        numbers = ctypes.c_float if dtype == "float32" else ctypes.c_double
        assert [numbers.from_address(p).value for p in (one, zero)] == [1.0, 0.0]
        assert handle == 77
        assert self.stream == self.cuda.current[-1].ptr, "products run on the stream set once"
        shapes = [(k, m) if ta else (m, k), (n, k) if tb else (k, n), (m, n)]
        arrays = []
        for address, rows_and_columns, lead, step in zip(
            (a, b, c), shapes, (lda, ldb, ldc), (sa, sb, sc), strict=True
        ):
            rows, columns = rows_and_columns
            assert lead >= max(1, rows), "a leading dimension that cuBLAS refuses"
            size = np.dtype(dtype).itemsize
            shape, strides = (count, rows, columns), (step * size, size, lead * size)
            owner = self.cuda.owner_of(address)
            arrays.append(Address(owner, address, shape, strides, dtype))
        self.cuda.launch(_product, *arrays, ta, tb)


def _product(a, b, out, ta, tb):
    out[...] = np.matmul(a.mT if ta else a, b.mT if tb else b)


class Cuda:
    """The modules cupy, cupy.cuda, array_api_compat.cupy and nvmath."""

    def __init__(self):
        self.log, self.kernels, self.numbers = [], [], itertools.count(1)
        self.streams, self.live = weakref.WeakValueDictionary(), weakref.WeakValueDictionary()
        self.default = Stream(self, "default")
        self.current = [self.default]
        self.device, self.limit = Device(), None
        self.malloc = Pool(self, "default").malloc
        self.pool_of, self.pools_in_capture = {}, set()

    def synchronize(self):
        assert self.current[-1].noted is None, "nothing can be read while a stream is captured"

    def launch(self, function, *args, **options):
        """Run a launch, or note it where the current stream is captured."""
        noted = self.current[-1].noted
        if noted is None:
            function(*found(plain(args)), **options)
        else:
            noted.append((function, addressed(plain(args)), options))

    def computed(self, function, inputs, options, out):
        """Launch what computes an array; a new one where none is given."""
        value = function(*plain(inputs), **options)
        if out is None:
            out = self.new(value)
        self.launch(_into, out, function, tuple(inputs), options)
        return out

    def new(self, value):
        """New memory with these numbers."""
        value = np.asarray(value)
        memory = self.malloc(value.nbytes).memory
        if self.current[-1].noted is not None:
            self.pools_in_capture.add(self.pool_of[memory.ctypes.data])
        array = memory[: value.nbytes].view(value.dtype).reshape(value.shape).view(Array)
        np.copyto(array.view(np.ndarray), value)
        return array

    def pool(self, array):
        """The name of the pool that an array lies in."""
        return self.pool_of[Address.of(array).owner().ctypes.data]

    def owner_of(self, address):
        """The memory in which an address lies."""
        for owner in list(self.live.values()):
            if owner.ctypes.data <= address < owner.ctypes.data + max(owner.nbytes, 1):
                return owner
        raise AssertionError("an address of memory that has been freed")

    def fuse(self, kernel_name):
        def decorate(function):
            def kernel(*arrays):
                self.kernels.append(kernel_name)
                assert all(isinstance(a, Array) for a in arrays), "a kernel takes device arrays"
                if self.current[-1].noted is None:
                    return function(*arrays)
                self.launch(function, *arrays)

            return kernel

        return decorate

    @contextlib.contextmanager
    def using_allocator(self, malloc):
        before, self.malloc = self.malloc, malloc
        try:
            yield
        finally:
            self.malloc = before

    def install(self, monkeypatch, without=()):
        """Let ``import cupy`` and ``import nvmath`` find this one."""
        Array.cuda = self
        cupy, cuda = ModuleType("cupy"), ModuleType("cupy.cuda")
        of_compat, nvmath = ModuleType("array_api_compat.cupy"), ModuleType("nvmath")
        for name, value in [*vars(compat).items()]:
            if name.startswith("_"):
                continue
            function = callable(value) and not isinstance(value, type)
            setattr(of_compat, name, self._of_device(value) if function else value)
        for name in _CREATION:
            setattr(of_compat, name, self._creation(getattr(compat, name)))
        of_compat.min = self._into(np.min, True)
        for name in _OF_ARRAYS:
            setattr(cupy, name, self._into(getattr(np, name), name in _REDUCTIONS))
        cupy.copyto = lambda out, value: self.launch(np.copyto, out, value)
        cupy.__version__, cupy.ndarray = "14.0.1", Array
        cupy.fuse, cupy.cuda = self.fuse, cuda
        cupy.empty = lambda shape, dtype: self.new(np.full(shape, 77, dtype))  # any numbers
        cupy.zeros = lambda shape, dtype: self.new(np.zeros(shape, dtype))
        cupy.asarray = self._creation(np.asarray)
        cupy.asnumpy = lambda array: array.get()
        cupy.get_default_memory_pool = lambda: SimpleNamespace(free_bytes=lambda: 1_000_000)
        cuda.Device = lambda index=0: self.device
        cuda.Stream = self._stream
        cuda.MemoryPool = lambda: Pool(self, "graphs")
        cuda.using_allocator = self.using_allocator
        cuda.get_current_stream = lambda: self.current[-1]
        cuda.runtime = SimpleNamespace(getDeviceCount=lambda: 1)
        cuda.memory = SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
        bindings, cublas = ModuleType("nvmath.bindings"), Cublas(self)
        self.cublas = cublas
        for module in (cupy, cuda, of_compat, nvmath, bindings, cublas):
            value = None if module.__name__ in without else module
            monkeypatch.setitem(sys.modules, module.__name__, value)
        monkeypatch.setattr(array_api_compat, "cupy", of_compat, raising=False)
        monkeypatch.setattr("xpnet.backends.cupy._failure", lambda: None)
        monkeypatch.setattr("xpnet.backends.cupy_fusion._kernels", OrderedDict())
        cupy_calls._fused.cache_clear()
        return self

    def _stream(self, *, non_blocking):
        self.device.check()
        assert non_blocking, "or it waits for whoever computes on the default stream"
        return Stream(self, "capturing")

    def _creation(self, function):
        def create(*args, **options):
            options.pop("device", None)
            if (
                args
                and isinstance(args[0], Array)
                and options.get("dtype") in (None, args[0].dtype)
            ):
                return args[0]
            return self.new(function(*plain(args), **options))

        return create

    def _of_device(self, function):
        """A function that is not captured, and whose results are device arrays."""

        def call(*args, **options):
            assert self.current[-1].noted is None, f"{function} is not captured"
            value = function(*args, **options)
            made = isinstance(value, np.ndarray | np.generic) and not isinstance(value, Array)
            return self.new(value) if made else value

        return call

    def _into(self, function, reduces):
        def call(*args, out=None, **options):
            if out is None:
                return self.computed(function, args, options, None)
            if not reduces:
                self.launch(_into, out, function, args, options)
                return out
            found = self.new(np.zeros(out.shape, out.dtype))  # CUB's own, which is copied to `out`
            self.launch(_into, found, function, args, options)
            self.launch(np.copyto, out, found)
            return out

        return call


def _into(out, function, args, options):
    np.copyto(out, function(*found(args), **options), casting="same_kind")


class OutOfMemoryError(MemoryError):
    def __init__(self, n_bytes):
        super().__init__(f"Out of memory allocating {n_bytes:,} bytes")


class Pool:
    """Memory that is freed when nobody holds what `malloc` returned, nor an array in it."""

    def __init__(self, cuda, name):
        self.cuda, self.name = cuda, name

    def malloc(self, n_bytes):
        if self.name == "graphs":
            self.cuda.device.check()
        if self.cuda.limit is not None and n_bytes > self.cuda.limit:
            raise OutOfMemoryError(n_bytes)
        memory = np.empty(max(n_bytes, 1), dtype=np.uint8)
        self.cuda.live[memory.ctypes.data] = memory
        self.cuda.pool_of[memory.ctypes.data] = self.name
        return SimpleNamespace(memory=memory)


class Device:
    id = 0
    mem_info = (5_000_000, 8_000_000)

    def __init__(self):
        self.active = 0

    def check(self):
        assert self.active, "called outside of the device's context"

    def __enter__(self):
        self.active += 1

    def __exit__(self, *error):
        self.active -= 1
