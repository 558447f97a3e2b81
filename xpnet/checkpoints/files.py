"""Saving and loading."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from .. import backends, validation
from .._version import __version__
from ..backends import Array
from ..losses import Loss
from ..network import Network
from . import container
from .components import construct_component
from .contents import Saved, Training
from .descriptions import construct_training, describe, describe_training
from .values import pack, unpack

FORMAT = 2
"""The version of the format: files of later ones are not read."""


def save(
    path: str | os.PathLike[str],
    network: Network,
    params: Array | None,
    loss: Loss | None = None,
    metadata: dict[str, Any] | None = None,
    *,
    training: Training | None = None,
) -> Path:
    """Write a network and its parameters to a file, and what a run needs to go on.

    Parameters
    ----------
    path : str or path
        Folders that are missing are made. A file that is there is replaced when the new one is
        complete on the disk, so that it is never seen half written; what savers that were killed
        left beside it is removed.
    network : Network
    params : array of shape (n_params,) or (models, n_params), or None
        float32 or float64, of any library. None, with `training`, is those of its state.
    loss : Loss, optional
        What turns logits into predictions.
    metadata : dict, optional
        Whatever else is to be remembered: None, numbers, texts, arrays of numbers; lists, tuples
        and dicts of these.
    training : Training, optional
        State, curves, optimizer and penalty of the run.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    ValueError
        The parameters do not fit, or a layer, an initializer, the loss or the penalty is not one
        of xpnet's.
    TypeError
        The metadata or a callback's state holds another thing than numbers, texts and arrays.

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
    path = validation.check_path("path", path)
    if path.is_dir():
        raise IsADirectoryError(f"path={str(path)!r} is a folder; a file's path is needed.")
    if not isinstance(network, Network):
        raise TypeError(f"network={network!r} must be a Network.")
    if loss is not None and not isinstance(loss, Loss):
        raise TypeError(f"loss={loss!r} is no Loss: pass one, such as SquaredError().")
    if metadata is not None and not isinstance(metadata, dict):
        raise TypeError(f"metadata={metadata!r} must be a dict.")
    if training is not None:
        params = _params_of(training, params)
    params = _check_params(network, backends.to_host(params))
    arrays = {name: np.ascontiguousarray(p) for name, p in network.unflatten(params).items()}
    description = {
        "format": FORMAT,
        "version": __version__,
        **describe(network, loss),
        "training": None if training is None else describe_training(training, arrays),
        "metadata": pack("metadata", metadata or {}, arrays),
    }
    text = json.dumps(description, allow_nan=False)
    container.replace(path, container.encode(text, arrays))
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
    path = validation.check_path("path", path)
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {problem}; a file that xpnet saved is needed.")
    data = path.read_bytes()
    try:
        text, arrays = container.decode(data)
        return _build(_parse(text), arrays)
    except Exception as error:  # what a stranger wrote may fail in nearly any way
        raise ValueError(f"{path} cannot be loaded: {str(error).rstrip('.')}.") from error


def _params_of(training: Training, params: Array | None) -> Array:
    if not isinstance(training, Training):
        raise TypeError(f"training={training!r} must be a xpnet.checkpoints.Training.")
    if params is not None and params is not training.state.params:
        raise ValueError("params are others than training.state.params; None stands for those.")
    return training.state.params


def _check_params(network: Network, params: Any) -> np.ndarray:
    params = validation.check_numeric("params", params)
    validation.check_float_dtype("params.dtype", params.dtype)
    n = network.n_params
    if params.ndim not in (1, 2) or params.shape[-1] != n:
        raise ValueError(f"params has shape {params.shape}; ({n},) or (models, {n}) is needed.")
    return params


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
    description.setdefault("training", None)  # format 1 had none
    kinds = {"layers": list, "loss": dict | None, "training": dict | None, "metadata": dict}
    for name, kind in kinds.items():
        if name not in description or not isinstance(description[name], kind):
            raise ValueError(f"its description has no {name}")
    return description


def _build(description: dict[str, Any], arrays: dict[str, np.ndarray]) -> Saved:
    network = Network([construct_component("layer", layer) for layer in description["layers"]])
    loss, training = description["loss"], description["training"]
    loss = None if loss is None else construct_component("loss", loss)
    # Takes its arrays; those that are left are the parameters.
    training = None if training is None else construct_training(training, arrays)
    metadata = description["metadata"]
    if description["format"] > 1:  # plain JSON before
        metadata = unpack(metadata, arrays)
        if not isinstance(metadata, dict):
            raise ValueError("its metadata is no dict")
    dtypes = {validation.check_float_dtype("dtype", array.dtype) for array in arrays.values()}
    if len(dtypes) > 1:
        raise ValueError(f"its arrays are of several types: {', '.join(sorted(dtypes))}")
    params = _check_params(network, network.flatten(arrays))
    if training is not None:
        state = dataclasses.replace(training.state, params=params)
        training = dataclasses.replace(training, state=state)
        _check_params(network, training.kept_params)
    return Saved(network, params, loss, metadata, training)
