"""Problems of single models as one, and apart again."""

from __future__ import annotations

import numpy as np
import pytest

from xpnet import (
    SGD,
    Adam,
    Cosine,
    Dense,
    Dropout,
    Network,
    Penalty,
    Plateau,
    ReLU,
    SoftmaxCrossEntropy,
    SquaredError,
    StepDecay,
    Tanh,
    Trainer,
)
from xpnet.problems import column, of_model, shape, stacked

RNG = np.random.RandomState(0)
X, T = RNG.standard_normal((12, 3)), RNG.randint(2, size=12)


def network(rate=0.5, activation=None):
    return Network([Dense(3, 4), activation or ReLU(), Dropout(rate), Dense(4, 2)])


def problem(optimizer=None, *, rate=0.5, loss="softmax_cross_entropy", net=None, **options):
    return Trainer(net or network(rate), loss, optimizer or Adam(), **options).problem


def models(*values):
    return np.array(values)[:, None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5], 0.5),
        ([0.5, 0.5], 0.5),
        ([None, None], None),
        ([0.5, 0.25, 0.5], [[0.5], [0.25], [0.5]]),
        ([0.0, 0.5], [[0.0], [0.5]]),
    ],
)
def test_numbers_that_differ_are_a_column(values, expected):
    found = column(values)
    assert np.shape(found) == np.shape(expected)
    assert np.ndim(found) == 0 or found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)


def test_what_differs_has_an_axis_of_models():
    whole = stacked(
        [
            problem(Adam(0.1, beta1=0.9), rate=0.0, penalty=Penalty(0.1, 0.2), max_norm=1.0),
            problem(Adam(0.2, beta1=0.9), rate=0.4, penalty=Penalty(0.3, 0.2), max_norm=2.0),
        ]
    )
    np.testing.assert_array_equal(whole.optimizer.learning_rate, [[0.1], [0.2]])
    assert whole.optimizer.beta1 == 0.9
    np.testing.assert_array_equal(whole.network.layers[2].rate, [[0.0], [0.4]])
    np.testing.assert_array_equal(whole.penalty.l1, [[0.1], [0.3]])
    assert whole.penalty.l2 == 0.2
    np.testing.assert_array_equal(whole.max_norm, [[1.0], [2.0]])
    assert whole.loss == SoftmaxCrossEntropy()


def test_rates_of_which_one_is_a_schedule_are_handed_in():
    rates = (0.1, Cosine(0.1, total=3))
    assert stacked([problem(Adam(rate)) for rate in rates]).optimizer.learning_rate == 1.0


def test_one_problem_is_itself():
    own = problem(Adam(Cosine(0.1, total=3)))
    assert stacked([own]) is own


def test_the_components_that_are_stacked_stay_as_they_are():
    optimizers = [Adam(0.1), Adam(0.2)]
    stacked([problem(optimizer) for optimizer in optimizers])
    assert [optimizer.learning_rate for optimizer in optimizers] == [0.1, 0.2]


