"""Wrong parameters are told by their names, before any work is done."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_classification

from xpnet import (
    SGD,
    Adam,
    Callback,
    Exponential,
    MLPClassifier,
    MLPRegressor,
    Penalty,
    SoftmaxCrossEntropy,
)
from xpnet.backends import BackendUnavailableError

X, CLASSES = make_classification(30, 4, n_informative=3, n_redundant=1, n_classes=3, random_state=1)
KINDS = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
kinds = pytest.mark.parametrize("kind", KINDS)


class NoEpoch(Callback):
    """Fails where training begins."""

    def on_epoch_begin(self, fit):
        pytest.fail("an epoch was begun before the mistake was told")


NAN, INF = float("nan"), float("inf")
POSITIVE = [0, 0.0, -1.0, NAN, INF, "0.1", None, [0.1], 1j]
COUNTS = [0, -1, 1.5, "3", None, [3]]
FLAGS = ["yes", None, 2, 1.5, [True]]
FRACTIONS = [-0.1, 1.0, 1.5, NAN, "0.5", None, [0.5]]
WRONG = {
    "hidden_layer_sizes": [0, -3, (3, 0), (3, -1), 1.5, (2.5,), "10", ("a",), None, ((3,), (2,))],
    "activation": ["sigmoidal", "", None, 3, SGD(), ("relu", "nothing"), (None,), Exponential(0.1)],
    "solver": ["adm", "", None, 3, Penalty(), SGD, ["adam"]],
    "alpha": [-1e-9, NAN, INF, "0.1", None, [0.1], 1j],
    "batch_size": ["automatic", *COUNTS],
    "learning_rate": ["constantly", "", None, 0.1, Adam(), Exponential],
    "learning_rate_init": POSITIVE,
    "power_t": [-0.1, NAN, INF, "0.5", None],
    "max_iter": COUNTS,
    "shuffle": FLAGS,
    "random_state": [-1, 1.5, "0", [1, 2]],
    "tol": [-1e-9, NAN, "0.1", None],
    "verbose": ["yes", None, -1],
    "warm_start": FLAGS,
    "momentum": [-0.1, 1.1, NAN, "0.9", None],
    "nesterovs_momentum": FLAGS,
    "early_stopping": FLAGS,
    "validation_fraction": FRACTIONS,
    "beta_1": FRACTIONS,
    "beta_2": FRACTIONS,
    "epsilon": POSITIVE,
    "n_iter_no_change": [0, -1, 1.5, NAN, -INF, "3", None],
    "max_fun": COUNTS,
    "backend": ["nympy", "", 3, np],
    "device": ["no such device", 3],
    "dtype": ["float16", "int32", np.int64, 3, "double"],
    "dropout": [-0.1, 1.0, NAN, "0.5", None, (1.5,), (None,), ("a",)],
    "max_norm": [0, 0.0, -1.0, NAN, INF, "1"],
    "alpha_scaling": ["batches", "", None, 1.0, True],
    "callbacks": [3, "bar", [3], [NoEpoch], NoEpoch],
}
CASES = [(name, value) for name, values in WRONG.items() for value in values]
ids = [f"{name}-{value!r}"[:60] for name, value in CASES]


def options(name, value):
    """What makes a wrong value matter, and a callback that no fit gets to."""
    given = {"hidden_layer_sizes": (3,), "callbacks": [NoEpoch()], "max_iter": 2, name: value}
    if name in ("momentum", "nesterovs_momentum", "power_t"):
        given["solver"] = "sgd"
    if name == "power_t":
        given["learning_rate"] = "invscaling"
    if name == "max_fun":
        given |= {"solver": "lbfgs", "callbacks": None}
    if name == "validation_fraction":
        given["early_stopping"] = True
    return given


def refused(call, *texts):
    """Check the error of a call: of a kind for wrong parameters, with all the texts."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert not isinstance(caught.value, BackendUnavailableError)
    for text in texts:
        assert text in str(caught.value)


@kinds
@pytest.mark.parametrize(("name", "value"), CASES, ids=ids)
def test_fit_tells_wrong_parameters(kind, name, value):
    ours = KINDS[kind](**options(name, value))
    refused(lambda: ours.fit(X, CLASSES), name)
    assert not hasattr(ours, "coefs_")


@kinds
@pytest.mark.parametrize(
    ("name", "value"), [(name, values[0]) for name, values in WRONG.items() if name != "max_fun"]
)
def test_partial_fit_tells_wrong_parameters(kind, name, value):
    given = options(name, value)
    if name == "validation_fraction":
        given["early_stopping"] = False
    classes = {"classes": [0, 1, 2]} if kind == "MLPClassifier" else {}
    refused(lambda: KINDS[kind](**given).partial_fit(X, CLASSES, **classes), name)


@pytest.mark.parametrize(
    "value",
    ["unbalanced", "", 3, 0.5, [1.0, 2.0], {0: -1.0}, {0: "a"}, {0: NAN}, {7: 1.0}],
    ids=repr,
)
def test_class_weight(value):
    ours = MLPClassifier((3,), class_weight=value, callbacks=[NoEpoch()])
    refused(lambda: ours.fit(X, CLASSES), "class_weight")


@pytest.mark.parametrize("value", ["squared", "log_loss", "", None, 3, SGD(), "hubert"])
def test_loss(value):
    ours = MLPRegressor(value, (3,), callbacks=[NoEpoch()])
    refused(lambda: ours.fit(X, CLASSES), "loss")


def test_a_loss_object_must_be_of_regression():
    refused(lambda: MLPRegressor(SoftmaxCrossEntropy()).fit(X, CLASSES), "loss", "classification")


