"""Training on streams, against training on the same rows in memory."""

import contextlib
import threading
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest

from xpnet import (
    SGD,
    Adam,
    Callback,
    Checkpoint,
    Cosine,
    Dense,
    Dropout,
    EarlyStopping,
    LearningRateSchedule,
    Network,
    Penalty,
    ReLU,
    StepDecay,
    Stream,
    Tanh,
    TimeLimit,
    Trainer,
    backends,
    fit_many,
)
from xpnet.batches import Batches
from xpnet.streams import Plan, ReadError

RNG = np.random.RandomState(3)
X = RNG.standard_normal((260, 5)).astype(np.float32)
T = (X @ RNG.standard_normal(5) > 0).astype(np.int64)
CLASSES = T + (X[:, 0] > 1)
WEIGHTS = RNG.uniform(0.0, 2.0, 260) * (RNG.uniform(size=260) > 0.3)
NET = Network([Dense(5, 6), Tanh(), Dense(6, 1)])
ROWS = 48 * (5 * 4 + 4)
"""The bytes of 48 rows and their targets in float32: three batches."""


def streamed(x=X, t=T, **options):
    return Stream(x, t, **{"block_rows": 30, "buffer_bytes": ROWS} | options)


def trainer(net=NET, loss="binary_cross_entropy", optimizer=None, **options):
    options = {"random_state": 0} | options
    return Trainer(net, loss, Adam(0.02) if optimizer is None else optimizer, **options)


def trained(own, *data, **options):
    history = own.fit(*data, **{"epochs": 3, "batch_size": 16} | options)
    return history, np.asarray(backends.to_host(own.state_.params))


def assert_same(one, other, **tolerance):
    (history, params), (expected, wanted) = one, other
    np.testing.assert_allclose(params, wanted, **{"rtol": 0, "atol": 0} | tolerance)
    np.testing.assert_allclose(history.losses, expected.losses, **{"rtol": 1e-12} | tolerance)
    assert params.dtype == wanted.dtype


class Planned(Batches):
    """In memory, the order in which a stream is read."""

    def order(self, n_samples, rng, epoch):
        lengths = [min(30, n_samples - first) for first in range(0, n_samples, 30)]
        plan = Plan(tuple(lengths), 16, 48, int(rng.randint(2**31 - 1)))
        own = [30 * b + r for b, first in plan.reads(0) for r in range(first, plan.lengths[b])]
        size = plan.rows_per_buffer
        orders = [own[k * size + i] for k in range(plan.n_buffers) for i in plan.order(k)]
        return np.array(orders)


def test_shuffled_streams_are_trained_on_by_their_plan(backend):
    name, device = backend.name, backend.device
    tolerance = {} if name == "numpy" else {"rtol": 1e-5, "atol": 1e-6}
    found = trained(trainer(backend=name, device=device), streamed())
    assert_same(found, trained(trainer(), X, T, sampling=Planned(16)), **tolerance)


@pytest.mark.parametrize(
    ("x", "t", "options"),
    [
        (X.astype(np.float64), T, {}),
        (X, T.astype(np.float64), {"loss": "squared_error"}),
        (X, T[:, None], {}),
        (X, CLASSES, {"loss": "softmax_cross_entropy", "net": Network([Dense(5, 3)])}),
        ((40 * X + 128).astype(np.uint8), T, {}),
        ((9 * X).astype(np.int16), T, {}),
        (X, T, {"penalty": Penalty(0.01, 0.02), "max_norm": 0.3}),
        (X, T, {"net": Network([Dense(5, 6), Dropout(0.3), ReLU(), Dense(6, 1)])}),
        (X, T, {"optimizer": SGD(np.array([[0.1], [0.3]]), momentum=0.5)}),
        (X, T, {"optimizer": Adam(Cosine(0.1, 51, unit="step"))}),
        (X, T, {"compile": False}),
    ],
    ids=str,
)
def test_streams_in_order_are_as_arrays_in_order(x, t, options):
    found = trained(trainer(**options), streamed(x, t), sampling="sequential")
    assert_same(found, trained(trainer(**options), x, t, sampling="sequential"))


