"""Estimators in files: the parameters of the constructor and what was learned, without pickle."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from .. import backends, checkpoints, validation
from ..callbacks import Callback, Checkpoint
from ..checkpoints.components import construct_component, describe_component
from ..layers import Layer
from ..losses import Loss
from ..optimizers import Optimizer, Schedule
from . import parameters
from .attributes import SAVED

_KINDS: dict[str, type] = {
    "layer": Layer,
    "loss": Loss,
    "optimizer": Optimizer,
    "schedule": Schedule,
}
"""What parameters may be objects."""


def kind(cls: type) -> str:
    """Return which of the two estimators a class is, or is derived from."""
    return "MLPClassifier" if issubclass(cls, ClassifierMixin) else "MLPRegressor"


def describe(estimator: Any, *, foreign: bool = False) -> dict[str, Any]:
    """Return what a file says of an estimator beside its network, as metadata.

    Callbacks and generators (a RandomState as `random_state`) are not in it.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    foreign : bool, default False
        Whether objects of classes that are not xpnet's are described by name, not an error.
    """
    values = estimator.get_params(deep=False)
    left_out = {"callbacks": None}
    if isinstance(estimator.random_state, np.random.RandomState):
        left_out["random_state"] = None
    fitted = {name: getattr(estimator, name) for name in SAVED if hasattr(estimator, name)}
    return {
        "type": kind(type(estimator)),
        "params": {
            name: _pack(name, value, foreign) for name, value in (values | left_out).items()
        },
        "fitted": {name: _pack(name, value, foreign) for name, value in fitted.items()},
    }


def _pack(name: str, value: Any, foreign: bool) -> Any:
    """Return the value with objects and arrays of text as dicts."""
    for kind, base in _KINDS.items():
        if isinstance(value, base):
            return {f"<{kind}>": describe_component(kind, name, value, foreign=foreign)}
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biuf":
        return {"<text>": value.tolist(), "dtype": value.dtype.str}
    if isinstance(value, tuple | list):
        return type(value)(_pack(f"{name}[{i}]", v, foreign) for i, v in enumerate(value))
    if isinstance(value, dict):
        return {"<pairs>": [[key, entry] for key, entry in value.items()]}
    if name == "dtype" and value is not None:
        return np.dtype(value).name if not isinstance(value, str) else value
    if name == "device" and value is not None:
        return str(value)
    return value


def _unpack(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(map(_unpack, value))
    if isinstance(value, dict):
        if "<pairs>" in value:
            return dict(value["<pairs>"])
        if "<text>" in value:
            return np.array(value["<text>"], dtype=value["dtype"])
        for kind in _KINDS:
            if f"<{kind}>" in value:
                return construct_component(kind, value[f"<{kind}>"])
    return value


def save(estimator: Any, path: str | os.PathLike[str], *, optimizer_state: bool) -> Path:
    """Write a fitted estimator to a file."""
    params, training = estimator._params(), None
    validation.check_flag("optimizer_state", optimizer_state)
    state, _ = estimator._memory
    if optimizer_state and state is not None:
        checked = parameters.check(estimator)
        training = checkpoints.Training(
            replace(state, params=params),
            estimator.history_,
            checked.optimizer,
            checked.penalty,
            estimator.max_norm,
        )
    return checkpoints.save(
        path,
        estimator._network,
        params,
        estimator._fitted_loss,
        {"estimator": describe(estimator)},
        training=training,
    )


def load(cls: Any, path: str | os.PathLike[str], backend: str | None, device: Any) -> Any:
    """Return the fitted estimator of a file, or of a checkpoint that its fit wrote."""
    saved = checkpoints.load(path)
    described = saved.metadata.get("estimator")
    if described is None:
        raise ValueError(f"{path} holds a net, but no estimator: xpnet.Trainer.load reads it.")
    name = described.get("type") if isinstance(described, dict) else None
    if name not in ("MLPClassifier", "MLPRegressor"):
        raise ValueError(f"{path} cannot be loaded: its estimator has no type.")
    if name != kind(cls):
        raise ValueError(f"{path} holds an {name}: xpnet.{name}.load reads it.")
    if backend is not None:
        backends.check_name(backend)
    try:
        return _build(cls(), saved, described, {"backend": backend, "device": device})
    except Exception as error:  # what a stranger wrote may fail in nearly any way
        raise ValueError(f"{path} cannot be loaded: {error!r}.") from error


def _build(
    estimator: Any, saved: checkpoints.Saved, described: dict[str, Any], place: dict[str, Any]
) -> Any:
    """Return the estimator, new and of a class that may take other parameters, as it was saved."""
    values = {name: _unpack(value) for name, value in described["params"].items()} | place
    vars(estimator).update(values)
    for name, value in described["fitted"].items():
        setattr(estimator, name, _unpack(value))
    params, training = saved.params, saved.training
    if training is not None:
        estimator._remember(training.state, training.optimizer)
        estimator.history_ = training.history
    if training is not None and "fit" in saved.metadata:
        # A run's checkpoint: what the fit would have left behind, had it ended there.
        params = training.kept_params
        estimator._adopt(training.history, training.callbacks[0])  # Convergence's state
    estimator._set_network(saved.network, saved.loss)
    estimator._set_params(params, params)
    return estimator


def begin(
    estimator: Any, rng: np.random.RandomState, callbacks: list[Callback], *, resume: bool
) -> tuple[np.random.RandomState, dict[str, Any] | None]:
    """Return the generator, and what checkpoints shall say of the estimator; None without any.

    Where one will go on with a run, the generator stands where that run began.
    """
    savers = [callback for callback in callbacks if isinstance(callback, Checkpoint)]
    if not savers:
        return rng, None
    for saver in savers if resume else ():
        if saver.resume and saver.path.exists():
            began = checkpoints.load(saver.path).metadata.get("generator")
            if began is not None:
                # Of None the global one is left where it is.
                rng = np.random.RandomState() if estimator.random_state is None else rng
                rng.set_state(began)
    metadata: dict[str, Any] = {"estimator": describe(estimator, foreign=True)}
    if hasattr(estimator, "classes_"):
        metadata["labels"] = str(estimator.classes_.tolist())
    return rng, metadata | {"generator": rng.get_state(legacy=False)}
