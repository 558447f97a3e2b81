"""What comes out is of the kind that came in: library, device, type; labels as the classes."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_classification, make_regression
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from xpnet import MLPClassifier, MLPRegressor, backends

VERSION = tuple(int(part) for part in re.findall(r"\d+", sklearn.__version__)[:2])
# A loss can never fall by 1e9: five epochs, and no warning that there should be more.
FIVE_EPOCHS = {"tol": 1e9, "n_iter_no_change": 3}
OPTIONS = FIVE_EPOCHS | {
    "hidden_layer_sizes": (6,),
    "activation": "tanh",
    "batch_size": 16,
    "learning_rate_init": 0.05,
    "random_state": 0,
}
X, CLASSES = make_classification(64, 4, n_informative=3, n_redundant=1, n_classes=3, random_state=1)
X[np.abs(X) < 0.3] = 0.0
TARGETS = make_regression(64, 4, random_state=2)[1] / 100.0
TOLERANCE = {"float64": 1e-9, "float32": 2e-4}
kinds = pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])


def targets(kind):
    return CLASSES.astype(np.int32) if kind is MLPClassifier else TARGETS


def outputs(estimator, x):
    """Predictions as numbers."""
    return estimator.predict_proba(x) if is_classifier(estimator) else estimator.predict(x)


def close(found, expected, dtype):
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def reference(kind, dtype, **options):
    """An estimator fitted on the host, by NumPy."""
    return kind(**OPTIONS | options).fit(X.astype(dtype), targets(kind))


@pytest.fixture(params=["bare", "dispatched"])
def dispatch(request):
    """scikit-learn's array-API dispatch, off and on."""
    with sklearn.config_context(array_api_dispatch=request.param == "dispatched"):
        yield request.param == "dispatched"


@pytest.fixture
def on_device(backend, dtype):
    """The features on the device, in a session of the type."""
    with backend.session(dtype):
        yield backend.asarray(X, dtype)


def needs_classes(backend, kind=MLPClassifier):
    """Skip where the numbers of classes cannot be computed on the device."""
    if kind is MLPClassifier and backend.device_name == "no_x64":
        pytest.skip("array-api-strict's argmax gives int64, also where its device has none")


def pandas(x):
    frames = pytest.importorskip("pandas")
    return frames.DataFrame(x, columns=list("abcd"))


FORMS = {
    "array": np.asarray,
    "fortran": np.asfortranarray,
    "lists": lambda x: x.tolist(),
    "pandas": pandas,
    "CSR matrix": sparse.csr_matrix,
    "CSC matrix": sparse.csc_matrix,
    "COO matrix": sparse.coo_matrix,
    "CSR array": sparse.csr_array,
    "CSC array": sparse.csc_array,
    "COO array": sparse.coo_array,
}


@pytest.mark.parametrize("form", ["lists", "pandas", "CSR array"])
def test_host_data_on_every_backend_gives_host_data(backend, form):
    place = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    x = FORMS[form](X)
    ours = MLPClassifier(**OPTIONS, **place).fit(x, CLASSES)
    labels, probabilities = ours.predict(x), ours.predict_proba(x)
    assert type(labels) is type(probabilities) is type(ours.predict_log_proba(x)) is np.ndarray
    assert probabilities.dtype == np.float32
    expected = reference(MLPClassifier, "float32").predict_proba(X.astype(np.float32))
    close(probabilities, expected, "float32")
    np.testing.assert_array_equal(labels, np.argmax(probabilities, axis=1))
    assert isinstance(ours.score(x, CLASSES), float)


@pytest.mark.parametrize("form", ["array", "CSC matrix"])
def test_host_data_of_a_regressor(backend, form):
    place = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    x = FORMS[form](X)
    found = MLPRegressor(**OPTIONS, **place).fit(x, TARGETS).predict(x)
    assert type(found) is np.ndarray
    close(found, reference(MLPRegressor, "float32").predict(X.astype(np.float32)), "float32")


@kinds
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_form_of_the_same_features(kind, form, dtype):
    """In fit as in predict, mixed at will; the type of the features is kept."""
    plain, x = X.astype(dtype), FORMS[form](X.astype(dtype))
    expected = reference(kind, dtype)
    own = "float64" if form == "lists" else dtype
    found = kind(**OPTIONS).fit(x, targets(kind))
    assert outputs(found, x).dtype == own
    close(outputs(found, x), outputs(expected, plain), dtype)
    if form != "pandas":  # it has names, which test_names_of_columns looks at
        close(outputs(expected, x), outputs(expected, plain), dtype)
        close(outputs(found, plain), outputs(expected, plain), dtype)


