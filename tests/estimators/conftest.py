"""What old scikit-learn does to array-api-strict is undone."""

from __future__ import annotations

import importlib.util

import pytest


@pytest.fixture(autouse=True)
def newest_standard(monkeypatch):
    """Keep array-api-strict at the newest standard.

    With dispatch on, scikit-learn 1.6 sets it, for the whole process, to that of 2023, in which
    ``maximum(x, 0.0)`` is an error.
    """
    if importlib.util.find_spec("array_api_strict"):
        monkeypatch.setattr("array_api_strict.set_array_api_strict_flags", lambda **flags: None)
