"""What pictures are drawn of: the curves of runs and of estimators; classifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..history import History


def read_curves(name: str, source: Any) -> tuple[History, int | None]:
    """Return the curves of a History or a fitted estimator, and the epoch that it kept.

    Parameters
    ----------
    name : str
        What messages call it.
    source : History or estimator
        Of an estimator `loss_curve_` is read, `validation_scores_`, `validation_loss_curve_`, and
        `history_` where it covers all epochs.

    Returns
    -------
    history : History
    best : int or None
        Of early stopping: the epoch whose parameters are kept, from 1.
    """
    if isinstance(source, History):
        return source, None
    losses = getattr(source, "loss_curve_", None)
    if not losses:
        raise _no_curve(name, source)
    scores = getattr(source, "validation_scores_", None) or []
    last = getattr(source, "history_", None)
    if last is not None and last.n_epochs == len(losses):
        history = last
    else:  # several fits, or scikit-learn's
        val_losses = getattr(source, "validation_loss_curve_", None) or []
        history = History(losses=losses, val_losses=val_losses, val_scores=scores)
    for callback in getattr(source, "callbacks_", ()):
        if getattr(callback, "restore_best", False) and callback.best_epoch_:
            earlier = 0 if last is None else len(losses) - last.n_epochs
            return history, earlier + callback.best_epoch_
    if not scores or len(history.val_scores) == 0:
        return history, None
    return history, 1 + int(np.nanargmax(history.val_scores))


def _no_curve(name: str, source: Any) -> Exception:
    if isinstance(source, type) or not hasattr(source, "fit"):
        return TypeError(
            f"{name}={source!r} must be a History, or a fitted estimator with a loss curve."
        )
    check_fitted(name, source)
    kind = type(source).__name__
    if getattr(source, "solver", None) == "lbfgs":
        hint = "solver='lbfgs' records none; the stochastic solvers, such as 'adam' or 'sgd', do."
    elif hasattr(source, "history_"):
        hint = "Pass its history_."
    elif hasattr(source, "best_estimator_"):
        hint = "Pass its best_estimator_."
    elif hasattr(source, "steps"):
        hint = "Pass its last step, pipeline[-1]."
    else:
        hint = "MLPClassifier and MLPRegressor have one; of a Trainer pass what its fit returns."
    return ValueError(f"{name} is a {kind} without a loss curve. {hint}")


def check_fitted(name: str, estimator: Any) -> None:
    """Raise scikit-learn's NotFittedError, naming the argument, unless it is fitted."""
    from sklearn.utils.validation import check_is_fitted

    if hasattr(estimator, "__sklearn_tags__"):
        check_is_fitted(estimator, msg=f"{name}: this %(name)s is not fitted; call its fit first.")


def check_classifier(name: str, model: Any) -> Callable[[Any], Any] | None:
    """Return None where `model` is a fitted classifier, itself where it is a function."""
    from sklearn.base import is_classifier

    if isinstance(model, type) or not (callable(model) or hasattr(model, "predict")):
        raise TypeError(
            f"{name}={model!r} must be a fitted classifier, or a function that maps points to "
            "classes or to probabilities."
        )
    if not hasattr(model, "predict"):
        return model
    if not (hasattr(model, "__sklearn_tags__") and is_classifier(model)):
        raise TypeError(
            f"{name} is a {type(model).__name__}, which is no classifier of scikit-learn's kind. "
            "Pass a fitted classifier, or a function that maps points to classes or to "
            "probabilities, such as its predict if it does that."
        )
    check_fitted(name, model)
    return None