@kinds
@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"solver": "lbfgs", "dropout": 0.5}, ("lbfgs", "dropout")),
        ({"solver": "lbfgs", "dropout": (0.0, 0.5)}, ("lbfgs", "dropout")),
        ({"solver": "lbfgs", "max_norm": 1.0}, ("lbfgs", "max_norm")),
        ({"solver": "lbfgs", "callbacks": [NoEpoch()]}, ("lbfgs", "callbacks")),
        ({"solver": SGD(0.1), "learning_rate": Exponential(0.1)}, ("solver", "learning_rate")),
        ({"solver": SGD(0.1), "learning_rate": "cosine"}, ("solver", "learning_rate")),
        ({"activation": ("relu",)}, ("activation", "1", "2")),
        ({"activation": ("relu", "tanh", "relu")}, ("activation", "3", "2")),
        ({"activation": ()}, ("activation", "0", "2")),
        ({"dropout": (0.1,)}, ("dropout", "1", "2")),
        ({"dropout": [0.1, 0.2, 0.3]}, ("dropout", "3", "2")),
        ({"backend": "numpy", "device": "cuda:7"}, ("device",)),
    ],
    ids=str,
)
def test_conflicts(kind, given, names):
    ours = KINDS[kind](**{"hidden_layer_sizes": (3, 2), "callbacks": [NoEpoch()]} | given)
    if "lbfgs" in given.values() and "callbacks" not in given:
        ours.set_params(callbacks=None)
    refused(lambda: ours.fit(X, CLASSES), *names)


@kinds
@pytest.mark.parametrize(
    ("held_out", "told"),
    [
        (3, "validation_data"),
        (X, "validation_data"),
        ((X,), "validation_data"),
        ((X, CLASSES, CLASSES, CLASSES), "validation_data"),
        ((X[:, :3], CLASSES), "3 features"),
        ((X[:5], CLASSES), "inconsistent"),
        ((X * NAN, CLASSES), "NaN"),
        ((X, CLASSES, -np.ones(30)), "weight"),
        (([], []), ""),
        (("a", "b"), ""),
    ],
    ids=["number", "array", "one", "four", "columns", "rows", "nan", "weights", "nothing", "texts"],
)
def test_validation_data(kind, held_out, told):
    ours = KINDS[kind](hidden_layer_sizes=(3,), callbacks=[NoEpoch()])
    refused(lambda: ours.fit(X, CLASSES, validation_data=held_out), "validation_data", told)


def test_validation_data_of_unknown_classes():
    ours = MLPClassifier((3,), callbacks=[NoEpoch()])
    refused(lambda: ours.fit(X, CLASSES, validation_data=(X, CLASSES + 5)), "validation_data", "5")
    regressor = MLPRegressor(hidden_layer_sizes=(3,), callbacks=[NoEpoch()])
    two = np.stack([CLASSES, CLASSES], axis=1)
    refused(lambda: regressor.fit(X, CLASSES, validation_data=(X, two)), "validation_data")


@kinds
def test_partial_fit_has_no_early_stopping(kind):
    ours = KINDS[kind](hidden_layer_sizes=(3,), early_stopping=True)
    classes = {"classes": [0, 1, 2]} if kind == "MLPClassifier" else {}
    refused(
        lambda: ours.partial_fit(X, CLASSES, **classes),
        "partial_fit does not support early_stopping=True",
    )


@kinds
def test_lbfgs_has_no_partial_fit(kind):
    assert not hasattr(KINDS[kind](solver="lbfgs"), "partial_fit")
    assert hasattr(KINDS[kind](solver="sgd"), "partial_fit")
    assert hasattr(KINDS[kind](solver=SGD(0.1)), "partial_fit")


def test_partial_fit_needs_classes_at_first():
    refused(lambda: MLPClassifier((3,)).partial_fit(X, CLASSES), "classes")
    ours = MLPClassifier((3,)).partial_fit(X, CLASSES, classes=[0, 1, 2])
    refused(lambda: ours.partial_fit(X, CLASSES + 1), "classes")
    refused(lambda: ours.partial_fit(X[:, :2], CLASSES), "2 features", "expecting 4 features")


@kinds
@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (np.ones(5), "sample_weight"),
        (np.ones((30, 2)), "sample_weight"),
        (np.full(30, NAN), "NaN"),
        (["a"] * 30, ""),
    ],
    ids=["rows", "columns", "nan", "texts"],
)
def test_sample_weight(kind, weights, told):
    ours = KINDS[kind](hidden_layer_sizes=(3,), callbacks=[NoEpoch()])
    # scikit-learn's own messages write it with a blank or without, by version.
    with pytest.raises((ValueError, TypeError)) as caught:
        ours.fit(X, CLASSES, weights)
    assert told.lower() in str(caught.value).lower().replace("sample weight", "sample_weight")


@kinds
@pytest.mark.parametrize(
    ("x", "told"),
    [
        (X * NAN, "NaN"),
        (X[:, 0], "2D"),
        (X[:5], "inconsistent numbers of samples"),
        (X * 1j, "omplex"),
        (np.full((30, 4), "a"), ""),
    ],
    ids=["nan", "one axis", "rows", "complex", "texts"],
)
def test_features(kind, x, told):
    refused(
        lambda: KINDS[kind](hidden_layer_sizes=(3,), callbacks=[NoEpoch()]).fit(x, CLASSES), told
    )


def test_targets():
    refused(lambda: MLPClassifier((3,)).fit(X, X[:, 0]), "nknown label type")
    refused(lambda: MLPRegressor("poisson", (3,)).fit(X, X[:, 0]), "0")
    refused(lambda: MLPRegressor(hidden_layer_sizes=(3,)).fit(X, ["a"] * 30))
