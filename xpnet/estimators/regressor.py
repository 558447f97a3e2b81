"""The multi-layer perceptron regressor."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from .. import backends, options
from ..losses import AbsoluteError, Huber, Loss, Poisson, SquaredError
from . import data
from .base import BaseMLP, is_stochastic, store_parameters

_LOSSES: dict[str, type[Loss]] = {
    "squared_error": SquaredError,
    "poisson": Poisson,
    "absolute_error": AbsoluteError,
    "huber": Huber,
}


class MLPRegressor(RegressorMixin, BaseMLP):
    r"""Multi-layer perceptron regressor: scikit-learn's, on any backend.

    Minimises the weighted mean of the loss, ``+ alpha / 2 * sum(W**2) / n`` with n the sum of the
    batch's sample weights. With scikit-learn's parameters it follows scikit-learn step by step: on
    NumPy in float64 `loss_curve_` is the same.

    Parameters
    ----------
    loss : str or Loss, default 'squared_error'
        'squared_error' (half of it, averaged over the outputs), 'poisson' (half the deviance,
        added up; predictions are ``exp(z)``), 'absolute_error', 'huber'; or a loss such as
        ``Huber(delta=0.5)``.
    hidden_layer_sizes, activation, solver, alpha, batch_size, …
        And all others as for `MLPClassifier`, but for `class_weight`. The score of
        `early_stopping` is R².

    Attributes
    ----------
    coefs_, intercepts_, loss_, loss_curve_, best_loss_, …
        As of `MLPClassifier`, but for `classes_`.

    Notes
    -----
    With several outputs and a stochastic solver the gradient of 'squared_error' is n_outputs times
    that of the loss that is reported, as in scikit-learn (its issue 8349). 'lbfgs' has the true
    gradient.

    References
    ----------
    As for `MLPClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from xpnet import MLPRegressor
    >>> X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    >>> reg = MLPRegressor(random_state=1, solver="lbfgs", max_iter=500, tol=0.1).fit(X, y)
    >>> reg.predict(X[:2]).shape
    (2,)
    >>> round(reg.score(X, y), 2)
    1.0
    """

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        backend=None,
        device=None,
        dtype=None,
        dropout=0.0,
        max_norm=None,
        alpha_scaling="batch",
        callbacks=None,
    ):
        store_parameters(self, locals())

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, validation_data: Any = None
    ) -> Self:
        """Train.

        Parameters
        ----------
        X : array, pandas data frame or sparse matrix of shape (n_samples, n_features), or Stream
            A stream has its targets and weights in itself. What is stored elsewhere (h5py, zarr,
            functions that return batches) is read as ``Stream(X, y)``.
        y : array of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array of shape (n_samples,), optional
        validation_data : tuple (X, y) or (X, y, sample_weight), optional
            Evaluated after each epoch; early stopping watches it in place of a part of the data.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Parameters or data will not do; or training diverged.
        """
        return self._fit(X, y, sample_weight, validation_data, incremental=False)

    @available_if(is_stochastic)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        self
        """
        data.check_batch(X)
        return self._fit(X, y, sample_weight, None, incremental=True)

    def _fit_targets(self, y, *, first, incremental):
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        if not first and n_outputs != self.n_outputs_:
            raise ValueError(
                f"y has {n_outputs} outputs; in the fit before it had {self.n_outputs_}."
            )

    def _encode(self, y):
        return y[:, None] if y.ndim == 1 else y

    def _count_outputs(self, t):
        return t.shape[1]

    def _make_loss(self, dtype):
        loss = options.component("loss", self.loss, Loss, _LOSSES)
        if loss.classifies:
            raise ValueError(f"loss={self.loss!r} is of classification; MLPClassifier has it.")
        if not isinstance(self.loss, str):
            return loss
        stochastic = not (isinstance(self.solver, str) and self.solver.lower() == "lbfgs")
        outputs = {SquaredError: "mixed" if stochastic else "mean", Poisson: "sum"}
        return type(loss)(outputs=outputs.get(type(loss), "mean"))

    def predict(self, X: Any) -> Any:
        """Return the predictions.

        Parameters
        ----------
        X : array, pandas data frame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
            Of X's library.
        """
        y = self._outputs(X, "predict", self._link)
        return y[:, 0] if self.n_outputs_ == 1 else y

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination R², mean over the outputs.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        float
        """
        y, weights = backends.to_host(y), backends.to_host(sample_weight)
        return float(r2_score(y, backends.to_host(self.predict(X)), sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
