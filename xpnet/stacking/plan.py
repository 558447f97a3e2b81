"""Which models are trained in one stack: those of one shape, as many as the memory holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from ..backends import Backend
from ..problems import shape
from .requests import Request, Setting

_log = logging.getLogger("xpnet")

_MOST_MODELS = 256
"""On the host larger stacks are no faster."""

_PART = 0.5
"""So much of the free memory may a stack take."""


def plan(
    requests: Sequence[Request],
    setting: Setting,
    backend: Backend,
    memory: int | None = None,
    n_jobs: int = 1,
    say: Callable[[str], None] = _log.info,
) -> list[list[int]]:
    """Return the numbers of the requests of each stack.

    Parameters
    ----------
    requests : sequence of Request
        Their components are xpnet's own.
    setting : Setting
    backend : Backend
    memory : int, optional
        Bytes that all stacks that are trained at a time may take; half of what is free if None.
    n_jobs : int
        So many stacks are trained at a time.
    say : callable
        Is told what memory they will take.
    """
    groups: dict[Any, list[int]] = {}
    for number, request in enumerate(requests):
        groups.setdefault(_shape(request), []).append(number)
    memory = allowed(backend, memory)
    stacks, most = [], 0
    for numbers in groups.values():
        each = bytes_needed(requests[numbers[0]], setting)
        size = _size(len(numbers), each, memory, n_jobs, on_host=backend.device_name == "cpu")
        most = max(most, each * min(size, len(numbers)))
        stacks += [numbers[start : start + size] for start in range(0, len(numbers), size)]
    limit = "" if memory is None else f" of {memory / 1e6:,.0f} MB that they may take"
    say(
        f"{len(requests)} nets in {len(stacks)} stacks of at most {max(map(len, stacks))}, about "
        f"{most * n_jobs / 1e6:,.1f} MB at a time{limit}."
    )
    return stacks


def allowed(backend: Backend, memory: int | None) -> int | None:
    """Return how many bytes may be taken: what was asked for, or half of what is free."""
    free = backend.free_memory() if memory is None else None
    return memory if free is None else int(free * _PART)


def _size(wanted: int, each: int, memory: int | None, n_jobs: int, *, on_host: bool) -> int:
    """Return how many models a stack has."""
    size = -(-wanted // n_jobs)
    if on_host:
        size = min(size, _MOST_MODELS)
    if memory is not None:
        size = min(size, max(1, memory // (each * n_jobs)))
    return max(1, size)


def _shape(request: Request) -> Any:
    """Return what must be equal for models of one stack."""
    held_out = request.held_out_rows
    return (
        shape(request.problem),
        len(request.rows),
        None if held_out is None else len(held_out),
        request.weights is None,
        repr(request.batches),
        (request.state.step, request.state.epoch),
        len(request.state.optimizer_state),
        request.state.dropout_seed is None,
    )


def bytes_needed(request: Request, setting: Setting) -> int:
    """Return about how many bytes a model of a stack takes while it is trained.

    The state twice (an epoch's begin and end), gradient and temporary arrays, a batch in every
    layer and back, and the order of the rows.
    """
    network = request.problem.network
    item = 8 if setting.dtype == "float64" else 4
    state = 1 + len(request.problem.optimizer.state_names)
    widths = network.n_features_in + sum(
        layer.n_outputs or network.widest for layer in network.layers
    )
    batch = request.batches.size(len(request.rows)) * widths
    own = 0 if request.weights is None else 24 * len(request.weights)
    return item * ((2 * state + 3) * network.n_params + 3 * batch) + 32 * len(request.rows) + own
