"""The data sets: their numbers, and what is said about files that are not right."""

from __future__ import annotations

import doctest
import gzip
import hashlib
import importlib
import os
import re
import struct
import tracemalloc
import urllib.error
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xpnet import datasets
from xpnet.datasets import (
    DATASETS,
    Dataset,
    load_breast_cancer,
    load_digits,
    load_mnist,
    load_moons,
    load_table,
    read_idx,
)

MNIST = Path(
    os.environ.get("XPNET_DATA_HOME") or Path(__file__).parents[1] / "../shared/data/mnist"
)
needs_mnist = pytest.mark.skipif(
    not MNIST.is_dir(), reason=f"no MNIST in {MNIST}; set XPNET_DATA_HOME to its folder"
)


def sizes(data):
    parts = [(data.x_train, data.t_train), (data.x_val, data.t_val), (data.x_test, data.t_test)]
    for x, t in parts:
        assert len(x) == len(t)
    return [x.shape for x, t in parts]


# The bundled sets


def test_breast_cancer_has_the_tutorials_splits():
    data = load_breast_cancer()
    assert sizes(data) == [(364, 30), (91, 30), (114, 30)]
    assert [t.sum() for t in (data.t_train, data.t_val, data.t_test)] == [228, 57, 72]
    assert data.t_train[:10].tolist() == [1, 1, 0, 0, 0, 1, 1, 0, 1, 1]
    assert data.t_train.dtype == np.int64
    assert data.n_classes == 2
    assert data.name == "breast-cancer"


