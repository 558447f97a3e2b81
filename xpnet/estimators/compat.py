"""What scikit-learn keeps to itself or changed since 1.6: the only place that knows."""

from __future__ import annotations

from typing import Any

try:
    from sklearn.utils._array_api import check_same_namespace as _check_same_namespace
except ImportError:  # before scikit-learn 1.9
    _check_same_namespace = None


def check_same_namespace(X: Any, estimator: Any, attribute: str, method: str) -> None:
    """Raise scikit-learn's error where, with its dispatch on, X is not of the library of `fit`."""
    if _check_same_namespace is not None:
        _check_same_namespace(X, estimator, attribute=attribute, method=method)
