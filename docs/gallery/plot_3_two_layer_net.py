"""
A two-layer net on digits
=========================

The third tutorial asks for a net with one hidden layer, trained on MNIST by batches drawn with
replacement, and for its accuracy on training and test images as it learns.
"""

import matplotlib.pyplot as plt
import numpy as np

import xpnet
from xpnet import plots
from xpnet.nets import TwoLayerNet

# %%
# The data
# --------
#
# MNIST is not on every machine, so this page takes the small digits that come with scikit-learn:
# 8 x 8 pixels, scaled to [0, 1]. The net is the same, only with fewer inputs. MNIST follows below.

digits = xpnet.datasets.load_digits()
x_train, x_val = digits.x_train, digits.x_val
t_train, t_val = np.eye(10)[digits.t_train], np.eye(10)[digits.t_val]  # one-hot
print(digits)

figure, axes = plt.subplots(1, 8, figsize=(8, 1.5), layout="constrained")
for ax, image, label in zip(axes, x_train, digits.t_train, strict=False):
    ax.imshow(image.reshape(8, 8), cmap="gray_r")
    ax.set_title(label)
    ax.set_axis_off()

# %%
# The net
# -------
#
# Sigmoids, then softmax. The four arrays lie in a dictionary. Weights are small random numbers,
# ``W1`` drawn before ``W2``; biases are zero. So at first each class gets about a tenth.

net = TwoLayerNet(64, 50, 10, random_state=0)
for name, array in net.params.items():
    print(f"{name}  {array.shape}")
print(f"loss {net.loss(x_train, t_train):.3f}; that of a guess is log(10) = {np.log(10):.3f}")
np.testing.assert_allclose(net.predict(x_train[:3]).sum(axis=1), 1.0)
assert abs(net.loss(x_train, t_train) - np.log(10)) < 0.05

# %%
# Two gradients that must agree
# -----------------------------
#
# ``gradient`` is backpropagation. ``numerical_gradient`` moves each of the 3,760 parameters up and
# down by 1e-4 and looks at the loss: slow, but hard to get wrong. Where the two agree, the
# backpropagation is right.

exact = net.gradient(x_train[:20], t_train[:20])
numerical = net.numerical_gradient(x_train[:20], t_train[:20])
for name in net.params:
    gap = np.abs(exact[name] - numerical[name]).max()
    print(f"{name}  largest difference {gap:.0e}, largest slope {np.abs(exact[name]).max():.0e}")
    assert gap < 1e-6

# %%
# The tutorial's loop
# -------------------
#
# Draw 100 samples with replacement, step by the gradient, keep the loss. Here it is in full, for
# 200 steps; ``fit`` does the same.

rng = np.random.RandomState(0)
by_hand = TwoLayerNet(64, 50, 10, random_state=rng)
losses_before, losses = [], []
for _step in range(200):
    rows = rng.choice(len(x_train), 100)
    x, t = x_train[rows], t_train[rows]
    losses_before.append(by_hand.loss(x, t))
    gradient = by_hand.gradient(x, t)
    for name in by_hand.params:
        by_hand.params[name] -= 0.1 * gradient[name]
    losses.append(by_hand.loss(x, t))

ITERATIONS = 3000
net = TwoLayerNet(64, 50, 10, random_state=0)
history = net.fit(x_train, t_train, iterations=ITERATIONS, validation_data=(x_val, t_val))
np.testing.assert_allclose(history.step_losses[:200], losses, rtol=1e-9)
kept = history.step_losses[199]
print(f"loss of the batch after step 200: by hand {losses[-1]:.6f}, by fit {kept:.6f}")

# %%
# The losses of single batches jump, since each batch is another sample.

ax = plots.compare_histories({"batch": history}, curve="step_losses")
ax.get_legend().remove()
_ = ax.set(title="Loss of each batch", ylim=(0, None))

# %%
# Accuracies
# ----------
#
# ``fit`` measures both accuracies after the first step, then after each epoch, which here means
# as many steps as it takes to draw 1,149 samples in hundreds: eleven.

ax = plots.plot_history(history, curve="scores")
_ = ax.set(title="Digits, 64-50-10", ylabel="accuracy", ylim=(0, 1))

# %%
# The two curves stay together: the net does not overfit. If they drifted apart, early stopping,
# weight decay and dropout would be the remedies.
#
# The numbers
# -----------
#
# On MNIST the numbers are of 784-50-10 and 10,000 iterations. 60,000 images make 600 steps an
# epoch, so the tutorial's picture has 17 points, after updates 0, 600 … 9600. The accuracies in the
# table were measured after the last update, which is not among these points.

updates = list(range(0, 10_000, 600))
assert len(updates) == 17
assert updates[-1] == 9600

MNIST = {"train": 0.9487, "test": 0.9462}  # measured
train, held_out = history.scores[-1], history.val_scores[-1]
print(f"{'':<38} {'train':>7} {'held out':>9}")
print(f"{'MNIST, 10,000 iterations (measured)':<38} {MNIST['train']:>7} {MNIST['test']:>9}")
print(f"{'digits, 3,000 iterations (this page)':<38} {train:>7.4f} {held_out:>9.4f}")
assert abs(train - 0.948) < 0.01
assert abs(held_out - 0.958) < 0.015
assert abs(train - held_out) < 0.03  # no overfitting

# %%
# That digits come out near MNIST is luck of the number of iterations, not a law. To get MNIST's own
# line, put its four files in a folder. The pixels are scaled to [0, 1] on the way.
#
# .. code-block:: python
#
#    mnist = xpnet.datasets.load_mnist("folder/of/mnist")
#    net = TwoLayerNet(784, 50, 10, random_state=0)
#    test_set = (mnist.x_val, mnist.t_val)
#    history = net.fit(mnist.x_train, mnist.t_train, iterations=10_000, validation_data=test_set)
#    print(history.scores[-1], history.val_scores[-1])
#
# This took some ten seconds on a CPU, and printed 0.9491 and 0.9468. With seed 1 it was 0.9464 and
# 0.9445, with seed 42 0.9467 and 0.9449. The weights and the batches come from the seed, so the
# last digits of the table depend on it. The picture too comes from
# ``scripts/mnist_two_layer.py --data-home folder/of/mnist``.
#
# What the original listing got wrong
# -----------------------------------
#
# Several of the tutorials' listings do not run as printed: round brackets stand for square ones,
# names are misspelt, and some variables were never defined. The loop above is what they mean.
#
# The loop keeps the loss of a batch *after* the step on that same batch. That flatters the net, by
# a little: each step is made to lower just this loss. xpnet keeps it so, since these are the
# tutorial's numbers.

gain = np.mean(np.array(losses_before) - losses)
print(f"mean loss of a batch before its step  {np.mean(losses_before):.4f}")
print(f"mean loss of the same batch after it  {np.mean(losses):.4f}")
assert gain > 0

# %%
# The same on a GPU
# -----------------
#
# One argument changes. ``docs/gpu-results.md`` says what CuPy was seen to do.
#
# .. code-block:: python
#
#    TwoLayerNet(784, 50, 10, random_state=0, backend="cupy").fit(mnist.x_train, mnist.t_train)