def test_breast_cancer_is_scaled_by_the_training_samples_alone():
    data = load_breast_cancer()
    assert data.x_train.dtype == np.float64
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(data.x_train.std(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(
        data.x_train[0, :3],
        [0.21529444920235816, -0.33137189865231, 0.17983102792177863],
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        data.x_val[0, :3], [-0.8094517313975254, 2.2995799988471455, -0.857305478352128], rtol=1e-9
    )
    np.testing.assert_allclose(
        data.x_test[0, :3], [1.5673901041605371, 2.1647746070025957, 1.7316274982371997], rtol=1e-9
    )
    assert abs(data.x_val.mean(axis=0)).max() > 0.01


def test_digits_are_pixels_between_0_and_1():
    data = load_digits()
    assert sizes(data) == [(1149, 64), (288, 64), (360, 64)]
    assert data.x_train.dtype == np.float64
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)
    assert (data.x_train[0] * 16).sum() == 347
    assert [t.sum() for t in (data.t_train, data.t_val, data.t_test)] == [5157, 1295, 1618]
    assert data.t_train.dtype == np.int64
    assert data.n_classes == 10


def test_moons():
    data = load_moons()
    assert sizes(data) == [(640, 2), (160, 2), (200, 2)]
    assert [t.sum() for t in (data.t_train, data.t_val, data.t_test)] == [320, 80, 100]
    np.testing.assert_allclose(
        data.x_train[0], [-0.8732803077861109, 0.2520706919571082], rtol=1e-9
    )
    assert data.n_classes == 2


def test_moons_follow_their_arguments():
    assert sizes(load_moons(10)) == [(6, 2), (2, 2), (2, 2)]
    exact = load_moons(100, noise=0)
    radius = np.hypot(exact.x_test[:, 0], exact.x_test[:, 1])[exact.t_test == 0]
    np.testing.assert_allclose(radius, 1)
    assert (load_moons(random_state=1).x_train != load_moons().x_train).any()
    same = load_moons(random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(same.x_train, load_moons().x_train)


@pytest.mark.parametrize("wrong", [{"n_samples": 9}, {"noise": -0.1}, {"random_state": -1}])
def test_moons_check_their_arguments(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        load_moons(**wrong)


def test_datasets_by_name():
    assert list(DATASETS) == ["breast-cancer", "digits", "moons", "mnist"]
    assert [DATASETS[name]().name for name in list(DATASETS)[:3]] == list(DATASETS)[:3]
    assert DATASETS["mnist"] is load_mnist


def test_dataset_is_frozen_and_tells_its_classes():
    x, classes, amounts = np.zeros((2, 3)), np.array([0, 1]), np.array([0.5, 1.5])
    data = Dataset(x, classes, x, classes, x, np.array([0, 6]), name="mine")
    assert data.n_classes == 7
    assert repr(data) == "<mine: 2 train, 2 validation, 2 test, 3 features, 7 classes>"
    assert Dataset(x, amounts, x, amounts).n_classes is None
    assert Dataset(x, classes - 1, x, classes).n_classes is None
    assert Dataset(x, classes.reshape(2, 1), x, classes.reshape(2, 1)).n_classes is None
    with pytest.raises(AttributeError):
        data.name = "another"


# IDX files

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx_bytes(array):
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    head = bytes([0, 0, CODES[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(f">{kind}").tobytes()


def write(path, content):
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


SMALL = idx_bytes(np.arange(6, dtype="i2").reshape(2, 3) - 300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


@pytest.mark.parametrize("name", ["array-idx", "array-idx.gz"])
@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (2, 3, 4)])
def test_idx_round_trip(tmp_path, name, dtype, shape):
    array = (np.arange(np.prod(shape)) * 7 + 3).reshape(shape).astype(dtype)
    found = read_idx(write(tmp_path / name, idx_bytes(array)))
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, array)


def test_idx_data_longer_than_one_chunk(tmp_path):
    array = np.arange(3 << 20, dtype="u4").astype("u1").reshape(3, -1)
    np.testing.assert_array_equal(read_idx(write(tmp_path / "a.gz", idx_bytes(array))), array)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "begins with nothing"),
        (SMALL[:3], "begins with 00 00 0b"),
        (b"\1" + SMALL[1:], "begins with 01 00 0b 02"),
        (SMALL[:2] + b"\x0a" + SMALL[3:], "begins with 00 00 0a 02"),
        (SMALL[:3] + b"\0", "has 0 dimensions"),
        (SMALL[:3] + b"\x41" + bytes(300), "has 65 dimensions"),
        (SMALL[:9], "ends within the sizes of its 2 dimensions"),
        (bytes([0, 0, 8, 2]) + bytes(8), "shape is (0, 0)"),
        (SMALL[:-1], "promises 12 bytes of data, 11 were found"),
        (SMALL + b"\0", "promises 12 bytes of data, more than 12 were found"),
        (gzip.compress(SMALL, mtime=0), "begins with 1f 8b 08 00"),
    ],
)
def test_idx_damage_is_told(tmp_path, content, told):
    for name in ("wrong-idx", "wrong-idx.gz"):
        path = write(tmp_path / name, content)
        with pytest.raises(ValueError, match=re.escape(f"{path} is not a whole IDX")) as caught:
            read_idx(path)
        assert told in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        SMALL,
        gzip.compress(SMALL, mtime=0)[:-1],
        gzip.compress(SMALL, mtime=0)[:-9],
        gzip.compress(SMALL, mtime=0) + b"more",
    ],
)
def test_idx_damaged_gzip_is_told(tmp_path, content):
    path = tmp_path / "wrong-idx.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path} is not a whole gzip file")):
        read_idx(path)


def test_idx_allocates_what_the_file_holds_not_what_it_promises(tmp_path):
    for name in ("huge-idx", "huge-idx.gz"):
        for n_dimensions, promised in ((1, 2**32 - 1), (4, (2**32 - 1) ** 4)):
            header = bytes([0, 0, 8, n_dimensions]) + b"\xff" * 4 * n_dimensions
            path = write(tmp_path / name, header + b"abc")
            tracemalloc.start()
            with pytest.raises(ValueError, match=f"promises {promised} bytes of data, 3 were"):
                read_idx(path)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 5e6


def test_idx_checksum(tmp_path):
    digest = hashlib.sha256(SMALL).hexdigest()
    for name in ("a-idx", "a-idx.gz"):
        path = write(tmp_path / name, SMALL)
        assert read_idx(path, sha256=digest.upper()).shape == (2, 3)
        with pytest.raises(ValueError, match="wrong checksum") as caught:
            read_idx(path, sha256="0" * 64)
        assert all(told in str(caught.value) for told in (str(path), "0" * 64, digest))


