"""Files at random and with random damage: a clear error or the data, in bounded memory.

More of a checkpoint's own bytes is in ``tests/checkpoints/test_damaged_files.py``, and of the
values of IDX, CSV and NPZ files in ``tests/test_datasets.py``.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tempfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xpnet import (
    Checkpoint,
    Dense,
    MLPClassifier,
    MLPRegressor,
    Network,
    Trainer,
    checkpoints,
)
from xpnet.checkpoints import container
from xpnet.datasets import load_table, read_idx

MOST = 50 << 20
X = np.random.RandomState(0).randn(8, 3)
T = np.tile([0, 1], 4)
FEW = settings(max_examples=10, deadline=None)


def fit_from(path):
    trainer = Trainer(Network([Dense(3, 1)]), "binary_cross_entropy", random_state=0)
    return trainer.fit(X, T, epochs=1, callbacks=[Checkpoint(path)])


READERS = {
    "idx": (read_idx, "data"),
    "idx.gz": (read_idx, "data.gz"),
    "csv": (lambda path: load_table(path, "t"), "data.csv"),
    "npz": (load_table, "data.npz"),
    "checkpoints": (checkpoints.load, "net"),
    "Trainer": (Trainer.load, "net"),
    "MLPClassifier": (MLPClassifier.load, "net"),
    "MLPRegressor": (MLPRegressor.load, "net"),
    "Checkpoint": (fit_from, "net"),
}
readers = pytest.mark.parametrize("reader", READERS)


def whole_file(reader):
    """Return the bytes of a file that the reader takes."""
    if reader.startswith("idx"):
        data = b"\0\0\x0e\x02" + struct.pack(">II", 4, 3) + np.arange(12.0).astype(">f8").tobytes()
        return gzip.compress(data, mtime=0) if reader.endswith("gz") else data
    if reader == "csv":
        return b"a,b,t\n" + b"1.5,2,yes\n-3e2,0.25,no\n" * 5
    if reader == "npz":
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=X, t=T)
        return buffer.getvalue()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "net")
        if reader.startswith("MLP"):
            kind = MLPClassifier if reader == "MLPClassifier" else MLPRegressor
            kind(hidden_layer_sizes=(2,), max_iter=1, random_state=0).fit(X, T).save(path)
        else:
            fit_from(path)
        return path.read_bytes()


WHOLE = {reader: whole_file(reader) for reader in READERS}


def read(reader, content):
    """Return what is read; None where that ends in a clear error, in little memory at any rate."""
    function, name = READERS[reader]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        error = str(path)
        tracemalloc.start()
        try:
            found = function(path)
        except ValueError as caught:
            found, error = None, str(caught)
        finally:
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert str(path) in error, error
    assert most < MOST, f"{most >> 20} MB"
    return found


@readers
def test_whole_files_are_read(reader):
    assert read(reader, WHOLE[reader]) is not None


@readers
@FEW
@given(data=st.data())
def test_random_bytes(reader, data):
    head = data.draw(st.sampled_from([0, 1, 4, 8, 12, 40]))
    read(reader, WHOLE[reader][:head] + data.draw(st.binary(max_size=200)))


@readers
@FEW
@given(data=st.data())
def test_truncated_files(reader, data):
    read(reader, WHOLE[reader][: data.draw(st.integers(0, len(WHOLE[reader]) - 1))])


@readers
@FEW
@given(data=st.data())
def test_changed_bits(reader, data):
    content = bytearray(WHOLE[reader])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    read(reader, bytes(content))


@readers
@FEW
@given(data=st.data())
def test_swapped_pieces(reader, data):
    """Fields of a header that have changed places, and lines, and blocks."""
    content = bytearray(WHOLE[reader])
    n = data.draw(st.sampled_from([1, 2, 4, 8, 16]))
    a, b = (data.draw(st.integers(0, (len(content) - n) // n)) * n for _ in range(2))
    content[a : a + n], content[b : b + n] = content[b : b + n], content[a : a + n]
    read(reader, bytes(content))


HUGE = st.integers(1, 2**32 - 1)


@given(sizes=st.lists(HUGE, min_size=1, max_size=64), zipped=st.booleans())
@example(sizes=[2**32 - 1] * 64, zipped=True)
def test_idx_headers_that_promise_anything(sizes, zipped):
    content = bytes([0, 0, 0x0E, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + bytes(99)
    found = read("idx.gz" if zipped else "idx", gzip.compress(content) if zipped else content)
    assert found is None or found.nbytes < 100


@given(
    shape=st.lists(st.integers(0, 2**62), min_size=1, max_size=3),
    kind=st.sampled_from(["<f8", "|u1", "<U9", "|V999", "|O"]),
    deflated=st.booleans(),
    version=st.sampled_from([(1, 0), (2, 0), (3, 0), (9, 9)]),
)
@example(shape=[10**10, 1], kind="<f8", deflated=True, version=(1, 0))
def test_npz_headers_that_promise_anything(shape, kind, deflated, version):
    text = repr({"descr": kind, "fortran_order": False, "shape": tuple(shape)}).encode() + b"\n"
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    array = b"\x93NUMPY" + bytes(version) + length + text + bytes(64)
    buffer = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name in ("x", "t"):
            archive.writestr(f"{name}.npy", array)
    found = read("npz", buffer.getvalue())
    assert found is None or found.x_train.nbytes + found.x_val.nbytes <= 64


@settings(max_examples=15)
@given(length=st.integers(0, 2**64 - 1), shape=st.lists(st.integers(0, 2**70), max_size=3))
@example(length=2**63, shape=[])
@example(length=0, shape=[2**40, 2**40])
def test_checkpoint_headers_that_promise_anything(length, shape):
    entry = {
        "dtype": "F64",
        "shape": shape,
        "data_offsets": [0, 8 * int(np.prod(shape, dtype=object))],
    }
    header = json.dumps({"__metadata__": {"xpnet": "{}", "sha256": ""}, "W1": entry}).encode()
    for reader in ("checkpoints", "Trainer", "MLPClassifier", "Checkpoint"):
        assert read(reader, struct.pack("<Q", length or len(header)) + header + bytes(64)) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["dict", "tuple", "type", "a"]), inner, max_size=2)
    ),
    max_leaves=5,
)
PARTS = {
    "MLPClassifier": [
        *(("metadata",), ("metadata", "dict", "estimator"), ("training",)),
        *(("metadata", "dict", "estimator", "dict", key) for key in ("type", "params", "fitted")),
        ("metadata", "dict", "estimator", "dict", "params", "dict", "activation"),
        ("metadata", "dict", "estimator", "dict", "fitted", "dict", "classes_"),
        ("loss",),
    ],
    "Trainer": [("training",), ("training", "callbacks"), ("loss",), ("training", "history")],
    "Checkpoint": [
        *(("metadata",), ("metadata", "dict", "fit"), ("training", "callbacks")),
        *(("metadata", "dict", "fit", "dict", key) for key in ("done", "stopped", "data", "unit")),
        ("metadata", "dict", "fit", "dict", "learning_rate"),
        ("training", "state", "dict", "generators"),
    ],
}


@pytest.mark.parametrize("reader", PARTS)
@FEW
@given(data=st.data())
def test_whole_files_by_strangers(reader, data):
    """The checksum is right, and the description says anything."""
    text, arrays = container.decode(WHOLE[reader])
    description = json.loads(text)
    *where, last = data.draw(st.sampled_from(PARTS[reader]))
    part = description
    for key in where:
        part = part[key]
    if data.draw(st.booleans()):
        part[last] = data.draw(values)
    else:
        del part[last]
    try:
        content = container.encode(json.dumps(description), arrays)
    except ValueError:
        return
    read(reader, content)
