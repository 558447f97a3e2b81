"""The same run as scikit-learn's: loss curves, counters, scores and weights on NumPy."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import sklearn
import sklearn.neural_network
from scipy import sparse
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    make_classification,
    make_multilabel_classification,
    make_regression,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler, scale

import xpnet

VERSION = tuple(int(part) for part in re.findall(r"\d+", sklearn.__version__)[:2])
EPOCHS = 60
BASE = {
    "hidden_layer_sizes": (20,),
    "random_state": 0,
    "batch_size": 32,
    "max_iter": EPOCHS,
    "n_iter_no_change": EPOCHS,
}
SGD = {"solver": "sgd", "learning_rate_init": 0.05}
EARLY = {"early_stopping": True, "learning_rate_init": 0.01}
BRIEF = {"n_iter_no_change": 3, "tol": 1e-2}
"""Impatience, so that rates fall and runs stop within the epochs."""


def _data():
    rng = np.random.RandomState(7)
    x, three = make_classification(150, 8, n_informative=5, n_classes=3, flip_y=0.1, random_state=1)
    cancer, digits = load_breast_cancer(), load_digits()
    targets = make_regression(150, 8, n_targets=3, noise=20.0, random_state=4)
    wide = scale(targets[0])
    deep = StandardScaler().fit_transform(digits.data[:300])
    few = rng.randn(2, 8)
    return {
        "binary": (x, (three > 0).astype(np.int64)),
        "three": (x, three),
        "names": (x, np.array(["setosa", "versicolor", "virginica"])[three]),
        "multilabel": make_multilabel_classification(150, 8, n_classes=4, random_state=3),
        "one class": (x[:30], np.full(30, 7)),
        "single": (wide, scale(targets[1][:, 0])),
        "multi": (wide, scale(targets[1])),
        "column": (wide, scale(targets[1][:, :1])),
        "counts": (0.3 * wide, rng.poisson(np.exp(wide[:, 0] / 3)).astype(np.float64)),
        "many counts": (0.3 * wide, rng.poisson(2.0, (150, 3)).astype(np.float64)),
        "unscaled": (cancer.data, cancer.target),
        "digits": (deep, digits.target[:300]),
        "integers": (digits.data[:150].astype(np.int64), digits.target[:150]),
        "bytes": (digits.data[:150].astype(np.uint8), digits.target[:150]),
        "sparse": (sparse.csr_matrix(digits.data[:150] / 16.0), digits.target[:150]),
        "lists": (wide.tolist(), scale(targets[1][:, 0]).tolist()),
        "two samples": (few, np.array([0, 1])),
    }


DATA = _data()
CLASSIFIED = {
    "binary", "three", "names", "multilabel", "one class", "unscaled", "digits", "integers",
    "bytes", "sparse", "two samples",
}  # fmt: skip
CASES = {
    # How the weights move.
    "sgd without momentum": ("three", SGD | {"momentum": 0.0}),
    "sgd without momentum or nesterov": (
        "three",
        SGD | {"momentum": 0.0, "nesterovs_momentum": False},
    ),
    "sgd with momentum": ("three", SGD | {"nesterovs_momentum": False}),
    "sgd with nesterov": ("three", SGD),
    "sgd with nesterov, little momentum": ("single", SGD | {"momentum": 0.3}),
    "sgd, all momentum": ("binary", SGD | {"momentum": 1.0, "learning_rate_init": 1e-3}),
    "adam": ("three", {}),
    "adam, other decays": ("three", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    "adam without decay": ("binary", {"beta_1": 0.0, "beta_2": 0.0, "learning_rate_init": 1e-3}),
    "adam, its rate is constant": ("three", {"learning_rate": "invscaling", "power_t": 0.3}),
    # How fast.
    "invscaling": ("three", SGD | {"learning_rate": "invscaling"}),
    "invscaling, power 0.2, plain": (
        "binary",
        SGD | {"learning_rate": "invscaling", "power_t": 0.2, "momentum": 0.0},
    ),
    "invscaling of a regressor": (
        "multi",
        SGD | {"learning_rate": "invscaling", "power_t": 0.1, "nesterovs_momentum": False},
    ),
    "adaptive": ("three", SGD | BRIEF | {"learning_rate": "adaptive"}),
    "adaptive without nesterov": (
        "single",
        SGD | BRIEF | {"learning_rate": "adaptive", "nesterovs_momentum": False, "tol": 1e-4},
    ),
    "adaptive to its end": (
        "binary",
        SGD | BRIEF | {"learning_rate": "adaptive", "tol": 0.05, "max_iter": 200},
    ),
    "adaptive, early stopping": (
        "three",
        SGD | EARLY | BRIEF | {"learning_rate": "adaptive", "max_iter": 100},
    ),
    # Activations.
    "identity": ("three", {"activation": "identity", "hidden_layer_sizes": (12, 9)}),
    "logistic": ("three", {"activation": "logistic", "hidden_layer_sizes": (12, 9)}),
    "tanh": ("three", {"activation": "tanh", "hidden_layer_sizes": (12, 9)}),
    "relu": ("three", {"activation": "relu", "hidden_layer_sizes": (12, 9)}),
    "identity of a regressor": ("single", SGD | {"activation": "identity", "momentum": 0.5}),
    "logistic of a regressor": ("single", SGD | {"activation": "logistic"}),
    "tanh of a regressor": ("multi", SGD | {"activation": "tanh", "learning_rate_init": 0.01}),
    # Targets.
    "binary": ("binary", {}),
    "names of classes": ("names", {}),
    "multilabel": ("multilabel", {}),
    "multilabel, sgd": ("multilabel", SGD),
    "one class": ("one class", {}),
    "one output": ("single", {}),
    "three outputs": ("multi", {}),
    "three outputs, sgd": ("multi", SGD | {"learning_rate_init": 0.01}),
    "a column": ("column", {}),
    "counts": ("counts", {"loss": "poisson"}),
    "counts, sgd": ("counts", SGD | {"loss": "poisson", "learning_rate_init": 0.005}),
    "counts of three": ("many counts", {"loss": "poisson"}),
    "counts, early stopping": ("counts", EARLY | {"loss": "poisson"}),
    # Features.
    "unscaled": ("unscaled", {"hidden_layer_sizes": (100,)}),
    "unscaled, relu twice": ("unscaled", {"hidden_layer_sizes": (30, 30), "tol": 0.0}),
    "integers are float64": ("integers", {}),
    "bytes are no pixels": ("bytes", {}),
    "sparse rows": ("sparse", {"activation": "tanh"}),
    "sparse rows, early stopping": ("sparse", EARLY | {"activation": "tanh"}),
    "lists": ("lists", {}),
    # Shapes.
    "deep and chaotic": (
        "digits",
        {"hidden_layer_sizes": (50, 50, 50), "learning_rate_init": 0.01},
    ),
    "deep, chaotic, stops": (
        "digits",
        {
            "hidden_layer_sizes": (50, 50, 50),
            "learning_rate_init": 0.01,
            "max_iter": 300,
            "n_iter_no_change": 10,
        },
    ),
    "no hidden layer": ("three", {"hidden_layer_sizes": ()}),
    "a number of units": ("three", {"hidden_layer_sizes": 15}),
    "sizes in an array": ("three", {"hidden_layer_sizes": np.array([7, 5])}),
    # Penalty.
    "alpha 0": ("three", {"alpha": 0.0}),
    "alpha 0, sgd": ("multi", SGD | {"alpha": 0.0, "learning_rate_init": 0.01}),
    "alpha 1": ("binary", {"alpha": 1.0}),
    "alpha 10, sgd": ("single", SGD | {"alpha": 10.0}),
    # Batches.
    "auto": ("digits", {"batch_size": "auto"}),
    "batches of 1": ("two samples", {"batch_size": 1}),
    "batches of 7": ("three", {"batch_size": 7}),
    "a batch of all": ("three", {"batch_size": 150}),
    "a batch too large": ("three", {"batch_size": 1000}),
    "in order": ("three", {"shuffle": False, "batch_size": 40}),
    "in order, sgd": ("multi", SGD | {"shuffle": False, "learning_rate_init": 0.01}),
    # When to stop.
    "early stopping, binary": ("binary", EARLY),
    "early stopping, three": ("three", EARLY | BRIEF),
    "early stopping, names": ("names", EARLY),
    "early stopping, multilabel": ("multilabel", EARLY),
    "early stopping, one output": ("single", EARLY | BRIEF),
    "early stopping, three outputs": ("multi", EARLY),
    "early stopping, in order": ("three", EARLY | {"shuffle": False}),
    "early stopping, a third": ("three", EARLY | SGD | {"validation_fraction": 1 / 3}),
    "stops, adam": ("binary", BRIEF | {"learning_rate_init": 0.01, "max_iter": 200}),
    "stops, sgd": ("single", SGD | BRIEF | {"max_iter": 200}),
    "stops at once": ("three", {"tol": 1e9, "n_iter_no_change": 5}),
    "never stops": ("three", {"tol": 1e9, "n_iter_no_change": np.inf}),
}
STOPPING = {
    "adaptive to its end", "adaptive, early stopping", "deep, chaotic, stops", "stops, adam",
    "stops, sgd", "stops at once", "early stopping, three", "early stopping, one output",
}  # fmt: skip
WEIGHTS = {
    "weights": ("three", {}),
    "weights, sgd": ("three", SGD),
    "weights, binary": ("binary", {"alpha": 1.0}),
    "weights, multilabel": ("multilabel", {}),
    "weights, one output": ("single", {}),
    "weights, three outputs": ("multi", SGD | {"alpha": 1.0, "learning_rate_init": 0.01}),
    "weights, counts": ("counts", {"loss": "poisson"}),
    "weights, counts of three": ("many counts", {"loss": "poisson"}),
    "weights, early stopping": ("three", EARLY),
    "weights, early stopping, regressor": ("single", EARLY | BRIEF),
    "weights, batches of 7": ("single", {"batch_size": 7}),
}
SINCE = {
    "early stopping, names": (1, 9),  # issue 33760
    "early stopping, multilabel": (1, 6),
    **dict.fromkeys(WEIGHTS, (1, 7)),
    **{name: (1, 7) for name in CASES if name.startswith("counts")},
}


def pair(name, params):
    """An estimator of ours and scikit-learn's."""
    kind = "MLPClassifier" if name in CLASSIFIED else "MLPRegressor"
    params = BASE | params
    return getattr(xpnet, kind)(**params), getattr(sklearn.neural_network, kind)(**params)


