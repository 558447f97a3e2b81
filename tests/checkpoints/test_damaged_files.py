"""Files that are damaged, of others or of later versions are never taken for ours."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from saved import (
    NET,
    Cube,
    Strange,
    draw,
    forge,
    identical,
    load_bytes,
    load_or_reject,
    odd_run,
    rejects,
    same,
)

from xpnet import checkpoints
from xpnet.checkpoints import components, files
from xpnet.layers import Dense
from xpnet.losses import SquaredError
from xpnet.network import Network


def test_files_of_later_versions_are_named_so(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(files, "FORMAT", checkpoints.FORMAT + 1)
        patch.setattr(files, "__version__", "9.8.7")
        path = checkpoints.save(tmp_path / "net", NET, draw(NET))
    rejects(path, r"it has format 3, written by xpnet 9\.8\.7; .*pip install --upgrade xpnet\.")


def test_files_of_the_first_version_are_read(tmp_path):
    def first(description):
        del description["training"]
        description["format"] = 1
        description["metadata"] = {"a": [1, {}]}

    saved = load_or_reject(forge(tmp_path / "net", first))
    same(saved, NET, draw(NET), SquaredError(), {"a": [1, {}]})
    assert saved.training is None


def test_layers_of_others_are_named(tmp_path, monkeypatch):
    network = Network([Dense(2, 1), Cube()])
    with monkeypatch.context() as patch:
        patch.setitem(components.KNOWN["layer"], "Cube", Cube)
        path = checkpoints.save(tmp_path / "net", network, np.zeros(3))
    rejects(path, r"the layer type 'Cube' is unknown to xpnet \d")


def test_losses_of_others_are_named(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(components.KNOWN["loss"], "Strange", Strange)
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
        (lambda d: d.update(layers=["Dense"]), "no layer is described by 'Dense'"),
        (lambda d: d["layers"][0].update(type=["Dense"]), r"the layer type \['Dense'\] is unknown"),
        (lambda d: d["layers"][0].update(type="Network"), "the layer type 'Network' is unknown"),
        (lambda d: d["layers"][0].update(units=5), "units"),
        (lambda d: d["layers"][0].update(n_outputs=5), "5 come out of the layers before"),
        (lambda d: d["layers"][0].update(n_outputs="4"), "must be an integer"),
        (lambda d: d["layers"][0].update(n_features_in=10**30), "W1 has shape"),
        (lambda d: d["layers"][0]["weight_init"].update(type="os"), "initializer type 'os' is"),
        (lambda d: d["layers"][2].update(rate=float("nan")), "rate=nan must be"),
        (lambda d: d.update(loss="SquaredError"), "has no loss"),
        (lambda d: d.update(loss={"name": "Huber"}), "no loss is described by {'name': 'Huber'}"),
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run.pop("optimizer"), "optimizer"),
        (lambda run: run.update(optimizer="Adam"), "no optimizer is described by"),
        (lambda run: run.update(optimizer={"type": "Adagrad"}), "type 'Adagrad' is unknown"),
        (lambda run: run["optimizer"].update(beta1=2.0), r"beta1=2\.0 must be"),
        (lambda run: run["optimizer"]["learning_rate"].update(total="5"), "total='5' must be"),
        (lambda run: run["penalty"].update(l2=[[1], [2, 3]]), "l2"),
        (lambda run: run.update(max_norm=0.0), "max_norm=0.0 must be"),
        (lambda run: run.update(state=None), "mapping"),
        (lambda run: run["state"]["dict"].pop("step"), "step"),
        (lambda run: run["state"]["dict"].update(steps=1), "steps"),
        (lambda run: run["state"]["dict"].update(step="1"), "step='1'.* must be integers"),
        (lambda run: run["state"]["dict"].update(order=None), "is unknown"),
        (lambda run: run["state"]["dict"].update(generators=[{}]), "no value is described by {}"),
        (lambda run: position(run, 625), "not one of MT19937"),
        (lambda run: position(run, -1), "not one of MT19937"),
        (lambda run: run["history"]["dict"].update(losses={"dict": {}}), "losses is no list"),
        (lambda run: run["history"]["dict"].update(loss=[]), "loss"),
        (lambda run: run.update(callbacks=3), "not iterable"),
    ],
)
def test_descriptions_that_fit_no_run(tmp_path, change, message):
    rejects(forge(tmp_path / "run", lambda d: change(d["training"]), None, odd_run()), message)


def position(run, pos):
    generators = run["state"]["dict"]["generators"]["tuple"]
    generators[0]["dict"]["state"]["dict"]["pos"] = pos


@pytest.fixture(scope="module")
def whole():
    with tempfile.TemporaryDirectory() as folder:
        options = {"metadata": {"a": 1}, "training": odd_run()}
        return checkpoints.save(f"{folder}/run", NET, None, SquaredError(), **options).read_bytes()


def is_whole(saved):
    ours = odd_run()
    same(saved, NET, ours.state.params, SquaredError(), {"a": 1})
    assert repr(saved.training.optimizer) == repr(ours.optimizer)
    for field in ("state", "history", "penalty", "max_norm", "callbacks"):
        assert identical(getattr(saved.training, field), getattr(ours, field))


def test_a_whole_file_is_read(whole):
    is_whole(load_bytes(whole))


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
        is_whole(saved)


@given(data=st.data())
def test_every_changed_bit_of_the_numbers_is_noticed(whole, data):
    numbers = 8 + int.from_bytes(whole[:8], "little")
    changed = bytearray(whole)
    changed[data.draw(st.integers(numbers, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert load_bytes(bytes(changed)) is None


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


@given(
    where=st.sampled_from(["optimizer", "penalty", "max_norm", "state", "history", "callbacks"]),
    inner=st.sampled_from([None, "dict", "generators", "curve", "losses", "learning_rate", "step"]),
    value=values | st.fixed_dictionaries({"rows": st.sampled_from(["W1", "state['order']"])}),
)
def test_runs_by_strangers_fail_clearly_if_at_all(where, inner, value):
    def change(description):
        part = description["training"]
        if inner is not None and isinstance(part[where], dict):
            part = part[where].get("dict", part[where])
        part[where if inner is None else inner] = value

    with tempfile.TemporaryDirectory() as folder:
        load_or_reject(forge(Path(folder, "run"), change, None, odd_run()))
