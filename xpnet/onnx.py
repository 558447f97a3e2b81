"""Networks as ONNX models, which other runtimes load without xpnet.

Activations are written in operators that runtimes have in float64 too: ONNX Runtime computes
Elu, LeakyRelu, Softplus and Gelu in float32 only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import backends, layers, losses, validation
from ._version import __version__
from .backends import Array
from .losses import Loss
from .network import Network

if TYPE_CHECKING:
    import onnx

__all__ = ["to_onnx"]

OPSET = 17
"""The default: of 2022, so that nearly every runtime in use reads it."""

_OLDEST_OPSET = 13  # from here on Softmax means the last axis, and Squeeze takes its axes as input


def to_onnx(
    network: Network,
    params: Array,
    loss: Loss,
    *,
    classes: Any = None,
    flatten: bool = False,
    opset: int | None = None,
) -> onnx.ModelProto:
    """Return the trained network as an ONNX model, from features to predictions.

    Parameters
    ----------
    network : Network
        Of xpnet's own layers. Dropout is left out.
    params : array of shape (n_params,)
        float32 or float64, of any library; the model computes in that type.
    loss : Loss
        One of xpnet's own: its link turns logits into predictions.
    classes : array of shape (classes,), optional
        Labels of the classes, integers or strings, in the order of the outputs. A single output
        has two classes, the second of which is meant by 1, or only one. Several outputs of
        `BinaryCrossEntropy` are labelled 0 or 1 each.
    flatten : bool, default False
        Whether the predictions of a single output are a vector. Without `classes` only.
    opset : int, default 17
        Version of ONNX's operators, from 13 on.

    Returns
    -------
    onnx.ModelProto
        Checked. The input is X, of shape (N, n_features_in); 8-bit pixels are first to be
        divided by 255. Without `classes` the output is predictions, of shape (N, n_outputs), or
        (N,) if flattened. With them there are two: label, of shape (N,), int64 or string (for
        several outputs of `BinaryCrossEntropy` (N, n_outputs)), and probabilities, of shape
        (N, classes).

    Raises
    ------
    ImportError
        onnx is missing.
    TypeError
        The labels of the classes are neither integers nor strings.
    ValueError
        The parameters are those of several models or do not fit, a layer or the loss is not one
        of xpnet's, the number of classes is not that of the outputs, or onnx does not know the
        opset.

    References
    ----------
    https://onnx.ai/onnx/operators/

    Examples
    --------
    >>> import numpy as np
    >>> from onnx.reference import ReferenceEvaluator
    >>> from xpnet import Dense, Network, SoftmaxCrossEntropy
    >>> from xpnet.onnx import to_onnx
    >>> net = Network([Dense(2, 3)])
    >>> params = net.flatten({"W1": [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]], "b1": np.zeros(3)})
    >>> model = to_onnx(net, params, SoftmaxCrossEntropy(), classes=["left", "right", "back"])
    >>> label, probabilities = ReferenceEvaluator(model).run(None, {"X": np.eye(2)})
    >>> label.tolist(), probabilities.shape
    (['left', 'right'], (2, 3))
    """
    onnx = _require_onnx()
    if not isinstance(network, Network):
        raise TypeError(f"network={network!r} must be a Network, such as Network([Dense(2, 1)]).")
    params = _check_params(network, params)
    link = _check_loss(loss)
    labels = _check_classes(classes, loss, network.n_outputs)
    _check_flatten(flatten, classes, network.n_outputs)
    opset = _check_opset(onnx, opset)

    graph = _Graph(onnx, params.dtype)
    logits = _logits(graph, network, params)
    if labels is None:
        outputs = _predictions(graph, logits, link, network.n_outputs, flatten)
    elif loss.exclusive or len(labels) == 1:
        outputs = _one_of_several(graph, logits, labels)
    elif network.n_outputs == 1:
        outputs = _one_of_two(graph, logits, labels)
    else:
        outputs = _yes_or_no_each(graph, logits, network.n_outputs)
    return graph.model(graph.described("X", network.n_features_in), outputs, opset)


def _require_onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ImportError("to_onnx needs onnx: pip install 'xpnet[onnx]'.") from error
    return onnx


def _check_params(network: Network, params: Any) -> np.ndarray:
    params = validation.check_numeric("params", backends.to_host(params))
    validation.check_float_dtype("params.dtype", params.dtype)
    n = network.n_params
    if params.ndim > 1 and params.shape[-1] == n:
        raise ValueError(
            f"params has shape {params.shape}, a stack of models; ({n},) is needed: pass one "
            "model's, such as params[0]."
        )
    if params.shape != (n,):
        raise ValueError(f"params has shape {params.shape}; ({n},) is needed.")
    return params


def _check_loss(loss: Any) -> str:
    if type(loss) not in _LINKS:
        known = ", ".join(f"{kind.__name__}()" for kind in _LINKS)
        raise ValueError(f"loss={loss!r} has no form in ONNX. Known: {known}.")
    return _LINKS[type(loss)]


def _check_classes(classes: Any, loss: Loss, n_outputs: int) -> np.ndarray | None:
    """Return the labels in a type that ONNX has: int64, or objects that are strings."""
    if classes is None:
        return None
    kind, labels = type(loss).__name__, np.asarray(classes)
    if not loss.classifies:
        raise ValueError(f"{kind} is a loss of regression: classes={classes!r} must be None.")
    wanted = [n_outputs] if loss.exclusive or n_outputs > 1 else [2, 1]
    if labels.shape not in [(n,) for n in wanted]:
        raise ValueError(
            f"classes has shape {labels.shape}; {kind} of {n_outputs} output(s) needs "
            f"{' or '.join(f'({n},)' for n in wanted)}."
        )
    if labels.dtype.kind in "biu" and np.can_cast(labels.dtype, np.int64):
        return labels.astype(np.int64)
    labels = labels.astype(object)
    if not all(isinstance(label, str) for label in labels):
        raise TypeError(
            f"classes={classes!r} must be integers (up to int64) or strings, which ONNX has as "
            "labels."
        )
    return labels


def _check_flatten(flatten: bool, classes: Any, n_outputs: int) -> None:
    validation.check_flag("flatten", flatten)
    if flatten and classes is not None:
        raise ValueError(f"flatten=True is for predictions: classes={classes!r} must be None.")
    if flatten and n_outputs > 1:
        raise ValueError(f"flatten=True needs a network of 1 output; it has {n_outputs}.")


def _check_opset(onnx: Any, opset: int | None) -> int:
    newest = onnx.defs.onnx_opset_version()
    opset = validation.check_integer(
        "opset", OPSET if opset is None else opset, minimum=_OLDEST_OPSET
    )
    if opset > newest:
        raise ValueError(
            f"opset={opset} must be in [{_OLDEST_OPSET}, {newest}], the opsets that onnx "
            f"{onnx.__version__} knows."
        )
    return opset


class _Graph:
    """The nodes of a model, put down one by one: ``y = graph("Add", x, 1.0)``.

    Values go by their names; numbers and arrays among the inputs become initializers.
    """

    def __init__(self, onnx: Any, dtype: np.dtype) -> None:
        self.onnx = onnx
        self.dtype = dtype
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def __call__(self, op: str, *inputs: Any, name: str | None = None, **attributes: Any) -> str:
        name = name or f"{op}{len(self.nodes)}"
        values = [value if isinstance(value, str) else self.initializer(value) for value in inputs]
        node = self.onnx.helper.make_node(op, values, [name], name, **attributes)
        self.nodes.append(node)
        return name

    def initializer(self, value: Any, name: str | None = None) -> str:
        name = name or f"constant{len(self.initializers)}"
        array = np.asarray(value, self.dtype if isinstance(value, float) else None)
        self.initializers.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def described(self, name: str, *sizes: int, dtype: Any = None) -> Any:
        """Return what a model says of an input or an output of shape (N, *sizes)."""
        helper = self.onnx.helper
        code = helper.np_dtype_to_tensor_dtype(np.dtype(dtype or self.dtype))
        return helper.make_tensor_value_info(name, code, ["N", *sizes])

    def model(self, x: Any, outputs: list[Any], opset: int) -> Any:
        helper = self.onnx.helper
        opsets = [helper.make_opsetid("", opset)]
        model = helper.make_model(
            helper.make_graph(self.nodes, "xpnet", [x], outputs, self.initializers),
            opset_imports=opsets,
            # The oldest that has the opset: runtimes refuse a format newer than they are.
            ir_version=helper.find_min_ir_version_for(opsets),
            producer_name="xpnet",
            producer_version=__version__,
        )
        self.onnx.checker.check_model(model, full_check=True)
        return model


def _logits(graph: _Graph, network: Network, params: np.ndarray) -> str:
    """Put down the layers, their parameters under the network's names."""
    views = network.unflatten(params)
    x, names = "X", iter(network.names)
    for i, layer in enumerate(network.layers):
        if type(layer) not in _LAYERS:
            known = ", ".join(kind.__name__ for kind in _LAYERS)
            raise ValueError(f"layers[{i}]={layer!r} has no form in ONNX. Known: {known}.")
        own = [next(names) for _ in layer.parameters]
        x = _LAYERS[type(layer)](
            graph, layer, x, *(graph.initializer(views[name], name) for name in own)
        )
    return x


