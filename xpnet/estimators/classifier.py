"""The multi-layer perceptron classifier."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from .. import backends, functions
from ..backends import Array
from ..losses import BinaryCrossEntropy, SoftmaxCrossEntropy
from ..placement import float_dtype
from . import data
from .base import BaseMLP, is_stochastic, store_parameters


def _has_labels(y: Any) -> bool:
    """Return whether each sample has any of several labels, rather than one class."""
    check_classification_targets(y)
    kind = type_of_target(y)
    if "multioutput" in kind:
        raise ValueError(
            f"y is {kind}: each sample needs one class, or zeros and ones for several labels."
        )
    return kind.startswith("multilabel")


class MLPClassifier(ClassifierMixin, BaseMLP):
    r"""Multi-layer perceptron classifier: scikit-learn's, on any backend.

    Minimises the weighted mean of the log loss, ``+ alpha / 2 * sum(W**2) / n`` with n the sum of
    the batch's sample weights. With scikit-learn's parameters it follows scikit-learn step by
    step: on NumPy in float64 `loss_curve_` is the same.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default (100,)
        Units of each hidden layer; () is a linear model.
    activation : str or Layer, or a sequence with one for each hidden layer, default 'relu'
        'identity', 'logistic', 'tanh', 'relu', and any other of `xpnet.layers.ACTIVATIONS`; or
        layers such as ``LeakyReLU(0.1)``.
    solver : str or Optimizer, default 'adam'
        'lbfgs', 'sgd', 'adam', any other of `xpnet.optimizers.OPTIMIZERS`, or an optimizer, which
        brings its own rate.
    alpha : float, default 1e-4
        Strength of the L2 penalty of the weights, see `alpha_scaling`.
    batch_size : int or 'auto', default 'auto'
        'auto' is ``min(200, n_samples)``. Not used by 'lbfgs'.
    learning_rate : str or Schedule, default 'constant'
        'constant'; 'invscaling', ``learning_rate_init / (t + 1)**power_t`` with t the samples seen
        before the epoch; 'adaptive', divided by 5 where training would stop. These three, as in
        scikit-learn, do not apply to 'adam' and 'lbfgs'. Or any of `xpnet.optimizers.SCHEDULES`
        ('cosine' falls over `max_iter` epochs, 'step' at each third of them), or a schedule, which
        brings its own rate.
    learning_rate_init : float, default 1e-3
    power_t : float, default 0.5
    max_iter : int, default 200
        Most epochs; of 'lbfgs' most iterations.
    shuffle : bool, default True
    random_state : int, RandomState or None
        Where initial weights, the validation set and the batches' orders are drawn from, in
        scikit-learn's order.
    tol : float, default 1e-4
        Training stops after more than `n_iter_no_change` epochs in a row in which the loss (with
        early stopping, the validation score) did not improve by this. Of 'lbfgs' the largest
        component of the gradient at the end.
    verbose : bool or int, default False
        Whether each epoch prints a line. A bar is a callback, `ProgressBar`.
    warm_start : bool, default False
        Whether `fit` goes on from the last one's end, the optimizer's state included.
    momentum : float in [0, 1], default 0.9
        Of 'sgd'.
    nesterovs_momentum : bool, default True
        Of 'sgd'.
    early_stopping : bool, default False
        Whether to watch the score of a validation set, and to end with the best parameters.
    validation_fraction : float in [0, 1), default 0.1
        The part of the data that becomes the validation set of `early_stopping`.
    beta_1, beta_2 : float in [0, 1), default 0.9, 0.999
        Of 'adam' and its relatives.
    epsilon : float, default 1e-8
        Of 'adam' and its relatives.
    n_iter_no_change : int or inf, default 10
    max_fun : int, default 15000
        Of 'lbfgs', most evaluations of the loss.
    backend : {'numpy', 'cupy', 'jax', 'torch', 'array_api_strict', 'auto'}, optional
        Where to compute. None follows X: its library, or NumPy for host data.
    device : str or device object, optional
    dtype : {'float32', 'float64'}, optional
        By default the type of X; integers become float64.
    dropout : float in [0, 1), or a sequence with one for each hidden layer, default 0
        Chance of a hidden unit to fall out in a training step.
    max_norm : float, optional
        Longer gradients are scaled down to this norm.
    alpha_scaling : {'batch', 'none'}
        'batch' divides the penalty by the samples of the batch, as scikit-learn does, so that its
        strength depends on `batch_size`; 'none' does not.
    class_weight : dict, 'balanced' or None
        Weights of the classes, by which the samples' weights are multiplied.
    callbacks : sequence of Callback, optional
        Such as ``Checkpoint(path)``; copies of them are used, see `callbacks_`.

    Attributes
    ----------
    classes_ : numpy.ndarray of shape (n_classes,)
    coefs_, intercepts_ : list of arrays
        Weights of shape (inputs, outputs) and biases of each layer; NumPy arrays, or of X's library
        where X lay on a device.
    loss_, best_loss_ : float
        Of the last epoch, whichever epoch's parameters are kept; of the best one (None with
        `early_stopping`).
    loss_curve_ : list of float
        Mean over each epoch's batches of loss and penalty before their updates.
    validation_scores_, best_validation_score_ : list of float, float
        With `early_stopping`, else None.
    validation_loss_curve_ : list of float or None
        Loss and penalty after each epoch, of `validation_data` or early stopping's set.
    history_ : History
        Curves of the last fit.
    callbacks_ : list of Callback
    stopped_ : str or None
        Why a callback ended the last fit.
    n_iter_, t_ : int
        Epochs of the last fit; samples seen in all fits.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        As scikit-learn's.

    Notes
    -----
    Data may be NumPy arrays, pandas, lists or sparse matrices on every backend: what comes out is
    NumPy. Where X is a device array, so is what comes out; labels and weights may still be on the
    host, and labels of text come out on the host.

    What differs from scikit-learn on purpose: log-probabilities are finite, pickles hold no
    optimizer state (set ``pickle_optimizer_state = True``), a warm start keeps it, and a run that
    diverges stops at once.

    References
    ----------
    Hinton (1989), "Connectionist learning procedures"; Glorot, Bengio (2010),
    https://proceedings.mlr.press/v9/glorot10a.html (initial weights); Kingma, Ba (2015),
    https://arxiv.org/abs/1412.6980 (Adam)

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from xpnet import MLPClassifier
    >>> X, y = make_classification(n_samples=100, random_state=1)
    >>> clf = MLPClassifier(random_state=1, max_iter=300, backend="numpy").fit(X, y)
    >>> clf.predict_proba(X[:1]).shape
    (1, 2)
    >>> clf.score(X, y)
    1.0
    """

    def __init__(
        self,
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
        class_weight=None,
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
        y : array of shape (n_samples,), or (n_samples, n_labels) of zeros and ones
            Classes; or, of several labels, which of them each sample has.
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
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array of shape (n_classes,)
            All classes; needed in the first call, and may be left out later.

        Returns
        -------
        self
        """
        data.check_batch(X)
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, which sees a part of "
                "the data: pass a dict of weights, or sample_weight."
            )
        self._check_classes(None if classes is None else np.asarray(backends.to_host(classes)), y)
        return self._fit(X, y, sample_weight, None, incremental=True)

    def _check_classes(self, classes: Any, y: Any) -> None:
        known = getattr(self, "classes_", None)
        if classes is None:
            if known is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
        elif np.ndim(classes) != 1 or not len(classes):
            raise ValueError(f"classes={classes!r} must have shape (n_classes,), at least one.")
        elif known is None:
            self._multilabel = _has_labels(backends.to_host(y))
            self.classes_ = unique_labels(classes)
        elif not np.array_equal(known, unique_labels(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{known!r}"
            )

    def _fit_targets(self, y, *, first, incremental):
        known = hasattr(self, "classes_") and (self.warm_start or incremental)
        if not known:
            self._multilabel = _has_labels(y)
            self.classes_ = unique_labels(y)
        elif self.warm_start and not incremental:
            classes = unique_labels(y)
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {self.classes_}, `y` has {classes}"
                )

    def _encode(self, y):
        if self._multilabel:
            if y.ndim != 2 or y.shape[1] != len(self.classes_):
                raise ValueError(
                    f"y has shape {y.shape}; (n_samples, {len(self.classes_)}) of zeros and ones "
                    "is needed, as in the fit before."
                )
            return y.astype(np.float64)
        codes = np.zeros(0, dtype=np.int64)
        if y.ndim == 1:
            codes = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        if y.ndim != 1 or (self.classes_[codes] != y).any():
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {unique_labels(y)}."
            )
        return codes if len(self.classes_) > 2 else codes[:, None].astype(np.float64)

    def _count_outputs(self, t):
        return t.shape[1] if t.ndim == 2 else len(self.classes_)

    def _make_loss(self, dtype):
        exclusive = not self._multilabel and len(self.classes_) > 2
        clip = float(np.finfo(dtype).eps)
        return SoftmaxCrossEntropy(clip) if exclusive else BinaryCrossEntropy(clip, precise=True)

    def _sample_weights(self, y, sample_weight):
        if self.class_weight is None:
            return sample_weight
        weights = compute_sample_weight(self.class_weight, y)
        return weights if sample_weight is None else weights * sample_weight

    def _stratify(self, t):
        # As in scikit-learn: of two classes, not of several.
        return t.astype(bool) if self.n_outputs_ == 1 else None

    def predict(self, X: Any) -> Any:
        """Return the classes.

        Parameters
        ----------
        X : array, pandas data frame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_labels)
            Of X's library; labels of text are a NumPy array.
        """
        p = self._outputs(X, "predict", self._link)
        if not self._multilabel and self.classes_.dtype.kind not in "iufb":
            p = backends.to_host(p)  # no device has text
        backend = backends.get(like=(p,))
        with backend.session(float_dtype(p)):
            y = self._decide(p, backend.xp)
            if self._multilabel:
                return y
            if backends.owner(y) is None:
                return self.classes_[y]
            return backend.xp.take(backend.asarray(self.classes_), y, axis=0)

    def _decide(self, p: Array, xp: Any) -> Array:
        """Return the numbers of the classes, or which labels each sample has."""
        if self._fitted_loss.exclusive:
            return xp.argmax(p, axis=-1)
        yes = xp.astype(p > 0.5, xp.asarray(0).dtype)
        if self._multilabel:
            return yes
        return yes[:, 0] if len(self.classes_) > 1 else 0 * yes[:, 0]

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array, pandas data frame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return self._outputs(X, "predict_proba", self._probabilities)

    def _probabilities(self, logits: Array, *, xp: Any) -> Array:
        p = self._link(logits, xp=xp)
        if not self._fitted_loss.exclusive and not self._multilabel:
            if len(self.classes_) == 1:
                return 0.0 * p + 1.0
            rest = xp.where(p < 1.0, 1.0 - p, self._link(-logits, xp=xp))
            p = xp.concat([rest, p], axis=-1)
        # As in scikit-learn, but for what that rounds to 0: logarithms shall be finite.
        return xp.maximum(p, float(xp.finfo(p.dtype).smallest_normal))

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of the probabilities, which are finite.

        Parameters
        ----------
        X : array, pandas data frame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        return self._outputs(X, "predict_log_proba", self._log_probabilities)

    def _log_probabilities(self, logits: Array, *, xp: Any) -> Array:
        p = self._probabilities(logits, xp=xp)
        if len(self.classes_) == 1:
            return xp.log(p)
        if self._fitted_loss.exclusive:
            logs = functions.log_softmax(logits, xp=xp)
        else:
            logs = -functions.softplus(-logits, xp=xp)
            if not self._multilabel:
                logs = xp.concat([-functions.softplus(logits, xp=xp), logs], axis=-1)
        # Small ones from the logits, where log(0) is no number; large ones as `predict_proba`
        # rounds them, so that both have the same largest class.
        return xp.where(p > 0.5, xp.log(xp.maximum(p, 0.5)), logs)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy; of several labels, all must be right.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        float
        """
        y, weights = backends.to_host(y), backends.to_host(sample_weight)
        found = backends.to_host(self.predict(X))
        return float(accuracy_score(y, found, sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
