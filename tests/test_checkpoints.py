"""Checkpoints: what is saved comes back to the bit, and nothing else is ever taken for it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from xpnet import checkpoints
from xpnet.initializers import Glorot, He, Initializer, LeCun, Normal, Ones, Uniform, Zeros
from xpnet.layers import ACTIVATIONS, ELU, Dense, Dropout, Layer, LeakyReLU, Sigmoid
from xpnet.losses import LOSSES, BinaryCrossEntropy, Huber, SoftmaxCrossEntropy, SquaredError
from xpnet.network import Network
from xpnet.trainer import Trainer


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
    metadata = {"data": "moons", "epochs": 20, "rates": [0.1, None], "ü": {"done": True}}
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


class Cube(Sigmoid):
    """A layer that xpnet does not know."""


@dataclasses.dataclass(frozen=True)
class Strange(SquaredError):
    """A loss that xpnet does not know."""


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
        ((NET, np.zeros(24), Strange()), ValueError, r"loss=Strange\(\) cannot be saved"),
        ((NET, np.zeros(24), None, {"a": object()}), TypeError, "metadata cannot be written"),
        ((NET, np.zeros(24), None, {"a": np.inf}), TypeError, "metadata cannot be written"),
        ((NET, np.zeros(24), None, ["a"]), TypeError, r"metadata=\['a'\] must be a dict"),
    ],
)
def test_what_cannot_be_saved_leaves_no_file(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        checkpoints.save(tmp_path / "net", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_on_the_disk_before_it_takes_the_old_ones_place(tmp_path, monkeypatch):
    path = checkpoints.save(tmp_path / "net", NET, draw(NET))
    calls = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(number):
        calls.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        real_fsync(number)

    def replace(source, target):
        assert Path(source).parent == Path(target).parent
        assert checkpoints.load(source).params[0] == 1.0  # whole
        calls.append("replace")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    checkpoints.save(path, NET, np.ones(NET.n_params))
    assert calls == ["file", "replace", "folder"]
    assert [p.name for p in tmp_path.iterdir()] == ["net"]


@pytest.mark.parametrize("place", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, place, error):
    path = checkpoints.save(tmp_path / "net", NET, draw(NET))

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, place, fail)
        with pytest.raises(type(error)):
            checkpoints.save(path, NET, np.ones(NET.n_params))
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    same(checkpoints.load(path), NET, draw(NET))


def test_a_file_has_the_permissions_of_other_files(tmp_path):
    (tmp_path / "other").touch()
    path = checkpoints.save(tmp_path / "net", NET, draw(NET))
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


def forge(path, change, arrays=None):
    """Write a file with a right checksum whose description was changed by hand."""
    checkpoints.save(path, NET, draw(NET), SquaredError())
    text, _, found = checkpoints._unpack(path.read_bytes())
    description = json.loads(text)
    changed = change(description)
    text = changed if isinstance(changed, str) else json.dumps(description)
    arrays = found if arrays is None else arrays
    header = {"xpnet": text, "sha256": checkpoints._digest(text, arrays)}
    path.write_bytes(safetensors.numpy.save(arrays, header))
    return path


def rejects(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        checkpoints.load(path)
    assert str(caught.value).startswith(f"{path} cannot be loaded: ")


def test_files_of_later_versions_are_named_so(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "FORMAT", checkpoints.FORMAT + 1)
        patch.setattr(checkpoints, "__version__", "9.8.7")
        path = checkpoints.save(tmp_path / "net", NET, draw(NET))
    rejects(path, r"it has format 2, written by xpnet 9\.8\.7; .*pip install --upgrade xpnet\.")


def test_layers_of_others_are_named(tmp_path, monkeypatch):
    network = Network([Dense(2, 1), Cube()])
    with monkeypatch.context() as patch:
        patch.setitem(checkpoints._LAYERS, "Cube", Cube)
        path = checkpoints.save(tmp_path / "net", network, np.zeros(3))
    rejects(path, r"the layer type 'Cube' is unknown to xpnet \d")


def test_losses_of_others_are_named(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(checkpoints._LOSSES, "Strange", Strange)
        path = checkpoints.save(tmp_path / "net", NET, draw(NET), Strange())
    rejects(path, "the loss type 'Strange' is unknown")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format="1"), "names no format"),
        (lambda d: d.pop("format"), "names no format"),
        (lambda d: "[]", "names no format"),
        (lambda d: "{", "its description is not JSON"),
        (lambda d: "[" * 100_000, "its description is not JSON"),
        (lambda d: d.pop("layers"), "has no layers"),
        (lambda d: d.pop("loss"), "has no loss"),
        (lambda d: d.update(layers=[]), "at least one layer"),
        (lambda d: d.update(layers=7), "has no layers"),
        (lambda d: d.update(layers=["Dense"]), "a layer is described by 'Dense'"),
        (lambda d: d["layers"][0].update(type=["Dense"]), r"the layer type \['Dense'\] is unknown"),
        (lambda d: d["layers"][0].update(type="Network"), "the layer type 'Network' is unknown"),
        (lambda d: d["layers"][0].update(units=5), "units"),
        (lambda d: d["layers"][0].update(n_outputs=5), "5 come out of the layers before"),
        (lambda d: d["layers"][0].update(n_outputs="4"), "must be an integer"),
        (lambda d: d["layers"][0].update(n_features_in=10**30), "W1 has shape"),
        (lambda d: d["layers"][0]["weight_init"].update(type="os"), "initializer type 'os' is"),
        (lambda d: d["layers"][2].update(rate=float("nan")), "rate=nan must be"),
        (lambda d: d.update(loss="SquaredError"), "has no loss"),
        (lambda d: d.update(loss={"name": "Huber"}), "a loss is described by {'name': 'Huber'}"),
        (lambda d: d.update(metadata=None), "has no metadata"),
        (lambda d: d.update(layers=d["layers"][:1], loss=None), r"\['W1', 'b1'\] are needed"),
    ],
)
def test_descriptions_that_fit_no_network(tmp_path, change, message):
    rejects(forge(tmp_path / "net", change), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b1": np.zeros(4, "float32")}, "of several types: float32, float64"),
        ({"b1": np.zeros(4, "int64")}, "dtype='int64' is unknown"),
        ({"b1": np.zeros(5)}, r"b1 has shape \(5,\)"),
        ({"b1": np.zeros((2, 4))}, "dimension"),
        ({"b2": np.zeros(2)}, "are needed"),
    ],
)
def test_arrays_that_fit_no_network(tmp_path, change, message):
    arrays = {**NET.unflatten(draw(NET)), **change}
    arrays = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    rejects(forge(tmp_path / "net", lambda d: None, arrays), message)


def test_safetensors_of_others_are_named_so(tmp_path):
    safetensors.numpy.save_file({"W1": np.zeros(3)}, tmp_path / "net")
    rejects(tmp_path / "net", "not one that xpnet saved")
    safetensors.numpy.save_file({"W1": np.zeros(3)}, tmp_path / "net", {"format": "pt"})
    rejects(tmp_path / "net", "not one that xpnet saved")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 100, b"\x80\x04N.", b"\xff" * 64])
def test_other_files_are_named_so(tmp_path, content):
    (tmp_path / "net").write_bytes(content)
    rejects(tmp_path / "net", "it is not a whole safetensors file")


def test_no_file_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        checkpoints.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        checkpoints.load(tmp_path)


@pytest.fixture(scope="module")
def whole():
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoints.save(f"{folder}/net", NET, draw(NET), SquaredError(), {"a": 1})
        return path.read_bytes()


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


@given(data=st.binary(max_size=400))
def test_random_bytes_are_rejected(data):
    assert load_bytes(data) is None


@given(data=st.data())
def test_truncated_and_lengthened_files_are_rejected(whole, data):
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert load_bytes(whole[:cut]) is None
    assert load_bytes(whole + data.draw(st.binary(min_size=1, max_size=9))) is None


@given(data=st.data())
def test_a_changed_byte_is_noticed_or_changes_nothing(whole, data):
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    saved = load_bytes(bytes(changed))
    if saved is not None:  # a space between two words of JSON
        same(saved, NET, draw(NET), SquaredError(), {"a": 1})


def test_every_changed_bit_of_the_numbers_is_noticed(whole):
    length = int.from_bytes(whole[:8], "little")
    for at in range(8 + length, len(whole)):
        assert load_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "rate", "n_outputs", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(where=st.sampled_from(["layers", "loss", "format", "layer", "field"]), value=values)
def test_descriptions_by_strangers_fail_clearly_if_at_all(where, value):
    def change(description):
        if where == "layer":
            description["layers"][2] = value
        elif where == "field":
            description["layers"][0]["weight_init"] = value
        else:
            description[where] = value

    with tempfile.TemporaryDirectory() as folder:
        load_or_reject(forge(Path(folder, "net"), change))


def test_all_layers_and_losses_are_known():
    def below(base):
        return {base} | {c for sub in base.__subclasses__() for c in below(sub)}

    ours = {c.__name__ for c in below(Layer) if c.__module__.startswith("xpnet.layers")}
    assert ours - {"Layer"} == set(checkpoints._LAYERS)
    assert {c.__name__ for c in LOSSES.values()} == set(checkpoints._LOSSES)
    assert {"Glorot", "He", "LeCun", "Normal", "Ones", "Uniform", "Zeros"} == set(
        checkpoints._INITIALIZERS
    )


X = np.random.RandomState(1).standard_normal((20, 3))
T = np.tile([0, 1], 10)


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
