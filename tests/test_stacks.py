"""Many models in one pass: each is its own run."""

from __future__ import annotations

import numpy as np
import pytest

from xpnet import (
    ELU,
    GELU,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    BinaryCrossEntropy,
    Cosine,
    Dense,
    Dropout,
    Huber,
    LeakyReLU,
    Lion,
    Nadam,
    Network,
    Penalty,
    Plateau,
    ReLU,
    RMSprop,
    Sigmoid,
    SiLU,
    SoftmaxCrossEntropy,
    Softplus,
    SquaredError,
    StepDecay,
    Tanh,
    Trainer,
    backends,
)

N, FEATURES, CLASSES, MODELS = 22, 5, 3, 3
RNG = np.random.RandomState(7)
X = RNG.randn(N, FEATURES)
T = RNG.randint(CLASSES, size=N)
WEIGHTS = RNG.rand(N) + 0.1
FIT = {
    "epochs": 3,
    "batch_size": 5,
    "validation_data": (X[:9], T[:9]),
    "train_score": True,
    "step_losses": "before",
}


def column(*values):
    return np.array(values)[:, None]


def network(activation=None):
    layers = [Dense(FEATURES, 8), activation or ReLU(), Dropout(0.3), Dense(8, 6), Tanh()]
    return Network([*layers, Dense(6, CLASSES)])


def picker(k):
    """Return what picks model k's own from a list, or from hyperparameters of shape (models, 1)."""
    return lambda values: values[k] if isinstance(values, list) else float(values[k, 0])


A, B, C = column(0.5, 0.05, 0.1), column(0.9, 0.5, 0.0), column(0.1, 0.001, 0.3)
BETAS, D = column(0.99, 0.9, 0.999), column(1.0, 0.9, 0.5)
OPTIMIZERS = {
    "sgd": lambda of: SGD(of(A)),
    "momentum": lambda of: SGD(of(A), momentum=of(B)),
    "nesterov": lambda of: SGD(0.1, momentum=of(BETAS), dampening=of(C), nesterov=True),
    "steps": lambda of: SGD(
        StepDecay(of(A), every=1, gamma=0.5), momentum=of(D), nesterov=True, velocity_form="steps"
    ),
    "adagrad": lambda of: AdaGrad(of(A), eps=of(C)),
    "rmsprop": lambda of: RMSprop(of(C), rho=of(B)),
    "centred": lambda of: RMSprop(0.01, rho=of(BETAS), centered=True),
    "adam": lambda of: Adam(of(C), beta1=of(B), beta2=of(BETAS)),
    "amsgrad": lambda of: Adam(of(C), amsgrad=True, eps_form="plain"),
    "adamw": lambda of: AdamW(of(C), weight_decay=of(A)),
    "nadam": lambda of: Nadam(of(C), momentum_decay=of(A)),
    "lion": lambda of: Lion(of(C), weight_decay=of(A)),
    "step": lambda of: SGD(StepDecay(of(A), every=1, gamma=0.5)),
    "cosine": lambda of: Adam(Cosine(of(A), total=9, warmup=2, unit="step")),
    "plateau": lambda of: SGD(Plateau(of(A), reduction=0.5, patience=0, min_delta=0.05)),
}


ACTIVATIONS = [
    *(ReLU(), LeakyReLU(), ELU(), GELU(), SiLU(), Softplus(), Tanh()),
    *(Sigmoid(), Sigmoid(precise=True)),
]


def whole(values):
    return values


def compare(
    make,
    fit,
    check,
    *,
    backend="numpy",
    device=None,
    dtype="float64",
    x=X,
    t=T,
    models=range(MODELS),
):
    """Compare each model of a stack with its own run: parameters, state, curves, scores.

    ``make(of)`` returns a Trainer's arguments and the initial parameters or None, where
    ``of(values)`` picks from hyperparameters (all, or one model's own).
    """

    def run(of):
        network, loss, options, params = make(of)
        place = {"backend": backend, "device": device, "dtype": dtype}
        trainer = Trainer(network, loss, **place, **options)
        trainer.fit(x, t, state=trainer.initialize(params), **fit)
        arrays = (trainer.state_.params, *trainer.state_.optimizer_state)
        return trainer, [backends.to_host(a) for a in arrays]

    stack, arrays = run(whole)
    assert all(a.shape == (MODELS, stack.problem.network.n_params) for a in arrays)
    assert stack.predict(x).shape == (MODELS, len(x), stack.problem.network.n_outputs)
    loss, score = stack.evaluate(x, t)
    assert loss.shape == score.shape == (MODELS,)
    for k in models:
        alone, own = run(picker(k))
        assert own[0].shape == (stack.problem.network.n_params,)
        for found, expected in zip(arrays[: len(own)], own, strict=True):
            check(found[k], expected)
        curves, expected = vars(stack.history_.model(k)), vars(alone.history_)
        for name in set(curves) - {"seconds"}:
            assert len(curves[name]) == len(expected[name])
            check(curves[name], expected[name])
        check(stack.predict(x)[k], alone.predict(x))
        check((loss[k], score[k]), alone.evaluate(x, t))
    return stack


