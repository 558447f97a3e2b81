"""Batches as a source: the rows come back, and what is wrong is told."""

from __future__ import annotations

import numpy as np
import pytest
from pieces import same, targets, together

from xpnet.streams.open import open_source
from xpnet.streams.source import ReadError

N = 1000
RNG = np.random.RandomState(0)
X = RNG.randn(N, 5).astype(np.float32)
Y = RNG.randint(0, 3, N)
W = RNG.rand(N)
NAMES = tuple("abcde")
COLUMNS = {**dict(zip(NAMES, X.T, strict=True)), "t": Y, "w": W}


def cut(*arrays, size=128):
    """A list of batches."""
    return [tuple(a[k : k + size] for a in arrays) for k in range(0, len(arrays[0]), size)]


def generated():
    yield from cut(X, Y, W)


def memory_maps(folder):
    np.save(folder / "x.npy", X)
    x = np.load(folder / "x.npy", mmap_mode="r")
    return lambda: iter(cut(x, Y, W))


def table():
    return pytest.importorskip("pyarrow").table(COLUMNS)


def data_set(folder):
    datasets = pytest.importorskip("pyarrow.dataset")
    datasets.write_dataset(table(), folder, format="arrow")
    return lambda: datasets.dataset(folder, format="arrow").scanner(batch_size=70).to_reader()


def polars_batches(folder):
    polars = pytest.importorskip("polars")
    return list(polars.from_arrow(table()).iter_slices(70))


KINDS = {
    "function": lambda folder: generated,
    "list": lambda folder: cut(X, Y, W),
    "lists": lambda folder: lambda: [[x.tolist(), y, w] for x, y, w in cut(X, Y, W)],
    "memory maps": memory_maps,
    "reader": lambda folder: lambda: table().to_reader(max_chunksize=70),
    "table": lambda folder: table,
    "record batches": lambda folder: table().to_batches(max_chunksize=70),
    "data set": data_set,
    "polars": polars_batches,
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_come_back(kind, tmp_path):
    arrow = kind not in ("function", "list", "lists", "memory maps")
    columns = {"target": "t", "sample_weight": "w"} if arrow else {}
    source = open_source(KINDS[kind](tmp_path), **columns)
    dtype = float if kind == "lists" else np.float32
    for _ in range(2):
        assert all(map(same, together(source), (X.astype(dtype), Y, W)))
        assert same(targets(source), Y)
    assert (source.lengths, source.n_features, source.weighted) == ((N,), 5, True)
    assert source.dtype == dtype
    assert source.feature_names == (NAMES if arrow else None)
    assert source.fingerprint() == source.fingerprint()


@pytest.mark.parametrize("start", [0, 1, 127, 128, 129, 999, 1000])
def test_from_a_row_on(start):
    source = open_source(generated)
    pieces = list(source.read(0, start))
    assert sum(len(piece.x) for piece in pieces) == N - start
    if pieces:
        x, t, weights = map(np.concatenate, zip(*pieces, strict=True))
        assert same(x, X[start:])
        assert same(t, Y[start:])
        assert same(weights, W[start:])


def test_batches_without_rows_are_left_out():
    empty = (X[:0], Y[:0])
    source = open_source([empty, *cut(X, Y), empty, ([], [])])
    assert same(together(source)[0], X)
    assert all(len(piece.x) for piece in source.read(0))
    assert source.weighted is False


def test_large_tables_come_in_pieces():
    pa = pytest.importorskip("pyarrow")
    wide = pa.table({str(k): np.arange(3000.0) for k in range(513)})
    source = open_source([wide, wide], target="0")
    assert [len(piece.x) for piece in source.read(0)] == [1024, 1024, 952] * 2


def test_texts_may_be_targets_of_different_lengths():
    texts = [["a", "bb"], ["cccc"]]
    source = open_source(lambda: [(X[:2], texts[0]), (X[2:3], texts[1])])
    assert together(source)[1].tolist() == ["a", "bb", "cccc"]


def test_a_data_loader_of_torch():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    source = open_source(torch.utils.data.DataLoader(data, batch_size=64))
    assert all(map(same, together(source)[:2], (X, Y)))


def test_it_is_asked_only_for_what_is_read():
    given = []

    def batches():
        for k, batch in enumerate(cut(X, Y)):
            given.append(k)
            yield batch

    source = open_source(batches)
    assert given == list(range(8))
    next(source.read(0))
    assert given == [*range(8), 0]


def test_iterators_are_told():
    for once in (generated(), iter(cut(X, Y)), zip(cut(X), cut(Y), strict=True)):
        with pytest.raises(TypeError, match="can be read once only; pass a function that returns"):
            open_source(once)


BATCHES = cut(X, Y, size=100)


def with_second(batch):
    """Batches whose second one is another."""
    return {"X": [BATCHES[0], batch, *BATCHES[2:]]}


def second_table(**changed):
    pa = pytest.importorskip("pyarrow")
    columns = {k: v for k, v in {**COLUMNS, **changed}.items() if v is not None}
    return lambda: {"X": [table(), pa.table(columns)], "target": "t", "sample_weight": "w"}


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"X": []}, ValueError, "X has no samples; at least one batch with one sample"),
        ({"X": [(X[:0], Y[:0])]}, ValueError, "X has no samples"),
        ({"X": lambda: None}, TypeError, r"X returned NoneType; an iterable of batches \(X, y\)"),
        ({"X": lambda: (X, Y)}, TypeError, r"Batch 0 of X .* is of type ndarray; \(X, y\), \(X"),
        (with_second((X, Y, W, W)), TypeError, "Batch 1 of X .from row 100 on. is of type tuple"),
        (with_second(None), TypeError, "Batch 1 of X .from row 100 on. is of type NoneType"),
        (with_second((X, Y[1:])), ValueError, "Batch 1 .* differ: X has 1000, y has 999"),
        (with_second((X, Y, W[1:])), ValueError, "X has 1000, y has 1000, sample_weight has 999"),
        (with_second((X[0], Y)), ValueError, r"X has shape \(5,\); \(samples, features\) is"),
        (with_second((X[:, :0], Y)), ValueError, r"X has shape \(1000, 0\)"),
        (with_second((X, X[:, None])), ValueError, r"y has shape \(1000, 1, 5\)"),
        (with_second((X, Y, X)), ValueError, r"sample_weight has shape \(1000, 5\)"),
        (with_second((X.astype(str), Y)), TypeError, "Batch 1 .*: X has dtype <U32; numbers"),
        (with_second((X[:, 1:], Y)), ValueError, "Batch 1 .* has 4 features of .* have 5 features"),
        (with_second((X.astype(float), Y)), ValueError, "features of float64, .* of float32, "),
        (with_second((X, X)), ValueError, "targets of 5 outputs of float32, .* targets of int64"),
        (with_second((X, Y.astype(str))), ValueError, "targets of <U0, .* targets of int64"),
        (with_second((X, Y, W)), ValueError, "with weights; .* without weights"),
        (with_second(([[1.0], [1.0, 2.0]], Y)), ReadError, "Batch 1 .* cannot be read: ValueErr"),
        ({"X": BATCHES, "target": "t"}, TypeError, "Batch 0 .* target= and sample_weight= name co"),
        ({"X": BATCHES, "sample_weight": "w"}, TypeError, "Batch 0 .* name columns of tables"),
        ({"X": generated, "sample_weight": W}, ValueError, r"weights with them: \(X, y, sample_"),
        ({"X": generated, "y": Y}, ValueError, r"batches have their targets with them: \(X, y\)"),
        ({"X": BATCHES, "block_rows": 0}, ValueError, "block_rows=0 must be at least 1"),
        (lambda: {"X": table}, ValueError, "target=None: name the column of the targets"),
        (lambda: {"X": table, "target": "z"}, ValueError, "target='z' is not a column"),
        (second_table(c=None), ValueError, "Batch 1 of X .from row 1000 on. has no column 'c'"),
        (second_table(c=W), ValueError, "Batch 1 .*: column 'c' is of type double there, and flo"),
    ],
)
def test_what_does_not_fit_is_told(arguments, error, told):
    with pytest.raises(error, match=told):
        open_source(**(arguments() if callable(arguments) else arguments))


