"""L1 and L2 penalties: by hand, by slopes, and on every backend."""

from __future__ import annotations

import numpy as np
import pytest

from xpnet import SGD, Network, SquaredError, Trainer, backends
from xpnet.gradcheck import check_gradients
from xpnet.layers import Dense, ReLU, Tanh
from xpnet.penalties import Penalty, mask

LAYERS = (Dense(2, 2), ReLU(), Dense(2, 1, bias=False), Dense(1, 1))
MASK = np.array([1.0] * 4 + [0.0] * 2 + [1.0] * 2 + [1.0, 0.0])
W = np.array([1.0, -2.0, 0.5, 0.0, 9.0, -9.0, 3.0, -0.25, 2.0, 7.0])
XP = backends.get("numpy").xp
STRENGTHS = np.array([[0.1], [0.0], [2.0]])


def test_the_mask_spares_the_biases():
    np.testing.assert_array_equal(mask(LAYERS), MASK)


def coefficients(backend, penalty, dtype):
    return {k: backend.asarray(np.asarray(v), dtype) for k, v in penalty.coefficients().items()}


@pytest.mark.parametrize(
    "penalty",
    [
        Penalty(l1=0.3),
        Penalty(l2=0.7),
        Penalty(l1=0.3, l2=0.7),
        Penalty(l1=STRENGTHS),
        Penalty(l1=0.3, l2=STRENGTHS),
    ],
    ids=["l1", "l2", "both", "l1-grid", "both-grid"],
)
def test_value_and_gradient(penalty, backend, dtype, lies_on):
    params = np.stack([W, -W, 2.0 * W])
    weights = params * MASK
    value = penalty.l1 * np.abs(weights).sum(axis=1, keepdims=True)
    value = value + penalty.l2 / 2.0 * (weights**2).sum(axis=1, keepdims=True)
    gradient = (penalty.l1 * np.sign(params) + penalty.l2 * params) * MASK
    with backend.session(dtype):
        arguments = (
            backend.xp,
            backend.asarray(params, dtype),
            backend.asarray(MASK, dtype),
            coefficients(backend, penalty, dtype),
        )
        ours = lies_on(backend, penalty.value(*arguments), dtype)
        slopes = lies_on(backend, penalty.gradient(*arguments), dtype)
    tolerance = {"float64": 1e-15, "float32": 2e-7}[dtype]
    np.testing.assert_allclose(ours, value, rtol=2 * tolerance)
    np.testing.assert_allclose(slopes, gradient, rtol=tolerance)


def test_the_gradient_is_the_slope_of_the_value():
    penalty = Penalty(l1=0.3, l2=0.7)
    params = np.where(W == 0.0, 1.0, W)
    c = penalty.coefficients()
    shifts = 1e-6 * np.eye(len(W))
    up, down = (penalty.value(XP, params + s, MASK, c)[:, 0] for s in (shifts, -shifts))
    np.testing.assert_allclose(
        penalty.gradient(XP, params, MASK, c), (up - down) / 2e-6, rtol=1e-8, atol=1e-8
    )


def test_a_grid_equals_its_runs_bit_for_bit():
    params = np.stack([W, -W, 2.0 * W])
    other = np.roll(STRENGTHS, 1)
    grid = Penalty(l1=STRENGTHS, l2=other)
    value = grid.value(XP, params, MASK, grid.coefficients())
    gradient = grid.gradient(XP, params, MASK, grid.coefficients())
    for k in range(3):
        alone = Penalty(l1=float(STRENGTHS[k, 0]), l2=float(other[k, 0]))
        arguments = (XP, params[k], MASK, alone.coefficients())
        np.testing.assert_array_equal(value[k], alone.value(*arguments))
        np.testing.assert_array_equal(gradient[k], alone.gradient(*arguments))