def told(call):
    """What was warned of in a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    # Of NumPy's own warnings ours has none.
    ours = [w for w in caught if w.category is not RuntimeWarning]
    return {(w.category, str(w.message).rstrip(".")) for w in ours}


def close(found, expected, rtol=1e-10, atol=0.0):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def check_same(ours, theirs, x, rtol=1e-10):
    assert len(ours.loss_curve_) == len(theirs.loss_curve_)
    close(ours.loss_curve_, theirs.loss_curve_, rtol)
    close(ours.loss_, theirs.loss_, rtol)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("best_loss_", "best_validation_score_", "validation_scores_"):
        expected = getattr(theirs, name)
        if expected is None:
            assert getattr(ours, name) is None, name
        else:
            close(getattr(ours, name), expected, rtol, atol=1e-12)
    assert len(ours.coefs_) == len(ours.intercepts_) == len(theirs.coefs_)
    for own, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert own.dtype == np.float64
        assert own.shape == other.shape
        close(own, other, 1e-6, 1e-8)
    predict = "predict"
    if hasattr(theirs, "classes_"):
        np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        predict = "predict_proba"
    found, expected = getattr(ours, predict)(x), getattr(theirs, predict)(x)
    assert found.dtype == np.float64
    # Of one class scikit-learn's has a second column, for no class.
    one_class = len(getattr(theirs, "classes_", "many")) == 1
    close(found, np.ones_like(found[:, :1]) if one_class else expected, 1e-7, 1e-9)


def run(name, data, params, **fit):
    if SINCE.get(name, (0, 0)) > VERSION:
        pytest.skip(f"scikit-learn {sklearn.__version__} cannot do this itself")
    x, y = DATA[data]
    ours, theirs = pair(data, params)
    assert told(lambda: ours.fit(x, y, **fit)) == told(lambda: theirs.fit(x, y, **fit))
    check_same(ours, theirs, x)
    return theirs


@pytest.mark.parametrize("name", CASES)
def test_fit(name):
    theirs = run(name, *CASES[name])
    assert np.isfinite(theirs.loss_curve_).all()
    if name in STOPPING:
        assert theirs.n_iter_ < theirs.max_iter
    else:
        assert theirs.n_iter_ >= 50


@pytest.mark.parametrize("name", WEIGHTS)
def test_sample_weight(name):
    data, params = WEIGHTS[name]
    weights = np.random.RandomState(3).uniform(0.1, 3.0, len(DATA[data][1]))
    theirs = run(name, data, params, sample_weight=weights)
    unweighted, _ = pair(data, params)
    told(lambda: unweighted.fit(*DATA[data]))
    assert abs(unweighted.loss_ / theirs.loss_ - 1.0) > 1e-4


@pytest.mark.parametrize("options", [{}, EARLY, {"shuffle": False}, {"solver": "sgd"}])
@pytest.mark.parametrize("data", ["three", "single"])
def test_a_generator_is_used_up_alike(data, options):
    """Two fits in a row from one generator: the second one's curve, and its state at the end."""
    x, y = DATA[data]
    generators = []
    fitted = pair(data, options)
    for estimator in fitted:
        generators.append(np.random.RandomState(3))
        estimator.set_params(random_state=generators[-1], max_iter=25)
        told(lambda estimator=estimator: estimator.fit(x, y).fit(x, y))
    check_same(*fitted, x)
    assert same_state(*generators)
    assert not same_state(generators[0], np.random.RandomState(3))


