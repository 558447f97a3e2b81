"""Arrays as sources: the rows come back bit for bit, and what is wrong is told."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pieces import same, targets, together
from scipy.sparse import csr_array

from xpnet.streams.open import open_source
from xpnet.streams.source import BLOCK_BYTES, ReadError

N = 1000
RNG = np.random.RandomState(0)
X = RNG.randn(N, 5).astype(np.float32)
Y = RNG.randint(0, 3, N)
W = RNG.rand(N)


def in_memory(folder, array, name):
    return array


def memmap(folder, array, name):
    np.save(folder / f"{name}.npy", array)
    return np.load(folder / f"{name}.npy", mmap_mode="r")


def hdf5(folder, array, name):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / f"{name}.h5", "w") as file:
        file.create_dataset("all", data=array, chunks=(64, *array.shape[1:]), compression="gzip")
    return h5py.File(folder / f"{name}.h5", "r")["all"]


def zarr_array(folder, array, name):
    zarr = pytest.importorskip("zarr")
    chunks = (64, *array.shape[1:])
    return zarr.create_array(folder / f"{name}.zarr", data=array, chunks=chunks)


KINDS = pytest.mark.parametrize("kind", [in_memory, memmap, hdf5, zarr_array])


@KINDS
@pytest.mark.parametrize("block_rows", [1000, 128, 300, None])
def test_rows_come_back(kind, block_rows, tmp_path):
    arrays = [kind(tmp_path, *a) for a in ((X, "x"), (Y, "y"), (W, "w"))]
    source = open_source(*arrays[:2], sample_weight=arrays[2], block_rows=block_rows)
    assert all(map(same, together(source), (X, Y, W)))
    assert source.n_samples == sum(source.lengths) == N
    assert source.lengths[0] == (block_rows or N)
    assert (source.n_features, source.dtype, source.weighted) == (5, np.float32, True)
    assert source.feature_names is None


@KINDS
@pytest.mark.parametrize("start", [0, 1, 99, 100])
def test_a_block_from_a_row_on(kind, start, tmp_path):
    source = open_source(kind(tmp_path, X, "x"), kind(tmp_path, Y, "y"), block_rows=101)
    for block in (8, 0, 3):
        x, t, weights = next(source.read(block, start))
        rows = slice(101 * block + start, 101 * (block + 1))
        assert same(x, X[rows])
        assert same(t, Y[rows])
        assert weights is None
        assert same(next(source.targets(block)), Y[rows.start - start : rows.stop])
    assert list(source.read(0, 101)) == []


@pytest.mark.parametrize("dtype", ["float64", "float16", "uint8", "int64", "bool"])
def test_every_numeric_type(dtype, tmp_path):
    x = (X * 3).astype(dtype)
    source = open_source(memmap(tmp_path, x, "x"), Y, block_rows=77)
    assert same(together(source)[0], x)


def test_several_outputs_and_lists_and_texts():
    y = RNG.randn(N, 2)
    assert same(together(open_source(X, y))[1], y)
    assert together(open_source(X.tolist(), Y.tolist()))[1].tolist() == Y.tolist()
    assert together(open_source(X, ["a"] * N))[1].tolist() == ["a"] * N


def test_a_series_of_pandas_beside_an_array():
    pandas = pytest.importorskip("pandas")
    y = pandas.Series(Y, index=RNG.permutation(N) + 0.5)
    assert same(together(open_source(X, y, block_rows=10))[1], Y)


class Chunked:
    """An array that tells chunks, and notes which slices it is asked for."""

    def __init__(self, array, chunks):
        self.array, self.chunks, self.asked = array, chunks, []
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        self.asked.append((rows.start, rows.stop))
        return self.array[rows]


@pytest.mark.parametrize(
    ("chunks", "rows"),
    [
        (None, 1024),
        ((100, 8), 1100),
        ((1024, 512), 1024),
        ((3000, 512), 3000),
        (((100, 100), (512,)), 1100),
    ],
)
def test_blocks_are_whole_chunks(chunks, rows):
    x = np.broadcast_to(np.zeros(512), (4000, 512))
    assert rows * 4096 >= BLOCK_BYTES
    x = Chunked(x, chunks)
    source = open_source(x, np.zeros(4000))
    assert source.lengths[0] == rows
    list(source.read(1))
    assert x.asked == [(rows, min(4000, 2 * rows))]


def test_pieces_of_a_large_block_are_small():
    x = np.zeros((4000, 512))
    source = open_source(x, np.zeros(4000), block_rows=4000)
    assert [len(piece.x) for piece in source.read(0)] == [1024, 1024, 1024, 928]
    assert [len(piece.x) for piece in source.read(0, 2000)] == [1024, 976]


def test_targets_are_read_without_features():
    x = Chunked(X, None)
    source = open_source(x, Y, block_rows=100)
    assert same(targets(source), Y)
    assert x.asked == []


def resident(path):
    """The bytes of a mapped file that are in memory."""
    bytes_of, here = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            here = line.endswith(str(path))
        elif here and line.startswith("Rss:"):
            bytes_of += 1024 * int(line.split()[1])
    return bytes_of


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="the system does not tell")
@pytest.mark.parametrize("view", [lambda m: m, lambda m: np.asarray(m)[8:, 1:]])
def test_pages_that_were_read_are_given_back(view, tmp_path):
    x = memmap(tmp_path, np.ones((16, 1 << 18), np.float32), "x")
    source = open_source(view(x), np.zeros(len(view(x))), block_rows=1)
    for k in np.random.RandomState(0).permutation(len(source.lengths)):
        for piece in source.read(k):
            assert piece.x.sum() == source.n_features
            assert resident(tmp_path / "x.npy") > 1 << 19
        assert resident(tmp_path / "x.npy") == 0
    assert x.sum() == x.size


@pytest.mark.parametrize("mode", ["r+", "c"])
def test_pages_that_may_be_written_are_kept(mode, tmp_path):
    np.save(tmp_path / "x.npy", X)
    x = np.load(tmp_path / "x.npy", mmap_mode=mode)
    x[3] = 7.0
    source = open_source(x, Y)
    assert (together(source)[0][3] == 7.0).all()
    assert (together(source)[0][3] == 7.0).all()


def test_a_file_of_no_memory_map(tmp_path):
    memmap(tmp_path, X, "x")
    x = np.memmap(tmp_path / "x.npy", np.float32, "r", offset=128, shape=X.shape, order="C")
    f = np.asfortranarray(X)
    assert same(together(open_source(x, Y, block_rows=7))[0], X)
    fortran = open_source(memmap(tmp_path, f, "f"), Y, block_rows=7)
    assert same(np.ascontiguousarray(together(fortran)[0]), X)


def test_fingerprints_tell_sources_apart():
    def told(x=X, y=Y, w=None, rows=100):
        return open_source(x, y, sample_weight=w, block_rows=rows).fingerprint()

    last_x, last_y = X.copy(), Y.copy()
    last_x[-1, -1] += 1
    last_y[-1] += 1
    others = [told(last_x), told(y=last_y), told(w=W), told(rows=99), told(X[:-1], Y[:-1])]
    others += [
        told(X[:, 1:]),
        told(X.astype(float)),
        told(y=Y.astype(float)),
        told(y=Y.astype(str)),
    ]
    others += [told(y=Y.astype(object))]
    assert told() == told(X.copy(), list(Y))
    assert len({told(), *others}) == len(others) + 1
    assert "(1000, 5), float32" in told()


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"X": X[:, 0]}, ValueError, r"X has shape \(1000,\); \(samples, features\)"),
        ({"X": X.reshape(10, 100, 5)}, ValueError, r"X has shape \(10, 100, 5\)"),
        ({"X": X[:, :0]}, ValueError, r"X has no features \(shape \(1000, 0\)\)"),
        ({"X": X[:0], "y": Y[:0]}, ValueError, "X has no samples"),
        ({"X": X.astype(object)}, TypeError, "X has dtype object. Numbers are needed"),
        ({"X": X.astype(str)}, TypeError, "X has dtype <U"),
        ({"X": X * 1j}, TypeError, "X has dtype complex"),
        ({"X": csr_array(X)}, TypeError, r"X is sparse. .* X.toarray\(\)"),
        ({"y": None}, ValueError, "y=None: an array X needs an array y of targets"),
        ({"y": Y[1:]}, ValueError, "numbers of samples differ: X has 1000, y has 999"),
        ({"y": np.zeros((N, 1, 1))}, ValueError, r"y has shape \(1000, 1, 1\)"),
        ({"y": 3.0}, ValueError, r"y has shape \(\)"),
        ({"y": csr_array(X)}, TypeError, "y is sparse"),
        ({"sample_weight": W[1:]}, ValueError, "X has 1000, sample_weight has 999"),
        ({"sample_weight": W[:, None]}, ValueError, r"sample_weight has shape \(1000, 1\)"),
        ({"sample_weight": ["a"] * N}, TypeError, "sample_weight has dtype <U1"),
        ({"sample_weight": "w"}, ValueError, "sample_weight='w' names a column"),
        ({"y": None, "target": "t"}, ValueError, "target='t' names a column of a table; X is an"),
        ({"target": "t"}, ValueError, "target='t' names a column and y is given, too"),
        ({"block_rows": 0}, ValueError, "block_rows=0 must be at least 1"),
        ({"block_rows": 2.5}, TypeError, "block_rows=2.5 must be an integer"),
        ({"X": 3}, TypeError, "X of type int cannot be read. Needed is an array with shape"),
        ({"X": None}, TypeError, "X of type NoneType cannot be read"),
    ],
)
def test_what_does_not_fit_is_told(arguments, error, told):
    with pytest.raises(error, match=told):
        open_source(**{"X": X, "y": Y, **arguments})


def test_types_of_other_libraries_are_told():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"X has dtype torch.float32 of another library"):
        open_source(torch.zeros(3, 2), np.zeros(3))


def test_a_closed_file_is_told(tmp_path):
    h5py = pytest.importorskip("h5py")
    x = hdf5(tmp_path, X, "x")
    source = open_source(x, Y, block_rows=100)
    x.file.close()
    with pytest.raises(ReadError, match=r"X, rows 300 to 399, cannot be read: \w+Error: .") as told:
        next(source.read(3))
    assert told.value.__cause__ is not None
    with h5py.File(tmp_path / "x.h5") as file:
        x = file["all"]
    with pytest.raises(ReadError, match="X cannot be read"):
        open_source(x, Y)


def test_a_damaged_chunk_is_told(tmp_path):
    x = hdf5(tmp_path, X, "x")
    where = x.id.get_chunk_info(8)
    x.file.close()
    with open(tmp_path / "x.h5", "r+b") as file:
        file.seek(where.byte_offset)
        file.write(b"\0" * where.size)
    import h5py

    with h5py.File(tmp_path / "x.h5") as file:
        source = open_source(file["all"], Y, block_rows=64)
        assert same(next(source.read(7)).x, X[448:512])
        with pytest.raises(ReadError, match="X, rows 512 to 575, cannot be read: OSError"):
            next(source.read(8))


def test_a_truncated_chunk_is_told(tmp_path):
    x = zarr_array(tmp_path, X, "x")
    (chunk,) = (tmp_path / "x.zarr").glob("c/2/0")
    os.truncate(chunk, 10)
    source = open_source(x, Y, block_rows=64)
    assert same(next(source.read(1)).x, X[64:128])
    with pytest.raises(ReadError, match="X, rows 128 to 191, cannot be read"):
        next(source.read(2))


def test_a_truncated_memory_map_is_told(tmp_path):
    x = memmap(tmp_path, np.zeros((10, 4096)), "x")
    source = open_source(x, np.zeros(10), block_rows=1)
    assert len(list(source.read(9))) == 1
    os.truncate(tmp_path / "x.npy", 9 * 8 * 4096)
    with pytest.raises(ReadError, match=r"X, rows 9 to 9, cannot be read: .* 327808 were mapped"):
        next(source.read(9))


def test_an_array_that_changes_is_told():
    x = Chunked(X.copy(), None)
    source = open_source(x, Y, block_rows=400)
    x.array = X[:900]
    assert len(next(source.read(1)).x) == 400
    with pytest.raises(ReadError, match=r"X, rows 800 to 999, has shape \(100, 5\) and dtype flo"):
        next(source.read(2))
    x.array = X.astype(float)
    with pytest.raises(ReadError, match=r"dtype float64 now; it had \(400, 5\) and float32"):
        next(source.read(0))
