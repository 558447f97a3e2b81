"""Parameters of the estimators: scikit-learn's with its defaults, and ours behind them."""

from __future__ import annotations

import inspect

import pytest
import sklearn.neural_network
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError

from xpnet import (
    Adam,
    Cosine,
    EarlyStopping,
    Exponential,
    LeakyReLU,
    MLPClassifier,
    MLPRegressor,
    Plateau,
    RMSprop,
)

KINDS = [MLPClassifier, MLPRegressor]
OURS = {
    "backend": None,
    "device": None,
    "dtype": None,
    "dropout": 0.0,
    "max_norm": None,
    "alpha_scaling": "batch",
    "callbacks": None,
}
kinds = pytest.mark.parametrize("kind", KINDS)
X, Y = make_classification(40, 4, random_state=0)


def defaults(kind):
    parameters = inspect.signature(kind).parameters
    return {name: p.default for name, p in parameters.items()}


def order(kind):
    """The parameters that can be given by position."""
    parameters = inspect.signature(kind).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


@kinds
def test_scikit_learns_parameters_and_defaults(kind):
    theirs = getattr(sklearn.neural_network, kind.__name__)
    extras = OURS | ({"class_weight": None} if kind is MLPClassifier else {})
    expected = defaults(theirs) | extras
    if kind is MLPRegressor:
        expected["loss"] = "squared_error"  # of scikit-learn since 1.7
    assert defaults(kind) == expected
    assert kind().get_params() == expected
    first = ["loss"] if kind is MLPRegressor else []
    assert order(kind) == [*first, "hidden_layer_sizes", "activation"]


CHANGED = [
    {"alpha": 0.1, "hidden_layer_sizes": (3, 2)},
    {"activation": ("tanh", LeakyReLU(0.2)), "hidden_layer_sizes": (3, 2)},
    {"solver": RMSprop(0.01), "dropout": (0.1,), "max_norm": 1.0},
    {"solver": Adam(Cosine(0.01, total=5)), "alpha_scaling": "none"},
    {"learning_rate": Plateau(0.01), "backend": "numpy", "dtype": "float32"},
    {"callbacks": [EarlyStopping("losses", patience=2)], "learning_rate": Exponential(0.01)},
]


@pytest.mark.parametrize("options", CHANGED, ids=str)
@kinds
def test_get_set_clone(kind, options):
    ours = kind(**options)
    params = ours.get_params()
    for name, value in options.items():
        assert params[name] is value
        assert getattr(ours, name) is value
    set_later = kind().set_params(**options)
    assert set_later.get_params() == params
    copy = clone(ours)
    assert repr(copy) == repr(ours)
    assert {k: repr(v) for k, v in copy.get_params().items()} == {
        k: repr(v) for k, v in params.items()
    }


@kinds
def test_a_repr_names_what_was_changed(kind):
    assert repr(kind()) == f"{kind.__name__}()"
    text = repr(kind(alpha=0.1, activation=("tanh", LeakyReLU(0.2)), dropout=0.5))
    for part in ("alpha=0.1", "dropout=0.5", "LeakyReLU(negative_slope=0.2)"):
        assert part in text
    assert "max_iter" not in text


@pytest.mark.parametrize("options", CHANGED, ids=str)
@kinds
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fit_leaves_parameters_as_they_are(kind, options):
    ours = kind(**options, max_iter=4, random_state=0)
    before = {name: (id(value), repr(value)) for name, value in ours.get_params().items()}
    assert ours.fit(X, Y) is ours
    curve = ours.loss_curve_
    after = {name: (id(value), repr(value)) for name, value in ours.get_params().items()}
    assert after == before
    assert clone(ours).fit(X, Y).loss_curve_ == curve
    assert ours.fit(X, Y).loss_curve_ == curve


@kinds
def test_what_they_are(kind):
    ours = kind()
    assert (is_classifier(ours), is_regressor(ours)) == (
        kind is MLPClassifier,
        kind is MLPRegressor,
    )
    for method in ("predict", "score"):
        with pytest.raises(NotFittedError):
            getattr(ours, method)(*((X, Y)[: 1 + (method == "score")]))


def test_unknown_parameters():
    with pytest.raises(TypeError, match="momentun"):
        MLPClassifier(momentun=0.9)
    with pytest.raises(ValueError, match="momentun"):
        MLPClassifier().set_params(momentun=0.9)
    with pytest.raises(TypeError, match="class_weight"):
        MLPRegressor(class_weight="balanced")
