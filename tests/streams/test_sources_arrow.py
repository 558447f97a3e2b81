"""Tables and Parquet files as sources: the rows come back, and what is wrong is told."""

from __future__ import annotations

import datetime
import os
import sys

import numpy as np
import pytest
from pieces import same, targets, together

from xpnet.streams.open import open_source
from xpnet.streams.source import ReadError

pa = pytest.importorskip("pyarrow")
ds = pytest.importorskip("pyarrow.dataset")
pq = pytest.importorskip("pyarrow.parquet")

N = 1000
RNG = np.random.RandomState(0)
X = RNG.randn(N, 5).astype(np.float32)
Y = RNG.randint(0, 3, N)
W = RNG.rand(N)
NAMES = tuple("abcde")
COLUMNS = {**dict(zip(NAMES, X.T, strict=True)), "t": Y, "w": W}
TEXTS = np.array(["no", "yes", "maybe"])[Y]


def table(**changed):
    """The table, with some columns changed, or left out where they are None."""
    return pa.table({k: v for k, v in {**COLUMNS, **changed}.items() if v is not None})


def polars(**changed):
    library = pytest.importorskip("polars")
    return library.from_arrow(table(**changed))


def pandas(**changed):
    pytest.importorskip("pandas")
    return table(**changed).to_pandas()


def pandas_with_an_index(**changed):
    return pandas(**changed).set_index(np.arange(N) + 7)


def record_batch(**changed):
    return table(**changed).to_batches()[0]


def chunked(**changed):
    whole = table(**changed)
    return pa.concat_tables([whole.slice(0, 17), whole.slice(17, 480), whole.slice(497)])


def parquet(folder, rows=N, **changed):
    pq.write_table(table(**changed).slice(0, rows), folder / "all.parquet", row_group_size=300)
    return folder / "all.parquet"


def text_of_path(folder):
    return str(parquet(folder))


def parquet_file(folder):
    return pq.ParquetFile(parquet(folder))


def parquet_of_pandas(folder):
    pandas_with_an_index().to_parquet(folder / "all.parquet", row_group_size=300)
    return folder / "all.parquet"


def parquet_of_polars(folder):
    polars().write_parquet(folder / "all.parquet", row_group_size=300)
    return folder / "all.parquet"


def dataset(folder):
    parquet(folder)
    return ds.dataset(folder)


def folder_of_files(folder):
    (folder / "all.parquet").mkdir()
    for k, name in enumerate("abcd"):
        part = table().slice(300 * k, 300)
        columns = part.column_names[::-1] if k == 2 else part.column_names
        pq.write_table(part.select(columns), folder / "all.parquet" / f"{name}.parquet")
    return folder / "all.parquet"


TABLES = pytest.mark.parametrize(
    "kind", [table, record_batch, chunked, polars, pandas, pandas_with_an_index]
)
FILES = pytest.mark.parametrize(
    "kind",
    [
        *(parquet, text_of_path, parquet_file, parquet_of_pandas, parquet_of_polars, dataset),
        folder_of_files,
    ],
)


def check(source, block_rows):
    assert all(map(same, together(source), (X, Y, W)))
    assert same(targets(source), Y)
    assert source.lengths == tuple(min(block_rows, N - k) for k in range(0, N, block_rows))
    assert (source.n_features, source.dtype, source.weighted) == (5, np.float32, True)
    assert source.feature_names == NAMES
    assert "(1000, 5), float32" in source.fingerprint()


@TABLES
@pytest.mark.parametrize("block_rows", [128, 1000])
def test_rows_of_tables_come_back(kind, block_rows):
    check(open_source(kind(), target="t", sample_weight="w", block_rows=block_rows), block_rows)


@FILES
@pytest.mark.parametrize("block_rows", [None, 128, 300])
def test_rows_of_files_come_back(kind, block_rows, tmp_path):
    source = open_source(kind(tmp_path), target="t", sample_weight="w", block_rows=block_rows)
    check(source, 300)
    pieces = [len(piece.x) for piece in source.read(1)]
    assert pieces == ([128, 128, 44] if block_rows == 128 else [300])


