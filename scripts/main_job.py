"""The main job: the tutorials' nets on every usable backend, and whether their losses agree.

Breast cancer with batches of 32 and of 128, and the digits with a two-layer net, all in float64
and once more on NumPy in float32. Ends in a table and in pictures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import breast_cancer_minibatch
import common
import mnist_two_layer
import numpy as np

from xpnet import History, backends, datasets
from xpnet.nets import TwoLayerNet


class Job(NamedTuple):
    """One training run, given a place: returns the curve that is compared, and the history."""

    name: str
    train: Callable[..., tuple[list[float], History]]


class Row(NamedTuple):
    """What the table says of a run."""

    where: str
    train_loss: float
    val_loss: float
    accuracy: float
    seconds: float
    difference: float


def breast_cancer(batch_size: int, epochs: int) -> Callable[..., tuple[list[float], History]]:
    """Return the training of the breast-cancer net with that batch."""

    def train(**where):
        history = breast_cancer_minibatch.train(batch_size, epochs, **where).history_
        return history.losses, history

    return train


def digits(iterations: int) -> Callable[..., tuple[list[float], History]]:
    """Return the training of the two-layer net on the digits."""

    def train(**where):
        d = datasets.load_digits()
        net = TwoLayerNet(64, 50, 10, random_state=0, **where)
        history = net.fit(
            d.x_train,
            d.t_train,
            iterations=iterations,
            learning_rate=1.0,
            validation_data=(d.x_val, d.t_val),
            progress=f"digits on {where['backend']}",
        )
        return history.step_losses, history

    return train


def compare(job: Job, places: list[dict[str, str]]) -> tuple[list[Row], History]:
    """Run a job in every place; the first is the reference of the others."""
    rows, first = [], None
    for where in places:
        began = time.perf_counter()
        curve, history = job.train(**where)
        seconds = time.perf_counter() - began
        first = first or (curve, history)
        difference = float(np.max(np.abs(np.subtract(curve, first[0]))))
        name = f"{where['backend']} {where['dtype']}"
        rows.append(
            Row(
                name,
                history.losses[-1],
                history.val_losses[-1],
                history.val_scores[-1],
                seconds,
                difference,
            )
        )
    assert first is not None
    return rows, first[1]


def table(job: Job, rows: list[Row]) -> str:
    """Return the rows as text."""
    lines = [
        job.name,
        f"  {'':<26}{'train':>11}{'validation':>12}{'validation':>12}{'':>9}  largest difference",
        f"  {'backend':<26}{'loss':>11}{'loss':>12}{'accuracy':>12}{'seconds':>9}"
        "  of the loss curve",
    ]
    for i, row in enumerate(rows):
        difference = "reference" if i == 0 else f"{row.difference:.1e}"
        lines.append(
            f"  {row.where:<26}{row.train_loss:>11.6f}{row.val_loss:>12.6f}{row.accuracy:>12.4f}"
            f"{row.seconds:>9.1f}  {difference}"
        )
    return "\n".join(lines)


def main() -> None:
    began = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__)
    common.add_output(parser)
    options = parser.parse_args()
    epochs, iterations = (10, 100) if options.quick else (500, 3000)
    found = backends.available()
    for name, status in found.items():
        print(f"{name:<18}{status}")
    usable = [name for name, status in found.items() if status.usable and name != "numpy"]
    places = [("numpy", "float64"), ("numpy", "float32"), *((name, "float64") for name in usable)]
    keywords = [{"backend": name, "dtype": dtype} for name, dtype in places]
    jobs = [
        Job(f"Breast cancer, batch 32, {epochs} epochs", breast_cancer(32, epochs)),
        Job(f"Breast cancer, batch 128, {epochs} epochs", breast_cancer(128, epochs)),
        Job(f"Digits, 64-50-10, {iterations} iterations", digits(iterations)),
    ]
    tables, histories = [], []
    for job in jobs:
        rows, history = compare(job, keywords)
        tables.append(table(job, rows))
        histories.append(history)
    print("\n" + "\n\n".join(tables) + "\n")
    missing = [name for name, status in found.items() if not status.usable]
    if missing:
        print(f"not run, since not usable here: {', '.join(missing)}; xpnet info says why\n")
    curves = breast_cancer_minibatch.plot({32: histories[0], 128: histories[1]})
    common.save(curves, options.out / "breast_cancer_batches.png")
    accuracy = mnist_two_layer.plot(histories[2], "Digits, 64-50-10", "validation")
    common.save(accuracy, options.out / "digits_accuracy.png")
    print(f"done in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    common.run(main)