def same_state(a, b):
    """Whether two generators go on alike."""
    return all(map(np.array_equal, a.get_state(), b.get_state()))


def test_no_random_state_is_numpys_global_one():
    x, y = DATA["three"]
    fitted, draws, before = pair("three", {"random_state": None}), [], np.random.get_state()
    try:
        for estimator in fitted:
            np.random.seed(11)
            told(lambda estimator=estimator: estimator.fit(x, y))
            draws.append(np.random.random_sample())
    finally:
        np.random.set_state(before)
    check_same(*fitted, x)
    assert draws[0] == draws[1]


PARTIAL = {
    "adam": ("three", {}),
    "adam, multilabel": ("multilabel", {}),
    "sgd": ("three", SGD),
    "sgd, invscaling": ("three", SGD | {"learning_rate": "invscaling"}),
    "sgd, adaptive": ("three", SGD | BRIEF | {"learning_rate": "adaptive"}),
    "in order": ("single", {"shuffle": False}),
    "three outputs, sgd": ("multi", SGD | {"learning_rate_init": 0.01}),
}


@pytest.mark.parametrize("seed", ["number", "generator"])
@pytest.mark.parametrize("name", PARTIAL)
def test_partial_fit(name, seed):
    """Sixty calls, on halves of the data in turn."""
    data, params = PARTIAL[name]
    x, y = DATA[data]
    fitted = pair(data, params)
    for estimator in fitted:
        if seed == "generator":
            estimator.set_params(random_state=np.random.RandomState(5))
        first = {"classes": np.arange(4 if y.ndim == 2 else 3)} if data in CLASSIFIED else {}
        for call in range(60):
            half = slice(call % 2, None, 2)
            estimator.partial_fit(x[half], y[half], **(first if call == 0 else {}))
    assert len(fitted[0].loss_curve_) == 60
    check_same(*fitted, x)


