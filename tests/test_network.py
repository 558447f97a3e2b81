"""Networks: the flat layout, and the whole gradient against torch's autograd."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xpnet import backends
from xpnet.initializers import Normal
from xpnet.layers import ACTIVATIONS, Dense, Dropout, Identity, Noise, ReLU, Sigmoid, Tanh
from xpnet.losses import BinaryCrossEntropy, Poisson, SoftmaxCrossEntropy, SquaredError
from xpnet.network import Network

XP = backends.get("numpy").xp
NET = Network([Dense(2, 3), ReLU(), Dense(3, 2), Tanh(), Dense(2, 1, bias=False)])


def test_the_layout_is_w1_b1_w2_b2():
    assert NET.names == ("W1", "b1", "W2", "b2", "W3")
    assert (NET.n_features_in, NET.n_outputs, NET.n_params) == (2, 1, 6 + 3 + 6 + 2 + 2)
    views = NET.unflatten(np.arange(NET.n_params))
    assert {n: v.tolist() for n, v in views.items()} == {
        "W1": [[0, 1, 2], [3, 4, 5]],
        "b1": [6, 7, 8],
        "W2": [[9, 10], [11, 12], [13, 14]],
        "b2": [15, 16],
        "W3": [[17], [18]],
    }


@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
def test_flatten_and_unflatten_are_inverse(lead):
    params = np.random.RandomState(0).standard_normal((*lead, NET.n_params))
    views = NET.unflatten(params)
    assert views["W2"].shape == (*lead, 3, 2)
    assert all(np.shares_memory(v, params) for v in views.values())
    np.testing.assert_array_equal(NET.flatten(views), params)
    np.testing.assert_array_equal(NET.flatten({n: v.tolist() for n, v in views.items()}), params)


def test_initial_parameters_are_drawn_layer_by_layer():
    net = Network([Dense(2, 3, Normal(1.0), Normal(1.0)), ReLU(), Dense(3, 1, Normal(1.0))])
    stream = np.random.RandomState(3).standard_normal(12)
    np.testing.assert_array_equal(net.initialize(3), np.append(stream, 0.0))
    rng = np.random.RandomState(3)
    first, second = net.initialize(rng), net.initialize(rng)
    np.testing.assert_array_equal(first, net.initialize(3))
    assert (first[:12] != second[:12]).all()


def test_unflatten_on_every_backend(backend, lies_on):
    params = np.arange(2.0 * NET.n_params).reshape(2, -1)
    views = NET.unflatten(backend.asarray(params, "float32"), xp=backend.xp)
    for name, expected in NET.unflatten(params).items():
        np.testing.assert_array_equal(lies_on(backend, views[name], "float32"), expected)


def torch_loss_and_gradient(torch_functions, sizes, activations, loss, params, x, t, weights):
    """The same network in torch, differentiated by its autograd."""
    import torch

    f = torch.nn.functional
    samples = {
        BinaryCrossEntropy: lambda z, t: f.binary_cross_entropy_with_logits(
            z, t, reduction="none"
        ).sum(-1),
        SoftmaxCrossEntropy: functools.partial(f.cross_entropy, reduction="none"),
        SquaredError: lambda z, t: 0.5 * ((z - t) ** 2).mean(-1),
        Poisson: lambda z, t: (z.exp() - t * z + torch.special.xlogy(t, t) - t).mean(-1),
    }[type(loss)]
    p, a, start = torch.asarray(params, requires_grad=True), torch.asarray(x), 0
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        w = p[start : start + n_in * n_out].reshape(n_in, n_out)
        a = a @ w + p[start + n_in * n_out : start + (n_in + 1) * n_out]
        start += (n_in + 1) * n_out
        if i < len(sizes) - 2:
            a = torch_functions[activations[i]](a)
    value = (samples(a, torch.asarray(t)) * torch.asarray(weights)).sum()
    value.backward()
    return value.item(), p.grad.numpy()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    activations=st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=2, max_size=2),
    loss=st.sampled_from([BinaryCrossEntropy(), SoftmaxCrossEntropy(), SquaredError(), Poisson()]),
    batch=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_gradient_equals_autograd(torch_functions, sizes, activations, loss, batch, seed):
    if isinstance(loss, SoftmaxCrossEntropy):
        sizes = [*sizes[:-1], sizes[-1] + 1]
    rng = np.random.RandomState(seed)
    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        layers.append(Dense(n_in, n_out))
        if i < len(sizes) - 2:
            layers.append(ACTIVATIONS[activations[i]]())
    net = Network(layers)
    params, x = rng.standard_normal(net.n_params), rng.standard_normal((batch, sizes[0]))
    t = rng.randint(2, size=batch if isinstance(loss, SoftmaxCrossEntropy) else (batch, sizes[-1]))
    t = t if t.ndim == 1 else t.astype(np.float64)
    weights = rng.uniform(0.0, 2.0, batch)
    value, gradient = net.loss_and_gradient(XP, params, x, t, loss, weights)
    expected = torch_loss_and_gradient(
        torch_functions, sizes, activations, loss, params, x, t, weights
    )
    np.testing.assert_allclose(value, expected[0], rtol=1e-12, atol=1e-14)
    scale = max(1.0, np.abs(expected[1]).max())
    np.testing.assert_allclose(gradient / scale, expected[1] / scale, rtol=1e-12, atol=1e-13)


def deep(n_in, n_out):
    """A network of everything there is: all activations, dropout twice, a layer without bias."""
    layers = [Identity(), Dense(n_in, 6), Dropout(0.3)]
    for activation in ACTIVATIONS.values():
        layers += [activation(), Dense(6, 6, bias=len(layers) % 3 > 0)]
    return Network([*layers, Dropout(0.2), Dense(6, n_out)])


DEEP = deep(4, 3)
rng = np.random.RandomState(0)
PARAMS = np.stack([DEEP.initialize(i) for i in range(3)])
PARAMS += 0.1 * rng.standard_normal(PARAMS.shape)
X, T, WEIGHTS = rng.standard_normal((9, 4)), rng.randint(3, size=9), rng.uniform(size=9)
SEEDS = np.array([5, 6, 7], np.int32).reshape(3, 1, 1)


def run(backend, params, x, seed, dtype="float64"):
    noise = Noise(backend.asarray(seed), backend.asarray(np.array(11, np.int32)))
    return DEEP.loss_and_gradient(
        backend.xp,
        backend.asarray(params, dtype),
        backend.asarray(x, dtype),
        backend.asarray(T, "int32"),
        SoftmaxCrossEntropy(),
        backend.asarray(WEIGHTS, dtype),
        noise,
    )


@pytest.mark.parametrize("own_data", [False, True])
def test_a_model_of_a_stack_equals_its_own_run_bit_for_bit(own_data):
    numpy = backends.get("numpy")
    x = np.stack([X, 2.0 * X, -X]) if own_data else X
    values, gradients = run(numpy, PARAMS, x, SEEDS)
    assert values.shape == (3,)
    assert gradients.shape == PARAMS.shape
    for k in range(3):
        value, gradient = run(numpy, PARAMS[k], x[k] if own_data else x, SEEDS[k])
        assert values[k] == value
        np.testing.assert_array_equal(gradients[k], gradient)


def test_every_backend_agrees(backend, dtype, lies_on):
    expected = run(backends.get("numpy"), PARAMS, X, SEEDS)
    with backend.session(dtype):
        value, gradient = run(backend, PARAMS, X, SEEDS, dtype)
        value, gradient = lies_on(backend, value, dtype), lies_on(backend, gradient, dtype)
    tolerance = {"float64": 1e-12, "float32": 1e-5}[dtype]
    np.testing.assert_allclose(value, expected[0], rtol=tolerance)
    np.testing.assert_allclose(gradient, expected[1], rtol=tolerance, atol=tolerance)


def test_forward_is_inference_unless_noise_is_given():
    params = PARAMS[0]
    quiet = DEEP.forward(XP, params, X)
    np.testing.assert_array_equal(quiet, DEEP.forward(XP, params, X))
    layers = [layer for layer in DEEP.layers if not isinstance(layer, Dropout)]
    np.testing.assert_array_equal(quiet, Network(layers).forward(XP, params, X))
    loud = DEEP.forward(XP, params, X, Noise(SEEDS[0], np.array(0, np.int32)))
    assert (loud != quiet).any()


def test_dropout_layers_of_one_network_differ():
    net = Network([Dense(1, 1), Dropout(), Dropout()])
    noise = Noise(SEEDS[0], np.array(0, np.int32))
    y = net.forward(XP, np.array([0.0, 1.0]), np.zeros((4000, 1)), noise)
    assert abs(np.mean(y == 4.0) - 0.25) < 0.035  # five standard deviations
    assert set(np.unique(y)) == {0.0, 4.0}


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([], ValueError, "at least one layer with parameters"),
        ([ReLU(), Dropout()], ValueError, "at least one layer with parameters"),
        ([Dense(2, 3), Sigmoid(), Dense(4, 1)], ValueError, r"layers\[2\].*takes 4.*but 3"),
        ([Dense(2, 3), ReLU], TypeError, r"layers\[1\]=.*must be a Layer"),
        (["relu"], TypeError, r"layers\[0\]='relu' must be a Layer"),
    ],
)
def test_networks_refuse(layers, error, message):
    with pytest.raises(error, match=message):
        Network(layers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W4": np.zeros((2, 1))}, "parameters has the names"),
        ({"W2": None}, "parameters has the names"),
        ({"W2": np.zeros((2, 3))}, r"W2 has shape \(2, 3\); \(3, 2\) is needed"),
        ({"b1": np.zeros(())}, r"b1 has shape \(\)"),
    ],
)
def test_flatten_refuses(change, message):
    views = NET.unflatten(np.zeros(NET.n_params)) | change
    with pytest.raises(ValueError, match=message):
        NET.flatten({n: v for n, v in views.items() if v is not None})


def test_flatten_refuses_stacks_of_different_length():
    views = NET.unflatten(np.zeros((2, NET.n_params))) | {"b1": np.zeros((3, 3))}
    with pytest.raises(ValueError, match="dimension"):
        NET.flatten(views)


def test_repr():
    net = Network([Dense(2, 1, Normal()), ReLU()])
    assert repr(net) == (
        "Network([Dense(n_features_in=2, n_outputs=1, weight_init=Normal(std=0.01), "
        "bias_init=Zeros(), bias=True), ReLU()])"
    )


def test_plain_numpy_is_a_namespace_too():
    network = Network([Dense(2, 3), ReLU(), Dense(3, 1)])
    params, x = network.initialize(0), np.ones((4, 2))
    expected = np.maximum(x @ params[:6].reshape(2, 3) + params[6:9], 0.0) @ params[9:12, None]
    np.testing.assert_allclose(network.forward(np, params, x), expected + params[12])
