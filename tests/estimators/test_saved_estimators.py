"""Estimators in pickles and files, as scikit-learn's, and as ONNX models."""

from __future__ import annotations

import io
import pickle
import sys
import warnings

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.base import clone
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning

from xpnet import EarlyStopping, LeakyReLU, MLPClassifier, MLPRegressor, backends

OPTIONS = {
    "hidden_layer_sizes": (8, 6),
    "batch_size": 16,
    "learning_rate_init": 0.02,
    "max_iter": 5,
    "random_state": 0,
}
X, CLASSES = make_classification(60, 4, n_informative=3, n_redundant=1, n_classes=3, random_state=1)
TARGETS = {
    "three": CLASSES,
    "two": CLASSES > 0,
    "spaced": np.array([3, 7, -1])[CLASSES],
    "names": np.array(["Birne", "Äpfel", "梨"])[CLASSES],
    "multilabel": make_multilabel_classification(60, 4, n_classes=3, random_state=0)[1],
    "one": X[:, 0] * X[:, 1],
    "several": np.stack([X[:, 0], X[:, 1] ** 2], axis=1),
}
every_target = pytest.mark.parametrize("target", TARGETS)


def fit(target="three", x=X, **options):
    kind = MLPRegressor if target in ("one", "several") else MLPClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(**OPTIONS | options).fit(x, TARGETS[target])


def numbers(estimator, x=X):
    """Probabilities or predictions."""
    return getattr(estimator, "predict_proba", estimator.predict)(x)


def n_bytes(estimator):
    return sum(backends.to_host(p).nbytes for p in estimator.coefs_ + estimator.intercepts_)


class Roots(pickle.Unpickler):
    """Notes which packages a pickle needs."""

    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.found = set()

    def find_class(self, module, name):
        self.found.add(module.split(".")[0])
        return super().find_class(module, name)


@every_target
def test_pickles(target):
    ours = fit(target)
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again.predict(X), ours.predict(X))
    np.testing.assert_array_equal(numbers(again), numbers(ours))
    assert again.loss_curve_ == ours.loss_curve_
    assert again.history_.losses == ours.history_.losses


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": "sgd"},
        {"early_stopping": True},
        {"solver": "lbfgs"},
        {"warm_start": True},
        {"callbacks": [EarlyStopping("losses")]},
    ],
    ids=str,
)
def test_a_pickle_holds_the_weights_once(options):
    """No moments, no best weights, no data: scikit-learn's has all weights four times."""
    wide = {"hidden_layer_sizes": (300, 100)}
    ours = fit(**wide, **options)
    assert len(pickle.dumps(ours)) < 1.1 * n_bytes(ours) + 10_000
    partial = MLPClassifier(**OPTIONS | wide)
    for _ in range(3):
        partial.partial_fit(X, CLASSES, classes=[0, 1, 2])
    assert len(pickle.dumps(partial)) < 1.1 * n_bytes(partial) + 10_000


