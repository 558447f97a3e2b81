"""The two-layer net on MNIST: 784-50-10, 10,000 batches of 100 drawn with replacement.

The tutorial's experiment: accuracy on the training and the test set after updates 0, 600,
1200 … 9600. The two curves are nearly equal: the net does not overfit.

The images come from a folder of IDX files (--data-home, or XPNET_DATA_HOME), or from OpenML.
"""

from __future__ import annotations

import common
from matplotlib.figure import Figure

from xpnet import History, datasets, plots
from xpnet.nets import TwoLayerNet


def plot(history: History, title: str, held_out: str) -> Figure:
    """Draw the accuracies over the epochs, on the training set and on the one held out."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()
    curves = {"training": history, held_out: History(scores=history.val_scores)}
    plots.compare_histories(curves, curve="scores", ax=ax)
    ax.set(title=title, ylabel="accuracy", ylim=(0, 1))
    return figure


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--data-home", help="folder of the four IDX files")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    d = datasets.load_mnist(options.data_home)
    net = TwoLayerNet(784, 50, 10, random_state=options.seed, **common.where(options))
    history = net.fit(
        d.x_train,
        d.t_train,
        iterations=601 if options.quick else 10_000,
        validation_data=(d.x_val, d.t_val),
        progress=f"MNIST on {options.backend}",
    )
    updates = [min(600 * i, len(history.step_losses) - 1) for i in range(history.n_epochs)]
    for update, train, test in zip(updates, history.scores, history.val_scores, strict=True):
        print(f"after update {update:>5}: train {train:.4f}, test {test:.4f}")
    seconds = sum(history.seconds)
    print(f"{len(history.step_losses)} updates in {seconds:.1f} s, evaluation included")
    picture = plot(history, "MNIST, 784-50-10", "test")
    common.save(picture, options.out / "mnist_accuracy.png")


if __name__ == "__main__":
    common.run(main)
