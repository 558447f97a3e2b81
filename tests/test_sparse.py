"""Sparse features: the numbers of the dense array, in windows of bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse

from xpnet import (
    SGD,
    Adam,
    BinaryCrossEntropy,
    Dense,
    Dropout,
    Network,
    Penalty,
    ReLU,
    Reshuffled,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    Trainer,
    backends,
    evaluation,
    training,
)

N, FEATURES, CLASSES = 23, 6, 3
RNG = np.random.RandomState(3)
X = np.where(RNG.rand(N, FEATURES) < 0.3, RNG.randn(N, FEATURES), 0.0)
X[4] = 0.0  # a row of nothing
T = RNG.randint(CLASSES, size=N)
WEIGHTS = RNG.rand(N) + 0.1
HELD_OUT = slice(0, 9)
FORMS = {
    name: getattr(scipy.sparse, name)
    for name in ("csr_array", "csr_matrix", "csc_array", "csc_matrix", "coo_array", "coo_matrix")
}


def network(*between):
    return Network([Dense(FEATURES, 5), Tanh(), *between, Dense(5, CLASSES)])


@pytest.fixture
def small_windows(monkeypatch):
    """Two batches of five at a time, and evaluation in chunks of seven rows."""
    monkeypatch.setattr(training, "_MOST_ELEMENTS", 2 * 5 * FEATURES + 1)
    monkeypatch.setattr(evaluation, "_MOST_ELEMENTS", 7 * FEATURES)


def outcome(x, *, held_out=None, weights=WEIGHTS, dtype="float64", fit=None, **options):
    """Everything that a trainer says of data, on the host."""
    settings = {"optimizer": Adam(0.05), "random_state": 0, "dtype": dtype, **options}
    net = settings.pop("network", None) or network()
    trainer = Trainer(net, SoftmaxCrossEntropy(), **settings)
    given = {"sample_weight": weights}
    start = trainer.initialize()
    loss, gradient = trainer.loss_and_gradient(x, T, state=start, **given)
    watched = x[HELD_OUT] if held_out is None else held_out
    lengths = {"epochs": 3, "batch_size": 5, "train_score": True, "step_losses": "before"}
    history = trainer.fit(
        x, T, **lengths | given | (fit or {}), validation_data=(watched, T[HELD_OUT], WEIGHTS[:9])
    )
    state = trainer.state_
    return {
        "first loss": loss,
        "first gradient": gradient,
        "params": backends.to_host(state.params),
        "moments": np.stack([backends.to_host(a) for a in state.optimizer_state]),
        "losses": history.losses,
        "scores": history.scores,
        "steps": history.step_losses,
        "val_losses": history.val_losses,
        "val_scores": history.val_scores,
        "predictions": trainer.predict(x),
        "logits": trainer.logits(x),
        "evaluation": np.stack(trainer.evaluate(x, T, weights)),
        "last gradient": trainer.loss_and_gradient(x, T, **given)[1],
    }


def agree(found, expected, rtol=1e-12):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=rtol, err_msg=name)
        assert np.asarray(found[name]).dtype == np.asarray(value).dtype


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_every_form_of_matrix(form, weights, small_windows):
    x = FORMS[form](X)
    watched = FORMS[form](X[HELD_OUT])
    agree(outcome(x, held_out=watched, weights=weights), outcome(X, weights=weights))
    np.testing.assert_array_equal(x.toarray(), X, "what came in is left as it is")


def test_every_backend(backend, dtype, small_windows):
    """Against the dense array on the same backend, and on NumPy."""
    place = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    options = {"penalty": Penalty(l1=0.01, l2=0.1), "max_norm": 1.0}
    x = scipy.sparse.csr_array(X)
    found = outcome(x, **options, **place)
    assert type(found["predictions"]) is np.ndarray
    rtol = 1e-12 if dtype == "float64" else 1e-5
    agree(found, outcome(X, **options, **place), rtol)
    agree(found, outcome(X, dtype=dtype, **options), rtol)


@pytest.mark.parametrize("batch_size", [1, 5, 23, None])
@pytest.mark.parametrize("most", [1, 60, 61, 200, 10**9])
def test_windows_of_every_size(batch_size, most, monkeypatch):
    """From one batch at a time to the whole set."""
    monkeypatch.setattr(training, "_MOST_ELEMENTS", most)
    seen = []
    right = training.Run._windows

    def counted(self, rows):
        for windows, data in right(self, rows):
            (window,) = windows
            assert data.x.shape == (window.size, FEATURES)
            seen.append(window.shape)
            yield windows, data

    fit = {"batch_size": batch_size, "epochs": 2}
    expected = outcome(X, fit=fit)
    monkeypatch.setattr(training.Run, "_windows", counted)
    agree(outcome(scipy.sparse.csr_array(X), fit=fit), expected)
    size = N if batch_size is None else batch_size
    assert sum(steps * rows for steps, rows in seen) == 2 * N
    assert all(steps == 1 or steps * rows * FEATURES <= most for steps, rows in seen)
    if most == 10**9:
        assert len(seen) == 2 * (1 + (N % size > 0))


STACKS = {
    "seeds": {"random_state": [0, 1, 2]},
    "rates": {"random_state": 4, "optimizer": Adam(np.array([[0.1], [0.01]]))},
    "dropout": {"random_state": [0, 1, 2], "network": network(Dropout(0.4))},
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("numpy", kind) for kind in STACKS),
        *((name, "dropout") for name in ("cupy", "jax", "torch", "array_api_strict")),
    ],
)
def test_stacks_of_models(name, kind, small_windows):
    options = STACKS[kind]
    status = backends.available()[name]
    if not status.usable:
        pytest.skip(status.reason)
    x = scipy.sparse.csr_array(X)
    agree(outcome(x, backend=name, **options), outcome(X, backend=name, **options))


@pytest.mark.parametrize("name", ["numpy", "cupy", "torch", "array_api_strict"])
@pytest.mark.parametrize(
    "layers",
    [
        [Dense(FEATURES, 5), ReLU(), Dropout(0.5), Dense(5, CLASSES)],
        [Dropout(0.5), Dense(FEATURES, CLASSES)],
    ],
    ids=["hidden", "input"],
)
def test_dropout_falls_alike(name, layers, small_windows):
    """The mask counts steps, not windows: the numbers of the dense array."""
    status = backends.available()[name]
    if not status.usable:
        pytest.skip(status.reason)
    options = {"network": Network(layers), "backend": name}
    agree(outcome(scipy.sparse.csr_array(X), **options), outcome(X, **options))


@pytest.mark.parametrize("seed", [0, [0, 1]])
@pytest.mark.parametrize(
    "fit",
    [
        {"sampling": "replacement"},
        {"sampling": "sequential"},
        {"sampling": Reshuffled(5)},
        {"objectives": True, "penalty": Penalty(l2=0.1, division="together")},
        {"step_losses": "after"},
        {"iterations": 7, "epochs": None},
    ],
    ids=str,
)
def test_every_way_to_fit(seed, fit, small_windows):
    fit = dict(fit)
    options = {"random_state": seed, "penalty": fit.pop("penalty", None), "fit": fit}
    agree(outcome(scipy.sparse.csr_array(X), **options), outcome(X, **options))


@pytest.mark.parametrize(
    ("loss", "t"),
    [
        (SquaredError(), X[:, :CLASSES] + 1.0),
        (SquaredError(outputs="mixed"), X[:, :CLASSES] + 1.0),
        (BinaryCrossEntropy(), (X[:, :CLASSES] != 0.0).astype(int)),
        (SoftmaxCrossEntropy(), np.eye(CLASSES)[T]),
    ],
    ids=str,
)
def test_targets_of_rows(loss, t, small_windows):
    runs = []
    for x in (scipy.sparse.csr_array(X), X):
        trainer = Trainer(network(), loss, Adam(0.05), random_state=0)
        history = trainer.fit(x, t, epochs=3, batch_size=5, sample_weight=WEIGHTS)
        runs.append([*trainer.state_.params, *history.losses, *trainer.evaluate(x, t, WEIGHTS)])
    np.testing.assert_allclose(*runs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "asked", "expected"),
    [
        ("float64", None, "float64"),
        ("float32", None, "float32"),
        ("float32", "float64", "float64"),
        ("float64", "float32", "float32"),
        ("int64", None, "float32"),
        ("int64", "float64", "float64"),
        ("int8", None, "float32"),
        ("bool", None, "float32"),
    ],
)
def test_the_type_follows_the_data(kind, asked, expected, small_windows):
    x = np.round(3.0 * X).astype(kind)
    found = outcome(scipy.sparse.csr_array(x), dtype=asked)
    assert found["params"].dtype == found["predictions"].dtype == expected
    agree(found, outcome(x, dtype=asked), 1e-12 if expected == "float64" else 1e-5)


def test_a_resumed_run_is_the_uninterrupted_one(small_windows):
    x = scipy.sparse.csr_array(X)

    def trainer():
        return Trainer(network(Dropout(0.3)), SoftmaxCrossEntropy(), Adam(0.05), random_state=0)

    fit = {"batch_size": 5, "sampling": "reshuffle"}
    whole, first, rest = trainer(), trainer(), trainer()
    whole.fit(x, T, epochs=5, **fit)
    first.fit(X, T, epochs=2, **fit)  # dense first, then sparse
    rest.fit(x, T, epochs=3, state=first.state_, **fit)
    np.testing.assert_allclose(rest.state_.params, whole.state_.params, rtol=1e-12)


def test_numpy_has_the_dense_runs_numbers_bit_for_bit(small_windows):
    runs = []
    for x in (scipy.sparse.csr_array(X), X):
        trainer = Trainer(network(), SoftmaxCrossEntropy(), Adam(0.05), random_state=0)
        trainer.fit(x, T, epochs=3, batch_size=5)
        runs.append(trainer.state_.params)
    np.testing.assert_array_equal(*runs)


def test_entries_that_lie_unsorted_or_twice():
    """What scipy calls not canonical: duplicates add up."""
    rows, columns = np.array([0, 0, 0, 1]), np.array([3, 1, 3, 0])
    values = np.array([1.0, 2.0, 4.0, 8.0])
    indptr = np.array([0, 3, 4])
    trainer = Trainer(network(), SoftmaxCrossEntropy(), random_state=0)
    trainer.state_ = trainer.initialize()
    dense = np.zeros((2, FEATURES))
    dense[0, 3], dense[0, 1], dense[1, 0] = 5.0, 2.0, 8.0
    for x in (
        scipy.sparse.csr_array((values, columns, indptr), shape=(2, FEATURES)),
        scipy.sparse.coo_array((values, (rows, columns)), shape=(2, FEATURES)),
    ):
        np.testing.assert_allclose(trainer.predict(x), trainer.predict(dense), rtol=1e-13)
    assert len(x.data) == 4, "what came in is left as it is"


def spoilt(value):
    x = X.copy()
    x[2, 1] = value
    return x


@pytest.mark.parametrize("form", ["csr_array", "csc_matrix", "coo_array"])
@pytest.mark.parametrize(
    ("x", "error", "told"),
    [
        (spoilt(np.nan), ValueError, "x holds NaN or infinity"),
        (spoilt(-np.inf), ValueError, "x holds NaN or infinity"),
        (X[:, :4], ValueError, r"x has shape \(23, 4\); \(samples, 6\) is needed"),
        (X[:7], ValueError, "x has 7, t has 23"),
        (X + 1j, TypeError, "x has dtype complex128"),
    ],
    ids=["nan", "inf", "features", "samples", "complex"],
)
def test_bad_features_are_refused(form, x, error, told):
    x = FORMS[form](x)
    trainer = Trainer(network(), SoftmaxCrossEntropy(), random_state=0)
    trainer.state_ = trainer.initialize()
    calls = [
        lambda: trainer.fit(x, T),
        lambda: trainer.evaluate(x, T),
        lambda: trainer.loss_and_gradient(x, T),
    ]
    if "t has" not in told:
        calls.append(lambda: trainer.predict(x))
        with pytest.raises(error, match=f"validation_{told}"):
            trainer.fit(X, T, validation_data=(x, T))
    for call in calls:
        with pytest.raises(error, match=told):
            call()


def test_no_samples_one_axis_and_numbers_too_large_are_refused():
    trainer = Trainer(network(), SoftmaxCrossEntropy(), dtype="float32")
    with pytest.raises(ValueError, match="x has no samples"):
        trainer.fit(scipy.sparse.csr_array((0, FEATURES)), T[:0])
    with pytest.raises(ValueError, match="x holds numbers too large for float32"):
        trainer.fit(scipy.sparse.csr_array(1e200 * X), T)
    with pytest.raises(ValueError, match=r"x has shape \(6,\); \(samples, 6\) is needed"):
        trainer.fit(scipy.sparse.coo_array(X[0]), T[:1])


def test_sparse_targets_and_weights_are_refused():
    trainer = Trainer(network(), SoftmaxCrossEntropy())
    with pytest.raises(TypeError, match=r"t is sparse.*t\.toarray\(\)"):
        trainer.fit(X, scipy.sparse.csr_array(np.eye(CLASSES)[T]))
    with pytest.raises(TypeError, match="sample_weight is sparse"):
        trainer.fit(X, T, sample_weight=scipy.sparse.csr_array(WEIGHTS[None]))


def test_pixels_are_dense():
    trainer = Trainer(network(), SoftmaxCrossEntropy())
    with pytest.raises(TypeError, match=r"x is sparse, of 8-bit.*x\.astype\('float32'\)"):
        trainer.fit(scipy.sparse.csr_array(np.abs(X).astype(np.uint8)), T)


@pytest.mark.parametrize("seed", [0, [0, 1]], ids=["one", "stack"])
def test_a_large_matrix_is_never_made_dense(seed):
    """20,000 x 10,000 in float32 are 800 MB; a window of 2**22 elements is 17."""
    n, n_features = 20_000, 10_000
    rng = np.random.RandomState(0)
    columns = rng.randint(n_features, size=20 * n)
    matrix = scipy.sparse.csr_matrix(
        (rng.rand(20 * n).astype(np.float32), columns, np.arange(0, 20 * n + 1, 20)),
        shape=(n, n_features),
    )
    t = rng.rand(n)
    net = Network([Dense(n_features, 2), Tanh(), Dense(2, 1)])
    trainer = Trainer(net, SquaredError(), SGD(0.01), random_state=seed)
    tracemalloc.start()
    try:
        fit = {"epochs": 1, "batch_size": 200, "validation_data": (matrix[:5000], t[:5000])}
        history = trainer.fit(matrix, t, train_score=True, **fit)
        y = trainer.predict(matrix)
        trainer.loss_and_gradient(matrix, t)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.isfinite(history.losses).all()
    assert y.shape[-2:] == (n, 1)
    assert peak < 150e6, f"{peak / 1e6:.0f} MB"
