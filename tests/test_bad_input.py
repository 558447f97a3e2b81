"""Wrong calls: each names the argument, and none begins to train."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from xpnet import (
    ELU,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    BinaryCrossEntropy,
    Cosine,
    Dense,
    Dropout,
    Exponential,
    Glorot,
    Huber,
    InverseTime,
    LeakyReLU,
    Lion,
    Nadam,
    Network,
    Normal,
    Penalty,
    Plateau,
    Poisson,
    Reshuffled,
    RMSprop,
    Shuffled,
    SoftmaxCrossEntropy,
    SquaredError,
    StepDecay,
    Tanh,
    TimeLimit,
    Trainer,
    Uniform,
    WithReplacement,
    backends,
    batch_partition,
)

X = np.random.RandomState(0).randn(6, 3)
T = np.array([0, 1, 2, 0, 1, 2])
NAN, INF = np.nan, np.inf


@pytest.fixture(autouse=True)
def no_step(monkeypatch):
    """No wrong call may come so far as to run a step."""

    def scan(*args, **options):
        pytest.fail("training began")

    for cls in backends.BACKENDS.values():
        monkeypatch.setattr(cls, "scan", scan)


def net(n_outputs=3, *layers):
    return Network([Dense(3, 4), Tanh(), *layers, Dense(4, n_outputs)])


def trainer(network=None, loss="softmax_cross_entropy", optimizer=None, **options):
    return Trainer(network or net(), loss, optimizer, **options)


def fit(x=X, t=T, *, options=None, **arguments):
    trainer(**(options or {})).fit(x, t, **arguments)


def regress(t, loss=None, n_outputs=1):
    trainer(net(n_outputs), loss or SquaredError()).fit(X, t)


def changed(array, value):
    """Return a float copy whose second entry is `value`."""
    array = np.array(array, dtype=np.float64)
    array.flat[1] = value
    return array


class Sparse:
    """What scipy's sparse matrices have in common."""

    shape, dtype = (6, 3), np.dtype(np.float64)

    def tocsr(self):
        raise AssertionError


def refused(call, *told):
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert all(text in message for text in told), message
    return message


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (X[0], "x has shape (3,)"),
        (X[None], "x has shape (1, 6, 3)"),
        (X[:, :2], "x has shape (6, 2); (samples, 3) is needed"),
        (X[:0], "x has no samples"),
        (X[:5], "x has 5, t has 6"),
        (changed(X, NAN), "x holds NaN or infinity"),
        (changed(X, -INF), "x holds NaN or infinity"),
        (X.astype(object), "x has dtype object"),
        (X.astype(str), "x has dtype <U"),
        (X + 0j, "x has dtype complex128"),
        (X.astype("M8[s]"), "x has dtype datetime64"),
        ([[1.0, 2.0, 3.0], [1.0]], "x must be a rectangular array"),
        (csr_array(changed(X, NAN)), "x holds NaN or infinity"),
        (csr_array(X[:, :2]), "x has shape (6, 2)"),
        (None, "x has dtype object"),
        (1.0, "x has shape ()"),
        ("x", "x has dtype <U1"),
    ],
)
def test_features(x, told):
    refused(lambda: fit(x), told)
    refused(lambda: fit(x, options={"dtype": "float32"}), told)
    if "t has 6" not in told:
        refused(lambda: fit(validation_data=(x, T)), f"validation_{told}")
    else:
        refused(lambda: fit(validation_data=(x, T)), "validation_x has 5, validation_t has 6")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: fit(t=T[:5]), "x has 6, t has 5"),
        (lambda: fit(t=changed(T, 3)), "t holds 3, outside the classes 0..2"),
        (lambda: fit(t=changed(T, -1)), "t holds -1, outside the classes 0..2"),
        (lambda: fit(t=changed(T, 0.5)), "t of one axis holds classes"),
        (lambda: fit(t=changed(T, NAN)), "t holds NaN"),
        (lambda: fit(t=T.astype(str)), "t has dtype <U"),
        (lambda: fit(t=T.astype(object)), "t has dtype object"),
        (lambda: fit(t=None), "t is None: targets are needed"),
        (lambda: fit(t=T[:, None]), "t has shape (6, 1)"),
        (lambda: fit(t=np.eye(4)[T]), "t has shape (6, 4)"),
        (lambda: fit(t=2 * np.eye(3)[T]), "t: rows must be probabilities"),
        (lambda: fit(t=changed(np.eye(3)[T], -1.0)), "t: rows must be probabilities"),
        (lambda: fit(t=np.zeros((6, 3))), "t: rows must be probabilities"),
        (lambda: fit(options={"network": net(1)}), "at least 2 outputs"),
        (lambda: regress(T, BinaryCrossEntropy()), "t holds values in [0, 2]"),
        (lambda: regress(T - 1, Poisson()), "t holds -1"),
        (lambda: regress(T, n_outputs=2), "t has shape (6,)"),
        (lambda: regress(X), "t has shape (6, 3)"),
        (lambda: regress(T[:5]), "t has 5"),
        (lambda: regress(changed(T, INF)), "t holds NaN or infinity"),
    ],
)
def test_targets(call, told):
    refused(call, told)


