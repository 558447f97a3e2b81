"""Any models at all, in one pass: each is its own fit."""

from __future__ import annotations

import numpy as np
from alone import CLASSES, FEATURES, HELD_OUT, N, T, X, compare
from hypothesis import given, settings
from hypothesis import strategies as st

from xpnet import (
    SGD,
    Adam,
    Cosine,
    Dense,
    Dropout,
    EarlyStopping,
    Network,
    Penalty,
    Plateau,
    ReLU,
    RMSprop,
    Tanh,
    Trainer,
)

RATES = st.sampled_from([0.0, 0.003, 0.1, 0.7, 30.0])
SCHEDULES = st.one_of(
    RATES,
    st.builds(Cosine, RATES, total=st.integers(2, 9), unit=st.sampled_from(["step", "epoch"])),
    st.builds(Plateau, RATES, reduction=st.just(0.5), patience=st.integers(0, 1)),
)
ZERO_OR_SOME = st.sampled_from([0.0, 0.0, 0.01, 0.5])
OPTIMIZERS = st.one_of(
    st.builds(SGD, SCHEDULES, momentum=ZERO_OR_SOME),
    st.builds(Adam, SCHEDULES, beta1=ZERO_OR_SOME, amsgrad=st.booleans()),
    st.builds(RMSprop, SCHEDULES),
)
MODELS = st.fixed_dictionaries(
    {
        "width": st.sampled_from([3, 3, 3, 4]),
        "activation": st.sampled_from([ReLU(), Tanh()]),
        "drop": ZERO_OR_SOME,
        "optimizer": OPTIMIZERS,
        "penalty": st.builds(Penalty, l1=ZERO_OR_SOME, l2=ZERO_OR_SOME),
        "max_norm": st.sampled_from([None, 0.1, 5.0]),
        "random_state": st.integers(0, 2),
        "dtype": st.sampled_from(["float32", "float64"]),
        "rows": st.sampled_from([range(N), range(20), HELD_OUT[0], [*HELD_OUT[1], 1, 1]]),
        "weights": st.integers(0, 9),
        "held_out": st.sampled_from([range(5), range(3, 8), range(9)]),
        "epochs": st.integers(1, 4),
        "batch_size": st.sampled_from([4, 4, 9, None]),
    }
)
FITS = st.fixed_dictionaries(
    {
        "sampling": st.sampled_from(["shuffle", "reshuffle", "replacement", "sequential"]),
        "step_losses": st.sampled_from([None, "before", "after"]),
        "train_score": st.booleans(),
        "memory": st.sampled_from([None, 1, 10_000]),
        "callbacks": st.sampled_from([[], [EarlyStopping("losses", patience=0)]]),
    }
)


def make(model):
    layers = [Dense(FEATURES, model["width"]), model["activation"], Dropout(model["drop"])]
    names = "optimizer", "penalty", "max_norm", "random_state", "dtype"
    options = {name: model[name] for name in names}
    net = Network([*layers, Dense(model["width"], CLASSES)])
    return Trainer(net, "softmax_cross_entropy", **options)


@settings(max_examples=100)
@given(st.lists(MODELS, min_size=1, max_size=5), FITS, st.booleans(), st.booleans())
def test_any_models(models, fit, weighted, watched):
    columns = {name: [model[name] for model in models] for name in models[0]}
    fit = dict(fit, epochs=columns["epochs"], batch_size=columns["batch_size"])
    fit["rows"] = [np.asarray(rows) for rows in columns["rows"]]
    if weighted:
        seeds = map(np.random.RandomState, columns["weights"])
        fit["sample_weight"] = [0.1 + seed.rand(N) for seed in seeds]
    if watched:
        fit["validation_rows"] = [np.asarray(rows) for rows in columns["held_out"]]
    compare(lambda k: make(models[k]), len(models), x=X, t=T, stacks=None, **fit)