SHAPES = {
    "rates": problem(Adam(0.5, beta1=0.1, beta2=0.2, eps=0.3)),
    "schedule": problem(Adam(StepDecay(0.1, every=2))),
    "dropout": problem(rate=0.1),
    "no dropout": problem(rate=0.0),
}
OTHERS = {
    "optimizer": problem(SGD()),
    "momentum": problem(SGD(momentum=0.5)),
    "form": problem(Adam(amsgrad=True)),
    "loss": problem(loss="squared_error"),
    "clipped": problem(loss=SoftmaxCrossEntropy(clip=0.1)),
    "activation": problem(net=network(activation=Tanh())),
    "without": problem(net=Network([Dense(3, 4), ReLU(), Dense(4, 2)])),
    "width": problem(net=Network([Dense(3, 5), ReLU(), Dropout(), Dense(5, 2)])),
    "l1": problem(penalty=Penalty(l1=0.1)),
    "l2": problem(penalty=Penalty(l2=0.1)),
    "division": problem(penalty=Penalty(l2=0.1, division="none")),
    "max_norm": problem(max_norm=1.0),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes_that_are_equal(kind):
    assert shape(SHAPES[kind]) == shape(problem())
    assert hash(shape(SHAPES[kind])) == hash(shape(problem()))


def test_shapes_that_differ():
    shapes = [shape(own) for own in (problem(), *OTHERS.values())]
    assert len(set(shapes)) == len(shapes)
    assert shapes == [shape(own) for own in (problem(), *OTHERS.values())]


def test_what_is_foreign_equals_nothing_else():
    class Own(SGD):
        pass

    class Named(Network):
        pass

    for own in (problem(Own()), problem(net=Named(network().layers))):
        assert shape(own) != shape(own)


STACK = {
    "optimizer": Adam(models(0.1, 0.2, 0.3), beta1=models(0.9, 0.5, 0.0)),
    "penalty": Penalty(l1=models(0.0, 0.1, 0.2), l2=0.5),
    "max_norm": models(1.0, 2.0, 3.0),
}


def test_a_stack_is_taken_apart():
    rates = models(0.0, 0.3, 0.6)
    stack = Trainer(network(rates), SquaredError(), **STACK, random_state=[4, 5, 6])
    apart = stack.models()
    assert [own.n_models for own in apart] == [None] * 3
    assert [own.random_state for own in apart] == [4, 5, 6]
    found = [
        (
            *(p.optimizer.learning_rate, p.optimizer.beta1, p.optimizer.beta2),
            *(p.network.layers[2].rate, p.penalty.l1, p.penalty.l2, p.max_norm),
        )
        for p in (own.problem for own in apart)
    ]
    assert found == [
        (0.1, 0.9, 0.999, 0.0, 0.0, 0.5, 1.0),
        (0.2, 0.5, 0.999, 0.3, 0.1, 0.5, 2.0),
        (0.3, 0.0, 0.999, 0.6, 0.2, 0.5, 3.0),
    ]
    assert all(type(number) is float for numbers in found for number in numbers)
    assert stack.n_models == 3, "it stays as it is"
    np.testing.assert_array_equal(stack.problem.max_norm, STACK["max_norm"])


@pytest.mark.parametrize(
    "schedule",
    [
        Plateau(models(1.0, 2.0), models(0.5, 0.1), patience=0, min_delta=models(0.3, 0.0)),
        Cosine(models(0.1, 0.2), total=5, final=models(0.5, 0.0)),
        StepDecay(0.3, every=1, gamma=models(0.5, 0.1)),
    ],
    ids=["plateau", "cosine", "step"],
)
def test_each_model_has_its_schedule(schedule):
    """Read from its own curve alone, whether the stack's has read one or not."""
    curve = [np.array([2.0, 2.0]), np.array([1.9, 1.0]), np.array([1.8, 1.5])]
    unread = [of_model(problem(Adam(schedule)), k) for k in range(2)]
    whole = schedule.rates(np.arange(2), 3, curve)
    read = [of_model(problem(Adam(schedule)), k) for k in range(2)]
    for k, apart in (*enumerate(unread), *enumerate(read)):
        own = apart.optimizer.learning_rate
        rates = own.rates(np.arange(2), 3, [float(entry[k]) for entry in curve])
        assert rates.shape == (2, 1, 1)
        np.testing.assert_array_equal(rates[:, 0], whole[:, k])
    np.testing.assert_array_equal(schedule.rates(np.arange(2), 3, curve), whole)


def test_models_of_a_fitted_stack_are_unfitted():
    stack = Trainer(network(), "softmax_cross_entropy", random_state=[0, 1])
    stack.fit(X, T, epochs=1)
    for own in stack.models():
        assert not {"state_", "history_", "stopped_"} & set(vars(own))
        with pytest.raises(RuntimeError, match="not trained"):
            own.predict(X)


def test_models_that_share_a_generator_have_its_order_each():
    rng = np.random.RandomState(3)
    stack = Trainer(network(), "softmax_cross_entropy", SGD(models(0.1, 0.2)), random_state=rng)
    apart = stack.models()
    assert all(own.random_state is not rng for own in apart)
    expected = Trainer(network(), "squared_error", random_state=3).initialize().params
    for own in apart:
        np.testing.assert_array_equal(own.initialize().params, expected)


def test_one_net_is_one_model():
    own = Trainer(network(), "softmax_cross_entropy", Adam(0.1), random_state=7, max_norm=2.0)
    (apart,) = own.models()
    assert apart is not own
    assert repr(apart) == repr(own)
    assert own.fit(X, T, epochs=2).losses == apart.fit(X, T, epochs=2).losses


def test_a_gradient_with_a_rate_of_dropout_for_each_model():
    """Under the noise of one step; those of single nets are checked by finite differences."""
    net = Network([Dense(3, 4), Tanh(), Dropout(models(0.0, 0.3, 0.6)), Dense(4, 2)])
    stack = Trainer(net, "softmax_cross_entropy", random_state=[0, 1, 2])
    losses, gradients = stack.loss_and_gradient(X, T, state=stack.initialize())
    for k, own in enumerate(stack.models()):
        loss, gradient = own.loss_and_gradient(X, T, state=own.initialize())
        assert loss == losses[k]
        np.testing.assert_array_equal(gradient, gradients[k])
    assert len(set(losses)) == 3