@pytest.mark.parametrize(
    "weights",
    [
        *(np.ones(5), np.ones((6, 1)), -np.ones(6), np.zeros(6), changed(np.ones(6), NAN)),
        *(1.0, "a", {}, np.ones(6).astype(object), Sparse()),
    ],
)
def test_sample_weights(weights):
    refused(lambda: fit(sample_weight=weights), "sample_weight")


def test_numbers_too_large_for_the_type():
    options = {"dtype": "float32"}
    refused(lambda: fit(1e200 * X, options=options), "x holds numbers too large for float32")
    options["loss"] = "squared_error"
    refused(lambda: fit(t=1e39 * X, options=options), "t holds numbers too large for float32")


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", NAN, [1]])
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda v: fit(epochs=v), "epochs"),
        (lambda v: fit(iterations=v), "iterations"),
        (lambda v: fit(batch_size=v), "batch_size"),
        (lambda v: Shuffled(v), "batch_size"),
        (lambda v: Reshuffled(v), "batch_size"),
        (lambda v: WithReplacement(2, lengths=[3, v]), "lengths"),
        (lambda v: batch_partition(X.T, X.T, batch_size=v), "batch_size"),
        (lambda v: Dense(v, 2), "n_features_in"),
        (lambda v: Dense(2, v), "n_outputs"),
        (lambda v: StepDecay(0.1, every=v), "every"),
        (lambda v: Cosine(0.1, total=v), "total"),
    ],
)
def test_counts(call, name, value):
    refused(lambda: call(value), f"{name}={value!r}", "at least 1")


@pytest.mark.parametrize("value", [-1, 2.0, False, "3"])
def test_counts_that_may_be_zero(value):
    refused(lambda: Plateau(0.1, patience=value), "patience=", "at least 0")
    refused(lambda: Cosine(0.1, 9, warmup=value), "warmup=", "at least 0")


RATES = [SGD, AdaGrad, RMSprop, Adam, AdamW, Nadam, Lion, Exponential, InverseTime, Plateau]


