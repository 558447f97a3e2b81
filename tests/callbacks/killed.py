"""Trains in processes that are killed, and started again until one of them finishes.

``python killed.py FOLDER KIND`` writes which epochs were in the file after each kill. Each process
is a fork of this one, which trains nothing itself.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
from runs import bits, outcome

from xpnet import (
    Adam,
    Callback,
    Checkpoint,
    CSVLogger,
    Dense,
    Dropout,
    EarlyStopping,
    MLPClassifier,
    Network,
    Tanh,
    Trainer,
    checkpoints,
)

EPOCHS = 150
KILLS = 14
RNG = np.random.RandomState(0)
X = RNG.standard_normal((120, 6))
T = (X[:, 0] * X[:, 1] + 0.5 * RNG.standard_normal(120) > 0).astype(int)


class Tell(Callback):
    """Writes a byte as the fit begins, and after each epoch."""

    def __init__(self, pipe):
        self.pipe = pipe

    def on_fit_begin(self, fit):
        os.write(self.pipe, b".")

    def on_epoch_end(self, fit):
        os.write(self.pipe, b".")


def by_trainer(*callbacks):
    net = Network([Dense(6, 12), Tanh(), Dropout(0.2), Dense(12, 1)])
    trainer = Trainer(net, "binary_cross_entropy", Adam(0.02), random_state=0)
    stopping = EarlyStopping(patience=EPOCHS)
    options = {"epochs": EPOCHS, "batch_size": 20, "validation_data": (X[80:], T[80:])}
    trainer.fit(X[:80], T[:80], callbacks=[*callbacks, stopping], **options)
    assert 1 < stopping.best_epoch_ < EPOCHS
    return {"run": outcome(trainer), "best": (stopping.best_, stopping.best_epoch_)}


def by_estimator(*callbacks):
    estimator = MLPClassifier(
        (12,),
        batch_size=20,
        learning_rate_init=0.01,
        dropout=0.2,
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=EPOCHS,
        max_iter=EPOCHS,
        random_state=np.random.RandomState(0),
        callbacks=callbacks,
    )
    warnings.simplefilter("ignore")  # of the largest number of epochs, which is reached
    estimator.fit(X, T)
    names = "coefs_", "intercepts_", "loss_curve_", "validation_scores_", "n_iter_", "t_"
    return {name: bits(getattr(estimator, name)) for name in names}


def work(train, folder, pipe):
    """Train, and write what came out: of the log, all but the seconds."""
    log = folder / "log.csv"
    result = train(Tell(pipe), CSVLogger(log), Checkpoint(folder / "run"))
    result["log"] = [line.rpartition(",")[0] for line in log.read_text().splitlines()]
    result["files"] = sorted(file.name for file in folder.iterdir())
    (folder / "result").write_bytes(pickle.dumps(result))


def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)


def dying(name, call, after=False):
    """Let a function of `os` be the last one that is called, at its n-th call."""
    kept, calls = getattr(os, name), []

    def function(*arguments):
        calls.append(name)
        if len(calls) < call:
            return kept(*arguments)
        if after:
            kept(*arguments)
        return die()

    return lambda: setattr(os, name, function)


def life(target, prepare=lambda: None):
    """Start a process, and return its number and what it tells by."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            prepare()
            target(writing)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    return pid, reading


def end(pid, reading):
    """Return how a process ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(reading)
    return code


def main(folder, train):
    whole = folder / "whole"
    whole.mkdir()
    began = time.perf_counter()
    assert end(*life(lambda pipe: work(train, whole, pipe))) == 0
    epoch = (time.perf_counter() - began) / EPOCHS
    randomly, killed, attempt = random.Random(0), [], 0
    # Within a write: before the new file is on the disk, before and after it takes its place;
    # the first write is that as the fit begins.
    spots = [("fsync", 1), ("replace", 1), ("fsync", 2), ("fsync", 5), ("replace", 3)]
    deaths = [dying(*spot) for spot in spots] + [dying("replace", n, True) for n in (1, 2, 4)]
    while len(killed) < KILLS or deaths:
        attempt += 1
        place = folder / f"broken{attempt}"
        place.mkdir()

        def target(pipe, place=place):
            work(train, place, pipe)

        code = None
        while code != 0:
            if deaths:
                code = end(*life(target, deaths.pop(0)))
                assert code == -signal.SIGKILL
            else:
                pid, reading = life(target)
                for _ in range(randomly.randint(1, 8)):
                    os.read(reading, 1)
                time.sleep(randomly.uniform(0.0, epoch))
                os.kill(pid, signal.SIGKILL)  # not yet waited for: there is such a process
                code = end(pid, reading)
            if code != 0:
                assert code == -signal.SIGKILL, code
                file = place / "run"
                reached = checkpoints.load(file).training.state.epoch if file.exists() else -1
                killed.append(reached)
        results = [pickle.loads((place / "result").read_bytes()) for place in (whole, place)]
        for name in results[0]:
            assert results[0][name] == results[1][name], name
    print(json.dumps(killed))


if __name__ == "__main__":
    main(Path(sys.argv[1]), {"trainer": by_trainer, "estimator": by_estimator}[sys.argv[2]])
