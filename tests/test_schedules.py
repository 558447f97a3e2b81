"""Learning-rate schedules against torch's and by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpnet import Dense, Network
from xpnet.optimizers import (
    SCHEDULES,
    SGD,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Plateau,
    StepDecay,
)
from xpnet.penalties import Penalty
from xpnet.step import Problem, coefficient_names, coefficient_table

EPOCHS = 25


def by_epoch(schedule, n=EPOCHS):
    """The rate of each epoch; the three steps of an epoch share it."""
    rates = np.stack([schedule.rates(np.arange(3 * e, 3 * e + 3), e) for e in range(n)])
    np.testing.assert_array_equal(rates[:, 0], rates[:, 2])
    return rates[:, 0, ..., 0, 0]


def torch_rates(make):
    """The rates of torch's scheduler, whose `step` is called after each epoch."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler, rates = make(torch.optim.lr_scheduler, optimizer), []
    for _ in range(EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        (Constant(0.3), lambda m, o: m.ConstantLR(o, factor=1.0)),
        (StepDecay(0.3, every=4, gamma=0.5), lambda m, o: m.StepLR(o, 4, 0.5)),
        (Exponential(0.3, gamma=0.9), lambda m, o: m.ExponentialLR(o, 0.9)),
        (InverseTime(0.3, decay=0.2), lambda m, o: m.LambdaLR(o, lambda e: 1 / (1 + 0.2 * e))),
        (Cosine(0.3, total=24), lambda m, o: m.CosineAnnealingLR(o, 24)),
        (Cosine(0.3, total=24, final=0.1), lambda m, o: m.CosineAnnealingLR(o, 24, eta_min=0.03)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_equals_torch(schedule, make):
    np.testing.assert_allclose(by_epoch(schedule), torch_rates(make), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Constant(2.0), [2.0, 2.0, 2.0, 2.0]),
        (StepDecay(2.0, every=2), [2.0, 2.0, 0.2, 0.2]),
        (Exponential(2.0, gamma=0.5), [2.0, 1.0, 0.5, 0.25]),
        (InverseTime(2.0, decay=1.0), [2.0, 1.0, 2 / 3, 0.5]),
        (Cosine(2.0, total=2, final=0.25), [2.0, 1.25, 0.5, 0.5]),
        (Cosine(2.0, total=3, warmup=2), [1.0, 2.0, 2.0, 0.0]),
    ],
    ids=lambda v: type(v).__name__,
)
@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_by_hand_in_epochs_and_in_steps(schedule, expected, unit):
    options = vars(schedule) | {"unit": unit}
    schedule = type(schedule)(**options)
    if unit == "epoch":
        np.testing.assert_allclose(by_epoch(schedule, 4), expected, rtol=1e-15)
    else:
        rates = schedule.rates(np.arange(4), epoch=9)
        np.testing.assert_allclose(rates[:, 0, 0], expected, rtol=1e-15)
        np.testing.assert_array_equal(schedule.rates(np.arange(2, 4), epoch=0), rates[2:])


@pytest.mark.parametrize("name", SCHEDULES)
def test_arrays_of_rates_are_models(name):
    options = {"step": {"every": 2}, "cosine": {"total": 5}}.get(name, {})
    cls, curve = SCHEDULES[name], [1.0, 0.5]
    stack = cls(np.array([[0.1], [0.2]]), **options).rates(np.arange(3), 1, curve)
    assert stack.shape == (3, 2, 1)
    for k, rate in enumerate((0.1, 0.2)):
        alone = cls(rate, **options).rates(np.arange(3), 1, curve)
        assert alone.shape == (3, 1, 1)
        np.testing.assert_array_equal(stack[:, [k]], alone)


