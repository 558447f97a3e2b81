"""`fit_many`: many trainers, fitted in one pass."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import backends, options, validation
from ..batches import Batches
from ..callbacks import Callback
from ..placement import Placement, float_dtype
from ..state import TrainState, check_state, check_whole
from ..trainer import Trainer
from .progress import Bar
from .requests import Outcome, Request, Setting
from .training import Table, train


def fit_many(
    trainers: Sequence[Trainer],
    x: Any,
    t: Any,
    *,
    rows: Sequence[Any] | None = None,
    epochs: int | Sequence[int] = 10,
    batch_size: int | Sequence[int | None] | None = 32,
    sampling: str | Batches = "shuffle",
    sample_weight: Any = None,
    validation_data: tuple[Any, ...] | None = None,
    validation_rows: Sequence[Any] | None = None,
    train_score: bool = False,
    step_losses: str | None = None,
    objectives: bool = False,
    states: Sequence[TrainState] | None = None,
    callbacks: Sequence[Callback] = (),
    n_jobs: int | None = None,
    memory: int | None = None,
    progress: bool | str = False,
) -> list[Outcome]:
    """Fit many trainers at once: the results are those of ``trainer.fit`` for each.

    Trainers of one shape (layers, loss, optimizer, numbers of rows, batches) are one stack, and
    what they differ in has an axis of models: rates and schedules, momenta and betas, penalties,
    dropout, seeds, rows, weights. On NumPy each result is bit for bit that of its own fit.

    Parameters
    ----------
    trainers : sequence of Trainer
        Each for one model; ``trainer.models()`` takes a stack apart.
    x : array of shape (samples, features)
    t : array
        Targets, as for `Trainer.fit`.
    rows : sequence of integer arrays, optional
        The rows that each trainer is fitted on: folds, bootstrap samples. All rows by default.
    epochs : int or sequence of int, default 10
    batch_size : int or None, or a sequence with one for each trainer, default 32
    sampling, train_score, step_losses, objectives
        As for `Trainer.fit`.
    sample_weight : array of shape (samples,), or a sequence of such arrays, optional
    validation_data : tuple (x, t) or (x, t, sample_weight), optional
        What all trainers are evaluated on after each epoch.
    validation_rows : sequence of integer arrays, optional
        In its place: the rows of x that each trainer is evaluated on.
    states : sequence of TrainState, optional
        Where each goes on from.
    callbacks : sequence of Callback, optional
        Each trainer has copies of its own, so that each stops for itself: see the outcomes'
        `callbacks`. A trainer that stops leaves its stack.
    n_jobs : int, optional
        So many stacks are trained at a time, in joblib's processes; -1 is one for each processor.
    memory : int, optional
        Bytes that the stacks may take; larger ones are cut. By default half of what is free.
    progress : bool or str, default False
        Whether to show a bar over models and epochs; a text stands beside it.

    Returns
    -------
    list of Outcome
        With `state`, `history`, `stopped`, `failure` and `callbacks` of each trainer, whose own
        `state_`, `history_` and `stopped_` are the same.

    Raises
    ------
    ValueError, TypeError
        Data or options do not fit; nothing was trained.

    Notes
    -----
    A fit that diverges ends for itself: its `failure` says how, its `state` is that before the
    epoch in which it did. What is interrupted leaves the trainers as they were. Checkpoints belong
    to a fit of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import SGD, Dense, Network, Trainer, fit_many
    >>> x, t = np.array([[-1.0], [1.0], [2.0], [-2.0]]), np.array([0, 1, 1, 0])
    >>> net = Network([Dense(1, 1)])
    >>> trainers = [
    ...     Trainer(net, "binary_cross_entropy", SGD(rate), random_state=0) for rate in (0.1, 1.0)
    ... ]
    >>> outcomes = fit_many(trainers, x, t, epochs=20, rows=[[0, 1, 2], [1, 2, 3]])
    >>> [outcome.history.n_epochs for outcome in outcomes]
    [20, 20]
    """
    trainers = _check_trainers(trainers)
    n = len(trainers)
    record = options.record(step_losses, objectives)
    train_score = validation.check_flag("train_score", train_score)
    if memory is not None:
        validation.check_integer("memory", memory)
    held_out = options.check_held_out(validation_data)
    if validation_data is not None and validation_rows is not None:
        raise ValueError("validation_data and validation_rows: pass only one of them.")
    callbacks = _check_callbacks(options.check_callbacks(callbacks))
    n_samples = _n_samples(x)

    def check_size(size: Any) -> Batches:
        return options.check_sampling(sampling, size)

    each = {
        "rows": _rows("rows", rows, n, n_samples),
        "held_out_rows": _rows("validation_rows", validation_rows, n, n_samples),
        "weights": _weights(sample_weight, n, n_samples),
        "epochs": _each("epochs", epochs, n, lambda v: validation.check_integer("epochs", v)),
        "batches": _each("batch_size", batch_size, n, check_size),
    }
    if rows is None:
        each["rows"] = [np.arange(n_samples)] * n
    begins: list[Any] = [None] * n if states is None else _listed("states", states, n)
    settings: dict[Any, list[int]] = {}
    requests = []
    for k, (trainer, state) in enumerate(zip(trainers, begins, strict=True)):
        own = {name: values[k] for name, values in each.items()}
        begin = _begin(f"states[{k}]", trainer, state)
        requests.append(Request(trainer.problem, begin, callbacks=copy.deepcopy(callbacks), **own))
        place = trainer.backend, trainer.device, trainer.dtype or float_dtype(x), trainer.compile
        settings.setdefault(place, []).append(k)
    table = Table(x, t, None if validation_data is None else held_out)
    for k, trainer in enumerate(trainers):
        _check_data(f"trainers[{k}]", trainer, table)
    outcomes: list[Any] = [None] * n
    with Bar(progress, sum(request.epochs for request in requests)) as told:
        for (backend, device, dtype, compiled), numbers in settings.items():
            setting = Setting(
                backend,
                device,
                dtype,
                record,
                train_score,
                step_losses is not None,
                objectives,
                compiled,
            )
            chosen = [requests[k] for k in numbers]
            found = train(chosen, table, setting, memory=memory, n_jobs=n_jobs, told=told)
            for k, outcome in zip(numbers, found, strict=True):
                outcomes[k] = outcome
    for trainer, outcome in zip(trainers, outcomes, strict=True):
        trainer.state_, trainer.history_ = outcome.state, outcome.history
        trainer.stopped_ = outcome.stopped
        if isinstance(trainer.random_state, np.random.RandomState):
            trainer.random_state.set_state(outcome.state.generators[0])
    return outcomes


def _check_trainers(trainers: Any) -> list[Trainer]:
    if isinstance(trainers, Trainer) or not isinstance(trainers, Sequence):
        raise TypeError(
            f"trainers={trainers!r} must be a sequence of Trainer; trainer.models() takes a stack "
            "apart."
        )
    for k, trainer in enumerate(trainers):
        if not isinstance(trainer, Trainer):
            raise TypeError(f"trainers[{k}]={trainer!r} must be a Trainer.")
        if trainer.n_models is not None:
            raise ValueError(
                f"trainers[{k}] is a stack of {trainer.n_models} models; put its models() in its "
                "place."
            )
        if not trainer.ranks.alone:
            raise ValueError(
                f"trainers[{k}] is for {trainer.ranks.size} ranks, its comm=; fit_many runs on one."
            )
    drawn = [t.random_state for t in trainers if isinstance(t.random_state, np.random.RandomState)]
    if len(set(map(id, drawn))) < len(drawn):
        raise ValueError("Two trainers share a RandomState as random_state: pass seeds.")
    if len(set(map(id, trainers))) < len(trainers):
        raise ValueError("trainers has one of them twice.")
    if not trainers:
        raise ValueError("trainers is empty; at least one is needed.")
    return list(trainers)


def _check_data(name: str, trainer: Trainer, table: Table) -> None:
    """Raise where a trainer cannot be fitted on the data, or not here."""
    backend = backends.get(trainer.backend, trainer.device, like=table.arrays)
    place = Placement(backend, trainer.dtype or float_dtype(table.x), trainer.problem)
    try:
        with place.session():
            table.check(place)
    except (ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}") from error


def _check_callbacks(callbacks: list[Callback]) -> list[Callback]:
    for callback in callbacks:
        if callback.alone:
            raise ValueError(
                f"callbacks: {callback!r} is for a fit of its own, of which it needs all there is. "
                "Use trainer.fit; a bar over all fits is progress=True."
            )
    return callbacks


def _n_samples(x: Any) -> int:
    shape = x.shape if hasattr(x, "shape") else validation.check_numeric("x", x).shape
    validation.check_features("x", tuple(shape), None)
    return int(shape[0])


def _listed(name: str, values: Any, n: int) -> list[Any]:
    if isinstance(values, str | dict) or not hasattr(values, "__len__") or len(values) != n:
        raise ValueError(f"{name}: a sequence with one entry for each of {n} trainers is needed.")
    return list(values)


def _each(name: str, value: Any, n: int, check: Callable[[Any], Any]) -> list[Any]:
    """Return a checked value for each trainer; equal ones are one object."""
    if value is None or np.ndim(value) == 0:
        return [check(value)] * n
    return [check(v) for v in _listed(name, value, n)]


def _rows(name: str, rows: Any, n: int, n_samples: int) -> list[Any]:
    if rows is None:
        return [None] * n
    return [
        validation.check_rows(f"{name}[{k}]", own, n_samples)
        for k, own in enumerate(_listed(name, rows, n))
    ]


def _weights(weights: Any, n: int, n_samples: int) -> list[Any]:
    if weights is None:
        return [None] * n
    weights = backends.to_host(weights)
    if not hasattr(weights, "__iter__") or np.ndim(next(iter(weights), 0.0)) == 0:
        return [validation.check_weights("sample_weight", weights, n_samples)] * n
    return [
        validation.check_weights(f"sample_weight[{k}]", own, n_samples)
        for k, own in enumerate(_listed("sample_weight", weights, n))
    ]


def _begin(name: str, trainer: Trainer, state: TrainState | None) -> TrainState:
    """Return where a fit begins: drawn anew, or the state that was handed in."""
    if state is None:
        return trainer.initialize()
    if not isinstance(state, TrainState):
        raise TypeError(f"{name}={state!r} must be a TrainState, such as trainer.initialize().")
    state = check_state(trainer.problem, None, state)
    if state.params.ndim > 1:
        raise ValueError(f"{name} is of a stack of {len(state.params)} models; one is needed.")
    return check_whole(state, name)
