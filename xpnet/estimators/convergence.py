"""When scikit-learn's training loop stops, and how it changes the rate."""

from __future__ import annotations

from typing import Any

from ..callbacks import EarlyStopping
from ..patience import Patience

_SMALLEST_RATE = 1e-6


class Convergence(EarlyStopping):
    """Stops when training loss or validation score has not improved for some epochs.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Its parameters are read.
    rate_rule : {'constant', 'invscaling', 'adaptive'}
    scores : bool
        Whether the validation score is watched, and the best parameters are restored.
    n_samples : int
        Samples that an epoch trains on.
    seen : int
        Samples that were trained on by earlier fits (`t_`).
    before : dict, optional
        What `state` returned after an earlier fit.
    incremental : bool
        Whether this is a `partial_fit`, which goes on with the earlier one's rate.

    Notes
    -----
    'invscaling' has the rate ``learning_rate_init / (t + 1)**power_t`` with t the samples seen
    before the epoch; in the first epoch of a `fit` it is `learning_rate_init`, as in scikit-learn.
    'adaptive' divides the rate by 5 where the others stop, until it is 1e-6.
    """

    def __init__(
        self,
        estimator: Any,
        rate_rule: str,
        *,
        scores: bool,
        n_samples: int,
        seen: int,
        before: dict[str, Any] | None,
        incremental: bool,
    ) -> None:
        self.monitor, self.mode = ("val_scores" if scores else "losses"), None
        self.patience = estimator.n_iter_no_change
        self.min_delta = estimator.tol
        self.restore_best = scores
        self.rate_rule = rate_rule
        self.n_samples = n_samples
        self.seen = seen
        self.initial_rate = float(estimator.learning_rate_init)
        self.power = estimator.power_t
        self._verbose = bool(estimator.verbose)
        self._before = before
        self._incremental = incremental

    def _patience(self):
        return Patience(self.patience, self.min_delta, strict=False)

    def on_fit_begin(self, fit):
        super().on_fit_begin(fit)
        self._rate = self.initial_rate
        if self.restore_best:
            self._best_params = fit.state.params
        before = self._before
        if before is not None and before["monitor"] == self.monitor:
            rate = before["rate"] if self._incremental else self._rate
            self.restore(before | {"best_params": self._best_params, "rate": rate})

    def on_epoch_begin(self, fit):
        if self.rate_rule == "invscaling":
            seen = self.seen + fit.history.n_epochs * self.n_samples
            first = fit.history.n_epochs == 0 and not self._incremental
            fit.learning_rate = self.initial_rate / (1 if first else seen + 1) ** self.power
        elif self.rate_rule == "adaptive":
            fit.learning_rate = self._rate

    def on_epoch_end(self, fit):
        history = fit.history
        self._tell("Iteration %d, loss = %.8f", history.n_epochs, history.losses[-1])
        if self.restore_best:
            self._tell("Validation score: %f", history.val_scores[-1])
        super().on_epoch_end(fit)

    def exhausted(self, fit):
        what = "Validation score" if self.restore_best else "Training loss"
        reason = f"{what} did not improve more than tol={self.min_delta:f} for {self.patience} "
        reason += "consecutive epochs."
        if self.rate_rule != "adaptive":
            end = "Stopping."
        elif self._rate <= _SMALLEST_RATE:
            end = "Learning rate too small. Stopping."
        else:
            self._rate /= 5.0
            self._tell("%s Setting learning rate to %f", reason, self._rate)
            return
        self._tell("%s %s", reason, end)
        self.stopped_epoch_ = fit.history.n_epochs
        self._counter.waited = self.patience + 1  # a warm start has no patience left
        fit.stop(reason)

    def _tell(self, line: str, *values: Any) -> None:
        if self._verbose:
            print(line % values)

    def state(self):
        own = {"monitor": self.monitor, "rate": self._rate, "n_samples": self.n_samples}
        return super().state() | own

    def restore(self, state):
        super().restore(state)
        self._rate = state["rate"]
