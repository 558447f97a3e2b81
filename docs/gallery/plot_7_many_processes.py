"""
Many processes
==============

When do several processes train one net faster than one? A model on paper says it before anything is
bought or rented: the time of a step, the bytes of a gradient, and the network between the ranks.
Here it is drawn for 2 to 1,024 ranks, and checked against what was measured on a small machine.
"""

import matplotlib.pyplot as plt
import numpy as np

# %%
# The model
# ---------
#
# Each rank computes the gradient of its share of the batch. Then one exchange adds up the gradients
# of all of them. With ``n`` ranks a step takes
#
# .. math:: t(n) = \frac{t_1}{n} + L \log_2 n + 2 \frac{n - 1}{n} \frac{bytes}{B}
#
# where :math:`t_1` is the step of one rank, :math:`L` the latency of a message, and :math:`B` the
# bandwidth. The last term is that of a ring: each number crosses each link about twice, however
# many ranks there are.


def step_seconds(n, t1, n_bytes, latency, bandwidth, every=1):
    """Return the seconds of a step on n ranks that exchange `n_bytes` every so many steps."""
    n = np.asarray(n, dtype=float)
    exchange = latency * np.log2(n) + 2 * (n - 1) / n * n_bytes / bandwidth
    return t1 / n + exchange / every


# %%
# What was measured
# -----------------
#
# ``scripts/distributed_demo --write`` measured these numbers, with one BLAS thread a rank: the
# seconds of a step on 1, 2 and 3 ranks, those of one rank on half and on a third of the batch, and
# latency and bandwidth of a sum over the ranks, which share the machine's memory.

# fmt: off
# scripts/distributed_demo --write writes from here
MEASURED = {
    "nets": {
        "784-512-512-10, batch 1024": {
            "n_params": 669706,
            "batch": 1024,
            "step": {"1": 0.02906457, "2": 0.01619371, "3": 0.0238611},
            "part": {"2": 0.01485202, "3": 0.01053295},
        },
        "784-512-512-10, batch 512": {
            "n_params": 669706,
            "batch": 512,
            "step": {"1": 0.01457479, "2": 0.00901372, "3": 0.01486503},
            "part": {"2": 0.00790622, "3": 0.00558693},
        },
        "784-128-10, batch 2048": {
            "n_params": 101770,
            "batch": 2048,
            "step": {"1": 0.00774237, "2": 0.00410523, "3": 0.00610659},
            "part": {"2": 0.00387895, "3": 0.00261807},
        },
        "784-128-10, batch 256": {
            "n_params": 101770,
            "batch": 256,
            "step": {"1": 0.00106266, "2": 0.00070883, "3": 0.00124702},
            "part": {"2": 0.00061132, "3": 0.00045601},
        },
        "30-10-1, batch 32": {
            "n_params": 321,
            "batch": 32,
            "step": {"1": 1.678e-05, "2": 2.236e-05, "3": 5.475e-05},
            "part": {"2": 1.599e-05, "3": 1.54e-05},
        },
    },
    "sums": {
        "2": {"latency": 3.38e-06, "bandwidth": 6453194603},
        "3": {"latency": 2.055e-05, "bandwidth": 1322329860},
    },
}
# to here
# fmt: on

# %%
# The model and the measured steps
# --------------------------------
#
# With two ranks on two cores the model has all that it asks for. It is too hopeful where the rule
# of the optimizer, which each rank applies to *all* parameters, and the calls from Python take
# their time: neither becomes less with fewer rows. With the measured time of a step on a share of
# the rows in place of :math:`t_1 / n` it comes nearer. What is left are copies of the gradient, two
# cores that share one memory, and the wait for whoever is last. Three ranks on two cores have no
# more than two cores, and wait for a rank that does not run: they show what one too many costs.

CORES = 2

print(f"{'net':<27}{'ranks':>5}{'measured':>10}{'model':>9}{'':>6}{'with shares':>13}")
for name, net in MEASURED["nets"].items():
    for ranks in (2, 3):
        measured, network = net["step"][str(ranks)], MEASURED["sums"][str(ranks)]
        busy = min(ranks, CORES)
        exchange = step_seconds(ranks, 0.0, 4 * net["n_params"], **network)
        model = net["step"]["1"] / busy + exchange
        shares = net["part"][str(ranks)] * ranks / busy + exchange
        cells = f"{1e3 * measured:>7.3f} ms"
        for seconds in (model, shares):
            cells += f"{1e3 * seconds:>7.3f} ms{seconds / measured - 1:>+6.0%}"
        print(f"{name:<27}{ranks:>5}{cells}")

# %%
# From 2 to 1,024 ranks
# ---------------------
#
# Two nets as they were measured, and one of 38 million parameters whose time is that of as many
# multiplications at the same rate. Two networks: Ethernet of 10 Gbit/s with 30 µs, and InfiniBand
# or NVLink with 3 µs and 50 GB/s. The lines end where a rank would have no row of the batch.

