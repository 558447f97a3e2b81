"""What scikit-learn's MLP has not: weights of classes, dropout, more layers, rules and losses."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_sample_weight

from xpnet import (
    SGD,
    AbsoluteError,
    AdaGrad,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Dense,
    Dropout,
    Exponential,
    Glorot,
    Huber,
    Identity,
    InverseTime,
    LeakyReLU,
    Lion,
    MLPClassifier,
    MLPRegressor,
    Nadam,
    Network,
    Penalty,
    Plateau,
    Poisson,
    ReLU,
    RMSprop,
    SoftmaxCrossEntropy,
    SquaredError,
    StepDecay,
    Tanh,
    Trainer,
    backends,
)
from xpnet.layers import ACTIVATIONS
from xpnet.optimizers import OPTIMIZERS, SCHEDULES

EPOCHS = 12
OPTIONS = {
    "hidden_layer_sizes": (7, 5),
    "activation": "tanh",
    "batch_size": 16,
    "learning_rate_init": 0.01,
    "max_iter": EPOCHS,
    "n_iter_no_change": EPOCHS,
    "random_state": 0,
}
X, CLASSES = make_classification(70, 4, n_informative=3, n_redundant=1, n_classes=3, random_state=1)
NAMES = np.array(["a", "b", "c"])[CLASSES]
UNEQUAL = CLASSES * (np.arange(70) % 3 > 0)
TARGETS = make_regression(70, 4, n_targets=2, random_state=2)[1] / 100.0
ONE = TARGETS[:, 0]
WEIGHTS = np.linspace(0.2, 2.0, 70)


def fit(kind, x, y, *args, method="fit", **options):
    """Fit for a few epochs, at the end of which nothing has converged."""
    estimator = kind(**OPTIONS | options)
    if method == "fit":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return estimator.fit(x, y, *args)
    return estimator.partial_fit(x, y, *args)


def classifier(*args, **options):
    return fit(MLPClassifier, X, CLASSES, *args, **options)


def regressor(*args, **options):
    return fit(MLPRegressor, X, ONE, *args, **options)


def parameters(estimator):
    """All weights and biases as one vector, layer by layer."""
    pairs = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    return np.concatenate([np.ravel(backends.to_host(p)) for pair in pairs for p in pair])


def close(found, expected, rtol=1e-12):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


def same(a, b, rtol=1e-12):
    if a.solver != "lbfgs":
        close(a.loss_curve_, b.loss_curve_, rtol)
    close(parameters(a), parameters(b), rtol)


def differ(a, b):
    return np.abs(parameters(a) - parameters(b)).max() > 1e-6


@pytest.mark.parametrize("y", [UNEQUAL, NAMES, CLASSES > 0])
@pytest.mark.parametrize(
    "options", [{}, {"solver": "sgd"}, {"solver": "lbfgs", "max_iter": 5}, {"early_stopping": True}]
)
@pytest.mark.parametrize("given", ["balanced", "dict", "part"])
def test_class_weight_is_a_sample_weight(y, options, given):
    labels = np.unique(y).tolist()
    class_weight = {
        "balanced": "balanced",
        "dict": dict(zip(labels, (1.0, 5.0, 0.5), strict=False)),
        "part": {labels[-1]: 4.0},
    }[given]
    weights = compute_sample_weight(class_weight, y)
    ours = fit(MLPClassifier, X, y, class_weight=class_weight, **options)
    same(ours, fit(MLPClassifier, X, y, weights, **options))
    assert differ(ours, fit(MLPClassifier, X, y, **options)) or np.ptp(weights) == 0.0


def test_class_weight_multiplies_the_sample_weight():
    class_weight = {0: 1.0, 1: 5.0, 2: 0.5}
    factors = compute_sample_weight(class_weight, CLASSES)
    same(classifier(WEIGHTS, class_weight=class_weight), classifier(WEIGHTS * factors))


def test_class_weight_in_partial_fit():
    class_weight = {0: 1.0, 1: 5.0, 2: 0.5}
    factors = compute_sample_weight(class_weight, CLASSES)
    same(
        classifier(None, [0, 1, 2], method="partial_fit", class_weight=class_weight),
        classifier(factors, [0, 1, 2], method="partial_fit"),
    )


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_batches_without_weight(solver):
    """scikit-learn divides by zero there; here they say nothing, and the penalty does no harm."""
    weights = np.where(np.arange(64) < 32, 0.0, 1.0)
    options = {"solver": solver, "shuffle": False, "momentum": 0.0}
    ours = fit(MLPClassifier, X[:64], CLASSES[:64], weights, **options)
    assert np.isfinite(ours.loss_curve_).all()
    assert max(ours.loss_curve_) < 5.0
    assert np.abs(parameters(ours)).max() < 5.0
    if solver == "sgd":
        ours = fit(MLPClassifier, X[:64], CLASSES[:64], weights, **options, alpha=0.0)
        rest = fit(MLPClassifier, X[32:64], CLASSES[32:64], **options, alpha=0.0)
        close(parameters(ours), parameters(rest))


def test_dropout_is_of_training_only():
    ours, plain = classifier(dropout=0.3), classifier()
    p = ours.predict_proba(X)
    np.testing.assert_array_equal(p, ours.predict_proba(X))
    np.testing.assert_array_equal(p[:5], ours.predict_proba(X[:5]))
    assert differ(ours, plain)
    hidden = X
    for w, b in zip(ours.coefs_[:-1], ours.intercepts_[:-1], strict=True):
        hidden = np.tanh(hidden @ w + b)
    z = hidden @ ours.coefs_[-1] + ours.intercepts_[-1]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    close(p, e / e.sum(axis=1, keepdims=True))


def test_dropout_comes_from_the_random_state():
    same(classifier(dropout=0.3), classifier(dropout=0.3), rtol=0.0)
    assert differ(classifier(dropout=0.3), classifier(dropout=0.3, random_state=1))


def test_a_rate_for_each_layer():
    same(classifier(dropout=(0.3, 0.3)), classifier(dropout=0.3), rtol=0.0)
    same(classifier(dropout=[0.0, 0.0]), classifier(), rtol=0.0)
    assert differ(classifier(dropout=(0.3, 0.0)), classifier(dropout=(0.0, 0.3)))


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_dropout_is_the_same_on_every_backend(backend, dtype, kind):
    train = {"classifier": classifier, "regressor": regressor}[kind]
    expected = train(dropout=(0.2, 0.4), dtype=dtype)
    place = {"backend": backend.name, "device": backend.device_name}
    found = train(dropout=(0.2, 0.4), dtype=dtype, **place)
    same(found, expected, 1e-10 if dtype == "float64" else 1e-4)


def by_trainer(layers, loss, optimizer, t, *, division="together", **options):
    """The parameters that a trainer reaches: in scikit-learn's order of things, rows in order."""
    scaled = []
    for layer in layers:
        if isinstance(layer, Dense):
            layer = Dense(layer.n_features_in, layer.n_outputs, Glorot(), Glorot())
        scaled.append(layer)
    penalty = Penalty(l2=1e-4, division=division)
    trainer = Trainer(Network(scaled), loss, optimizer, penalty=penalty, random_state=0, **options)
    trainer.fit(X, t, epochs=EPOCHS, batch_size=16, sampling="sequential")
    return trainer.state_.params


