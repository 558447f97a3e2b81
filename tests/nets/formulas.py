"""The tutorials' systems as plain NumPy loops, written from their formulas: the oracles."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-np.maximum(z, -100)))


def log_loss(a, y):
    a = np.clip(a, 1e-10, 1 - 1e-10)
    return np.sum(-(y * np.log(a) + (1 - y) * np.log(1 - a)))


def penalty(weights, l1, l2):
    return sum(l1 * np.abs(w).sum() + l2 / 2 * (w**2).sum() for w in weights)


def single_layer(x, y, x_val, y_val, *, epochs, learning_rate=0.1, l1=0.0, l2=0.0):
    """Logistic regression; returns losses, validation losses, weights of all epochs."""
    w, b = np.ones(x.shape[1]), 0.0
    losses, val_losses, weights = [], [], [w.copy()]
    for _ in range(epochs):
        a = sigmoid(x @ w + b)
        err = a - y
        w_grad = x.T @ err / len(x) + (l1 * np.sign(w) + l2 * w) / len(x)
        w = w - learning_rate * w_grad
        b = b - learning_rate * np.sum(err) / len(x)
        weights.append(w.copy())
        losses.append((log_loss(a, y) + penalty([w], l1, l2)) / len(x))
        val = log_loss(sigmoid(x_val @ w + b), y_val)
        val_losses.append((val + penalty([w], l1, l2)) / len(x_val))
    return np.array(losses), np.array(val_losses), np.array(weights)


def hidden_layer(
    x, y, x_val, y_val, *, epochs, batch, ones=False, units=10, learning_rate=0.1, l1=0.0, l2=0.0
):
    """One hidden layer; `batch` None is full-batch descent without permutations."""
    y, y_val = y.reshape(-1, 1), y_val.reshape(-1, 1)
    rng = np.random.RandomState(42)
    shapes = (x.shape[1], units), (units, 1)
    w1, w2 = (np.ones(s) if ones else rng.normal(0, 1, s) for s in shapes)
    b1, b2 = np.zeros(units), np.zeros(1)
    rng = np.random.RandomState(42)
    losses, val_losses = [], []
    for _ in range(epochs):
        order = np.arange(len(x)) if batch is None else rng.permutation(np.arange(len(x)))
        loss = 0.0
        for start in range(0, len(x), batch or len(x)):
            rows = order[start : start + (batch or len(x))]
            xb, yb, m = x[rows], y[rows], len(rows)
            a1 = sigmoid(xb @ w1 + b1)
            a = sigmoid(a1 @ w2 + b2)
            loss += log_loss(a, yb)
            err = a - yb
            w2_grad = a1.T @ err / m
            b2_grad = np.sum(err) / m
            err_hidden = err @ w2.T * a1 * (1 - a1)
            w1_grad = xb.T @ err_hidden / m
            b1_grad = np.sum(err_hidden, axis=0) / m
            w1_grad = w1_grad + (l1 * np.sign(w1) + l2 * w1) / m
            w2_grad = w2_grad + (l1 * np.sign(w2) + l2 * w2) / m
            w1, b1 = w1 - learning_rate * w1_grad, b1 - learning_rate * b1_grad
            w2, b2 = w2 - learning_rate * w2_grad, b2 - learning_rate * b2_grad
        losses.append((loss + penalty([w1, w2], l1, l2)) / len(x))
        val = log_loss(sigmoid(sigmoid(x_val @ w1 + b1) @ w2 + b2), y_val)
        val_losses.append((val + penalty([w1, w2], l1, l2)) / len(x_val))
    return np.array(losses), np.array(val_losses)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def two_layer_gradient(params, x, t):
    """Backpropagation of the two-layer net with one-hot targets; returns loss and gradients."""
    a1 = sigmoid(x @ params["W1"] + params["b1"])
    y = softmax(a1 @ params["W2"] + params["b2"])
    loss = -np.mean(np.log(y[np.arange(len(x)), t.argmax(axis=1)] + 1e-7))
    dy = (y - t) / len(x)
    da1 = dy @ params["W2"].T * a1 * (1 - a1)
    return loss, {"W1": x.T @ da1, "b1": da1.sum(0), "W2": a1.T @ dy, "b2": dy.sum(0)}


def central_difference(params, x, t, key, at, h=1e-4):
    """The tutorial's numerical gradient of the two-layer net, for one element."""
    losses = []
    for shift in (h, -h):
        moved = {k: v.copy() for k, v in params.items()}
        moved[key][at] += shift
        losses.append(two_layer_gradient(moved, x, t)[0])
    return (losses[0] - losses[1]) / (2 * h)


def batch_partition(X, Y, batch_size, seed):
    np.random.seed(seed)
    order = np.random.permutation(X.shape[1])
    X, Y = X[:, order], Y[:, order]
    cuts = range(0, X.shape[1], batch_size)
    return [(X[:, k : k + batch_size], Y[:, k : k + batch_size]) for k in cuts]


def deep_net(X, Y, dims, optimizer, *, epochs, learning_rate, batch_size=64, seed=42):
    """relu hidden layers and a sigmoid output, features first; returns losses and parameters."""
    rng = np.random.RandomState(seed)
    p, v, s, t, losses = {}, {}, {}, 0, []
    depth = len(dims) - 1
    for k in range(1, depth + 1):
        p[f"W{k}"] = rng.randn(dims[k], dims[k - 1]) * np.sqrt(2 / dims[k - 1])
        p[f"b{k}"] = np.zeros((dims[k], 1))
    v, s = ({k: np.zeros_like(x) for k, x in p.items()} for _ in range(2))
    for epoch in range(epochs):
        total = 0.0
        for x, y in batch_partition(X, Y, batch_size, seed + epoch):
            a, z, m = [x], [], x.shape[1]
            for k in range(1, depth + 1):
                z.append(p[f"W{k}"] @ a[-1] + p[f"b{k}"])
                a.append(np.maximum(z[-1], 0) if k < depth else sigmoid(z[-1]))
            total -= np.sum(y * np.log(a[-1]) + (1 - y) * np.log(1 - a[-1]))
            g, d = {}, a[-1] - y
            for k in range(depth, 0, -1):
                g[f"W{k}"], g[f"b{k}"] = d @ a[k - 1].T / m, d.sum(axis=1, keepdims=True) / m
                d = p[f"W{k}"].T @ d * (a[k - 1] > 0)
            t += 1
            for k in p:
                if optimizer == "gd":
                    step = g[k]
                elif optimizer == "momentum":
                    step = v[k] = 0.9 * v[k] + 0.1 * g[k]
                elif optimizer == "rmsprop":
                    s[k] = 0.9 * s[k] + 0.1 * g[k] ** 2
                    step = g[k] / (np.sqrt(s[k]) + 1e-8)
                else:
                    v[k] = 0.9 * v[k] + 0.1 * g[k]
                    s[k] = 0.999 * s[k] + 0.001 * g[k] ** 2
                    step = v[k] / (1 - 0.9**t) / (np.sqrt(s[k] / (1 - 0.999**t)) + 1e-8)
                p[k] = p[k] - learning_rate * step
        losses.append(total / X.shape[1])
    return np.array(losses), p