NETWORKS = {
    "Ethernet, 10 Gbit/s, 30 µs": (30e-6, 1.25e9),
    "InfiniBand or NVLink, 50 GB/s, 3 µs": (3e-6, 50e9),
}
small, large = (MEASURED["nets"][k] for k in ("30-10-1, batch 32", "784-512-512-10, batch 1024"))
per_weight = large["step"]["1"] / large["n_params"] / large["batch"]  # seconds a row and parameter
n_huge = 4096 * 4096 * 2 + 4096 * 1000 + 2 * 4096 + 1000
NETS = {
    "30-10-1, batch 32": (small["step"]["1"], small["n_params"], 32),
    "784-512-512-10, batch 1,024": (large["step"]["1"], large["n_params"], 1024),
    "4096-4096-4096-1000, batch 8,192": (8192 * n_huge * per_weight, n_huge, 8192),
}
RANKS = 2 ** np.arange(11)

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.9), sharey=True, layout="constrained")
for ax, (title, network) in zip(axes, NETWORKS.items(), strict=True):
    ax.plot(RANKS, RANKS, color="0.7", linestyle=":", label="as many times as ranks")
    for name, (t1, n_params, batch) in NETS.items():
        ranks = RANKS[batch >= RANKS]
        ax.plot(ranks, t1 / step_seconds(ranks, t1, 4 * n_params, *network), "o-", ms=3, label=name)
    ax.axhline(1, color="0.3", linewidth=0.8)
    ax.set(xscale="log", yscale="log", xlabel="ranks", title=title, ylim=(0.05, 1500))
axes[0].set_ylabel("times as fast as one rank")
_ = axes[0].legend(frameon=False, fontsize=8)

# %%
# The same as numbers: how many times as fast, and the share of the ranks' work that is not lost.

print(f"{'':<34}{'2':>12}{'16':>12}{'128':>12}{'1024':>12}  best")
for title, network in NETWORKS.items():
    print(title)
    for name, (t1, n_params, batch) in NETS.items():
        speed = t1 / step_seconds(RANKS, t1, 4 * n_params, *network)
        told = ""
        for k in (1, 4, 7, 10):
            fits = RANKS[k] <= batch
            told += f"{f'{speed[k]:.2f} {speed[k] / RANKS[k]:>4.0%}' if fits else '':>12}"
        fastest = RANKS[np.argmax(np.where(batch >= RANKS, speed, 0))]
        print(f"  {name:<32}{told}  {fastest}")

# %%
# Both terms grow with the number of parameters: time by multiplications, bytes by themselves. So of
# nets that are not tiny it is the *batch* that says how far it goes: the rows that each rank has.
#
# Data-parallel training pays where :math:`t_1` is large beside the exchange. A step of the small
# net is over before a message arrives. For two ranks to be 1.7 times as fast the exchange must take
# no more than 9 % of :math:`t_1`:

for title, network in NETWORKS.items():
    for name, (t1, n_params, _) in NETS.items():
        exchange = float(step_seconds(2, 0.0, 4 * n_params, *network))
        verdict = "pays" if exchange <= (1 / 1.7 - 1 / 2) * t1 else "does not pay"
        print(f"{title:<36} {name:<33} {exchange / t1:>9.2%} of a step: {verdict}")

# %%
# Where a stacked search is the better use
# ----------------------------------------
#
# If many nets are to be trained, a rank that trains its own ones exchanges nothing: n ranks do n
# times as much, whatever the network. And many small nets in one stack share the cost of the calls:
# 64 nets of 30-10-1 take an eighth of the time of as many fits (``docs/searches.md``). So 64
# candidates on 64 ranks, as multiples of one rank that trains them one after the other:

STACKED = 8.0
print(
    f"{'64 candidates, 64 ranks':<34}{'each on all ranks':>18}{'one a rank':>12}{'one stack':>11}"
)
for name, (t1, n_params, batch) in NETS.items():
    ranks = min(64, batch)
    together = t1 / step_seconds(ranks, t1, 4 * n_params, *NETWORKS["Ethernet, 10 Gbit/s, 30 µs"])
    stack = f"{STACKED:.0f}, on one" if name.startswith("30") else ""
    print(f"{name:<34}{together:>18.1f}{64:>12}{stack:>11}")

# %%
# Use the ranks for one net where there is only one, or where it must be ready soon; for a search,
# give each rank nets of its own.
#
# Where local SGD pays
# --------------------
#
# With ``average_every=k`` ranks train by themselves for k steps, and only then average their
# parameters: the exchange is paid once in k steps. The net of 784-512-512-10 on Ethernet:

figure, ax = plt.subplots(figsize=(6, 3.9), layout="constrained")
t1, n_params, batch = NETS["784-512-512-10, batch 1,024"]
for every in (1, 4, 16, 64):
    seconds = step_seconds(RANKS, t1, 4 * n_params, *NETWORKS["Ethernet, 10 Gbit/s, 30 µs"], every)
    told = "gradients at each step" if every == 1 else f"average_every={every}"
    ax.plot(RANKS, t1 / seconds, "o-", ms=3, label=told)
ax.plot(RANKS, RANKS, color="0.7", linestyle=":", label="as many times as ranks")
ax.set(xscale="log", yscale="log", xlabel="ranks", ylabel="times as fast as one rank")
_ = ax.legend(frameon=False, fontsize=8)

# %%
# This counts steps, not what they are worth: between two averages each rank sees its own part of
# the batch alone, and its steps are noisier. It pays where the exchange is most of a step, and
# ranks have rows enough: try it with a held-out set, as ``docs/many-processes.md`` did on digits.
#
# On GPUs
# -------
#
# The same formula holds, with smaller :math:`t_1`: a GPU that computes a hundred times as fast
# needs a network a hundred times as fast for the same picture. xpnet's ways between GPUs
# (CUDA-aware MPI, and NCCL, which is experimental) have not run on several GPUs yet:
# ``docs/gpu-results.md`` keeps the state.
