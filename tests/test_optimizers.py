"""Optimizers: fifty steps each against torch, or against a loop written by hand."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpnet import Dense, Network, backends
from xpnet.optimizers import (
    OPTIMIZERS,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Exponential,
    InverseTime,
    Lion,
    Nadam,
    Optimizer,
    RMSprop,
    clip_by_norm,
)
from xpnet.penalties import Penalty
from xpnet.step import Problem, coefficient_names, coefficient_table, constant_coefficients

NET = Network([Dense(1, 1)])
"""Whose coefficients are none."""
STEPS, SIZE = 50, 8
rng = np.random.RandomState(0)
PARAMS = rng.standard_normal(SIZE)
GRADS = rng.standard_normal((STEPS, SIZE)) * np.logspace(-3, 1, SIZE)
GRADS[:3, 0] = 0.0  # a parameter that nothing has moved yet


def run(optimizer, grads=GRADS, params=PARAMS, *, backend=None, dtype="float64", **options):
    """Step through `grads`; `state` and `first` go on from an earlier run."""
    backend = backends.get("numpy") if backend is None else backend
    first, state = options.get("first", 0), options.get("state")
    problem = Problem(NET, None, optimizer, Penalty(), options.get("max_norm"))
    (names, fixed), table = (
        coefficient_names(problem),
        coefficient_table(problem, first, len(grads), 0),
    )
    constants = constant_coefficients(problem)
    params = backend.asarray(params, dtype)
    zeros = tuple(backend.xp.zeros_like(params) for _ in optimizer.state_names)
    state = zeros if state is None else state
    for grad, row in zip(grads, table, strict=True):
        c = {name: backend.asarray(row[k], dtype) for k, name in enumerate(names)}
        c |= {name: backend.asarray(constants[k], dtype) for k, name in enumerate(fixed)}
        grad = backend.asarray(grad, dtype)
        params, state = optimizer.rule(backend.xp, params, grad, state, c)
    return backend.to_host(params), state


TORCH = [
    (SGD(0.1), "SGD", {"lr": 0.1}),
    (SGD(0.1, momentum=0.9), "SGD", {"lr": 0.1, "momentum": 0.9}),
    (SGD(0.1, momentum=0.9, nesterov=True), "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (AdaGrad(0.05), "Adagrad", {"lr": 0.05}),
    (AdaGrad(0.05, eps=0.1), "Adagrad", {"lr": 0.05, "eps": 0.1}),
    (RMSprop(0.02), "RMSprop", {"lr": 0.02}),
    (RMSprop(0.02, rho=0.5, eps=0.1), "RMSprop", {"lr": 0.02, "alpha": 0.5, "eps": 0.1}),
    (RMSprop(0.02, centered=True), "RMSprop", {"lr": 0.02, "centered": True}),
    (Adam(0.05), "Adam", {"lr": 0.05}),
    (
        Adam(0.05, beta1=0.5, beta2=0.9, eps=0.1),
        "Adam",
        {"lr": 0.05, "betas": (0.5, 0.9), "eps": 0.1},
    ),
    (AdamW(0.05), "AdamW", {"lr": 0.05}),
    (AdamW(0.05, weight_decay=0.3), "AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    (Adam(0.05, amsgrad=True), "Adam", {"lr": 0.05, "amsgrad": True}),
    (Nadam(0.05), "NAdam", {"lr": 0.05}),
    (Nadam(0.05, momentum_decay=0.1), "NAdam", {"lr": 0.05, "momentum_decay": 0.1}),
]


@pytest.mark.parametrize(("optimizer", "name", "options"), TORCH, ids=lambda v: str(v)[:40])
def test_equals_torch(optimizer, name, options):
    torch = pytest.importorskip("torch")
    p = torch.asarray(PARAMS.copy(), requires_grad=True)
    theirs = getattr(torch.optim, name)([p], **options)
    torch.set_default_dtype(torch.float64)  # of NAdam's products
    try:
        for grad in GRADS:
            p.grad = torch.asarray(grad.copy())
            theirs.step()
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_allclose(run(optimizer)[0], p.detach().numpy(), rtol=1e-12)


def plain_adam(grads, p):
    m = v = 0.0
    for t, g in enumerate(grads, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        s = 0.05 * math.sqrt(1.0 - 0.999**t) / (1.0 - 0.9**t)
        p = p - s * m / (np.sqrt(v) + 0.1)
    return p


def dampened(nesterov, grads, p):
    v = 0.0
    for g in grads:
        v = 0.9 * v + (1.0 - 0.6) * g
        p = p - 0.1 * (g + 0.9 * v if nesterov else v)
    return p


def lion(grads, p):
    m = 0.0
    for g in grads:
        p = p - 0.01 * (np.sign(0.8 * m + 0.2 * g) + 0.3 * p)
        m = 0.95 * m + 0.05 * g
    return p


def decayed(grads, p):
    for t, g in enumerate(grads):
        p = p - 0.1 * 0.9**t * g
    return p


@pytest.mark.parametrize(
    ("optimizer", "loop"),
    [
        (Adam(0.05, eps=0.1, eps_form="plain"), plain_adam),
        (SGD(0.1, momentum=0.9, dampening=0.6), functools.partial(dampened, False)),
        (SGD(0.1, momentum=0.9, dampening=0.6, nesterov=True), functools.partial(dampened, True)),
        (SGD(0.1, dampening=0.6), lambda grads, p: p - 0.1 * 0.4 * grads.sum(axis=0)),
        (Lion(0.01, beta1=0.8, beta2=0.95, weight_decay=0.3), lion),
        (SGD(Exponential(0.1, gamma=0.9, unit="step")), decayed),
    ],
    ids=["adam-plain", "dampening", "dampening-nesterov", "dampening-alone", "lion", "schedule"],
)
def test_equals_a_loop_by_hand(optimizer, loop):
    np.testing.assert_allclose(run(optimizer)[0], loop(GRADS, PARAMS), rtol=1e-12)


RATES_BY_STEP = {
    "constant": (0.1, np.full(STEPS, 0.1)),
    "exponential": (Exponential(0.1, gamma=0.9, unit="step"), 0.1 * 0.9 ** np.arange(STEPS)),
    "inverse": (InverseTime(0.1, decay=0.5, unit="step"), 0.1 / (1.0 + 0.5 * np.arange(STEPS))),
}


def sgd_by_hand(form, rates, momentum, dampening, nesterov):
    """SGD as its docstring writes it, both forms of the velocity."""
    p, v = PARAMS, 0.0
    for rate, g in zip(rates, GRADS, strict=True):
        if form == "gradients":
            v = momentum * v + (1.0 - dampening) * g
            p = p - rate * (g + momentum * v if nesterov else v)
        else:
            v = momentum * v + (1.0 - dampening) * rate * g
            p = p - (rate * g + momentum * v if nesterov else v)
    return p


@pytest.mark.parametrize("kind", RATES_BY_STEP)
@pytest.mark.parametrize(
    ("momentum", "dampening", "nesterov"),
    [
        (0.9, 0.0, False),
        (0.9, 0.0, True),
        (0.9, 0.6, False),
        (0.9, 0.6, True),
        (0.0, 0.6, False),
        (1.0, 0.0, False),
        (1.0, 0.5, True),
    ],
)
def test_the_forms_of_the_velocity(momentum, dampening, nesterov, kind):
    """They differ where the rate changes and the velocity remembers, and only there."""
    schedule, rates = RATES_BY_STEP[kind]
    options = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov}
    found = {}
    for form in ("gradients", "steps"):
        found[form], _ = run(SGD(schedule, velocity_form=form, **options))
        np.testing.assert_allclose(found[form], sgd_by_hand(form, rates, **options), rtol=1e-12)
    if kind == "constant" or momentum == 0.0:
        np.testing.assert_allclose(found["steps"], found["gradients"], rtol=1e-12)
    else:
        moved = (GRADS != 0.0).any(axis=0)
        assert (abs(found["steps"] / found["gradients"] - 1.0) > 1e-6)[moved].all()


@pytest.mark.parametrize("form", ["gradients", "steps"])
def test_a_momentum_of_one_forgets_nothing(form):
    """Each gradient is felt at every step from its own on."""
    left = np.arange(STEPS, 0, -1)[:, None]
    expected = PARAMS - 0.1 * (left * GRADS).sum(axis=0)
    found, (velocity,) = run(SGD(0.1, momentum=1.0, velocity_form=form))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    scale = 0.1 if form == "steps" else 1.0
    np.testing.assert_allclose(velocity, scale * GRADS.sum(axis=0), rtol=1e-12)


def scikit_learn(name, grads, rates=None, **options):
    """Step scikit-learn's optimizer through `grads`; `rates` are set before each step."""
    module = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    params = PARAMS.copy()
    optimizer = getattr(module, name)([params], **options)
    for i, grad in enumerate(grads):
        if rates is not None:
            optimizer.learning_rate = rates[i]
        optimizer.update_params([params], [grad])
    return params


