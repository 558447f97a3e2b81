"""The estimators' parameters: checked, and turned into the core's components."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import backends, options, validation
from ..batches import Batches, InOrder, Reshuffled, Shuffled
from ..callbacks import Callback
from ..initializers import Glorot
from ..layers import ACTIVATIONS, Dense, Dropout, Layer, Sigmoid
from ..network import Network
from ..optimizers import OPTIMIZERS, SCHEDULES, SGD, Adam, Optimizer, Schedule
from ..penalties import Penalty

_logistic = functools.partial(Sigmoid, precise=True)
_ACTIVATIONS: dict[str, Callable[[], Layer]] = {
    **ACTIVATIONS,
    "sigmoid": _logistic,
    "logistic": _logistic,
}
_RULES = ("constant", "invscaling", "adaptive")
"""scikit-learn's ways to change the rate; the schedules are the core's."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """What the parameters of an estimator mean.

    Attributes
    ----------
    sizes : tuple of int
        Units of the hidden layers.
    activations : tuple of Layer
        Of the hidden layers; without any, the one that was asked for, which scales the weights.
    dropout : tuple of float
    optimizer : Optimizer or None
        None is L-BFGS.
    rate_rule : {'constant', 'invscaling', 'adaptive'}
        How scikit-learn's loop changes the rate.
    penalty : Penalty
    callbacks : list of Callback
    """

    sizes: tuple[int, ...]
    activations: tuple[Layer, ...]
    dropout: tuple[float, ...]
    optimizer: Optimizer | None
    rate_rule: str
    penalty: Penalty
    callbacks: list[Callback]

    def network(self, n_features: int, n_outputs: int) -> Network:
        """Return the network; its initial weights are scikit-learn's."""
        layers: list[Layer] = []
        inits = [Glorot(scale=2 / 3 if isinstance(a, Sigmoid) else 2.0) for a in self.activations]
        hidden = zip(self.sizes, self.activations, self.dropout, inits, strict=False)
        n_inputs = n_features
        for size, activation, rate, init in hidden:
            layers += [Dense(n_inputs, size, init, init), activation]
            layers += [Dropout(rate)] if rate else []
            n_inputs = size
        return Network([*layers, Dense(n_inputs, n_outputs, inits[-1], inits[-1])])


def check(estimator: Any) -> Parameters:
    """Check all parameters of an estimator, before any work is done.

    Raises
    ------
    ValueError, TypeError
        A parameter's type or value will not do; the message names it.
    """
    p = estimator
    _check_numbers(p)
    for name in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping"):
        validation.check_flag(name, getattr(p, name))
    validation.check_choice("alpha_scaling", p.alpha_scaling, ["batch", "none"])
    if p.backend is not None:
        backends.check_name(p.backend)
    if p.dtype is not None:
        validation.check_float_dtype("dtype", p.dtype)
    if p.max_norm is not None:
        validation.check_real("max_norm", p.max_norm, open_low=True)
    validation.check_random_state("random_state", p.random_state)
    _check_class_weight(getattr(p, "class_weight", None))
    sizes = _sizes(p.hidden_layer_sizes)
    checked = Parameters(
        sizes,
        _activations(p.activation, len(sizes)),
        _dropout(p.dropout, len(sizes)),
        _optimizer(p),
        _rate_rule(p),
        Penalty(l2=p.alpha, division="together" if p.alpha_scaling == "batch" else "none"),
        options.check_callbacks(() if p.callbacks is None else p.callbacks),
    )
    if checked.optimizer is None:
        _check_lbfgs(p, checked)
    return checked


def _check_numbers(p: Any) -> None:
    check_real, check_integer = validation.check_real, validation.check_integer
    check_real("alpha", p.alpha)
    check_real("learning_rate_init", p.learning_rate_init, open_low=True)
    check_real("power_t", p.power_t)
    check_real("tol", p.tol)
    check_real("momentum", p.momentum, high=1.0)
    check_real("validation_fraction", p.validation_fraction, high=1.0, open_high=True)
    for name in ("beta_1", "beta_2"):
        check_real(name, getattr(p, name), high=1.0, open_high=True)
    check_real("epsilon", p.epsilon, open_low=True)
    check_integer("max_iter", p.max_iter)
    check_integer("max_fun", p.max_fun)
    if not isinstance(p.verbose, bool | np.bool_):
        check_integer("verbose", p.verbose, minimum=0)
    if p.n_iter_no_change != math.inf:
        check_integer("n_iter_no_change", p.n_iter_no_change)
    if not isinstance(p.batch_size, str) or p.batch_size != "auto":
        if isinstance(p.batch_size, str):
            validation.check_choice("batch_size", p.batch_size, ["auto", "a number of samples"])
        check_integer("batch_size", p.batch_size)


def _check_class_weight(class_weight: Any) -> None:
    if isinstance(class_weight, str):
        validation.check_choice("class_weight", class_weight, ["balanced"])
    elif class_weight is not None:
        several = isinstance(class_weight, list)
        for weights in class_weight if several else [class_weight]:
            if not isinstance(weights, Mapping):
                raise TypeError(
                    f"class_weight={class_weight!r} must be a dict of weights by class (of several "
                    "labels, a list of dicts), 'balanced' or None."
                )
            for label, weight in weights.items():
                validation.check_real(f"class_weight[{label!r}]", weight)


