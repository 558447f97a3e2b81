"""What a run leaves behind: curves of losses and scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import validation

__all__ = ["History"]


def _plain(entry: Any) -> Any:
    if isinstance(entry, float) or np.ndim(entry) == 0:
        return float(entry)
    return np.asarray(entry)


@dataclass(repr=False)
class History:
    """Curves of a training run; of a stack, each entry is an array of shape (models,).

    Attributes
    ----------
    losses : list
        Training loss of each epoch: the weighted mean of the recorded losses of all its steps,
        plus the penalty after its last update, divided by the sum of the sample weights.
    val_losses : list
        Validation loss after each epoch, its penalty divided in the same way.
    scores, val_scores : list
        Accuracy (classification) or R² (regression) after each epoch.
    step_losses : list
        Mean loss of each batch, where `fit` was asked to keep them.
    seconds : list
        Wall time of each epoch, evaluation included.

    Examples
    --------
    >>> History(losses=[0.7, 0.6])
    <History of 2 epochs: last losses 0.6>
    """

    losses: list = field(default_factory=list)
    val_losses: list = field(default_factory=list)
    scores: list = field(default_factory=list)
    val_scores: list = field(default_factory=list)
    step_losses: list = field(default_factory=list)
    seconds: list = field(default_factory=list)

    def __repr__(self) -> str:
        last = {name: curve[-1] for name, curve in vars(self).items() if curve}
        told = ", ".join(f"{name} {np.round(last[name], 6)}" for name in last if name != "seconds")
        return f"<History of {self.n_epochs} epochs{': last ' if told else ''}{told}>"

    @property
    def n_epochs(self) -> int:
        """How many epochs were run."""
        return len(self.losses)

    @property
    def monitored(self) -> list:
        """The curve that plateaus are looked for in: validation losses if there are any."""
        return self.val_losses or self.losses

    def append(self, **entries: Any) -> None:
        """Add an epoch's entries, by the curves' names; None adds nothing."""
        for name, entry in entries.items():
            if entry is not None:
                getattr(self, name).append(_plain(entry))

    def model(self, index: int) -> History:
        """Return the curves of one model of a stack.

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import History
        >>> History(losses=[np.array([0.7, 0.9])]).model(1).losses
        [0.9]
        """
        n_models = max((np.size(entry) for entry in self.losses), default=1)
        index = validation.check_integer("index", index, minimum=-n_models)
        if index >= n_models:
            raise IndexError(f"index={index}; there are {n_models} models, counted from 0.")
        return History(
            **{
                name: [float(np.atleast_1d(entry)[index]) for entry in curve]
                for name, curve in vars(self).items()
                if name != "seconds"
            },
            seconds=list(self.seconds),
        )
