"""MNIST, from a folder or from OpenML."""

from __future__ import annotations

import os
import warnings
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .. import validation
from .dataset import Dataset
from .idx import read_idx

__all__ = ["load_mnist"]

_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""The SHA-256 of the published files' decompressed bytes."""

_WAYS = (
    "Give a folder with the four IDX files by data_home=, --data-home or the environment variable "
    "XPNET_DATA_HOME; or give none and connect to the internet, and MNIST comes from OpenML."
)


def load_mnist(data_home: str | os.PathLike[str] | None = None) -> Dataset:
    """Return MNIST: handwritten digits of 28 x 28 pixels, ten classes.

    Parameters
    ----------
    data_home : str or path, optional
        A folder that holds the four IDX files ``train-images-idx3-ubyte`` …, plain or with
        ``.gz``; ``train-images.idx3-ubyte`` … will do too. By default the environment variable
        XPNET_DATA_HOME; where that is not set either, OpenML, which scikit-learn keeps in its
        own folder.

    Returns
    -------
    Dataset
        60000 training samples, and the published test set of 10000 as the validation samples.
        The pixels are uint8 of shape (samples, 784), as they are in the files.

    Raises
    ------
    FileNotFoundError
        The folder, or a file in it, is missing.
    ValueError
        A file is damaged, or is not the published one.
    ConnectionError
        OpenML could not be reached.

    Notes
    -----
    Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
    document recognition", Proceedings of the IEEE 86 (1998).

    Examples
    --------
    >>> load_mnist("data/mnist")  # doctest: +SKIP
    <mnist: 60000 train, 10000 validation, 0 test, 784 features, 10 classes>
    """
    if data_home is not None:
        validation.check_path("data_home", data_home)
    folder = data_home or os.environ.get("XPNET_DATA_HOME")
    x_train, t_train, x_val, t_val = _from_folder(folder) if folder else _from_openml()
    return Dataset(x_train, t_train, x_val, t_val, name="mnist")


def _from_folder(folder: str | os.PathLike[str]) -> tuple[np.ndarray, ...]:
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"MNIST: there is no folder {root}. {_WAYS}")
    paths = {name: _find(root, name) for name in _SHA256}
    missing = [f"{name}[.gz]" for name, path in paths.items() if path is None]
    if missing:
        raise FileNotFoundError(f"MNIST: {root} lacks {', '.join(missing)}. {_WAYS}")
    arrays = [read_idx(path, sha256=_SHA256[name]) for name, path in paths.items() if path]
    return tuple(a.reshape(len(a), -1) if a.ndim > 1 else a.astype(np.int64) for a in arrays)


def _find(root: Path, name: str) -> Path | None:
    spellings = (name, name.replace("-idx", ".idx"))
    paths = (root / (spelling + ending) for spelling in spellings for ending in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def _from_openml() -> tuple[np.ndarray, ...]:
    from sklearn.datasets import fetch_openml

    # scikit-learn's "auto" needs pandas, which is not among xpnet's dependencies.
    parser = "auto" if find_spec("pandas") else "liac-arff"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # each retry warns; the error below says it once
            found = fetch_openml("mnist_784", version=1, as_frame=False, parser=parser)
    except (OSError, ValueError, HTTPException) as error:
        raise ConnectionError(
            f"MNIST could not be fetched from OpenML ({error}). {_WAYS}"
        ) from error
    x, t = found.data.astype(np.uint8), found.target.astype(np.int64)
    return x[:60000], t[:60000], x[60000:], t[60000:]
