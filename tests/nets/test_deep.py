"""T5: the deep net and the dicts of parameters against their formulas."""

import formulas
import numpy as np
import pytest

from xpnet import SGD, InverseTime, backends, datasets
from xpnet.nets import (
    DeepNet,
    initialize_adam,
    initialize_momentum,
    update_with_adam,
    update_with_momentum,
)

STATUS = backends.available()
DIMS = (2, 5, 3, 1)


@pytest.fixture(scope="module")
def moons():
    d = datasets.load_moons()
    return d.x_train.T, d.t_train[None, :]


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "rmsprop", "adam"])
def test_against_the_formulas(moons, optimizer):
    X, Y = moons
    expected, p = formulas.deep_net(X, Y, DIMS, optimizer, epochs=30, learning_rate=0.003)
    net = DeepNet(DIMS, optimizer, learning_rate=0.003).fit(X, Y, epochs=30)
    np.testing.assert_allclose(net.losses, expected, rtol=1e-11)
    for key, value in p.items():
        assert net.parameters[key].shape == value.shape
        np.testing.assert_allclose(net.parameters[key], value, rtol=1e-8, atol=1e-12)


def test_initial_parameters_are_he_draws():
    net = DeepNet(DIMS, random_state=3)
    rng = np.random.RandomState(3)
    np.testing.assert_array_equal(net.parameters["W1"], rng.randn(5, 2) * np.sqrt(2 / 2))
    np.testing.assert_array_equal(net.parameters["W2"], rng.randn(3, 5) * np.sqrt(2 / 5))


@pytest.mark.parametrize("name", ["cupy", "jax", "torch", "array_api_strict"])
def test_other_backends(moons, name):
    if not STATUS[name].usable:
        pytest.skip(f"not run: {STATUS[name].reason}")
    X, Y = moons
    expected = DeepNet(DIMS, learning_rate=0.003).fit(X, Y, epochs=5)
    net = DeepNet(DIMS, learning_rate=0.003, backend=name).fit(X, Y, epochs=5)
    np.testing.assert_allclose(net.losses, expected.losses, rtol=1e-10)


def test_what_the_tutorial_shows(moons):
    X, Y = moons
    nets = {
        (name, rate): DeepNet((2, 16, 8, 1), name, learning_rate=rate).fit(X, Y, epochs=100)
        for name in ("gd", "adam")
        for rate in (0.0007, 0.1)
    }
    # At a small rate Adam is far ahead; at a higher one the difference nearly vanishes.
    assert nets["adam", 0.0007].losses[-1] < 0.7 * nets["gd", 0.0007].losses[-1]
    assert nets["adam", 0.0007].score(X, Y) > nets["gd", 0.0007].score(X, Y)
    assert abs(nets["adam", 0.1].score(X, Y) - nets["gd", 0.1].score(X, Y)) < 0.03


def test_predict_score_and_validation(moons):
    X, Y = moons
    net = DeepNet(DIMS).fit(X, Y, epochs=3, validation_data=(X[:, :50], Y[:, :50]))
    assert net.predict(X).shape == (1, X.shape[1])
    assert set(np.unique(net.predict(X))) <= {0, 1}
    assert net.score(X, Y) == np.mean(net.predict(X) == Y)
    assert len(net.val_losses) == 3
    assert net.fit(X, Y[0], epochs=3).losses[0] == pytest.approx(net.losses[0])


