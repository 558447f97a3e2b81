"""Trainings of many kinds on as many ranks as there are: what each gives is written by rank 0.

mpiexec -n 2 python -m mpi4py trainings.py all FOLDER
mpiexec -n 2 python trainings.py fail WHERE
mpiexec -n 2 python -m mpi4py trainings.py stream FOLDER [kill]
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import signal
import sys
import traceback
from pathlib import Path

import numpy as np
import scipy.sparse

from xpnet import (
    SGD,
    Adam,
    Callback,
    Checkpoint,
    Cosine,
    CSVLogger,
    Dense,
    Dropout,
    EarlyStopping,
    LearningRateSchedule,
    Network,
    Penalty,
    Plateau,
    ReLU,
    Stream,
    Tanh,
    TimeLimit,
    Trainer,
    backends,
)
from xpnet.batches import Batches
from xpnet.distributed import RankError
from xpnet.streams import Plan
from xpnet.streams.subset import Subset

RNG = np.random.RandomState(7)
N, BATCH = 101, 25
"""The last batch has one row: only one rank has some of it."""
X = RNG.standard_normal((N, 6)) * (RNG.uniform(size=(N, 6)) > 0.3)
T = (X @ RNG.standard_normal(6) > 0).astype(np.int64)
CLASSES = T + (X[:, 0] > 0.5)
AMOUNTS = X @ RNG.standard_normal((6, 2)) + 0.5
WEIGHTS = RNG.uniform(0.5, 2.0, N) * (RNG.uniform(size=N) > 0.3)
WEIGHTS[:30] = 0.0  # all of the first batch where they lie in order, and a part of the second

SMALL = Network([Dense(6, 5), Tanh(), Dense(5, 1)])
DROPS = Network([Dense(6, 8), Dropout(0.3), ReLU(), Dropout(0.2), Dense(8, 1)])
THREE = Network([Dense(6, 5), Tanh(), Dense(5, 3)])
TWO = Network([Dense(6, 5), Tanh(), Dense(5, 2)])
LINEAR = Network([Dense(6, 1)])
LOG, MANY, SQUARES = "binary_cross_entropy", "softmax_cross_entropy", "squared_error"
RATES = np.array([[0.1], [0.3]])


def case(net=SMALL, loss=LOG, optimizer=None, *, x=X, t=T, own=None, **options):
    """Return a training: trainer, data, and the options of fit."""
    return net, loss, optimizer or SGD(0.2, momentum=0.5), x, t, own or {}, options


CASES = {
    "plain": case(),
    "Adam": case(optimizer=Adam(0.01)),
    "in order": case(sampling="sequential"),
    "with replacement": case(sampling="replacement"),
    "all rows a step": case(batch_size=None),
    "two rows a step": case(batch_size=2, epochs=1),
    "some steps": case(epochs=None, iterations=11),
    "weights": case(sample_weight=WEIGHTS, sampling="sequential"),
    "weights, shuffled": case(sample_weight=WEIGHTS, optimizer=Adam(0.01)),
    "dropout": case(DROPS),
    "penalty and norm": case(own={"penalty": Penalty(l1=0.05, l2=0.1), "max_norm": 0.1}),
    "classes": case(THREE, MANY, t=CLASSES),
    "amounts": case(TWO, SQUARES, SGD(0.05), t=AMOUNTS, train_score=True),
    "stack of rates": case(optimizer=SGD(RATES, momentum=0.5)),
    "stack of seeds": case(DROPS, own={"random_state": [3, 4, 5]}),
    "stack, weights": case(own={"random_state": [3, 4]}, sample_weight=WEIGHTS, train_score=True),
    "stack, norms": case(optimizer=SGD(RATES), own={"max_norm": np.array([[0.1], [0.5]])}),
    "sparse": case(x=scipy.sparse.csr_array(X), sample_weight=WEIGHTS),
    "sparse stack": case(x=scipy.sparse.csr_array(X), own={"random_state": [3, 4]}),
    "pixels": case(x=(40 * X + 128).astype(np.uint8)),
    "losses before": case(step_losses="before", sample_weight=WEIGHTS, sampling="sequential"),
    "losses after": case(step_losses="after", sample_weight=WEIGHTS, sampling="sequential"),
    "dropout, losses after": case(DROPS, step_losses="after"),
    "objectives": case(objectives=True, own={"penalty": Penalty(l2=0.1)}),
    "validation": case(validation_data=(X[:40], T[:40], WEIGHTS[:40])),
    "cosine by steps": case(optimizer=Adam(Cosine(0.02, 20, unit="step"))),
    "plateau": case(optimizer=SGD(Plateau(0.5, 0.5, patience=0, min_delta=0.05)), epochs=8),
    "call by call": case(DROPS, own={"compile": False}),
}
"""What one rank and several must agree in."""

EAGER = ("plain", "weights", "dropout", "stack of rates", "losses after")
"""What is compared bit for bit with the run call by call."""

LIBRARIES = {"torch": True, "array_api_strict": True, "jax": False}
"""Other backends, and whether they can compile a step for several ranks."""

ELSEWHERE = ("weights", "dropout", "stack of seeds")

CURVES = ("losses", "step_losses", "scores", "val_losses", "val_scores")


def curves(history):
    """Return all curves but the seconds."""
    return {name: np.array(getattr(history, name)) for name in CURVES if getattr(history, name)}


def train(what, comm=None, dtype="float64", **more):
    """Run a case; return parameters and curves."""
    net, loss, optimizer, x, t, own, options = what
    if not isinstance(x, Stream) and x.dtype != np.uint8:
        x = x.astype(dtype)
    own = {"random_state": 0, "dtype": dtype, "comm": comm} | own | more
    trainer = Trainer(net, loss, optimizer, **own)
    history = trainer.fit(x, t, **{"epochs": 4, "batch_size": BATCH} | options)
    return found(trainer, history)


def found(trainer, history):
    """Return parameters, optimizer state and curves."""
    state = trainer.state_
    arrays = {f"state {k}": array for k, array in enumerate(state.optimizer_state)}
    arrays = {name: np.asarray(backends.to_host(a)) for name, a in arrays.items()}
    params = np.asarray(backends.to_host(state.params))
    return {"params": params, **arrays, **curves(history)}


def several(comm, folder):
    """Yield (name, what to run) of all trainings on several ranks."""
    for name, what in CASES.items():
        for dtype in ("float32", "float64"):
            yield f"{name}, {dtype}", lambda w=what, d=dtype: train(w, comm, d)
    for name in EAGER:
        yield f"eager {name}", lambda n=name: train(CASES[n], comm, compile=False)
    if comm.size == 2:
        yield from elsewhere(comm)
    yield "seeds differ", lambda: train(CASES["dropout"], comm, random_state=None)
    yield "state", lambda: continued(comm)
    yield "callbacks", lambda: with_callbacks(comm, folder)
    yield "time limit", lambda: limited(comm)
    yield "diverged", lambda: train(case(LINEAR, SQUARES, SGD(1e9), epochs=40), comm)
    yield "wrong data", lambda: train(case(x=X + comm.rank), comm)
    yield "other lengths", lambda: train(case(epochs=1 + comm.rank), comm)
    yield "other batches", lambda: train(case(batch_size=10 + comm.rank), comm)
    yield "NaN on rank 1", lambda: with_nan(comm)
    yield "wrong state on rank 1", lambda: from_wrong_state(comm)
    yield "some of the ranks", lambda: part_of_all(comm)
    yield from averaged(comm)
    for name, options in STREAMS.items():
        yield f"stream, {name}", lambda o=options: on_stream(comm, **o)
    yield "blocks", lambda: train(case(x=Stream(X, T, block_rows=90), t=None), comm)


def elsewhere(comm):
    """Yield what is run on other libraries than NumPy."""
    for library, compiles in LIBRARIES.items():
        if importlib.util.find_spec(library) is None:
            continue
        for name in ELSEWHERE:
            own = {"backend": library, "compile": compiles}
            yield f"{library} {name}", lambda n=name, o=own: train(CASES[n], comm, **o)


def continued(comm):
    """Train in two fits."""
    trainer = Trainer(SMALL, LOG, Adam(0.01), random_state=0, comm=comm)
    trainer.fit(X, T, epochs=2, batch_size=BATCH)
    history = trainer.fit(X, T, epochs=2, batch_size=BATCH, state=trainer.state_)
    return found(trainer, history)


class Steers(Callback):
    """Changes rate and parameters, and counts who calls it."""

    def __init__(self):
        self.calls = 0

    def on_epoch_begin(self, fit):
        fit.learning_rate = 0.1 / (1 + fit.done)

    def on_epoch_end(self, fit):
        self.calls += 1
        if fit.done == 2:
            from dataclasses import replace

            fit.state = replace(fit.state, params=0.5 * fit.params)


def with_callbacks(comm, folder):
    """Train with callbacks that stop, restore, steer and write; say who has called them."""
    steers = Steers()
    own = None if folder is None else [CSVLogger(folder / "log.csv"), Checkpoint(folder / "net")]
    callbacks = [EarlyStopping("losses", patience=1, min_delta=0.01), steers, *(own or [])]
    trainer = Trainer(SMALL, LOG, Adam(0.05), random_state=0, comm=comm)
    halving = LearningRateSchedule(lambda epoch, history: 0.05 * 0.5**epoch)
    history = trainer.fit(X, T, epochs=30, batch_size=BATCH, callbacks=[halving, *callbacks])
    result = found(trainer, history)
    if comm is not None:
        result["calls"] = np.array(comm.allgather(steers.calls))
        result["stopped"] = np.array(comm.allgather(trainer.stopped_))
    else:
        result["stopped"] = np.array([trainer.stopped_])
    return result


def limited(comm):
    """Train until the first rank's time is up."""
    trainer = Trainer(SMALL, LOG, random_state=0, comm=comm)
    limit = TimeLimit(0.05 if comm.rank == 0 else 1e9)
    history = trainer.fit(X, T, epochs=10**6, batch_size=BATCH, callbacks=[limit])
    assert trainer.stopped_ == "the time limit of 0.05 s was reached"
    return found(trainer, history)