@pytest.mark.parametrize(
    ("penalty", "names"),
    [
        (Penalty(), []),
        (Penalty(l1=np.zeros((2, 1))), []),
        (Penalty(l1=0.1), ["l1"]),
        (Penalty(l2=STRENGTHS), ["l2"]),
        (Penalty(0.1, 0.2), ["l1", "l2"]),
    ],
)
def test_only_strengths_in_use_are_computed(penalty, names):
    assert list(penalty.coefficients()) == names
    assert bool(penalty) == bool(names)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"l1": -1.0}, ValueError, r"l1=-1\.0 must be at least 0"),
        ({"l2": np.inf}, ValueError, "l2=inf"),
        ({"l2": np.array([[0.1], [-0.1]])}, ValueError, "l2="),
        ({"l2": np.ones(3)}, ValueError, r"l2 of shape \(3,\)"),
        ({"l1": None}, TypeError, "l1=None"),
        ({"division": "apar"}, ValueError, "division='apar' is unknown. Did you mean 'apart'"),
        ({"division": None}, ValueError, "division=None is unknown"),
    ],
)
def test_penalties_refuse(options, error, message):
    with pytest.raises(error, match=message):
        Penalty(**options)


def test_the_representation_tells_every_option():
    assert repr(Penalty(0.1, 0.2)) == "Penalty(l1=0.1, l2=0.2, division='apart')"
    assert repr(Penalty(division="none")) == "Penalty(l1=0.0, l2=0.0, division='none')"


rng = np.random.RandomState(0)
X, T = rng.standard_normal((6, 2)), rng.standard_normal((6, 1))
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0, 0.25, 3.0])
L1, L2 = 0.3, 0.7
DIVISIONS = ("apart", "together", "none")
LINE = Network([Dense(2, 1)])
START = np.array([1.5, -2.5, 0.5])


def line_by_hand(division, rows, weights, params):
    """Mean loss, its penalty, and the objective's gradient of x W + b on some rows."""
    w, x = weights[rows], X[rows]
    difference = x @ params[:2] + params[2] - T[rows, 0]
    total = w.sum()
    penalty = L1 * np.abs(params[:2]).sum() + L2 / 2.0 * (params[:2] ** 2).sum()
    slopes = np.append(L1 * np.sign(params[:2]) + L2 * params[:2], 0.0)
    gradient = np.append(x.T @ (w * difference), (w * difference).sum())
    share = 1.0 if division == "none" else total
    loss = (w * difference**2).sum() / 2.0 / total
    return loss, penalty / share, gradient / total + slopes / share


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("division", DIVISIONS)
def test_a_step_and_an_evaluation_by_hand(division, weighted, backend, dtype):
    """Two batches of three rows: the penalty's share is the batch's, and not where it is whole."""
    weights = WEIGHTS if weighted else np.ones(6)
    place = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    penalty = Penalty(l1=L1, l2=L2, division=division)
    trainer = Trainer(LINE, SquaredError(), SGD(0.5), penalty=penalty, **place)
    given = {"sample_weight": weights if weighted else None}
    start = trainer.initialize(START)
    rtol = 1e-13 if dtype == "float64" else 2e-6
    loss, _, gradient = line_by_hand(division, np.arange(6), weights, START)
    found = trainer.loss_and_gradient(X, T, state=start, **given)
    np.testing.assert_allclose(found[0], loss, rtol=rtol)
    np.testing.assert_allclose(found[1], gradient, rtol=rtol, atol=rtol)

    params, losses, objectives = START, [], []
    for rows in (np.arange(3), np.arange(3, 6)):
        loss, share, gradient = line_by_hand(division, rows, weights, params)
        losses.append(loss)
        objectives.append(loss + share)
        params = params - 0.5 * gradient
    fit = {"sampling": "sequential", "batch_size": 3, "epochs": 1, "state": start, **given}
    history = trainer.fit(X, T, step_losses="before", validation_data=(X, T), **fit)
    np.testing.assert_allclose(
        backends.to_host(trainer.state_.params), params, rtol=10 * rtol, atol=rtol
    )
    np.testing.assert_allclose(history.step_losses, losses, rtol=rtol)
    loss, share, _ = line_by_hand(division, np.arange(6), weights, params)
    sums = np.array([weights[:3].sum(), weights[3:].sum()])
    expected = np.average(losses, weights=sums) + share
    np.testing.assert_allclose(history.losses, [expected], rtol=10 * rtol)
    evaluated = trainer.evaluate(X, T, given["sample_weight"])[0]
    np.testing.assert_allclose(evaluated, loss + share, rtol=10 * rtol)
    loss, share, _ = line_by_hand(division, np.arange(6), np.ones(6), params)
    np.testing.assert_allclose(history.val_losses, [loss + share], rtol=10 * rtol)
    history = trainer.fit(X, T, objectives=True, **fit)
    np.testing.assert_allclose(history.losses, [np.mean(objectives)], rtol=rtol)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["mean", "weighted"])
