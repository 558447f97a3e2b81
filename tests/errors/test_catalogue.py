"""Wrong calls over the whole public surface: each is told by name, at once, in xpnet's words."""

from __future__ import annotations

import inspect
import re
import traceback

import catalogue
import pytest
import right_calls

import xpnet
from xpnet import backends, checkpoints, datasets, losses, nets, onnx, parity, plots
from xpnet.estimators import lbfgs
from xpnet.training import Run

TRAINED = "something was trained"
SPEAKERS = re.compile(r"[/\\](xpnet|sklearn)[/\\]")


@pytest.fixture(scope="module", autouse=True)
def prepared():
    right_calls.prepare()


@pytest.fixture
def nothing_trains(monkeypatch):
    def fail(*args, **options):
        raise AssertionError(TRAINED)

    monkeypatch.setattr(Run, "steps", fail)
    monkeypatch.setattr(lbfgs, "minimize", fail)


def identify(line):
    owner, name, value, *_ = line
    return f"{owner}-{name}-{type(value).__name__}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("nothing_trains")
@pytest.mark.parametrize("line", catalogue.WRONG, ids=map(identify, catalogue.WRONG))
def test_a_wrong_call_is_told(line):
    owner, name, value, error, *told = line
    with pytest.raises(error) as caught:
        right_calls.call(owner, **{name: value})
    assert caught.type is error
    message = str(caught.value)
    if told:
        assert told[0] in message
    else:
        assert re.search(rf"(?<![a-z]){re.escape(name)}(?![a-z])", message), message
    where = traceback.extract_tb(caught.tb)[-1].filename
    assert SPEAKERS.search(where), f"raised in {where}"


TRAIN = [
    owner
    for owner in right_calls.RIGHT
    if owner.endswith((".fit", ".partial_fit"))
    or owner in ("Trainer", "fit_many", *catalogue.ESTIMATORS, *catalogue.SEARCHED)
    or owner in ("StackedEnsembleClassifier", "nets.DeepNet", "nets.TwoLayerNet")
    or owner.removeprefix("nets.") in catalogue.BINARY_NETS
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("owner", right_calls.RIGHT)
def test_the_right_call_is_right(owner, request):
    if owner == "datasets.load_mnist":
        pytest.skip("the folder holds no MNIST")
    if owner in TRAIN:
        request.getfixturevalue("nothing_trains")
        with pytest.raises(AssertionError, match=TRAINED):
            right_calls.call(owner)
    else:
        right_calls.call(owner)


HOOKS = {"Callback", "Loss", "Batches", "Optimizer", "Schedule", "Layer", "Initializer"}
"""Classes to derive from: their methods are called by xpnet, with arguments that it has checked."""


def own(cls):
    """Return the methods of a class for users, by name."""
    found = inspect.getmembers(cls, lambda f: inspect.isfunction(f) or inspect.ismethod(f))
    return {n: f for n, f in found if n[0] != "_" and f.__module__.startswith("xpnet.")}


def surface():
    """Return what is public, by name: functions, classes, and the methods that users call.

    `xpnet.functions` is left out: functions of arrays that are in every step, and check nothing.
    """
    found = {}
    rooms = {"backends": backends, "checkpoints": checkpoints, "datasets": datasets}
    rooms |= {"nets": nets, "onnx": onnx, "parity": parity, "plots": plots}
    listed = {"backends": ["get"], "parity": ["run"]}  # the rest is for the house
    for name in xpnet.__all__:
        thing = getattr(xpnet, name)
        if name in rooms:
            found |= {
                f"{name}.{n}": getattr(thing, n)
                for n in listed.get(name, thing.__all__)
                if callable(getattr(thing, n))
            }
        elif callable(thing):
            found[name] = thing
    for name in ("datasets.Dataset", "checkpoints.Saved", "checkpoints.Training", "TrainState"):
        del found[name]  # records, which xpnet makes
    del found["checkpoints.differences"]  # for the house
    for name, thing in list(found.items()):
        if inspect.isclass(thing) and not HOOKS & {base.__name__ for base in thing.__mro__}:
            found |= {f"{name}.{n}": f for n, f in own(thing).items()}
    for name in ("distinct_targets", "read", "retargeted", "targets", "weighed"):
        found.pop(f"Stream.{name}", None)  # for the house
    found |= {f"Loss.{name}": getattr(losses.Loss, name) for name in ("value", "gradient")}
    for name in ("Network.forward", "Network.loss_and_gradient", "Penalty.add", "History.append"):
        del found[name]  # parts of a step, of an epoch: called with what was checked before
    for name in ("coefficients", "gradient", "mean", "value"):
        del found[f"Penalty.{name}"]
    return found


def test_every_parameter_of_everything_public_is_in_the_catalogue():
    given = {}
    for owner, name, *_ in catalogue.WRONG:
        given.setdefault(owner, set()).add(name)
    missing = []
    for owner, thing in surface().items():
        parameters = inspect.signature(thing).parameters.values()
        for p in parameters:
            free = p.name in catalogue.ANY_IS_RIGHT.get(owner, ())
            listed = p.name in given.get(owner, ())
            assert not (free and listed), f"{owner}: {p.name} is in both lists"
            if p.name != "self" and p.kind is not p.VAR_KEYWORD and not free and not listed:
                missing.append(f"{owner}: {p.name}")
    assert missing == []


def test_the_catalogue_is_of_what_is_public():
    assert {line[0] for line in catalogue.WRONG} <= set(surface())
    assert set(catalogue.ANY_IS_RIGHT) <= set(surface())