ADAM = Adam(0.01, eps_form="plain")
SOFTMAX = SoftmaxCrossEntropy()


@pytest.mark.parametrize(
    ("activation", "layers"),
    [
        (("tanh", "relu"), (Tanh(), ReLU())),
        (["leaky_relu", "identity"], (LeakyReLU(), Identity())),
        ((LeakyReLU(0.1), "tanh"), (LeakyReLU(0.1), Tanh())),
        ([LeakyReLU(0.3), LeakyReLU(0.1)], (LeakyReLU(0.3), LeakyReLU(0.1))),
        ("gelu", (ACTIVATIONS["gelu"](), ACTIVATIONS["gelu"]())),
    ],
)
def test_an_activation_for_each_layer(activation, layers):
    first, second = layers
    net = [Dense(4, 7), first, Dense(7, 5), second, Dense(5, 3)]
    ours = classifier(activation=activation, shuffle=False)
    close(parameters(ours), by_trainer(net, SOFTMAX, ADAM, CLASSES), 1e-10)


def test_dropout_and_activations_are_the_trainers():
    net = [Dense(4, 7), Tanh(), Dropout(0.2), Dense(7, 5), ReLU(), Dropout(0.4), Dense(5, 3)]
    ours = classifier(activation=("tanh", "relu"), dropout=(0.2, 0.4), shuffle=False)
    close(parameters(ours), by_trainer(net, SOFTMAX, ADAM, CLASSES), 1e-10)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("logistic", "logistic"), "logistic"),
        ("sigmoid", "logistic"),
        (("relu", "relu"), "relu"),
        ((Tanh(), "tanh"), "tanh"),
        ("leaky_relu", (LeakyReLU(), LeakyReLU())),
    ],
)
def test_activations_of_two_names(one, other):
    """'logistic' is scikit-learn's to the last digit, 'sigmoid' the quick one."""
    rtol = 1e-10 if one == "sigmoid" else 0.0
    same(classifier(activation=one), classifier(activation=other), rtol)