LONG = np.random.RandomState(1).standard_normal((1000, SIZE)) * np.logspace(-6, 3, SIZE)


@pytest.mark.parametrize("kind", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.9, True), (0.9, False), (1.0, True)])
def test_sgd_equals_scikit_learns_bit_for_bit(momentum, nesterov, kind):
    steps = np.arange(len(LONG))
    schedule = {
        "constant": 0.03,
        "invscaling": InverseTime(0.03, decay=0.1, unit="step"),
        "adaptive": Exponential(0.03, gamma=0.99, unit="step"),
    }[kind]
    rates = None if kind == "constant" else schedule.rates(steps, 0)[:, 0, 0]
    options = {"momentum": momentum, "nesterov": nesterov}
    theirs = scikit_learn("SGDOptimizer", LONG, rates, learning_rate_init=0.03, **options)
    ours, _ = run(SGD(schedule, velocity_form="steps", **options), LONG)
    np.testing.assert_array_equal(ours, theirs)
    other, _ = run(SGD(schedule, **options), LONG)
    assert (other != theirs).any()


@pytest.mark.parametrize(
    ("beta1", "beta2", "eps"), [(0.9, 0.999, 1e-8), (0.37, 0.9, 1e-3), (0.0, 0.99999, 1e-8)]
)
def test_adam_equals_scikit_learns_bit_for_bit(beta1, beta2, eps):
    theirs = scikit_learn(
        "AdamOptimizer", LONG, learning_rate_init=0.01, beta_1=beta1, beta_2=beta2, epsilon=eps
    )
    options = {"beta1": beta1, "beta2": beta2, "eps": eps}
    ours, _ = run(Adam(0.01, eps_form="plain", **options), LONG)
    np.testing.assert_array_equal(ours, theirs)
    other, _ = run(Adam(0.01, **options), LONG)
    assert (other != theirs).any()


