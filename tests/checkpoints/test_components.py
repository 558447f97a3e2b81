"""Components: every layer, loss, optimizer, schedule and penalty is described and made anew."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from saved import identical

from xpnet.checkpoints.components import (
    KNOWN,
    construct_component,
    describe_component,
    is_foreign,
)
from xpnet.layers import Layer
from xpnet.losses import LOSSES
from xpnet.optimizers import OPTIMIZERS, SCHEDULES, SGD, Adam, Constant, Cosine
from xpnet.penalties import Penalty

OF_MODELS = np.array([[0.1], [0.2], [1.0 / 3.0]])


def again(kind, value):
    """What comes back, by way of JSON's text."""
    return construct_component(
        kind, json.loads(json.dumps(describe_component(kind, "it", value), allow_nan=False))
    )


def arguments(cls, rate):
    """Arguments that are not the defaults, wherever hyperparameters may be arrays."""
    others = {"every": 3, "total": 9, "warmup": 2, "patience": 4, "unit": "step", "min_rate": 0.001}
    others |= {"eps_form": "plain", "velocity_form": "steps", "nesterov": True, "min_delta": 0.01}
    flags = {"amsgrad": True, "centered": True}
    names = [name for name in inspect.signature(cls).parameters if name != "learning_rate"]
    return {"learning_rate": rate} | {n: (others | flags).get(n, rate) for n in names}


@pytest.mark.parametrize("rate", [1.0 / 3.0, OF_MODELS], ids=["one", "several"])
@pytest.mark.parametrize("cls", [*OPTIMIZERS.values(), *SCHEDULES.values()])
def test_optimizers_and_schedules_come_back_to_the_bit(cls, rate):
    kind = "schedule" if cls in SCHEDULES.values() else "optimizer"
    for value in (cls(**arguments(cls, rate)), cls(**required(cls))):
        back = again(kind, value)
        assert type(back) is cls
        assert all(
            identical(getattr(back, name), getattr(value, name))
            for name in inspect.signature(cls).parameters
        )


def required(cls):
    return {
        name: {"learning_rate": 0.1, "total": 5, "every": 2}[name]
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is parameter.empty
    }


@pytest.mark.parametrize("schedule", SCHEDULES.values())
@pytest.mark.parametrize("rate", [0.1, OF_MODELS], ids=["one", "several"])
def test_optimizers_come_back_with_their_schedules(schedule, rate):
    value = schedule(**arguments(schedule, rate))
    back = again("optimizer", Adam(value)).learning_rate
    steps, curve = np.arange(4), [1.0, 2.0, 3.0]
    assert identical(back.rates(steps, 3, curve), value.rates(steps, 3, curve))


@pytest.mark.parametrize("penalty", [Penalty(), Penalty(0.1, OF_MODELS), Penalty(l2=-0.0)])
def test_penalties_come_back_to_the_bit(penalty):
    assert identical(again("penalty", penalty), penalty)


def test_arguments_by_other_numbers_come_back():
    optimizer = SGD([[1], [2]], momentum=np.float32(0.1), nesterov=np.True_)
    back = again("optimizer", optimizer)
    assert identical(vars(back), vars(optimizer))
    assert back.learning_rate.dtype == np.float64


class Mine(SGD):
    """An optimizer that xpnet does not know."""


class Jumps(Constant):
    """A schedule that xpnet does not know."""


def test_classes_of_others_are_described_by_name_where_that_will_do():
    assert describe_component("optimizer", "it", Mine(), foreign=True) == {
        "type": "Mine",
        "foreign": True,
    }
    description = describe_component("optimizer", "it", SGD(Jumps(0.1)), foreign=True)
    assert description["learning_rate"] == {"type": "Jumps", "foreign": True}
    assert is_foreign(description)
    assert not is_foreign(describe_component("optimizer", "it", SGD(Constant(0.1))))
    with pytest.raises(ValueError, match=r"it=Mine\(.* cannot be saved: .* SGD, AdaGrad"):
        describe_component("optimizer", "it", Mine())
    with pytest.raises(ValueError, match=r"it\.learning_rate=Jumps\(.* cannot be saved"):
        describe_component("optimizer", "it", SGD(Jumps(0.1)))


def test_a_namesake_is_foreign():
    namesake = type("SGD", (SGD,), {})()
    assert is_foreign(describe_component("optimizer", "it", namesake, foreign=True))


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"type": "Cosine", "learning_rate": 0.1, "total": 3}, "optimizer type 'Cosine' is unkn"),
        ({"type": "Adam", "learning_rate": {"type": "Adam"}}, "the schedule type 'Adam' is unkn"),
        ({"type": "Adam", "learning_rate": -1.0}, "learning_rate=-1.0 must be"),
        ({"type": "Adam", "learning_rate": [[0.1], [[]]]}, "learning_rate"),
        ({"type": "Adam", "rho": 0.9}, "rho"),
        (["Adam"], "no optimizer is described by"),
    ],
)
def test_descriptions_of_no_optimizer(description, message):
    with pytest.raises((ValueError, TypeError), match=message):
        construct_component("optimizer", description)


def test_all_of_ours_are_known():
    def below(base):
        return {base} | {c for sub in base.__subclasses__() for c in below(sub)}

    ours = {c.__name__ for c in below(Layer) if c.__module__.startswith("xpnet.layers")}
    assert ours - {"Layer", "Activation"} == set(KNOWN["layer"])
    assert {c.__name__ for c in LOSSES.values()} == set(KNOWN["loss"])
    assert {"Glorot", "He", "LeCun", "Normal", "Ones", "Uniform", "Zeros"} == set(
        KNOWN["initializer"]
    )
    assert {"SGD", "Nadam", "Lion"} <= set(KNOWN["optimizer"])
    assert Cosine is KNOWN["schedule"]["Cosine"]
