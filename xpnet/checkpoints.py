"""Networks and their parameters in a file: safetensors, written whole or not at all.

A file holds the parameters under their names, and a JSON text that says what the layers and the
loss are. Nothing in it is ever run, and a checksum covers all of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from . import backends, initializers, layers, validation
from ._version import __version__
from .backends import Array
from .losses import LOSSES, Loss
from .network import Network

__all__ = ["FORMAT", "Saved", "load", "save"]

FORMAT = 1
"""The version of the format: files of later ones are not read."""


def _by_name(classes: Iterable[Any]) -> dict[str, type]:
    return {c.__name__: c for c in classes if isinstance(c, type) and dataclasses.is_dataclass(c)}


_LAYERS = _by_name(getattr(layers, name) for name in layers.__all__)
_INITIALIZERS = _by_name(getattr(initializers, name) for name in initializers.__all__)
_LOSSES = _by_name(LOSSES.values())


@dataclasses.dataclass(frozen=True, eq=False)
class Saved:
    """What a file holds.

    Attributes
    ----------
    network : Network
    params : numpy.ndarray of shape (n_params,) or (models, n_params)
        In the type in which they were saved.
    loss : Loss or None
    metadata : dict
    """

    network: Network
    params: np.ndarray
    loss: Loss | None
    metadata: dict[str, Any]


def save(
    path: str | os.PathLike[str],
    network: Network,
    params: Array,
    loss: Loss | None = None,
    metadata: dict[str, Any] | None = None,
) -> Path:
    """Write a network and its parameters to a file.

    Parameters
    ----------
    path : str or path
        Folders that are missing are made. A file that is there is replaced when the new one is
        complete on the disk, so that it is never seen half written.
    network : Network
    params : array of shape (n_params,) or (models, n_params)
        float32 or float64, of any library.
    loss : Loss, optional
        What turns logits into predictions.
    metadata : dict, optional
        Whatever else is to be remembered: strings, finite numbers, lists and dicts.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    ValueError
        The parameters do not fit, or a layer, an initializer or the loss is not one of xpnet's.
    TypeError
        The metadata cannot be written as JSON.

    Examples
    --------
    >>> import tempfile
    >>> from xpnet import Dense, Network, checkpoints
    >>> net = Network([Dense(2, 3)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = checkpoints.save(f"{folder}/net.safetensors", net, net.initialize(0))
    ...     checkpoints.load(path).params.shape
    (9,)
    """
    path = Path(path)
    if metadata is not None and not isinstance(metadata, dict):
        raise TypeError(f"metadata={metadata!r} must be a dict.")
    params = validation.check_numeric("params", backends.to_host(params))
    validation.check_float_dtype("params.dtype", params.dtype)
    n = network.n_params
    if params.ndim not in (1, 2) or params.shape[-1] != n:
        raise ValueError(f"params has shape {params.shape}; ({n},) or (models, {n}) is needed.")
    description = {
        "format": FORMAT,
        "version": __version__,
        "layers": [
            _describe(f"layers[{i}]", layer, _LAYERS) for i, layer in enumerate(network.layers)
        ],
        "loss": None if loss is None else _describe("loss", loss, _LOSSES),
        "metadata": {} if metadata is None else metadata,
    }
    try:
        text = json.dumps(description, allow_nan=False, default=_plain_number)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"metadata cannot be written as JSON: {error}.") from error
    arrays = {name: np.ascontiguousarray(p) for name, p in network.unflatten(params).items()}
    header = {"xpnet": text, "sha256": _digest(text, arrays)}
    _replace(path, safetensors.numpy.save(arrays, header))
    return path


def load(path: str | os.PathLike[str]) -> Saved:
    """Read what `save` wrote.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Saved

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is truncated, damaged, not one of xpnet's, or of a later version; the message
        says which.

    Examples
    --------
    >>> import tempfile
    >>> from xpnet import Dense, Network, checkpoints
    >>> net = Network([Dense(2, 3)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = checkpoints.save(f"{folder}/net.safetensors", net, net.initialize(0))
    ...     checkpoints.load(path).network.names
    ('W1', 'b1')
    """
    path = Path(path)
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {problem}; a file that xpnet saved is needed.")
    data = path.read_bytes()
    try:
        text, sha256, arrays = _unpack(data)
        description = _parse(text)
        if _digest(text, arrays) != sha256:
            raise ValueError("it is damaged: its checksum is not that of its contents")
        return _build(description, arrays)
    except Exception as error:  # what a stranger wrote may fail in nearly any way
        raise ValueError(f"{path} cannot be loaded: {str(error).rstrip('.')}.") from error


def _describe(name: str, value: Any, known: dict[str, type]) -> dict[str, Any]:
    """Return the class and the fields of a layer, a loss or an initializer."""
    kind = type(value)
    if known.get(kind.__name__) is not kind:
        raise ValueError(
            f"{name}={value!r} cannot be saved: a file names only xpnet's own {', '.join(known)}."
        )
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    for field, entry in fields.items():
        if callable(entry):
            fields[field] = _describe(f"{name}.{field}", entry, _INITIALIZERS)
    return {"type": kind.__name__, **fields}


def _plain_number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is neither text nor number, list or dict")


def _digest(text: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _replace(path: Path, data: bytes) -> None:
    """Put a complete file at `path`, on the disk before this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened, nor need it be
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _unpack(data: bytes) -> tuple[str, str, dict[str, np.ndarray]]:
    """Return the description, the checksum and the arrays of a file's bytes."""
    try:
        arrays = safetensors.numpy.load(data)
    except Exception as error:  # a damaged file raises nearly anything
        raise ValueError(f"it is not a whole safetensors file ({error})") from error
    # What safetensors accepted begins with the length of its JSON header.
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header.get("__metadata__") or {}
    if "xpnet" not in metadata or "sha256" not in metadata:
        raise ValueError("it is a safetensors file, but not one that xpnet saved")
    return metadata["xpnet"], metadata["sha256"], arrays


def _parse(text: str) -> dict[str, Any]:
    try:
        description = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is damaged: its description is not JSON ({error})") from error
    if not isinstance(description, dict) or not isinstance(description.get("format"), int):
        raise ValueError("its description names no format")
    if description["format"] > FORMAT:
        raise ValueError(
            f"it has format {description['format']}, written by xpnet "
            f"{description.get('version')}; xpnet {__version__} reads up to {FORMAT}: "
            "pip install --upgrade xpnet"
        )
    parts = {"layers": list, "loss": dict | None, "metadata": dict}
    for name, kind in parts.items():
        if name not in description or not isinstance(description[name], kind):
            raise ValueError(f"its description has no {name}")
    return description


def _build(description: dict[str, Any], arrays: dict[str, np.ndarray]) -> Saved:
    network = Network([_construct(layer, "layer", _LAYERS) for layer in description["layers"]])
    loss = description["loss"]
    dtypes = {validation.check_float_dtype("dtype", array.dtype) for array in arrays.values()}
    if len(dtypes) > 1:
        raise ValueError(f"its arrays are of several types: {', '.join(sorted(dtypes))}")
    return Saved(
        network,
        network.flatten(arrays),
        None if loss is None else _construct(loss, "loss", _LOSSES),
        description["metadata"],
    )


def _construct(description: Any, what: str, known: dict[str, type]) -> Any:
    if not isinstance(description, dict) or "type" not in description:
        raise ValueError(f"a {what} is described by {description!r}")
    fields = dict(description)
    name = fields.pop("type")
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"the {what} type {name!r} is unknown to xpnet {__version__}")
    for field, value in fields.items():
        if isinstance(value, dict):
            fields[field] = _construct(value, "initializer", _INITIALIZERS)
    return known[name](**fields)