def test_idx_missing_file(tmp_path):
    for name in ("none-idx", "none-idx.gz"):
        with pytest.raises(FileNotFoundError, match=name):
            read_idx(tmp_path / name)


def outcome(read, path, *args):
    """Return what `read` makes of a file: its result, or its ValueError as text."""
    try:
        return read(path, *args)
    except ValueError as error:
        return str(error)


def check_idx_outcome(path, content):
    path.write_bytes(content)
    array = outcome(read_idx, path)
    if isinstance(array, str):
        assert str(path) in array
    else:
        assert isinstance(array, np.ndarray)
        assert 1 <= array.nbytes <= 1000


@pytest.mark.parametrize("name", ["fuzz-idx", "fuzz-idx.gz"])
@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=60), head=st.sampled_from([b"", b"\0\0\x08", b"\x1f\x8b\x08"]))
def test_idx_random_bytes(folder, name, content, head):
    check_idx_outcome(folder / name, head + content)


@pytest.mark.parametrize("name", ["fuzz-idx", "fuzz-idx.gz"])
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_idx_random_damage(folder, name, data):
    content = bytearray(write(folder / name, SMALL).read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    check_idx_outcome(folder / name, content[: data.draw(st.integers(0, len(content)))])


# MNIST


@needs_mnist
def test_mnist_from_a_folder():
    data = load_mnist(MNIST)
    assert (data.x_train.shape, data.x_val.shape) == ((60000, 784), (10000, 784))
    assert data.x_train.dtype == data.x_val.dtype == np.uint8
    assert data.t_train.dtype == data.t_val.dtype == np.int64
    assert data.t_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.t_val[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.t_train).tolist() == counts
    assert data.x_train.mean() == pytest.approx(33.318421, abs=1e-6)
    assert data.x_val.mean() == pytest.approx(33.791224, abs=1e-6)
    assert (data.x_test, data.t_test, data.name, data.n_classes) == (None, None, "mnist", 10)


@needs_mnist
def test_mnist_other_spelling_plain_and_from_the_environment(tmp_path, monkeypatch):
    for name in MNIST.iterdir():
        content = gzip.decompress(name.read_bytes()) if name.suffix == ".gz" else name.read_bytes()
        (tmp_path / name.name.removesuffix(".gz").replace("-idx", ".idx")).write_bytes(content)
    monkeypatch.setenv("XPNET_DATA_HOME", str(tmp_path))
    assert load_mnist().t_val[:3].tolist() == [7, 2, 1]


def fake_mnist(folder, endings=("", ".gz", "", ".gz")):
    """Write small files of MNIST's names, and return their checksums."""
    images, labels = np.arange(24, dtype="u1").reshape(2, 3, 4), np.array([3, 9], dtype="u1")
    names = datasets.mnist._SHA256
    digests = {}
    for name, ending in zip(names, endings, strict=True):
        content = idx_bytes(images if "images" in name else labels)
        write(folder / (name + ending), content)
        digests[name] = hashlib.sha256(content).hexdigest()
    return digests


def test_mnist_files_plain_and_gzip(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.mnist, "_SHA256", fake_mnist(tmp_path))
    data = load_mnist(str(tmp_path))
    np.testing.assert_array_equal(data.x_train, np.arange(24, dtype="u1").reshape(2, 12))
    assert data.x_val.dtype == np.uint8
    assert (data.t_train.tolist(), data.t_train.dtype) == ([3, 9], np.int64)


def test_mnist_that_is_not_the_published_one(tmp_path):
    fake_mnist(tmp_path)
    with pytest.raises(ValueError, match="train-images-idx3-ubyte has the wrong checksum") as error:
        load_mnist(tmp_path)
    assert "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db" in str(error.value)


def test_mnist_missing_files_are_named(tmp_path, monkeypatch):
    fake_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    monkeypatch.setenv("XPNET_DATA_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist()
    told = str(caught.value)
    assert "lacks train-labels-idx1-ubyte[.gz], t10k-images-idx3-ubyte[.gz]. " in told
    assert both_ways(told)


def test_mnist_missing_folder_given_before_the_environments(tmp_path, monkeypatch):
    monkeypatch.setenv("XPNET_DATA_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere") as caught:
        load_mnist(tmp_path / "nowhere")
    assert both_ways(str(caught.value))


def both_ways(told):
    return all(way in told for way in ("data_home=", "--data-home", "XPNET_DATA_HOME", "OpenML"))


@pytest.mark.parametrize(
    "failure", [urllib.error.URLError("no route"), ValueError("md5 checksum"), TimeoutError("late")]
)
def test_mnist_without_internet(monkeypatch, failure):
    def fetch_openml(*args, **options):
        warnings.warn("A network error occurred. Retrying...", stacklevel=2)
        raise failure

    monkeypatch.delenv("XPNET_DATA_HOME", raising=False)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch_openml)
    with pytest.raises(ConnectionError, match=r"could not be fetched from OpenML \(") as caught:
        load_mnist()
    assert both_ways(str(caught.value))
    assert str(failure) in str(caught.value)


@pytest.mark.parametrize(("pandas", "parser"), [(object(), "auto"), (None, "liac-arff")])
def test_mnist_from_openml(monkeypatch, pandas, parser):
    asked = []

    def fetch_openml(*args, **options):
        asked.append((args, options))
        target = np.array([str(i % 10) for i in range(70000)], dtype=object)
        return SimpleNamespace(data=np.full((70000, 784), 255), target=target)

    monkeypatch.setenv("XPNET_DATA_HOME", "")
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch_openml)
    monkeypatch.setattr(datasets.mnist, "find_spec", lambda name: pandas)
    data = load_mnist()
    assert asked == [(("mnist_784",), {"version": 1, "as_frame": False, "parser": parser})]
    assert (data.x_train.shape, data.x_val.shape) == ((60000, 784), (10000, 784))
    assert (data.x_train.dtype, data.x_train[0, 0]) == (np.uint8, 255)
    assert (data.t_train.dtype, data.t_val[:3].tolist()) == (np.int64, [0, 1, 2])