def _sizes(hidden_layer_sizes: Any) -> tuple[int, ...]:
    sizes = hidden_layer_sizes
    if isinstance(sizes, str) or not (isinstance(sizes, Sequence) or hasattr(sizes, "__iter__")):
        return (validation.check_integer("hidden_layer_sizes", sizes),)
    sizes = enumerate(sizes)
    return tuple(validation.check_integer(f"hidden_layer_sizes[{i}]", n) for i, n in sizes)


def _each(name: str, value: Any, n_hidden: int) -> list[Any]:
    """Return an entry for each hidden layer."""
    if isinstance(value, str | Layer) or not isinstance(value, Sequence | np.ndarray):
        return [value] * n_hidden
    if len(value) != n_hidden:
        raise ValueError(
            f"{name}={value!r} has {len(value)} entries; hidden_layer_sizes has {n_hidden} layers."
        )
    return list(value)


def _activations(activation: Any, n_hidden: int) -> tuple[Layer, ...]:
    known = "a name, or a layer such as LeakyReLU(0.1)"
    layers = []
    for entry in _each("activation", activation, n_hidden) or [activation]:
        if isinstance(entry, str):
            entry = _ACTIVATIONS[validation.check_choice("activation", entry, _ACTIVATIONS)]()
        if not isinstance(entry, Layer) or entry.parameters:
            raise TypeError(f"activation={entry!r} must be {known}, for each hidden layer.")
        layers.append(entry)
    return tuple(layers)


def _dropout(dropout: Any, n_hidden: int) -> tuple[float, ...]:
    rates = _each("dropout", dropout, n_hidden) or [dropout]
    checked = [validation.check_real("dropout", r, high=1.0, open_high=True) for r in rates]
    return tuple(checked[:n_hidden])


def _optimizer(p: Any) -> Optimizer | None:
    if isinstance(p.solver, Optimizer):
        if p.learning_rate != "constant":
            raise ValueError(
                f"learning_rate={p.learning_rate!r} with solver={p.solver!r}: an optimizer that is "
                "passed as an object brings its own rate or schedule. Leave learning_rate out."
            )
        stacked = {name for name, value in vars(p.solver).items() if np.ndim(value) > 0}
        if stacked:
            raise ValueError(
                f"solver={p.solver!r} is for a stack of models ({', '.join(sorted(stacked))}); an "
                "estimator is one."
            )
        return p.solver
    name = p.solver
    if not isinstance(name, str):
        raise TypeError(f"solver={name!r} must be a name, or an optimizer such as Adam().")
    name = validation.check_choice("solver", name, ["lbfgs", *OPTIMIZERS])
    rate = _rate(p)
    if name == "lbfgs":
        return None
    if name == "sgd":
        nesterov = bool(p.nesterovs_momentum and p.momentum > 0)
        return SGD(rate, momentum=p.momentum, nesterov=nesterov, velocity_form="steps")
    make: Any = OPTIMIZERS[name]
    if not issubclass(make, Adam):
        return make(rate)
    form = "plain" if name == "adam" else "corrected"
    return make(rate, beta1=p.beta_1, beta2=p.beta_2, eps=p.epsilon, eps_form=form)


def _rate(p: Any) -> Any:
    """Return the initial rate, or the schedule."""
    if isinstance(p.learning_rate, Schedule):
        return p.learning_rate
    name = p.learning_rate
    if not isinstance(name, str):
        raise TypeError(f"learning_rate={name!r} must be a name, or a schedule such as Cosine().")
    name = validation.check_choice("learning_rate", name, dict.fromkeys([*_RULES, *SCHEDULES]))
    if name in _RULES:
        return p.learning_rate_init
    lengths = {"step": {"every": math.ceil(p.max_iter / 3)}, "cosine": {"total": p.max_iter}}
    make: Any = SCHEDULES[name]
    return make(p.learning_rate_init, **lengths.get(name, {}))


def _rate_rule(p: Any) -> str:
    # As in scikit-learn, Adam's rate stays as it is.
    rule, solver = _name(p.learning_rate), _name(p.solver)
    return rule if rule in _RULES and solver != "adam" else "constant"


def _name(value: Any) -> str:
    return value.lower() if isinstance(value, str) else ""


def _check_lbfgs(p: Any, checked: Parameters) -> None:
    schedule = None if _name(p.learning_rate) in _RULES else p.learning_rate
    asked = {
        "dropout": any(checked.dropout) or None,
        "max_norm": p.max_norm,
        "callbacks": checked.callbacks or None,
        "learning_rate": schedule,
    }
    for name, value in asked.items():
        if value is not None:
            raise ValueError(
                f"{name}={getattr(p, name)!r} needs a stochastic solver such as 'adam' or 'sgd'; "
                "solver='lbfgs' sees all samples in every step."
            )


def batches(p: Any, n_samples: int, *, streamed: bool = False) -> Batches:
    """Return the batches that are drawn from so many samples."""
    size = min(200, n_samples) if p.batch_size == "auto" else min(p.batch_size, n_samples)
    if not p.shuffle:
        return InOrder(size)
    return Shuffled(size) if streamed else Reshuffled(size)
