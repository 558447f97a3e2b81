"""Many fits in one pass on every backend, as near to fits alone as its roundings are."""

from __future__ import annotations

import numpy as np
import pytest
from alone import CLASSES, FEATURES, LOSS, WEIGHTS, T, X, bits, compare, trainer

from xpnet import (
    Adam,
    Cosine,
    Dense,
    Dropout,
    EarlyStopping,
    Network,
    Penalty,
    Plateau,
    ReLU,
    backends,
    fit_many,
)

# Two batches of nine, so that no smaller last batch is compiled.
ROWS = [np.arange(k, k + 18) for k in (0, 3, 6, 8)]
HELD_OUT = [np.arange(k, k + 6) for k in (18, 0, 0, 2)]


def close(tolerance):
    def check(found, expected):
        for name in expected:
            if name in ("stopped", "failure", "generators", "dropout_seed", "step", "epoch"):
                assert bits(found[name]) == bits(expected[name]), name
            elif name == "optimizer_state":
                for ours, theirs in zip(found[name], expected[name], strict=True):
                    near(ours, theirs)
            elif name in ("params", "curve", "losses", "val_losses", "step_losses", "scores"):
                near(found[name], expected[name])

    def near(ours, theirs):
        ours, theirs = (np.asarray(backends.to_host(a)) for a in (ours, theirs))
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)

    return check


def tolerance(dtype):
    return 1e-12 if dtype == "float64" else 2e-5


def test_each_model_is_trained_as_if_alone(backend, dtype, lies_on):
    """All that a stack has an axis of models for; three fits stop, and the stack is made anew."""
    place = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    rates = (Cosine(0.1, total=9), 0.05, Plateau(0.1, patience=0), 0.02)

    def make(k):
        rate = Dropout((0.0, 0.3, 0.5, 0.2)[k])
        net = Network([Dense(FEATURES, 5), ReLU(), rate, Dense(5, CLASSES)])
        optimizer = Adam(rates[k], beta1=(0.9, 0.5, 0.8, 0.0)[k])
        options = {"penalty": Penalty(l2=0.1 * (k + 1)), "max_norm": 0.5 * (k + 1)}
        return trainer(optimizer, network=net, loss=LOSS, random_state=k, **options, **place)

    outcomes = compare(
        make,
        4,
        rows=ROWS,
        validation_rows=HELD_OUT,
        sample_weight=[*WEIGHTS, WEIGHTS[0]],
        batch_size=9,
        epochs=[2, 4, 1, 2],
        check=close(tolerance(dtype)),
        models=[1, 2],
    )
    for outcome in outcomes:
        lies_on(backend, outcome.state.params, dtype)
        lies_on(backend, outcome.state.optimizer_state[0], dtype)


@pytest.mark.parametrize("name", ["jax", "torch", "array_api_strict"])
def test_arrays_of_the_library_are_followed(name):
    """Also where the targets alone, or the validation set alone, are of it."""
    if not backends.available()[name].usable:
        pytest.skip(f"no {name}")
    place = backends.get(name)
    x, t = place.asarray(X, "float32"), place.asarray(T, "int32")
    wide = X.astype(np.float32)
    for given, held_out in (((x, t), None), ((wide, t), None), ((wide, T), (x, t))):
        trained = [trainer(random_state=k) for k in range(2)]
        options = {"epochs": 1, "batch_size": 13, "validation_data": held_out}
        outcomes = fit_many(trained, *given, **options)
        own = trainer(random_state=1)
        own.fit(*given, **options)
        assert backends.owner(outcomes[1].state.params) == name
        found, expected = (backends.to_host(s.params) for s in (outcomes[1].state, own.state_))
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def test_best_parameters_are_restored_and_failures_told(backend):
    """The second model diverges at once."""
    place = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    net = Network([Dense(FEATURES, CLASSES)])

    def make(k):
        return trainer(Adam((0.1, 3e38, 0.05)[k]), network=net, random_state=k, **place)

    stopping = EarlyStopping("losses", patience=0, min_delta=0.05)
    options = {"callbacks": [stopping], "batch_size": 13, "epochs": 6}
    outcomes = compare(make, check=close(2e-5), models=[0, 1], **options)
    assert outcomes[1].failure
    assert outcomes[0].callbacks[0].stopped_epoch_
