"""JAX as a contestant: a jitted step in a loop, or the whole epoch in one scan."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from xpnet.bench.contestant import EpochEnded, Fit
from xpnet.bench.task import Parameters, Rules, Task


def train(task: Task, scan: bool = False, platform: str | None = None) -> Fit:
    """Train by gradients of a loss function and a jitted step.

    Parameters
    ----------
    task : Task
    scan : bool
        Whether one call runs all full batches of an epoch.
    platform : str, optional
        'cpu' or 'gpu'; JAX's default one if None.
    """
    device = jax.devices(platform)[0]
    x, t = jax.device_put(task.x, device), jax.device_put(task.t.astype(np.int32), device)
    step = make_step(task.rules)
    jitted = jax.jit(step, donate_argnums=0)

    @functools.partial(jax.jit, donate_argnums=0)
    def epoch(carry: Any, orders: Any, x: Any, t: Any) -> tuple[Any, Any]:
        return jax.lax.scan(lambda c, rows: step(c, rows, x, t), carry, orders)

    size = task.rules.batch_size
    n_full = len(task.x) // size

    @jax.default_matmul_precision("highest")  # GPUs would round products to fewer digits
    def fit(epoch_ended: EpochEnded) -> Parameters:
        params = [
            (jnp.asarray(W, jnp.float32), jnp.asarray(b, jnp.float32)) for W, b in task.params
        ]
        zeros = jax.tree.map(jnp.zeros_like, params)
        carry = jax.device_put(
            (params, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros(())), device
        )
        losses = []
        for order in task.orders.astype(np.int32):
            found = []
            batches = [order[start : start + size] for start in range(0, len(order), size)]
            if scan:
                full = order[: n_full * size].reshape(n_full, size)
                carry, several = epoch(carry, full, x, t)
                found.append(several)
                batches = batches[n_full:]
            for rows in batches:
                carry, loss = jitted(carry, rows, x, t)
                found.append(loss[None])
            sizes = np.full(len(order) // size + (len(order) % size > 0), float(size))
            sizes[n_full:] = len(order) % size
            losses.append(float(np.concatenate(jax.device_get(found)) @ sizes) / len(order))
            epoch_ended()
        return [(np.asarray(W), np.asarray(b)) for W, b in carry[0]]

    return fit


def make_step(rules: Rules) -> Any:
    """Return ``step(carry, rows, x, t) -> (carry, loss)``; the carry is of Adam, or unused."""

    def loss_of(params: Any, x: Any, t: Any) -> Any:
        for W, b in params[:-1]:
            x = x @ W + b
            x = jax.nn.sigmoid(x) if rules.activation == "sigmoid" else jax.nn.relu(x)
        z = x @ params[-1][0] + params[-1][1]
        if rules.binary:
            z = z[:, 0]
            return jnp.mean(jax.nn.softplus(z) - t * z)
        chosen = jnp.take_along_axis(z, t[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(z, axis=1) - chosen)

    def step(carry: Any, rows: Any, x: Any, t: Any) -> tuple[Any, Any]:
        params, m, v, count = carry
        taken = (jnp.take(a, rows, axis=0, mode="clip") for a in (x, t))
        loss, grads = jax.value_and_grad(loss_of)(params, *taken)
        if rules.optimizer == "sgd":
            params = jax.tree.map(lambda p, g: p - rules.learning_rate * g, params, grads)
            return (params, m, v, count), loss
        count = count + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
        rate = rules.learning_rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, m, v)
        return (params, m, v, count), loss

    return step
