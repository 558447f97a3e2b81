"""The blocks of the pages run as they stand, and give what their comments say."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

import xpnet

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [
    ("scikit-learn.md", "numpy", 19),
    ("scikit-learn.md", "array_api_strict", 19),
    ("searches.md", "numpy", 3),
    ("large-data.md", "numpy", 6),
    ("many-processes.md", "numpy", 1),
    ("index.md", "numpy", 1),
    ("start.md", "numpy", 2),
    ("switch.md", "numpy", 3),
    ("extending.md", "numpy", 3),
]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # scikit-learn's scaler, strict
@pytest.mark.parametrize(("name", "library", "n_checked"), PAGES)
def test_the_blocks_run_and_their_comments_hold(name, library, n_checked, tmp_path, monkeypatch):
    """Another library stands in for CuPy."""
    for needed in ("onnx", "mpi4py.MPI", library):
        pytest.importorskip(needed)
    if library != "numpy" and not StandardScaler().__sklearn_tags__().array_api_support:
        pytest.skip("scikit-learn's scaler takes NumPy only, before 1.8")
    monkeypatch.chdir(tmp_path)
    page = (DOCS / name).read_text(encoding="utf-8").replace("cupy", library)
    names: dict = {}
    checked = 0
    for block in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(block, names)
        for expression, comment in re.findall(r"^(\S[^#\n]*?)  # (.+)$", block, re.M):
            try:
                expected = ast.literal_eval(comment)
                ast.parse(expression, mode="eval")
            except (SyntaxError, ValueError):
                continue
            found = eval(expression, names)
            if isinstance(expected, float):
                np.testing.assert_allclose(found, expected, atol=5e-4, err_msg=expression)
            else:
                assert found == expected, expression
            checked += 1
    assert checked == n_checked


def test_extending_takes_less_than_40_lines():
    page = (DOCS / "extending.md").read_text(encoding="utf-8")
    assert all(block.count("\n") < 40 for block in re.findall(r"```python\n(.*?)```", page, re.S))


def test_the_reference_has_every_public_name():
    """Classes and functions of the package, and the functions of its public rooms."""
    listed = re.findall(r"^   (\w[\w.]*)$", (DOCS / "reference.rst").read_text("utf-8"), re.M)
    assert len(set(listed)) == len(listed)
    names = [n for n in xpnet.__all__ if n != "__version__"]
    rooms = [n for n in names if inspect.ismodule(getattr(xpnet, n))]
    wanted = set(names) - set(rooms)
    for room in ("functions", "nets", "datasets"):
        module = getattr(xpnet, room)
        wanted |= {f"{room}.{n}" for n in module.__all__ if callable(getattr(module, n))}
    assert wanted <= set(listed)
    for name in listed:
        found = functools.reduce(getattr, name.split("."), xpnet)
        assert callable(found), name
        assert "\n>>> " in (inspect.getdoc(found) or ""), f"{name} has no example"
