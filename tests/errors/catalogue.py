"""The wrong calls: which argument of which right call is changed, to what, and what is raised.

A line is ``(owner, argument, value, exception)``, and a name that the message must hold where it
is not the argument's own: some are told by scikit-learn, in its words.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from right_calls import BINARY, FOLDER, NET, T, X, trainer
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

import xpnet
from xpnet import Adam, Dense, MLPClassifier, SquaredError, Tanh, TimeLimit

NAN, INF = np.nan, np.inf
TE, VE, IE = TypeError, ValueError, InvalidParameterError
MISSING = Path("/nowhere/at/all")


class Odd:
    """Nothing that anybody wants."""

    def __repr__(self):
        return "Odd()"


ODD = Odd()
NAN_X = np.full((12, 3), NAN)
STATE = trainer(random_state=0).initialize()


def each(owners, *lines):
    """Return the lines for several owners."""
    return [(owner, *line) for owner in owners for line in lines]


def reals(owner, name, *wrong):
    """Return the lines of a number: what no number is, NaN, and what is out of its range."""
    values = (("a", TE), (NAN, VE), ([1.0, 2.0], VE), *((value, VE) for value in wrong))
    return [(owner, name, value, error) for value, error in values]


def counts(owner, name, smallest=1, *, none=False):
    """Return the lines of a whole number."""
    values = ((smallest - 1, VE), (2.5, TE), ("3", TE), (True, TE), (NAN, TE))
    return [(owner, name, value, error) for value, error in (*values, *(((None, TE),) * none))]


def flags(*owners_and_names):
    """Return the lines of what must be True or False."""
    return [
        (owner, name, value, TE)
        for owner, name in owners_and_names
        for value in ("yes", 1, None, np.ones(2))
    ]


def choices(*owners_and_names):
    """Return the lines of what is one of some names."""
    return [(owner, name, value, VE) for owner, name in owners_and_names for value in ("nun", ODD)]


def paths(*owners):
    """Return the lines of a path."""
    return each(owners, ("path", 3, TE), ("path", None, TE), ("path", b"net", TE))


LAYERS = [
    *counts("Dense", "n_features_in"),
    *counts("Dense", "n_outputs"),
    ("Dense", "weight_init", "glorot", TE),
    ("Dense", "weight_init", xpnet.Glorot, TE),
    ("Dense", "bias_init", 0.0, TE),
    *reals("Dropout", "rate", -0.1, 1.0, INF),
    *reals("ELU", "alpha", -1.0, INF),
    *reals("LeakyReLU", "negative_slope", -1.0, INF),
    *flags(("Dense", "bias"), ("Sigmoid", "precise")),
    ("Network", "layers", 3, TE),
    ("Network", "layers", [], VE),
    ("Network", "layers", [Tanh()], VE),
    ("Network", "layers", [Dense(3, 4), "tanh"], TE),
    ("Network", "layers", [Dense(3, 4), Tanh], TE),
    ("Network", "layers", [Dense(3, 4), Dense(5, 1)], VE),
    ("Network.initialize", "random_state", -1, VE),
    ("Network.initialize", "random_state", "0", TE),
    ("Network.initialize", "random_state", 0.5, TE),
    ("Network.flatten", "parameters", [X], TE),
    ("Network.flatten", "parameters", {"W1": X}, VE),
    ("Network.flatten", "parameters", NET.unflatten(NET.initialize(0)) | {"b1": X}, VE, "b1"),
    ("Network.unflatten", "params", None, VE),
    ("Network.unflatten", "params", X, VE),
]

INITIALIZERS = [
    *choices(*((name, "distribution") for name in ("Glorot", "He", "LeCun"))),
    *(line for name in ("Glorot", "He", "LeCun") for line in reals(name, "scale", 0.0, INF)),
    *reals("Normal", "std", -1.0, INF),
    *reals("Uniform", "limit", -1.0, INF),
]

LOSSES = [
    *choices(*((n, "outputs") for n in ("AbsoluteError", "Huber", "Poisson", "SquaredError"))),
    *reals("BinaryCrossEntropy", "clip", 0.5, -1e-3),
    *reals("BinaryCrossEntropy", "offset", 0.0, INF),
    *flags(("BinaryCrossEntropy", "precise")),
    *reals("SoftmaxCrossEntropy", "clip", 0.5, -1e-3),
    *reals("SoftmaxCrossEntropy", "offset", 0.0, INF),
    *reals("Huber", "delta", 0.0, INF),
    *each(
        ("Loss.value", "Loss.gradient"),
        ("logits", np.zeros(3), VE),
        ("logits", np.zeros((5, 3)), VE),
        ("logits", NAN_X, VE),
        ("logits", "a", TE),
        ("t", T + 1, VE),
        ("t", T[:5], VE),
        ("t", T * NAN, VE),
        ("t", None, TE),
        ("weights", np.ones(5), VE),
        ("weights", -np.ones(12), VE),
        ("weights", np.zeros(12), VE),
        ("weights", np.full(12, NAN), VE),
        ("weights", "a", TE),
    ),
    *reals("Penalty", "l1", -0.1, INF),
    *reals("Penalty", "l2", -0.1, INF),
    *choices(("Penalty", "division")),
]

RATED = ("AdaGrad", "Adam", "AdamW", "Lion", "Nadam", "RMSprop", "SGD")
SCHEDULED = ("Constant", "Cosine", "Exponential", "InverseTime", "Plateau", "StepDecay")
ADAMS = ("Adam", "AdamW", "Nadam")
OPTIMIZERS = [
    *(line for name in RATED + SCHEDULED for line in reals(name, "learning_rate", -0.1, INF)),
    *(line for name in ("AdaGrad", "RMSprop", *ADAMS) for line in reals(name, "eps", 0.0, INF)),
    *(line for n in ("Lion", *ADAMS) for line in reals(n, "beta1", -0.1, 1.0)),
    *(line for n in ("Lion", *ADAMS) for line in reals(n, "beta2", -0.1, 1.0)),
    *flags(*((name, "amsgrad") for name in ADAMS), ("RMSprop", "centered"), ("SGD", "nesterov")),
    *choices(*((name, "eps_form") for name in ADAMS), ("SGD", "velocity_form")),
    *reals("AdamW", "weight_decay", -0.1, INF),
    *reals("Lion", "weight_decay", -0.1, INF),
    *reals("Nadam", "momentum_decay", -0.1, INF),
    *reals("RMSprop", "rho", -0.1, 1.0),
    *reals("SGD", "momentum", -0.1, 1.1),
    *reals("SGD", "dampening", -0.1, 1.1),
    ("SGD", "nesterov", True, VE),
    *counts("Cosine", "total"),
    *counts("Cosine", "warmup", 0),
    ("Cosine", "warmup", 10, VE),
    *reals("Cosine", "final", -0.1, 1.1),
    *reals("Exponential", "gamma", 0.0, 1.1),
    *reals("StepDecay", "gamma", 0.0, 1.1),
    *counts("StepDecay", "every"),
    *reals("InverseTime", "decay", -0.1, INF),
    *reals("Plateau", "reduction", 0.0, 1.0),
    *counts("Plateau", "patience", 0),
    *reals("Plateau", "min_delta", -0.1, INF),
    *reals("Plateau", "min_rate", -0.1, INF),
    *choices(*((name, "unit") for name in SCHEDULED if name != "Plateau")),
]

BATCHES = [
    *(
        line
        for name in ("InOrder", "Reshuffled", "Shuffled", "WithReplacement")
        for line in counts(name, "batch_size")
    ),
    ("WithReplacement", "lengths", 3, TE),
    ("WithReplacement", "lengths", [0], VE),
    ("WithReplacement", "lengths", "ab", TE),
    ("batch_partition", "X", X[0], VE),
    ("batch_partition", "X", NAN_X.T, VE),
    ("batch_partition", "X", "a", TE),
    ("batch_partition", "Y", X[:5].T, VE),
    ("batch_partition", "Y", None, TE),
    *counts("batch_partition", "batch_size", none=True),
    ("batch_partition", "seed", -1, VE),
    ("batch_partition", "seed", "a", TE),
]

CALLBACKS = [
    *paths("CSVLogger", "Checkpoint"),
    *counts("Checkpoint", "every", none=True),
    *reals("Checkpoint", "every_seconds", -1.0, INF),
    *flags(("Checkpoint", "resume"), ("EarlyStopping", "restore_best")),
    ("EarlyStopping", "monitor", "val_loss", VE),
    ("EarlyStopping", "monitor", 3, VE),
    *counts("EarlyStopping", "patience", 0, none=True),
    *reals("EarlyStopping", "min_delta", -0.1, INF),
    ("EarlyStopping", "mode", "least", VE),
    ("LearningRateSchedule", "schedule", 0.1, TE),
    ("LearningRateSchedule", "schedule", xpnet.Cosine, TE),
    ("ProgressBar", "label", 3, TE),
    *reals("TimeLimit", "seconds", 0.0, -1.0, INF),
    ("History.model", "index", 2, IndexError),
    ("History.model", "index", -3, VE),
    ("History.model", "index", "a", TE),
]

SEEDS = (("random_state", "0", TE), ("random_state", 0.5, TE), ("random_state", -1, VE))
PLACES = (
    ("backend", "numpi", VE),
    ("backend", 1, VE),
    ("device", "cuda", VE),
    ("dtype", "float16", VE),
    ("dtype", int, VE),
)
FEATURES = (
    ("x", X[0], VE),
    ("x", X[:, :2], VE),
    ("x", X[:0], VE),
    ("x", NAN_X, VE),
    ("x", X.astype(str), TE),
    ("x", X.astype(object), TE),
    ("x", X + 0j, TE),
    ("x", None, TE),
    ("x", [[1.0, 2.0], [1.0]], VE),
)
CLASSES = (
    ("t", T[:5], VE),
    ("t", T + 1, VE),
    ("t", T * NAN, VE),
    ("t", T + 0.5, VE),
    ("t", T[:, None], VE),
    ("t", T.astype(str), TE),
    ("t", None, TE),
)
WEIGHTS = (
    ("sample_weight", np.ones(5), VE),
    ("sample_weight", -np.ones(12), VE),
    ("sample_weight", np.zeros(12), VE),
    ("sample_weight", np.full(12, NAN), VE),
    ("sample_weight", "a", TE),
)
HELD_OUT = (
    ("validation_data", X, TE),
    ("validation_data", (X,), TE),
    ("validation_data", (X[:, :2], T), VE, "validation_x"),
    ("validation_data", (X, T + 1), VE, "validation_t"),
    ("validation_data", (X, T, T[:5]), VE, "validation_sample_weight"),
)
HOW = (
    ("sampling", "shufle", VE),
    ("sampling", xpnet.Shuffled, VE),
    ("step_losses", "befor", VE),
    ("callbacks", None, TE),
    ("callbacks", print, TE),
    ("callbacks", TimeLimit(1), TE),
    ("callbacks", [TimeLimit], TE),
)

TRAINER = [
    ("Trainer", "network", Dense(3, 1), TE),
    ("Trainer", "network", [Dense(3, 1)], TE),
    ("Trainer", "loss", "sqared_error", VE),
    ("Trainer", "loss", SquaredError, TE),
    ("Trainer", "loss", None, TE),
    ("Trainer", "optimizer", "adem", VE),
    ("Trainer", "optimizer", 0.1, TE),
    ("Trainer", "optimizer", xpnet.Constant(0.1), TE),
    ("Trainer", "penalty", 0.1, TE),
    *reals("Trainer", "max_norm", 0.0, INF),
    *each(("Trainer",), *PLACES, *SEEDS),
    ("Trainer", "random_state", [], VE),
    ("Trainer", "comm", 2, TE),
    ("Trainer", "comm", "world", TE),
    ("Trainer", "average_every", 2, VE),
    ("Trainer", "transport", "nccl", VE),
    ("Trainer", "transport", ODD, VE),
    ("Trainer", "random_state", [0, "a"], TE),
    *flags(
        ("Trainer", "compile"),
        ("Trainer.fit", "train_score"),
        ("Trainer.fit", "objectives"),
        ("Trainer.save", "optimizer_state"),
    ),
    *counts("Trainer.fit", "epochs"),
    *counts("Trainer.fit", "iterations"),
    *counts("Trainer.fit", "batch_size"),
    *each(("Trainer.fit",), *FEATURES, *CLASSES, *WEIGHTS, *HELD_OUT, *HOW),
    ("Trainer.fit", "state", {}, TE),
    ("Trainer.fit", "state", np.zeros(31), TE),
    ("Trainer.fit", "state", trainer(optimizer=Adam()).initialize(), VE),
    ("Trainer.fit", "metadata", [1], TE),
    ("Trainer.fit", "metadata", {"fit": 1}, TE),
    ("Trainer.initialize", "params", np.zeros(3), VE),
    ("Trainer.initialize", "params", np.full(31, NAN), VE),
    ("Trainer.initialize", "params", "a", TE),
    *each(("Trainer.evaluate", "Trainer.loss_and_gradient"), *FEATURES, *CLASSES, *WEIGHTS),
    *each(("Trainer.predict", "Trainer.logits"), *FEATURES),
    ("Trainer.loss_and_gradient", "state", "a", TE),
    ("Trainer.loss_and_gradient", "state", STATE, VE),
    *paths("Trainer.save", "Trainer.load"),
    ("Trainer.save", "path", FOLDER, IsADirectoryError),
    ("Trainer.load", "path", MISSING, FileNotFoundError, "/nowhere/at/all"),
    ("Trainer.load", "path", FOLDER, FileNotFoundError, str(FOLDER)),
    *each(("Trainer.load",), *PLACES),
    ("Trainer.load", "optimizer", 3, TE),
]

MANY = [
    ("fit_many", "trainers", trainer(), TE),
    ("fit_many", "trainers", [], VE),
    ("fit_many", "trainers", [NET], TE),
    ("fit_many", "trainers", [trainer(random_state=[0, 1])], VE),
    *each(("fit_many",), *FEATURES, *CLASSES, *WEIGHTS, *HELD_OUT, *HOW),
    ("fit_many", "rows", [[0, 12]], VE),
    ("fit_many", "rows", [[0.5]], VE),
    ("fit_many", "rows", 3, VE),
    ("fit_many", "rows", [[0], [1]], VE),
    *counts("fit_many", "epochs", none=True),
    *counts("fit_many", "batch_size"),
    ("fit_many", "epochs", [1, 2], VE),
    ("fit_many", "validation_rows", [[-1]], VE),
    ("fit_many", "validation_rows", "a", VE),
    ("fit_many", "states", [None, None], VE),
    ("fit_many", "states", {"a": STATE}, VE),
    ("fit_many", "states", ["a"], TE, r"states[0]"),
    *flags(("fit_many", "train_score"), ("fit_many", "objectives")),
    ("fit_many", "n_jobs", "2", TE),
    ("fit_many", "n_jobs", 0, VE),
    *counts("fit_many", "memory"),
    ("fit_many", "progress", 3, TE),
    ("fit_many", "progress", None, TE),
]

GRADIENTS = [
    ("check_gradients", "network", [Dense(3, 3)], TE),
    ("check_gradients", "loss", 3, TE),
    *each(("check_gradients",), *FEATURES, *CLASSES, *WEIGHTS, *SEEDS, *PLACES[:3]),
    ("check_gradients", "params", np.zeros(3), VE),
    ("check_gradients", "params", np.full(31, NAN), VE),
    ("check_gradients", "penalty", 0.1, TE),
    *reals("check_gradients", "h", 0.0, -1.0, INF),
    ("numerical_gradient", "f", 3, TE),
    ("numerical_gradient", "params", X, VE),
    ("numerical_gradient", "params", [NAN], VE),
    ("numerical_gradient", "params", "a", TE),
    *reals("numerical_gradient", "h", 0.0, INF),
    ("numerical_gradient", "backend", "numpy", TE),
    ("numerical_gradient", "dtype", "int32", VE),
    *counts("numerical_gradient", "stack", none=True),
]

ESTIMATORS = ("MLPClassifier", "MLPRegressor")
SKLEARN_X = (
    ("X", NAN_X, VE),
    ("X", X[0], VE, "Expected 2D array"),
    ("X", X[None], VE, "dim 3"),
    ("X", "a", VE, "convert string to float"),
    ("X", None, VE, "Expected 2D array"),
)
SKLEARN_WEIGHTS = (
    ("sample_weight", np.ones(5), VE),
    ("sample_weight", np.full(12, NAN), VE),
    ("sample_weight", -np.ones(12), VE),
)
MLP = [
    line
    for owner in ESTIMATORS
    for line in (
        (owner, "hidden_layer_sizes", (4, 0), VE),
        (owner, "hidden_layer_sizes", 2.5, TE),
        (owner, "hidden_layer_sizes", "4", TE),
        (owner, "activation", "relo", VE),
        (owner, "activation", 3, TE),
        (owner, "activation", ["relu", "tanh"], VE),
        (owner, "activation", Dense(2, 2), TE),
        (owner, "solver", "adem", VE),
        (owner, "solver", Adam, TE),
        (owner, "solver", Adam(np.ones((2, 1))), VE),
        *reals(owner, "alpha", -0.1, INF),
        (owner, "batch_size", 0, VE),
        (owner, "batch_size", 2.5, TE),
        (owner, "batch_size", None, TE),
        (owner, "batch_size", "outo", VE),
        (owner, "learning_rate", "cosin", VE),
        (owner, "learning_rate", 0.1, TE),
        *reals(owner, "learning_rate_init", 0.0, -1.0, INF),
        *reals(owner, "power_t", -0.1, INF),
        *counts(owner, "max_iter", none=True),
        *counts(owner, "max_fun", none=True),
        *flags((owner, "shuffle"), (owner, "warm_start"), (owner, "nesterovs_momentum")),
        *flags((owner, "early_stopping")),
        *each((owner,), *SEEDS, *PLACES),
        *reals(owner, "tol", -0.1, INF),
        (owner, "verbose", "yes", TE),
        (owner, "verbose", -1, VE),
        *reals(owner, "momentum", -0.1, 1.1),
        *reals(owner, "validation_fraction", -0.1, 1.0),
        *reals(owner, "beta_1", -0.1, 1.0),
        *reals(owner, "beta_2", -0.1, 1.0),
        *reals(owner, "epsilon", 0.0, INF),
        *counts(owner, "n_iter_no_change", none=True),
        *reals(owner, "dropout", -0.1, 1.0)[:2],
        (owner, "dropout", 1.0, VE),
        (owner, "dropout", [0.1, 0.2], VE),
        *reals(owner, "max_norm", 0.0, INF),
        *choices(*[(owner, "alpha_scaling")]),
        (owner, "callbacks", TimeLimit(1), TE),
        (owner, "callbacks", [print], TE),
        *each(
            (f"{owner}.fit", f"{owner}.partial_fit"),
            *SKLEARN_X,
            ("y", np.full(12, NAN), VE),
            ("y", T[:5], VE, "inconsistent numbers of samples"),
            *SKLEARN_WEIGHTS,
        ),
        (f"{owner}.fit", "y", None, VE),
        (f"{owner}.fit", "validation_data", X, TE),
        (f"{owner}.fit", "validation_data", (X,), TE),
        *each((f"{owner}.predict", f"{owner}.score"), *SKLEARN_X, ("X", X[:, :2], VE)),
        (f"{owner}.score", "y", np.full(12, NAN), VE, "NaN"),
        (f"{owner}.score", "y", T[:5], VE, "inconsistent numbers of samples"),
        (f"{owner}.score", "sample_weight", np.full(12, NAN), VE),
        *paths(f"{owner}.save", f"{owner}.load"),
        *flags((f"{owner}.save", "optimizer_state")),
        (f"{owner}.load", "path", MISSING, FileNotFoundError, "/nowhere/at/all"),
        (f"{owner}.load", "path", FOLDER / "trainer", VE, str(FOLDER / "trainer")),
        *each((f"{owner}.load",), *PLACES[:3]),
    )
]
MLP += [
    ("MLPClassifier", "class_weight", "balnced", VE),
    ("MLPClassifier", "class_weight", 3, TE),
    ("MLPClassifier", "class_weight", {0: -1.0}, VE),
    ("MLPClassifier", "class_weight", {0: "a"}, TE),
    ("MLPClassifier.partial_fit", "classes", [], VE),
    ("MLPClassifier.partial_fit", "classes", 3, VE),
    ("MLPClassifier.partial_fit", "classes", None, VE),
    ("MLPRegressor", "loss", "squared_eror", VE),
    ("MLPRegressor", "loss", 3, TE),
    *each(("MLPClassifier.predict_proba", "MLPClassifier.predict_log_proba"), *SKLEARN_X),
]

ENSEMBLE = [
    ("StackedEnsembleClassifier", "estimator", "mlp", TE),
    ("StackedEnsembleClassifier", "estimator", MLPClassifier, TE),
    ("StackedEnsembleClassifier", "estimator", MLPClassifier(solver="lbfgs"), VE),
    *counts("StackedEnsembleClassifier", "n_estimators", none=True),
    *flags(("StackedEnsembleClassifier", "bootstrap")),
    *flags(("StackedEnsembleClassifier.predict_proba", "return_std")),
    *each(("StackedEnsembleClassifier",), *SEEDS),
    ("StackedEnsembleClassifier", "n_jobs", "2", TE),
    ("StackedEnsembleClassifier", "n_jobs", 0, VE),
    ("StackedEnsembleClassifier", "progress", 3, TE),
    *each(
        [f"StackedEnsembleClassifier.{name}" for name in ("fit", "predict", "predict_proba")],
        *SKLEARN_X,
    ),
    ("StackedEnsembleClassifier.fit", "y", None, VE),
    *each(("StackedEnsembleClassifier.fit",), *SKLEARN_WEIGHTS),
    *each(("StackedEnsembleClassifier.score",), *SKLEARN_X),
    ("StackedEnsembleClassifier.score", "y", T[:5], VE, "inconsistent numbers of samples"),
    ("StackedEnsembleClassifier.score", "sample_weight", np.full(12, NAN), VE),
]

SEARCHED = ("StackedGridSearchCV", "StackedRandomizedSearchCV", "StackedHalvingSearchCV")
SEARCHES = [
    line
    for owner, grid in zip(
        SEARCHED, ("param_grid", "param_distributions", "param_grid"), strict=True
    )
    for line in (
        (owner, "estimator", xpnet.Trainer, TE),
        (owner, "estimator", trainer(), TE),
        (owner, grid, {"alpha": 1}, TE, "alpha"),
        (owner, grid, {"alfa": [1.0]}, VE),
        (owner, grid, 3, IE),
        (owner, "scoring", "acuracy", IE),
        (owner, "scoring", 3, IE),
        (owner, "n_jobs", "2", IE),
        (owner, "n_jobs", 0, VE),
        (owner, "refit", 3.5, IE),
        (owner, "cv", [], VE),
        (owner, "cv", "five", IE),
        (owner, "cv", [1, 2], VE),
        (owner, "verbose", -1, IE),
        (owner, "error_score", "rise", IE),
        (owner, "return_train_score", "yes", IE),
        (owner, "progress", 3, TE),
        *counts(owner, "memory"),
        *flags((owner, "validation_curves")),
        (f"{owner}.fit", "X", X[:5], VE, "inconsistent numbers of samples"),
        (f"{owner}.fit", "X", None, TE, "array-like"),
        (f"{owner}.fit", "y", np.full(12, NAN), VE),
        (f"{owner}.fit", "y", T[:5], VE, "inconsistent numbers of samples"),
    )
]
SEARCHES += [
    ("StackedGridSearchCV", "param_grid", [], VE),
    ("StackedHalvingSearchCV", "param_grid", [], VE),
    ("StackedRandomizedSearchCV", "n_iter", 0, IE),
    ("StackedRandomizedSearchCV", "n_iter", "2", IE),
    ("StackedRandomizedSearchCV", "random_state", -1, IE),
    ("StackedHalvingSearchCV", "random_state", "a", IE),
    ("StackedHalvingSearchCV", "factor", 1, VE),
    ("StackedHalvingSearchCV", "factor", "a", IE),
    ("StackedHalvingSearchCV", "resource", "max_itr", VE),
    ("StackedHalvingSearchCV", "max_resources", 0, IE),
    ("StackedHalvingSearchCV", "min_resources", 0, IE),
    ("StackedHalvingSearchCV", "min_resources", "all", IE),
    ("StackedHalvingSearchCV", "aggressive_elimination", "yes", IE),
]

FILES = [
    ("backends.get", "backend", "numpi", VE),
    ("backends.get", "backend", 3, VE),
    ("backends.get", "device", "cuda", VE),
    ("nets.DeepNet", "device", "cuda", VE),
    ("nets.TwoLayerNet", "device", "cuda", VE),
    *paths("checkpoints.save", "checkpoints.load", "datasets.load_table", "datasets.read_idx"),
    *paths("plots.save", "plots.check_path"),
    ("checkpoints.save", "path", FOLDER, IsADirectoryError),
    ("checkpoints.save", "path", "a\0b", VE),
    ("checkpoints.save", "network", [Dense(3, 1)], TE),
    ("checkpoints.save", "params", np.zeros(3), VE),
    ("checkpoints.save", "params", np.full(31, NAN), VE),
    ("checkpoints.save", "params", np.zeros(31, int), VE),
    ("checkpoints.save", "loss", "huber", TE),
    ("checkpoints.save", "metadata", [1], TE),
    ("checkpoints.save", "metadata", {"a": ODD}, TE),
    ("checkpoints.save", "training", {}, TE),
    ("checkpoints.load", "path", MISSING, FileNotFoundError, "/nowhere/at/all"),
    ("checkpoints.describe", "network", NET.layers, TE),
    ("checkpoints.describe", "loss", ODD, VE),
    *flags(("checkpoints.describe", "foreign")),
    ("datasets.load_mnist", "data_home", 3, TE),
    ("datasets.load_mnist", "data_home", MISSING, FileNotFoundError, "/nowhere/at/all"),
    *counts("datasets.load_moons", "n_samples", 10, none=True),
    *reals("datasets.load_moons", "noise", -0.1, INF),
    *each(("datasets.load_moons",), *SEEDS),
    ("datasets.load_table", "path", MISSING, FileNotFoundError, "/nowhere/at/all"),
    ("datasets.load_table", "target", "kin", VE),
    ("datasets.load_table", "target", 3, VE),
    ("datasets.load_table", "target", None, VE),
    ("datasets.read_idx", "path", MISSING, FileNotFoundError, "/nowhere/at/all"),
    ("datasets.read_idx", "sha256", 3, VE),
    ("datasets.read_idx", "sha256", "abc", VE),
]

STREAMS = [
    ("Stream", "X", None, TE),
    ("Stream", "X", 3, TE),
    ("Stream", "X", "table.csv", VE),
    ("Stream", "X", "table.csv\0", VE),
    ("Stream", "X", X[0], VE),
    ("Stream", "X", X[:5], VE),
    ("Stream", "X", X[:0], VE),
    ("Stream", "X", X.astype(str), TE),
    ("Stream", "X", iter([(X, T)]), TE),
    ("Stream", "y", None, VE),
    ("Stream", "y", T[:5], VE),
    ("Stream", "y", T[:, None, None], VE),
    ("Stream", "target", "kind", VE),
    ("Stream", "target", 3, VE),
    ("Stream", "sample_weight", np.ones(5), VE),
    ("Stream", "sample_weight", "weight", VE),
    ("Stream", "transform", StandardScaler(), TE),
    ("Stream", "transform", "log", TE),
    ("Stream", "transform", np.sum, VE),
    *counts("Stream", "block_rows"),
    *counts("Stream", "buffer_bytes", none=True),
    ("Stream.scaled", "scaler", StandardScaler, TE),
    ("Stream.scaled", "scaler", np.abs, TE),
    ("Stream.transformed", "transform", StandardScaler(), TE),
    ("Stream.transformed", "transform", None, TE),
    *reals("Stream.split", "fraction", 0.0, 1.0, INF),
    ("Stream.split", "random_state", -1, VE),
    ("Stream.split", "random_state", "a", TE),
    *paths("datasets.stream_table"),
    ("datasets.stream_table", "path", MISSING, FileNotFoundError, "/nowhere/at/all"),
    ("datasets.stream_table", "path", FOLDER, FileNotFoundError, "is a folder"),
    ("datasets.stream_table", "target", "kin", VE),
    ("datasets.stream_table", "target", 3, TE),
    ("datasets.stream_table", "target", None, VE),
    *counts("datasets.stream_table", "buffer_bytes", none=True),
]

BINARY_NETS = ("DualLayer", "MinibatchNetwork", "RandomInitNetwork", "SingleLayer")
NETS = [
    line
    for name in BINARY_NETS
    for owner in [f"nets.{name}"]
    for line in (
        *reals(owner, "learning_rate", -0.1, INF),
        *reals(owner, "l1", -0.1, INF),
        *reals(owner, "l2", -0.1, INF),
        *each((owner,), *SEEDS, *PLACES),
        *each((f"{owner}.fit", f"{owner}.predict", f"{owner}.score"), *FEATURES[2:]),
        *each(
            (f"{owner}.fit", f"{owner}.score"),
            ("y", BINARY[:5], VE),
            ("y", BINARY + 1, VE),
            ("y", None, TE),
        ),
        *counts(f"{owner}.fit", "epochs"),
        (f"{owner}.fit", "x_val", X, VE),
        (f"{owner}.fit", "y_val", BINARY, VE),
        (f"{owner}.fit", "progress", 3, TE),
    )
]
NETS += [
    *(line for name in BINARY_NETS[:3] for line in counts(f"nets.{name}", "units", none=True)),
    *counts("nets.MinibatchNetwork", "batch_size"),
    ("nets.MinibatchNetwork.gen_batch", "x", 3, VE),
    ("nets.MinibatchNetwork.gen_batch", "x", NAN_X, VE),
    ("nets.MinibatchNetwork.gen_batch", "y", BINARY[:5], VE),
    ("nets.MinibatchNetwork.gen_batch", "y", 3, VE),
    ("nets.DeepNet", "layer_dims", 3, TE),
    ("nets.DeepNet", "layer_dims", (3, 2), VE),
    ("nets.DeepNet", "layer_dims", (3, 0, 1), VE),
    ("nets.DeepNet", "layer_dims", "31", TE),
    ("nets.DeepNet", "optimizer", "adem", VE),
    ("nets.DeepNet", "optimizer", 3, TE),
    *reals("nets.DeepNet", "learning_rate", -0.1, INF),
    *counts("nets.DeepNet", "batch_size"),
    *counts("nets.DeepNet", "random_state", 0, none=True),
    *each(("nets.DeepNet",), *PLACES[:2], *PLACES[3:]),
    *each(
        ("nets.DeepNet.fit", "nets.DeepNet.predict", "nets.DeepNet.score"),
        ("X", X[0], VE),
        ("X", NAN_X.T, VE),
        ("X", None, TE),
    ),
    *each(
        ("nets.DeepNet.fit", "nets.DeepNet.score"),
        ("Y", BINARY[:5], VE),
        ("Y", BINARY + 1, VE),
        ("Y", X, VE),
        ("Y", None, TE),
    ),
    *counts("nets.DeepNet.fit", "epochs"),
    ("nets.DeepNet.fit", "validation_data", 3, TE),
    ("nets.DeepNet.fit", "validation_data", (X.T,), TE),
    ("nets.DeepNet.fit", "validation_data", (X[0], BINARY), VE),
    ("nets.DeepNet.fit", "validation_data", (X.T, BINARY[:5]), VE),
    ("nets.DeepNet.fit", "progress", 3, TE),
    *counts("nets.TwoLayerNet", "input_size", none=True),
    *counts("nets.TwoLayerNet", "hidden_size", none=True),
    *counts("nets.TwoLayerNet", "output_size", none=True),
    *reals("nets.TwoLayerNet", "weight_init_std", -0.1, INF),
    *each(("nets.TwoLayerNet",), *SEEDS, *PLACES[:2], *PLACES[3:]),
    *each(
        [f"nets.TwoLayerNet.{n}" for n in ("fit", "accuracy", "gradient", "loss", "predict")],
        *FEATURES,
    ),
    *each(("nets.TwoLayerNet.numerical_gradient",), *FEATURES),
    *each(
        [
            f"nets.TwoLayerNet.{n}"
            for n in ("fit", "accuracy", "gradient", "loss", "numerical_gradient")
        ],
        *CLASSES,
    ),
    *counts("nets.TwoLayerNet.fit", "iterations"),
    *counts("nets.TwoLayerNet.fit", "batch_size"),
    *reals("nets.TwoLayerNet.fit", "learning_rate", -0.1, INF),
    ("nets.TwoLayerNet.fit", "validation_data", X, TE),
    ("nets.TwoLayerNet.fit", "progress", 3, TE),
    *each(
        (
            *("nets.initialize_adam", "nets.initialize_momentum"),
            *("nets.update_with_adam", "nets.update_with_momentum"),
        ),
        ("parameters", [X], TE),
        ("parameters", None, TE),
    ),
    *each(
        ("nets.update_with_adam", "nets.update_with_momentum"),
        ("grads", None, TE),
        ("grads", {}, VE),
        ("grads", {"dW1": X[:5]}, VE),
        ("v", 3, TE),
        ("v", {}, VE),
        ("v", {"dW1": X[:5]}, VE),
        ("learning_rate", -0.1, VE),
        ("learning_rate", "a", TE),
    ),
    ("nets.update_with_adam", "s", {}, VE),
    ("nets.update_with_adam", "s", None, TE),
    *counts("nets.update_with_adam", "t", none=True),
    *reals("nets.update_with_adam", "beta1", -0.1, 1.0),
    *reals("nets.update_with_adam", "beta2", -0.1, 1.0),
    *reals("nets.update_with_adam", "epsilon", 0.0, INF),
    *reals("nets.update_with_momentum", "beta", -0.1, 1.1),
]

PICTURES = [
    ("onnx.to_onnx", "network", [Dense(3, 1)], TE),
    ("onnx.to_onnx", "params", np.zeros(3), VE),
    ("onnx.to_onnx", "params", np.full(31, NAN), VE),
    ("onnx.to_onnx", "loss", "huber", VE),
    ("onnx.to_onnx", "classes", [0, 1], VE),
    *flags(("onnx.to_onnx", "flatten")),
    *counts("onnx.to_onnx", "opset"),
    ("parity.run", "backends", "numpy", TE),
    ("parity.run", "backends", ["numpi"], VE, "backend"),
    ("parity.run", "backends", 3, TE),
    ("parity.run", "dtypes", "float64", TE),
    ("parity.run", "dtypes", ["float16"], VE),
    ("parity.run", "dtypes", 3, TE),
    *flags(("parity.run", "full"), ("parity.run", "compile"), ("parity.run", "progress")),
    ("plots.check_path", "path", FOLDER / "a.jpg", VE),
    ("plots.save", "figure_or_ax", None, TE),
    ("plots.save", "path", FOLDER / "a.jpg", VE),
    ("plots.compare_histories", "histories", 3, TE),
    ("plots.compare_histories", "histories", {}, VE),
    ("plots.compare_histories", "histories", {"a": ODD}, TE),
    *choices(("plots.compare_histories", "curve"), ("plots.plot_history", "curve")),
    *each(
        [
            f"plots.{name}"
            for name in (
                *("compare_histories", "heat_map", "plot_decision_boundary", "plot_history"),
                *("search_curves", "search_heat_map"),
            )
        ],
        ("ax", 3, TE),
        ("ax", "ax", TE),
    ),
    ("plots.heat_map", "values", "a", TE),
    ("plots.heat_map", "values", X, VE),
    ("plots.heat_map", "row_labels", 3, TE),
    ("plots.heat_map", "row_labels", ["a"], VE),
    ("plots.heat_map", "column_labels", "cd", TE),
    ("plots.heat_map", "column_labels", [], VE),
    ("plots.heat_map", "title", 3, TE),
    ("plots.heat_map", "label", ["a"], TE),
    ("plots.heat_map", "vmin", "a", TE),
    ("plots.heat_map", "vmin", NAN, VE),
    ("plots.heat_map", "vmin", 2.0, VE),
    ("plots.heat_map", "vmax", [1.0, 2.0], VE),
    *counts("plots.heat_map", "digits", none=True),
    ("plots.plot_decision_boundary", "predict_or_estimator", 3, TE),
    ("plots.plot_decision_boundary", "predict_or_estimator", MLPClassifier, TE),
    ("plots.plot_decision_boundary", "X", X, VE),
    ("plots.plot_decision_boundary", "X", NAN_X[:, :2], VE),
    ("plots.plot_decision_boundary", "X", None, TE),
    ("plots.plot_decision_boundary", "y", BINARY[:5], VE),
    *counts("plots.plot_decision_boundary", "resolution", 2, none=True),
    ("plots.plot_history", "history_or_estimator", 3, TE),
    ("plots.plot_history", "history_or_estimator", MLPClassifier, TE),
    ("plots.plot_history", "label", ["a"], TE),
    ("plots.search_curves", "search", 3, TE),
    ("plots.search_curves", "color_by", "alfa", VE),
    ("plots.search_curves", "curve", "los", VE),
    ("plots.search_curves", "title", 3, TE),
    ("plots.search_heat_map", "search", 3, TE),
    ("plots.search_heat_map", "rows", "alfa", VE),
    ("plots.search_heat_map", "columns", "alfa", VE),
    ("plots.search_heat_map", "metric", "acuracy", VE),
    ("plots.search_heat_map", "title", 3, TE),
]

WRONG = [
    *(*LAYERS, *INITIALIZERS, *LOSSES, *OPTIMIZERS, *BATCHES, *CALLBACKS, *TRAINER, *MANY),
    *(*GRADIENTS, *MLP, *ENSEMBLE, *SEARCHES, *FILES, *STREAMS, *NETS, *PICTURES),
]

ANY_IS_RIGHT = {
    "backends.get": {"like": "what is no array of a library is left to the host"},
    "Network.unflatten": {"xp": "the namespace of params, any that has reshape"},
    "History": dict.fromkeys(
        ("losses", "val_losses", "scores", "val_scores", "step_losses", "seconds"),
        "a record, which fits fill: what it is filled with is drawn as it is",
    ),
    "StackedGridSearchCV": {"pre_dispatch": "taken for scikit-learn's sake, without effect"},
    "StackedRandomizedSearchCV": {"pre_dispatch": "taken for scikit-learn's sake, without effect"},
}
"""Arguments that no value is wrong for, and why."""