@given(
    curve=st.lists(st.floats(0.0, 10.0), min_size=1, max_size=30),
    patience=st.integers(0, 4),
    min_delta=st.sampled_from([0.0, 0.5]),
    min_rate=st.sampled_from([0.0, 0.2]),
)
def test_plateau_equals_torch(curve, patience, min_delta, min_rate):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        factor=0.5,
        patience=patience,
        threshold=min_delta,
        threshold_mode="abs",
        min_lr=min_rate,
        eps=0.0,
    )
    ours = Plateau(0.3, 0.5, patience, min_delta, min_rate)
    for epoch in range(len(curve)):
        rates = ours.rates(np.arange(2), epoch, curve[:epoch])
        np.testing.assert_allclose(rates, optimizer.param_groups[0]["lr"], rtol=1e-14)
        assert rates.shape == (2, 1, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch: step of the scheduler without one before
            theirs.step(curve[epoch])


def test_plateau_watches_each_model_alone():
    curves = np.array(
        [[3.0, 2.0, 1.0, 0.5, 0.1], [3.0, 3.0, 3.0, 3.0, 3.0], [3.0, 2.0, 2.0, 2.0, 1.0]]
    )
    plateau = Plateau(0.3, reduction=0.1, patience=1)
    stack = plateau.rates(np.arange(2), 5, list(curves.T))
    assert stack.shape == (2, 3, 1)
    np.testing.assert_allclose(stack[0, :, 0], [0.3, 0.003, 0.03], rtol=1e-14)
    for k in range(3):
        np.testing.assert_array_equal(stack[:, [k]], plateau.rates(np.arange(2), 5, curves[k]))


def test_the_schedule_reaches_the_table_of_coefficients():
    def rates(learning_rate, *when):
        problem = Problem(Network([Dense(1, 1)]), None, SGD(learning_rate), Penalty())
        return coefficient_table(problem, *when)[:, coefficient_names(problem)[0].index("rate")]

    np.testing.assert_allclose(rates(Exponential(0.1, gamma=0.5), 6, 2, 3), [0.0125, 0.0125])
    np.testing.assert_allclose(rates(Plateau(0.1, 0.5, 0), 6, 2, 3, [1.0, 1.0]), [0.05, 0.05])
    stack = Exponential(np.array([[0.1], [0.2]]), gamma=0.5, unit="step")
    expected = [[[0.05], [0.1]], [[0.025], [0.05]]]
    np.testing.assert_allclose(rates(stack, 1, 2, 0), expected)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Constant(-0.1), ValueError, r"learning_rate=-0\.1"),
        (lambda: Constant(0.1, unit="epochs"), ValueError, "Did you mean 'epoch'"),
        (lambda: StepDecay(0.1, every=0), ValueError, "every=0 must be at least 1"),
        (lambda: StepDecay(0.1, 2, gamma=0.0), ValueError, r"gamma=0\.0"),
        (lambda: Exponential(0.1, gamma=1.1), ValueError, r"gamma=1\.1 must be in \(0, 1\]"),
        (lambda: InverseTime(0.1, decay=-1.0), ValueError, r"decay=-1\.0"),
        (lambda: Cosine(0.1, total=2.5), TypeError, r"total=2\.5 must be an integer"),
        (lambda: Cosine(0.1, total=2, warmup=2), ValueError, "warmup=2 must be below total=2"),
        (lambda: Cosine(0.1, total=2, final=1.1), ValueError, r"final=1\.1 must be in \[0, 1\]"),
        (lambda: Plateau(0.1, reduction=1.0), ValueError, r"reduction=1\.0 must be in \(0, 1\)"),
        (lambda: Plateau(0.1, patience=-1), ValueError, "patience=-1 must be at least 0"),
        (lambda: Plateau(0.1, min_rate=np.inf), ValueError, "min_rate=inf"),
    ],
)
def test_schedules_refuse(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_repr_names_every_option():
    assert repr(Exponential(0.1, gamma=0.5)) == (
        "Exponential(learning_rate=0.1, unit='epoch', gamma=0.5)"
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda v: Exponential(0.1, gamma=v),
        lambda v: StepDecay(0.1, 2, gamma=v),
        lambda v: InverseTime(0.1, decay=v),
        lambda v: Cosine(0.1, total=9, final=v),
        lambda v: Plateau(0.1, reduction=v, patience=0),
    ],
)
def test_options_may_be_arrays_of_models(make):
    values = np.array([[0.3], [0.9]])
    curve = [np.array([2.0, 2.0])] * 4
    stack = make(values).rates(np.arange(3), 5, curve)
    assert stack.shape == (3, 2, 1)
    for k, value in enumerate(values[:, 0]):
        alone = make(value).rates(np.arange(3), 5, [c[k] for c in curve])
        np.testing.assert_array_equal(stack[:, k, 0], alone[:, 0, 0])


def test_a_plateau_reads_any_curve_anew():
    plateau = Plateau(1.0, reduction=0.5, patience=0)
    steps = np.arange(1)
    growing = [plateau.rates(steps, k, [1.0] * k).item() for k in range(5)]
    assert growing == [1.0, 1.0, 0.5, 0.25, 0.125]
    assert plateau.rates(steps, 2, [2.0, 1.0]).item() == 1.0
    assert plateau.rates(steps, 2, [1.0, 1.0]).item() == 0.5


def test_a_minimum_above_the_rate_is_refused():
    with pytest.raises(ValueError, match=r"min_rate=0\.2 is above learning_rate=0\.1"):
        Plateau(0.1, min_rate=0.2)