@pytest.mark.parametrize("record", [None, "before", "after"])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_losses_of_a_stream_are_those_of_arrays(record, weights):
    options = {"step_losses": record, "sampling": "sequential"}
    history, _ = trained(trainer(), streamed(sample_weight=weights), **options)
    expected, _ = trained(trainer(), X, T, sample_weight=weights, **options)
    for curve in ("losses", "step_losses"):
        found, wanted = (np.array(getattr(h, curve)) for h in (history, expected))
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        assert found.shape == wanted.shape


def test_objectives_of_a_stream_are_those_of_arrays():
    options = {"objectives": True, "sampling": "sequential"}
    own = {"penalty": Penalty(l2=0.1)}
    found = trained(trainer(**own), streamed(), **options)
    assert_same(found, trained(trainer(**own), X, T, **options))


def test_each_model_of_a_stack_is_as_if_alone():
    rates = np.array([[0.1], [0.3]])
    _, stack = trained(trainer(optimizer=SGD(rates)), streamed())
    for rate, params in zip((0.1, 0.3), stack, strict=True):
        np.testing.assert_array_equal(trained(trainer(optimizer=SGD(rate)), streamed())[1], params)


def test_a_buffer_for_all_rows_is_enough():
    found = trained(trainer(), streamed(buffer_bytes=1 << 20), sampling="sequential")
    assert_same(found, trained(trainer(), X, T, sampling="sequential"))


@pytest.mark.parametrize("iterations", [1, 3, 4, 17, 20, 34])
def test_some_steps_of_a_stream(iterations):
    options = {"iterations": iterations, "epochs": None, "sampling": "sequential"}
    own, other = trainer(), trainer()
    assert_same(trained(own, streamed(), **options), trained(other, X, T, **options))
    assert own.state_.step == iterations
    assert (own.state_.epoch, own.state_.part) == (other.state_.epoch, None)


def test_validation_is_seen_each_epoch():
    history, _ = trained(trainer(), streamed(), validation_data=(X[:50], T[:50]))
    assert len(history.val_scores) == 3
    assert history.val_scores[-1] > 0.6


def test_arrays_that_lie_elsewhere_are_streamed(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        x = file.create_dataset("x", data=X, chunks=(13, 5))
        found = trained(trainer(), x, T, sampling="sequential")
    assert_same(found, trained(trainer(), X, T, sampling="sequential"))


def test_columns_are_named_as_targets():
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({**{f"f{k}": X[:, k] for k in range(5)}, "kind": T})
    found = trained(trainer(), table, "kind", sampling="sequential")
    assert_same(found, trained(trainer(), X, T, sampling="sequential"))


def kinds(folder):
    """The same rows from files of every kind."""
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    options = {"block_rows": 30, "buffer_bytes": ROWS}
    np.save(folder / "x.npy", X)
    yield Stream(np.load(folder / "x.npy", mmap_mode="r"), T, **options)
    with h5py.File(folder / "x.h5", "w") as file:
        yield Stream(file.create_dataset("x", data=X, chunks=(10, 5)), T, **options)
    stored = zarr.create_array(str(folder / "x.zarr"), data=X, chunks=(15, 5))
    yield Stream(stored, T, **options)
    table = arrow.table({**{f"f{k}": X[:, k] for k in range(5)}, "kind": T})
    yield Stream(table, target="kind", **options)
    parquet.write_table(table, folder / "x.parquet", row_group_size=30)
    yield Stream(folder / "x.parquet", target="kind", **options)


def test_results_do_not_depend_on_the_kind_of_file(tmp_path):
    expected = trained(trainer(), streamed())
    for stream in kinds(tmp_path):
        assert_same(trained(trainer(), stream), expected)


class Interrupt(Callback):
    """Raises after some buffers."""

    steers = False

    def __init__(self, after):
        self.after = after

    def on_buffer_end(self, fit):
        self.after -= 1
        if self.after == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [1, 4, 9])
@pytest.mark.parametrize("options", [{}, {"sample_weight": WEIGHTS}], ids=["plain", "weighted"])
def test_a_run_is_resumed_in_the_midst_of_an_epoch(tmp_path, after, options):
    net = Network([Dense(5, 6), Tanh(), Dropout(0.2), Dense(6, 1)])
    given = {"validation_data": (X[:50], T[:50]), "step_losses": "before"}
    expected, wanted = trained(trainer(net), streamed(**options), **given)
    path = tmp_path / "run"
    saving = [Interrupt(after), Checkpoint(path, every_seconds=0.0)]
    with pytest.raises(KeyboardInterrupt):
        trained(trainer(net), streamed(**options), callbacks=saving, **given)
    resumed = trainer(net)
    history, params = trained(resumed, streamed(**options), callbacks=[Checkpoint(path)], **given)
    assert_same((history, params), (expected, wanted))
    assert history.step_losses == expected.step_losses
    assert history.val_losses == expected.val_losses