@kinds
def test_names_of_columns(kind):
    frames = pytest.importorskip("pandas")
    x = pandas(X)
    y = frames.Series(targets(kind), name="y")
    estimator = kind(**OPTIONS).fit(x, y)
    assert list(estimator.feature_names_in_) == list("abcd")
    assert estimator.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(x[["b", "a", "c", "d"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        estimator.predict(X)
    assert not hasattr(kind(**OPTIONS).fit(X, targets(kind)), "feature_names_in_")


def mean_probability(estimator, x, y):
    """A score that has no steps."""
    return estimator.predict_proba(x)[np.arange(len(y)), y].mean()


def test_cross_validation_on_every_backend(backend):
    """scikit-learn's tools see NumPy, whatever computes."""
    place = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    expected, found = (
        cross_val_score(MLPClassifier(**OPTIONS, **p), X, CLASSES, cv=2, scoring=mean_probability)
        for p in ({"dtype": "float32"}, place)
    )
    close(found, expected, "float32")


def test_metrics():
    ours = MLPClassifier(**OPTIONS)
    p = cross_val_predict(ours, X, CLASSES, cv=2, method="predict_proba")
    labels = cross_val_predict(ours, X, CLASSES, cv=2)
    np.testing.assert_array_equal(labels, np.argmax(p, axis=1))
    assert accuracy_score(CLASSES, labels) == np.trace(confusion_matrix(CLASSES, labels)) / 64
    assert log_loss(CLASSES, p) == pytest.approx(-np.log(p[np.arange(64), CLASSES]).mean())
    assert roc_auc_score(CLASSES, p, multi_class="ovr") > 0.5


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_grid_search_in_other_processes(name):
    status = backends.available()[name]
    if not status.usable:
        pytest.skip(status.reason)
    grid = {"alpha": [1e-4, 1000.0], "hidden_layer_sizes": [(6,)]}
    search = GridSearchCV(MLPClassifier(**OPTIONS, backend=name), grid, cv=2, n_jobs=2)
    search.fit(X, CLASSES)
    assert search.best_params_["alpha"] == 1e-4
    expected = [
        np.mean(cross_val_score(MLPClassifier(**OPTIONS, alpha=a), X, CLASSES, cv=2))
        for a in grid["alpha"]
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-12)
    assert type(search.predict(X)) is np.ndarray


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_device_data_gives_device_data(backend, dtype, on_device, dispatch, lies_on, name):
    kind = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name]
    needs_classes(backend, kind)
    expected = reference(kind, dtype)
    host_y = targets(kind).astype("int32" if kind is MLPClassifier else dtype)
    y = backend.asarray(host_y)
    estimator = kind(**OPTIONS).fit(on_device, y)
    found = lies_on(backend, outputs(estimator, on_device), dtype)
    close(found, outputs(expected, X.astype(dtype)), dtype)
    close(estimator.loss_curve_, expected.loss_curve_, dtype)
    predictions = lies_on(backend, estimator.predict(on_device), host_y.dtype)
    if kind is MLPClassifier:
        np.testing.assert_array_equal(predictions, np.argmax(found, axis=1))
        logs = lies_on(backend, estimator.predict_log_proba(on_device), dtype)
        close(logs, np.log(found), dtype)
        assert type(estimator.classes_) is np.ndarray
    for curve in (estimator.loss_curve_, [estimator.loss_, estimator.best_loss_]):
        assert all(isinstance(entry, float) for entry in curve)
    for p, other in zip(estimator.coefs_, expected.coefs_, strict=True):
        close(lies_on(backend, p, dtype), other, dtype)
    metric = accuracy_score if kind is MLPClassifier else r2_score
    for weights in (None, np.linspace(0.5, 1.5, 64).astype(dtype)):
        there = None if weights is None else backend.asarray(weights)
        score = estimator.score(on_device, y, there)
        assert isinstance(score, float)
        close(score, metric(host_y, predictions, sample_weight=weights), dtype)


@pytest.fixture
def on_device32(backend):
    """The features on the device in float32, with dispatch on."""
    with backend.session("float32"), sklearn.config_context(array_api_dispatch=True):
        yield backend.asarray(X, "float32")


def test_weights_on_devices(backend, on_device32):
    weights = np.linspace(0.5, 1.5, 64).astype(np.float32)
    x, y = X.astype(np.float32), CLASSES.astype(np.int32)
    expected = MLPClassifier(**OPTIONS).fit(x, y, weights)
    found = MLPClassifier(**OPTIONS).fit(on_device32, backend.asarray(y), backend.asarray(weights))
    close(found.loss_curve_, expected.loss_curve_, "float32")
    assert found.loss_ != reference(MLPClassifier, "float32").loss_


def test_several_outputs_on_devices(backend, on_device32, lies_on):
    several = np.stack([TARGETS, TARGETS**2], axis=1).astype(np.float32)
    found = MLPRegressor(**OPTIONS).fit(on_device32, backend.asarray(several))
    assert lies_on(backend, found.predict(on_device32), "float32").shape == (64, 2)


def test_several_labels_on_devices(backend, on_device32, lies_on):
    yes = np.stack([TARGETS > 0.5, TARGETS > 0.0], axis=1).astype(np.int32)
    y = backend.asarray(yes)
    estimator = MLPClassifier(**OPTIONS).fit(on_device32, y)
    p = lies_on(backend, estimator.predict_proba(on_device32), "float32")
    labels = estimator.predict(on_device32)
    assert backends.owner(labels) == backends.owner(on_device32)
    np.testing.assert_array_equal(backends.to_host(labels), p > 0.5)
    assert estimator.score(on_device32, y) == np.mean(((p > 0.5) == yes).all(axis=1))


def test_early_stopping_on_devices(backend, on_device32):
    options = {"early_stopping": True, "validation_fraction": 0.25}
    expected = reference(MLPClassifier, "float32", **options)
    y = backend.asarray(CLASSES.astype(np.int32))
    found = MLPClassifier(**OPTIONS | options).fit(on_device32, y)
    np.testing.assert_allclose(found.validation_scores_, expected.validation_scores_, atol=1e-6)
    close(found.loss_curve_, expected.loss_curve_, "float32")


def test_partial_fit_on_devices(backend, on_device32, lies_on):
    expected, found = MLPClassifier(**OPTIONS), MLPClassifier(**OPTIONS)
    x, y = X.astype(np.float32), CLASSES.astype(np.int32)
    for _ in range(2):
        expected.partial_fit(x, y, classes=[0, 1, 2])
        found.partial_fit(on_device32, backend.asarray(y), classes=[0, 1, 2])
    close(found.loss_curve_, expected.loss_curve_, "float32")
    p = lies_on(backend, found.predict_proba(on_device32), "float32")
    close(p, expected.predict_proba(x), "float32")


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_behind_a_scaler(backend, dtype, on_device, lies_on, name):
    """A pipeline with dispatch on: nothing leaves the device."""
    kind = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name]
    needs_classes(backend, kind)
    scaler = StandardScaler() if VERSION >= (1, 8) else MinMaxScaler()
    y_dtype = "int32" if kind is MLPClassifier else dtype
    host_y = targets(kind).astype(y_dtype)
    y = backend.asarray(host_y)
    with sklearn.config_context(array_api_dispatch=True):
        try:
            lies_on(backend, clone(scaler).fit_transform(on_device), dtype)
        except Exception as error:
            pytest.skip(f"scikit-learn's scaler alone fails here: {error}")
        pipe = make_pipeline(scaler, kind(**OPTIONS)).fit(on_device, y)
        found = lies_on(backend, pipe.predict(on_device), y_dtype)
        score = pipe.score(on_device, y)
    assert isinstance(score, float)
    expected = make_pipeline(clone(scaler), kind(**OPTIONS)).fit(X.astype(dtype), host_y)
    np.testing.assert_allclose(found, expected.predict(X.astype(dtype)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind_of_integer", ["int32", "uint8"])
def test_integers_on_devices_are_numbers(backend, on_device32, lies_on, kind_of_integer):
    """As on the host: 8-bit ones are no pixels."""
    x = np.abs(10 * X).astype(kind_of_integer)
    options = OPTIONS | {"dtype": "float32", "learning_rate_init": 0.001}
    expected = MLPClassifier(**options).fit(x, CLASSES)
    there = backend.asarray(x)
    found = MLPClassifier(**options).fit(there, CLASSES)
    close(found.loss_curve_, expected.loss_curve_, "float32")
    p = lies_on(backend, found.predict_proba(there), "float32")
    close(p, expected.predict_proba(x), "float32")


LABELS = {
    "spaced": np.array([3, 11, -7], dtype=np.int32),
    "floats": np.array([0.0, 1.0, 2.0], dtype=np.float32),
    "truths": np.array([False, True, True]),
}


@pytest.mark.parametrize("labels", LABELS)
def test_numeric_labels_are_given_on_the_device(backend, on_device32, lies_on, labels):
    needs_classes(backend)
    host_y = LABELS[labels][CLASSES]
    estimator = MLPClassifier(**OPTIONS).fit(on_device32, backend.asarray(host_y))
    assert type(estimator.classes_) is np.ndarray
    np.testing.assert_array_equal(estimator.classes_, np.unique(host_y))
    found = lies_on(backend, estimator.predict(on_device32), host_y.dtype)
    p = backends.to_host(estimator.predict_proba(on_device32))
    np.testing.assert_array_equal(found, estimator.classes_[np.argmax(p, axis=1)])


NAMES = np.array(["setosa", "versicolor", "virginica"])


@pytest.mark.parametrize("form", ["strings", "objects", "list"])
def test_names_of_classes_are_given_on_the_host(backend, on_device32, lies_on, form):
    names = NAMES[CLASSES]
    y = {"strings": names, "objects": names.astype(object), "list": names.tolist()}[form]
    with sklearn.config_context(array_api_dispatch=form != "list"):
        estimator = MLPClassifier(**OPTIONS).fit(on_device32, y)
        assert type(estimator.classes_) is np.ndarray
        assert estimator.classes_.tolist() == NAMES.tolist()
        found = estimator.predict(on_device32)
        assert type(found) is np.ndarray
        p = lies_on(backend, estimator.predict_proba(on_device32), "float32")
        assert found.tolist() == NAMES[np.argmax(p, axis=1)].tolist()
        score = estimator.score(on_device32, y)
        assert isinstance(score, float)
        assert score == np.mean(found == names)


def test_names_of_classes_with_host_features(backend):
    names = NAMES[CLASSES]
    place = {"backend": backend.name, "device": backend.device_name, "dtype": "float32"}
    estimator = MLPClassifier(**OPTIONS, **place).fit(X, names)
    found = estimator.predict(X)
    assert type(found) is np.ndarray
    assert found.tolist() == NAMES[np.argmax(estimator.predict_proba(X), axis=1)].tolist()
    assert estimator.score(X, names) == np.mean(found == names)


@kinds
def test_host_targets_suit_device_features(kind, backend, on_device32, lies_on):
    needs_classes(backend, kind)
    estimator = kind(**OPTIONS).fit(on_device32, targets(kind))
    lies_on(backend, outputs(estimator, on_device32), "float32")
    assert isinstance(estimator.score(on_device32, targets(kind)), float)


def test_fitted_on_a_device_it_predicts_host_data(backend, dtype, on_device, lies_on):
    """With dispatch off host data is welcome on every backend, and gives host data."""
    y = backend.asarray(CLASSES.astype(np.int32))
    estimator = MLPClassifier(**OPTIONS).fit(on_device, y)
    there = lies_on(backend, estimator.predict_proba(on_device), dtype)
    here = estimator.predict_proba(X.astype(dtype))
    assert type(here) is type(estimator.predict(X.astype(dtype))) is np.ndarray
    close(here, there, dtype)


def array(name):
    status = backends.available()[name]
    if not status.usable:
        pytest.skip(status.reason)
    return backends.get(name).asarray(X, "float32")


PAIRS = [("torch", "jax"), ("array_api_strict", "torch"), ("jax", "array_api_strict")]


@pytest.mark.parametrize(("wanted", "came"), [*PAIRS, ("numpy", "array_api_strict")])
def test_another_librarys_arrays_than_the_backends(wanted, came, dispatch):
    if not backends.available()[wanted].usable:
        pytest.skip(backends.available()[wanted].reason)
    with pytest.raises(ValueError, match="must use the same namespace"):
        MLPClassifier(**OPTIONS, backend=wanted).fit(array(came), CLASSES)


@pytest.mark.parametrize(("fitted", "came"), PAIRS)
def test_another_librarys_arrays_than_in_fit(fitted, came, lies_on):
    """What comes out is of the library that came in; with dispatch on scikit-learn forbids it."""
    x, other = array(fitted), array(came)
    estimator = MLPClassifier(**OPTIONS).fit(x, CLASSES)
    expected = backends.to_host(estimator.predict_proba(x))
    p = lies_on(backends.get(came), estimator.predict_proba(other), "float32")
    close(p, expected, "float32")
    if VERSION >= (1, 9):
        for method in ("predict", "predict_proba", "predict_log_proba", "score"):
            given = (other, CLASSES) if method == "score" else (other,)
            with (
                sklearn.config_context(array_api_dispatch=True),
                pytest.raises(ValueError, match="must use the same namespace"),
            ):
                getattr(estimator, method)(*given)


@pytest.mark.skipif(VERSION < (1, 9), reason="scikit-learn asks for it since 1.9")
@kinds
def test_dispatched_it_predicts_only_what_it_was_fitted_on(kind):
    x, told = (
        array("array_api_strict"),
        rf"{kind.__name__}\.predict\(\) must use the same namespace",
    )
    with sklearn.config_context(array_api_dispatch=True):
        estimator = kind(**OPTIONS).fit(x, targets(kind))
        with pytest.raises(ValueError, match=told):
            estimator.predict(X)