def same(found, expected):
    np.testing.assert_array_equal(found, expected, strict=not isinstance(found, list | tuple))


SEEDS = [0, 1, 2]
both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])


@both_types
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_each_model_has_its_seed_and_hyperparameters(kind, dtype):
    def make(of):
        options = {
            "optimizer": OPTIMIZERS[kind](of),
            "penalty": Penalty(l1=of(column(0.0, 0.01, 0.1)), l2=of(column(0.5, 0.0, 0.1))),
            "max_norm": of(column(0.1, 10.0, 0.5)),
            "random_state": of(SEEDS),
        }
        return network(), SoftmaxCrossEntropy(), options, None

    compare(make, FIT | {"sample_weight": WEIGHTS}, same, dtype=dtype)


@both_types
@pytest.mark.parametrize("sampling", ["shuffle", "reshuffle", "replacement", "sequential"])
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_each_model_has_its_own_order(sampling, batch_size, dtype):
    def make(of):
        return (
            network(),
            SoftmaxCrossEntropy(),
            {"optimizer": Adam(), "random_state": of(SEEDS)},
            None,
        )

    fit = FIT | {"sampling": sampling, "batch_size": batch_size, "step_losses": "after"}
    compare(make, fit, same, dtype=dtype)


@both_types
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_models_with_their_own_weights_share_one_order(activation, dtype):
    starts = [network().initialize(seed) for seed in SEEDS]

    def make(of):
        options = {"optimizer": Adam(0.01), "random_state": 5}
        params = of(starts)
        return network(activation), SoftmaxCrossEntropy(), options, np.array(params)

    stack = compare(make, FIT, same, dtype=dtype)
    assert len(stack.state_.generators) == 1


@both_types
def test_models_with_their_own_rates_share_order_and_weights(dtype):
    def make(of):
        options = {"optimizer": SGD(of(A)), "random_state": 5}
        return network(), SoftmaxCrossEntropy(), options, None

    stack = compare(make, FIT, same, dtype=dtype)
    start = stack.initialize().params
    assert (start == start[0]).all()


@both_types
@pytest.mark.parametrize("division", ["apart", "together", "none"])
@pytest.mark.parametrize("record", [{"objectives": True}, {"step_losses": "after"}], ids=str)
def test_divisions_of_the_penalty_and_objectives(division, record, dtype):
    def make(of):
        penalty = Penalty(l1=of(C), l2=of(column(0.5, 0.0, 0.1)), division=division)
        options = {"optimizer": SGD(of(C)), "penalty": penalty, "random_state": of(SEEDS)}
        return network(), SoftmaxCrossEntropy(), options, None

    compare(make, FIT | {"sample_weight": WEIGHTS, "step_losses": None} | record, same, dtype=dtype)


@both_types
def test_models_have_their_own_rates_of_dropout(dtype):
    """Of zero too, and one layer whose rate all share; also where they share seed and order."""
    drop, starts = column(0.0, 0.3, 0.7), [network().initialize(seed) for seed in SEEDS]

    def make(of):
        layers = [Dense(FEATURES, 8), ReLU(), Dropout(of(drop)), Dense(8, 6), Dropout(0.2)]
        options = {"optimizer": Adam(0.01), "random_state": of(SEEDS)}
        return Network([*layers, Dense(6, CLASSES)]), SoftmaxCrossEntropy(), options, None

    compare(make, FIT, same, dtype=dtype)

    def equal(of):
        net, loss, options, _ = make(of)
        return net, loss, options | {"random_state": 5}, np.array(of(starts))

    compare(equal, FIT, same, dtype=dtype)


LOSSES = [
    SquaredError(),
    SquaredError(outputs="mixed"),
    Huber(outputs="sum"),
    BinaryCrossEntropy(clip=1e-10, precise=True),
]