@pytest.mark.parametrize("optimizer", [Adam(0.01), AdamW(0.01), Adam(0.01, beta2=0.97)], ids=repr)
def test_adams_powers_are_those_of_c(optimizer):
    """Not NumPy's own, which differ in the last digit, and between processors."""
    names = coefficient_names(Problem(NET, None, optimizer, Penalty()))[0]
    table = coefficient_table(Problem(NET, None, optimizer, Penalty()), 0, 3000, 0)
    expected = [
        0.01 * math.sqrt(1.0 - math.pow(optimizer.beta2, t)) / (1.0 - math.pow(optimizer.beta1, t))
        for t in range(1, 3001)
    ]
    np.testing.assert_array_equal(table[:, names.index("rate")], expected)


EVERY = [cls() for cls in OPTIMIZERS.values()] + [
    SGD(0.05, momentum=0.9, nesterov=True, dampening=0.1),
    SGD(0.05, momentum=0.9, nesterov=True, dampening=0.1, velocity_form="steps"),
    SGD(Exponential(0.05, gamma=0.5, unit="step"), momentum=1.0, velocity_form="steps"),
    RMSprop(0.05, centered=True),
    Adam(0.05, amsgrad=True),
    Adam(0.05, eps_form="plain"),
]


@pytest.mark.parametrize("optimizer", EVERY, ids=repr)
def test_every_backend_agrees(optimizer, backend, dtype, lies_on):
    expected, _ = run(optimizer, GRADS[:4])
    with backend.session(dtype):
        ours, state = run(optimizer, GRADS[:4], backend=backend, dtype=dtype)
        for array in state:
            assert lies_on(backend, array, dtype).shape == PARAMS.shape
    assert ours.dtype == dtype
    assert len(state) == len(optimizer.state_names)
    tolerance = {"float64": 1e-13, "float32": 1e-5}[dtype]
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("optimizer", EVERY, ids=repr)
def test_nothing_is_changed_in_place(optimizer):
    arrays = [PARAMS.copy(), GRADS[0].copy(), *(np.full(SIZE, 2.0) for _ in optimizer.state_names)]
    for array in arrays:
        array.flags.writeable = False
    params, _ = run(optimizer, arrays[1][None], arrays[0], state=tuple(arrays[2:]))
    assert (params != PARAMS)[1:].all()


