"""What a rank of scripts/distributed_demo does: trainings, and the times that they take."""

from __future__ import annotations

import itertools
import json
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import xpnet
from xpnet import SGD, Adam, Dense, Dropout, Network, ReLU, Stream, Tanh, Trainer

NETS = {
    "784-512-512-10, batch 1024": ((784, 512, 512, 10), 1024, 5),
    "784-512-512-10, batch 512": ((784, 512, 512, 10), 512, 10),
    "784-128-10, batch 2048": ((784, 128, 10), 2048, 10),
    "784-128-10, batch 256": ((784, 128, 10), 256, 40),
    "30-10-1, batch 32": ((30, 10, 1), 32, 400),
}
"""Sizes of layers, rows of a batch, steps of an epoch."""

SHARE = "share of a core"
"""Of the rank that had the least: where it is not nearly all, others used the machine."""

FLOATS = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
EVERY = (None, 1, 4, 16, 64)
SAME = {"float32": 1e-6, "float64": 1e-12}
"""How far several ranks may be from one."""


def network(sizes: tuple[int, ...]) -> Network:
    """Return a net of rectifiers."""
    layers: list[Any] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [Dense(n_in, n_out), ReLU()]
    return Network(layers[:-1])


def results(comm: Any) -> dict[str, Any]:
    """Return the parameters of some trainings, of this rank."""
    d, found = xpnet.datasets.load_digits(), {}
    weights = np.arange(len(d.x_train)) % 7 / 3
    drops = Network([Dense(64, 30), Dropout(0.2), Tanh(), Dense(30, 10)])
    stream = Stream(d.x_train, d.t_train, block_rows=100)
    for dtype in SAME:
        trainings = {
            "a net, batches of 100": (network((64, 50, 10)), d.x_train, d.t_train, None),
            "weights and dropout": (drops, d.x_train, d.t_train, weights),
        }
        if comm.size > 1:  # one rank reads a stream in another order: its ranks alone are compared
            trainings["a stream of 12 blocks"] = (network((64, 50, 10)), stream, None, None)
        for name, (net, x, t, weighted) in trainings.items():
            options = {"random_state": 0, "dtype": dtype, "comm": comm}
            trainer = Trainer(net, "softmax_cross_entropy", SGD(0.1, momentum=0.5), **options)
            trainer.fit(x, t, epochs=5, batch_size=100, sample_weight=weighted)
            found[f"{name}, {dtype}"] = trainer.state_.params
    return found


def speed(comm: Any, epochs: int, parts: int = 1) -> dict[str, float]:
    """Return the seconds of a step of each net; `parts` divides the batch, for one rank alone."""
    found = {}
    for name, (sizes, batch, steps) in NETS.items():
        rng = np.random.default_rng(0)
        x = rng.standard_normal((batch // parts * steps, sizes[0]), dtype=np.float32)
        t = rng.integers(0, max(2, sizes[-1]), len(x))
        loss = "softmax_cross_entropy" if sizes[-1] > 1 else "binary_cross_entropy"
        trainer = Trainer(network(sizes), loss, Adam(1e-4), random_state=0, comm=comm)
        began, used = time.perf_counter(), time.process_time()
        history = trainer.fit(x, t, epochs=1 + epochs, batch_size=batch // parts)
        share = (time.process_time() - used) / (time.perf_counter() - began)
        found[SHARE] = min(found.get(SHARE, 1.0), *comm.allgather(share))
        # The fastest epoch: what else the machine does only adds to it.
        found[name] = min(history.seconds[1:]) / steps
    return found


def reductions(comm: Any, repeats: int) -> dict[int, float]:
    """Return the seconds of a sum over all ranks, by the number of float32."""
    found = {}
    for n in FLOATS:
        x, out, seconds = np.ones(n, np.float32), np.empty(n, np.float32), []
        for _ in range(max(5, min(repeats, repeats * 20_000 // n))):
            comm.Barrier()
            began = time.perf_counter()
            comm.Allreduce(x, out)
            seconds.append(time.perf_counter() - began)
        found[n] = float(np.median(seconds))
    return found


def averaged(comm: Any, epochs: int) -> list[list[str]]:
    """Return a line for each number of steps between two averages."""
    d, lines = xpnet.datasets.load_digits(), []
    steps = -(-len(d.x_train) // 100) * epochs
    for every in EVERY:
        options = {"random_state": 0, "comm": comm, "average_every": every}
        net = network((64, 50, 10))
        trainer = Trainer(net, "softmax_cross_entropy", SGD(0.2), dtype="float32", **options)
        # Sampled, so that no epoch ends with a smaller batch, which ends a round.
        fit = {"iterations": steps, "batch_size": 100, "sampling": "replacement"}
        history = trainer.fit(d.x_train, d.t_train, **fit)
        loss, accuracy = trainer.evaluate(d.x_val, d.t_val)
        told = "gradients at each step" if every is None else f"parameters every {every}"
        lines.append([told, f"{history.losses[-1]:.4f}", f"{loss:.4f}", f"{accuracy:.3f}"])
    return lines


def child(jobs: str, out: str) -> None:
    """Do what the parent asks for, as one of the ranks; the first one writes what was found."""
    from mpi4py import MPI

    comm, found = MPI.COMM_WORLD, {}
    for job, amount in json.loads(jobs).items():
        if job == "results":
            found[job] = comm.gather(results(comm), root=0)
        elif job == "speed":
            found[job] = speed(comm, amount)
        elif job == "parts":
            found[job] = {n: speed(comm, amount, n) for n in (2, 3)}
        elif job == "reductions":
            found[job] = reductions(comm, amount)
        elif job == "averaged":
            found[job] = averaged(comm, amount)
    if comm.rank == 0:
        Path(out).write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    child(*sys.argv[1:])