def test_a_state_in_the_midst_of_an_epoch_goes_on():
    expected = trained(trainer(), streamed())
    own = trainer()
    with pytest.raises(KeyboardInterrupt):
        trained(own, streamed(), callbacks=[Interrupt(8)])
    assert (own.state_.epoch, own.state_.steps_into_epoch) == (1, 9)
    history, params = trained(own, streamed(), epochs=2, state=own.state_)
    np.testing.assert_array_equal(params, expected[1])
    assert history.losses == expected[0].losses[1:]


def test_a_time_limit_ends_an_epoch_early(tmp_path):
    expected = trained(trainer(), streamed())
    for _ in range(3 * 6):  # buffers
        own, saving = trainer(), Checkpoint(tmp_path / "run")
        found = trained(own, streamed(), callbacks=[TimeLimit(1e-9), saving])
    assert (own.state_.epoch, own.state_.part) == (3, None)
    assert_same(found, expected)


def test_a_checkpoint_is_of_one_order(tmp_path):
    trained(trainer(), streamed(), callbacks=[Checkpoint(tmp_path / "run")])
    for other in (streamed(buffer_bytes=2 * ROWS), streamed(block_rows=20), streamed(x=X + 1)):
        with pytest.raises(ValueError, match="of another run"):
            trained(trainer(), other, callbacks=[Checkpoint(tmp_path / "run")])


class Failing:
    """An array that cannot be read from some row on, at some time."""

    def __init__(self, wrong, reads):
        self.wrong, self.reads = wrong, reads
        self.shape, self.dtype = X.shape, X.dtype

    def __getitem__(self, rows):
        self.reads -= 1
        return self.wrong(X[rows]) if self.reads < 0 else X[rows]


def _fail(x):
    raise OSError("the disk is gone")


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        (_fail, ReadError, "disk is gone"),
        (lambda x: x * np.nan, ValueError, r"NaN.*rows \d+ to \d+ of block \d"),
        (lambda x: x.astype(np.float64), ReadError, "float64"),
        (lambda x: x[:, :4], ReadError, "4"),
        (lambda x: x[:-1], ReadError, "rows"),
        (lambda x: x.astype(str), ReadError, "dtype"),
    ],
)
def test_what_fails_in_the_reader_is_told_and_the_checkpoint_kept(tmp_path, wrong, error, told):
    path = tmp_path / "run"
    expected = trained(trainer(), streamed())
    saving = [Checkpoint(path, every_seconds=0.0)]
    with pytest.raises(error, match=told):
        trained(trainer(), streamed(Failing(wrong, 15)), callbacks=saving)
    assert not any(thread.name == "xpnet-reader" for thread in threading.enumerate())
    assert_same(trained(trainer(), streamed(), callbacks=[Checkpoint(path)]), expected)


def test_a_block_may_be_held_out_as_a_whole():
    train, _ = streamed(block_rows=1, buffer_bytes=2 * ROWS).split(0.2, 0)
    assert train.source.lengths.count(0) == 52
    history, _ = trained(trainer(), train)
    assert (train.n_samples, history.n_epochs) == (208, 3)


def test_the_reader_ends_with_the_fit():
    for after in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            trained(trainer(), streamed(), callbacks=[Interrupt(after)])
        assert not any(thread.name == "xpnet-reader" for thread in threading.enumerate())


def test_a_run_that_diverges_ends_after_the_buffer():
    own = trainer(loss="squared_error", optimizer=SGD(1e30))
    with pytest.raises(FloatingPointError, match=r"in epoch 1, step [123] of"):
        trained(own, streamed())
    assert own.state_.step == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sampling": "replacement"}, "'shuffle' or 'sequential'"),
        ({"sampling": "reshuffle"}, "'shuffle' or 'sequential'"),
        ({"sampling": Planned(4)}, "'shuffle' or 'sequential'"),
        ({"batch_size": None}, "batch_size=None"),
        ({"train_score": True}, "train_score=True"),
    ],
)
def test_what_needs_all_samples_is_told(options, told):
    with pytest.raises(ValueError, match=told):
        trained(trainer(), streamed(), **options)


