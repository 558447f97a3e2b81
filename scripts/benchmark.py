"""How long a training step takes, beside the least that it could take on this machine.

The contestants run in turn, round after round, and medians are compared. The floor is what no
implementation can leave out: fetching the batch's rows, the step's matrix products and one pass
over the parameters, all in NumPy, into buffers that are reused.

    scripts/benchmark                       # NumPy, one BLAS thread
    scripts/benchmark --backend cupy        # the GPU, beside the same floor of the CPU
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # NumPy is imported only when the number of threads is set
    import numpy as np

    from xpnet.datasets import Dataset

Contestant = Callable[[], float]
"""Runs its steps and returns the seconds that they took."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Workload:
    """A net and how it is trained: sigmoid, SGD, batches drawn with replacement, float32."""

    sizes: tuple[int, ...]
    learning_rate: float
    batch_size: int
    target: float  # the largest ratio to the floor, on NumPy

    def __str__(self) -> str:
        net = "-".join(map(str, self.sizes))
        return (
            f"{net}, sigmoid, SGD {self.learning_rate}, batch {self.batch_size} "
            "with replacement, float32"
        )


MNIST = Workload(sizes=(784, 50, 10), learning_rate=0.1, batch_size=100, target=1.75)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return 1 where the results are wrong, whatever the speed."""
    options = parse(argv)
    with pinned(options.threads):
        from xpnet import backends

        try:
            place = backends.get(options.backend, options.device)
            data, origin = load(options.data_home)
        except (backends.BackendUnavailableError, ValueError, OSError) as error:
            print(f"benchmark: error: {error}", file=sys.stderr)
            return 2
        xpnet = XpnetRun(MNIST, data, options)
        contestants: dict[str, Contestant] = {
            "floor": floor(MNIST, data.x_train, options.steps),
            "xpnet": xpnet,
        }
        seconds = race(contestants, options.rounds)
        right, results = xpnet.check()
        print_report(seconds, options, str(place), results)
        print(f"{'workload':<10}{MNIST}; {origin}")
        print_machine()
    return 0 if right else 1


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="benchmark", description="Time xpnet's training step beside its floor in NumPy."
    )
    parser.add_argument("--backend", default="numpy", help="(default: numpy)")
    parser.add_argument("--device", help="of the backend, such as cuda:1")
    parser.add_argument("--rounds", type=positive, default=17, help="(default: 17)")
    parser.add_argument("--steps", type=positive, default=600, help="a round (default: 600)")
    parser.add_argument("--threads", type=positive, default=1, help="of BLAS (default: 1)")
    parser.add_argument(
        "--data-home",
        default=os.environ.get("XPNET_DATA_HOME"),
        metavar="DIR",
        help="the folder of MNIST's files (default: XPNET_DATA_HOME); without, synthetic images",
    )
    return parser.parse_args(argv)


def positive(text: str) -> int:
    """Return a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} must be 1 or more")
    return value


