"""What the doctor finds: installations, drivers and cores are faked."""

from __future__ import annotations

import ctypes
import importlib.metadata

import pytest
import threadpoolctl

from xpnet import doctor
from xpnet.cli import main
from xpnet.doctor import cupys, driver, threads, versions

HEADERS = (
    'a first kernel and product failed (/tmp/a.cu(4): cannot open source file "vector_types.h")'
)
LIBRARY = "importing cupy failed (libcudart.so.12: cannot open shared object file)"


@pytest.fixture(autouse=True)
def healthy(monkeypatch):
    """Make the machine one with two cores, no driver, no CuPy, and what xpnet needs."""
    real = importlib.metadata.distributions
    monkeypatch.setattr(
        importlib.metadata,
        "distributions",
        lambda: [d for d in real() if d.read_text("faked") or "cupy" not in d.metadata["Name"]],
    )
    monkeypatch.setattr(driver, "cuda_version", lambda: None)
    monkeypatch.setattr(threads, "cores", lambda: 2)
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: [blas(2)])
    for name in doctor.VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Return a function that makes distributions look installed, before all others."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, version="14.0.1", *lines):
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        told = [f"Name: {name}", f"Version: {version}", *lines]
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *told, ""]))
        (folder / "faked").write_text("yes")
        importlib.invalidate_caches()

    return install


def blas(n_threads, name="openblas"):
    return {"user_api": "blas", "internal_api": name, "num_threads": n_threads}


def test_a_healthy_installation(install, capsys, monkeypatch):
    assert doctor.examine("the package cupy is missing") == []
    monkeypatch.setattr(driver, "cuda_version", lambda: (12, 8))
    install("cupy-cuda12x")
    assert doctor.examine(None) == []
    assert main(["info"]) == 0
    assert capsys.readouterr().out.endswith("\ndiagnosis\n  nothing wrong was found\n")


def test_info_tells_what_was_found(install, capsys):
    install("scikit-learn", "1.5.2")
    install("cupy-cuda12x")
    install("cupy-cuda13x")
    assert main(["info"]) == 0
    assert capsys.readouterr().out.endswith(
        "\ndiagnosis\n"
        "  scikit-learn 1.5.2 does not suit; xpnet needs >=1.6\n"
        '  To mend it: pip install --upgrade "scikit-learn>=1.6"\n'
        "  2 CuPys are installed over one another: cupy-cuda12x, cupy-cuda13x\n"
        "  To mend it: pip uninstall -y cupy-cuda12x cupy-cuda13x && "
        'pip install "cupy-cuda12x[ctk]"\n'
    )


# ---- versions


@pytest.mark.parametrize(
    ("name", "version"),
    [
        *(("array-api-compat", "1.9.1"), ("scikit-learn", "1.5.2"), ("numpy", "1.26.4")),
        *(("scipy", "1.10.1"), ("safetensors", "0.3.3"), ("joblib", "1.2.0")),
        *(("jax", "0.4.30"), ("torch", "2.2.0+cpu"), ("cupy-cuda12x", "14.1.0")),
    ],
)
def test_versions_that_do_not_suit(install, name, version):
    install(name, version)
    finding = versions.wrong_versions()
    bound = next(r for r in versions._requirements() if r.name == name).specifier
    assert finding.problem == f"{name} {version} does not suit; xpnet needs {bound}"
    assert finding.command == f'pip install --upgrade "{name}{bound}"'


def test_several_versions_are_mended_by_one_command(install):
    install("xpnet", "9", "Requires-Dist: joblib>=99", "Requires-Dist: no-such-package>=2")
    assert versions.wrong_versions() == doctor.Finding(
        f"joblib {importlib.metadata.version('joblib')} does not suit; xpnet needs >=99; "
        "no-such-package is missing; xpnet needs >=2",
        'pip install --upgrade "joblib>=99" "no-such-package>=2"',
    )


def test_packages_of_extras_may_be_missing_and_those_of_developers_old(install):
    lines = [
        *("Provides-Extra: some", "Requires-Dist: no-such-package>=2; extra == 'some'"),
        *("Provides-Extra: test", "Requires-Dist: pytest>=99; extra == 'test'"),
        "Requires-Dist: no-such-package>=2; python_version < '3'",
    ]
    install("xpnet", "9", *lines)
    assert versions.wrong_versions() is None


def test_versions_later_than_the_bound_suit(install):
    install("torch", "2.6.1+cu126")
    install("numpy", "3.0.0rc1")
    assert versions.wrong_versions() is None


