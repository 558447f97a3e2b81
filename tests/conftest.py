"""Fixtures: the backends of this machine, and torch's activations as oracles."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from xpnet import backends

os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn's dispatch; read as scipy is imported
settings.register_profile(
    "xpnet",
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],  # of a busy machine, not of the code
)
settings.load_profile("xpnet")

PLACES = [
    ("numpy", None),
    ("cupy", None),
    ("jax", None),
    ("torch", None),
    ("array_api_strict", "CPU_DEVICE"),
    ("array_api_strict", "device1"),
    ("array_api_strict", "device2"),
    ("array_api_strict", "no_x64"),
]


MNIST = Path(
    os.environ.get("XPNET_DATA_HOME") or Path(__file__).parents[1] / "../shared/data/mnist"
)
"""Where real MNIST is looked for."""


@pytest.fixture
def mnist_home():
    """The folder of MNIST's files."""
    if not MNIST.is_dir():
        pytest.skip(f"no MNIST in {MNIST}; set XPNET_DATA_HOME to its folder")
    return MNIST


@functools.cache
def _status():
    return backends.available()


def pytest_generate_tests(metafunc):
    """A test that takes `dtype` beside `backend` runs in every type that the device has."""
    if "backend" not in metafunc.fixturenames:
        return
    with_dtype = "dtype" in metafunc.fixturenames
    cases, ids = [], []
    for name, device in PLACES:
        for dtype in ("float64", "float32") if with_dtype and device != "no_x64" else ("float32",):
            cases.append(((name, device), dtype) if with_dtype else (name, device))
            ids.append("-".join(filter(None, (name, device, dtype if with_dtype else None))))
    metafunc.parametrize(
        "backend, dtype" if with_dtype else "backend", cases, ids=ids, indirect=["backend"]
    )


@pytest.fixture
def backend(request):
    """Every backend in turn, on each of its devices; a test that computes in float32 at most."""
    name, device = request.param
    status = _status()[name]
    if not status.usable:
        pytest.skip(status.reason)
    return backends.get(name, device)


@pytest.fixture
def lies_on():
    """Return a check that an array is of that backend, device and type, and its host copy."""

    def check(backend, array, dtype):
        host = backend.to_host(array)
        assert backends.owner(array) == (None if backend.name == "numpy" else backend.name)
        assert type(backend).of(array).device_name == backend.device_name
        assert host.dtype == np.dtype(dtype)
        return host

    return check


@pytest.fixture
def torch_functions():
    """Torch's activations by the names of ours."""
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    return {
        "identity": lambda x: x * 1.0,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "leaky_relu": f.leaky_relu,
        "elu": f.elu,
        "softplus": f.softplus,
        "gelu": functools.partial(f.gelu, approximate="tanh"),
        "silu": f.silu,
    }