def with_nan(comm):
    """Train on data that one rank cannot use."""
    x = X.copy()
    if comm.rank == 1:
        x[5, 2] = np.nan
    return train(case(x=x), comm)


def from_wrong_state(comm):
    """Go on from a state that does not fit on one rank."""
    other = Trainer(TWO if comm.rank == 1 else SMALL, LOG, SGD(0.2, momentum=0.5), random_state=0)
    return train(case(state=other.initialize()), comm)


def part_of_all(comm):
    """Train on some of the ranks alone, after all of them have trained the same net."""
    color = 0 if comm.rank < 2 else 1
    own = comm.Split(color)
    result = train(CASES["plain"], own)
    own.Free()
    return result


ALL_BUSY = 103
"""Of so many rows, all ranks have some of the last batch."""

AVERAGED = {
    "every step": (1, "shuffle"),
    "every 3 steps": (3, "shuffle"),
    "every 100 steps": (100, "sequential"),
}
"""Local SGD: after how many steps ranks are averaged, and the order of the batches."""

AVERAGED_TOO = ("Adam", "stack of seeds", "weights", "sparse", "losses after")
"""Cases of which only some of the ranks have the last row: what counts is that ranks agree."""


def more_rows():
    """Return data, more than X and T."""
    x = np.concatenate([X, X[: ALL_BUSY - N] + 0.5])
    return {"x": x, "t": np.concatenate([T, T[: ALL_BUSY - N]])}


