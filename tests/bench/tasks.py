"""Small tasks."""

from __future__ import annotations

import functools

from xpnet.bench.workloads import WORKLOADS, make_task


@functools.cache
def small(name):
    """A workload's task: three batches an epoch, the last one smaller, two epochs."""
    return make_task(WORKLOADS[name].shortened(epochs=2, batches=3))[0]
