"""
Batches and their losses
========================

The fourth tutorial asks for a random batch out of data too large to use whole, and for its
cross-entropy, with one-hot targets and with class numbers.
"""

import matplotlib.pyplot as plt
import numpy as np

import xpnet
from xpnet import BinaryCrossEntropy, SoftmaxCrossEntropy
from xpnet.functions import cross_entropy_error, one_hot, sparse_cross_entropy_error
from xpnet.nets import TwoLayerNet

# %%
# Drawing a batch
# ---------------
#
# The tutorial has 60,000 images. Nobody needs all of them for one step: ``choice`` draws the
# numbers of a few, with replacement.

rng = np.random.RandomState(0)
print(rng.choice(60_000, 10))

# %%
# With data at hand it is one line more. The small digits of scikit-learn stand in for MNIST here.

digits = xpnet.datasets.load_digits()
x, labels = digits.x_train, digits.t_train
targets = one_hot(labels, 10)

rows = rng.choice(len(x), 10)
x_batch, t_batch = x[rows], targets[rows]
print(x_batch.shape, t_batch.shape)
assert (x_batch.shape, t_batch.shape) == ((10, 64), (10, 10))

# %%
# The error of a batch
# --------------------
#
# Cross-entropy looks at one number of each row: the probability of the true class. It is the mean
# of ``-log(y[target] + 1e-7)``, where the small number keeps the logarithm finite.
# ``cross_entropy_error`` takes one-hot targets, ``sparse_cross_entropy_error`` class numbers. This
# tutorial comes with formulas, not with results, so the formula is what the numbers must equal.

y = np.array([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]])
classes = np.array([2, 1])

formula = -(np.log(0.7 + 1e-7) + np.log(0.4 + 1e-7)) / 2
dense = float(cross_entropy_error(y, one_hot(classes, 3)))
sparse = float(sparse_cross_entropy_error(y, classes))

# %%
# Both take a single sample too, without an axis for the batch.

one_formula = -np.log(0.7 + 1e-7)
one_dense = float(cross_entropy_error([0.1, 0.2, 0.7], [0, 0, 1]))
one_sparse = float(sparse_cross_entropy_error([0.1, 0.2, 0.7], [2]))

print(f"{'':<12} {'formula':>9} {'one-hot':>9} {'sparse':>9}")
print(f"{'batch of 2':<12} {formula:>9.6f} {dense:>9.6f} {sparse:>9.6f}")
print(f"{'one sample':<12} {one_formula:>9.6f} {one_dense:>9.6f} {one_sparse:>9.6f}")
np.testing.assert_allclose([dense, sparse], formula, rtol=1e-12)
np.testing.assert_allclose([one_dense, one_sparse], one_formula, rtol=1e-12)

# %%
# A certain and wrong answer costs 16.1, not infinity:

worst = float(sparse_cross_entropy_error([0.0, 1.0], [0]))
print(f"{worst:.4f}")
assert abs(worst + np.log(1e-7)) < 1e-9

# %%
# A small part stands for the whole
# ---------------------------------
#
# Train a net for a moment. Its error on all 1,149 training digits is one number; the error on a
# batch is a guess at it. The larger the batch, the closer the guess, as the right picture shows:
# 500 batches of each size, and the error on everything as a line.

net = TwoLayerNet(64, 50, 10, random_state=0)
net.fit(x, targets, iterations=1000)
y = net.predict(x)
whole = float(cross_entropy_error(y, targets))

sizes = [10, 30, 100, 300]
guesses = []
for size in sizes:
    drawn = [rng.choice(len(x), size) for _ in range(500)]
    guesses.append([float(cross_entropy_error(y[rows], targets[rows])) for rows in drawn])

print(f"all {len(x)} samples: {whole:.3f}")
for size, guess in zip(sizes, guesses, strict=True):
    print(f"batches of {size:>3}: {np.mean(guess):.3f} ± {np.std(guess):.3f}")
spreads = [np.std(guess) for guess in guesses]
assert spreads == sorted(spreads, reverse=True)
assert all(abs(np.mean(guess) - whole) < 0.03 for guess in guesses)
assert abs(net.loss(x, targets) - whole) < 1e-12

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
p = np.linspace(0.001, 1, 500)
left.plot(p, -np.log(p + 1e-7))
left.set(title="Error of one sample", xlabel="probability of the true class", ylabel="error")
left.grid(True, color="0.9")
right.boxplot(guesses, showfliers=False)
right.set_xticks(range(1, len(sizes) + 1), labels=sizes)
right.axhline(whole, color="#D55E00", linestyle="--", label="all samples")
right.set(title="Error of a batch", xlabel="samples in the batch", ylabel="mean error")
_ = right.legend(frameon=False)

# %%
# Three forms of targets
# ----------------------
#
# The losses are told apart by the form of their targets:
#
# - binary: one output, and targets of zeros and ones;
# - categorical: an output for each class, and one-hot rows;
# - sparse categorical: the same outputs, and class numbers.
#
# A question with two answers fits all three. Softmax of (0, z) is sigmoid of z, so all three must
# give the same number.

z = np.array([[-1.0], [2.0], [0.5]])
answers = np.array([0, 1, 1])
two = np.hstack([np.zeros_like(z), z])

forms = {
    "binary": BinaryCrossEntropy().value(z, answers[:, None].astype(float)),
    "categorical": SoftmaxCrossEntropy().value(two, one_hot(answers, 2)),
    "sparse categorical": SoftmaxCrossEntropy().value(two, answers),
}
for name, value in forms.items():
    print(f"{name:<18} {float(value):.6f}")
np.testing.assert_allclose(list(forms.values()), forms["binary"], rtol=1e-12)

# %%
# What the original listing got wrong
# -----------------------------------
#
# Several of the tutorials' listings do not run as printed: they have misspelt names, undefined
# variables, and round brackets where an index needs square ones. Such faults at least are loud. A
# quiet one is easy to make here. In plain NumPy, class numbers in place of one-hot rows can be
# spread over the rows, and the result is a number like any other:

y = np.array([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6]])
classes = np.array([2, 1, 0])
print(f"plain NumPy: {-np.sum(classes * np.log(y + 1e-7)) / len(y):.4f}, which means nothing")
print(f"the error:   {float(sparse_cross_entropy_error(y, classes)):.4f}")

# %%
# In xpnet a wrong shape is an error, and the message says what was meant:

try:
    cross_entropy_error(y, classes)
except ValueError as error:
    print(error)
else:
    raise AssertionError("A wrong shape was accepted.")

# %%
# So it is the other way round, and with classes that are none:

for wrong in (one_hot(classes, 3), one_hot(classes, 3).astype(int), np.array([0, 1, 3])):
    try:
        sparse_cross_entropy_error(y, wrong)
    except (TypeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("Wrong targets were accepted.")

# %%
# The same on a GPU
# -----------------
#
# The functions follow the arrays that they get; nets take one argument.
# ``docs/gpu-results.md`` says what CuPy was seen to do.
#
# .. code-block:: python
#
#    TwoLayerNet(64, 50, 10, random_state=0, backend="cupy").loss(x_batch, t_batch)
