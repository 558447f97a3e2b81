"""A fitted estimator as scikit-learn's own."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import sklearn.neural_network
from sklearn.preprocessing import LabelBinarizer

from .. import backends
from ..layers import Identity, Layer, ReLU, Sigmoid, Tanh
from . import files
from .attributes import OF_DATA, SCIKIT_LEARNS

_ACTIVATIONS: dict[type[Layer], str] = {
    Identity: "identity",
    Sigmoid: "logistic",
    Tanh: "tanh",
    ReLU: "relu",
}


def to_sklearn(estimator: Any) -> Any:
    """Return scikit-learn's estimator of the same name, with the same weights.

    Raises
    ------
    ValueError
        scikit-learn has no such activation, one for each layer, or no such loss.
    """
    make = getattr(sklearn.neural_network, files.kind(type(estimator)))
    theirs = make()
    known = theirs.get_params()
    values = {name: getattr(estimator, name) for name in known if hasattr(estimator, name)}
    values["activation"] = _activation(estimator)
    # Objects and names that scikit-learn lacks say how to train, not what was learned.
    theirs_of = {
        "solver": ("lbfgs", "sgd", "adam"),
        "learning_rate": ("constant", "invscaling", "adaptive"),
    }
    for name, names in theirs_of.items():
        value = values.pop(name)
        if isinstance(value, str) and value.lower() in names:
            values[name] = value.lower()
    values.pop("loss", None)
    if estimator.out_activation_ == "exp":
        if "loss" not in known:
            raise ValueError(f"loss={estimator.loss!r} needs scikit-learn 1.7 or newer.")
        values["loss"] = "poisson"
    theirs.set_params(**values)
    for name in (*OF_DATA, *SCIKIT_LEARNS, "n_layers_", "n_outputs_", "out_activation_"):
        if hasattr(estimator, name):
            setattr(theirs, name, copy.copy(getattr(estimator, name)))
    for name in ("coefs_", "intercepts_"):
        arrays = [backends.to_host(array) for array in getattr(estimator, name)]
        setattr(theirs, name, [np.array(array) for array in arrays])
    theirs._no_improvement_count = 0
    theirs._best_coefs = [coef.copy() for coef in theirs.coefs_]
    theirs._best_intercepts = [intercept.copy() for intercept in theirs.intercepts_]
    if hasattr(estimator, "classes_"):
        labels = np.eye(estimator.n_outputs_, dtype=int)
        theirs._label_binarizer = LabelBinarizer().fit(
            labels if estimator._multilabel else estimator.classes_
        )
    return theirs


def _activation(estimator: Any) -> str:
    """Return the name of the one activation of all hidden layers."""
    used = {layer for layer in estimator._network.layers if not layer.parameters}
    names = {_ACTIVATIONS.get(type(layer)) for layer in used if not layer.noisy}
    if len(names) > 1 or None in names:
        raise ValueError(
            f"activation={estimator.activation!r}: scikit-learn has one for all hidden layers, of "
            f"{', '.join(_ACTIVATIONS.values())}."
        )
    return names.pop() or "relu" if names else "relu"