@pytest.mark.parametrize("name", [*ACTIVATIONS, "logistic"])
@pytest.mark.parametrize("train", [classifier, regressor])
def test_every_activation(name, train):
    curve = train(activation=name).loss_curve_
    assert curve[-1] < curve[0]


OBJECTS = {
    "sgd": SGD(0.01),
    "adagrad": AdaGrad(0.01),
    "rmsprop": RMSprop(0.01),
    "adam": Adam(0.01),
    "adamw": AdamW(0.01),
    "nadam": Nadam(0.01),
    "lion": Lion(0.01),
}


def test_every_optimizer_is_tried():
    assert list(OBJECTS) == list(OPTIMIZERS)


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("train", [classifier, regressor])
def test_every_optimizer(name, train):
    for solver in (name, OBJECTS[name]):
        curve = train(solver=solver).loss_curve_
        assert len(curve) == EPOCHS
        assert curve[-1] < curve[0]


@pytest.mark.parametrize("name", ["adagrad", "rmsprop", "adamw", "nadam", "lion"])
def test_the_name_of_an_optimizer_has_its_defaults(name):
    same(classifier(solver=name), classifier(solver=OBJECTS[name]))
    assert differ(classifier(solver=name), classifier(solver=name, learning_rate_init=0.02))


LAYERS = [Dense(4, 7), Tanh(), Dense(7, 5), Tanh(), Dense(5, 3)]


@pytest.mark.parametrize(
    "optimizer",
    [
        RMSprop(0.02, centered=True),
        Adam(0.02, amsgrad=True),
        SGD(0.05, momentum=0.8, dampening=0.3),
        AdamW(Exponential(0.02, gamma=0.8)),
        Lion(Cosine(0.01, total=EPOCHS)),
    ],
)
def test_an_optimizer_handed_in_is_the_trainers(optimizer):
    ours = classifier(solver=optimizer, shuffle=False)
    close(parameters(ours), by_trainer(LAYERS, SOFTMAX, optimizer, CLASSES), 1e-10)


RATES = {
    "constant": Constant(0.01),
    "step": StepDecay(0.01, every=3, gamma=0.5),
    "exponential": Exponential(0.01),
    "inverse_time": InverseTime(0.01),
    "cosine": Cosine(0.01, total=EPOCHS),
    "plateau": Plateau(0.01, min_delta=1.0, patience=1),
}


def test_every_schedule_is_tried():
    assert list(RATES) == list(SCHEDULES)


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_every_schedule(name, solver):
    for schedule in (name, RATES[name]):
        curve = classifier(solver=solver, learning_rate=schedule).loss_curve_
        assert len(curve) == EPOCHS
        assert curve[-1] < curve[0]


@pytest.mark.parametrize("name", ["exponential", "inverse_time", "cosine"])
def test_the_name_of_a_schedule_has_its_defaults(name):
    ours = classifier(learning_rate=name)
    same(ours, classifier(learning_rate=RATES[name]))
    assert differ(ours, classifier())


@pytest.mark.parametrize("name", RATES)
def test_a_schedule_handed_in_is_the_trainers(name):
    """Plateau's curve of losses is not the trainer's to the last digit, but its rates are."""
    rate = RATES[name]
    ours = classifier(learning_rate=rate, shuffle=False)
    expected = by_trainer(LAYERS, SOFTMAX, Adam(rate, eps_form="plain"), CLASSES)
    close(parameters(ours), expected, 1e-10)
    ours = classifier(solver="sgd", learning_rate=rate, shuffle=False)
    rule = SGD(rate, momentum=0.9, nesterov=True, velocity_form="steps")
    close(parameters(ours), by_trainer(LAYERS, SOFTMAX, rule, CLASSES), 1e-10)


def test_a_schedule_begins_anew_in_each_fit():
    ours = MLPClassifier(**OPTIONS | {"learning_rate": Plateau(0.02, patience=0, min_delta=0.1)})
    curves = []
    for _ in range(2):
        with pytest.warns(ConvergenceWarning):
            curves.append(ours.fit(X, CLASSES).loss_curve_)
    assert curves[0] == curves[1]