def averaged(comm):
    """Yield what is averaged every some steps."""
    for name, (every, sampling) in AVERAGED.items():
        for rows, data in ((ALL_BUSY, more_rows()), (N, {})):
            what = case(LINEAR, LOG, SGD(0.3), sampling=sampling, **data)
            yield (
                f"averaged {name}, {rows}",
                lambda w=what, e=every: train(w, comm, average_every=e),
            )
    for name in AVERAGED_TOO:
        what = CASES[name]
        yield f"averaged, {name}", lambda w=what: train(w, comm, average_every=3)
    what = CASES["objectives"]
    yield "averaged, objectives", lambda: train(what, comm, average_every=3)


STREAMS = {
    "plain": {},
    "weights": {"weighted": True},
    "dropout": {"net": DROPS},
    "in order": {"sampling": "sequential"},
    "stack": {"optimizer": SGD(RATES, momentum=0.5)},
    "some steps": {"epochs": None, "iterations": 23},
    "losses after": {"step_losses": "after", "weighted": True},
    "three rows a step": {"batch_size": 3, "epochs": 1},
}

ROWS = 24 * (6 * 8 + 8 + 8)
"""The bytes of 24 rows, their targets and weights."""


def stream(weighted=False, transform=None, block_rows=30):
    """Return a stream of 7 blocks of unequal length: of each, more rows are left out."""
    rng = np.random.RandomState(11)
    x = rng.standard_normal((210, 6))
    t = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
    weights = rng.uniform(0.0, 2.0, 210) * (rng.uniform(size=210) > 0.3) if weighted else None
    options = {"block_rows": block_rows, "buffer_bytes": ROWS, "transform": transform}
    whole = Stream(x, t, sample_weight=weights, **options)
    rows = np.arange(210)
    return whole._with(source=Subset(whole.source, rows[rows % 30 < 3 * (rows // 30)]))


def on_stream(comm, net=SMALL, optimizer=None, weighted=False, **options):
    """Train on the stream."""
    optimizer = optimizer or SGD(0.2, momentum=0.5)
    trainer = Trainer(net, LOG, optimizer, random_state=0, comm=comm, dtype="float64")
    options = {"epochs": 3, "batch_size": 16} | options
    return found(trainer, trainer.fit(stream(weighted), **options))


def in_memory(ranks, net=SMALL, optimizer=None, weighted=False, **options):
    """Train in one process on the batches that the ranks' plans make.

    Where a rank is out of rows, a row of weight zero fills the batch.
    """
    data = stream(weighted)
    x, t, *weights = map(np.concatenate, zip(*data, strict=True))
    weights = np.append(weights[0] if weights else np.ones(len(x)), 0.0)
    x, t = np.concatenate([x, x[:1]]), np.append(t, t[0])
    options = {"epochs": 3, "batch_size": 16} | options
    plans = _Plans(ranks, data, options.pop("batch_size"), options.pop("sampling", "shuffle"))
    optimizer = optimizer or SGD(0.2, momentum=0.5)
    trainer = Trainer(net, LOG, optimizer, random_state=0, dtype="float64")
    return found(trainer, trainer.fit(x, t, sample_weight=weights, sampling=plans, **options))


class _Plans(Batches):
    """The order that several ranks read a stream in."""

    def __init__(self, ranks, data, batch_size, sampling):
        super().__init__(batch_size)
        self.ranks, self.lengths, self.sampling = ranks, data.source.lengths, sampling
        bytes_of_a_row = sum(part[0].nbytes for part in data.first if part is not None)
        self.rows = max(batch_size, data.buffer_bytes // bytes_of_a_row)

    def order(self, n_samples, rng, epoch):
        seed = int(rng.randint(2**31 - 1))
        seed = None if self.sampling == "sequential" else seed
        own = [
            Plan(self.lengths, self.batch_size, self.rows, seed, rank, self.ranks)
            for rank in range(self.ranks)
        ]
        batches = np.full((own[0].n_steps, self.batch_size), n_samples - 1)
        begins = np.concatenate([[0], np.cumsum(self.lengths)])
        for plan in own:
            read = [
                begins[b] + r for b, first in plan.reads(0) for r in range(first, self.lengths[b])
            ]
            size, whole = plan.share(plan.rank), plan.rows_per_buffer
            rows = [read[k * whole + i] for k in range(plan.n_buffers) for i in plan.order(k)]
            firsts = plan.sizes(slice(0, plan.n_steps))[1]
            for step, first in enumerate(firsts):
                these = rows[step * size : (step + 1) * size]
                batches[step, first : first + len(these)] = these
        return batches.reshape(-1)


def resumable(comm, folder, kill=False):
    """Train on the stream with a checkpoint after each buffer; rank 1 may be killed."""
    transform = _Killed(10**9 if comm.rank != 1 or not kill else 14)  # late in the second epoch
    data = stream(transform=transform, block_rows=15)
    trainer = Trainer(DROPS, LOG, Adam(0.02), random_state=0, comm=comm)
    saving = [] if folder is None else [Checkpoint(folder / "run", every_seconds=0)]
    saving += [EarlyStopping("losses", patience=20)]
    return found(trainer, trainer.fit(data, epochs=5, batch_size=16, callbacks=saving))


class _Killed:
    """Kills this process when so many pieces have been read."""

    def __init__(self, pieces):
        self.left = pieces

    def __call__(self, x):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return x


def fail(comm, where):
    """Train, and fail on one rank in the midst."""
    if where == "reader":
        failing = _Raising(comm.rank == 1)
        data = Stream(X, T, block_rows=10, transform=failing)
        return train(case(x=data, t=None, epochs=10**6), comm)
    if where == "jax":
        return train(CASES["plain"], comm, backend="jax")
    if where == "callback":
        return train(case(epochs=10**6, callbacks=[_Failing()]), comm)
    raise ValueError(where)


class _Raising:
    def __init__(self, here):
        self.left = 20 if here else 10**9

    def __call__(self, x):
        self.left -= 1
        if self.left < 0:
            raise OSError("the disk is gone")
        return x


class _Failing(Callback):
    def on_epoch_end(self, fit):
        if fit.done == 3:
            raise RuntimeError("the callback is broken")


def main(what, folder, *how):
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    if what == "fail":
        fail(comm, folder)
        return
    folder = Path(folder)
    if what == "stream":
        runs = [("resumed", lambda: resumable(comm, folder, "kill" in how))]
    else:
        runs = [*several(comm, folder), ("uninterrupted", lambda: resumable(comm, None))]
    results = {}
    for name, run in runs:
        try:
            own = run()
        except Exception as error:  # the same on all ranks, or this never ends
            if not isinstance(error, ValueError | RankError | FloatingPointError):
                traceback.print_exc()
            own = {"error": np.array(f"{type(error).__name__}: {error}")}
        everyone = comm.gather(own, root=0)
        if comm.rank == 0:
            results[name] = everyone
    if comm.rank == 0:
        (folder / f"{what}{comm.size}.pickle").write_bytes(pickle.dumps(results))
        print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