@pytest.mark.skipif(VERSION < (1, 7), reason="scikit-learn weighs samples since 1.7")
@pytest.mark.parametrize("data", ["three", "single"])
def test_partial_fit_with_weights(data):
    x, y = DATA[data]
    weights = np.random.RandomState(3).uniform(0.1, 3.0, len(y))
    fitted = pair(data, {})
    for estimator in fitted:
        first = {"classes": np.unique(y)} if data in CLASSIFIED else {}
        for call in range(20):
            estimator.partial_fit(x, y, weights, **(first if call == 0 else {}))
    check_same(*fitted, x)


@pytest.mark.parametrize("params", [{}, SGD, SGD | {"learning_rate": "invscaling"}])
def test_partial_fit_goes_on_from_fit(params):
    x, y = DATA["three"]
    fitted = pair("three", params | {"max_iter": 20})
    for estimator in fitted:
        told(lambda estimator=estimator: estimator.fit(x, y))
        for _ in range(20):
            estimator.partial_fit(x, y)
    assert len(fitted[0].loss_curve_) == 40
    check_same(*fitted, x)


@pytest.mark.parametrize("options", [{}, {"shuffle": False}])
@pytest.mark.parametrize("data", ["three", "multi"])
def test_warm_start_where_nothing_is_carried(data, options):
    """Without momentum scikit-learn's new optimizer at each fit is no other than the old one."""
    x, y = DATA[data]
    slow = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.01, "warm_start": True}
    fitted = pair(data, slow | {"max_iter": 20} | options)
    for estimator in fitted:
        for _ in range(3):
            told(lambda estimator=estimator: estimator.fit(x, y))
    assert len(fitted[0].loss_curve_) == 60
    check_same(*fitted, x)


