"""What comes out of a source, put together again."""

from __future__ import annotations

import numpy as np


def together(source):
    """All rows of all blocks: features, targets, and weights or None."""
    pieces = [piece for k in range(len(source.lengths)) for piece in source.read(k)]
    x, t, weights = zip(*pieces, strict=True)
    joined = np.concatenate(weights) if source.weighted else None
    return np.concatenate(x), np.concatenate(t), joined


def targets(source):
    """All targets of all blocks, read without the features."""
    return np.concatenate([t for k in range(len(source.lengths)) for t in source.targets(k)])


def same(one, other):
    """Whether two arrays are equal bit for bit."""
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and one.tobytes() == other.tobytes()