@pytest.mark.parametrize("division", DIVISIONS)
def test_the_gradient_is_that_of_the_objective(division, weights):
    """Central differences of what `evaluate` reports, and of what `check_gradients` compares."""
    network = Network([Dense(2, 3), Tanh(), Dense(3, 1)])
    penalty = Penalty(l1=L1, l2=L2, division=division)
    error = check_gradients(
        network, SquaredError(), X, T, sample_weight=weights, penalty=penalty, random_state=3
    )
    assert error < 1e-8
    trainer = Trainer(network, SquaredError(), penalty=penalty, random_state=3)
    trainer.state_ = start = trainer.initialize()
    gradient = trainer.loss_and_gradient(X, T, weights)[1]
    for i, shift in enumerate(1e-6 * np.eye(network.n_params)):
        values = []
        for sign in (1.0, -1.0):
            trainer.state_ = trainer.initialize(start.params + sign * shift)
            values.append(trainer.evaluate(X, T, weights)[0])
        np.testing.assert_allclose(gradient[i], (values[0] - values[1]) / 2e-6, atol=1e-8)


def test_apart_and_together_round_as_they_are_written():
    """Bit for bit: ``g / n + own / n`` against ``(g + own) / n``; they differ in the last digit."""
    gradient, own, total = rng.standard_normal((3, 1000)), rng.standard_normal((3, 1000)), 7
    found = {d: Penalty(l2=1.0, division=d).add(gradient, own, total) for d in DIVISIONS}
    np.testing.assert_array_equal(found["apart"], gradient / 7 + own / 7)
    np.testing.assert_array_equal(found["together"], (gradient + own) / 7)
    np.testing.assert_array_equal(found["none"], gradient / 7 + own)
    assert (found["apart"] != found["together"]).any()
    np.testing.assert_allclose(found["apart"], found["together"], rtol=1e-12, atol=1e-15)
    value = {d: Penalty(l2=1.0, division=d).mean(3.5, total) for d in DIVISIONS}
    assert value == {"apart": 0.5, "together": 0.5, "none": 3.5}


def test_only_a_whole_penalty_is_independent_of_the_batch_size():
    """Of data that ask for nothing a batch of n shrinks the weights by l2 / n, or by l2."""
    shrunk = {}
    for division in DIVISIONS:
        for n in (1, 2, 4):
            penalty = Penalty(l2=0.5, division=division)
            trainer = Trainer(LINE, SquaredError(), SGD(1.0), penalty=penalty)
            start = trainer.initialize([1.0, 1.0, 0.0])
            zeros = np.zeros((n, 2))
            trainer.fit(zeros, zeros[:, 0], batch_size=None, epochs=1, state=start)
            shrunk[division, n] = float(1.0 - trainer.state_.params[0])
    assert [shrunk["apart", n] for n in (1, 2, 4)] == [0.5, 0.25, 0.125]
    assert [shrunk["together", n] for n in (1, 2, 4)] == [0.5, 0.25, 0.125]
    assert [shrunk["none", n] for n in (1, 2, 4)] == [0.5, 0.5, 0.5]


def test_names_are_read_in_any_case():
    assert Penalty(l2=1.0, division="None").mean(5.0, 2) == 5.0