@both_types
@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_losses_of_rows(loss, n_outputs, dtype):
    t = (np.random.RandomState(1).rand(N, n_outputs) < 0.5).astype(int)

    def make(of):
        net = Network([Dense(FEATURES, 7), Sigmoid(), Dense(7, n_outputs, bias=False)])
        return net, loss, {"optimizer": SGD(of(A), momentum=0.9), "random_state": of(SEEDS)}, None

    compare(make, FIT | {"validation_data": (X, t)}, same, dtype=dtype, t=t)


@both_types
@pytest.mark.parametrize("sizes", [(30, 10, 1), (64, 50, 10), (17, 129, 33)])
def test_sizes_for_which_the_products_are_blocked(sizes, dtype):
    features, hidden, n_outputs = sizes
    rng = np.random.RandomState(2)
    x, t = rng.randn(300, features), rng.rand(300, n_outputs)

    def make(of):
        net = Network([Dense(features, hidden), Tanh(), Dense(hidden, n_outputs)])
        return net, SquaredError(), {"optimizer": Adam(of(C)), "random_state": of(SEEDS)}, None

    fit = FIT | {"batch_size": 64, "validation_data": (x, t)}
    compare(make, fit, same, dtype=dtype, x=x, t=t)


def test_pixels():
    def make(of):
        return network(), SoftmaxCrossEntropy(), {"random_state": of(SEEDS)}, None

    pixels = np.random.RandomState(1).randint(256, size=X.shape).astype(np.uint8)
    compare(make, FIT | {"validation_data": (pixels, T)}, same, x=pixels)


def test_each_backend_trains_each_model_as_if_alone(backend, dtype):
    tolerance = 1e-12 if dtype == "float64" else 2e-5

    def make(of):
        options = {
            "optimizer": Adam(of(C)),
            "penalty": Penalty(l1=0.01, l2=of(C)),
            "max_norm": of(A),
            "random_state": of(SEEDS),
        }
        small = Network([Dense(FEATURES, 8), ReLU(), Dropout(0.3), Dense(8, CLASSES)])
        return small, SoftmaxCrossEntropy(), options, None

    def check(found, expected):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)

    place = {"backend": backend.name, "device": backend.device_name}
    # One model, and no smaller last batch: JAX compiles for seconds.
    compare(make, FIT | {"batch_size": 11}, check, dtype=dtype, models=[1], **place)


def test_a_stack_of_one_is_a_stack():
    trainer = Trainer(network(), SoftmaxCrossEntropy(), random_state=[0])
    history = trainer.fit(X, T, epochs=2)
    alone = Trainer(network(), SoftmaxCrossEntropy(), random_state=0)
    assert history.model(0).losses == alone.fit(X, T, epochs=2).losses
    assert np.shape(history.losses) == (2, 1)
    assert trainer.predict(X).shape == (1, N, CLASSES)


def test_seeds_may_be_generators_or_an_array():
    runs = []
    for seeds in (SEEDS, tuple(SEEDS), np.array(SEEDS), [np.random.RandomState(s) for s in SEEDS]):
        trainer = Trainer(network(), SoftmaxCrossEntropy(), random_state=seeds)
        trainer.fit(X, T, epochs=2)
        runs.append(trainer.state_.params.tolist())
    assert all(run == runs[0] for run in runs)


TWO = np.array([[0.1], [0.2]])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"random_state": SEEDS, "max_norm": TWO}, ["'max_norm': 2", "'random_state': 3"]),
        ({"random_state": SEEDS, "optimizer": Adam(TWO)}, ["'learning_rate': 2"]),
        ({"random_state": SEEDS, "optimizer": Adam(Plateau(TWO))}, ["'learning_rate': 2"]),
        ({"penalty": Penalty(l1=TWO, l2=A)}, ["'l1': 2", "'l2': 3"]),
        ({"optimizer": SGD(A, momentum=TWO)}, ["'momentum': 2", "'learning_rate': 3"]),
        ({"optimizer": AdamW(weight_decay=TWO), "max_norm": A}, ["'weight_decay': 2"]),
        ({"network": Network([Dropout(TWO), Dense(1, 1)]), "max_norm": A}, ["of layers[0]': 2"]),
    ],
)
def test_numbers_of_models_that_disagree(options, told):
    with pytest.raises(ValueError, match="numbers of models disagree") as caught:
        Trainer(**{"network": network(), "loss": SoftmaxCrossEntropy(), **options})
    assert all(text in str(caught.value) for text in told)


def test_parameters_of_another_number_of_models():
    trainer = Trainer(network(), SoftmaxCrossEntropy(), random_state=SEEDS)
    with pytest.raises(
        ValueError, match="params holds 2 models; the hyperparameters and random_state are for 3"
    ):
        trainer.initialize(np.zeros((2, network().n_params)))
