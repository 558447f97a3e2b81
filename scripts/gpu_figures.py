"""Measure what docs/gpu-results.md lists as still to be run on a GPU, and check what can be wrong.

graphs     steps with CUDA graphs beside steps without: equal losses, microseconds a step
memory     many fits, while other pools are freed and exhausted: the same losses, nothing kept
overlap    a stream's copies beside its steps: both together against the longer of the two
crossover  NumPy beside the backend by width and batch size, as a picture

On another backend graphs and pools are left out: try the script with --backend torch.

exit code: 1 where losses differ or memory stays; overlap and crossover only tell
"""

from __future__ import annotations

import os
import resource
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from common import parser, run, save, table

from xpnet import (
    SGD,
    Adam,
    BinaryCrossEntropy,
    Callback,
    Dense,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Stream,
    Trainer,
    backends,
    plots,
)

GRAPHS = "XPNET_CUDA_GRAPHS"


class Workload(NamedTuple):
    """A net, and how it is trained."""

    name: str
    widths: tuple[int, ...]
    activation: Any
    optimizer: Callable[[], Any]
    batch: int
    steps: int
    models: int = 1
    epochs: int = 8
    rest: int = 0  # samples of a last, smaller batch

    def network(self) -> Network:
        """Return the net."""
        layers: list[Any] = []
        for n_in, n_out in zip(self.widths, self.widths[1:], strict=False):
            layers += [Dense(n_in, n_out), self.activation()]
        return Network(layers[:-1])

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return as many samples as an epoch has."""
        rng = np.random.RandomState(0)
        x = rng.rand(self.steps * self.batch + self.rest, self.widths[0]).astype(np.float32)
        return x, rng.randint(max(2, self.widths[-1]), size=len(x))

    def trainer(self, where: dict[str, Any], **options: Any) -> Trainer:
        """Return what trains it."""
        loss = SoftmaxCrossEntropy() if self.widths[-1] > 1 else BinaryCrossEntropy()
        seed = [*range(self.models)] if self.models > 1 else 0
        return Trainer(
            self.network(), loss, self.optimizer(), random_state=seed, **where, **options
        )


def workloads(quick: bool) -> list[Workload]:
    """Return what graphs are measured on."""
    if quick:
        return [Workload("small", (8, 6, 3), Sigmoid, SGD, 16, 20)]
    wide = (784, 1024, 1024, 10)
    return [
        Workload("MNIST 784-50-10, batch 100", (784, 50, 10), Sigmoid, SGD, 100, 600),
        Workload("784-50-10, Adam", (784, 50, 10), ReLU, Adam, 100, 600),
        Workload("wide, batch 1,024", wide, ReLU, Adam, 1024, 60),
        Workload("wide, batch 8,192", wide, ReLU, Adam, 8192, 16),
        Workload("30-10-1, batch 32", (30, 10, 1), ReLU, SGD, 32, 200),
        Workload("and one of 7, 24 epochs", (30, 10, 1), ReLU, Adam, 32, 200, 1, 24, 7),
        Workload("256 nets 30-10-1, batch 32", (30, 10, 1), ReLU, SGD, 32, 200, 256),
    ]


@contextmanager
def graphs(on: bool) -> Any:
    """Switch CUDA graphs on or off; a capture that fails is an error, not a run without."""
    before = os.environ.get(GRAPHS)
    os.environ[GRAPHS] = "1" if on else "0"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            yield
    finally:
        os.environ.pop(GRAPHS)
        os.environ |= {} if before is None else {GRAPHS: before}


def timed(workload: Workload, trainer: Trainer) -> tuple[float, np.ndarray, float]:
    """Return the median microseconds a step, the losses, and the seconds of the first epoch."""
    trainer.fit(*workload.data(), epochs=workload.epochs, batch_size=workload.batch)
    first, *others = trainer.history_.seconds
    median = statistics.median(map(float, others[1:]))
    return 1e6 * median / workload.steps, np.array(trainer.history_.losses), float(first)


def measure_graphs(options: Any, where: dict[str, Any]) -> list[str]:
    """Steps with graphs beside steps without."""
    rows, wrong = [], []
    for workload in workloads(options.quick):
        found = []
        for on in (True, False):
            with graphs(on):
                compiled = on or options.backend == "cupy"
                found.append(timed(workload, workload.trainer(where, compile=compiled)))
        (graph, losses, first), (plain, expected, _) = found
        apart = float(np.max(np.abs(losses / expected - 1.0)))
        if apart > (1e-5 if options.dtype == "float32" else 1e-12):
            wrong.append(f"{workload.name}: losses are {apart:.1e} apart")
        cells = [f"{graph:,.1f}", f"{plain:,.1f}", f"{plain / graph:.1f}", f"{apart:.0e}"]
        rows.append([workload.name, *cells, f"{first:.2f}"])
        print(" | ".join(rows[-1]), flush=True)
    print(table("net, µs a step with graphs, without, ratio, losses apart, first epoch s", rows))
    return wrong


class Disturb(Callback):
    """Frees CuPy's own pool after each epoch, and exhausts it."""

    def on_epoch_end(self, fit: Any) -> None:
        import cupy

        pool = cupy.get_default_memory_pool()
        pool.free_all_blocks()
        pool.set_limit(size=pool.total_bytes() + (1 << 20))
        try:
            cupy.empty(1 << 24, dtype=np.uint8)
            raise AssertionError("the pool was not exhausted")
        except cupy.cuda.memory.OutOfMemoryError:
            pass
        finally:
            pool.set_limit(size=0)


