"""Differences between a file and a run: none where it can go on, each told where it cannot."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from saved import NET, Cube, Strange

from xpnet import checkpoints
from xpnet.history import History
from xpnet.layers import Dense, Dropout, Sigmoid, Tanh
from xpnet.losses import Huber, SoftmaxCrossEntropy
from xpnet.network import Network
from xpnet.optimizers import SGD, Adam, Constant, Cosine, StepDecay
from xpnet.penalties import Penalty
from xpnet.trainer import Trainer


class Mine(SGD):
    """An optimizer that xpnet does not know."""


class Yours(SGD):
    """Another."""


class Jumps(Constant):
    """A schedule that xpnet does not know."""


def problem(network=NET, loss=None, optimizer=None, **options):
    return Trainer(network, loss or SoftmaxCrossEntropy(), optimizer, **options).problem


def save(path, net, **options):
    state = Trainer(net.network, net.loss, net.optimizer).initialize()
    training = checkpoints.Training(state, History(), net.optimizer, net.penalty, net.max_norm)
    checkpoints.save(path, net.network, None, net.loss, training=training)
    return checkpoints.load(path)


def layers(**changes):
    parts = dict(enumerate(NET.layers)) | {int(name[1:]): part for name, part in changes.items()}
    return Network(parts.values())


RATES = np.array([[0.1], [0.2]])


@pytest.mark.parametrize(
    "make",
    [
        problem,
        lambda: problem(loss=Huber(0.5), optimizer=Adam(Cosine(0.1, 10)), penalty=Penalty(l2=0.1)),
        lambda: problem(max_norm=RATES, optimizer=SGD(momentum=RATES), penalty=Penalty(RATES)),
        lambda: problem(optimizer=Mine(0.3)),
        lambda: problem(optimizer=SGD(Jumps(0.3))),
    ],
)
def test_a_run_fits_its_own_file(tmp_path, make):
    saved = save(tmp_path / "net", make())
    assert checkpoints.differences(saved, make()) == []


@pytest.mark.parametrize(
    ("there", "here", "told"),
    [
        (
            {"optimizer": Adam(0.1)},
            {"optimizer": Adam(0.2, beta1=0.5)},
            "optimizer: Adam(learning_rate=0.1, beta1=0.9) in the file, "
            "Adam(learning_rate=0.2, beta1=0.5) here",
        ),
        (
            {"optimizer": SGD(StepDecay(0.1, every=3))},
            {"optimizer": SGD(StepDecay(0.1, every=4))},
            "optimizer: SGD(learning_rate=StepDecay(every=3)) in the file, "
            "SGD(learning_rate=StepDecay(every=4)) here",
        ),
        (
            {"optimizer": SGD(np.full((50, 1), 0.1))},
            {"optimizer": SGD(0.1)},
            "optimizer: SGD(learning_rate=[[0.1], [0.1], [0.1], [0.1], [0.1], [0.1], ...]) in the "
            "file, SGD(learning_rate=0.1) here",
        ),
        (
            {"optimizer": Mine()},
            {"optimizer": Yours()},
            "optimizer: one's own Mine in the file, one's own Yours here",
        ),
        (
            {"optimizer": type("SGD", (SGD,), {})()},
            {"optimizer": Mine()},
            "optimizer: one's own SGD in the file, one's own Mine here",
        ),
        (
            {"penalty": Penalty(0.1)},
            {},
            "penalty: Penalty(l1=0.1) in the file, Penalty(l1=0.0) here",
        ),
        ({}, {"max_norm": 1.0}, "max_norm: None in the file, 1.0 here"),
        (
            {},
            {"loss": Huber(outputs="sum")},
            "loss: SoftmaxCrossEntropy(clip=None, offset=None) in the file, "
            "Huber(delta=1.0, outputs='sum') here",
        ),
        (
            {},
            {"loss": Strange()},
            "loss: SoftmaxCrossEntropy(clip=None, offset=None) in the file, one's own Strange here",
        ),
        (
            {},
            {"network": layers(_1=Tanh())},
            "layers[1]: Sigmoid(precise=False) in the file, Tanh() here",
        ),
        (
            {},
            {"network": layers(_2=Dropout(0.5))},
            "layers[2]: Dropout(rate=0.25) in the file, Dropout(rate=0.5) here",
        ),
        (
            {},
            {"network": layers(_4=Sigmoid())},
            "layers[4]: None in the file, Sigmoid(precise=False) here",
        ),
        (
            {"network": layers(_4=Sigmoid())},
            {},
            "layers[4]: Sigmoid(precise=False) in the file, None here",
        ),
        (
            {},
            {"network": layers(_1=Cube())},
            "layers[1]: Sigmoid(precise=False) in the file, one's own Cube here",
        ),
    ],
)
def test_each_difference_is_told(tmp_path, there, here, told):
    found = checkpoints.differences(save(tmp_path / "net", problem(**there)), problem(**here))
    assert found == [told]


def test_all_differences_are_told_in_order(tmp_path):
    saved = save(tmp_path / "net", problem())
    other = problem(Network([Dense(3, 4), Tanh(), Dense(4, 2)]), Huber(), Adam(), max_norm=2.0)
    names = [line.partition(":")[0] for line in checkpoints.differences(saved, other)]
    assert names == ["layers[1]", "layers[2]", "layers[3]", "loss", "optimizer", "max_norm"]


def test_no_penalty_is_one_of_strength_zero(tmp_path):
    net = problem()
    saved = save(tmp_path / "net", dataclasses.replace(net, penalty=None))
    assert saved.training.penalty is None
    assert checkpoints.differences(saved, net) == []


def test_a_file_without_training_is_told():
    saved = checkpoints.Saved(NET, np.zeros(NET.n_params), SoftmaxCrossEntropy(), {})
    assert checkpoints.differences(saved, problem()) == ["training: none in the file"]


def test_what_is_described_can_be_saved():
    described = checkpoints.describe(NET, Huber())
    assert [layer["type"] for layer in described["layers"]] == [
        type(layer).__name__ for layer in NET.layers
    ]
    assert described["loss"]["type"] == "Huber"
    with pytest.raises(ValueError, match=r"loss=Strange\(.* cannot be saved"):
        checkpoints.describe(NET, Strange())