# Tables: .csv


def table(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_csv_words_are_classes_in_sorted_order(tmp_path):
    text = "a,kind,b\n" + "".join(f"{i},{'rose' if i % 2 else 'iris'},{-i}\n" for i in range(20))
    data = load_table(table(tmp_path, text, "flowers.csv"), "kind")
    assert (data.x_train.shape, data.x_val.shape, data.x_test) == ((16, 2), (4, 2), None)
    assert (data.name, data.n_classes, data.t_train.dtype) == ("flowers", 2, np.int64)
    for x, t in ((data.x_train, data.t_train), (data.x_val, data.t_val)):
        np.testing.assert_array_equal(x[:, 1], -x[:, 0])
        np.testing.assert_array_equal(t, x[:, 0] % 2)
        assert t.mean() == 0.5
    np.testing.assert_array_equal(load_table(tmp_path / "flowers.csv", "kind").x_val, data.x_val)


@pytest.mark.parametrize(
    ("labels", "expected", "n_classes"),
    [
        (["3", "1", "1", "3", "2"], [1, 1, 2, 3, 3], 4),
        (["-1", "1", "1", "-1", "1"], [-1, -1, 1, 1, 1], None),
        (["1.5", "1", "2", "3", "1e2"], [1, 1.5, 2, 3, 100], None),
        (["b", "a", "c", "a", "B"], [0, 1, 1, 2, 3], 4),
    ],
)
def test_csv_targets(tmp_path, labels, expected, n_classes):
    text = "x,t\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels))
    data = load_table(table(tmp_path, text), "t")
    assert sorted([*data.t_train, *data.t_val]) == expected
    assert data.n_classes == n_classes


def test_csv_as_spreadsheets_write_it(tmp_path):
    text = b'\xef\xbb\xbf"t","x "\r\nyes, "1"\r\n\r\n"no", 2 \r\n'
    data = load_table(table(tmp_path, text, "TABLE.CSV"), "t")
    assert {data.x_train.item(): data.t_train.item(), data.x_val.item(): data.t_val.item()} == {
        1: 1,
        2: 0,
    }


@pytest.mark.parametrize(
    ("text", "target", "told"),
    [
        ("", "t", "the file is empty"),
        ("\n\n", "t", "the file is empty"),
        ("x,t\n", "t", "no rows"),
        ("x,t\n1,2\n", "t", "1 sample was found"),
        ("width,kind\n1,2\n", None, "target= must name the column to predict: width, kind."),
        ("width,kind\n1,2\n", "kinds", "Did you mean 'kind'? Known: width, kind."),
        ("14.2,1.7,0\n13.2,1.8,0\n", "0", "the first line holds only numbers"),
        ("a;b;t\n1;2;0\n", "t", "the columns are parted by semicolons"),
        ("x,x,t\n1,2,3\n", "t", "columns of the same name: x, x, t"),
        ("t\n1\n2\n", "t", "x has no features"),
        ("x,t\n1,2\n1\n", "t", "line 3 has 1 cells, the header row 2"),
        ("x,t\n1,2\n\n1,2,3\n", "t", "line 4 has 3 cells, the header row 2"),
        ("x,y,t\n1,2,a\n3,four,b\n", "t", "line 3, column 'y': 'four' is not a finite number"),
        ("x,t,y\n1,a,2\n,b,2\n", "t", "line 3, column 'x': '' is not a finite number"),
        ("x,t\nnan,0\n1,1\n", "t", "line 2, column 'x': 'nan' is not a finite number"),
        ("x,t\n1,0.5\n1,inf\n", "t", "line 3, column 't': 'inf' is not a finite number"),
        ("x,t\n1,a\n1,\n", "t", "line 3, column 't': the target is missing"),
        ("x,t\n1,2\n1,a\n", "t", "column 't' has '2' in line 2 and 'a' in line 3"),
        ("x,t\n1,a\n1,nan\n", "t", "column 't' has 'nan' in line 3 and 'a' in line 2"),
        (f"x,t\n1,{10**30}\n1,2\n", "t", "too large"),
        ('x,t\n1,"2\n', "t", "line 2: unexpected end of data"),
        (b"x,t\n1,\xff\n", "t", "'utf-8' codec can't decode"),
    ],
)
def test_csv_errors_tell_where(tmp_path, text, target, told):
    path = table(tmp_path, text)
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        load_table(path, target)
    assert told in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet='x,t\n\r"1.- a\0é', max_size=40))
