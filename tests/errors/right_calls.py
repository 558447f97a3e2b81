"""A right call of everything public: the catalogue's wrong calls change one argument of it."""

from __future__ import annotations

import functools
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from sklearn.preprocessing import StandardScaler

import xpnet
from xpnet import (
    Adam,
    Dense,
    MLPClassifier,
    MLPRegressor,
    Network,
    SoftmaxCrossEntropy,
    StackedEnsembleClassifier,
    StackedGridSearchCV,
    Stream,
    Tanh,
    Trainer,
    backends,
    checkpoints,
    datasets,
    nets,
    onnx,
    parity,
    plots,
)

X = np.random.RandomState(0).randn(12, 3)
T = np.tile([0, 1, 2], 4)
BINARY = np.tile([0, 1], 6)
NET = Network([Dense(3, 4), Tanh(), Dense(4, 3)])
GRID = {"alpha": [0.0, 0.1]}
FOLDER = Path(tempfile.mkdtemp(prefix="xpnet-catalogue-"))
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 2, "batch_size": 6, "random_state": 0}


def trainer(**options):
    return Trainer(**({"network": NET, "loss": "softmax_cross_entropy"} | options))


@functools.cache
def fitted(kind):
    """Return one that was trained for an epoch, the same one each time."""
    if kind is Trainer:
        one = trainer(optimizer=Adam(), random_state=0)
        one.fit(X, T, epochs=1)
        return one
    if kind == "search":
        net = MLPClassifier(**SMALL, tol=0.0)
        grid = {"alpha": [0.0, 0.1], "learning_rate_init": [0.01, 0.1]}
        return StackedGridSearchCV(net, grid, cv=2, validation_curves=True).fit(X, T)
    if kind is StackedEnsembleClassifier:
        return kind(MLPClassifier(**SMALL), 2, random_state=0).fit(X, T)
    if kind in (MLPClassifier, MLPRegressor):
        return kind(**SMALL).fit(X, T)
    if kind is nets.DeepNet:
        return kind((3, 2, 1)).fit(X.T, BINARY, epochs=1)
    if kind is nets.TwoLayerNet:
        return kind(3, 2, 3, random_state=0)
    sizes = {} if kind is nets.SingleLayer else {"units": 2}
    return kind(**sizes).fit(X, BINARY, epochs=1)


KINDS = (
    *(Trainer, MLPClassifier, MLPRegressor, StackedEnsembleClassifier),
    *(nets.DeepNet, nets.TwoLayerNet, nets.SingleLayer, nets.DualLayer, nets.RandomInitNetwork),
    nets.MinibatchNetwork,
)


def prepare():
    """Train what must be trained, and write what must be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in (*KINDS, "search"):
            fitted(kind)
    (FOLDER / "table.csv").write_text("length,kind\n" + "1,a\n2,b\n" * 5)
    table = pyarrow.table({"length": [1.0, 2.0] * 5, "kind": ["a", "b"] * 5})
    pyarrow.parquet.write_table(table, FOLDER / "table.parquet")
    (FOLDER / "idx").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    fitted(Trainer).save(FOLDER / "trainer")
    fitted(MLPClassifier).save(FOLDER / "MLPClassifier")
    fitted(MLPRegressor).save(FOLDER / "MLPRegressor")


def construct_and_fit(kind, *data):
    """Return a call that makes one and fits it: at the latest there all is checked."""

    def call(**arguments):
        return kind(**arguments).fit(*data)

    return call


def load_and_predict(kind):
    return lambda **arguments: kind.load(**arguments).predict(X)


def method(kind, name):
    """Return a call of a trained one's method."""
    return lambda **arguments: getattr(fitted(kind), name)(**arguments)


def unfitted(kind, name="fit", **options):
    return lambda **arguments: getattr(kind(**options), name)(**arguments)


