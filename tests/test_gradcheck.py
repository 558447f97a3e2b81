"""Backpropagation against central differences: every layer, loss and penalty."""

import numpy as np
import pytest

from xpnet import (
    AbsoluteError,
    BinaryCrossEntropy,
    Dense,
    Dropout,
    Huber,
    Network,
    Normal,
    Penalty,
    Poisson,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    backends,
)
from xpnet.gradcheck import check_gradients, numerical_gradient
from xpnet.layers import ACTIVATIONS

RNG = np.random.RandomState(0)
X = RNG.standard_normal((7, 4))
WEIGHTS = RNG.uniform(0.5, 2.0, 7)
TARGETS = {
    BinaryCrossEntropy: RNG.randint(0, 2, (7, 3)),
    SoftmaxCrossEntropy: RNG.randint(0, 3, 7),
    SquaredError: RNG.standard_normal((7, 3)),
    AbsoluteError: RNG.standard_normal((7, 3)) + 5,
    Huber: RNG.standard_normal((7, 3)),
    Poisson: RNG.poisson(2.0, (7, 3)),
}
PLACES = [
    ("numpy", None),
    ("cupy", None),
    ("jax", None),
    ("torch", None),
    ("array_api_strict", "device1"),
]


def network(*between, n_outputs=3):
    wide = Normal(0.7)
    return Network([Dense(4, 5, wide, wide), *between, Dense(5, n_outputs, wide, wide)])


@pytest.mark.parametrize("activation", ACTIVATIONS.values())
@pytest.mark.parametrize("loss", TARGETS)
def test_layers_and_losses(activation, loss):
    error = check_gradients(network(activation()), loss(), X, TARGETS[loss])
    assert error < 1e-8


@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("penalty", [None, Penalty(l1=0.3), Penalty(l2=0.3), Penalty(0.1, 0.2)])
def test_weights_and_penalties(loss, penalty):
    net = network(Tanh(), Dropout(0.4))
    error = check_gradients(net, loss(), X, TARGETS[loss], sample_weight=WEIGHTS, penalty=penalty)
    assert error < 1e-8


REGRESSION = [SquaredError, AbsoluteError, Huber, Poisson]


@pytest.mark.parametrize("division", ["apart", "together", "none"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["mean", "weighted"])
def test_divisions_of_the_penalty(division, weights):
    penalty = Penalty(0.1, 0.2, division=division)
    options = {"sample_weight": weights, "penalty": penalty}
    net = network(Tanh(), Dropout(0.4))
    for loss in (SoftmaxCrossEntropy, SquaredError):
        assert check_gradients(net, loss(), X, TARGETS[loss], **options) < 1e-8


@pytest.mark.parametrize("loss", REGRESSION)
def test_sums_of_outputs(loss):
    error = check_gradients(network(Tanh()), loss(outputs="sum"), X, TARGETS[loss])
    assert error < 1e-8


@pytest.mark.parametrize("loss", REGRESSION)
def test_mixed_outputs_differ_by_their_number(loss):
    """|3 g - g| / (|3 g| + |g|) is a half; of one output there is nothing to mix."""
    mixed = loss(outputs="mixed")
    error = check_gradients(network(Tanh()), mixed, X, TARGETS[loss], sample_weight=WEIGHTS)
    np.testing.assert_allclose(error, 0.5, rtol=1e-8)
    one = network(Tanh(), n_outputs=1)
    assert check_gradients(one, mixed, X, TARGETS[loss][:, :1]) < 1e-8


def test_precise_sigmoids():
    net = network(Sigmoid(precise=True))
    for loss in (BinaryCrossEntropy(precise=True), BinaryCrossEntropy(clip=1e-12, precise=True)):
        assert check_gradients(net, loss, X, TARGETS[BinaryCrossEntropy]) < 1e-8


def test_one_output_and_no_hidden_layer():
    net = Network([Dense(4, 1, Normal(1.0), bias=False)])
    assert check_gradients(net, BinaryCrossEntropy(), X, TARGETS[SoftmaxCrossEntropy] > 0) < 1e-8


@pytest.mark.parametrize(("name", "device"), PLACES)
def test_on_every_backend(name, device):
    status = backends.available()[name]
    if not status.usable:
        pytest.skip(f"not run: {status.reason}")
    net = network(Tanh(), Dropout(0.3), Dense(5, 5), ReLU())
    options = {"sample_weight": WEIGHTS, "penalty": Penalty(0.1, 0.2), "random_state": 3}
    target = TARGETS[SoftmaxCrossEntropy]
    error = check_gradients(
        net, SoftmaxCrossEntropy(), X, target, backend=name, device=device, **options
    )
    assert error < 1e-8


def test_a_wrong_derivative_is_found(monkeypatch):
    right = Tanh.input_gradient
    monkeypatch.setattr(Tanh, "input_gradient", lambda *args: 1.001 * right(*args))
    assert check_gradients(network(Tanh()), SquaredError(), X, TARGETS[SquaredError]) > 1e-5


def test_numerical_gradient_in_stacks():
    p = RNG.standard_normal(11)
    for stack in (1, 4, 64):
        found = numerical_gradient(lambda q: np.sin(q).sum(axis=-1), p, stack=stack)
        np.testing.assert_allclose(found, np.cos(p), atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": X[:, :3]}, "x has shape"),
        ({"x": X[:5]}, "differ"),
        ({"t": TARGETS[SoftmaxCrossEntropy] + 1}, "outside the classes"),
        ({"sample_weight": -WEIGHTS}, "sample_weight"),
        ({"h": 0.0}, "h="),
        ({"backend": "numppy"}, "Did you mean 'numpy'"),
    ],
)
def test_bad_input(arguments, message):
    given = {"x": X, "t": TARGETS[SoftmaxCrossEntropy]} | arguments
    with pytest.raises((ValueError, TypeError), match=message):
        check_gradients(network(), SoftmaxCrossEntropy(), **given)


def test_a_device_without_float64():
    pytest.importorskip("array_api_strict")
    with pytest.raises(ValueError, match="float64"):
        check_gradients(
            network(), SquaredError(), X, X[:, :3], backend="array_api_strict", device="no_x64"
        )


def test_a_loss_by_its_name():
    net, x = Network([Dense(2, 3), Tanh(), Dense(3, 3)]), np.array([[0.1, 0.2], [0.3, -0.4]])
    by_name, by_class = (
        check_gradients(net, loss, x, np.array([0, 2]))
        for loss in ("softmax_cross_entropy", SoftmaxCrossEntropy())
    )
    assert by_name == by_class < 1e-7
