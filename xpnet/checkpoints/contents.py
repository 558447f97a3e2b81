"""What a file holds: a net, and what its run needs to go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..history import History
from ..losses import Loss
from ..network import Network
from ..optimizers import Optimizer
from ..penalties import Penalty
from ..state import TrainState


@dataclass(frozen=True, eq=False)
class Training:
    """What a run needs to go on.

    Attributes
    ----------
    state : TrainState
        Its params are the file's.
    history : History
    optimizer : Optimizer or None
        None in a file that was loaded where the optimizer or its schedule is not one of xpnet's:
        a file names no others, the run goes on with the script's own object.
    penalty : Penalty or None
    max_norm : float, array of shape (models, 1) or None
    callbacks : tuple of dict
        States of callbacks: numbers, texts and arrays at any depth of dicts, lists and tuples.
    foreign : dict or None
        What the file says of an optimizer that is not xpnet's.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from xpnet import Adam, Dense, Network, Trainer, checkpoints
    >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
    >>> net = Network([Dense(1, 1)])
    >>> trainer = Trainer(net, "binary_cross_entropy", Adam(0.1), random_state=0)
    >>> history = trainer.fit(x, t, epochs=5)
    >>> training = checkpoints.Training(trainer.state_, history, Adam(0.1), None)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = checkpoints.save(f"{folder}/run", net, None, training=training)
    ...     saved = checkpoints.load(path)
    >>> saved.training.state.epoch, saved.training.history.losses == history.losses
    (5, True)
    >>> goes_on = trainer.fit(x, t, epochs=5, state=saved.training.state)
    """

    state: TrainState
    history: History
    optimizer: Optimizer | None
    penalty: Penalty | None
    max_norm: Any = None
    callbacks: tuple[dict[str, Any], ...] = ()
    foreign: dict[str, Any] | None = None

    @property
    def kept_params(self) -> Any:
        """The parameters that the fit ends with: the best that early stopping has, or the last."""
        best = (own["best_params"] for own in self.callbacks if "best_params" in own)
        return next((params for params in best if params is not None), self.state.params)


@dataclass(frozen=True, eq=False)
class Saved:
    """What a file holds.

    Attributes
    ----------
    network : Network
    params : numpy.ndarray of shape (n_params,) or (models, n_params)
        In the type in which they were saved.
    loss : Loss or None
    metadata : dict
    training : Training or None

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from xpnet import Dense, Network, checkpoints
    >>> net = Network([Dense(1, 1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = checkpoints.save(f"{folder}/net", net, net.initialize(np.random.RandomState(0)))
    ...     saved = checkpoints.load(path)
    >>> saved.network.n_params, saved.loss, saved.params.shape
    (2, None, (2,))
    """

    network: Network
    params: np.ndarray
    loss: Loss | None
    metadata: dict[str, Any]
    training: Training | None = None
