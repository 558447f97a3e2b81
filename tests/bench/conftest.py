"""Each small task, and the scripts' rivals where they can be imported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from tasks import small

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(params=["breast-cancer", "mnist", "mnist-adam"])
def task(request):
    return small(request.param)


@pytest.fixture
def rival(monkeypatch):
    """Return a function that imports a module of scripts/rivals, or skips."""
    monkeypatch.syspath_prepend(str(SCRIPTS))

    def load(library):
        pytest.importorskip(library)
        return importlib.import_module(f"rivals.{library}_rivals")

    yield load
    for name in [name for name in sys.modules if name.partition(".")[0] == "rivals"]:
        del sys.modules[name]