def _predictions(graph: _Graph, logits: str, link: str, n_outputs: int, flatten: bool) -> list[Any]:
    if flatten:
        y = graph("Squeeze", graph(link, logits), np.array([1]), name="predictions")
        return [graph.described(y)]
    return [graph.described(graph(link, logits, name="predictions"), n_outputs)]


def _one_of_several(graph: _Graph, logits: str, labels: np.ndarray) -> list[Any]:
    """Softmax; where there is one class, its probability is 1 whatever the logit is."""
    probabilities = graph("Softmax", logits, name="probabilities")
    best = graph("ArgMax", probabilities, axis=1, keepdims=0)
    return _labelled(graph, best, probabilities, labels)


def _one_of_two(graph: _Graph, logits: str, labels: np.ndarray) -> list[Any]:
    p = graph("Sigmoid", logits)
    probabilities = graph("Concat", graph("Sub", 1.0, p), p, axis=1, name="probabilities")
    second = graph("Greater", graph("Squeeze", p, np.array([1])), 0.5)
    index = graph("Cast", second, to=graph.onnx.TensorProto.INT64)
    return _labelled(graph, index, probabilities, labels)


def _labelled(graph: _Graph, index: str, probabilities: str, labels: np.ndarray) -> list[Any]:
    label = graph("Gather", graph.initializer(labels, "classes"), index, name="label")
    return [
        graph.described(label, dtype=labels.dtype),
        graph.described(probabilities, len(labels)),
    ]