@pytest.mark.parametrize("start", [0, 1, 127, 128, 250])
def test_a_block_from_a_row_on(start, tmp_path):
    options = {"target": "t", "sample_weight": "w"}
    in_file = open_source(parquet(tmp_path), block_rows=128, **options)
    in_memory = open_source(table(), block_rows=300, **options)
    for block in (3, 0, 2):
        if start < in_file.lengths[block]:
            rows = slice(300 * block + start, 300 * (block + 1))
            for source in (in_file, in_memory):
                parts = zip(*source.read(block, start), strict=True)
                assert all(map(same, map(np.concatenate, parts), (X[rows], Y[rows], W[rows])))


def test_arrays_beside_a_table():
    bare = table(t=None, w=None)
    source = open_source(bare, Y, sample_weight=W, block_rows=77)
    assert all(map(same, together(source), (X, Y, W)))
    assert same(targets(source), Y)
    y = RNG.randn(N, 2)
    assert same(together(open_source(polars(t=None, w=None), y))[1], y)
    assert open_source(table(w=None), target="t").weighted is False


def test_several_targets(tmp_path):
    for data in (table(), parquet(tmp_path)):
        source = open_source(data, target=["w", "t"])
        assert same(together(source)[1], np.stack([W, Y], axis=1))
        assert same(targets(source), np.stack([W, Y], axis=1))
        one = open_source(data, target=["t"], sample_weight="w")
        assert same(together(one)[1], Y[:, None])


@pytest.mark.parametrize(
    ("types", "common"),
    [
        (["uint8"] * 5, "uint8"),
        (["bool"] * 5, "bool"),
        (["float16"] * 5, "float16"),
        (["int8", "int16", "bool", "bool", "uint8"], "int16"),
        (["float32", "float32", "float32", "float32", "int32"], "float64"),
    ],
)
def test_features_have_their_common_type(types, common, tmp_path):
    x = {name: (X[:, j] > 0).astype(types[j]) for j, name in enumerate(NAMES)}
    for data in (table(**x, w=None), parquet(tmp_path, **x, w=None)):
        source = open_source(data, target="t")
        assert source.dtype == common
        assert same(together(source)[0], (X > 0).astype(common))


@pytest.mark.parametrize(
    "texts", [pa.array(TEXTS), pa.array(TEXTS, "large_string"), pa.array(TEXTS).dictionary_encode()]
)
@pytest.mark.parametrize("kind", [table, chunked, polars, pandas])
def test_targets_may_be_texts(kind, texts, tmp_path):
    source = open_source(kind(t=texts), target="t", sample_weight="w", block_rows=10)
    assert (together(source)[1] == TEXTS).all()
    assert targets(source).dtype == TEXTS.dtype
    in_file = open_source(parquet(tmp_path, t=texts), target="t", block_rows=10)
    assert (targets(in_file) == TEXTS).all()
    texts = polars(t=texts).with_columns(pytest.importorskip("polars").col("t").cast(str))
    assert (targets(open_source(texts, target="t")) == TEXTS).all()


def test_columns_that_a_folder_tells(tmp_path):
    order = np.argsort(Y, kind="stable")
    options = {"partitioning": ["t"], "partitioning_flavor": "hive"}
    ds.write_dataset(table().take(order), tmp_path / "all.parquet", format="parquet", **options)
    for data in (tmp_path / "all.parquet", ds.dataset(tmp_path, partitioning="hive")):
        source = open_source(data, target="t", sample_weight="w")
        x, t, weights = together(source)
        assert same(x, X[order])
        assert (t == Y[order]).all()
        assert same(targets(source), t)
        assert same(weights, W[order])
        feature = open_source(data, target="w")
        assert same(together(feature)[0], np.column_stack([X[order], t]).astype(feature.dtype))


def test_row_groups_without_rows_are_left_out(tmp_path):
    with pq.ParquetWriter(tmp_path / "all.parquet", table().schema) as writer:
        for rows in (0, 400, 0, 600, 0):
            writer.write_table(table().slice(400 if rows == 600 else 0, rows))
    source = open_source(tmp_path / "all.parquet", target="t", sample_weight="w")
    assert source.lengths == (400, 600)
    assert all(map(same, together(source), (X, Y, W)))


def test_a_large_row_group_is_never_held_whole(tmp_path):
    x = {str(k): np.random.RandomState(k).rand(1 << 18) for k in range(8)}
    pq.write_table(
        pa.table(x), tmp_path / "all.parquet", use_dictionary=False, data_page_size=1 << 16
    )
    source = open_source(tmp_path / "all.parquet", target="0", block_rows=1024)
    before, most = pa.total_allocated_bytes(), 0
    for _ in source.read(0):
        most = max(most, pa.total_allocated_bytes() - before)
    assert 0 < most < (16 << 20) / 2