@pytest.mark.parametrize("value", [-0.1, NAN, INF, "0.1", True, None, [0.1, 0.2], np.ones((1, 2))])
@pytest.mark.parametrize(
    ("call", "name"),
    [
        *[(lambda v, cls=cls: cls(v), "learning_rate") for cls in RATES],
        (lambda v: StepDecay(v, every=2), "learning_rate"),
        (lambda v: Cosine(v, total=2), "learning_rate"),
        (lambda v: SGD(momentum=v), "momentum"),
        (lambda v: SGD(momentum=0.5, dampening=v), "dampening"),
        (lambda v: RMSprop(rho=v), "rho"),
        (lambda v: RMSprop(eps=v), "eps"),
        (lambda v: AdaGrad(eps=v), "eps"),
        (lambda v: Adam(beta1=v), "beta1"),
        (lambda v: Adam(beta2=v), "beta2"),
        (lambda v: Adam(eps=v), "eps"),
        (lambda v: AdamW(weight_decay=v), "weight_decay"),
        (lambda v: Nadam(momentum_decay=v), "momentum_decay"),
        (lambda v: Lion(beta1=v), "beta1"),
        (lambda v: Lion(beta2=v), "beta2"),
        (lambda v: Lion(weight_decay=v), "weight_decay"),
        (lambda v: Penalty(l1=v), "l1"),
        (lambda v: Penalty(l2=v), "l2"),
        (lambda v: trainer(max_norm=v if v is not None else "None"), "max_norm"),
        (lambda v: Exponential(0.1, gamma=v), "gamma"),
        (lambda v: StepDecay(0.1, 2, gamma=v), "gamma"),
        (lambda v: InverseTime(0.1, decay=v), "decay"),
        (lambda v: Cosine(0.1, 5, final=v), "final"),
        (lambda v: Plateau(0.1, reduction=v), "reduction"),
        (lambda v: Plateau(0.1, min_delta=v), "min_delta"),
        (lambda v: Plateau(0.1, min_rate=v), "min_rate"),
        (lambda v: Dropout(v), "rate"),
        (lambda v: LeakyReLU(v), "negative_slope"),
        (lambda v: ELU(v), "alpha"),
        (lambda v: Huber(v), "delta"),
        (lambda v: Glorot(scale=v), "scale"),
        (lambda v: Normal(v), "std"),
        (lambda v: Uniform(v), "limit"),
    ],
)
def test_hyperparameters(call, name, value):
    message = refused(lambda: call(value), name)
    assert message.startswith((f"{name}=", f"{name} of shape"))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: SGD(momentum=1.5), "momentum=1.5 must be in [0, 1]"),
        (lambda: SGD(momentum=0.5, dampening=1.5), "dampening=1.5 must be in [0, 1]"),
        (lambda: SGD(nesterov=True), "nesterov=True needs momentum above 0"),
        (lambda: RMSprop(rho=1.0), "rho=1.0"),
        (lambda: Adam(beta2=1.0), "beta2=1.0"),
        (lambda: Adam(eps=0.0), "eps=0.0"),
        (lambda: Dropout(1.0), "rate=1.0 must be in [0, 1)"),
        (lambda: Exponential(0.1, gamma=1.5), "gamma=1.5 must be in (0, 1]"),
        (lambda: Exponential(0.1, gamma=0.0), "gamma=0.0"),
        (lambda: Plateau(0.1, reduction=1.0), "reduction=1.0 must be in (0, 1)"),
        (lambda: Cosine(0.1, 5, warmup=5), "warmup=5 must be below total=5"),
        (lambda: Cosine(0.1, 5, final=2.0), "final=2.0"),
        (lambda: Huber(0.0), "delta=0.0"),
        (lambda: trainer(max_norm=0.0), "max_norm=0.0"),
        (lambda: BinaryCrossEntropy(clip=0.5), "clip=0.5"),
        (lambda: SoftmaxCrossEntropy(offset=0.0), "offset=0.0"),
        (lambda: SoftmaxCrossEntropy(clip=0.1, offset=0.1), "clip=0.1 and offset=0.1"),
    ],
)
def test_bounds(call, told):
    refused(call, told)


