"""Every contestant trains the same: the losses in the end are xpnet's in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier as SklearnMLP
from tasks import small

from xpnet import Trainer
from xpnet.bench import core, estimator, scikit_learn, tutorials, workloads
from xpnet.bench.floor import floor
from xpnet.bench.task import Rules, Task


def agrees(task, fit):
    """Whether a fit's last loss is that of xpnet in float64, as a part of the loss's fall."""
    wide = replace(task, x=task.x.astype(np.float64))
    expected = task.loss(core.trainer(wide)(lambda: None))
    ends = []
    losses = [task.loss(fit(lambda: ends.append(1))) for _ in range(2)]
    assert len(ends) == 2 * task.epochs
    fall = task.loss(task.params) - expected
    assert fall > 0
    # Adam's forms of eps differ by that much.
    bound = (1e-5 if task.rules.optimizer == "sgd" else 5e-3) * fall
    assert losses[1] == pytest.approx(losses[0], abs=1e-7)
    return abs(losses[0] - expected) <= bound


def test_the_check_sees_another_rate(task):
    other = replace(task, rules=replace(task.rules, learning_rate=1.1 * task.rules.learning_rate))
    assert not agrees(task, tutorials.loop(other))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_tutorials(task, dtype):
    assert agrees(task, tutorials.loop(task, dtype))


def test_scikit_learn(task):
    assert agrees(task, scikit_learn.classifier(task))


@pytest.mark.parametrize("library", ["numpy", "jax", "torch"])
def test_trainer(task, library):
    pytest.importorskip(library)
    assert agrees(task, core.trainer(task, library))


def test_classifier(task):
    assert agrees(task, estimator.classifier(task))


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_torch(task, rival, monkeypatch, fused, compiled):
    module = rival("torch")
    asked = []

    def compile(function, dynamic):  # as it is: compiling takes long
        asked.append(dynamic)
        return function

    monkeypatch.setattr(module.torch, "compile", compile)
    assert agrees(task, module.train(task, fused=fused, compiled=compiled))
    assert asked == [False] * compiled


def test_cuda_graphs_need_cuda(rival, monkeypatch):
    module = rival("torch")
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="CUDA graphs need a CUDA device"):
        module.train(small("breast-cancer"), graphs=True)(lambda: None)


@pytest.mark.parametrize("scan", [False, True])
def test_jax(task, rival, scan):
    assert agrees(task, rival("jax").train(task, scan=scan, platform="cpu"))


def test_no_tutorial():
    rules = Rules((4, 3, 2, 2), "sigmoid", "sgd", 0.1, 2)
    task = Task(rules, np.zeros((2, 4), np.float32), np.zeros(2, int), [], np.zeros((1, 2), int))
    with pytest.raises(ValueError, match="no tutorial trains such a net"):
        tutorials.loop(task)


# What all are handed


def test_parameters_and_orders_are_scikit_learns(task, monkeypatch):
    seen, starts = [], []

    def watched(net, X, *arguments):
        if not starts:
            starts.extend(a.copy() for a in (*net.coefs_, *net.intercepts_))
        seen.append(X.copy())
        return SklearnMLP._backprop(net, X, *arguments)

    monkeypatch.setattr(scikit_learn._Timed, "_backprop", watched, raising=False)
    scikit_learn.classifier(task)(lambda: None)
    expected = [W for W, _ in task.params] + [b for _, b in task.params]
    for found, given in zip(starts, expected, strict=True):
        assert (found == given.astype(np.float32)).all()
    assert (np.concatenate(seen) == task.x[task.orders.ravel()]).all()


def test_a_task_survives_its_files(task, tmp_path):
    task.save(tmp_path)
    found = Task.load(tmp_path)
    assert found.rules == task.rules
    for a, b in zip(found.params, task.params, strict=True):
        assert all((u == v).all() and u.dtype == v.dtype for u, v in zip(a, b, strict=True))
    for name in ("x", "t", "orders"):
        assert (getattr(found, name) == getattr(task, name)).all()
    assert found.x.dtype == np.float32


def test_batches_and_steps():
    task = small("breast-cancer")
    assert [len(rows) for rows in task.batches(1)] == [32, 32, 31]
    assert (task.epochs, task.steps_per_epoch) == (2, 3)
    assert (np.concatenate(task.batches(1)) == task.orders[1]).all()
    assert sorted(task.orders[1]) == list(range(95))


def test_the_loss_is_the_trainers(task):
    trainer = Trainer(
        workloads.network(task.rules), workloads.loss(task.rules), dtype="float64", random_state=0
    )
    state = trainer.initialize()
    loss, _ = trainer.loss_and_gradient(task.x.astype(np.float64), task.t, state=state)
    assert task.loss(task.params) == pytest.approx(loss, rel=1e-12)


def test_the_floor_does_the_steps_products(monkeypatch):
    shapes, task = [], small("mnist")
    dot = np.dot

    def counted(left, right, out):
        shapes.append((*left.shape, right.shape[1]))
        assert left.dtype == right.dtype == out.dtype == np.float32
        return dot(left, right, out=out)

    monkeypatch.setattr(np, "dot", counted)
    ends = []
    assert floor(task)(lambda: ends.append(1)) is None

    def step(n):
        return [(n, 784, 50), (n, 50, 10), (50, n, 10), (n, 10, 50), (784, n, 50)]

    assert shapes == 2 * [*step(100), *step(100), *step(99)]
    assert ends == [1, 1]


def test_images_come_from_the_folder(monkeypatch):
    asked = []

    def load_mnist(folder):
        asked.append(folder)
        raise FileNotFoundError("MNIST: there is no folder nowhere")

    monkeypatch.setattr(workloads, "load_mnist", load_mnist)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        workloads.make_task(workloads.WORKLOADS["wide"], "nowhere")
    assert asked == ["nowhere"]