def test_a_one_shot_stream_is_told():
    class Once:
        def __init__(self):
            self.reader = table().to_reader()

        def __arrow_c_stream__(self, requested_schema=None):
            return self.reader.__arrow_c_stream__(requested_schema)

    class Again:
        def __arrow_c_stream__(self, requested_schema=None):
            return table().__arrow_c_stream__(requested_schema)

    for once, name in (
        (table().to_reader(), "RecordBatchReader"),
        (Once(), "Once"),
        (iter(table().to_batches()), "iterator"),
    ):
        with pytest.raises(TypeError, match=f"{name} can be read once only; pass a function that"):
            open_source(once, target="t")
    check(open_source(Again(), target="t", sample_weight="w", block_rows=300), 300)


DAYS = pa.array([datetime.date(2020, 1, 1)] * N)
HOLES = pa.array([None, *X[1:, 1]], "float32")


@pytest.mark.parametrize(
    ("changed", "arguments", "error", "told"),
    [
        ({}, {"target": None}, ValueError, "target=None: name the column of the targets, as X is"),
        ({}, {"target": "T"}, ValueError, "target='T' is not a column. Columns: a, b, c, d, e, t"),
        ({"label": Y}, {"target": "lable"}, ValueError, "Did you mean 'label'?"),
        ({}, {"target": ["t", "z"]}, ValueError, "target='z' is not a column"),
        ({}, {"target": ["t", "t"]}, ValueError, "names a column twice"),
        ({}, {"target": []}, TypeError, r"target=\[\] must be the name of a column, or a list"),
        ({}, {"target": 5}, TypeError, "target=5 must be the name of a column"),
        ({}, {"sample_weight": "z"}, ValueError, "sample_weight='z' is not a column"),
        ({}, {"sample_weight": "t"}, ValueError, "sample_weight='t' is a target, too"),
        ({}, {"target": [*NAMES, "t"]}, ValueError, "X has no columns beside the targets"),
        ({"c": TEXTS}, {}, TypeError, "Column 'c' is of type string; a feature must be numbers"),
        ({"c": DAYS}, {}, TypeError, "Column 'c' is of type date32"),
        ({"c": pa.array([[1.0]] * N)}, {}, TypeError, "Column 'c' is of type list<"),
        ({"t": DAYS}, {}, TypeError, "Column 't' is of type date32.* target= must be numbers"),
        ({"t": TEXTS}, {"target": ["t", "a"]}, TypeError, "Column 't' is of type string; target="),
        ({"w": TEXTS}, {}, TypeError, "Column 'w' is of type string; sample_weight= must be"),
        ({}, {"block_rows": -1}, ValueError, "block_rows=-1 must be at least 1"),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_columns_that_do_not_fit_are_told(in_file, changed, arguments, error, told, tmp_path):
    data = parquet(tmp_path, **changed) if in_file else table(**changed)
    with pytest.raises(error, match=told):
        open_source(data, **{"target": "t", "sample_weight": "w", **arguments})


def test_missing_values_are_told(tmp_path):
    for kind in (table, polars, pandas):
        with pytest.raises(ValueError, match=r"X: column 'b' has 1 missing values .null."):
            open_source(kind(b=HOLES), target="t")
    for name, holes in (("b", HOLES), ("t", pa.array([None, *TEXTS[1:]]))):
        data = parquet(tmp_path, **{name: holes})
        source = open_source(data, target="t", sample_weight="w")
        assert same(next(source.read(1)).x, X[300:600])
        with pytest.raises(ValueError, match=rf"row group 0,.* column '{name}' has 1 missing"):
            next(source.read(0))
    with pytest.raises(ValueError, match=r"row group 0,.* column 't' has 1 missing"):
        next(source.targets(0))


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"target": "t", "y": Y}, ValueError, "target='t' names a column and y is given, too"),
        ({"y": Y[1:]}, ValueError, "X has 1000, y has 999"),
        ({"y": Y, "sample_weight": W[1:]}, ValueError, "X has 1000, sample_weight has 999"),
        ({"X": table().slice(0, 0), "y": []}, ValueError, "X has no samples"),
        ({"X": pa.table([X[:, 0]] * 2, names=["a", "a"]), "y": Y}, ValueError, "same name: a"),
    ],
)
def test_tables_that_do_not_fit_are_told(arguments, error, told):
    with pytest.raises(error, match=told):
        open_source(**{"X": table(), **arguments})


