"""Nets and runs to be saved, and what saved files are held to."""

from __future__ import annotations

import dataclasses
import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest

from xpnet import checkpoints
from xpnet.checkpoints import container
from xpnet.history import History
from xpnet.initializers import Glorot, He, Initializer, LeCun, Normal, Ones, Uniform, Zeros
from xpnet.layers import ACTIVATIONS, ELU, Dense, Dropout, LeakyReLU, Sigmoid
from xpnet.losses import SquaredError
from xpnet.network import Network
from xpnet.optimizers import Adam, Cosine
from xpnet.penalties import Penalty
from xpnet.state import TrainState

X = np.random.RandomState(1).standard_normal((20, 3))
T = np.tile([0, 1], 10)


class OwnInitializer(Initializer):
    def __call__(self, rng, shape, fan_in, fan_out):
        return np.ones(shape)


NET = Network([Dense(3, 4), Sigmoid(), Dropout(0.25), Dense(4, 2, bias=False)])
RICH = Network(
    [
        Dense(2, 3, Normal(0.5), Uniform(0.125)),
        *(make() for make in ACTIVATIONS.values()),
        LeakyReLU(0.2),
        ELU(0.5),
        Dropout(0.25),
        Dense(3, 3, Glorot("normal"), Ones()),
        Dense(3, 2, He(), Zeros()),
        Dense(2, 1, LeCun("normal"), bias=False),
    ]
)


def draw(network, *lead, dtype="float64"):
    return np.random.RandomState(0).standard_normal((*lead, network.n_params)).astype(dtype)


def same(saved, network, params, loss=None, metadata=None):
    assert repr(saved.network) == repr(network)
    assert saved.params.dtype == params.dtype
    np.testing.assert_array_equal(saved.params, params)
    assert saved.loss == loss
    assert type(saved.loss) is type(loss)
    assert saved.metadata == (metadata or {})


class Cube(Sigmoid):
    """A layer that xpnet does not know."""


@dataclasses.dataclass(frozen=True)
class Strange(SquaredError):
    """A loss that xpnet does not know."""


def generator(seed=0):
    rng = np.random.RandomState(seed)
    rng.standard_normal(3)  # leaves one over
    return rng.get_state(legacy=False)


def odd_state(**changes):
    """A state with all that is hard to keep."""
    n = NET.n_params
    params = np.linspace(-1.0, 1.0, 2 * n).reshape(2, n)
    params[0, 0] = -0.0
    moments = np.full((2, n), np.inf), np.where(params > 0, np.nan, -0.0)
    entry = np.array([np.nan, -0.0])
    state = TrainState(
        params=params,
        optimizer_state=moments,
        step=10**12,
        epoch=3,
        generators=(generator(0), generator(1)),
        dropout_seed=np.array([[[1]], [[-5]]], np.int32),
        curve=(entry, entry + 1.0, entry.astype(np.float32)),
        order=np.arange(12).reshape(2, 6)[:, ::-1],
    )
    return dataclasses.replace(state, **changes)


def odd_run():
    """A run with something of everything in it."""
    return checkpoints.Training(
        odd_state(),
        History(losses=[0.5, float("nan")], val_losses=[np.ones(2), np.zeros(2)]),
        Adam(Cosine(np.array([[0.1], [0.2]]), total=5)),
        Penalty(l2=0.1),
        1.0,
        ({"best": float("inf"), "params": np.ones(3, np.float32)}, {}),
    )


def identical(one, other):
    """Whether two nested values are the same to the bit: types, shapes, NaN and -0.0 too."""
    if type(one) is not type(other):
        return False
    if dataclasses.is_dataclass(one):
        return identical(vars(one), vars(other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(identical(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, np.ndarray | np.generic):
        same_kind = (one.dtype, one.shape) == (other.dtype, other.shape)
        return same_kind and one.tobytes() == other.tobytes()
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    return one == other


def forge(path, change, arrays=None, training=None):
    """Write a file with a right checksum whose description was changed by hand."""
    params = draw(NET) if training is None else None
    checkpoints.save(path, NET, params, SquaredError(), training=training)
    text, found = container.decode(path.read_bytes())
    description = json.loads(text)
    changed = change(description)
    text = changed if isinstance(changed, str) else json.dumps(description)
    path.write_bytes(container.encode(text, found if arrays is None else arrays))
    return path


def rejects(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        checkpoints.load(path)
    assert str(caught.value).startswith(f"{path} cannot be loaded: ")


def load_or_reject(path):
    """Return what the file holds; None where it is rejected, which must name the file."""
    try:
        return checkpoints.load(path)
    except ValueError as error:
        message = str(error)
    assert message.startswith(f"{path} cannot be loaded: ")
    return None


def load_bytes(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net")
        path.write_bytes(data)
        return load_or_reject(path)
