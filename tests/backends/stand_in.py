"""A stand-in for CuPy: streams that run when they like, as far as events let them."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np


class Stream:
    """A queue of work; each piece tells whether it could run.

    Attributes
    ----------
    ptr : int
    """

    def __init__(self, cuda, ptr):
        self._cuda, self.ptr, self.queue = cuda, ptr, []

    def launch(self, work):
        self.queue.append(lambda: work() or True)
        self._cuda.go_on()

    def wait_event(self, event):
        self._cuda.check_device()
        number = event.recorded
        self.queue.append(lambda: event.done >= number)
        self._cuda.go_on()

    def synchronize(self):
        self._cuda.log.append("synchronize")
        self._cuda.run_until(lambda: not self.queue)

    def step(self):
        """Run the next piece of work, if it may."""
        if self.queue and self.queue[0]():
            del self.queue[0]


class Event:
    def __init__(self, cuda, disable_timing=False):
        assert disable_timing
        cuda.check_device()
        self._cuda, self.recorded, self.done = cuda, 0, 0

    def record(self, stream):
        self._cuda.check_device()
        self.recorded += 1
        number = self.recorded
        stream.launch(lambda: setattr(self, "done", number))

    def synchronize(self):
        number = self.recorded
        self._cuda.run_until(lambda: self.done >= number)


class Array:
    """Device memory: NumPy's, but it is read and written when its stream comes to it."""

    def __init__(self, cuda, memory):
        self._cuda, self.memory = cuda, memory
        self.shape, self.dtype, self.size = memory.shape, memory.dtype, memory.size
        self.data = SimpleNamespace(ptr=memory.ctypes.data)

    def set(self, host, stream):
        self._cuda.check_device()
        stream.launch(lambda: np.copyto(self.memory, host))

    def view(self):
        return Array(self._cuda, self.memory)


class Nccl(ModuleType):
    """NCCL of ranks that all have the same numbers."""

    available, NCCL_FLOAT32, NCCL_FLOAT64, NCCL_SUM = True, 7, 8, 0

    def __init__(self, cuda):
        super().__init__("cupy.cuda.nccl")
        self._cuda = cuda

    def get_unique_id(self):
        self._cuda.log.append("get_unique_id")
        return (1, 2, 3)

    def NcclCommunicator(self, size, key, rank):
        self._cuda.check_device()
        self._cuda.log.append(("NcclCommunicator", size, key, rank))
        return SimpleNamespace(allReduce=self._all_reduce)

    def _all_reduce(self, *args):
        self._cuda.check_device()
        self._cuda.log.append(("allReduce", *args))


class Device:
    """The device, in whose context all must be called."""

    pci_bus_id = "0000:01:00.0"

    def __init__(self, cuda):
        self._cuda = cuda

    def __enter__(self):
        self._cuda._active.append(True)

    def __exit__(self, *error):
        self._cuda._active.pop()


class Cuda:
    """The modules cupy, cupy.cuda and cupyx.

    Parameters
    ----------
    seed : int
        Of the order in which the streams run, and of how late: with 0 when they must.
    """

    def __init__(self, seed=0):
        self._random, self._pace = np.random.RandomState(seed), 1 + seed % 4
        self._active, self.log = [], []
        self.compute, self.copying = Stream(self, 10), Stream(self, 20)
        self.device = Device(self)
        self.nccl = Nccl(self)

    def check_device(self):
        assert self._active, "called outside of the device's context"

    def go_on(self):
        """Let streams run for a while, or not."""
        for _ in range(self._random.randint(self._pace)):
            self._random.choice([self.compute, self.copying]).step()

    def run_until(self, is_done):
        for _ in range(10_000):
            if is_done():
                return
            self._random.choice([self.compute, self.copying]).step()
        raise AssertionError("the streams wait for each other")

    def array(self, memory):
        return Array(self, memory)

    def install(self, monkeypatch):
        """Let ``import cupy`` find this one."""
        cupy, cuda, cupyx = ModuleType("cupy"), ModuleType("cupy.cuda"), ModuleType("cupyx")
        cupy.cuda, cuda.nccl = cuda, self.nccl
        cuda.Event = lambda **options: Event(self, **options)
        cuda.Stream = lambda *, non_blocking: self._stream(non_blocking)
        cuda.get_current_stream = self._current
        cupyx.empty_pinned = self._empty
        cupy.empty = lambda shape, dtype: self.array(self._empty(shape, dtype))
        cupy.asarray = lambda x, order: self._ordered(x, order)
        for module in (cupy, cuda, cupyx, self.nccl):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        return self

    def _stream(self, non_blocking):
        self.check_device()
        assert non_blocking
        self.log.append("Stream")
        return self.copying

    def _current(self):
        self.check_device()
        return self.compute

    def _empty(self, shape, dtype):
        self.check_device()
        return np.empty(shape, dtype)

    def _ordered(self, x, order):
        self.check_device()
        return x if x.memory.flags.c_contiguous else self.array(np.array(x.memory, order=order))