def test_arrays_do_not_go_with_files(tmp_path):
    with pytest.raises(ValueError, match="y goes with arrays; X is a Parquet file: target= names"):
        open_source(parquet(tmp_path), Y)
    with pytest.raises(TypeError, match="sample_weight must name a column where X is a Parquet"):
        open_source(parquet(tmp_path), target="t", sample_weight=W)


def test_paths_that_do_not_fit_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.parquet does not exist; a .parquet file"):
        open_source(tmp_path / "none.parquet", target="t")
    with pytest.raises(ValueError, match=r"ends in '.npy'; a path must be that of a .parquet"):
        open_source(str(tmp_path / "x.npy"), target="t")
    with pytest.raises(ValueError, match="X has no samples"):
        open_source(parquet(tmp_path, rows=0), target="t")
    (tmp_path / "empty.parquet").mkdir()
    with pytest.raises(ValueError, match="X has no samples"):
        open_source(tmp_path / "empty.parquet", target="t")


def test_data_sets_of_other_files_are_told(tmp_path):
    ds.write_dataset(table(), tmp_path, format="arrow")
    with pytest.raises(TypeError, match=r"not Parquet; pass a function: lambda: dataset.scanner"):
        open_source(ds.dataset(tmp_path, format="arrow"), target="t")
    with pytest.raises(TypeError, match="not Parquet"):
        open_source(ds.dataset(table()), target="t")
    filtered = dataset(tmp_path / "..").filter(ds.field("t") > 0)
    with pytest.raises(TypeError, match=r"is filtered; pass a function: lambda: dataset.scanner"):
        open_source(filtered, target="t")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"c": None}, "b.parquet has no column 'c', as rows before. Found: a, b, d, e, t, w"),
        ({"c": X[:, 2].astype(float)}, "b.parquet: column 'c' is of type double there, and float"),
        ({"t": TEXTS}, "b.parquet: column 't' is of type string there, and int64 before"),
    ],
)
def test_files_that_differ_are_told(changed, told, tmp_path):
    pq.write_table(table(), tmp_path / "a.parquet")
    pq.write_table(table(**changed), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=told):
        open_source(ds.dataset(tmp_path), target="t")


def test_truncated_files_are_told(tmp_path):
    path = parquet(tmp_path)
    source = open_source(path, target="t")
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ReadError, match=r"all.parquet cannot be read: ArrowInvalid: .*footer"):
        open_source(path, target="t")
    with pytest.raises(ReadError, match=r"all.parquet, row group 3, had 100 rows .* has 0 now"):
        list(source.read(3))
    with pytest.raises(ReadError, match=r"all.parquet, row group 3, had 100 rows .* has 0 now"):
        list(source.targets(3))


def test_damaged_row_groups_are_told(tmp_path):
    path = parquet(tmp_path)
    place = pq.ParquetFile(path).metadata.row_group(2).column(1).dictionary_page_offset
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 64)
    source = open_source(path, target="t", sample_weight="w")
    assert same(next(source.read(1)).x, X[300:600])
    with pytest.raises(ReadError, match=r"all.parquet, row group 2, cannot be read: OSError: "):
        next(source.read(2))
    assert same(next(source.targets(2)), Y[600:900])


def test_a_file_that_lost_a_column_is_told(tmp_path):
    """While one of several files is closed, it is replaced."""
    for name in "ab":
        pq.write_table(table(), tmp_path / f"{name}.parquet")
    source = open_source(ds.dataset(tmp_path), target="t", sample_weight="w")
    list(source.read(0))
    pq.write_table(table(c=None), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"b.parquet has no column 'c'"):
        list(source.read(1))
    list(source.read(0))
    pq.write_table(table().slice(3), tmp_path / "b.parquet")
    with pytest.raises(ReadError, match=r"b.parquet, row group 0, had 1000 rows .* has 997 now"):
        list(source.read(1))


@pytest.mark.parametrize("in_file", [False, True])
def test_without_pyarrow_the_extra_is_named(in_file, tmp_path, monkeypatch):
    data = parquet(tmp_path) if in_file else table()
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"need pyarrow: pip install 'xpnet\[arrow\]'"):
        open_source(data, target="t")
