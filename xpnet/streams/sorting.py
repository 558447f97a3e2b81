"""Whether data are sorted by target, so that a buffer sees only some of the targets."""

from __future__ import annotations

import warnings

import numpy as np

from .plan import Plan
from .stream import Stream

_MOST_BLOCKS = 16
"""So many blocks are looked at."""

_SORTED = 0.5
"""Blocks look sorted where differences between them are more than this part of the variance."""

_ENOUGH = 0.2
"""With a buffer of this part of the data the order costs little."""


def warn_if_sorted(stream: Stream, plan: Plan) -> None:
    """Warn where the blocks look sorted by target, and a buffer is small beside the data."""
    buffer = plan.ranks * plan.rows_per_buffer / stream.n_samples
    if buffer >= _ENOUGH or not _look_sorted(stream):
        return
    warnings.warn(
        f"The blocks look sorted by target, and a buffer holds {buffer:.1%} of the samples. In our "
        "measurement, with a full shuffle's accuracy at 0.803, buffers of 5, 10 and 20 % of sorted "
        "data reached 0.737, 0.753 and 0.792. Shuffle the data once, or pass a larger "
        f"buffer_bytes than {stream.buffer_bytes}.",
        UserWarning,
        stacklevel=5,
    )


def _look_sorted(stream: Stream) -> bool:
    """Return whether targets differ between blocks much more than within them."""
    n_blocks = len(stream.source.lengths)
    chosen = np.unique(np.linspace(0, n_blocks - 1, _MOST_BLOCKS).astype(int))
    parts = []
    for block in chosen:
        # Of a block that is read in pieces, each piece is as good as a block.
        for t in stream.targets(int(block)):
            codes = t if t.dtype.kind in "biuf" else np.unique(t, return_inverse=True)[1]
            parts.append(codes.reshape(len(t), -1)[:, 0].astype(np.float64))
    if len(parts) < 2:
        return False
    within = np.average([part.var() for part in parts], weights=[len(part) for part in parts])
    return bool(within < (1.0 - _SORTED) * np.concatenate(parts).var())
