"""Gradient descent, momentum, RMSprop and Adam on two moons, at a small and at a higher rate.

The tutorial's experiment: at the same small rate Adam lowers the loss far faster and finds the
better boundary; at a higher rate the difference nearly vanishes. "decay" is gradient descent
whose rate is divided by 1 + 0.01 * epoch.
"""

from __future__ import annotations

import common
from matplotlib.figure import Figure

from xpnet import InverseTime, datasets, plots
from xpnet.nets import DeepNet

DIMS = (2, 16, 8, 1)
RATES = {"small": 0.0007, "higher": 0.1}
NAMES = ("gd", "momentum", "rmsprop", "adam", "decay")


def train(name: str, rate: float, epochs: int, **where) -> DeepNet:
    """Train one net with the tutorial's settings of that optimizer."""
    d = datasets.load_moons()
    if name == "decay":
        net = DeepNet(DIMS, "gd", learning_rate=InverseTime(rate, decay=0.01), **where)
    else:
        net = DeepNet(DIMS, name, learning_rate=rate, **where)
    return net.fit(d.x_train.T, d.t_train, epochs, progress=f"{name:<8} at rate {rate}")


def plot_losses(nets: dict[str, DeepNet], title: str) -> Figure:
    """Draw the loss curves of all optimizers."""
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    ax = figure.subplots()
    histories = {name: net.history_ for name, net in nets.items()}
    plots.compare_histories(histories, ax=ax)
    ax.set(title=title, ylim=(0, 0.8))
    return figure


def plot_boundaries(nets: dict[str, DeepNet], title: str) -> Figure:
    """Draw the decision boundaries of all optimizers over the validation set."""
    d = datasets.load_moons()
    figure = Figure(figsize=(3.4 * len(nets), 3.6), layout="constrained")
    for ax, (name, net) in zip(figure.subplots(1, len(nets)), nets.items(), strict=True):
        plots.plot_decision_boundary(net.trainer.predict, d.x_val, d.t_val, ax=ax)
        ax.set_title(f"{name}: {net.score(d.x_val.T, d.t_val):.3f}")
    figure.suptitle(title)
    return figure


def main() -> None:
    options = common.parser(__doc__).parse_args()
    d = datasets.load_moons()
    epochs = 10 if options.quick else 300
    for word, rate in RATES.items():
        nets = {name: train(name, rate, epochs, **common.where(options)) for name in NAMES}
        print(f"{word} rate {rate}:")
        for name, net in nets.items():
            score = net.score(d.x_val.T, d.t_val)
            print(f"  {name:<9} loss {net.losses[-1]:.4f}, validation accuracy {score:.3f}")
        title = f"Moons, {word} learning rate {rate}"
        common.save(plot_losses(nets, title), options.out / f"optimizers_{word}_losses.png")
        common.save(plot_boundaries(nets, title), options.out / f"optimizers_{word}_boundaries.png")


if __name__ == "__main__":
    common.run(main)
