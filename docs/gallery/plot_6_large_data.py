"""
Data larger than memory
=======================

The tutorials' own reason for mini-batches is a billion records. Such data are read from a file
while the net is trained, and the question is in which order: what does it cost in accuracy, and
what in speed?
"""

import tempfile
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import StandardScaler

from xpnet import Adam, Dense, Network, ReLU, Stream, Trainer

# %%
# A sorted file
# -------------
#
# 60,000 rows whose class, one of ten, a small random net decides. The rows lie in the order of
# their classes, as an export of a database often has them. The features are of different sizes.

rng = np.random.default_rng(0)
first, second = rng.normal(size=(64, 8)) / 4, rng.normal(size=(8, 10))
x = rng.normal(size=(60_000, 64))
t = np.argmax(np.tanh(x @ first) @ second, axis=1)
order = np.argsort(t, kind="stable")
x, t = (x * np.geomspace(0.1, 10, 64) + 3)[order].astype(np.float32), t[order]

temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
folder = Path(temporary.name)
np.save(folder / "x.npy", x)
np.save(folder / "y.npy", t)
print(f"{(folder / 'x.npy').stat().st_size / 1e6:.1f} MB")

# %%
# Here is which class lies where. A window of the file, whatever its place, sees one of them, or
# two or three.

figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
ax.plot(t[::60], ".", markersize=3)
ax.set(xlabel="row / 60", ylabel="class", yticks=range(10))
window = np.unique(t[30_000:33_000])
print("classes in 5 % of the rows:", window)
assert len(window) < 4

# %%
# A stream of it
# --------------
#
# A memory map reads nothing yet. ``split`` holds out random rows, in one pass; ``scaled`` learns
# means and deviations in another one, by scikit-learn's own ``partial_fit``.

data = Stream(
    np.load(folder / "x.npy", mmap_mode="r"),
    np.load(folder / "y.npy", mmap_mode="r"),
    block_rows=300,
)
train, (x_val, t_val) = data.split(0.1)
scaler = StandardScaler()
train = train.scaled(scaler)
held_out = (scaler.transform(x_val), t_val)
print(train)
print(f"{int(scaler.n_samples_seen_):,} rows seen, held-out classes: {np.bincount(t_val)}")
assert scaler.n_samples_seen_ == train.n_samples == 54_000
np.testing.assert_allclose(scaler.mean_, 3, atol=0.2)

# %%
# What order costs in accuracy
# ----------------------------
#
# The same net five times: all rows shuffled, in memory; buffers of 20, 10 and 5 % of the rows; and
# no shuffle at all. Two buffers are all that a stream has in memory. Each has so many bytes:

in_memory = [np.concatenate(arrays) for arrays in zip(*train, strict=True)]
row_bytes = 64 * 4 + 4  # of features and class
buffers = {f"{part:.0%}": int(part * train.n_samples * row_bytes) for part in (0.2, 0.1, 0.05)}
print(buffers)


def fit(samples, seed, sampling="shuffle"):
    """Return the accuracy on the held-out rows after each epoch."""
    net = Network([Dense(64, 32), ReLU(), Dense(32, 10)])
    trainer = Trainer(net, "softmax_cross_entropy", Adam(0.003), random_state=seed)
    options = {"epochs": 8, "batch_size": 128, "sampling": sampling}
    return trainer.fit(*samples, **options, validation_data=held_out).val_scores


def of_buffer(size):
    """Return the stream with buffers of so many bytes."""
    stream = train.transformed(lambda x: x)
    stream.buffer_bytes = size
    return stream


# %%
# A buffer that is small beside sorted data is warned of:

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fit([of_buffer(buffers["5%"])], seed=0)
print(caught[0].message)
assert "look sorted" in str(caught[0].message)

# %%
# The fits, two seeds each:

curves = {}
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "The blocks look sorted", UserWarning)
    curves["all"] = [fit(in_memory, seed) for seed in range(2)]
    for name, size in buffers.items():
        curves[name] = [fit([of_buffer(size)], seed) for seed in range(2)]
    curves["none"] = [fit([train], seed, "sequential") for seed in range(2)]

