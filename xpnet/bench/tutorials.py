"""The tutorials' loops as contestants, written from their formulas: plain NumPy, a line a formula.

They print float64; float32 is the same loop on other arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .contestant import EpochEnded, Fit
from .task import Parameters, Rules, Task

Arrays = dict[str, np.ndarray]


def loop(task: Task, dtype: str = "float64") -> Fit:
    """Train by the tutorial that has such a net.

    Raises
    ------
    ValueError
        None has.
    """
    train = _tutorial(task.rules)
    x, t = task.x.astype(dtype), task.one_hot.astype(dtype)
    params = [(W.astype(dtype), b.astype(dtype)) for W, b in task.params]

    def fit(epoch_ended: EpochEnded) -> Parameters:
        copies = [(W.copy(), b.copy()) for W, b in params]
        with np.errstate(divide="ignore", invalid="ignore"):  # logarithms of 0 in float32
            return train(task, x, t, copies, epoch_ended)

    return fit


def _tutorial(rules: Rules) -> Any:
    two_layers = len(rules.sizes) == 3 and (rules.activation, rules.optimizer) == ("sigmoid", "sgd")
    if two_layers:
        return _minibatch_network if rules.binary else _two_layer_net
    if not rules.binary and (rules.activation, rules.optimizer) == ("relu", "adam"):
        return _deep_net
    raise ValueError(f"no tutorial trains such a net: {rules}")


def _minibatch_network(
    task: Task, x: np.ndarray, y: np.ndarray, params: Parameters, epoch_ended: EpochEnded
) -> Parameters:
    """Train the binary classifier; its penalties are there, and zero."""
    (w1, b1), (w2, b2) = params
    rate, size, l1, l2, losses = task.rules.learning_rate, task.rules.batch_size, 0, 0, []

    def activation(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-np.clip(z, -100, None)))

    for order in task.orders:
        loss = 0.0
        shuffled, targets = x[order], y[order]
        for start in range(0, len(x), size):
            batch, t = shuffled[start : start + size], targets[start : start + size]
            m = len(batch)
            a1 = activation(np.dot(batch, w1) + b1)
            a = activation(np.dot(a1, w2) + b2)
            error = a - t
            w2_grad = np.dot(a1.T, error) / m
            b2_grad = np.sum(error) / m
            hidden = np.dot(error, w2.T) * a1 * (1 - a1)
            w1_grad = np.dot(batch.T, hidden) / m
            b1_grad = np.sum(hidden, axis=0) / m
            w1_grad += (l1 * np.sign(w1) + l2 * w1) / m
            w2_grad += (l1 * np.sign(w2) + l2 * w2) / m
            w1 -= rate * w1_grad
            b1 -= rate * b1_grad
            w2 -= rate * w2_grad
            b2 -= rate * b2_grad
            a = np.clip(a, 1e-10, 1 - 1e-10)
            loss += np.sum(-(t * np.log(a) + (1 - t) * np.log(1 - a)))
        penalty = l1 * (np.sum(np.abs(w1)) + np.sum(np.abs(w2)))
        penalty += l2 / 2 * (np.sum(w1**2) + np.sum(w2**2))
        losses.append((loss + penalty) / len(x))
        epoch_ended()
    return [(w1, b1), (w2, b2)]


def _two_layer_net(
    task: Task, x: np.ndarray, t: np.ndarray, params: Parameters, epoch_ended: EpochEnded
) -> Parameters:
    """Train the net of the MNIST tutorial, which computes each batch's loss after its update."""
    (W1, b1), (W2, b2) = params
    losses = []

    def sigmoid(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-z))

    def softmax(z: np.ndarray) -> np.ndarray:
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    for epoch in range(task.epochs):
        for rows in task.batches(epoch):
            batch, target = x[rows], t[rows]
            m = len(batch)
            z1 = sigmoid(np.dot(batch, W1) + b1)
            y = softmax(np.dot(z1, W2) + b2)
            dy = (y - target) / m
            dz1 = np.dot(dy, W2.T) * z1 * (1 - z1)
            W1 -= task.rules.learning_rate * np.dot(batch.T, dz1)
            b1 -= task.rules.learning_rate * np.sum(dz1, axis=0)
            W2 -= task.rules.learning_rate * np.dot(z1.T, dy)
            b2 -= task.rules.learning_rate * np.sum(dy, axis=0)
            y = softmax(np.dot(sigmoid(np.dot(batch, W1) + b1), W2) + b2)
            losses.append(-np.sum(target * np.log(y + 1e-7)) / m)
        epoch_ended()
    return [(W1, b1), (W2, b2)]


def _deep_net(
    task: Task, x: np.ndarray, t: np.ndarray, params: Parameters, epoch_ended: EpochEnded
) -> Parameters:
    """Train the deep net of the tutorial on optimizers: features first, dicts, Adam."""
    depth, size, losses, step = len(params), task.rules.batch_size, [], 0
    p: Arrays = {}
    for i, (W, b) in enumerate(params, 1):
        p |= {f"W{i}": W.T.copy(), f"b{i}": b[:, None].copy()}
    v = {f"d{name}": np.zeros_like(value) for name, value in p.items()}
    s = {f"d{name}": np.zeros_like(value) for name, value in p.items()}
    X, Y = x.T, t.T
    for order in task.orders:
        shuffled, targets = X[:, order], Y[:, order]
        for start in range(0, len(order), size):
            batch, target = shuffled[:, start : start + size], targets[:, start : start + size]
            cost, grads = _gradients(p, depth, batch, target)
            losses.append(cost)
            step += 1
            _update_with_adam(p, grads, v, s, step, task.rules.learning_rate)
        epoch_ended()
    return [(p[f"W{i}"].T, p[f"b{i}"][:, 0]) for i in range(1, depth + 1)]


def _gradients(p: Arrays, depth: int, X: np.ndarray, Y: np.ndarray) -> tuple[float, Arrays]:
    m = X.shape[1]
    A, grads = {0: X}, {}
    for i in range(1, depth):
        A[i] = np.maximum(0, np.dot(p[f"W{i}"], A[i - 1]) + p[f"b{i}"])
    Z = np.dot(p[f"W{depth}"], A[depth - 1]) + p[f"b{depth}"]
    e = np.exp(Z - np.max(Z, axis=0, keepdims=True))
    y = e / np.sum(e, axis=0, keepdims=True)
    dZ = y - Y
    for i in range(depth, 0, -1):
        grads[f"dW{i}"] = np.dot(dZ, A[i - 1].T) / m
        grads[f"db{i}"] = np.sum(dZ, axis=1, keepdims=True) / m
        if i > 1:
            dZ = np.dot(p[f"W{i}"].T, dZ) * (A[i - 1] > 0)
    return float(-np.sum(Y * np.log(y + 1e-7)) / m), grads


def _update_with_adam(p: Arrays, grads: Arrays, v: Arrays, s: Arrays, t: int, rate: float) -> None:
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8
    for name in p:
        d = f"d{name}"
        v[d] = beta1 * v[d] + (1 - beta1) * grads[d]
        s[d] = beta2 * s[d] + (1 - beta2) * grads[d] ** 2
        corrected_v = v[d] / (1 - beta1**t)
        corrected_s = s[d] / (1 - beta2**t)
        p[name] = p[name] - rate * corrected_v / (np.sqrt(corrected_s) + epsilon)
