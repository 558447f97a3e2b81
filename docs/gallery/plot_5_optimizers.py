"""
Momentum, RMSprop, Adam and decay
=================================

The fifth tutorial asks for mini-batches, momentum, RMSprop, Adam and learning-rate decay in one
deep net, and compares their losses and decision boundaries on two moons.
"""

import matplotlib.pyplot as plt
import numpy as np

import xpnet
from xpnet import InverseTime, batch_partition, plots
from xpnet.nets import (
    DeepNet,
    initialize_adam,
    initialize_momentum,
    update_with_adam,
    update_with_momentum,
)

# %%
# The data
# --------
#
# Two interleaved half circles. In this tutorial samples lie along the *second* axis.

moons = xpnet.datasets.load_moons()
X, Y = moons.x_train.T, moons.t_train[None, :]
X_val, Y_val = moons.x_val.T, moons.t_val[None, :]
print(moons)
print(X.shape, Y.shape)

# %%
# Batches
# -------
#
# ``batch_partition`` cuts one seeded permutation into full batches, and a smaller one of what is
# left. A new seed each epoch gives a new permutation.

batches = batch_partition(X, Y, batch_size=100, seed=0)
print([x.shape for x, _ in batches])
assert [y.shape[1] for _, y in batches] == [100] * 6 + [40]

np.random.seed(0)
order = np.random.permutation(640)
np.testing.assert_array_equal(np.concatenate([x for x, _ in batches], axis=1), X[:, order])

# %%
# The tutorial's loop
# -------------------
#
# Rectifiers, rectifiers, a sigmoid. Parameters, gradients and the optimizer's moments are
# dictionaries. Here is the loop by hand, with ``update_with_momentum`` and ``update_with_adam``.


def gradients(p, x, y):
    """Return the log losses of a batch, and their mean's gradient by backpropagation."""
    m = x.shape[1]
    a1 = np.maximum(p["W1"] @ x + p["b1"], 0)
    a2 = np.maximum(p["W2"] @ a1 + p["b2"], 0)
    a3 = 1 / (1 + np.exp(-(p["W3"] @ a2 + p["b3"])))
    d3 = (a3 - y) / m
    d2 = (p["W3"].T @ d3) * (a2 > 0)
    d1 = (p["W2"].T @ d2) * (a1 > 0)
    grads = {}
    for k, (d, a) in enumerate([(d1, x), (d2, a1), (d3, a2)], start=1):
        grads[f"dW{k}"], grads[f"db{k}"] = d @ a.T, d.sum(axis=1, keepdims=True)
    return -(y * np.log(a3) + (1 - y) * np.log(1 - a3)), grads


def train_by_hand(optimizer, rate, epochs):
    """Return the mean loss of each epoch."""
    p, losses, t = DeepNet((2, 16, 8, 1)).parameters, [], 0
    v, s = initialize_adam(p)
    if optimizer == "momentum":
        v = initialize_momentum(p)
    for epoch in range(epochs):
        total = 0.0
        for x, y in batch_partition(X, Y, 64, seed=42 + epoch):
            loss, grads = gradients(p, x, y)
            total += loss.sum()
            t += 1
            if optimizer == "momentum":
                p, v = update_with_momentum(p, grads, v, 0.9, rate)
            else:
                p, v, s = update_with_adam(p, grads, v, s, t, rate)
        losses.append(total / X.shape[1])
    return losses


# %%
# ``DeepNet`` does the same, so the losses must agree.

print(f"{'20 epochs':<10} {'by hand':>12} {'DeepNet':>12}")
for optimizer, rate in (("momentum", 0.1), ("adam", 0.01)):
    by_hand = train_by_hand(optimizer, rate, 20)
    net = DeepNet((2, 16, 8, 1), optimizer, learning_rate=rate).fit(X, Y, epochs=20)
    print(f"{optimizer:<10} {by_hand[-1]:>12.9f} {net.losses[-1]:>12.9f}")
    np.testing.assert_allclose(net.losses, by_hand, rtol=1e-8)

# %%
# One momentum is not the other
# -----------------------------
#
# Momentum is ``v = beta v + (1 - beta) g`` here, with v zero at first. With beta zero it is plain
# gradient descent. PyTorch's own dampened momentum begins with the whole gradient instead, so its
# first step is ``1 / (1 - beta)`` times as large: ten times, with beta 0.9.

w, g = {"W1": np.array([[1.0]])}, {"dW1": np.array([[2.0]])}
for beta in (0.0, 0.9):
    stepped, _v = update_with_momentum(w, g, initialize_momentum(w), beta, learning_rate=0.1)
    step = 1.0 - stepped["W1"].item()
    print(f"beta {beta}: first step {step:.3f}")
    assert abs(step - 0.1 * (1 - beta) * 2.0) < 1e-12

# %%
# A small rate, and a higher one
# ------------------------------
#
# Plain gradient descent, momentum, RMSprop and Adam, 300 epochs each, from the same weights and
# with the same batches.

RATES = {"small": 0.0007, "higher": 0.1}
OPTIMIZERS = ("gd", "momentum", "rmsprop", "adam")

