import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from xpnet import Dense, Network, Stream, Trainer
from xpnet.streams.arrays import ArraySource
from xpnet.streams.recognition import as_stream
from xpnet.streams.subset import Subset

RNG = np.random.RandomState(0)
X = RNG.standard_normal((103, 4)).astype(np.float32)
Y = np.arange(103)
W = RNG.uniform(0.5, 2.0, 103)


def joined(stream):
    return tuple(map(np.concatenate, zip(*stream, strict=True)))


def test_a_stream_tells_what_it_is():
    stream = Stream(X, Y, block_rows=10)
    assert repr(stream) == "<Stream: 103 samples, 4 features, 11 blocks>"
    assert (stream.n_samples, stream.n_features, stream.feature_names) == (103, 4, None)


def test_iteration_gives_all_rows_in_their_order():
    found = joined(Stream(X, Y, sample_weight=W, block_rows=9))
    for rows, wanted in zip(found, (X, Y, W), strict=True):
        np.testing.assert_array_equal(rows, wanted)


def test_transforms_follow_each_other():
    stream = Stream(X, Y, transform=lambda x: x[:, :2], block_rows=10)
    doubled = stream.transformed(lambda x: 2 * x)
    np.testing.assert_array_equal(joined(doubled)[0], 2 * X[:, :2])
    assert doubled.n_features == 2
    np.testing.assert_array_equal(joined(stream)[0], X[:, :2])