@pytest.mark.parametrize("optimizer", EVERY, ids=repr)
def test_going_on_at_step_37_equals_the_whole_run(optimizer):
    whole, _ = run(optimizer)
    params, state = run(optimizer, GRADS[:37])
    rest, _ = run(optimizer, GRADS[37:], params, first=37, state=state)
    np.testing.assert_array_equal(rest, whole)
    problem = Problem(NET, None, optimizer, Penalty())
    table = coefficient_table(problem, 0, 50, 0)
    assert table.dtype == np.float64
    assert table.shape == (50, len(coefficient_names(problem)[0]))
    np.testing.assert_array_equal(coefficient_table(problem, 37, 13, 0), table[37:])


RATES = (0.01, 0.05, 0.3)
GRIDS = [
    (SGD, {"learning_rate": RATES}),
    (SGD, {"momentum": (0.1, 0.5, 0.9), "nesterov": True}),
    (SGD, {"momentum": (0.0, 0.5, 0.9), "dampening": (0.0, 0.1, 1.0)}),
    (SGD, {"learning_rate": RATES, "momentum": (0.0, 0.5, 1.0), "velocity_form": "steps"}),
    (AdaGrad, {"learning_rate": RATES, "eps": (1e-10, 0.1, 1.0)}),
    (RMSprop, {"learning_rate": RATES, "rho": (0.0, 0.5, 0.99)}),
    (RMSprop, {"eps": (1e-8, 0.1, 1.0), "centered": True}),
    (Adam, {"learning_rate": RATES, "beta1": (0.0, 0.5, 0.9)}),
    (Adam, {"beta2": (0.0, 0.5, 0.999), "eps": (1e-8, 0.1, 1.0), "eps_form": "plain"}),
    (AdamW, {"weight_decay": (0.0, 0.1, 1.0), "amsgrad": True}),
    (Nadam, {"beta1": (0.0, 0.5, 0.9), "momentum_decay": (0.0, 4e-3, 0.1)}),
    (Lion, {"learning_rate": RATES, "beta1": (0.0, 0.5, 0.9), "weight_decay": (0.0, 0.1, 1.0)}),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("cls", "grid"), GRIDS, ids=lambda v: getattr(v, "__name__", None))
def test_a_grid_equals_its_runs_bit_for_bit(cls, grid, dtype):
    columns = {k: np.array(v)[:, None] if isinstance(v, tuple) else v for k, v in grid.items()}
    params = np.stack([PARAMS, 2.0 * PARAMS, -PARAMS])
    grads = GRADS[:, None] * np.array([[1.0], [-1.0], [0.5]])
    stack, _ = run(cls(**columns), grads, params, dtype=dtype)
    for k in range(3):
        options = {n: v[k] if isinstance(v, tuple) else v for n, v in grid.items()}
        alone, _ = run(cls(**options), grads[:, k], params[k], dtype=dtype)
        np.testing.assert_array_equal(stack[k], alone)


def test_coefficients_are_exact_in_float32():
    """As 50-digit arithmetic gives them: beta**t in float32 would be off by 1e-5."""
    from decimal import Decimal, localcontext

    problem = Problem(NET, None, Adam(1e-3), Penalty())
    rate = coefficient_names(problem)[0].index("rate")
    table = coefficient_table(problem, 0, 3000, 0).astype(np.float32)
    with localcontext(prec=50):
        for t in (1, 2, 10, 1000, 3000):
            exact = (1 - Decimal("0.999") ** t).sqrt() / (1 - Decimal("0.9") ** t) / 1000
            assert abs(float(Decimal(float(table[t - 1, rate])) / exact - 1)) < 2.0**-23