LBFGS = {
    "three": ("three", {}),
    "binary, tanh": ("binary", {"activation": "tanh"}),
    "multilabel": ("multilabel", {"alpha": 1.0}),
    "one output": ("single", {"activation": "logistic"}),
    "unscaled": ("unscaled", {}),
    "few evaluations": ("three", {"max_fun": 8}),
    "until it is done": (
        "three",
        {"alpha": 3.0, "tol": 1e-3, "max_iter": 500, "activation": "tanh"},
    ),
}


@pytest.mark.parametrize("name", LBFGS)
def test_lbfgs(name):
    """SciPy's optimizer of the same function: its path is the same until roundings tell."""
    data, params = LBFGS[name]
    x, y = DATA[data]
    ours, theirs = pair(data, {"solver": "lbfgs", "max_iter": 20} | params)
    mine, others = told(lambda: ours.fit(x, y)), told(lambda: theirs.fit(x, y))
    # Old ones of theirs pass SciPy what it will no longer take.
    assert {kind for kind, _ in mine} == {kind for kind, _ in others} - {DeprecationWarning}
    assert ours.n_iter_ == theirs.n_iter_
    close(ours.loss_, theirs.loss_, 1e-7)
    assert hasattr(ours, "loss_curve_") == hasattr(theirs, "loss_curve_")
    predict = "predict_proba" if data in CLASSIFIED else "predict"
    close(getattr(ours, predict)(x), getattr(theirs, predict)(x), 1e-4, 1e-6)
    for own, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        close(own, other, 1e-3, 1e-5)


def test_lbfgs_of_several_outputs_minimises_what_it_reports():
    """scikit-learn's gradient is that of the outputs' sum, its loss their mean (issue 8349).

    Without a hidden layer the minimum is known: ridge regression.
    """
    x, y = DATA["multi"]
    options = {"solver": "lbfgs", "max_iter": 1000, "hidden_layer_sizes": (), "alpha": 5.0}
    ours = xpnet.MLPRegressor(**BASE | options | {"tol": 1e-9}).fit(x, y)
    centered = x - x.mean(axis=0)
    pull = centered.T @ centered + 3 * 5.0 * np.eye(x.shape[1])
    w = np.linalg.solve(pull, centered.T @ (y - y.mean(axis=0)))
    close(ours.coefs_[0], w, 1e-5, 1e-5)
    l2 = 0.5 * 5.0 * (w**2).sum() / len(x)
    close(ours.loss_, 0.5 * ((ours.predict(x) - y) ** 2).mean() + l2, 1e-6)


@pytest.mark.skipif(VERSION < (1, 7), reason="scikit-learn weighs samples since 1.7")
@pytest.mark.parametrize("data", ["three", "single"])
def test_lbfgs_with_weights(data):
    x, y = DATA[data]
    weights = np.random.RandomState(3).uniform(0.0, 3.0, len(y)).round()
    assert (weights == 0.0).any()
    fitted = pair(data, {"solver": "lbfgs", "max_iter": 15})
    for estimator in fitted:
        with pytest.warns(ConvergenceWarning):
            estimator.fit(x, y, weights)
    close(fitted[0].loss_, fitted[1].loss_, 1e-7)


FLOAT32 = {
    "classifier": ("three", {}),
    "classifier, sgd": ("binary", SGD),
    "classifier, early stopping": ("three", EARLY),
    "multilabel": ("multilabel", {}),
    "regressor": ("single", {"activation": "tanh"}),
    "regressor, sgd": ("multi", SGD | {"learning_rate_init": 0.01}),
    "lbfgs": ("three", {"solver": "lbfgs", "max_iter": 5}),
    "sparse": ("sparse", {"activation": "tanh"}),
}


@pytest.mark.parametrize("name", FLOAT32)
def test_float32_stays(name):
    data, params = FLOAT32[name]
    x, y = DATA[data]
    x = x.astype(np.float32)
    fitted = pair(data, params)
    for estimator in fitted:
        told(lambda estimator=estimator: estimator.fit(x, y))
    ours, theirs = fitted
    if params.get("solver") != "lbfgs":
        close(ours.loss_curve_, theirs.loss_curve_, 1e-3)
        assert ours.n_iter_ == theirs.n_iter_ >= 50
        assert all(isinstance(loss, float) for loss in ours.loss_curve_)
    assert {p.dtype for p in ours.coefs_ + ours.intercepts_} == {np.dtype(np.float32)}
    predict = "predict_proba" if data in CLASSIFIED else "predict"
    found = getattr(ours, predict)(x)
    assert found.dtype == np.float32
    close(found, getattr(theirs, predict)(x), 2e-2, 2e-3)
