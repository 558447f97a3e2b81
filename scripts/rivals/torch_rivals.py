"""PyTorch as a contestant: eager, compiled by torch.compile, or as CUDA graphs."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from xpnet.bench.contestant import EpochEnded, Fit
from xpnet.bench.task import Parameters, Rules, Task

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


def train(
    task: Task,
    fused: bool = False,
    compiled: bool = False,
    device: str = "cpu",
    graphs: bool = False,
) -> Fit:
    """Train a Sequential by one of torch's optimizers.

    Parameters
    ----------
    task : Task
    fused : bool
        Whether the optimizer is the fused one; by default torch chooses.
    compiled : bool
        Whether torch.compile makes one program of forward pass, loss and gradient.
    device : str
    graphs : bool
        Whether a step is captured once as a CUDA graph, and then replayed.
    """
    x, t = torch.from_numpy(task.x).to(device), torch.from_numpy(task.t).to(device)
    t = t.to(x.dtype)[:, None] if task.rules.binary else t
    net = network(task.rules).to(device)
    criterion = torch.nn.BCEWithLogitsLoss() if task.rules.binary else torch.nn.CrossEntropyLoss()

    def loss_of(xb: torch.Tensor, tb: torch.Tensor) -> torch.Tensor:
        return criterion(net(xb), tb)

    forward = torch.compile(loss_of, dynamic=False) if compiled else loss_of
    orders = [[torch.from_numpy(r).to(device) for r in task.batches(e)] for e in range(task.epochs)]

    def fit(epoch_ended: EpochEnded) -> Parameters:
        assign(net, task.params)
        optimizer = make_optimizer(task.rules, net, fused, graphs)

        def step(rows: torch.Tensor) -> torch.Tensor:
            loss = forward(x[rows], t[rows])
            optimizer.zero_grad(set_to_none=not graphs)
            loss.backward()
            optimizer.step()
            return loss.detach() * len(rows)

        run = replayed(step, net, optimizer) if graphs else step
        losses = []
        for batches in orders:
            total = torch.zeros((), device=device)
            for rows in batches:
                total += run(rows)
            losses.append(total.item() / len(x))
            epoch_ended()
        linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
        return [
            (m.weight.detach().cpu().numpy().T.copy(), m.bias.detach().cpu().numpy().copy())
            for m in linear
        ]

    return fit


def network(rules: Rules) -> torch.nn.Sequential:
    """Return the layers, the initial parameters yet to be assigned."""
    activation = torch.nn.Sigmoid if rules.activation == "sigmoid" else torch.nn.ReLU
    layers: list[torch.nn.Module] = []
    for n_in, n_out in pairwise(rules.sizes):
        layers += [torch.nn.Linear(n_in, n_out), activation()]
    return torch.nn.Sequential(*layers[:-1])


def assign(net: torch.nn.Sequential, params: Parameters) -> None:
    """Set weights and biases, in place."""
    linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for layer, (W, b) in zip(linear, params, strict=True):
            layer.weight.copy_(torch.from_numpy(W.T.copy()))
            layer.bias.copy_(torch.from_numpy(b.copy()))


def make_optimizer(rules: Rules, net: Any, fused: bool, graphs: bool) -> torch.optim.Optimizer:
    """Return torch's optimizer of that name."""
    options: dict[str, Any] = {"lr": rules.learning_rate, "fused": True if fused else None}
    if rules.optimizer == "sgd":
        return torch.optim.SGD(net.parameters(), **options)
    return torch.optim.Adam(net.parameters(), capturable=graphs, **options)


def replayed(
    step: Callable[[torch.Tensor], torch.Tensor], net: Any, optimizer: torch.optim.Optimizer
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the step as a CUDA graph for each size of batch.

    The steps to warm up and the capture must not count, so what they change is put back.
    """
    if not torch.cuda.is_available():
        raise RuntimeError("CUDA graphs need a CUDA device")
    captured: dict[int, tuple[Any, torch.Tensor, torch.Tensor]] = {}

    def tensors() -> list[torch.Tensor]:
        states = optimizer.state.values()
        return [*net.parameters(), *(v for s in states for v in s.values() if torch.is_tensor(v))]

    def capture(rows: torch.Tensor) -> tuple[Any, torch.Tensor, torch.Tensor]:
        fresh = not optimizer.state
        before = [v.detach().clone() for v in tensors()]
        rows = rows.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step(rows)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = step(rows)
        with torch.no_grad():
            for k, value in enumerate(tensors()):
                if k < len(before):
                    value.copy_(before[k])
                elif fresh:  # Adam's state was made by the steps to warm up
                    value.zero_()
        return graph, rows, loss

    def run(rows: torch.Tensor) -> torch.Tensor:
        if len(rows) not in captured:
            captured[len(rows)] = capture(rows)
        graph, place, loss = captured[len(rows)]
        place.copy_(rows)
        graph.replay()
        return loss

    return run
