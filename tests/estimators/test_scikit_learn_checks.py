"""scikit-learn's checks of estimators, those of the array API among them."""

from __future__ import annotations

import importlib.util
import inspect

import pytest
from sklearn.base import is_classifier
from sklearn.utils import estimator_checks
from sklearn.utils._array_api import yield_namespace_device_dtype_combinations
from sklearn.utils.estimator_checks import (
    check_array_api_input_and_values,
    parametrize_with_checks,
)

from xpnet import MLPClassifier, MLPRegressor, backends

HOST_CLASSES = 'key != "classes_"' in inspect.getsource(estimator_checks)
"""Whether scikit-learn's checks allow classes_ on the host where all else is on a device."""

# The checks fit for a few epochs, and let warnings pass where they do not look for them.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger:UserWarning"),
]

TORCH = {"backend": "torch"} if importlib.util.find_spec("torch") else {}
SHARED = [
    {"max_iter": 100},
    {"max_iter": 100, "solver": "lbfgs"},
    {
        "max_iter": 50,
        "early_stopping": True,
        "validation_fraction": 0.3,
        "learning_rate_init": 0.02,
    },
    {
        "max_iter": 100,
        "hidden_layer_sizes": (30, 20),
        "activation": ("leaky_relu", "tanh"),
        "dropout": (0.1, 0.0),
        "learning_rate_init": 0.01,
    },
    {
        "max_iter": 50,
        "solver": "adamw",
        "learning_rate": "cosine",
        "learning_rate_init": 0.02,
        "max_norm": 5.0,
        "alpha_scaling": "none",
    },
]
SGD = {"max_iter": 100, "solver": "sgd", "batch_size": 50, **TORCH}
ESTIMATORS = [
    *(MLPClassifier(**options) for options in SHARED),
    MLPClassifier(**SGD, learning_rate_init=0.05),
    *(MLPRegressor(**options) for options in SHARED),
    MLPRegressor(**SGD, learning_rate_init=0.001),
    MLPRegressor(max_iter=100, loss="huber"),
]
WEIGHTS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


def expected_failures(estimator):
    """What cannot hold, with the reason."""
    failures = {}
    if estimator.early_stopping:
        failures |= dict.fromkeys(
            WEIGHTS, "a row of weight 2 is on one side of the split, two rows may be on both"
        )
        failures |= dict.fromkeys(
            (
                "check_fit_score_takes_y",
                "check_n_features_in_after_fitting",
                "check_estimators_partial_fit_n_features",
            ),
            "partial_fit does not support early_stopping, in scikit-learn neither",
        )
    if estimator.dropout:
        failures |= dict.fromkeys(
            WEIGHTS, "what falls out depends on the row's place, and rows are fewer"
        )
    return failures


def skip_without_device(namespace):
    """Skip where scikit-learn's helper would raise instead: CuPy installed, but no device."""
    if namespace == "cupy" and importlib.util.find_spec("cupy"):
        status = backends.available()["cupy"]
        if not status.usable:
            pytest.skip(status.reason)


def namespaces(check):
    """Whose arrays a check uses: the names in its keywords."""
    keywords = {}
    while hasattr(check, "func"):
        keywords = check.keywords | keywords
        check = check.func
    pairs = (keywords.get(name) for name in ("X_ns_and_device", "other_ns_and_device"))
    return [keywords.get("array_namespace"), *(pair.xp for pair in pairs if pair)]


def skip_before_classes_stayed_on_the_host(estimator, namespace):
    if is_classifier(estimator) and not HOST_CLASSES and namespace not in (None, "numpy"):
        pytest.skip("older scikit-learn's check wants classes_ on the device too")


def checks():
    """Arguments of pytest.mark.parametrize; those of devices only where all else is as it is."""
    # Older scikit-learn hands pytest a generator, which it will no longer take.
    mark = parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures).mark
    plain = {repr(kind(**SHARED[0])) for kind in (MLPClassifier, MLPRegressor)}
    cases = []
    for case in mark.args[1]:
        estimator, check = getattr(case, "values", case)
        if not any(namespaces(check)) or repr(estimator) in plain:
            cases.append(case)
    return {"argnames": mark.args[0], "argvalues": cases, **mark.kwargs}


@pytest.mark.parametrize(**checks())
def test_checks(estimator, check):
    for namespace in namespaces(check):
        skip_without_device(namespace)
        skip_before_classes_stayed_on_the_host(estimator, namespace)
    check(estimator)


VALUES = {
    "default": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01},
    "lbfgs": {"solver": "lbfgs", "max_iter": 5},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.3},
    "dropout": {"dropout": 0.2, "activation": "gelu"},
}
COMBINATIONS = list(yield_namespace_device_dtype_combinations())


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("options", VALUES)
@pytest.mark.parametrize(("namespace", "device", "dtype"), COMBINATIONS)
def test_values_on_devices(kind, options, namespace, device, dtype):
    """What is fitted and predicted on a device equals what NumPy gives."""
    skip_without_device(namespace)
    estimator = kind(**{"max_iter": 20, "random_state": 0} | VALUES[options])
    skip_before_classes_stayed_on_the_host(estimator, namespace)
    names = list(inspect.signature(check_array_api_input_and_values).parameters)
    assert names[2] == "array_namespace"  # then the device, of either of two names
    check_array_api_input_and_values(
        kind.__name__, estimator, namespace, **{names[3]: device}, dtype_name=dtype or "float64"
    )
