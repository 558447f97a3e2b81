"""The house plan, held to by parsing the imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import xpnet

ROOT = Path(xpnet.__file__).parent
ROOMS = (
    *("_version", "validation", "backends", "functions", "random", "initializers", "layers"),
    *("losses", "penalties", "network", "patience", "optimizers", "batches", "history", "metrics"),
    *("step", "problems", "streams", "distributed", "placement", "feed", "evaluation"),
    *("gradcheck", "state", "training", "streaming", "checkpoints", "fitting", "callbacks"),
    *("options", "trainer", "stacking", "onnx"),
    *("estimators", "model_selection", "ensemble"),
    *("datasets", "nets", "plots", "parity", "bench", "doctor", "cli"),
)
"""Each imports only from those before it."""

DEVICE_LIBRARIES = {"array_api_compat", "array_api_strict", "cupy", "jax", "jaxlib", "torch"}
WITHOUT_NUMPY = (
    *("random.py", "layers/activation.py", "layers/dense.py", "layers/dropout.py"),
    *(f"optimizers/{name}.py" for name in ("adagrad", "clipping", "lion", "rmsprop")),
)
FILES = sorted(ROOT.rglob("*.py"))
files = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path):
    """The dotted names that a file imports, wherever in it; relative ones made absolute."""
    package = ("xpnet", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            parts = [*base, *filter(None, [node.module])]
            yield from (".".join([*parts, alias.name]) for alias in node.names)


def test_the_plan_names_every_room():
    assert {room_of(p) for p in FILES} - {"__init__", "__main__"} <= set(ROOMS)


@files
def test_rooms_import_only_rooms_below_them(path):
    room = room_of(path)
    below = ROOMS[: ROOMS.index(room)] if room in ROOMS else ROOMS
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("xpnet.")}
    assert ours - {room, "__version__"} <= set(below)


def test_the_parser_sees_imports():
    seen = set(imports(ROOT / "layers" / "dense.py"))
    assert {"xpnet.validation", "xpnet.initializers.Glorot", "xpnet.layers.base.Layer"} <= seen
    assert "torch" in set(imports(ROOT / "backends" / "torch.py"))


@files
def test_only_the_backends_import_device_libraries(path):
    libraries = {name.partition(".")[0] for name in imports(path)}
    assert room_of(path) == "backends" or not libraries & DEVICE_LIBRARIES


@pytest.mark.parametrize("name", WITHOUT_NUMPY)
def test_what_runs_in_a_step_has_only_xp(name):
    assert "numpy" not in {imported.partition(".")[0] for imported in imports(ROOT / name)}


@pytest.mark.parametrize(
    "code", ["import xpnet; dir(xpnet)", "import xpnet; xpnet.Trainer; xpnet.backends.get('numpy')"]
)
def test_nothing_is_imported_that_is_not_asked_for(code):
    heavy = ["cupy", "jax", "torch", "array_api_strict", "matplotlib", "sklearn"]
    code += f"; import sys; print([m for m in {heavy} if m in sys.modules])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", xpnet.__all__)
def test_public_names_resolve(name):
    assert getattr(xpnet, name) is not None
    assert name in dir(xpnet)


def test_unknown_names_do_not():
    with pytest.raises(AttributeError, match="Denze"):
        xpnet.Denze  # noqa: B018
    assert len(set(xpnet.__all__)) == len(xpnet.__all__)


def test_the_design_names_every_room():
    told = (ROOT.parent / "docs" / "design.md").read_text(encoding="utf-8")
    listed = re.findall(r"^  (\w+)(?:\.py|/) ", told, re.M)
    assert sorted(listed) == sorted(room for room in ROOMS if room != "_version")
    assert listed == [room for room in ROOMS if room != "_version"]