@example(text="1\n1\n0")
def test_csv_random_text(folder, text):
    path = table(folder, "x,t\n" + text)
    data = outcome(load_table, path, "t")
    if isinstance(data, str):
        assert str(path) in data
    else:
        assert data.x_train.shape[1] == 1
        assert len(data.x_val) >= 1


# Tables: .npz


def save(tmp_path, **arrays):
    np.savez(tmp_path / "data.npz", **arrays)
    return tmp_path / "data.npz"


def test_npz_whole_is_split_and_stratified(tmp_path):
    x = np.arange(200, dtype="f4").reshape(100, 2)
    t = (np.arange(100) % 10 == 0).astype("u1")
    data = load_table(save(tmp_path, x=x, t=t))
    assert (data.x_train.shape, data.x_val.shape, data.name) == ((80, 2), (20, 2), "data")
    assert (data.x_train.dtype, data.t_train.dtype) == (np.float32, np.int64)
    assert (data.t_train.sum(), data.t_val.sum()) == (8, 2)
    np.testing.assert_array_equal(data.t_val, data.x_val[:, 0] % 20 == 0)
    assert (data.x_test, data.n_classes) == (None, 2)


@pytest.mark.parametrize(
    "t",
    [
        np.r_[0, np.ones(19, int)],  # one sample of a class
        np.repeat(np.arange(10), 2),  # more classes than validation samples
        np.linspace(0, 1, 20),
        np.zeros((20, 3)),
    ],
)
def test_npz_that_cannot_be_stratified_is_split_all_the_same(tmp_path, t):
    data = load_table(save(tmp_path, x=np.ones((20, 1)), t=t))
    assert data.t_train.shape == (16, *t.shape[1:])
    assert data.t_val.shape == (4, *t.shape[1:])