def used_bytes(backend: Any) -> int:
    """Return the memory in use: of the device on CuPy, else the most of this process."""
    if backend.name != "cupy":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    import cupy

    cupy.get_default_memory_pool().free_all_blocks()
    free, total = backend.device.mem_info
    return int(total - free)


def measure_memory(options: Any, where: dict[str, Any]) -> list[str]:
    """Many fits, and what they leave."""
    workload = workloads(True)[0]
    backend, wrong = backends.get(options.backend, options.device), []

    def fit(callbacks: list[Callback]) -> np.ndarray:
        trainer = workload.trainer(where)
        x, t = workload.data()
        trainer.fit(x, t, epochs=4, batch_size=workload.batch, callbacks=callbacks)
        return np.array(trainer.history_.losses)

    with graphs(True):
        expected = fit([])
        if backend.name == "cupy" and not np.array_equal(fit([Disturb()]), expected):
            wrong.append("losses change where other pools are freed and exhausted")
        used = []
        for _ in range(20 if options.quick else 100):
            fit([])
            used.append(used_bytes(backend))
    early, late = used[len(used) // 10], used[-1]
    print(f"{len(used)} fits: {early:,} bytes in use after a tenth of them, {late:,} at the end")
    if late > early + (8 << 20):
        wrong.append(f"{late - early:,} bytes stay")
    return wrong


def measure_overlap(options: Any, where: dict[str, Any]) -> list[str]:
    """A stream's copies beside its steps."""
    rows, features = (20_000, 16) if options.quick else (2_000_000, 64)
    batch, buffer = (1000, 2000) if options.quick else (8192, 81_920)
    rng = np.random.RandomState(0)
    x = rng.rand(rows, features).astype(np.float32)
    t = rng.randint(2, size=rows)
    network = Network([Dense(features, 256), ReLU(), Dense(256, 1)])

    def seconds(*data: Any) -> float:
        trainer = Trainer(network, BinaryCrossEntropy(), Adam(), random_state=0, **where)
        trainer.fit(*data, epochs=3, batch_size=batch)
        return float(min(trainer.history_.seconds))

    backend = backends.get(options.backend, options.device)
    steps, together = seconds(x, t), seconds(Stream(x, t, buffer_bytes=4 * features * buffer))
    with backend.session(options.dtype):
        slots = [backend.slot([((buffer, features), "float32")]) for _ in range(2)]
        began = time.perf_counter()
        for start in range(0, rows, buffer):
            slot = slots[start // buffer % 2]
            slot.wait()
            slot.bring()
            slot.ready()
            slot.used()
        for slot in slots:
            slot.wait()
        copies = time.perf_counter() - began
    print(
        f"an epoch of {rows:,} rows: steps on the device {steps:.3f} s, copies to it {copies:.3f} "
        f"s, from a stream {together:.3f} s, {together / max(steps, copies):.2f} times the longer"
    )
    return []


def measure_crossover(options: Any, where: dict[str, Any]) -> list[str]:
    """NumPy beside the backend, by width and batch size."""
    widths, batches = (
        ([8, 16], [16, 32]) if options.quick else ([16, 64, 256, 1024], [32, 256, 2048])
    )
    on_numpy = {"dtype": where["dtype"], "backend": "numpy"}
    ratios = np.empty((len(widths), len(batches)))
    for i, width in enumerate(widths):
        for k, batch in enumerate(batches):
            steps = 20 if options.quick else 40
            workload = Workload("", (64, width, width, 10), ReLU, Adam, batch, steps)
            numpy, other = (timed(workload, workload.trainer(w))[0] for w in (on_numpy, where))
            ratios[i, k] = numpy / other
            print(f"width {width}, batch {batch}: NumPy {numpy:,.0f} µs a step, {other:,.0f}")
    ax = plots.heat_map(
        ratios,
        [str(width) for width in widths],
        [str(batch) for batch in batches],
        title=f"{options.backend} against NumPy",
        label="times as fast",
    )
    ax.set_xlabel("batch size")
    ax.set_ylabel("width")
    save(ax, options.out / f"crossover_{options.backend}.png")
    return []


PARTS = {
    "graphs": measure_graphs,
    "memory": measure_memory,
    "overlap": measure_overlap,
    "crossover": measure_crossover,
}


def main() -> None:
    """Measure the parts that are asked for."""
    p = parser(__doc__)
    p.set_defaults(backend="cupy", dtype="float32")
    p.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    options = p.parse_args()
    where = {"backend": options.backend, "device": options.device, "dtype": options.dtype}
    wrong = []
    for name in options.parts or PARTS:
        print(f"{name}: {PARTS[name].__doc__}", flush=True)
        wrong += PARTS[name](options, where)
    if wrong:
        raise SystemExit("\n".join(["wrong:", *wrong]))


if __name__ == "__main__":
    run(main)
