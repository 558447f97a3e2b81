"""Short runs, and what is compared of them."""

from __future__ import annotations

import dataclasses

import numpy as np

from xpnet import Adam, Callback, Dense, Dropout, Network, Tanh, Trainer, backends

RNG = np.random.RandomState(1)
X = RNG.standard_normal((26, 3))
T = (X[:, 0] + RNG.standard_normal(26) > 0).astype(int)
HELD_OUT = X[18:], T[18:]
NET = Network([Dense(3, 5), Tanh(), Dropout(0.25), Dense(5, 1)])


def trainer(optimizer=None, *, network=NET, loss="binary_cross_entropy", **options):
    optimizer = Adam(0.05) if optimizer is None else optimizer
    return Trainer(network, loss, optimizer, **{"random_state": 0, **options})


def fit(trained, *callbacks, x=X[:18], t=T[:18], **options):
    """Train it, and return it."""
    length = {} if "iterations" in options else {"epochs": 8}
    data = {"batch_size": 6, "validation_data": HELD_OUT, **length, **options}
    trained.fit(x, t, callbacks=callbacks, **data)
    return trained


class Each(Callback):
    """Calls a function with the fit after each epoch."""

    steers = False

    def __init__(self, function):
        self.on_epoch_end = function


class Fail(Callback):
    """Raises at an event of an epoch; of no epoch where that is None."""

    steers = False

    def __init__(self, epoch=None, error=RuntimeError, event="on_epoch_end"):
        self.epoch, self.error, self.event = epoch, error, event

    def _meet(self, event, epoch):
        if (event, epoch) == (self.event, self.epoch):
            raise self.error("as it was asked to")

    def on_epoch_begin(self, fit):
        self._meet("on_epoch_begin", fit.history.n_epochs + 1)

    def on_epoch_end(self, fit):
        self._meet("on_epoch_end", fit.history.n_epochs)


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
    return value


def outcome(trained):
    """All that a run leaves behind, but for the time that it took."""
    history = {name: curve for name, curve in vars(trained.history_).items() if name != "seconds"}
    return bits({"state": trained.state_, "history": history, "stopped": trained.stopped_})


def host(trained):
    return backends.to_host(trained.state_.params)
