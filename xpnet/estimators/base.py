"""What the classifier and the regressor share: a fit, in scikit-learn's order of events."""

from __future__ import annotations

import copy
import math
import warnings
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .. import backends, options
from ..callbacks import Checkpoint
from ..history import History
from ..losses import Loss
from ..network import Network
from ..optimizers import SGD, Optimizer
from ..placement import float_dtype
from ..stacking import Outcome
from ..state import TrainState, initial_state, snapshots
from ..step import Problem
from ..streams.recognition import as_stream
from ..trainer import Trainer
from ..training import DivergenceError
from . import data, files, lbfgs, parameters, streamed
from .attributes import OF_FITS
from .convergence import Convergence
from .data import Labelled
from .fitted import FittedMLP, kind_of
from .parameters import Parameters

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)


def is_stochastic(estimator: Any) -> bool:
    """Say whether there is a `partial_fit`."""
    if isinstance(estimator.solver, str) and estimator.solver.lower() == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True


def store_parameters(estimator: Any, arguments: dict[str, Any]) -> None:
    """Make a constructor's arguments attributes, as they are."""
    given = {name: v for name, v in arguments.items() if name not in ("self", "__class__")}
    vars(estimator).update(given)


class BaseMLP(FittedMLP, ABC):
    """Base class of the estimators: how they are fitted."""

    @abstractmethod
    def _fit_targets(self, y: np.ndarray, *, first: bool, incremental: bool) -> None:
        """Learn what the targets are, or check that they are still the same."""

    @abstractmethod
    def _encode(self, y: np.ndarray) -> np.ndarray:
        """Return checked y as the loss takes it."""

    @abstractmethod
    def _count_outputs(self, t: np.ndarray) -> int:
        """Return how many outputs the network has, given encoded targets."""

    @abstractmethod
    def _make_loss(self, dtype: str) -> Loss:
        """Return the loss that is minimised."""

    def _sample_weights(self, y: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray | None:
        """Return the sample weights that the loss takes."""
        return sample_weight

    def _stratify(self, t: np.ndarray) -> np.ndarray | None:
        """Return what the validation set of early stopping is stratified by."""
        return None

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, validation_data: Any, *, incremental: bool
    ) -> Self:
        checked = parameters.check(self)
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        stream = None if incremental else as_stream(X, y, sample_weight)
        if stream is not None:
            if checked.optimizer is None:
                raise ValueError("A stream needs another solver than 'lbfgs'.")
            train = streamed.labelled(self, stream, reset=first)
        else:
            X, y = data.check_fit(self, X, y, reset=first, numeric=is_regressor(self))
            weights = data.check_weights(sample_weight, X.shape[0])
            self._fit_targets(y, first=first, incremental=incremental)
            train = Labelled(X, self._encode(y), self._sample_weights(y, weights))
        held_out = None
        if validation_data is not None:
            if checked.optimizer is None:
                raise ValueError("validation_data needs another solver than 'lbfgs'.")
            held_out = self._held_out(validation_data, train)
        if first:
            self._forget()
        rng = check_random_state(self.random_state)
        dtype = data.float_type(self, train.X) if first else float_dtype(self.coefs_[0])
        if checked.optimizer is None:
            self._fit_lbfgs(train, self._begin(train, checked, dtype, rng, first), checked, dtype)
            return self
        rng, metadata = files.begin(self, rng, checked.callbacks, resume=not incremental)
        state = self._begin(train, checked, dtype, rng, first)
        if self.early_stopping and held_out is None:
            stratify = self._stratify(train.t)
            train, held_out = data.split(train, rng, self.validation_fraction, stratify)
        data.warn_of_batch_size(self.batch_size, train.n_samples)
        self._fit_stochastic(
            train,
            checked,
            self._make_trainer(checked, dtype),
            rng,
            incremental=incremental,
            validation_data=None if held_out is None else held_out.arguments,
            state=replace(state, generators=snapshots((rng,))),
            metadata=metadata,
        )
        return self

    def _held_out(self, validation_data: Any, train: Labelled) -> Labelled:
        """Return the checked validation set."""
        X, y, weights = options.check_held_out(validation_data)
        try:
            X, y = data.check_fit(self, X, y, reset=False, numeric=is_regressor(self))
            weights = data.check_weights(weights, X.shape[0])
            t = self._encode(y)
            if t.shape[1:] != train.t.shape[1:]:
                raise ValueError(f"y has shape {y.shape}; {train.t.shape[1]} outputs are needed.")
            return Labelled(X, t, self._sample_weights(y, weights))
        except (ValueError, TypeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"validation_data: {error}") from error

    def _begin(
        self,
        train: Labelled,
        checked: Parameters,
        dtype: str,
        rng: np.random.RandomState,
        first: bool,
    ) -> TrainState:
        """Make network and loss; return where the fit begins: drawn anew, or the last one's end."""
        network = checked.network(train.X.shape[1], self._count_outputs(train.t))
        if not first:
            self._check_sizes(network)
        self._set_network(network, self._make_loss(dtype))
        self._fitted_loss.prepare(train.t, network.n_outputs, "y")  # says what is wrong with y
        optimizer = checked.optimizer or SGD()
        problem = Problem(network, self._fitted_loss, optimizer, checked.penalty)
        if first:
            return initial_state(problem, (rng,), False, None)
        params, (last, kind) = self._params(), self._memory
        fresh = initial_state(problem, (rng,), False, None, backends.to_host(params))
        if last is None or kind != kind_of(optimizer):
            return replace(fresh, params=params)
        seed = fresh.dropout_seed if last.dropout_seed is None else last.dropout_seed
        return replace(last, params=params, order=None, dropout_seed=seed)

    def _forget(self) -> None:
        """Forget what earlier fits learned."""
        self._memory = None, None
        self._convergence: dict[str, Any] | None = None
        for name in OF_FITS:
            self.__dict__.pop(name, None)

    def _check_sizes(self, network: Network) -> None:
        """Raise where the network cannot go on from `coefs_`."""
        needed = [p.shape for layer in network.layers for p in layer.parameters if p.penalized]
        found = [tuple(coef.shape) for coef in self.coefs_]
        if needed != found:
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} needs weights of shape {needed}; "
                f"those of the fit before, which this one goes on from, have {found}."
            )

    def _make_trainer(self, checked: Parameters, dtype: str) -> Trainer:
        return Trainer(
            self._network,
            self._fitted_loss,
            checked.optimizer,
            penalty=checked.penalty,
            max_norm=self.max_norm,
            backend=self.backend,
            device=self.device,
            dtype=dtype,
            random_state=options.plain_seeds(self.random_state),
        )

    def _fit_stochastic(
        self,
        train: Labelled,
        checked: Parameters,
        trainer: Trainer,
        rng: np.random.RandomState,
        *,
        incremental: bool,
        **fit: Any,
    ) -> None:
        convergence = self._make_convergence(checked, train.n_samples, incremental=incremental)
        x, t, weights = train.arguments
        streamed = train.stream is not None
        self.callbacks_ = copy.deepcopy(checked.callbacks)
        for callback in self.callbacks_ if incremental else ():
            if isinstance(callback, Checkpoint):
                callback.resume = False  # each call is an epoch of its own
        failure: DivergenceError | None = None
        try:
            trainer.fit(
                x,
                t,
                epochs=1 if incremental else self.max_iter,
                sampling=parameters.batches(self, train.n_samples, streamed=streamed),
                sample_weight=weights,
                objectives=True,
                callbacks=[convergence, *self.callbacks_],
                **fit,
            )
        except KeyboardInterrupt:
            if not hasattr(trainer, "state_"):  # nothing was begun
                raise
            warnings.warn("Training interrupted by user.", stacklevel=4)
        except DivergenceError as error:
            failure = error
        rng.set_state(trainer.state_.generators[0])
        outcome = Outcome(trainer.state_, trainer.history_, trainer.stopped_, failure)
        self._end(outcome, convergence, checked.optimizer, train.X)
        if self.verbose and self.stopped_ is not None and convergence.stopped_epoch_ is None:
            print(f"Stopped after iteration {self.n_iter_}: {self.stopped_}.")
        if failure is not None:
            self._diverged(failure)
        elif trainer.stopped_ is None and not incremental and self.n_iter_ == self.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _make_convergence(
        self, checked: Parameters, n_samples: int, *, incremental: bool = False
    ) -> Convergence:
        return Convergence(
            self,
            checked.rate_rule,
            scores=bool(self.early_stopping),
            n_samples=n_samples,
            seen=getattr(self, "t_", 0),
            before=getattr(self, "_convergence", None),
            incremental=incremental,
        )

    def _end(
        self, outcome: Outcome, convergence: Convergence, optimizer: Optimizer | None, X: Any
    ) -> None:
        """Take over what a stochastic fit leaves behind."""
        self._set_params(outcome.state.params, X)
        self._remember(outcome.state, optimizer)
        if outcome.failure is not None:
            nan = math.nan
            outcome.history.append(losses=nan, val_losses=nan, val_scores=nan)
        self._adopt(outcome.history, convergence.state())
        self.stopped_ = outcome.stopped

    def _adopt(self, history: History, convergence: dict[str, Any]) -> None:
        """Take over the numbers that a stochastic fit leaves behind."""
        self.history_ = history
        self._convergence = convergence | {"best_params": None}
        self.n_iter_ = history.n_epochs
        self.t_ = getattr(self, "t_", 0) + convergence["n_samples"] * self.n_iter_
        scores = self._extended("validation_scores_", history.val_scores)
        self.validation_scores_ = scores if self.early_stopping else None
        self.validation_loss_curve_ = self._extended("validation_loss_curve_", history.val_losses)
        self.loss_curve_ = [*getattr(self, "loss_curve_", []), *history.losses]
        if self.loss_curve_:
            self.loss_ = self.loss_curve_[-1]
        best = float(convergence["best"])
        self.best_loss_ = None if self.early_stopping else best
        self.best_validation_score_ = -best if self.early_stopping else None

    def _extended(self, name: str, curve: list[float]) -> list[float] | None:
        """Return the curve of all fits, NaN where one had none; None if none had one."""
        before = getattr(self, name, None)
        if before is None and not curve:
            return None
        if before is None:
            before = [math.nan] * len(getattr(self, "loss_curve_", []))
        return [*before, *(curve or [math.nan] * self.n_iter_)]

    def _diverged(self, failure: DivergenceError) -> None:
        """Say that training diverged: a warning where early stopping has kept good parameters."""
        if not self.early_stopping:
            raise ValueError(f"{NOT_FINITE} {failure}") from failure
        warnings.warn(f"{failure} The best parameters are kept.", ConvergenceWarning, stacklevel=5)

    def _fit_lbfgs(
        self, train: Labelled, state: TrainState, checked: Parameters, dtype: str
    ) -> None:
        place = self._placement(train.X, dtype, checked.penalty)
        with place.session():
            found = lbfgs.minimize(
                place,
                place.samples(train.X, train.t, train.weights),
                place.floats(state.params),
                max_iter=self.max_iter,
                max_fun=self.max_fun,
                tol=self.tol,
                verbose=bool(self.verbose),
            )
            if not (np.isfinite(found.x).all() and np.isfinite(found.fun)):
                raise ValueError(NOT_FINITE)
            params = place.floats(found.x)
        self._set_params(params, train.X)
        self.loss_, self.n_iter_, self.t_ = float(found.fun), int(found.nit), 0
        self._memory = None, None
