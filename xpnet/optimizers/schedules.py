"""Learning-rate schedules: functions of the time and of the loss curve, on the host.

Time is counted in epochs or in steps, from 0. A schedule has no state: `Plateau` is a function of
the curve (of which it remembers only what it has read), so a run that is resumed has the rates of
the uninterrupted one.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import validation
from ..patience import Patience

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseTime",
    "Plateau",
    "Schedule",
    "StepDecay",
]


class Schedule(ABC):
    """Base class of the schedules.

    Parameters
    ----------
    learning_rate : float or array of shape (models, 1)
        The initial rate.
    unit : {'epoch', 'step'}
        What time is counted in.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet.optimizers import SGD, Schedule
    >>> class Halves(Schedule):
    ...     def factor(self, time):
    ...         return 0.5**time
    >>> Halves(0.4).rates(np.arange(2), epoch=1).ravel()
    array([0.2, 0.2])
    >>> optimizer = SGD(Halves(0.4))
    """

    def __init__(self, learning_rate: Any, *, unit: str = "epoch") -> None:
        self.learning_rate = validation.check_hyperparameter("learning_rate", learning_rate)
        self.unit = validation.check_choice("unit", unit, ["epoch", "step"])

    @abstractmethod
    def factor(self, time: np.ndarray) -> np.ndarray:
        """Return what the initial rate is multiplied by at each time.

        Parameters
        ----------
        time : float64 array of shape (n, 1, 1)
            From 0.

        Returns
        -------
        float64 array of shape (n, 1, 1) or (n, models, 1)
        """

    def rates(self, steps: np.ndarray, epoch: int, curve: Sequence[Any] = ()) -> np.ndarray:
        """Return the rates of an epoch's steps.

        Parameters
        ----------
        steps : integer array of shape (n,)
            Numbers of the steps, from 0.
        epoch : int
            Number of the epoch, from 0.
        curve : sequence
            The monitored loss of each epoch so far: numbers, or arrays of shape (models,).

        Returns
        -------
        float64 array of shape (n, 1, 1) or (n, models, 1)

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import Exponential
        >>> Exponential(0.1, gamma=0.5).rates(np.arange(2), epoch=3).ravel()
        array([0.0125, 0.0125])
        """
        time = steps if self.unit == "step" else np.full(len(steps), epoch)
        factor = self.factor(time.astype(np.float64)[:, None, None])
        return np.asarray(self.learning_rate) * factor

    def __repr__(self) -> str:
        options = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if k[0] != "_")
        return f"{type(self).__name__}({options})"


class Constant(Schedule):
    """The same rate always.

    Examples
    --------
    >>> import numpy as np
    >>> Constant(0.1).factor(np.arange(3.0))
    array([1., 1., 1.])
    """

    def factor(self, time):
        return np.ones_like(time)


class StepDecay(Schedule):
    """Multiplied by `gamma` every `every` epochs (or steps): ``gamma ** floor(time / every)``.

    Parameters
    ----------
    learning_rate, unit
        As for `Schedule`.
    every : int
    gamma : float or array of shape (models, 1), in (0, 1], default 0.1

    Examples
    --------
    >>> import numpy as np
    >>> StepDecay(0.1, every=2, gamma=0.5).factor(np.arange(5.0))
    array([1.  , 1.  , 0.5 , 0.5 , 0.25])
    """

    def __init__(self, learning_rate: Any, every: int, gamma: Any = 0.1, *, unit: str = "epoch"):
        super().__init__(learning_rate, unit=unit)
        self.every = validation.check_integer("every", every)
        self.gamma = validation.check_hyperparameter("gamma", gamma, high=1.0, open_low=True)

    def factor(self, time):
        return self.gamma ** np.floor(time / self.every)


class Exponential(Schedule):
    """Multiplied by `gamma` each epoch (or step): ``gamma ** time``.

    Parameters
    ----------
    learning_rate, unit
        As for `Schedule`.
    gamma : float or array of shape (models, 1), in (0, 1], default 0.95

    Examples
    --------
    >>> import numpy as np
    >>> Exponential(0.1, gamma=0.5).factor(np.arange(3.0))
    array([1.  , 0.5 , 0.25])
    """

    def __init__(self, learning_rate: Any, gamma: Any = 0.95, *, unit: str = "epoch"):
        super().__init__(learning_rate, unit=unit)
        self.gamma = validation.check_hyperparameter("gamma", gamma, high=1.0, open_low=True)

    def factor(self, time):
        return self.gamma**time


class InverseTime(Schedule):
    """Divided by ``1 + decay * time``: the tutorials' learning-rate decay.

    Parameters
    ----------
    learning_rate, unit
        As for `Schedule`.
    decay : float or array of shape (models, 1), default 0.1

    Examples
    --------
    >>> import numpy as np
    >>> InverseTime(0.1, decay=1.0).factor(np.arange(4.0)).round(3)
    array([1.   , 0.5  , 0.333, 0.25 ])
    """

    def __init__(self, learning_rate: Any, decay: Any = 0.1, *, unit: str = "epoch"):
        super().__init__(learning_rate, unit=unit)
        self.decay = validation.check_hyperparameter("decay", decay)

    def factor(self, time):
        return 1.0 / (1.0 + self.decay * time)


class Cosine(Schedule):
    """A linear warm-up, then half a cosine down to `final`, where it stays.

    Parameters
    ----------
    learning_rate, unit
        As for `Schedule`.
    total : int
        Epochs (or steps) until the end, warm-up included.
    warmup : int, default 0
        Epochs (or steps) of the warm-up: the first has the rate ``learning_rate / warmup``.
    final : float or array of shape (models, 1), in [0, 1], default 0
        The last rate, as a part of `learning_rate`.

    References
    ----------
    Loshchilov, Hutter (2017), https://arxiv.org/abs/1608.03983

    Examples
    --------
    >>> import numpy as np
    >>> Cosine(0.1, total=6, warmup=2).factor(np.arange(7.0)).round(3)
    array([0.5  , 1.   , 1.   , 0.854, 0.5  , 0.146, 0.   ])
    """

    def __init__(
        self,
        learning_rate: Any,
        total: int,
        warmup: int = 0,
        final: Any = 0.0,
        *,
        unit: str = "epoch",
    ):
        super().__init__(learning_rate, unit=unit)
        self.total = validation.check_integer("total", total)
        self.warmup = validation.check_integer("warmup", warmup, minimum=0)
        self.final = validation.check_hyperparameter("final", final, high=1.0)
        if self.warmup >= self.total:
            raise ValueError(f"warmup={warmup} must be below total={total}.")

    def factor(self, time):
        done = np.clip((time - self.warmup) / (self.total - self.warmup), 0.0, 1.0)
        decay = self.final + (1.0 - self.final) * 0.5 * (1.0 + np.cos(np.pi * done))
        rising = (time + 1.0) / max(self.warmup, 1)
        return np.where(time < self.warmup, rising, decay)


class Plateau(Schedule):
    """Multiplied by `reduction` whenever the monitored loss has stopped falling.

    The monitored loss is the validation loss where there is one, else the training loss. After
    more than `patience` epochs in a row without a loss below ``best - min_delta`` the rate is
    reduced and the count begins again (torch's ReduceLROnPlateau with an absolute threshold).

    Parameters
    ----------
    learning_rate : float or array of shape (models, 1)
    reduction : float or array of shape (models, 1), in (0, 1), default 0.1
    patience : int, default 10
    min_delta, min_rate : float or array of shape (models, 1), default 1e-4, 0
        No `min_rate` may be above a `learning_rate`.

    Examples
    --------
    >>> import numpy as np
    >>> plateau = Plateau(1.0, reduction=0.5, patience=1)
    >>> plateau.rates(np.arange(1), epoch=3, curve=[2.0, 2.0, 2.0]).ravel()
    array([0.5])
    """

    def __init__(
        self,
        learning_rate: Any,
        reduction: Any = 0.1,
        patience: int = 10,
        min_delta: Any = 1e-4,
        min_rate: Any = 0.0,
    ):
        super().__init__(learning_rate)
        self.reduction = validation.check_hyperparameter(
            "reduction", reduction, high=1.0, open_low=True, open_high=True
        )
        self.patience = validation.check_integer("patience", patience, minimum=0)
        self.min_delta = validation.check_hyperparameter("min_delta", min_delta)
        self.min_rate = validation.check_hyperparameter("min_rate", min_rate)
        if np.any(np.max(self.min_rate) > np.asarray(self.learning_rate)):
            raise ValueError(f"min_rate={min_rate!r} is above learning_rate={learning_rate!r}.")
        self._memo = self._unread()

    def factor(self, time):
        return np.ones_like(time)

    def rates(self, steps, epoch, curve=()):
        reductions = self._read(tuple(curve))
        rate = np.maximum(self.learning_rate * self.reduction**reductions, self.min_rate)
        return np.broadcast_to(rate, (len(steps), *rate.shape))

    def _unread(self) -> tuple[tuple[Any, ...], Patience, np.ndarray]:
        return (), Patience(self.patience, self.min_delta), np.zeros((1, 1))

    def _read(self, curve: tuple[Any, ...]) -> np.ndarray:
        """Return how often the rate was reduced, of shape (1, 1) or (models, 1)."""
        read, patience, reductions = self._memo
        patience = copy.copy(patience)  # another thread may read it too
        if len(read) > len(curve) or any(a is not b for a, b in zip(read, curve, strict=False)):
            read, patience, reductions = self._unread()
        for entry in curve[len(read) :]:
            loss = np.reshape(np.asarray(entry, dtype=np.float64), (-1, 1))
            reductions = reductions + patience.update(loss)
        # Not a state, only what has been read already: a longer curve is read from there.
        self._memo = curve, patience, reductions
        return reductions


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": StepDecay,
    "exponential": Exponential,
    "inverse_time": InverseTime,
    "cosine": Cosine,
    "plateau": Plateau,
}
"""The schedules by name."""
