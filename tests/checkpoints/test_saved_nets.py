"""Saved nets come back to the bit."""

from __future__ import annotations

import re

import numpy as np
import pytest
import safetensors.numpy
from saved import NET, RICH, Cube, OwnInitializer, Strange, T, X, draw, same

from xpnet import checkpoints
from xpnet.layers import Dense, Dropout
from xpnet.losses import LOSSES, BinaryCrossEntropy, Huber, SoftmaxCrossEntropy
from xpnet.network import Network
from xpnet.trainer import Trainer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lead", [(), (5,)])
@pytest.mark.parametrize("network", [NET, RICH])
def test_what_is_saved_comes_back_to_the_bit(tmp_path, network, lead, dtype):
    params = draw(network, *lead, dtype=dtype)
    path = checkpoints.save(tmp_path / "new" / "folder" / "net", network, params)
    assert path == tmp_path / "new" / "folder" / "net"
    same(checkpoints.load(str(path)), network, params)


@pytest.mark.parametrize(
    "loss",
    [
        *(make() for make in LOSSES.values()),
        Huber(0.5),
        BinaryCrossEntropy(clip=1e-10),
        SoftmaxCrossEntropy(offset=1e-7),
    ],
    ids=repr,
)
def test_losses_come_back_with_their_options(tmp_path, loss):
    checkpoints.save(tmp_path / "net", NET, draw(NET), loss)
    same(checkpoints.load(tmp_path / "net"), NET, draw(NET), loss)


def test_numbers_of_numpy_in_layers_are_plain_numbers(tmp_path):
    network = Network([Dense(np.int64(2), np.int32(3)), Dropout(np.float32(0.25)), Dense(3, 1)])
    checkpoints.save(tmp_path / "net", network, draw(network))
    loaded = checkpoints.load(tmp_path / "net").network
    assert repr(loaded) == repr(Network([Dense(2, 3), Dropout(0.25), Dense(3, 1)]))


def test_metadata_come_back(tmp_path):
    metadata = {"data": "moons", "epochs": 20, "rates": (0.1, None), "ü": {"done": np.inf}}
    checkpoints.save(tmp_path / "net", NET, draw(NET), metadata=metadata)
    same(checkpoints.load(tmp_path / "net"), NET, draw(NET), metadata=metadata)


def test_others_read_the_arrays_under_their_names(tmp_path):
    params = draw(NET, 5, dtype="float32")
    checkpoints.save(tmp_path / "net", NET, params)
    arrays = safetensors.numpy.load_file(tmp_path / "net")
    assert {n: a.shape for n, a in arrays.items()} == {
        "W1": (5, 3, 4),
        "b1": (5, 4),
        "W2": (5, 4, 2),
    }
    np.testing.assert_array_equal(NET.flatten(arrays), params)


def test_arrays_of_every_library_are_saved(tmp_path, backend, dtype):
    params = draw(NET, dtype=dtype)
    with backend.session(dtype):
        checkpoints.save(tmp_path / "net", NET, backend.asarray(params))
    same(checkpoints.load(tmp_path / "net"), NET, params)


def test_arrays_in_another_order_in_memory_are_saved(tmp_path):
    params = np.asfortranarray(draw(NET, 4))[::-1]
    checkpoints.save(tmp_path / "net", NET, params)
    same(checkpoints.load(tmp_path / "net"), NET, params)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((NET, np.zeros(3)), ValueError, r"params has shape \(3,\); \(24,\) or \(models, 24\) is"),
        ((NET, np.zeros((2, 2, 24))), ValueError, r"params has shape \(2, 2, 24\)"),
        ((NET, 1.0), ValueError, r"params has shape \(\)"),
        ((NET, np.full(24, np.nan)), ValueError, "params holds NaN"),
        ((NET, np.zeros(24, int)), ValueError, "params.dtype='int64' is unknown"),
        ((Network([Dense(2, 1), Cube()]), np.zeros(3)), ValueError, r"layers\[1\]=.*cannot be"),
        (
            (Network([Dense(2, 1, OwnInitializer())]), np.zeros(3)),
            ValueError,
            r"layers\[0\]\.weight_init=.*OwnInitializer.* cannot be saved",
        ),
        ((NET, np.zeros(24), Strange()), ValueError, r"loss=Strange\(.*\) cannot be saved"),
        ((NET, np.zeros(24), None, {"a": object()}), TypeError, r"metadata\['a'\]=<object"),
        ((NET, np.zeros(24), None, {1: 2}), TypeError, r"metadata=\{1: 2\} cannot be saved"),
        ((NET, np.zeros(24), None, ["a"]), TypeError, r"metadata=\['a'\] must be a dict"),
    ],
)
def test_what_cannot_be_saved_leaves_no_file(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        checkpoints.save(tmp_path / "net", *arguments)
    assert list(tmp_path.iterdir()) == []


def trained(**options):
    trainer = Trainer(NET, SoftmaxCrossEntropy(), random_state=0, **options)
    trainer.fit(X, T, epochs=2)
    return trainer


@pytest.mark.parametrize("random_state", [0, [0, 1]])
@pytest.mark.parametrize("dtype", ["float32", "float64", None])
def test_a_trainer_comes_back_with_its_predictions(tmp_path, dtype, random_state):
    trainer = Trainer(NET, SoftmaxCrossEntropy(), "adam", dtype=dtype, random_state=random_state)
    trainer.fit(X, T, epochs=2)
    path = trainer.save(tmp_path / "net.safetensors")
    assert path == tmp_path / "net.safetensors"
    again = Trainer.load(path)
    assert again.dtype == (dtype or "float64")
    assert again.problem.loss == SoftmaxCrossEntropy()
    np.testing.assert_array_equal(again.predict(X), trainer.predict(X))
    for ours, theirs in zip(again.evaluate(X, T), trainer.evaluate(X, T), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_trainer_goes_from_any_backend_to_any_other(tmp_path, backend):
    options = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    path = trained(dtype="float32").save(tmp_path / "net")
    loaded = Trainer.load(path, **options)
    np.testing.assert_allclose(loaded.predict(X), Trainer.load(path).predict(X), rtol=1e-5)
    there = trained(**options)
    there.save(path)
    back = Trainer.load(path)
    np.testing.assert_array_equal(back.state_.params, backend.to_host(there.state_.params))


def test_a_loaded_trainer_takes_another_type_and_trains_on(tmp_path):
    path = trained(dtype="float32").save(tmp_path / "net")
    loaded = Trainer.load(path, dtype="float64")
    assert loaded.predict(X).dtype == np.float64
    before, _ = loaded.evaluate(X, T)
    loaded.fit(X, T, epochs=30, state=loaded.state_)
    assert loaded.evaluate(X, T)[0] < before


def test_trainers_that_cannot_be_saved_or_loaded(tmp_path):
    with pytest.raises(RuntimeError, match="not trained yet"):
        Trainer(NET, SoftmaxCrossEntropy()).save(tmp_path / "net")
    path = checkpoints.save(tmp_path / "net", NET, draw(NET))
    with pytest.raises(ValueError, match=re.escape(f"{path} holds no loss")):
        Trainer.load(path)
    with pytest.raises(ValueError, match="backend='nmpy' is unknown"):
        Trainer.load(trained().save(path), backend="nmpy")
