"""The main job: the tutorials' nets on every usable backend, and whether their losses agree.

Breast cancer with batches of 32 and of 128, and the digits with a two-layer net, all in float64
and once more on NumPy in float32. Ends in a table and in pictures.
"""

from __future__ import annotations

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

    place: str
    train_loss: float
    val_loss: float
    accuracy: float
    seconds: float
    difference: float


def breast_cancer(batch_size: int, epochs: int) -> Callable[..., tuple[list[float], History]]:
    """Return the training of the breast-cancer net with that batch."""

    def train(**place):
        history = breast_cancer_minibatch.train(batch_size, epochs, **place).history_
        return history.losses, history

    return train


def digits(iterations: int) -> Callable[..., tuple[list[float], History]]:
    """Return the training of the two-layer net on the digits."""

    def train(**place):
        d = datasets.load_digits()
        net = TwoLayerNet(64, 50, 10, random_state=0, **place)
        history = net.fit(
            d.x_train,
            d.t_train,
            iterations=iterations,
            learning_rate=1.0,
            validation_data=(d.x_val, d.t_val),
            progress=f"digits on {place['backend']}",
        )
        return history.step_losses, history

    return train


def compare(job: Job, places: list[dict[str, str]]) -> tuple[list[Row], History]:
    """Run a job in every place; the first is the reference of the others."""
    rows, first = [], None
    for place in places:
        began = time.perf_counter()
        curve, history = job.train(**place)
        seconds = time.perf_counter() - began
        first = first or (curve, history)
        difference = float(np.max(np.abs(np.subtract(curve, first[0]))))
        name = f"{place['backend']} {place['dtype']}"
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
        f"  {'backend':<26}{'train loss':>12}{'val loss':>12}{'accuracy':>10}{'seconds':>9}"
        f"{'largest difference of the loss curve':>40}",
    ]
    for i, row in enumerate(rows):
        difference = "reference" if i == 0 else f"{row.difference:.1e}"
        lines.append(
            f"  {row.place:<26}{row.train_loss:>12.6f}{row.val_loss:>12.6f}{row.accuracy:>10.4f}"
            f"{row.seconds:>9.1f}{difference:>40}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = common.parser(__doc__)
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
    curves = breast_cancer_minibatch.plot({32: histories[0], 128: histories[1]})
    common.save(curves, options.out / "breast_cancer_batches.png")
    accuracy = mnist_two_layer.plot(histories[2], "Digits, 64-50-10", "validation")
    common.save(accuracy, options.out / "digits_accuracy.png")


if __name__ == "__main__":
    main()