def test_a_scaler_is_fitted_in_one_pass():
    scaler = StandardScaler()
    scaled = Stream(X, Y, block_rows=10).scaled(scaler)
    np.testing.assert_allclose(scaler.mean_, X.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(scaler.var_, X.var(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_array_equal(joined(scaled)[0], scaler.transform(X))


def test_a_fitted_scaler_stays_as_it_is():
    scaler = MinMaxScaler().fit(3 * X)
    before = scaler.scale_.copy()
    scaled = Stream(X, Y).scaled(scaler)
    np.testing.assert_array_equal(scaler.scale_, before)
    np.testing.assert_array_equal(joined(scaled)[0], scaler.transform(X))


@pytest.mark.parametrize("scaler", [StandardScaler, "standard", np.ones(4)])
def test_a_scaler_is_a_transformer(scaler):
    with pytest.raises(TypeError, match=r"scaler=.*StandardScaler\(\)"):
        Stream(X, Y).scaled(scaler)


def test_a_scaler_learns_by_parts():
    from sklearn.preprocessing import PowerTransformer

    with pytest.raises(TypeError, match="has no partial_fit"):
        Stream(X, Y).scaled(PowerTransformer())
    stateless = Stream(X, Y).scaled(FunctionTransformer(np.abs))
    np.testing.assert_array_equal(joined(stateless)[0], np.abs(X))


@pytest.mark.parametrize(
    ("transform", "error", "told"),
    [
        (StandardScaler(), TypeError, "use scaled"),
        (3, TypeError, "must be a function"),
        (lambda x: x[:2], ValueError, r"shape \(2, 4\); \(103, features\)"),
        (lambda x: x[:, 0], ValueError, r"shape \(103,\)"),
        (lambda x: x.astype(str), TypeError, r"transform\(x\)"),
        (lambda x: x * np.nan, ValueError, "NaN"),
    ],
)
def test_what_a_transform_must_be(transform, error, told):
    with pytest.raises(error, match=told):
        Stream(X, Y, transform=transform).first  # noqa: B018


def test_split_parts_the_samples():
    train, held_out = Stream(X, Y, sample_weight=W, block_rows=10).split(0.2, random_state=1)
    rows = [held_out[1], joined(train)[1]]
    assert (len(rows[0]), train.n_samples) == (21, 82)
    np.testing.assert_array_equal(np.sort(np.concatenate(rows)), Y)
    for found, own in ((held_out, rows[0]), (joined(train), rows[1])):
        np.testing.assert_array_equal(found[0], X[own])
        np.testing.assert_array_equal(found[2], W[own])
    again = Stream(X, Y, block_rows=7).split(0.2, random_state=1)[1]
    np.testing.assert_array_equal(again[1], rows[0])
    assert not np.array_equal(Stream(X, Y).split(0.2, random_state=2)[1][1], rows[0])


def test_split_holds_out_no_more_than_a_buffer():
    train, (x, _) = Stream(X, Y, buffer_bytes=10 * 16).split(0.5)
    assert (len(x), train.n_samples) == (10, 93)


@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.001, 0.999])
def test_split_leaves_something(fraction):
    with pytest.raises(ValueError, match="fraction"):
        Stream(X, Y).split(fraction)


@given(
    block_rows=st.integers(1, 30),
    left_out=st.sets(st.integers(0, 102), max_size=60),
    start=st.integers(0, 30),
)
def test_rows_left_out_are_as_if_they_were_not_there(block_rows, left_out, start):
    rows = np.array(sorted(left_out), dtype=np.int64)
    source = ArraySource(X, Y, block_rows=block_rows)
    subset = Subset(source, rows)
    assert subset.n_samples == 103 - len(rows)
    for block, first in enumerate(range(0, 103, block_rows)):
        kept = np.setdiff1d(np.arange(first, min(first + block_rows, 103)), rows)
        assert subset.lengths[block] == len(kept)
        found = [piece.t for piece in subset.read(block, min(start, len(kept)))]
        np.testing.assert_array_equal(np.concatenate([[], *found]), kept[start:])
        targets = list(subset.targets(block))
        np.testing.assert_array_equal(np.concatenate([[], *targets]), kept)


def test_targets_and_weights_may_be_others():
    stream = Stream(X, Y, block_rows=10).retargeted(lambda t: -t)
    stream = stream.weighed(lambda t, weights: t + 1.0).retargeted(lambda t: 2 * t)
    np.testing.assert_array_equal(joined(stream)[1], -2 * Y)
    np.testing.assert_array_equal(joined(stream)[2], Y + 1.0)
    np.testing.assert_array_equal(np.concatenate(list(stream.targets(1))), -2 * Y[10:20])
    for change in (stream.retargeted, stream.weighed):
        with pytest.raises(TypeError, match="must be a function"):
            change(3)


def test_distinct_targets_are_counted():
    t = np.array(["b", "a", "b", "c", "a", "b", "b"])
    values, counts = Stream(X[:7], t, block_rows=2).distinct_targets()
    assert values.tolist() == ["a", "b", "c"]
    assert counts.tolist() == [2, 4, 1]


def test_fingerprints_tell_streams_apart():
    streams = [
        Stream(X, Y),
        Stream(X + 1, Y),
        Stream(X, Y + 1),
        Stream(X, Y, block_rows=10),
        Stream(X, Y, transform=lambda x: x),
        Stream(X, Y).split(0.1, 0)[0],
        Stream(X, Y).split(0.1, 1)[0],
    ]
    assert len({stream.fingerprint() for stream in streams}) == len(streams)
    assert Stream(X, Y).fingerprint() == Stream(X.copy(), Y.copy()).fingerprint()


class Stored:
    """An array that lies elsewhere, as h5py's and zarr's do."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        return self.array[rows]


def test_what_is_stored_elsewhere_is_a_stream():
    assert isinstance(as_stream(Stored(X), Y), Stream)
    assert isinstance(as_stream(lambda: iter([(X, Y)])), Stream)
    stream = Stream(X, Y)
    assert as_stream(stream) is stream


def test_what_is_in_memory_is_none():
    import pandas as pd
    import scipy.sparse

    for x in (X, X.tolist(), pd.DataFrame(X), scipy.sparse.csr_matrix(X), np.float32(1), None):
        assert as_stream(x, Y) is None


def test_a_stream_is_no_array():
    trainer = Trainer(Network([Dense(4, 1)]), "squared_error", random_state=0)
    trainer.fit(Stream(X, Y / 100), epochs=1)
    for use in (trainer.predict, lambda x: trainer.evaluate(x, Y), np.asarray):
        with pytest.raises(TypeError, match="gives its rows, a part at a time"):
            use(Stream(X, Y))


@pytest.mark.parametrize("beside", [{"y": Y}, {"sample_weight": W}])
def test_a_stream_has_its_targets_in_itself(beside):
    with pytest.raises(TypeError, match="in itself"):
        as_stream(Stream(X, Y), **beside)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"block_rows": 0}, ValueError),
        ({"block_rows": 2.5}, TypeError),
        ({"buffer_bytes": 0}, ValueError),
        ({"buffer_bytes": None}, TypeError),
    ],
)
def test_sizes_are_checked(options, error):
    with pytest.raises(error, match=next(iter(options))):
        Stream(X, Y, **options)
