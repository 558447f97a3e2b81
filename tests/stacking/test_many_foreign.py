"""Components of the user's: each model has a stack of its own, and gives what it gives alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from alone import CLASSES, FEATURES, FOLDS, LOSS, Y, compare, trainer

from xpnet import SGD, Adam, Dense, Network, Penalty, SquaredError, Tanh
from xpnet.initializers import Initializer
from xpnet.layers import Layer
from xpnet.losses import SoftmaxCrossEntropy
from xpnet.optimizers import Schedule

NET = Network([Dense(FEATURES, 4), Tanh(), Dense(4, CLASSES)])


@dataclass(frozen=True)
class Scaled(Layer):
    factor: float = 2.0

    def forward(self, xp, parameters, x, noise):
        return x * self.factor, None

    def input_gradient(self, xp, parameters, cache, gradient):
        return gradient * self.factor


class Halved(SGD):
    def rule(self, xp, param, grad, state, c):
        return super().rule(xp, param, grad * 0.5, state, c)


@dataclass(frozen=True)
class Doubled(SoftmaxCrossEntropy):
    def residual(self, xp, logits, t):
        return 2.0 * super().residual(xp, logits, t)


class Named(Network):
    """A network that has something of its own."""

    def forward(self, xp, params, x, noise=None):
        return super().forward(xp, params, x, noise) * 3.0


class Saw(Schedule):
    def factor(self, time):
        return 1.0 / (1.0 + time % 3)


class Thirds(Initializer):
    def __call__(self, rng, shape, fan_in, fan_out):
        return np.full(shape, 1.0 / 3.0)


def test_layers():
    def make(k):
        layers = [Dense(FEATURES, 4), Scaled((2.0, 0.5, 2.0)[k]), Dense(4, CLASSES)]
        return trainer(network=Network(layers), random_state=k)

    compare(make, rows=FOLDS, stacks=3)


def test_optimizers():
    compare(lambda k: trainer(Halved(0.1 * (k + 1)), random_state=k), rows=FOLDS, stacks=3)
    compare(lambda k: trainer((Halved, SGD, SGD)[k](Saw(0.1)), random_state=k), stacks=2)


def test_losses():
    compare(lambda k: trainer(loss=(LOSS, Doubled(), LOSS)[k]), rows=FOLDS, stacks=2)


def test_networks():
    def make(k):
        return trainer(network=(Named, Network)[k % 2](NET.layers), random_state=k)

    compare(make, stacks=3)


def test_schedules_are_asked_one_by_one_and_need_no_stack_of_their_own():
    compare(lambda k: trainer(Adam(Saw(0.1 * (k + 1), unit="step")), random_state=k))


def test_penalties():
    class Same(Penalty):
        pass

    compare(lambda k: trainer(penalty=Same(l2=0.1 * (k + 1))), stacks=3)


def test_initializers_are_a_layer_s_own():
    net = Network([Dense(FEATURES, 2, weight_init=Thirds())])
    compare(lambda k: trainer(network=net, loss=SquaredError()), t=Y, stacks=3)