def test_nothing_is_asked_where_xpnet_is_not_installed(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", missing)
    assert versions.wrong_versions() is None


# ---- CuPy


@pytest.mark.parametrize(
    ("known", "wheel"), [(None, 12), ((11, 8), 12), ((12, 0), 12), ((13, 1), 13), ((14, 0), 13)]
)
@pytest.mark.parametrize("second", ["cupy", "cupy_cuda11x", "cupy-rocm-7-0"])
def test_two_cupys(install, known, wheel, second):
    install("cupy-cuda12x")
    install(second, "13.6.0")
    finding = cupys.several_cupys(known)
    assert finding.problem.startswith("2 CuPys are installed over one another: cupy")
    names = " ".join(sorted(["cupy-cuda12x", second.replace("_", "-")]))
    assert finding.command == f'pip uninstall -y {names} && pip install "cupy-cuda{wheel}x[ctk]"'
    assert cupys.unsuitable_cupy(known) is None


def test_one_cupy_and_packages_named_after_it(install):
    install("cupy-cuda12x")
    install("cupy-xarray", "0.1.4")
    assert cupys.installed() == ["cupy-cuda12x"]
    assert cupys.several_cupys((12, 8)) is None


def test_a_cupy_newer_than_the_driver(install):
    install("cupy-cuda13x")
    assert cupys.unsuitable_cupy((12, 8)) == doctor.Finding(
        "cupy-cuda13x does not match the driver, which supports CUDA 12.8",
        'pip uninstall -y cupy-cuda13x && pip install "cupy-cuda12x[ctk]"',
    )


def test_a_cupy_older_than_all_that_are_supported(install):
    install("cupy-cuda11x", "13.6.0")
    assert cupys.unsuitable_cupy((13, 0)) == doctor.Finding(
        "cupy-cuda11x is too old; xpnet needs cupy-cuda12x or newer",
        'pip uninstall -y cupy-cuda11x && pip install "cupy-cuda13x[ctk]"',
    )


def test_a_driver_older_than_every_cupy(install):
    install("cupy-cuda12x")
    finding = cupys.unsuitable_cupy((11, 8))
    assert finding.problem == "the NVIDIA driver supports CUDA 11.8; CuPy needs 12 or newer"
    assert finding.command == "install the newest driver, https://www.nvidia.com/drivers"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("cupy-cuda12x", (12, 0)),
        ("cupy-cuda12x", (13, 1)),
        ("cupy-cuda13x", None),
        ("cupy", (9, 0)),
    ],
)
def test_cupys_that_suit(install, name, known):
    install(name)
    assert cupys.unsuitable_cupy(known) is None


@pytest.mark.parametrize(
    "reason", [HEADERS, LIBRARY, "(Failed to find CUDA headers)", "nvrtc64_120_0.dll is missing"]
)
def test_missing_parts_of_the_toolkit(install, reason):
    assert cupys.without_toolkit(reason, (13, 0)) is None
    install("cupy-cuda12x")
    assert cupys.without_toolkit(reason, (13, 0)) == doctor.Finding(
        "cupy-cuda12x does not find CUDA's headers or libraries",
        'pip install "cupy-cuda12x[ctk]"',
    )


def test_missing_parts_of_a_cupy_that_was_built_here(install):
    install("cupy")
    finding = cupys.without_toolkit(HEADERS, (13, 0))
    assert finding.command == 'pip uninstall -y cupy && pip install "cupy-cuda13x[ctk]"'


@pytest.mark.parametrize(
    "reason", [None, "no CUDA device was found", "libcuda.so.1: cannot open shared object file"]
)
def test_other_reasons_are_not_the_toolkits(install, reason):
    install("cupy-cuda12x")
    assert cupys.without_toolkit(reason, (12, 8)) is None


# ---- the driver


class Library:
    def __init__(self, number, code=0):
        self.number, self.code = number, code

    def cuDriverGetVersion(self, pointer):
        pointer._obj.value = self.number
        return self.code


@pytest.mark.parametrize(
    ("library", "version"),
    [
        (Library(12080), (12, 8)),
        (Library(13010), (13, 1)),
        (Library(0), None),
        (Library(9, 3), None),
    ],
)
def test_the_driver_is_asked(monkeypatch, library, version):
    monkeypatch.undo()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert driver.cuda_version() == version


def test_no_driver(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.undo()
    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert driver.cuda_version() is None


# ---- threads


@pytest.mark.parametrize(
    ("variables", "running", "problem", "command"),
    [
        (
            *({"OMP_NUM_THREADS": "8"}, [blas(2)], "OMP_NUM_THREADS=8"),
            "export OMP_NUM_THREADS=2",
        ),
        (
            *({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "4,2"}, [], "MKL_NUM_THREADS=4"),
            "export MKL_NUM_THREADS=2",
        ),
        ({}, [blas(64)], "openblas runs 64 threads", "export OMP_NUM_THREADS=2"),
        (
            *({"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"}, [blas(3), blas(3, "mkl")]),
            "OMP_NUM_THREADS=3, OPENBLAS_NUM_THREADS=3, openblas runs 3 threads, "
            "mkl runs 3 threads",
            "export OMP_NUM_THREADS=2 && export OPENBLAS_NUM_THREADS=2",
        ),
    ],
)
def test_more_threads_than_cores(monkeypatch, variables, running, problem, command):
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: running)
    monkeypatch.setattr("sys.platform", "linux")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert threads.too_many_threads() == doctor.Finding(
        f"{problem}, where this process may use 2 cores", command
    )
    monkeypatch.setattr("sys.platform", "win32")
    assert threads.too_many_threads().command == command.replace("export", "set")


@pytest.mark.parametrize("value", ["2", "1", "", "dynamic"])
def test_as_many_threads_as_cores(monkeypatch, value):
    openmp = {"user_api": "openmp", "internal_api": "openmp", "num_threads": 64}
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: [openmp, blas(2)])
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads.too_many_threads() is None


def test_cores_are_counted():
    assert doctor.cores() >= 1
