"""Which backend is chosen, and what is said where one cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from xpnet import BinaryCrossEntropy, Dense, Network, Trainer, backends

OTHERS = ["cupy", "jax", "torch", "array_api_strict"]

FAKE_CUPY = """
from types import SimpleNamespace

__version__ = "14.0.1"
float32 = "float32"

class ndarray: pass
class generic: pass
class CUDARuntimeError(RuntimeError): pass
class CompileException(Exception): pass

def getDeviceCount():
    raise CUDARuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient "
                           "for CUDA runtime version")

def is_available():
    return HAS_DEVICE

def ones(shape, dtype):
    raise CompileException("cannot open source file 'vector_types.h'\\nin line 3")

cuda = SimpleNamespace(
    runtime=SimpleNamespace(getDeviceCount=getDeviceCount),
    compiler=SimpleNamespace(CompileException=CompileException),
)
"""

TELL = """
import json
from xpnet import backends

def told(name):
    try:
        return repr(backends.get(name))
    except backends.BackendUnavailableError as error:
        return str(error)
"""


def child(*code, **environment):
    """Run code in a fresh interpreter, warnings being errors, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(map(textwrap.dedent, code))],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_available_names_every_backend_and_tells_what_would_mend_it():
    found = backends.available()
    assert list(found) == ["numpy", *OTHERS]
    assert found["numpy"] == backends.Status(True, version=np.__version__, device="cpu")
    for name, status in found.items():
        if status.usable:
            assert str(status) == f"{status.version} on {status.device}"
            assert backends.get(name, status.device).device_name == status.device
        else:
            assert status.reason
            assert status.remedy == backends.BACKENDS[name].remedy
            assert status.reason in str(status)
            assert status.remedy in str(status)


@pytest.mark.parametrize(
    ("has_device", "reason"),
    [
        (False, "no CUDA device was found (cudaErrorInsufficientDriver)"),
        (True, "a first kernel and product failed (cannot open source file 'vector_types.h')"),
    ],
)
def test_cupy_that_cannot_compute(tmp_path, has_device, reason):
    package = tmp_path / "cupy"
    package.mkdir()
    package.joinpath("__init__.py").write_text(f"HAS_DEVICE = {has_device}\n{FAKE_CUPY}")
    told = child(
        TELL,
        """
        import numpy as np
        like = backends.get(None, like=(np.ones(2), [1.0])).name
        print(json.dumps([told("cupy"), told("auto"), told(None), like]))
        """,
        PYTHONPATH=os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])),
    )
    assert told[0] == f"backend='cupy': {reason}. {backends.BACKENDS['cupy'].remedy}."
    assert "backend='numpy'" in told[0]
    assert told[1:] == ["numpy on cpu", "numpy on cpu", "numpy"]


def test_the_real_cupy_without_a_device():
    cupy = pytest.importorskip("cupy")
    if cupy.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(backends.BackendUnavailableError, match=r"no CUDA device was found \(cuda"):
        backends.get("cupy")
    assert backends.get("auto").name == "numpy"


def test_packages_that_are_missing():
    told = child(
        f"import sys; names = {OTHERS}; sys.modules |= dict.fromkeys(names)",
        TELL,
        "print(json.dumps({name: told(name) for name in [*names, 'auto']}))",
    )
    assert told.pop("auto") == "numpy on cpu"
    for name, message in told.items():
        remedy = backends.BACKENDS[name].remedy
        assert message == f"backend={name!r}: the package {name} is missing. {remedy}."


def test_jax_without_a_device():
    pytest.importorskip("jax")
    told = child(TELL, "print(json.dumps(told('jax')))", JAX_PLATFORMS="nowhere")
    assert told.startswith("backend='jax': JAX found no device (JAX_PLATFORMS='nowhere').")


def test_nothing_heavy_is_imported_until_it_is_asked_for():
    loaded = child(
        f"""
        import json, sys
        import numpy as np
        import xpnet.backends
        from xpnet import Dense, Network, Trainer
        xpnet.backends.get("numpy")
        trainer = Trainer(Network([Dense(1, 1)]), "squared_error", backend="numpy")
        trainer.fit(np.ones((2, 1)), np.ones(2), epochs=1)
        trainer.predict(np.ones((2, 1)))
        heavy = {[*OTHERS, "sklearn", "scipy", "pandas", "matplotlib"]}
        print(json.dumps([name for name in heavy if name in sys.modules]))
        """
    )
    assert loaded == []


@pytest.mark.parametrize(
    ("given", "nearest"), [("nunpy", "numpy"), ("cuppy", "cupy"), ("pytorch", "torch")]
)
def test_an_unknown_name_tells_the_nearest(given, nearest):
    network = Network([Dense(1, 1)])
    for call in (backends.get, lambda name: Trainer(network, "squared_error", backend=name)):
        with pytest.raises(ValueError, match=f"backend={given!r}.*Did you mean {nearest!r}"):
            call(given)


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("numpy", "cuda"),
        ("numpy", 0),
        ("jax", "nowhere"),
        ("jax", "cpu:99"),
        ("jax", 3),
        ("torch", "nowhere"),
        ("torch", 1.5),
        ("array_api_strict", "nowhere"),
        ("array_api_strict", 3),
    ],
)
def test_a_device_that_the_library_lacks(name, device):
    pytest.importorskip(name)
    with pytest.raises(ValueError, match=f"device={device!r}"):
        backends.get(name, device)
    trainer = Trainer(Network([Dense(1, 1)]), BinaryCrossEntropy(), backend=name, device=device)
    with pytest.raises(ValueError, match="device="):
        trainer.fit([[1.0]], [1])


def test_a_device_is_taken_by_name_and_by_object(backend):
    for device in (backend.device, backend.device_name, None):
        found = backends.get(backend.name, device)
        assert found.name == backend.name
        if device is not None:
            assert found.device_name == backend.device_name


def test_jax_trains_where_it_was_told_to_or_where_the_arrays_lie():
    pytest.importorskip("jax")
    places = child(
        """
        import json
        import jax, numpy as np
        from xpnet import Adam, Dense, Dropout, Network, ReLU, Trainer, backends
        x, t = np.ones((5, 2), dtype=np.float32), np.ones(5)
        second = jax.device_put(x, jax.devices()[1])
        net = Network([Dense(2, 3), ReLU(), Dropout(0.5), Dense(3, 1)])
        arrays = [backends.namespace(second).arange(3)]
        for x, device in ((x, "cpu:1"), (second, None)):
            trainer = Trainer(net, "squared_error", Adam(), backend="jax", device=device)
            trainer.fit(x, t, epochs=2, batch_size=2)
            arrays += [trainer.state_.params, *trainer.state_.optimizer_state]
        print(json.dumps([d.id for a in arrays for d in a.devices()]))
        """,
        JAX_PLATFORMS="cpu",
        XLA_FLAGS="--xla_force_host_platform_device_count=2",
    )
    assert places == [1] * 7