def test_one_order_for_all_models():
    with pytest.raises(ValueError, match="random_state is of 2 models"):
        trained(trainer(random_state=[1, 2]), streamed())


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        (lambda: streamed(X[:, :4]), r"\(30, 4\)"),
        (lambda: streamed(t=CLASSES), "t "),
        (lambda: streamed(t=T[:, None] * [1, 1]), "t has shape"),
        (lambda: streamed(sample_weight=-WEIGHTS), "sample_weight"),
    ],
)
def test_data_that_do_not_fit_are_told(stream, told):
    with pytest.raises(ValueError, match=told):
        trained(trainer(), stream())


def order_of(t):
    return np.argsort(t, kind="stable")


@pytest.mark.parametrize("labels", [T, T.astype(np.float64)])
def test_sorted_blocks_are_warned_of(labels):
    order = order_of(T)
    with pytest.warns(UserWarning, match=r"sorted by target, and a buffer holds 18\.5%.*0\.792"):
        trained(trainer(), streamed(X[order], labels[order]))


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (np.arange(260), {}),
        (order_of(T), {"buffer_bytes": 2 * ROWS}),
        (order_of(T), {"sampling": "sequential"}),
    ],
)
def test_what_is_not_sorted_or_does_not_matter_is_not_warned_of(rows, options):
    stream = streamed(X[rows], T[rows], buffer_bytes=options.pop("buffer_bytes", ROWS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(trainer(), stream, **options)


def test_sorted_batches_of_a_function_are_warned_of():
    order = order_of(T)

    def batches():
        return ((X[rows], T[rows]) for rows in np.array_split(order, 20))

    with pytest.warns(UserWarning, match="sorted by target"):
        trained(trainer(), Stream(batches, buffer_bytes=ROWS))


def test_streams_are_closed_where_nobody_goes_on():
    opened = []

    @contextlib.contextmanager
    def watched():
        opened.append(1)
        try:
            yield
        finally:
            opened.pop()

    def batches():
        with watched():
            yield from ((X[k : k + 20], T[k : k + 20]) for k in range(0, 260, 20))

    with pytest.raises(KeyboardInterrupt):
        trained(trainer(), Stream(batches, buffer_bytes=ROWS), callbacks=[Interrupt(1)])
    assert not opened


class Stop(Callback):
    """Ends the fit after its first buffer."""

    steers = False

    def on_buffer_end(self, fit):
        fit.stop("enough", resumable=True)


def midway(**options):
    own = trainer(**options)
    trained(own, streamed(), callbacks=[Stop()])
    assert own.state_.steps_into_epoch == 3
    return own


def test_arrays_do_not_go_on_in_the_midst_of_an_epoch(tmp_path):
    own = midway()
    with pytest.raises(ValueError, match="state is 3 steps into an epoch of a stream"):
        trained(own, X, T, state=own.state_)
    loaded = Trainer.load(own.save(tmp_path / "net"))
    with pytest.raises(ValueError, match="3 steps into an epoch"):
        trained(loaded, X, T, state=loaded.state_)
    with pytest.raises(ValueError, match=r"states\[0\] is 3 steps into an epoch"):
        fit_many([trainer()], X, T, states=[own.state_])


@pytest.mark.parametrize(
    ("stream", "options"),
    [
        (streamed(block_rows=20), {}),
        (streamed(buffer_bytes=2 * ROWS), {}),
        (streamed(X + 1), {}),
        (streamed(), {"batch_size": 200}),
        (streamed(), {"sampling": "sequential"}),
    ],
)
def test_another_order_does_not_go_on_in_the_midst_of_an_epoch(stream, options):
    own = midway()
    with pytest.raises(ValueError, match="state is in the midst of an epoch of another stream"):
        trained(own, stream, state=own.state_, **options)


class Scaled(Callback):
    """Halves the parameters after a buffer, and the rate before an epoch."""

    def __init__(self):
        self.rate = 0.2

    def on_epoch_begin(self, fit):
        self.rate /= 2
        fit.learning_rate = self.rate

    def on_buffer_end(self, fit):
        fit.state = replace(fit.state, params=fit.state.params * 0.5)

    def state(self):
        return {"rate": self.rate}

    def restore(self, state):
        self.rate = state["rate"]


def test_a_state_may_be_replaced_after_a_buffer():
    own = trainer()
    _, params = trained(own, streamed(), callbacks=[Scaled()], epochs=1)
    _, plain = trained(trainer(optimizer=Adam(0.1)), streamed(), epochs=1)
    assert np.abs(params).sum() < 0.9 * np.abs(plain).sum()


@pytest.mark.parametrize("after", [2, 7])
def test_callbacks_see_an_epoch_begin_once(tmp_path, after):
    expected = trained(trainer(), streamed(), callbacks=[Scaled()])
    saving = [Scaled(), Interrupt(after), Checkpoint(tmp_path / "run", every_seconds=0.0)]
    with pytest.raises(KeyboardInterrupt):
        trained(trainer(), streamed(), callbacks=saving)
    found = trained(trainer(), streamed(), callbacks=[Scaled(), Checkpoint(tmp_path / "run")])
    assert_same(found, expected)


@pytest.mark.parametrize(
    "schedule", [StepDecay(0.1, every=1), lambda epoch, history: 0.1 / (1 + epoch)]
)
def test_rates_of_an_epoch_that_is_resumed(tmp_path, schedule):
    expected = trained(trainer(), streamed(), callbacks=[LearningRateSchedule(schedule)])
    saving = [Interrupt(8), Checkpoint(tmp_path / "run", every_seconds=0.0)]
    with pytest.raises(KeyboardInterrupt):
        trained(trainer(), streamed(), callbacks=[LearningRateSchedule(schedule), *saving])
    again = [LearningRateSchedule(schedule), Checkpoint(tmp_path / "run")]
    assert_same(trained(trainer(), streamed(), callbacks=again), expected)


def test_the_best_parameters_are_not_in_the_midst_of_an_epoch():
    own = trainer()
    stopping = EarlyStopping("losses", patience=50, restore_best=True)
    with pytest.raises(KeyboardInterrupt):
        trained(own, streamed(), callbacks=[Interrupt(8), stopping])
    assert (own.state_.part, own.state_.step, own.state_.epoch) == (None, 17, 1)
    trained(own, X, T, state=own.state_)


class Slow:
    """An array of which each read takes a while."""

    shape, dtype = X.shape, X.dtype

    def __getitem__(self, rows):
        time.sleep(0.02)
        return X[rows]


def test_an_error_does_not_wait_for_the_whole_buffer():
    began = time.monotonic()
    stream = streamed(Slow(), block_rows=1, buffer_bytes=100 * 24)
    with pytest.raises(KeyboardInterrupt):
        trained(trainer(), stream, callbacks=[Interrupt(1)])
    # A whole buffer takes two seconds more.
    assert time.monotonic() - began < 3 * 100 * 0.02
    assert not any(thread.name == "xpnet-reader" for thread in threading.enumerate())


def test_a_source_that_hangs_does_not_keep_the_fit():
    hanging = threading.Event()

    class Hanging(Slow):
        left = 5  # the first rows, two for the fingerprint, and the first buffer

        def __getitem__(self, rows):
            self.left -= 1
            if self.left < 0:
                hanging.wait(30)
            return X[rows]

    with pytest.raises(KeyboardInterrupt):
        trained(trainer(), streamed(Hanging(), buffer_bytes=ROWS), callbacks=[Interrupt(1)])
    (reader,) = (thread for thread in threading.enumerate() if thread.name == "xpnet-reader")
    hanging.set()
    reader.join()


def test_flags_are_no_pixels():
    with pytest.raises(ValueError, match="none is above 1"):
        trained(trainer(), streamed((X > 0).astype(np.uint8)))


def test_weights_that_are_all_zero_are_told():
    with pytest.raises(ValueError, match="sample_weight holds only zeros"):
        trained(trainer(), streamed(sample_weight=np.zeros(260)))


def test_sorted_words_are_warned_of():
    order, words = order_of(T), np.array(["no", "yes"])
    stream = streamed(X[order], words[T[order]]).retargeted(lambda t: (t == "yes").astype(float))
    with pytest.warns(UserWarning, match="sorted by target") as caught:
        trained(trainer(), stream)
    assert caught[0].filename == __file__


def test_a_state_has_no_order_of_arrays():
    own = trainer()
    trained(own, X, T, sampling="reshuffle")
    trained(own, streamed(), state=own.state_)
    assert own.state_.order is None
