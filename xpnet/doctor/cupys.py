"""The installed CuPy: one, made for a CUDA that the driver supports, with the toolkit's parts."""

from __future__ import annotations

import importlib.metadata
import re

from packaging.utils import canonicalize_name

from .finding import Finding

CUDAS = (12, 13)
"""The CUDAs of the CuPy packages that xpnet supports, oldest first."""

Driver = tuple[int, int] | None
"""The newest CUDA that the driver supports."""

_CUPY = re.compile(r"cupy(-cuda\d+x?|-rocm-\d+-\d+)?")
_NO_TOOLKIT = re.compile(
    r"CUDA headers|CUDA path could not be detected|cannot open source file \S+\.h\b"
    r"|(nvrtc|cudart|cublas|curand|cusparse|cusolver|cufft|nvjitlink)[\w-]*\.(so|dll)",
    re.IGNORECASE,
)
"""What CuPy says where headers or libraries of CUDA are missing."""


def installed() -> list[str]:
    """Return the names of the installed distributions that bring the package cupy."""
    names = (distribution.metadata["Name"] for distribution in importlib.metadata.distributions())
    return sorted({name for name in map(canonicalize_name, filter(None, names)) if _is_cupy(name)})


def several_cupys(driver: Driver) -> Finding | None:
    """Find CuPys that overwrite one another's files."""
    names = installed()
    if len(names) < 2:
        return None
    return Finding(
        f"{len(names)} CuPys are installed over one another: {', '.join(names)}",
        _replace(names, driver),
    )


def unsuitable_cupy(driver: Driver) -> Finding | None:
    """Find a CuPy made for another CUDA than the driver's, and a driver too old for any."""
    names = installed()
    cuda = _cuda(names[0]) if len(names) == 1 else None
    if cuda is None:
        return None
    if driver is not None and driver[0] < CUDAS[0]:
        return Finding(
            f"the NVIDIA driver supports CUDA {driver[0]}.{driver[1]}; "
            f"CuPy needs {CUDAS[0]} or newer",
            "install the newest driver, https://www.nvidia.com/drivers",
        )
    if cuda < CUDAS[0]:
        problem = f"{names[0]} is too old; xpnet needs cupy-cuda{CUDAS[0]}x or newer"
    elif driver is not None and cuda > driver[0]:
        problem = (
            f"{names[0]} does not match the driver, which supports CUDA {driver[0]}.{driver[1]}"
        )
    else:
        return None
    return Finding(problem, _replace(names, driver))


def without_toolkit(reason: str | None, driver: Driver) -> Finding | None:
    """Find headers and libraries of CUDA that CuPy misses, from the reason why it failed."""
    names = installed()
    if reason is None or len(names) != 1 or not _NO_TOOLKIT.search(reason):
        return None
    suits = _cuda(names[0]) in CUDAS
    return Finding(
        f"{names[0]} does not find CUDA's headers or libraries",
        f'pip install "{names[0]}[ctk]"' if suits else _replace(names, driver),
    )


def _is_cupy(name: str) -> bool:
    return _CUPY.fullmatch(name) is not None


def _cuda(name: str) -> int | None:
    """Return the CUDA that a wheel was made for; None where its name does not tell."""
    found = re.match(r"cupy-cuda(1\d)", name)
    return int(found[1]) if found else None


def _replace(names: list[str], driver: Driver) -> str:
    """Return the command that removes these, and installs the CuPy that suits the driver."""
    known = CUDAS[0] if driver is None else driver[0]
    cuda = max((cuda for cuda in CUDAS if cuda <= known), default=CUDAS[0])
    return f'pip uninstall -y {" ".join(names)} && pip install "cupy-cuda{cuda}x[ctk]"'