@contextlib.contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Hold BLAS and OpenMP to that many threads."""
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))  # for what is not loaded yet
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    import numpy as np  # noqa: F401 - its BLAS must be there to be limited

    with threadpool_limits(threads):
        yield


def load(data_home: str | None) -> tuple[Dataset, str]:
    """Return MNIST from its folder, or synthetic images of its shapes; and which it is."""
    import numpy as np

    from xpnet.datasets import Dataset, load_mnist

    if data_home:
        return load_mnist(data_home), "MNIST, 60,000 images as uint8"
    rng = np.random.RandomState(0)
    shapes = rng.randint(0, 128, (10, MNIST.sizes[0]), dtype=np.uint8)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        t = rng.randint(0, 10, n)
        return shapes[t] + rng.randint(0, 128, (n, MNIST.sizes[0]), dtype=np.uint8), t

    data = Dataset(*draw(60000), *draw(10000), name="synthetic")
    return data, "synthetic images, 60,000 as uint8 (--data-home takes MNIST's folder)"


def floor(workload: Workload, x: np.ndarray, n_steps: int) -> Contestant:
    """Return what any step has to do, with everything else left out."""
    import numpy as np

    rng = np.random.RandomState(0)
    n, sizes = workload.batch_size, workload.sizes

    def buffers(shapes: Any) -> list[np.ndarray]:
        return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]

    x = np.ascontiguousarray(x, dtype=np.float32) / np.float32(255)
    orders = rng.choice(len(x), (n_steps, n))
    inputs, errors = buffers((n, s) for s in sizes), buffers((n, s) for s in sizes)
    weights = buffers(pairwise(sizes))
    gradients = [np.empty_like(w) for w in weights]
    n_params = sum(w.size for w in weights) + sum(sizes[1:])
    params, updated = buffers([n_params, n_params])
    products: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for i, w in enumerate(weights):
        products.append((inputs[i], w, inputs[i + 1]))
    for i, w in reversed(list(enumerate(weights))):
        products.append((inputs[i].T, errors[i + 1], gradients[i]))
        if i > 0:
            products.append((errors[i + 1], w.T, errors[i]))

    def run() -> float:
        began = time.perf_counter()
        for rows in orders:
            x.take(rows, axis=0, out=inputs[0], mode="clip")
            for left, right, out in products:
                np.dot(left, right, out=out)
            np.copyto(updated, params)
        return time.perf_counter() - began

    return run


class XpnetRun:
    """xpnet's training; each call goes on from where the last one stopped."""

    def __init__(self, workload: Workload, data: Dataset, options: argparse.Namespace) -> None:
        from xpnet import SGD, Dense, Network, Sigmoid, SoftmaxCrossEntropy, Trainer

        layers: list[Any] = []
        for n_in, n_out in pairwise(workload.sizes):
            layers += [Dense(n_in, n_out), Sigmoid()]
        self.trainer = Trainer(
            Network(layers[:-1]),
            SoftmaxCrossEntropy(),
            SGD(workload.learning_rate),
            backend=options.backend,
            device=options.device,
            dtype="float32",
            random_state=0,
        )
        self.data, self.batch_size, self.n_steps = data, workload.batch_size, options.steps
        self.trainer.state_ = self.trainer.initialize()
        self.initial_loss, _ = self.trainer.evaluate(data.x_val, data.t_val)

    def __call__(self) -> float:
        # An epoch's seconds include reading its losses back: a GPU has finished by then.
        history = self.trainer.fit(
            self.data.x_train,
            self.data.t_train,
            iterations=self.n_steps,
            batch_size=self.batch_size,
            sampling="replacement",
            state=self.trainer.state_,
        )
        return sum(history.seconds)

    def check(self) -> tuple[bool, str]:
        """Return whether the validation loss is finite and fell, and the figures."""
        loss, accuracy = self.trainer.evaluate(self.data.x_val, self.data.t_val)
        told = (
            f"validation loss {self.initial_loss:.3f} -> {loss:.3f}, accuracy {accuracy:.4f} "
            f"after {self.trainer.state_.step:,} steps"
        )
        right = loss < self.initial_loss  # NaN is not
        return right, told if right else f"WRONG, the loss did not fall: {told}"


def race(contestants: dict[str, Contestant], n_rounds: int) -> dict[str, list[float]]:
    """Let each run once to warm up, then all in turn; return each one's seconds by round."""
    for run in contestants.values():
        run()
    rounds = [{name: run() for name, run in contestants.items()} for _ in range(n_rounds)]
    return {name: [seconds[name] for seconds in rounds] for name in contestants}


def print_report(
    seconds: dict[str, list[float]], options: argparse.Namespace, place: str, results: str
) -> None:
    """Print the ratio first: the median of the rounds' ratios."""
    ratios = [a / b for a, b in zip(seconds["xpnet"], seconds["floor"], strict=True)]
    ratio = statistics.median(ratios)
    told = f"{ratio:.2f} times the floor ({min(ratios):.2f} to {max(ratios):.2f})"
    if options.backend == "numpy" and options.threads == 1:
        reached = "reached" if ratio <= MNIST.target else "missed"
        told += f"; target {MNIST.target}: {reached}"
    else:
        told += f"; the target {MNIST.target} is for NumPy with one thread"
    print(f"{'ratio':<10}{told}")
    for name, times in seconds.items():
        where = place if name == "xpnet" else "NumPy, buffers reused"
        per_step = 1e6 * statistics.median(times) / options.steps
        print(f"{name:<10}{per_step:.1f} µs a step ({where})")
    print(f"{'results':<10}{results}")
    print(f"{'rounds':<10}{options.rounds} of {options.steps:,} steps each, interleaved; medians")


def print_machine() -> None:
    """Print what the figures depend on."""
    import numpy as np

    import xpnet

    print(f"{'machine':<10}{cpu_model()}, {os.cpu_count()} cores, {platform.platform()}")
    print(
        f"{'versions':<10}xpnet {xpnet.__version__}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, {blas()}"
    )


def cpu_model() -> str:
    """Return the processor's name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def blas() -> str:
    """Return NumPy's BLAS and its threads."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "BLAS unknown (threadpoolctl is missing)"
    pools = (pool for pool in threadpool_info() if pool["user_api"] == "blas")
    return ", ".join(
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')} "
        f"with {pool['num_threads']} thread(s)"
        for pool in pools
    )


if __name__ == "__main__":
    sys.exit(main())