def test_a_schedule_goes_on_in_partial_fit():
    """Each call is an epoch of the schedule: the rates of a fit."""
    options = {"learning_rate": Exponential(0.01, gamma=0.5), "shuffle": False}
    ours = MLPClassifier(**OPTIONS | options)
    for _ in range(EPOCHS):
        ours.partial_fit(X, CLASSES, classes=[0, 1, 2])
    same(ours, classifier(**options))


LOSSES = {
    "squared_error": (SquaredError(), lambda d: 0.5 * d**2),
    "absolute_error": (AbsoluteError(), np.abs),
    "huber": (Huber(), lambda d: np.where(np.abs(d) < 1.0, 0.5 * d**2, np.abs(d) - 0.5)),
}
LOSSES["small huber"] = (
    Huber(0.3),
    lambda d: np.where(np.abs(d) < 0.3, 0.5 * d**2, 0.3 * (np.abs(d) - 0.15)),
)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("y", [ONE, TARGETS], ids=["one output", "two"])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_of_regression_by_hand(name, y, weighted):
    """With steps of next to nothing the curve is the loss of the net that is predicted with."""
    loss, elements = LOSSES[name]
    options = {"learning_rate_init": 1e-13, "batch_size": 70, "alpha": 0.5, "max_iter": 1}
    weights = WEIGHTS if weighted else None
    given = loss if name == "small huber" else name
    ours = fit(MLPRegressor, X, y, weights, loss=given, **options)
    of_samples = elements(ours.predict(X) - y).reshape(70, -1).mean(axis=1)
    total = 70 if weights is None else weights.sum()
    l2 = 0.25 * sum((w**2).sum() for w in ours.coefs_) / total
    close(ours.loss_curve_, [np.average(of_samples, weights=weights) + l2], 1e-9)


@pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError(), Huber(), Poisson()])
def test_the_name_of_a_loss(loss):
    name = {SquaredError: "squared_error", AbsoluteError: "absolute_error", Huber: "huber"}
    y, options = np.abs(ONE), {"loss": name.get(type(loss), "poisson")}
    ours = fit(MLPRegressor, X, y, **options)
    assert ours.loss_curve_[-1] < ours.loss_curve_[0]
    same(ours, fit(MLPRegressor, X, y, loss=loss), rtol=0.0)


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_a_loss_of_regression_is_the_trainers(loss):
    net = [*LAYERS[:-1], Dense(5, 2)]
    ours = fit(MLPRegressor, X, TARGETS, loss=loss, shuffle=False)
    close(parameters(ours), by_trainer(net, LOSSES[loss][0], ADAM, TARGETS), 1e-10)