accuracy = {name: np.mean(found, axis=0)[-1] for name, found in curves.items()}
for name, value in accuracy.items():
    print(f"{name:<5} {value:.3f} ({value - accuracy['all']:+.3f})")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
bars = left.bar(list(accuracy), list(accuracy.values()), color="C0")
left.bar_label(bars, fmt="%.3f")
left.set(xlabel="what is shuffled", ylabel="accuracy on held-out rows", ylim=(0, 1))
for name, found in curves.items():
    right.plot(range(1, 9), np.mean(found, axis=0), label=name)
right.set(xlabel="epoch", ylim=(0, 1))
_ = right.legend(frameon=False, title="shuffled", ncols=2, loc=(0.5, 0.42))

# %%
# A fifth of the data is nearly as good as all of it; a twentieth sees too few classes at a time;
# and without a shuffle the net forgets all classes but the last ones.

assert accuracy["all"] - accuracy["20%"] < 0.04
assert accuracy["20%"] > accuracy["5%"] > accuracy["none"]
assert accuracy["none"] < accuracy["all"] - 0.2

# %%
# What order costs in speed
# -------------------------
#
# A larger file of rows without meaning, read in batches of 128 in four ways: from the beginning to
# the end; random rows, one at a time; random rows, a batch at a time; and random blocks, copied
# into a buffer whose rows are then taken in random order. The last one is what a stream does.

np.save(folder / "large.npy", rng.random((400_000, 64), np.float32))
large = np.load(folder / "large.npy", mmap_mode="r")
print(f"{large.nbytes / 1e6:.0f} MB")


def in_order():
    for begin in range(0, len(large), 128):
        yield large[begin : begin + 128]


def single_rows():
    for rows in rng.permutation(len(large))[:25_600].reshape(-1, 128):
        yield np.stack([large[row] for row in rows])


def batches_of_rows():
    for rows in rng.permutation(len(large)).reshape(-1, 128):
        yield large[rows]


def blocks_and_buffer():
    starts = rng.permutation(np.arange(0, len(large), 4000))
    for some in np.split(starts, 5):
        buffer = np.concatenate([large[begin : begin + 4000] for begin in some])
        for rows in rng.permutation(len(buffer)).reshape(-1, 128):
            yield buffer[rows]


def rate(read):
    """Return a million rows a second, each number touched; the better one of two passes."""
    rates = []
    for _ in range(2):
        began, rows = time.perf_counter(), 0
        for part in read():
            part.sum()
            rows += len(part)
        rates.append(rows / (time.perf_counter() - began) / 1e6)
    return max(rates)


rates = {
    "in order": rate(in_order),
    "single\nrows": rate(single_rows),
    "random\nbatches": rate(batches_of_rows),
    "blocks and\na buffer": rate(blocks_and_buffer),
}
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.bar_label(ax.bar(list(rates), list(rates.values()), color="C1"), fmt="%.2f")
ax.set(ylabel="million rows a second", yscale="log", ylim=(0.1, 100))
for name, value in rates.items():
    print(f"{' '.join(name.split()):<20} {value:6.2f} million rows/s")
assert rates["blocks and\na buffer"] > 3 * rates["single\nrows"]

# %%
# All of this file was in the system's memory, for it has just been written. From a disk, each
# random row costs a read of its own, and of a compressed format a whole chunk is unpacked for each.
# Blocks do not lose so much there: ``scripts/stream_demo --gigabytes 8`` measures it.

# %%
# The same on data of one's own
# -----------------------------
#
#
# .. code-block:: python
#
#    data = Stream("records.parquet", target="label", buffer_bytes=2**30)
#    train, held_out = data.split(0.01)
#    trainer.fit(train, epochs=3, batch_size=1024, validation_data=held_out)
#
# :doc:`/large-data` says what may be a source, and how a run that was killed goes on.

temporary.cleanup()
