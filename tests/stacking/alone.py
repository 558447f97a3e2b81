"""Many fits in one pass, compared with each fit alone."""

from __future__ import annotations

import copy
import dataclasses
from unittest import mock

import numpy as np

from xpnet import Dense, Dropout, Network, ReLU, Trainer, backends, fit_many
from xpnet.optimizers import Schedule
from xpnet.stacking import training
from xpnet.training import DivergenceError

N, FEATURES, CLASSES = 26, 4, 3
RNG = np.random.RandomState(3)
X = RNG.standard_normal((N, FEATURES))
T = RNG.randint(CLASSES, size=N)
YES = RNG.randint(2, size=N)
Y = RNG.standard_normal((N, 2))
WEIGHTS = RNG.rand(3, N) * (RNG.rand(3, N) < 0.8)
FOLDS = [np.setdiff1d(np.arange(N), np.arange(k, 24, 3)) for k in range(3)]
"""The rows of three folds, 18 each, in which the last two of all are always."""
HELD_OUT = [np.arange(k, 24, 3) for k in range(3)]
NET = Network([Dense(FEATURES, 5), ReLU(), Dropout(0.3), Dense(5, CLASSES)])
LOSS = "softmax_cross_entropy"
FIT = {"epochs": 3, "batch_size": 5, "train_score": True, "step_losses": "before"}


def trainer(optimizer="adam", *, network=NET, loss=LOSS, **options):
    return Trainer(network, loss, optimizer, **{"random_state": 0, **options})


def bits(value):
    """A nested value as one that `==` compares to the bit: types, shapes, NaN and -0.0 too."""
    value = backends.to_host(value)
    if dataclasses.is_dataclass(value):
        return bits(vars(value))
    if isinstance(value, dict):
        return {key: bits(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [bits(entry) for entry in value]
    if isinstance(value, float | np.ndarray | np.generic):
        array = np.asarray(value)
        return array.dtype.str, array.shape, array.tobytes()
    return repr(value) if isinstance(value, Schedule) else value


def same(found, expected):
    assert found.keys() == expected.keys()
    for name in expected:
        assert bits(found[name]) == bits(expected[name]), name


def curves(history):
    return {name: curve for name, curve in vars(history).items() if name != "seconds"}


def told(callbacks):
    """What callbacks say of their fit."""
    return [
        {name: v for name, v in vars(callback).items() if name[0] != "_"} | callback.state()
        for callback in callbacks
    ]


def alone(trained, x, t, **options):
    """Fit it, and return all that is left of it, and the error if it diverged."""
    failure = None
    try:
        trained.fit(x, t, **options)
    except DivergenceError as error:
        failure = str(error)
    return {
        **vars(trained.state_),
        **curves(trained.history_),
        "stopped": trained.stopped_ if failure is None else failure,
        "failure": failure,
        "callbacks": told(options.get("callbacks", ())),
    }


def of_many(outcome):
    """Return the same of one of many fits."""
    return {
        **vars(outcome.state),
        **curves(outcome.history),
        "stopped": outcome.stopped,
        "failure": None if outcome.failure is None else str(outcome.failure),
        "callbacks": told(outcome.callbacks),
    }


def listed(value, n):
    """Return a value for each model."""
    return value if isinstance(value, list) else [value] * n


def own_options(options, k, n, x, t):
    """Return what model k alone is fitted with, and its rows."""
    own = {name: v for name, v in options.items() if name not in ("memory", "n_jobs")}
    rows = own.pop("rows", None)
    rows = np.arange(len(t)) if rows is None else np.asarray(rows[k])
    for name in ("epochs", "batch_size"):
        own[name] = listed(own[name], n)[k]
    weights = own.pop("sample_weight", None)
    if weights is not None:
        weights = weights if np.ndim(weights[0]) == 0 else weights[k]
        own["sample_weight"] = weights[rows]
    held_out = own.pop("validation_rows", None)
    if held_out is not None:
        kept = held_out[k]
        own["validation_data"] = (x[kept], t[kept], *([] if weights is None else [weights[kept]]))
    states = own.pop("states", None)
    if states is not None:
        own["state"] = states[k]
    return own, rows


def compare(make, n=3, *, x=X, t=T, stacks=1, check=same, models=None, **options):
    """Compare fits in one pass with fits alone; return the outcomes.

    ``make(k)`` returns the trainer of model k, anew; the options are those of `fit_many`.
    """
    options = {**FIT, **options}
    trainers = [make(k) for k in range(n)]
    with mock.patch.object(training, "train_stack", wraps=training.train_stack) as trained:
        outcomes = fit_many(trainers, x, t, **copy.deepcopy(options))
    assert stacks in (None, trained.call_count)
    for k in range(n) if models is None else models:
        own, rows = own_options(options, k, n, x, t)
        own = copy.deepcopy(own)
        check(of_many(outcomes[k]), alone(make(k), x[rows], t[rows], **own))
        assert trainers[k].state_ is outcomes[k].state
        assert trainers[k].history_ is outcomes[k].history
        assert trainers[k].stopped_ == outcomes[k].stopped
        assert len(outcomes[k].history.seconds) == outcomes[k].history.n_epochs
    return outcomes