def test_the_median_withstands_outliers():
    """Absolute errors end at the median of the targets, squared ones at their mean."""
    x, y = np.zeros((9, 1)), np.array([1.0] * 7 + [50.0, 60.0])
    found = {}
    for loss in ("absolute_error", "squared_error"):
        estimator = MLPRegressor(
            loss,
            (),
            solver="lbfgs" if loss == "squared_error" else "sgd",
            alpha=0.0,
            learning_rate_init=0.05,
            momentum=0.0,
            tol=0.0,
            max_iter=2000,
            n_iter_no_change=2000,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found[loss] = estimator.fit(x, y).predict(x)[0]
    assert found["absolute_error"] == pytest.approx(1.0, abs=0.1)
    assert found["squared_error"] == pytest.approx(y.mean(), rel=1e-4)


# A single step of descent from known weights, without a hidden layer: the gradient is on paper.
STEP = {
    "hidden_layer_sizes": (),
    "solver": "sgd",
    "momentum": 0.0,
    "learning_rate_init": 0.1,
    "shuffle": False,
    "max_iter": 1,
    "random_state": 0,
}


def start():
    """The weights that training begins with."""
    rng, bound = np.random.RandomState(0), np.sqrt(6.0 / (4 + 2))
    return rng.uniform(-bound, bound, (4, 2)), rng.uniform(-bound, bound, 2)


@pytest.mark.parametrize("scaling", ["batch", "none"])
@pytest.mark.parametrize("batch_size", [70, 35, 30])
@pytest.mark.parametrize("weighted", [False, True])
def test_alpha_scaling_by_hand(scaling, batch_size, weighted):
    """'none': a batch's gradient is that of its mean loss and alpha * W, whatever its size."""
    alpha, weights = 0.7, WEIGHTS if weighted else np.ones(70)
    options = STEP | {"alpha": alpha, "batch_size": batch_size, "alpha_scaling": scaling}
    ours = fit(MLPRegressor, X, TARGETS, WEIGHTS if weighted else None, **options)
    (w, b), losses = start(), []
    for first in range(0, 70, batch_size):
        rows = slice(first, first + batch_size)
        size = weights[rows].sum()
        strength = alpha / size if scaling == "batch" else alpha
        d = X[rows] @ w + b - TARGETS[rows]
        loss = np.average(0.5 * (d**2).mean(axis=1), weights=weights[rows])
        losses.append((loss + 0.5 * strength * (w**2).sum()) * len(d))
        d = d * weights[rows, None]
        w, b = w - 0.1 * (X[rows].T @ d / size + strength * w), b - 0.1 * d.sum(axis=0) / size
    close(ours.coefs_[0], w)
    close(ours.intercepts_[0], b)
    close(ours.loss_curve_, [sum(losses) / 70])


def test_alpha_scaling_of_lbfgs():
    """At the optimum, without a hidden layer, the gradient is zero: ridge regression."""
    alpha = 0.7
    ours = fit(
        MLPRegressor, X, ONE, **{"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": alpha},
        alpha_scaling="none", tol=1e-12, max_iter=500,
    )  # fmt: skip
    x, y = X - X.mean(axis=0), ONE - ONE.mean()
    w = np.linalg.solve(x.T @ x / 70 + alpha * np.eye(4), x.T @ y / 70)
    close(np.ravel(ours.coefs_[0]), w, 1e-5)


@pytest.mark.parametrize("max_norm", [0.01, 0.3, 1e6])
def test_max_norm_by_hand(max_norm):
    options = STEP | {"alpha": 0.7, "batch_size": 70}
    ours = fit(MLPRegressor, X, TARGETS, max_norm=max_norm, **options)
    w, b = start()
    d = X @ w + b - TARGETS
    g = np.concatenate([np.ravel((X.T @ d + 0.7 * w) / 70), d.sum(axis=0) / 70])
    shorter = min(1.0, max_norm / np.linalg.norm(g))
    assert (shorter < 1.0) == (max_norm < 1.0)
    before = np.concatenate([np.ravel(w), b])
    close(parameters(ours), before - 0.1 * shorter * g)


def test_max_norm_is_the_trainers():
    ours = classifier(max_norm=0.05, shuffle=False)
    close(parameters(ours), by_trainer(LAYERS, SOFTMAX, ADAM, CLASSES, max_norm=0.05), 1e-10)


CARRIED = [
    {"solver": "adam"},
    {"solver": "sgd"},
    {"solver": "sgd", "nesterovs_momentum": False},
    {"solver": "rmsprop"},
    {"solver": Adam(0.01, amsgrad=True)},
    {"learning_rate": Exponential(0.01, gamma=0.8)},
]


@pytest.mark.parametrize("options", CARRIED, ids=str)
@pytest.mark.parametrize("train", [classifier, regressor])
def test_warm_start_carries_the_optimizer(options, train):
    """Two fits of k epochs are one of 2k (scikit-learn's issue 6091)."""
    options = options | {"shuffle": False}
    whole = train(**options | {"max_iter": 10})
    halves = train(**options | {"max_iter": 5, "warm_start": True})
    with pytest.warns(ConvergenceWarning):
        halves.fit(X, CLASSES if train is classifier else ONE)
    assert len(halves.loss_curve_) == 10
    same(halves, whole)
    assert halves.t_ == whole.t_ == 700


def test_log_probabilities_are_finite():
    """scikit-learn's are the logarithms of probabilities that were rounded to 0."""
    far = 1e5 * X
    for y, shape in ((CLASSES, (70, 3)), (CLASSES > 0, (70, 2)), (TARGETS > 0, (70, 2))):
        ours = fit(MLPClassifier, X, y, activation="identity")
        p, logs = ours.predict_proba(far), ours.predict_log_proba(far)
        assert 0.0 < p.min() < 1e-300
        assert p.shape == logs.shape == shape
        assert np.isfinite(logs).all()
        assert logs.min() < -800.0
        assert logs.max() <= 0.0
        np.testing.assert_allclose(np.exp(logs), p, rtol=1e-9, atol=1e-300)
        close(ours.predict_log_proba(X), np.log(ours.predict_proba(X)), 1e-9)


def test_log_probabilities_of_far_float32():
    ours = fit(MLPClassifier, X.astype(np.float32), CLASSES, activation="identity")
    logs = ours.predict_log_proba(np.float32(1e5) * X.astype(np.float32))
    assert logs.dtype == np.float32
    assert np.isfinite(logs).all()
    assert logs.min() < -800.0