@pytest.mark.parametrize(
    ("call", "given", "nearest"),
    [
        (lambda: trainer(loss="sqared_error"), "loss='sqared_error'", "squared_error"),
        (lambda: trainer(optimizer="adem"), "optimizer='adem'", "adam"),
        (lambda: trainer(backend="numpi"), "backend='numpi'", "numpy"),
        (lambda: trainer(dtype="float16"), "dtype='float16'", "float64"),
        (lambda: fit(sampling="shufle"), "sampling='shufle'", "shuffle"),
        (lambda: fit(step_losses="befor"), "step_losses='befor'", "before"),
        (lambda: Adam(eps_form="plane"), "eps_form='plane'", "plain"),
        (lambda: SGD(velocity_form="step"), "velocity_form='step'", "steps"),
        (lambda: SquaredError(outputs="summe"), "outputs='summe'", "sum"),
        (lambda: Poisson(outputs="means"), "outputs='means'", "mean"),
        (lambda: Penalty(division="nome"), "division='nome'", "none"),
        (lambda: fit(sampling="reshufle"), "sampling='reshufle'", "reshuffle"),
        (lambda: Exponential(0.1, unit="steps"), "unit='steps'", "step"),
        (lambda: Glorot("gaussian-normal"), "distribution=", "normal"),
    ],
)
def test_unknown_names_tell_the_nearest(call, given, nearest):
    refused(call, given, f"Did you mean {nearest!r}?", "Known: ")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Trainer(Dense(3, 1), "huber"), "network=Dense("),
        (lambda: Trainer([Dense(3, 1)], "huber"), "network=[Dense("),
        (lambda: trainer(loss=SquaredError), "loss=<class"),
        (lambda: trainer(loss=None), "loss=None is no Loss"),
        (lambda: trainer(optimizer=0.1), "optimizer=0.1 is no Optimizer"),
        (lambda: trainer(optimizer=Exponential(0.1)), "optimizer=Exponential("),
        (lambda: trainer(penalty=0.1), "penalty=0.1 must be a Penalty"),
        (lambda: trainer(dtype=int), "dtype='int'"),
        (lambda: trainer(backend=1), "backend=1"),
        (lambda: trainer(random_state=[]), "random_state is an empty sequence"),
        (lambda: fit(options={"random_state": "0"}), "random_state='0'"),
        (lambda: fit(options={"random_state": 0.5}), "random_state=0.5"),
        (lambda: fit(options={"random_state": True}), "random_state=True"),
        (lambda: fit(options={"random_state": -1}), "random_state=-1"),
        (lambda: fit(options={"random_state": [0, None, "a"]}), "random_state='a'"),
        (lambda: fit(options={"random_state": np.array(3)}), "random_state=array(3)"),
        (lambda: fit(options={"device": "cuda"}), "device='cuda'"),
        (lambda: fit(epochs=1, iterations=1), "epochs=1 and iterations=1"),
        (lambda: fit(validation_data=X), "validation_data must be a tuple"),
        (lambda: fit(validation_data=(X,)), "validation_data must be a tuple"),
        (lambda: fit(validation_data=(X, T, T, T)), "validation_data must be a tuple (x, t) or"),
        (lambda: fit(validation_data=()), "validation_data must be a tuple"),
        (lambda: fit(validation_data=(X, T, T[:5])), "validation_sample_weight has shape (5,)"),
        (lambda: fit(validation_data=(X, T, -T)), "validation_sample_weight holds -2"),
        (lambda: fit(validation_data=(X, T, 0 * T)), "validation_sample_weight holds only zeros"),
        (lambda: fit(validation_data=(X, T, "a")), "validation_sample_weight"),
        (lambda: fit(t=csr_array(X)), "t is sparse"),
        (lambda: fit(objectives=True, step_losses="after"), "objectives=True are those before"),
        (lambda: fit(callbacks=None), "callbacks=None must be a sequence of Callback objects"),
        (lambda: fit(callbacks=TimeLimit), "must be a sequence of Callback objects"),
        (lambda: fit(callbacks=[TimeLimit]), "callbacks[0]=<class"),
        (lambda: fit(callbacks=[None]), "callbacks[0]=None must be a Callback object"),
        (lambda: fit(validation_data={"x": X, "t": T}), "validation_data must be a tuple"),
        (lambda: fit(validation_data=(X, None)), "validation_t has dtype object"),
        (lambda: fit(validation_data=(X, T + 1)), "validation_t holds 3"),
        (lambda: fit(sampling=Shuffled), "sampling=<class"),
        (lambda: fit(callbacks="print"), "callbacks[0]='p' must be a Callback"),
        (lambda: fit(callbacks=print), "must be a sequence of Callback objects"),
        (lambda: fit(callbacks=TimeLimit(1)), "must be a sequence: [TimeLimit"),
        (lambda: fit(callbacks=[TimeLimit(1), print]), "callbacks[1]=<built-in"),
        (lambda: fit(callbacks=2 * [TimeLimit(1)]), "has one of them twice"),
        (lambda: WithReplacement(2, lengths=3), "lengths=3 must be a sequence"),
        (lambda: Network([]), "layers must hold at least one layer with parameters"),
        (lambda: Network([Tanh()]), "layers must hold at least one layer with parameters"),
        (lambda: Network([Dense(3, 4), "tanh"]), "layers[1]='tanh' must be a Layer"),
        (lambda: Network([Dense(3, 4), Tanh]), "layers[1]=<class"),
        (lambda: Network([Dense(3, 4), Tanh(), Dense(5, 1)]), "takes 5 features, but 4 come"),
        (lambda: Dense(3, 4, weight_init="glorot"), "weight_init='glorot'"),
        (lambda: Dense(3, 4, bias_init=0.0), "bias_init=0.0"),
        (lambda: net().flatten({"W1": X}), "parameters has the names ['W1']"),
        (lambda: batch_partition(X, X[:, :2]), "Y (6, 2)"),
        (lambda: batch_partition(X[0], X), "X has shape (3,)"),
        (lambda: batch_partition(X.T, X.T, seed="a"), "seed='a'"),
    ],
)
def test_things_of_the_wrong_kind(call, told):
    refused(call, told)


def altered(**changes):
    return replace(trainer(optimizer=Adam()).initialize(), **changes)


