"""What scripts/check_package asks of the built files, and of an environment that has xpnet."""

from __future__ import annotations

import email
import importlib.util
import platform
import runpy
import sys
import tarfile
import tempfile
import tomllib
import warnings
import zipfile
from pathlib import Path

NOT_BROUGHT = (
    *("torch", "jax", "jaxlib", "cupy", "array_api_strict"),
    *("matplotlib", "onnx", "pandas", "pytest"),
)


def oldest(root: Path) -> None:
    """Print the core dependencies, each at its lower bound."""
    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    print(*(bound.replace(">=", "==") for bound in told["project"]["dependencies"]))


def files(root: Path, dist: Path) -> None:
    """Check what the wheel and the sdist hold, and what they say of themselves."""
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    version = runpy.run_path(str(root / "xpnet" / "_version.py"))["__version__"]
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = f"xpnet-{version}.dist-info"
        _check_metadata(archive.read(f"{info}/METADATA").decode(), root, version)
    sources = [path for path in (root / "xpnet").rglob("*") if path.suffix in (".py", ".pyi")]
    wanted = {path.relative_to(root).as_posix() for path in sources}
    ours = {name for name in names if not name.startswith(f"{info}/")}
    assert ours == wanted | {"xpnet/py.typed"}, ours ^ wanted
    assert f"{info}/licenses/LICENSE" in names
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert inside > ours | {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml"}
    assert not [name for name in inside if name.startswith("tests")]
    print(f"{wheel.name}: {len(names)} files; {sdist.name}: {len(inside)} files")


def _check_metadata(text: str, root: Path, version: str) -> None:
    told = email.message_from_string(text)
    assert (told["Name"], told["Version"]) == ("xpnet", version)
    assert (told["License-Expression"], told["License-File"]) == ("BSD-3-Clause", "LICENSE")
    assert told["Requires-Python"] == ">=3.11"
    assert told["Description-Content-Type"] == "text/markdown"
    assert told.get_payload().strip() == (root / "README.md").read_text(encoding="utf-8").strip()


def try_it() -> None:
    """Train on iris with what is installed, save, load, and see that nothing more was brought."""
    import sklearn
    from sklearn.datasets import load_iris
    from sklearn.exceptions import ConvergenceWarning

    import xpnet

    brought = [name for name in NOT_BROUGHT if importlib.util.find_spec(name)]
    assert not brought, brought
    warnings.simplefilter("ignore", ConvergenceWarning)
    x, t = load_iris(return_X_y=True)
    for solver in ("adam", "lbfgs"):
        net = xpnet.MLPClassifier((10,), solver=solver, max_iter=5, random_state=0).fit(x, t)
        with tempfile.TemporaryDirectory() as folder:
            net.save(f"{folder}/net.safetensors")
            again = xpnet.MLPClassifier.load(f"{folder}/net.safetensors")
        assert (again.predict(x) == net.predict(x)).all()
    versions = f"Python {platform.python_version()}, scikit-learn {sklearn.__version__}"
    print(f"xpnet {xpnet.__version__} trains: {versions}, loss {net.loss_:.3f}")


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    {"oldest": oldest, "files": files, "try": try_it}[command](*map(Path, paths))