def test_optimizers_and_schedules_of_the_core(moons):
    X, Y = moons
    plain = DeepNet(DIMS, "gd", learning_rate=0.1).fit(X, Y, epochs=3)
    assert DeepNet(DIMS, SGD(0.1)).fit(X, Y, epochs=3).losses == plain.losses
    decayed = DeepNet(DIMS, "gd", learning_rate=InverseTime(0.1, decay=1.0))
    assert decayed.fit(X, Y, epochs=3).losses != plain.losses


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer_dims": (2, 3)}, "layer_dims"),
        ({"layer_dims": (2,)}, "layer_dims"),
        ({"layer_dims": (2, 0, 1)}, "layer_dims"),
        ({"layer_dims": (2, 1), "optimizer": "adem"}, "optimizer.*adam"),
        ({"layer_dims": (2, 1), "learning_rate": -1}, "learning_rate"),
        ({"layer_dims": (2, 1), "batch_size": 0}, "batch_size"),
    ],
)
def test_wrong_options(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        DeepNet(**arguments)


def test_wrong_shapes(moons):
    X, Y = moons
    with pytest.raises(ValueError, match="X has shape"):
        DeepNet(DIMS).fit(X[0], Y)
    with pytest.raises(ValueError, match="Y has shape"):
        DeepNet(DIMS).fit(X, Y.T)
    with pytest.raises(ValueError, match="differ"):
        DeepNet(DIMS).fit(X, Y[:, :-1])


def random_dicts(seed):
    rng = np.random.RandomState(seed)
    shapes = {"W1": (3, 2), "b1": (3, 1), "W2": (1, 3), "b2": (1, 1)}
    return (
        {k: rng.randn(*s) for k, s in shapes.items()},
        [{f"d{k}": rng.randn(*s) for k, s in shapes.items()} for _ in range(10)],
    )


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_update_with_momentum(beta):
    parameters, all_grads = random_dicts(0)
    v = initialize_momentum(parameters)
    assert {k: a.sum() for k, a in v.items()} == dict.fromkeys(("dW1", "db1", "dW2", "db2"), 0)
    expected = {k: a.copy() for k, a in parameters.items()}
    velocity = dict.fromkeys(expected, 0.0)
    for grads in all_grads:
        parameters, v = update_with_momentum(parameters, grads, v, beta, 0.1)
        for k in expected:
            velocity[k] = beta * velocity[k] + (1 - beta) * grads[f"d{k}"]
            expected[k] = expected[k] - 0.1 * velocity[k]
    for k in expected:
        np.testing.assert_allclose(parameters[k], expected[k], rtol=1e-14)
        np.testing.assert_allclose(v[f"d{k}"], velocity[k], rtol=1e-14)


def test_update_with_adam():
    parameters, all_grads = random_dicts(1)
    before = {k: a.copy() for k, a in parameters.items()}
    handed_in = parameters
    v, s = initialize_adam(parameters)
    expected = {k: a.copy() for k, a in parameters.items()}
    m1, m2 = (dict.fromkeys(expected, 0.0) for _ in range(2))
    for t, grads in enumerate(all_grads, start=1):
        parameters, v, s = update_with_adam(parameters, grads, v, s, t, 0.02)
        for k in expected:
            g = grads[f"d{k}"]
            m1[k], m2[k] = 0.9 * m1[k] + 0.1 * g, 0.999 * m2[k] + 0.001 * g**2
            step = m1[k] / (1 - 0.9**t) / (np.sqrt(m2[k] / (1 - 0.999**t)) + 1e-8)
            expected[k] = expected[k] - 0.02 * step
    for k in expected:
        np.testing.assert_allclose(parameters[k], expected[k], rtol=1e-13)
        np.testing.assert_array_equal(handed_in[k], before[k])


def test_wrong_dicts():
    parameters, (grads, *_) = random_dicts(2)
    v, s = initialize_adam(parameters)
    with pytest.raises(ValueError, match="t=0"):
        update_with_adam(parameters, grads, v, s, 0)
    with pytest.raises(ValueError, match="beta1"):
        update_with_adam(parameters, grads, v, s, 1, beta1=1.0)
    with pytest.raises(ValueError, match="grads has no 'dW2'"):
        update_with_adam(parameters, {k: a for k, a in grads.items() if k != "dW2"}, v, s, 1)
    with pytest.raises(ValueError, match=r"grads\['dW1'\] has shape"):
        update_with_momentum(parameters, grads | {"dW1": np.zeros((2, 3))}, v, 0.9, 0.1)


def test_a_rate_beside_an_optimizer_is_refused():
    with pytest.raises(ValueError, match=r"learning_rate=0\.5 is for named optimizers"):
        DeepNet(DIMS, SGD(0.1), learning_rate=0.5)


def test_parameters_are_the_users_own(moons):
    X, Y = moons
    net = DeepNet(DIMS).fit(X, Y, epochs=2)
    before = net.predict(X)
    net.parameters["W1"][:] = 0
    np.testing.assert_array_equal(net.predict(X), before)


def test_scores_check_the_targets(moons):
    X, Y = moons
    net = DeepNet(DIMS).fit(X, Y, epochs=1)
    with pytest.raises(ValueError, match=r"Y holds values in \[-1, 1\]"):
        net.score(X, 2 * Y - 1)


def test_every_state_is_checked():
    parameters, (grads, *_) = random_dicts(3)
    v, s = initialize_adam(parameters)
    with pytest.raises(ValueError, match=r"s has no 'db1'"):
        update_with_adam(parameters, grads, v, {k: a for k, a in s.items() if k != "db1"}, 1)