SIZE = net().n_params
ADAM = {"optimizer": Adam()}


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: fit(state=np.zeros(SIZE)), "state="),
        (lambda: fit(state={}), "state={} must be a TrainState"),
        (lambda: fit(state=trainer()), "must be a TrainState"),
        (lambda: fit(state=trainer(net(2)).initialize()), "params has shape"),
        (lambda: fit(state=altered(), options={"optimizer": SGD()}), "state holds arrays"),
        (lambda: fit(state=trainer().initialize(), options=ADAM), "params, mean, mean_square"),
        (lambda: fit(state=altered(optimizer_state=(X, X)), options=ADAM), "state holds arrays"),
        (
            lambda: fit(state=trainer().initialize(), options={"random_state": [0, 1]}),
            "state holds",
        ),
        (
            lambda: fit(state=trainer().initialize(), options={"network": net(3, Dropout())}),
            "state.dropout_seed is None",
        ),
        (lambda: fit(state=altered(params=np.full(SIZE, NAN)), options=ADAM), "params holds NaN"),
        (lambda: trainer().initialize(np.zeros(3)), "params has shape (3,)"),
        (lambda: trainer().initialize(np.zeros((2, 2, SIZE))), "params has shape (2, 2"),
        (lambda: trainer().initialize(["a"] * SIZE), "params has dtype"),
        (
            lambda: trainer(random_state=[0, 1]).initialize(np.zeros((3, SIZE))),
            "params holds 3 models; the hyperparameters and random_state are for 2",
        ),
    ],
)
def test_states(call, told):
    refused(call, told)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda fitted: fitted.predict(X[:, :2]), "x has shape (6, 2)"),
        (lambda fitted: fitted.predict(X[0]), "x has shape (3,)"),
        (lambda fitted: fitted.predict(changed(X, NAN)), "x holds NaN"),
        (lambda fitted: fitted.predict([["a"] * 3]), "x has dtype"),
        (lambda fitted: fitted.evaluate(X, T[:5]), "x has 6, t has 5"),
        (lambda fitted: fitted.evaluate(X, T + 1), "t holds 3"),
        (lambda fitted: fitted.evaluate(X, T, T[:5]), "sample_weight has shape (5,)"),
    ],
)
def test_predictions_and_scores(call, told):
    fitted = trainer()
    fitted.state_ = fitted.initialize()
    assert fitted.predict(X).shape == (6, 3), "the right call works"
    refused(lambda: call(fitted), told)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda loss: loss.value(np.zeros(3), T), "logits have shape (3,)"),
        (lambda loss: loss.value(np.zeros((5, 3)), T), "logits has 5, t has 6"),
        (lambda loss: loss.value(changed(X, NAN), T), "logits holds NaN"),
        (lambda loss: loss.value(X, T + 1), "t holds 3"),
        (lambda loss: loss.gradient(X, T, np.ones(5)), "weights has shape (5,)"),
        (lambda loss: loss.gradient(X, T, -np.ones(6)), "weights must be 0 or more"),
    ],
)
def test_losses_of_their_own(call, told):
    refused(lambda: call(SoftmaxCrossEntropy()), told)


@pytest.mark.parametrize("name", ["jax", "torch", "array_api_strict"])
def test_device_arrays(name):
    pytest.importorskip(name)
    backend = backends.get(name)
    with backend.session("float64"):

        def bring(array):
            return backend.asarray(array, "float64")

        for x, told in [
            (X[:, :2], "x has shape (6, 2)"),
            (X[0], "x has shape (3,)"),
            (X[:0], "x has no samples"),
            (X[:5], "x has 5, t has 6"),
            (changed(X, NAN), "x holds NaN or infinity"),
        ]:
            refused(lambda x=x: fit(bring(x)), told)
        refused(lambda: fit(bring(X) + 0j), "x has dtype", "complex128")
        refused(lambda: fit(X, bring(changed(T, 3))), "t holds 3")
        refused(lambda: fit(X, T, sample_weight=bring(-T)), "sample_weight")
        for arguments in [
            {"x": bring(X)},
            {"t": bring(T)},
            {"sample_weight": bring(T)},
            {"validation_data": (bring(X), T)},
            {"validation_data": (X, bring(T))},
        ]:
            message = refused(lambda a=arguments: fit(**a, options={"backend": "numpy"}))
            assert "must use the same namespace" in message


def test_the_table_is_about_calls_that_would_train():
    with pytest.raises(pytest.fail.Exception, match="training began"):
        fit()