def _yes_or_no_each(graph: _Graph, logits: str, n_outputs: int) -> list[Any]:
    p = graph("Sigmoid", logits, name="probabilities")
    yes = graph("Greater", p, 0.5)
    label = graph("Cast", yes, to=graph.onnx.TensorProto.INT64, name="label")
    return [
        graph.described(label, n_outputs, dtype=np.int64),
        graph.described(p, n_outputs),
    ]


def _same(graph: _Graph, layer: Any, x: str) -> str:
    return x


def _dense(graph: _Graph, layer: Any, x: str, weight: str, *bias: str) -> str:
    y = graph("MatMul", x, weight)
    return graph("Add", y, *bias) if bias else y


def _operator(op: str) -> Callable[..., str]:
    return lambda graph, layer, x: graph(op, x)


def _leaky_relu(graph: _Graph, layer: Any, x: str) -> str:
    negative = graph("Min", x, 0.0)
    return graph("Add", graph("Relu", x), graph("Mul", float(layer.negative_slope), negative))


def _elu(graph: _Graph, layer: Any, x: str) -> str:
    # exp(x) - 1 = 2 t / (1 - t) with t = tanh(x/2), to the last digits near 0 too.
    t = graph("Tanh", graph("Mul", 0.5, graph("Min", x, 0.0)))
    expm1 = graph("Div", graph("Mul", 2.0, t), graph("Sub", 1.0, t))
    return graph("Add", graph("Relu", x), graph("Mul", float(layer.alpha), expm1))


def _softplus(graph: _Graph, layer: Any, x: str) -> str:
    # max(x, 0) - log(sigmoid(|x|)), which does not overflow.
    return graph("Sub", graph("Relu", x), graph("Log", graph("Sigmoid", graph("Abs", x))))


def _gelu(graph: _Graph, layer: Any, x: str) -> str:
    cube = graph("Mul", x, graph("Mul", x, x))
    inner = graph("Add", x, graph("Mul", 0.044715, cube))
    t = graph("Tanh", graph("Mul", math.sqrt(2.0 / math.pi), inner))
    return graph("Mul", graph("Mul", 0.5, x), graph("Add", 1.0, t))


def _silu(graph: _Graph, layer: Any, x: str) -> str:
    return graph("Mul", x, graph("Sigmoid", x))


_LAYERS: dict[type, Callable[..., str]] = {
    layers.Dense: _dense,
    layers.Dropout: _same,
    layers.ELU: _elu,
    layers.GELU: _gelu,
    layers.Identity: _same,
    layers.LeakyReLU: _leaky_relu,
    layers.ReLU: _operator("Relu"),
    layers.SiLU: _silu,
    layers.Sigmoid: _operator("Sigmoid"),
    layers.Softplus: _softplus,
    layers.Tanh: _operator("Tanh"),
}
"""What puts down the nodes of a layer. Exact types: a subclass may compute anything."""

_LINKS: dict[type, str] = {
    losses.AbsoluteError: "Identity",
    losses.BinaryCrossEntropy: "Sigmoid",
    losses.Huber: "Identity",
    losses.Poisson: "Exp",
    losses.SoftmaxCrossEntropy: "Softmax",
    losses.SquaredError: "Identity",
}
"""The operator that is the link of a loss."""