XY = {"X": X, "y": T}
SEARCHES = {
    "StackedGridSearchCV": "param_grid",
    "StackedRandomizedSearchCV": "param_distributions",
    "StackedHalvingSearchCV": "param_grid",
}
DATA = {"x": X, "t": T}
NOTHING: dict = {}
CURVE = xpnet.History(losses=[1.0])

RIGHT = {
    "Dense": (xpnet.Dense, {"n_features_in": 3, "n_outputs": 4}),
    **{
        name: (getattr(xpnet, name), NOTHING)
        for name in (
            *("Dropout", "ELU", "LeakyReLU", "Sigmoid", "Glorot", "He", "LeCun", "Normal"),
            *("Uniform", "AbsoluteError", "BinaryCrossEntropy", "Huber", "Poisson"),
            *("SoftmaxCrossEntropy", "SquaredError", "Penalty", "AdaGrad", "Adam", "AdamW", "Lion"),
            *("Nadam", "RMSprop", "SGD", "InOrder", "Reshuffled", "Shuffled", "WithReplacement"),
            *("EarlyStopping", "ProgressBar", "History"),
        )
    },
    **{
        name: (getattr(xpnet, name), {"learning_rate": 0.1})
        for name in ("Constant", "Exponential", "InverseTime", "Plateau")
    },
    "Cosine": (xpnet.Cosine, {"learning_rate": 0.1, "total": 10}),
    "StepDecay": (xpnet.StepDecay, {"learning_rate": 0.1, "every": 2}),
    "TimeLimit": (xpnet.TimeLimit, {"seconds": 1.0}),
    "LearningRateSchedule": (xpnet.LearningRateSchedule, {"schedule": xpnet.Constant(0.1)}),
    "CSVLogger": (xpnet.CSVLogger, {"path": FOLDER / "log.csv"}),
    "Checkpoint": (xpnet.Checkpoint, {"path": FOLDER / "checkpoint"}),
    "History.model": (xpnet.History(losses=[np.zeros(2)]).model, {"index": 0}),
    "Network": (xpnet.Network, {"layers": [Dense(3, 1)]}),
    "Network.initialize": (NET.initialize, {"random_state": 0}),
    "Network.flatten": (NET.flatten, {"parameters": NET.unflatten(NET.initialize(0))}),
    "Network.unflatten": (NET.unflatten, {"params": NET.initialize(0)}),
    "Loss.value": (SoftmaxCrossEntropy().value, {"logits": X, "t": T}),
    "Loss.gradient": (SoftmaxCrossEntropy().gradient, {"logits": X, "t": T}),
    "batch_partition": (xpnet.batch_partition, {"X": X.T, "Y": X.T}),
    "Trainer": (
        construct_and_fit(Trainer, X, T),
        {"network": NET, "loss": "softmax_cross_entropy"},
    ),
    "Trainer.fit": (unfitted(trainer), DATA),
    "Trainer.initialize": (unfitted(trainer, "initialize"), NOTHING),
    "Trainer.evaluate": (method(Trainer, "evaluate"), DATA),
    "Trainer.logits": (method(Trainer, "logits"), {"x": X}),
    "Trainer.predict": (method(Trainer, "predict"), {"x": X}),
    "Trainer.loss_and_gradient": (method(Trainer, "loss_and_gradient"), DATA),
    "Trainer.save": (method(Trainer, "save"), {"path": FOLDER / "saved"}),
    "Trainer.load": (load_and_predict(Trainer), {"path": FOLDER / "trainer"}),
    "fit_many": (
        lambda **a: xpnet.fit_many(**({"trainers": [trainer(random_state=0)]} | a)),
        DATA,
    ),
    "check_gradients": (
        xpnet.check_gradients,
        {"network": NET, "loss": SoftmaxCrossEntropy()} | DATA,
    ),
    "numerical_gradient": (
        xpnet.numerical_gradient,
        {"f": lambda p: (p**2).sum(axis=-1), "params": np.ones(2)},
    ),
    **{
        name: (construct_and_fit(getattr(xpnet, name), X, T), NOTHING)
        for name in ("MLPClassifier", "MLPRegressor")
    },
    **{
        f"{kind.__name__}.{name}": (method(kind, name), arguments)
        for kind in (MLPClassifier, MLPRegressor)
        for name, arguments in {
            "predict": {"X": X},
            "score": XY,
            "save": {"path": FOLDER / "estimator"},
        }.items()
    },
    **{
        f"MLPClassifier.{name}": (method(MLPClassifier, name), {"X": X})
        for name in ("predict_proba", "predict_log_proba")
    },
    **{
        f"{kind.__name__}.{name}": (unfitted(kind, name), XY | more)
        for kind, more in ((MLPClassifier, {"classes": [0, 1, 2]}), (MLPRegressor, NOTHING))
        for name, more in (("fit", NOTHING), ("partial_fit", more))
    },
    **{
        f"{kind.__name__}.load": (load_and_predict(kind), {"path": FOLDER / kind.__name__})
        for kind in (MLPClassifier, MLPRegressor)
    },
    "StackedEnsembleClassifier": (construct_and_fit(StackedEnsembleClassifier, X, T), NOTHING),
    "StackedEnsembleClassifier.fit": (unfitted(StackedEnsembleClassifier), XY),
    "StackedEnsembleClassifier.predict": (method(StackedEnsembleClassifier, "predict"), {"X": X}),
    "StackedEnsembleClassifier.predict_proba": (
        method(StackedEnsembleClassifier, "predict_proba"),
        {"X": X},
    ),
    "StackedEnsembleClassifier.score": (method(StackedEnsembleClassifier, "score"), XY),
    **{
        name: (
            construct_and_fit(getattr(xpnet, name), X, T),
            {"estimator": MLPClassifier(**SMALL), grid: GRID, "cv": 2}
            | ({"n_iter": 2} if "Randomized" in name else {}),
        )
        for name, grid in SEARCHES.items()
    },
    **{
        f"{name}.fit": (
            unfitted(
                getattr(xpnet, name),
                estimator=MLPClassifier(**SMALL),
                cv=2,
                **{grid: GRID},
                **({"n_iter": 2} if "Randomized" in name else {}),
            ),
            XY,
        )
        for name, grid in SEARCHES.items()
    },
    "backends.get": (backends.get, NOTHING),
    "checkpoints.save": (
        checkpoints.save,
        {"path": FOLDER / "net", "network": NET, "params": NET.initialize(0)},
    ),
    "checkpoints.load": (checkpoints.load, {"path": FOLDER / "trainer"}),
    "checkpoints.describe": (checkpoints.describe, {"network": NET}),
    "datasets.load_mnist": (datasets.load_mnist, {"data_home": FOLDER}),
    "datasets.load_moons": (datasets.load_moons, NOTHING),
    "Stream": (lambda **a: Stream(**a).first, {"X": X, "y": T}),
    **{
        f"Stream.{name}": (lambda name=name, **a: getattr(Stream(X, T), name)(**a), arguments)
        for name, arguments in {
            "scaled": {"scaler": StandardScaler()},
            "transformed": {"transform": np.abs},
            "split": {"fraction": 0.5},
        }.items()
    },
    "datasets.stream_table": (
        datasets.stream_table,
        {"path": FOLDER / "table.parquet", "target": "kind"},
    ),
    "datasets.load_table": (datasets.load_table, {"path": FOLDER / "table.csv", "target": "kind"}),
    "datasets.read_idx": (datasets.read_idx, {"path": FOLDER / "idx"}),
    "nets.DeepNet": (construct_and_fit(nets.DeepNet, X.T, BINARY), {"layer_dims": (3, 2, 1)}),
    "nets.TwoLayerNet": (
        construct_and_fit(nets.TwoLayerNet, X, T),
        {"input_size": 3, "hidden_size": 2, "output_size": 3},
    ),
    **{
        f"nets.{name}": (construct_and_fit(getattr(nets, name), X, BINARY), NOTHING)
        for name in ("DualLayer", "MinibatchNetwork", "RandomInitNetwork", "SingleLayer")
    },
    **{
        f"nets.{kind.__name__}.{name}": (call, {"x": X, "y": BINARY} if more else {"x": X})
        for kind in (
            *(nets.DualLayer, nets.MinibatchNetwork, nets.RandomInitNetwork, nets.SingleLayer),
        )
        for name, more, call in (
            ("fit", True, unfitted(kind)),
            ("predict", False, method(kind, "predict")),
            ("score", True, method(kind, "score")),
        )
    },
    "nets.MinibatchNetwork.gen_batch": (
        lambda **a: list(fitted(nets.MinibatchNetwork).gen_batch(**a)),
        {"x": X, "y": BINARY},
    ),
    "nets.DeepNet.fit": (unfitted(nets.DeepNet, layer_dims=(3, 2, 1)), {"X": X.T, "Y": BINARY}),
    "nets.DeepNet.predict": (method(nets.DeepNet, "predict"), {"X": X.T}),
    "nets.DeepNet.score": (method(nets.DeepNet, "score"), {"X": X.T, "Y": BINARY}),
    **{
        f"nets.TwoLayerNet.{name}": (method(nets.TwoLayerNet, name), DATA)
        for name in ("fit", "accuracy", "gradient", "loss", "numerical_gradient")
    },
    "nets.TwoLayerNet.predict": (method(nets.TwoLayerNet, "predict"), {"x": X}),
    "nets.initialize_adam": (nets.initialize_adam, {"parameters": {"W1": X}}),
    "nets.initialize_momentum": (nets.initialize_momentum, {"parameters": {"W1": X}}),
    "nets.update_with_adam": (
        nets.update_with_adam,
        {
            "parameters": {"W1": X},
            "grads": {"dW1": X},
            "v": {"dW1": X},
            "s": {"dW1": X * X},
            "t": 1,
        },
    ),
    "nets.update_with_momentum": (
        nets.update_with_momentum,
        {
            "parameters": {"W1": X},
            "grads": {"dW1": X},
            "v": {"dW1": X},
            "beta": 0.9,
            "learning_rate": 0.1,
        },
    ),
    "onnx.to_onnx": (
        onnx.to_onnx,
        {"network": NET, "params": NET.initialize(0), "loss": SoftmaxCrossEntropy()},
    ),
    "parity.run": (parity.run, {"backends": ["numpy"], "dtypes": ["float64"]}),
    "plots.check_path": (plots.check_path, {"path": FOLDER / "a.png"}),
    "plots.save": (
        lambda **a: plots.save(**({"figure_or_ax": plots.plot_history(CURVE)} | a)),
        {"path": FOLDER / "a.png"},
    ),
    "plots.search_curves": (
        lambda **a: plots.search_curves(**({"search": fitted("search")} | a)),
        {"color_by": "alpha"},
    ),
    "plots.search_heat_map": (
        lambda **a: plots.search_heat_map(**({"search": fitted("search")} | a)),
        {"rows": "alpha", "columns": "learning_rate_init"},
    ),
    "plots.compare_histories": (
        plots.compare_histories,
        {"histories": {"a": CURVE}},
    ),
    "plots.heat_map": (
        plots.heat_map,
        {"values": np.ones((2, 2)), "row_labels": ["a", "b"], "column_labels": ["c", "d"]},
    ),
    "plots.plot_decision_boundary": (
        plots.plot_decision_boundary,
        {
            "predict_or_estimator": lambda points: (points[:, 0] > 0).astype(int),
            "X": X[:, :2],
            "y": BINARY,
        },
    ),
    "plots.plot_history": (
        plots.plot_history,
        {"history_or_estimator": CURVE},
    ),
}


def call(owner, **changes):
    """Make the right call with some arguments changed."""
    function, arguments = RIGHT[owner]
    return function(**(arguments | changes))
