"""Docstrings: every example runs, and every public class and function has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import xpnet

MODULES = sorted(m.name for m in pkgutil.walk_packages(xpnet.__path__, "xpnet."))
NEEDS = {"xpnet.onnx": "onnx", "xpnet.plots": "matplotlib"}
FOR_THE_HOUSE = {"backends", "parity", "plots"}
"""Rooms that list functions for other rooms beside those for users."""
PUBLIC = [n for n in xpnet.__all__ if n != "__version__"]


@pytest.mark.parametrize("name", [m for m in MODULES if not m.endswith("__main__")])
def test_examples_run(name):
    for room, package in NEEDS.items():
        if name.startswith(room):
            pytest.importorskip(package)
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


def functions_and_classes(thing):
    """The thing itself, or the functions that a room lists."""
    if inspect.ismodule(thing):
        return [f for n in thing.__all__ if inspect.isfunction(f := getattr(thing, n))]
    return [thing] if inspect.isfunction(thing) or inspect.isclass(thing) else []


@pytest.mark.parametrize("name", [n for n in PUBLIC if n not in FOR_THE_HOUSE])
def test_public_names_have_examples(name):
    without = [
        x.__name__
        for x in functions_and_classes(getattr(xpnet, name))
        if ">>> " not in (inspect.getdoc(x) or "").partition("Examples\n--------\n")[2]
    ]
    assert without == []
