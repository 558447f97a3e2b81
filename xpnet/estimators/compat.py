"""What scikit-learn keeps to itself or changed since 1.6: the only place that knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

try:
    from sklearn.utils._array_api import check_same_namespace as _check_same_namespace
except ImportError:  # before scikit-learn 1.9
    _check_same_namespace = None

try:
    from sklearn.callback import _callback_support as _callbacks
except ImportError:  # before scikit-learn 1.9
    _callbacks = None


def check_same_namespace(X: Any, estimator: Any, attribute: str, method: str) -> None:
    """Raise scikit-learn's error where, with its dispatch on, X is not of the library of `fit`."""
    if _check_same_namespace is not None:
        _check_same_namespace(X, estimator, attribute=attribute, method=method)


def is_passthrough(scorer: Any) -> bool:
    """Return whether a scorer is the estimator's own `score`."""
    return type(scorer).__name__ == "_PassthroughScorer"


def is_plain(scorer: Any, metric: Any) -> bool:
    """Return whether a scorer is that metric of the predictions, with no options."""
    return (
        getattr(scorer, "_score_func", None) is metric
        and getattr(scorer, "_response_method", None) == "predict"
        and not getattr(scorer, "_kwargs", True)
        and getattr(scorer, "_sign", 0) == 1
    )


@contextlib.contextmanager
def searching(search: Any, X: Any, y: Any) -> Iterator[Any]:
    """The context of a search for scikit-learn's callbacks (since 1.9), or None."""
    if _callbacks is None:
        yield None
        return
    with _callbacks.callback_management_context(search):
        context = search._init_callback_context(max_subtasks=1 + (search.refit is not False))
        task = {"estimator": search, "X": X, "y": y, "metadata": None}
        yield context.call_on_fit_task_begin(**task)
        context.call_on_fit_task_end(**task)