runs = {
    word: {
        name: DeepNet((2, 16, 8, 1), name, learning_rate=rate).fit(X, Y, epochs=300)
        for name in OPTIMIZERS
    }
    for word, rate in RATES.items()
}

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.8), sharey=True, layout="constrained")
for ax, (word, nets) in zip(axes, runs.items(), strict=True):
    plots.compare_histories({name: net.history_ for name, net in nets.items()}, ax=ax)
    ax.lines[1].set_linestyle("--")  # momentum lies on gradient descent
    ax.legend(frameon=False)
    ax.set(title=f"{word} rate, {RATES[word]}", ylim=(0, 0.8))
axes[1].set_ylabel("")

# %%
# The decision boundaries at the small rate, over the validation samples, with the accuracies:


def draw_boundaries(nets, title):
    figure, axes = plt.subplots(2, 2, figsize=(8, 6.6), layout="constrained")
    for ax, (name, net) in zip(axes.flat, nets.items(), strict=True):
        plots.plot_decision_boundary(net.trainer.predict, moons.x_val, moons.t_val, ax=ax)
        ax.set_title(f"{name}: {net.score(X_val, Y_val):.3f}")
    for ax in axes.flat[1:]:
        ax.get_legend().remove()  # one is enough
    for ax in axes[1]:
        ax.set_xlabel("feature 1")
    for ax in axes[:, 0]:
        ax.set_ylabel("feature 2")
    figure.suptitle(title)


draw_boundaries(runs["small"], f"small rate, {RATES['small']}")

# %%
# And at the higher rate:

draw_boundaries(runs["higher"], f"higher rate, {RATES['higher']}")

# %%
# The numbers
# -----------
#
# The tutorial states what happens, not how much. At the small rate Adam lowers the loss far faster
# than gradient descent and finds the better boundary. At the higher rate the difference nearly
# vanishes.

print(f"{'':<10} {'small rate':>18} {'higher rate':>18}")
print(f"{'':<10} {'loss':>9} {'accuracy':>8} {'loss':>9} {'accuracy':>8}")
for name in OPTIMIZERS:
    found = [runs[word][name] for word in RATES]
    cells = [f"{net.losses[-1]:>9.3f} {net.score(X_val, Y_val):>8.3f}" for net in found]
    print(f"{name:<10} {' '.join(cells)}")

gap = {word: nets["gd"].losses[-1] - nets["adam"].losses[-1] for word, nets in runs.items()}
lead = {
    word: nets["adam"].score(X_val, Y_val) - nets["gd"].score(X_val, Y_val)
    for word, nets in runs.items()
}
rows = {
    "loss, gradient descent minus Adam": (gap, "large", "near 0"),
    "accuracy, Adam minus gradient descent": (lead, "large", "near 0"),
}
print(f"\n{'':<38} {'here':>16}   published")
for name, (found, *published) in rows.items():
    numbers = f"{found['small']:.3f}, {found['higher']:.3f}"
    print(f"{name:<38} {numbers:>16}   {', '.join(published)}")
assert runs["small"]["adam"].losses[-1] < runs["small"]["gd"].losses[-1] / 3
assert lead["small"] > 0.1
assert abs(gap["higher"]) < 0.05
assert abs(lead["higher"]) < 0.05

# %%
# How high is high enough depends on the data. On these moons a rate of 0.01 is not: gradient
# descent is still far behind.

for name in ("gd", "adam"):
    net = DeepNet((2, 16, 8, 1), name, learning_rate=0.01).fit(X, Y, epochs=300)
    print(f"{name:<4} at 0.01: loss {net.losses[-1]:.3f}, accuracy {net.score(X_val, Y_val):.3f}")

# %%
# Learning-rate decay
# -------------------
#
# At the higher rate Adam's loss fluctuates. A rate that falls from epoch to epoch calms it.
# ``InverseTime`` divides it by ``1 + decay * epoch``.

schedule = InverseTime(0.1, decay=0.1)
print("rates:", schedule.learning_rate * schedule.factor(np.array([0.0, 10.0, 100.0])).round(4))
decayed = DeepNet((2, 16, 8, 1), "adam", learning_rate=schedule).fit(X, Y, epochs=300)
constant = runs["higher"]["adam"]

histories = {"constant": constant.history_, "decaying": decayed.history_}
ax = plots.compare_histories(histories)
_ = ax.set(title="Adam, from a rate of 0.1", ylim=(0, 0.3))

for name, net in (("constant", constant), ("decaying", decayed)):
    jumps = np.abs(np.diff(net.losses[100:])).mean()
    print(f"{name}: last loss {net.losses[-1]:.3f}, mean jump from epoch to epoch {jumps:.5f}")
assert (
    np.abs(np.diff(decayed.losses[100:])).mean() < np.abs(np.diff(constant.losses[100:])).mean() / 2
)

# %%
# What the original listing got wrong
# -----------------------------------
#
# Several of the tutorials' listings do not run as printed: names are misspelt, some variables were
# never defined, and round brackets stand where a dictionary or an array needs square ones. In a
# loop of dictionaries such as the one above, a name that is slightly wrong would be easy to miss.
# xpnet says which one is missing:

try:
    update_with_momentum(w, {"W1": g["dW1"]}, initialize_momentum(w), 0.9, 0.1)
except ValueError as error:
    print(error)
else:
    raise AssertionError("A misspelt name was accepted.")

# %%
# The same on a GPU
# -----------------
#
# One argument changes. ``docs/gpu-results.md`` says what CuPy was seen to do.
#
# .. code-block:: python
#
#    DeepNet((2, 16, 8, 1), "adam", backend="cupy").fit(X, Y, epochs=300)