def test_npz_split_is_kept(tmp_path):
    x, t = np.arange(12, dtype=np.uint8).reshape(6, 2), np.array([0, 1, 2, 0, 1, 2])
    parts = {"x_train": x[:3], "t_train": t[:3], "x_val": x[3:5], "t_val": t[3:5]}
    data = load_table(save(tmp_path, **parts, other=np.array(1)))
    np.testing.assert_array_equal(data.x_train, x[:3])
    np.testing.assert_array_equal(data.t_val, t[3:5])
    assert (data.x_train.dtype, data.x_test, data.t_test) == (np.uint8, None, None)
    data = load_table(save(tmp_path, **parts, x_test=x[5:], t_test=t[5:]))
    np.testing.assert_array_equal(data.x_test, x[5:])
    np.testing.assert_array_equal(data.t_test, [2])


ONES = np.ones((4, 2))


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": ONES, "y": ONES}, "found x, y; needed are x and t, or x_train, t_train, x_val"),
        ({}, "found none; needed are x and t"),
        ({"x": ONES.astype(object), "t": ONES}, "Object arrays cannot be loaded"),
        ({"x": ONES, "t": np.array(list("abcd"))}, "t has dtype <U1"),
        ({"x": ONES * np.nan, "t": ONES}, "x holds NaN or infinity"),
        ({"x": ONES, "t": ONES * np.inf}, "t holds NaN or infinity"),
        ({"x": ONES, "t": ONES[:3]}, "x has 4, t has 3"),
        ({"x": ONES[0], "t": ONES[0]}, "x has shape (2,)"),
        ({"x": ONES[:0], "t": ONES[:0]}, "x has no samples"),
        ({"x": ONES[:, :0], "t": ONES}, "x has no features"),
        ({"x": ONES, "t": np.array(1)}, "t has shape ()"),
        ({"x": ONES[:1], "t": ONES[:1]}, "1 sample was found"),
        (
            {"x_train": ONES, "t_train": ONES, "x_val": ONES[:, :1], "t_val": ONES},
            "x_val has shape (4, 1); (samples, 2) is needed",
        ),
    ],
)
def test_npz_errors(tmp_path, arrays, told):
    path = save(tmp_path, **arrays)
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        load_table(path)
    assert told in str(caught.value)


class Touching:
    """Unpickling one of these makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_npz_never_unpickles(tmp_path):
    objects = np.array([[Touching(tmp_path / "touched")]] * 4, dtype=object)
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        load_table(save(tmp_path, x=objects, t=ONES))
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("keep", [0, 1, 30, 100, -1])
def test_npz_truncated(tmp_path, keep):
    path = save(tmp_path, x=ONES, t=ONES)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"data.npz: this is not an .npz archive"):
        load_table(path)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_npz_random_damage(folder, data):
    path = save(folder, x=ONES, t=ONES)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    data = outcome(load_table, path)
    if isinstance(data, str):
        assert str(path) in data
    else:
        np.testing.assert_array_equal(data.x_train, ONES[:3])


def test_npz_takes_no_target(tmp_path):
    with pytest.raises(ValueError, match=r"target='t' is for .csv files"):
        load_table(save(tmp_path, x=ONES, t=ONES), "t")


def test_table_of_another_kind(tmp_path):
    with pytest.raises(ValueError, match=r"ends in '.xlsx'; a .npz or .csv file is needed"):
        load_table(table(tmp_path, "", "table.xlsx"))
    with pytest.raises(FileNotFoundError, match=r"is a folder; a .npz or .csv"):
        load_table(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none.csv does not exist; a .npz or .csv"):
        load_table(tmp_path / "none.csv")


# The examples


@pytest.mark.parametrize("room", ["bundled", "dataset", "idx", "tables"])
def test_examples_run(room):
    result = doctest.testmod(importlib.import_module(f"xpnet.datasets.{room}"))
    assert result.attempted > 0
    assert result.failed == 0