def test_missing_values_are_told():
    pa = pytest.importorskip("pyarrow")
    holes = pa.array([None, *X[1:, 2]], "float32")
    data = [table(), table().set_column(2, "c", holes)]
    with pytest.raises(ValueError, match=r"Batch 1 .* column 'c' has 1 missing values"):
        open_source(data, target="t")


def test_what_a_function_raises_is_told():
    def failing():
        yield from BATCHES[:3]
        raise KeyError("no more")

    def failing_at_once():
        raise RuntimeError("no data base")

    with pytest.raises(ReadError, match="Batch 3 of X cannot be read: KeyError: 'no more'") as told:
        open_source(failing)
    assert isinstance(told.value.__cause__, KeyError)
    with pytest.raises(ReadError, match="X cannot be read: RuntimeError: no data base"):
        open_source(failing_at_once)


def test_what_the_caller_raises_stays_as_it_is():
    pieces = open_source(generated).read(0)
    next(pieces)
    with pytest.raises(KeyError, match="mine"):
        pieces.throw(KeyError("mine"))


@pytest.mark.parametrize(
    ("later", "told"),
    [
        (BATCHES[:-1], "had 1000 rows when it was opened, and has 900 now"),
        ([*BATCHES, BATCHES[0]], "had 1000 rows when it was opened, and has more now"),
        ([], "X, which must give the same rows in each pass, had 1000 rows .* and has 0 now"),
    ],
)
def test_a_later_pass_of_other_rows_is_told(later, told):
    passes = [BATCHES, later]
    source = open_source(lambda: passes.pop(0))
    with pytest.raises(ReadError, match=told):
        list(source.read(0))


def test_a_function_that_returns_the_same_iterator_is_told():
    once = iter(BATCHES)
    source = open_source(lambda: once)
    with pytest.raises(ReadError, match=r"must give the same rows in each pass.* has 0 now"):
        list(source.read(0, 500))
    with pytest.raises(ReadError, match="must give the same rows in each pass"):
        source.fingerprint()


def test_a_later_pass_of_other_columns_is_told():
    passes = [BATCHES, [(x[:, 1:], t) for x, t in BATCHES]]
    source = open_source(lambda: passes.pop(0))
    with pytest.raises(ValueError, match=r"Batch 0 of X .from row 0 on. has 4 features"):
        next(source.read(0))