@pytest.mark.parametrize("cls", OPTIMIZERS.values())
def test_repr_names_every_option(cls):
    optimizer = cls()
    assert isinstance(optimizer, Optimizer)
    text = repr(optimizer)
    assert text.startswith(f"{cls.__name__}(learning_rate=")
    assert all(f"{name}=" in text for name in vars(optimizer))
    assert repr(eval(text)) == text


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD(-0.1), ValueError, r"learning_rate=-0\.1 must be at least 0 and finite"),
        (lambda: SGD(np.ones(3)), ValueError, r"learning_rate of shape \(3,\)"),
        (lambda: SGD("fast"), TypeError, "learning_rate='fast'"),
        (lambda: SGD(momentum=1.5), ValueError, r"momentum=1\.5 must be in \[0, 1\]"),
        (lambda: SGD(dampening=1.1), ValueError, r"dampening=1\.1 must be in \[0, 1\]"),
        (lambda: SGD(nesterov=True), ValueError, "nesterov=True needs momentum above 0"),
        (lambda: SGD(velocity_form="step"), ValueError, "Did you mean 'steps'"),
        (lambda: SGD(velocity_form=None), ValueError, "velocity_form=None is unknown"),
        (lambda: AdaGrad(eps=0.0), ValueError, r"eps=0\.0 must be above 0"),
        (lambda: RMSprop(rho=1.0), ValueError, r"rho=1\.0"),
        (lambda: Adam(beta1=1.0), ValueError, r"beta1=1\.0"),
        (lambda: Adam(beta2=-0.1), ValueError, r"beta2=-0\.1"),
        (lambda: Adam(eps_form="planar"), ValueError, "Did you mean 'plain'"),
        (lambda: AdamW(weight_decay=-1.0), ValueError, r"weight_decay=-1\.0"),
        (lambda: Nadam(momentum_decay=np.inf), ValueError, "momentum_decay=inf"),
        (lambda: Lion(beta1=np.array([[0.5], [1.0]])), ValueError, "beta1="),
    ],
)
def test_optimizers_refuse(make, error, message):
    with pytest.raises(error, match=message):
        make()


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9), st.floats(1e-3, 1e3))
def test_clipping(values, max_norm):
    grad = np.array(values)
    norm = np.linalg.norm(grad)
    clipped = clip_by_norm(np, grad, np.float64(max_norm))
    if norm < max_norm * (1.0 - 1e-12):
        np.testing.assert_array_equal(clipped, grad)
    else:
        np.testing.assert_allclose(np.linalg.norm(clipped), max_norm, rtol=1e-12)
        np.testing.assert_allclose(clipped * norm, grad * max_norm, rtol=1e-12, atol=1e-300)


def test_each_model_is_clipped_alone(backend, dtype, lies_on):
    grad = np.array([[3.0, 4.0], [3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    max_norm = np.array([[1.0], [5.0], [1.0], [1.0]])
    with backend.session(dtype):
        clipped = clip_by_norm(
            backend.xp, backend.asarray(grad, dtype), backend.asarray(max_norm, dtype)
        )
        host = lies_on(backend, clipped, dtype)
    np.testing.assert_allclose(host[0], [0.6, 0.8], rtol=2.0**-22)
    np.testing.assert_array_equal(host[1:], grad[1:].astype(dtype))


def test_clipping_equals_torch():
    torch = pytest.importorskip("torch")
    p = torch.asarray(PARAMS.copy(), requires_grad=True)
    p.grad = torch.asarray(GRADS[0].copy())
    torch.nn.utils.clip_grad_norm_([p], 0.5)
    # torch divides by norm + 1e-6.
    np.testing.assert_allclose(clip_by_norm(np, GRADS[0], 0.5), p.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9, np.array([[0.2], [0.99]])])
def test_nadam_late_in_a_run(beta1):
    """The products of the momenta vanish, and are not computed from the first step on."""
    optimizer = Nadam(beta1=beta1)
    t = np.array([1.0, 3.0, 400.0, 5000.0, 10.0**9])[:, None, None]
    steps = np.arange(1.0, 5002.0)[:, None, None]
    momenta = np.asarray(beta1) * (1 - 0.5 * 0.96 ** (steps * 4e-3))
    products = np.cumprod(momenta, axis=0)
    found = optimizer._product(t)
    expected = np.concatenate([products[[0, 2, 399, 4999]], np.zeros_like(products[:1])])
    np.testing.assert_allclose(1 - found, 1 - expected, rtol=1e-15)


class Constants(Optimizer):
    """Its numbers are the same at every step."""

    state_names = ()

    def coefficients(self, t, rate):
        return {"rate": self.learning_rate}

    def rule(self, xp, param, grad, state, c):
        return param - c["rate"] * grad, ()


def test_coefficients_none_of_which_varies():
    with pytest.raises(ValueError, match="must hold one that varies by step"):
        run(Constants(0.1))
