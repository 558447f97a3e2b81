"""T3: the two-layer net against its formulas."""

import formulas
import numpy as np
import pytest

from xpnet import backends, datasets
from xpnet.nets import TwoLayerNet

STATUS = backends.available()
BACKENDS = ["numpy", "cupy", "jax", "torch", "array_api_strict"]


def usable(name):
    if not STATUS[name].usable:
        pytest.skip(f"not run: {STATUS[name].reason}")
    return name


@pytest.fixture
def batch():
    rng = np.random.RandomState(3)
    return rng.rand(20, 12), np.eye(4)[rng.randint(0, 4, 20)]


def test_initial_weights_are_drawn_as_in_the_tutorial():
    np.random.seed(5)
    w1, w2 = 0.01 * np.random.randn(12, 7), 0.01 * np.random.randn(7, 4)
    np.random.seed(5)
    net = TwoLayerNet(12, 7, 4)
    np.testing.assert_array_equal(net.params["W1"], w1)
    np.testing.assert_array_equal(net.params["W2"], w2)
    assert list(net.params) == ["W1", "b1", "W2", "b2"]
    assert not net.params["b1"].any()
    assert not net.params["b2"].any()


@pytest.mark.parametrize("name", BACKENDS)
def test_loss_and_gradients(batch, name):
    x, t = batch
    net = TwoLayerNet(12, 7, 4, weight_init_std=1.0, random_state=0, backend=usable(name))
    host = {k: backends.to_host(v) for k, v in net.params.items()}
    loss, expected = formulas.two_layer_gradient(host, x, t)
    assert net.loss(x, t) == pytest.approx(loss, rel=1e-13)
    assert net.loss(x, t.argmax(1)) == pytest.approx(loss, rel=1e-13)
    gradient, numerical = net.gradient(x, t), net.numerical_gradient(x, t)
    for key, value in expected.items():
        exact = backends.to_host(gradient[key])
        assert exact.dtype == np.float64
        np.testing.assert_allclose(exact, value, rtol=1e-11, atol=1e-15)
        difference = formulas.central_difference(host, x, t, key, (-1,) * value.ndim)
        found = backends.to_host(numerical[key])
        assert found[(-1,) * value.ndim] == pytest.approx(difference, rel=0, abs=1e-11)
        # The 1e-7 inside the logarithm is in the loss, not in the gradient.
        np.testing.assert_allclose(found, value, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", BACKENDS)
def test_the_tutorials_update_by_hand(batch, name):
    x, t = batch
    net = TwoLayerNet(12, 7, 4, weight_init_std=0.1, random_state=0, backend=usable(name))
    expected = {k: backends.to_host(v).copy() for k, v in net.params.items()}
    for _ in range(10):
        gradient = net.gradient(x, t)
        for key in net.params:
            net.params[key] -= 0.5 * gradient[key]
        exact = formulas.two_layer_gradient(expected, x, t)[1]
        expected = {key: value - 0.5 * exact[key] for key, value in expected.items()}
    for key, value in expected.items():
        np.testing.assert_allclose(backends.to_host(net.params[key]), value, rtol=0, atol=1e-13)


def test_predict_and_accuracy(batch):
    x, t = batch
    net = TwoLayerNet(12, 7, 4, weight_init_std=1.0, random_state=0)
    y = net.predict(x)
    assert y.shape == (20, 4)
    np.testing.assert_allclose(y.sum(axis=1), 1.0, rtol=1e-14)
    assert net.accuracy(x, t) == np.mean(y.argmax(1) == t.argmax(1))


@pytest.mark.parametrize("name", BACKENDS)
def test_fit_is_the_tutorials_loop(name):
    rng = np.random.RandomState(0)
    x, t = rng.rand(250, 12), np.eye(4)[rng.randint(0, 4, 250)]
    net = TwoLayerNet(12, 7, 4, random_state=9, backend=usable(name))
    history = net.fit(x, t, iterations=20, batch_size=50, validation_data=(x[:90], t[:90]))
    rng = np.random.RandomState(9)
    p = {"W1": 0.01 * rng.randn(12, 7), "b1": np.zeros(7)}
    p |= {"W2": 0.01 * rng.randn(7, 4), "b2": np.zeros(4)}
    losses, scores = [], []
    for i in range(20):
        rows = rng.choice(250, 50)
        gradient = formulas.two_layer_gradient(p, x[rows], t[rows])[1]
        p = {key: value - 0.1 * gradient[key] for key, value in p.items()}
        losses.append(formulas.two_layer_gradient(p, x[rows], t[rows])[0])
        if i % 5 == 0 or i == 19:
            z = formulas.sigmoid(x @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
            scores.append(np.mean(z.argmax(1) == t.argmax(1)))
    np.testing.assert_allclose(history.step_losses, losses, rtol=1e-12)
    assert history.scores == scores
    assert len(history.val_scores) == len(scores)
    for key, value in p.items():
        np.testing.assert_allclose(backends.to_host(net.params[key]), value, rtol=0, atol=1e-14)


def test_mnist_learns_without_overfitting(mnist_home):
    d = datasets.load_mnist(mnist_home)
    net = TwoLayerNet(784, 50, 10, random_state=0, dtype="float32")
    history = net.fit(d.x_train, d.t_train, iterations=1801, validation_data=(d.x_val, d.t_val))
    assert history.n_epochs == 4  # after updates 0, 600, 1200 and 1800
    assert history.val_scores[-1] > 0.89
    assert abs(history.scores[-1] - history.val_scores[-1]) < 0.02


@pytest.mark.parametrize("name", ["input_size", "hidden_size", "output_size"])
def test_wrong_sizes(name):
    with pytest.raises(ValueError, match=name):
        TwoLayerNet(**({"input_size": 3, "hidden_size": 3, "output_size": 3} | {name: 0}))


def test_wrong_data(batch):
    x, t = batch
    net = TwoLayerNet(12, 7, 4)
    with pytest.raises(ValueError, match="x has shape"):
        net.loss(x[:, :5], t)
    with pytest.raises(ValueError, match="outside the classes"):
        net.gradient(x, t.argmax(1) + 1)
    with pytest.raises(ValueError, match="iterations"):
        net.fit(x, t, iterations=0)
    with pytest.raises(ValueError, match="batch_size"):
        net.fit(x, t, batch_size=0)
    net.params["W1"] = net.params["W1"][:, :-1]
    with pytest.raises(ValueError, match="W1 has shape"):
        net.predict(x)


def test_arrays_of_another_library(batch):
    torch = pytest.importorskip("torch")
    x, t = (torch.as_tensor(a) for a in batch)
    net = TwoLayerNet(12, 7, 4, random_state=0)
    for method in (net.loss, net.gradient, net.numerical_gradient, net.fit):
        with pytest.raises(ValueError, match="same namespace"):
            method(x, t)
    with pytest.raises(ValueError, match="t has shape"):
        net.fit(batch[0], 5)
