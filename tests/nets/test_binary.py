"""T1 and T2: the binary classifiers against their formulas."""

import formulas
import numpy as np
import pytest

from xpnet import backends, datasets
from xpnet.nets import DualLayer, MinibatchNetwork, RandomInitNetwork, SingleLayer

PENALTIES = [(0.0, 0.0), (0.0, 0.01), (0.01, 0.0), (0.01, 0.01)]
OTHERS = ["cupy", "jax", "torch", "array_api_strict"]
STATUS = backends.available()


@pytest.fixture(scope="module")
def cancer():
    d = datasets.load_breast_cancer()
    return d.x_train, d.t_train, d.x_val, d.t_val


def assert_curves(net, expected, rtol):
    np.testing.assert_allclose(net.losses, expected[0], rtol=rtol, atol=0)
    np.testing.assert_allclose(net.val_losses, expected[1], rtol=rtol, atol=0)


@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
def test_single_layer(cancer, l1, l2):
    x, y, xv, yv = cancer
    expected = formulas.single_layer(*cancer, epochs=500, l1=l1, l2=l2)
    net = SingleLayer(l1=l1, l2=l2).fit(x, y, 500, xv, yv)
    assert_curves(net, expected, 1e-12)
    np.testing.assert_allclose(net.w_history, expected[2], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(net.w, net.w_history[-1])
    assert net.b.shape == (1,)


@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
@pytest.mark.parametrize("cls", [DualLayer, RandomInitNetwork])
def test_full_batch(cancer, cls, l1, l2):
    x, y, xv, yv = cancer
    expected = formulas.hidden_layer(
        *cancer, epochs=500, batch=None, ones=cls is DualLayer, l1=l1, l2=l2
    )
    net = cls(l1=l1, l2=l2).fit(x, y, 500, xv, yv)
    assert_curves(net, expected, 1e-12)


@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
@pytest.mark.parametrize("batch_size", [32, 128, 364])
def test_minibatch(cancer, batch_size, l1, l2):
    x, y, xv, yv = cancer
    expected = formulas.hidden_layer(*cancer, epochs=500, batch=batch_size, l1=l1, l2=l2)
    net = MinibatchNetwork(batch_size=batch_size, l1=l1, l2=l2).fit(x, y, 500, xv, yv)
    assert_curves(net, expected, 1e-12)


@pytest.mark.parametrize(
    ("l1", "l2", "epochs"), [(0.0, 0.0, 60), (0.0, 0.01, 60), (0.01, 0.0, 60), (0.01, 0.01, 500)]
)
def test_stochastic(cancer, l1, l2, epochs):
    x, y, xv, yv = cancer
    expected = formulas.hidden_layer(*cancer, epochs=epochs, batch=1, l1=l1, l2=l2)
    net = MinibatchNetwork(batch_size=1, l1=l1, l2=l2).fit(x, y, epochs, xv, yv)
    assert_curves(net, expected, 1e-12)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(("batch_size", "l1"), [(32, 0.01), (128, 0.01), (364, 0.01), (1, 0.0)])
def test_other_backends(cancer, name, batch_size, l1):
    if not STATUS[name].usable:
        pytest.skip(f"not run: {STATUS[name].reason}")
    x, y, xv, yv = cancer
    expected = formulas.hidden_layer(*cancer, epochs=25, batch=batch_size, l1=l1, l2=0.01)
    net = MinibatchNetwork(batch_size=batch_size, l1=l1, l2=0.01, backend=name)
    assert_curves(net.fit(x, y, 25, xv, yv), expected, 1e-10)
    assert isinstance(net.w1, np.ndarray)
    assert net.w1.dtype == np.float64


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("cls", [SingleLayer, DualLayer])
def test_full_batch_on_other_backends(cancer, name, cls):
    if not STATUS[name].usable:
        pytest.skip(f"not run: {STATUS[name].reason}")
    x, y, xv, yv = cancer
    expected = cls(l2=0.01).fit(x, y, 25, xv, yv)
    net = cls(l2=0.01, backend=name).fit(x, y, 25, xv, yv)
    assert_curves(net, (expected.losses, expected.val_losses), 1e-10)


@pytest.mark.parametrize("batch_size", [32, 128])
def test_published_accuracy(cancer, batch_size):
    x, y, xv, yv = cancer
    net = MinibatchNetwork(l2=0.01, batch_size=batch_size).fit(x, y, 500, xv, yv)
    assert round(net.score(xv, yv) * 91) in (88, 89)


def test_a_larger_batch_is_smoother_and_slower(cancer):
    x, y, xv, yv = cancer
    small, large = (
        np.array(MinibatchNetwork(l2=0.01, batch_size=b).fit(x, y, 500, xv, yv).losses)
        for b in (32, 128)
    )
    assert large[20] > small[20]
    tail = slice(300, None)
    assert np.abs(np.diff(large[tail], n=2)).mean() < np.abs(np.diff(small[tail], n=2)).mean()


def test_gen_batch_draws_the_orders_of_fit(cancer):
    x, y, _, _ = cancer
    net = MinibatchNetwork(batch_size=128)
    rng = np.random.RandomState(42)
    for _ in range(2):
        order = rng.permutation(np.arange(len(x)))
        batches = list(net.gen_batch(x, y))
        assert [len(b) for b, _ in batches] == [128, 128, 108]
        np.testing.assert_array_equal(np.concatenate([b for b, _ in batches]), x[order])
        np.testing.assert_array_equal(np.concatenate([b for _, b in batches]), y[order])


def test_predict_is_z_above_zero(cancer):
    x, y, xv, yv = cancer
    net = MinibatchNetwork().fit(x, y, 10)
    z = formulas.sigmoid(xv @ net.w1 + net.b1) @ net.w2 + net.b2
    np.testing.assert_array_equal(net.predict(xv), z[:, 0] > 0)
    assert net.score(xv, yv) == np.mean((z[:, 0] > 0) == yv)
    assert net.val_losses == []
    assert len(net.losses) == 10


def test_fit_starts_anew(cancer):
    x, y, _, _ = cancer
    net = MinibatchNetwork().fit(x, y, 5)
    first = list(net.losses)
    assert net.fit(x, y, 5).losses == first


def test_seeds_differ(cancer):
    x, y, _, _ = cancer
    assert MinibatchNetwork(random_state=1).fit(x, y, 2).losses != (
        MinibatchNetwork(random_state=2).fit(x, y, 2).losses
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(cancer, dtype):
    x, y, _, _ = cancer
    net = MinibatchNetwork(dtype=dtype).fit(x, y, 3)
    assert net.w1.dtype == dtype


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 0}, "units"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"l1": -0.1}, "l1"),
        ({"l2": "much"}, "l2"),
        ({"backend": "numpi"}, "backend.*numpy"),
        ({"dtype": "float16"}, "dtype"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        MinibatchNetwork(**options)


def test_wrong_data(cancer):
    x, y, _, _ = cancer
    net = MinibatchNetwork()
    with pytest.raises(RuntimeError, match="not trained yet"):
        net.predict(x)
    with pytest.raises(ValueError, match="y_val"):
        net.fit(x, y, x_val=x)
    with pytest.raises(ValueError, match="epochs"):
        net.fit(x, y, epochs=0)
    with pytest.raises(ValueError, match="differ"):
        net.fit(x, y[:-1])
    with pytest.raises(ValueError, match=r"\[0, 2\]"):
        net.fit(x, y * 2)