def test_a_pickle_is_loaded_without_the_device_library(backend, dtype):
    """It holds host arrays only, and predicts as before: here and, where there is one, there."""
    with backend.session(dtype):
        x = backend.asarray(X, dtype)
        ours = fit(x=x)
        before = backends.to_host(ours.predict_proba(x))
        data = pickle.dumps(ours)
        reading = Roots(data)
        again = reading.load()
        there = again.predict_proba(x)
        assert backends.owner(there) == backends.owner(x)
        np.testing.assert_array_equal(backends.to_host(there), before)
    assert reading.found <= {"xpnet", "numpy", "sklearn", "builtins", "copyreg", "_codecs"}
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    here = pickle.loads(data).predict_proba(X.astype(dtype))
    assert type(here) is np.ndarray
    np.testing.assert_allclose(here, before, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_training_goes_on_after_a_pickle(solver):
    ours = fit(solver=solver)
    again = pickle.loads(pickle.dumps(ours))
    again.partial_fit(X, CLASSES)
    assert len(again.loss_curve_) == 6
    assert np.isfinite(again.loss_curve_).all()
    # The first batch's loss is before any update, whatever became of the moments.
    assert again.loss_curve_[-1] < ours.loss_curve_[0]
    assert len(ours.loss_curve_) == 5


@every_target
def test_files(target, tmp_path):
    ours = fit(target)
    path = tmp_path / "net.safetensors"
    ours.save(path)
    again = type(ours).load(path)
    np.testing.assert_array_equal(again.predict(X), ours.predict(X))
    np.testing.assert_array_equal(numbers(again), numbers(ours))
    for w, other in zip(again.coefs_, ours.coefs_, strict=True):
        np.testing.assert_array_equal(w, other)
    if hasattr(ours, "classes_"):
        np.testing.assert_array_equal(again.classes_, ours.classes_)
        assert again.classes_.dtype.kind == ours.classes_.dtype.kind
    assert again.score(X, TARGETS[target]) == ours.score(X, TARGETS[target])


def test_a_file_is_loaded_on_another_backend(backend, tmp_path):
    ours = fit(dtype="float32")
    ours.save(tmp_path / "net.safetensors")
    again = MLPClassifier.load(
        tmp_path / "net.safetensors", backend=backend.name, device=backend.device_name
    )
    assert again.backend == backend.name
    p = again.predict_proba(X.astype(np.float32))
    assert type(p) is np.ndarray
    expected = ours.predict_proba(X.astype(np.float32))
    np.testing.assert_allclose(p, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": ("tanh", LeakyReLU(0.3)), "dropout": (0.1, 0.0)},
        {"activation": "gelu", "solver": "rmsprop", "class_weight": "balanced"},
        {"solver": "sgd", "learning_rate": "cosine", "max_norm": 1.0},
        {"early_stopping": True, "dtype": "float32"},
        {"solver": "lbfgs"},
    ],
    ids=str,
)
def test_a_file_has_the_parameters(options, tmp_path):
    """What is loaded trains again as what was saved."""
    ours = fit(**options)
    ours.save(tmp_path / "net.safetensors")
    again = MLPClassifier.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), ours.predict_proba(X))
    assert again.hidden_layer_sizes == ours.hidden_layer_sizes
    found, expected = again.get_params(), ours.get_params()
    assert {k: repr(v) for k, v in found.items()} == {k: repr(v) for k, v in expected.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        curves = [getattr(clone(e).fit(X, CLASSES), "loss_", None) for e in (again, ours)]
    assert curves[0] == curves[1]


def test_a_file_of_the_other_kind(tmp_path):
    fit("one").save(tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match="MLPRegressor"):
        MLPClassifier.load(tmp_path / "net.safetensors")


def test_unfitted_estimators_cannot_be_saved(tmp_path):
    for call in (lambda e: e.save(tmp_path / "x"), lambda e: e.to_sklearn()):
        with pytest.raises(ValueError, match="not fitted"):
            call(MLPClassifier())


@every_target
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_to_scikit_learn(target, dtype):
    x = X.astype(dtype)
    ours = fit(target, x)
    theirs = ours.to_sklearn()
    assert type(theirs) is getattr(sklearn.neural_network, type(ours).__name__)
    assert {c.dtype for c in theirs.coefs_} == {np.dtype(dtype)}
    np.testing.assert_array_equal(theirs.predict(x), ours.predict(x))
    tolerance = 1e-13 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(numbers(theirs, x), numbers(ours, x), rtol=tolerance, atol=tolerance)
    assert theirs.score(x, TARGETS[target]) == pytest.approx(ours.score(x, TARGETS[target]))
    assert theirs.loss_curve_ == ours.loss_curve_
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(theirs, name) == getattr(ours, name)
    for name, value in theirs.get_params().items():
        assert value == getattr(ours, name)
    again = pickle.loads(pickle.dumps(theirs))
    np.testing.assert_array_equal(again.predict(x), theirs.predict(x))
    clone(theirs)


@every_target
def test_scikit_learns_goes_on_training(target):
    theirs = fit(target).to_sklearn()
    before = theirs.loss_curve_[-1]
    for _ in range(10):
        theirs.partial_fit(X, TARGETS[target])
    assert theirs.loss_curve_[-1] < before


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "gelu"},
        {"activation": ("tanh", "relu")},
        {"activation": ("tanh", LeakyReLU())},
    ],
    ids=str,
)
def test_scikit_learn_has_no_such_activation(options):
    with pytest.raises(ValueError, match="activation"):
        fit(**options).to_sklearn()


def test_scikit_learn_from_a_device(backend, dtype):
    with backend.session(dtype):
        x = backend.asarray(X, dtype)
        ours = fit(x=x)
        expected = backends.to_host(ours.predict_proba(x))
        theirs = ours.to_sklearn()
    assert {type(c) for c in theirs.coefs_} == {np.ndarray}
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    found = theirs.predict_proba(X.astype(dtype))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@every_target
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_to_onnx(target, dtype):
    pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    x = X.astype(dtype)
    ours = fit(target, x, activation=("tanh", LeakyReLU(0.1)), dropout=0.1)
    found = ReferenceEvaluator(ours.to_onnx()).run(None, {"X": x})
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(found[-1], numbers(ours, x), rtol=tolerance, atol=tolerance)
    assert found[-1].shape == numbers(ours, x).shape
    if target not in ("one", "several"):
        np.testing.assert_array_equal(np.asarray(found[0]), ours.predict(x))


def test_without_onnx(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="onnx"):
        fit().to_onnx()
