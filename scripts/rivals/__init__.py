"""The rivals: the same training written by hand for other libraries."""

from __future__ import annotations

from xpnet.bench.contestant import Contestant

_TORCH, _JAX = "rivals.torch_rivals:train", "rivals.jax_rivals:train"


def on_cpu(threads: int) -> list[Contestant]:
    """Return the rivals of a race with so many threads; torch's also at its best of 1 and 2."""
    kinds = {
        "torch eager": {},
        "torch fused": {"fused": True},
        "torch compiled": {"fused": True, "compiled": True},
    }
    counts = (None, 2) if threads == 1 else (None,)
    return [
        *(Contestant(name, _TORCH, options, n) for n in counts for name, options in kinds.items()),
        Contestant("JAX jit step", _JAX, {"platform": "cpu"}),
        Contestant("JAX scan", _JAX, {"platform": "cpu", "scan": True}),
    ]


def on_gpu(device: str = "cuda") -> list[Contestant]:
    """Return the rivals on a CUDA device, such as 'cuda:0'; this was not run yet."""
    place = {"device": device, "fused": True}
    return [
        Contestant("torch fused on GPU", _TORCH, place),
        Contestant("torch CUDA graph", _TORCH, place | {"graphs": True}),
        Contestant("JAX scan on GPU", _JAX, {"platform": "gpu", "scan": True}),
    ]
