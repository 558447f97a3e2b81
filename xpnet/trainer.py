"""The trainer: checks what comes in, brings it to the backend, runs the epochs."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from . import backends, checkpoints, functions, options, validation
from .backends import Array, Step
from .batches import Batches
from .callbacks import Callback
from .distributed import ranks_of
from .evaluation import differentiate, evaluate, network_logits
from .fitting import Fit
from .history import History
from .losses import LOSSES, Loss
from .network import Network
from .optimizers import OPTIMIZERS, SGD, Optimizer
from .penalties import Penalty
from .placement import Placement, float_dtype
from .problems import of_model
from .state import TrainState, check_state, initial_state
from .step import Problem, make_step
from .streaming import make_run
from .streams.recognition import as_stream
from .training import DivergenceError

__all__ = ["Trainer"]


class Trainer:
    """Trains a network on any backend.

    Parameters
    ----------
    network : Network
    loss : Loss or str
        Such as ``SoftmaxCrossEntropy()``, or ``"softmax_cross_entropy"``.
    optimizer : Optimizer or str, default SGD()
    penalty : Penalty, optional
        L1 and L2 penalties of the weights.
    max_norm : float or array of shape (models, 1), optional
        Longer gradients are scaled down to this norm.
    backend : {'numpy', 'cupy', 'jax', 'torch', 'array_api_strict', 'auto'}, optional
        'auto' is CuPy where it is usable, else NumPy. None follows the arrays that come in.
    device : str or device object, optional
        A device of the backend; by default the arrays' own, or the backend's default one.
    dtype : {'float32', 'float64'}, optional
        By default the type of x; float32 for integers.
    random_state : int, RandomState, None, or a sequence of these
        Where initial weights and orders of batches come from. A sequence trains one model for
        each entry.
    compile : bool, default True
        Whether a backend may run the steps in its fastest way: NumPy records a step once and
        replays it over buffers that stay, bit for bit the same; JAX compiles an epoch; CuPy makes
        a kernel of each elementwise rule. If not, each step is run call by call, which is the
        reference, and the place for a debugger. Layers of one's own must be pure functions of
        arrays then: what they draw or count in Python is drawn and counted once (`Noise` is how
        `Dropout` is random).
    comm : mpi4py.MPI.Comm, optional
        The ranks that train together, such as ``mpi4py.MPI.COMM_WORLD``, see Notes.
    average_every : int, optional
        With `comm`, each rank takes so many steps by itself before their parameters are averaged
        (local SGD); by default the gradients of all are added up at every step.
    transport : {'host', 'cuda', 'nccl'}, default 'host'
        With `comm` and CuPy, how gradients travel: by way of the host, by an MPI that takes CUDA
        arrays, or by NCCL (experimental: it has not run on two GPUs yet).

    Attributes
    ----------
    state_ : TrainState
        The state after the last epoch; of a stream whose epoch was broken off, after its last
        buffer.
    history_ : History
        The curves of the last `fit`.
    stopped_ : str or None
        Why a callback ended the last `fit` before its length.

    Notes
    -----
    A stack of models is trained in one pass where hyperparameters have shape (models, 1), where
    `random_state` is a sequence, or where the parameters handed to `initialize` have shape
    (models, n_params). On NumPy each model of a stack equals its own run bit for bit.

    With `comm`, all ranks are given the same data (or streams), and each takes its share of every
    batch; what `batch_size` counts is the whole batch. All end with the same parameters, bit for
    bit: but for roundings those of one process, except on a stream, whose blocks are shared out.
    The first rank alone evaluates, runs callbacks and so writes and prints. Start scripts by
    ``mpiexec -n 4 python -m mpi4py script.py``.

    8-bit unsigned integers are read as pixels: they stay 8-bit in memory, and each batch is
    scaled from 0..255 to [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from xpnet import Adam, BinaryCrossEntropy, Dense, Network, Tanh, Trainer
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> t = np.array([0, 1, 1, 0])
    >>> net = Network([Dense(2, 8), Tanh(), Dense(8, 1)])
    >>> trainer = Trainer(net, BinaryCrossEntropy(), Adam(0.05), random_state=0)
    >>> history = trainer.fit(x, t, epochs=100, batch_size=None)
    >>> trainer.predict(x).round().ravel()
    array([0., 1., 1., 0.])
    """

    def __init__(
        self,
        network: Network,
        loss: Loss | str,
        optimizer: Optimizer | str | None = None,
        *,
        penalty: Penalty | None = None,
        max_norm: Any = None,
        backend: str | None = None,
        device: Any = None,
        dtype: Any = None,
        random_state: Any = None,
        compile: bool = True,
        comm: Any = None,
        average_every: int | None = None,
        transport: str = "host",
    ) -> None:
        if not isinstance(network, Network):
            raise TypeError(
                f"network={network!r} must be a Network of layers, such as Dense(2, 1)."
            )
        if penalty is not None and not isinstance(penalty, Penalty):
            raise TypeError(f"penalty={penalty!r} must be a Penalty, such as Penalty(l2=0.01).")
        if max_norm is not None:
            max_norm = validation.check_hyperparameter("max_norm", max_norm, open_low=True)
        optimizer = SGD() if optimizer is None else optimizer
        self.problem = Problem(
            network,
            options.component("loss", loss, Loss, LOSSES),
            options.component("optimizer", optimizer, Optimizer, OPTIMIZERS),
            Penalty() if penalty is None else penalty,
            max_norm,
        )
        self.backend = None if backend is None else backends.check_name(backend)
        self.device = device
        self.dtype = None if dtype is None else validation.check_float_dtype("dtype", dtype)
        self.random_state = random_state
        self._seeds = options.model_seeds(random_state)
        options.generators(self._seeds, random_state)  # says what is wrong with them
        self.compile = validation.check_flag("compile", compile)
        self.ranks = ranks_of(comm, average_every, transport)
        self._steps: dict[str, Step] = {}
        self._n_models = options.count_models(self.problem, self._seeds)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_steps": {}}  # functions of this process, made anew where needed

    def __repr__(self) -> str:
        p = self.problem
        return (
            f"Trainer({p.network!r}, {p.loss!r}, {p.optimizer!r}, penalty={p.penalty!r}, "
            f"max_norm={p.max_norm!r}, backend={self.backend!r}, device={self.device!r}, "
            f"dtype={self.dtype!r}, random_state={self.random_state!r}, compile={self.compile}"
            f"{'' if self.ranks.alone else f', {self.ranks}'})"
        )

    @property
    def n_models(self) -> int | None:
        """How many models the hyperparameters and seeds are for; None for one net."""
        return self._n_models

    def models(self) -> list[Trainer]:
        """Return a trainer for each model of a stack, with its own hyperparameters and seed.

        Returns
        -------
        list of Trainer
            One that is as this one, if it is for one model.

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import SGD, Dense, Network, Trainer
        >>> rates = np.array([[0.1], [0.2]])
        >>> stack = Trainer(Network([Dense(1, 1)]), "squared_error", SGD(rates), random_state=0)
        >>> [trainer.problem.optimizer.learning_rate for trainer in stack.models()]
        [0.1, 0.2]
        """
        seeds = self._seeds or [self.random_state] * (self._n_models or 1)
        return [self._model(k, seed) for k, seed in enumerate(seeds)]

    def _model(self, k: int, seed: Any) -> Trainer:
        own = copy.copy(self)
        for name in ("state_", "history_", "stopped_"):
            own.__dict__.pop(name, None)
        own.problem = of_model(self.problem, k)
        # Models with one generator have one order: each goes on from a copy of it.
        own.random_state = copy.deepcopy(seed) if self._seeds is None else seed
        own._seeds = own._n_models = None
        own._steps = {}
        return own

    def initialize(self, params: Any = None) -> TrainState:
        """Return the state before the first step, on the host in float64.

        Parameters
        ----------
        params : array of shape (n_params,) or (models, n_params), optional
            Initial parameters; drawn from `random_state` if None.

        Returns
        -------
        TrainState
            To be handed to `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import Dense, Network, Trainer
        >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
        >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
        >>> trainer.initialize(params=[2.0, 0.0]).params
        array([2., 0.])
        """
        return self._initialize(params)[0]

    def _initialize(
        self, params: Any = None
    ) -> tuple[TrainState, tuple[np.random.RandomState, ...]]:
        """Return the initial state and the generators that it was drawn from."""
        generators = options.generators(self._seeds, self.random_state)
        stacked = self._seeds is not None
        state = initial_state(self.problem, generators, stacked, self._n_models, params)
        return state, generators

    def fit(
        self,
        x: Any,
        t: Any = None,
        *,
        epochs: int | None = None,
        iterations: int | None = None,
        batch_size: int | None = 32,
        sampling: str | Batches = "shuffle",
        sample_weight: Any = None,
        validation_data: tuple[Any, ...] | None = None,
        train_score: bool = False,
        step_losses: str | None = None,
        objectives: bool = False,
        state: TrainState | None = None,
        callbacks: Sequence[Callback] = (),
        metadata: dict[str, Any] | None = None,
    ) -> History:
        """Train, and return the curves.

        Parameters
        ----------
        x : array of shape (samples, features), or Stream
            NumPy, pandas, lists, or an array of the backend's library. What is stored elsewhere
            (h5py, zarr, functions that return batches; tables and Parquet files, with a column's
            name as `t`) is read as ``Stream(x, t)``.
        t : array or str
            Targets: classes of shape (samples,), or rows of shape (samples, outputs).
        epochs : int, default 10
            How many passes, unless `iterations` is given.
        iterations : int, optional
            How many steps; the last epoch ends early where they are not whole epochs, and what
            goes on from there begins a new one.
        batch_size : int or None, default 32
            None is all samples. The last batch may be smaller.
        sampling : {'shuffle', 'replacement', 'sequential'} or Batches
            A Batches object brings its own batch size. An epoch with replacement is
            ``ceil(samples / batch_size)`` steps.
        sample_weight : array of shape (samples,), optional
        validation_data : tuple (x, t) or (x, t, sample_weight), optional
        train_score : bool, default False
            Whether the training set is scored after each epoch too.
        step_losses : {'before', 'after'}, optional
            Keeps each batch's loss, before or after its update; with 'after' the epochs' losses
            are means of those.
        objectives : bool, default False
            Whether an epoch's loss is the mean, by size, of its batches' objectives before their
            updates, penalties included (scikit-learn's `loss_curve_`). By default it is the mean
            of the losses alone, and the penalty after the last update.
        state : TrainState, optional
            Goes on from there: `initialize`'s, or an earlier run's `state_`. The state handed in
            is left as it is.
        callbacks : sequence of Callback
            What happens between the epochs, see `xpnet.callbacks`.
        metadata : dict, optional
            What a `Checkpoint` writes beside the run, see `xpnet.checkpoints.save`.

        Returns
        -------
        History

        Raises
        ------
        ValueError, TypeError
            The data or the options do not fit; nothing was trained.
        FloatingPointError
            Training diverged.

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import Dense, Network, Trainer
        >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
        >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
        >>> history = trainer.fit(x, t, epochs=50, validation_data=(x, t))
        >>> history.n_epochs, history.val_scores[-1]
        (50, 1.0)
        """
        limit = options.check_lengths(epochs, iterations)
        batches = options.check_sampling(sampling, batch_size)
        held_out = options.check_held_out(validation_data)
        record = options.record(step_losses, objectives)
        callbacks = options.check_callbacks(callbacks)
        metadata = options.check_metadata(metadata)
        ranks = self.ranks
        if objectives and ranks.average_every is not None:
            raise ValueError("objectives=True is not known where average_every is given.")
        asked: dict[str, Any] = {
            "score": validation.check_flag("train_score", train_score),
            "keep_steps": step_losses is not None,
            "objectives": objectives,
            "compile": self.compile,
            "ranks": ranks,
        }
        with ranks.alike():
            stream = as_stream(x, t, sample_weight)
            like = x if stream is None else stream.first.x
            place = self._place(like, t, sample_weight, *held_out)
        with place.session(), ranks.limited():
            with ranks.alike():
                watched = None
                if validation_data is not None:
                    watched = place.samples(*held_out, prefix="validation_")
                start, generators = self._begin(state)
                rest = batches, generators, watched
                data = (x, t, sample_weight) if stream is None else stream
                run = make_run(place, self._step(record), data, *rest, **asked)
                run.check_start(start)
                start = start.moved(place.floats)  # what was drawn, in float64, is let go
                run = replace(run, samples=place.seeded(run.samples, start.dropout_seed))
                given = {} if ranks.alone else {"lengths": limit, **run.setting()}
            ranks.check_same(given)
            ranks.join(place.backend)
            seeds = options.plain_seeds(self.random_state)
            fit = Fit(run, start, limit, callbacks, seeds, metadata)
            fit.given = state is not None
            del start  # or its arrays would stay as long as the fit
            try:
                with ranks.together(DivergenceError):
                    fit.loop()
            finally:
                if fit.begun:
                    self.state_, self.history_, self.stopped_ = fit.state, fit.history, fit.stopped
        return fit.history

    def _begin(
        self, state: TrainState | None
    ) -> tuple[TrainState, tuple[np.random.RandomState, ...]]:
        """Return where a fit begins, and the generators of its orders."""
        if state is None:
            return self._initialize()
        start = check_state(self.problem, self._n_models, state)
        return start, start.resumed_generators()

    def _step(self, record: str) -> Step:
        """Return the step, the same object each time: a backend may keep what it compiled."""
        if record not in self._steps:
            reduced = self.ranks.size > 1 and self.ranks.average_every is None
            self._steps[record] = make_step(self.problem, record=record, reduced=reduced)
        return self._steps[record]

    def predict(self, x: Any) -> Any:
        """Return the predictions: the loss's link applied to the logits.

        Parameters
        ----------
        x : array of shape (samples, features)

        Returns
        -------
        array of shape (samples, outputs) or (models, samples, outputs)
            Probabilities for losses of classification. A NumPy array where x is host data, else
            an array of x's library.

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import Dense, Network, Trainer
        >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
        >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
        >>> history = trainer.fit(x, t, epochs=50)
        >>> trainer.predict(x).shape
        (2, 1)
        """
        return self._outputs(x, self.problem.loss.link)

    def logits(self, x: Any) -> Any:
        """Return the network's outputs as they are, without the loss's link.

        Parameters
        ----------
        x : array of shape (samples, features)

        Returns
        -------
        array of shape (samples, outputs) or (models, samples, outputs)
            Of the same library as `predict`'s.

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import Dense, Network, Trainer
        >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
        >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
        >>> history = trainer.fit(x, t, epochs=50)
        >>> (trainer.logits(x) > 0).ravel()
        array([False,  True])
        """
        return self._outputs(x, functions.identity)

    def _outputs(self, x: Any, link: Callable[..., Array]) -> Any:
        params = self._trained().params
        place = self._place(x, dtype=float_dtype(params))
        with place.session():
            logits = network_logits(place, place.floats(params), place.features(x))
            y = link(logits, xp=place.backend.xp)
            return place.backend.to_host(y) if backends.owner(x) is None else y

    def evaluate(self, x: Any, t: Any, sample_weight: Any = None) -> tuple[Any, Any]:
        """Return the loss, penalty included, and the score of a data set.

        Parameters
        ----------
        x, t, sample_weight
            As for `fit`.

        Returns
        -------
        loss, score : float, or arrays of shape (models,)
            The score is the accuracy, or R² for regression.

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import Dense, Network, Trainer
        >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
        >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
        >>> history = trainer.fit(x, t, epochs=50)
        >>> loss, accuracy = trainer.evaluate(x, t)
        >>> accuracy
        1.0
        """
        params = self._trained().params
        place = self._place(x, t, sample_weight, dtype=float_dtype(params))
        with place.session():
            samples = place.samples(x, t, sample_weight)
            loss, score = evaluate(place, place.floats(params), samples)
        return (float(loss), float(score)) if loss.ndim == 0 else (loss, score)

    def loss_and_gradient(
        self, x: Any, t: Any, sample_weight: Any = None, *, state: TrainState | None = None
    ) -> tuple[Any, np.ndarray]:
        """Return the loss and the objective's gradient, as a step on all of (x, t) sees them.

        Parameters
        ----------
        x, t, sample_weight
            As for `fit`.
        state : TrainState, optional
            Where to differentiate: the parameters, and the step and seed of dropout. By default
            the last run's `state_`.

        Returns
        -------
        loss : float, or array of shape (models,)
            The weighted mean of the samples' losses, without penalty.
        gradient : numpy.ndarray of shape (n_params,) or (models, n_params)
            Of that mean and of the penalty.

        Examples
        --------
        >>> import numpy as np
        >>> from xpnet import Dense, Network, Trainer
        >>> x, t = np.array([[-1.0], [1.0]]), np.array([0, 1])
        >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
        >>> start = trainer.initialize(params=[0.0, 0.0])
        >>> trainer.loss_and_gradient(x, t, state=start)[1]
        array([-0.5,  0. ])
        """
        dtype = None  # that of x, as `fit` would go on from this state
        if state is None:
            state = self._trained()
            dtype = float_dtype(state.params)
        check_state(self.problem, self._n_models, state)
        place = self._place(x, t, sample_weight, dtype=dtype)
        with place.session():
            samples = place.seeded(place.samples(x, t, sample_weight), state.dropout_seed)
            params = place.floats(state.params)
            loss, gradient = differentiate(place, params, samples, state.step)
        return (float(loss) if loss.ndim == 0 else loss), gradient

    def save(self, path: str | os.PathLike[str], *, optimizer_state: bool = True) -> Path:
        """Write the trained net to a file, with all that `fit` needs to go on.

        Parameters
        ----------
        path : str or path
            A file that is there is replaced; folders that are missing are made.
        optimizer_state : bool, default True
            If not, the file holds the network, its parameters and the loss alone.

        Returns
        -------
        pathlib.Path
            The path.

        Raises
        ------
        ValueError
            A layer, an initializer or the loss is not one of xpnet's.

        Notes
        -----
        The format is safetensors, see `xpnet.checkpoints`. An optimizer that is not one of xpnet's
        is not in the file. A `Checkpoint` writes such files while `fit` goes on.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from xpnet import Dense, Network, Trainer
        >>> x, t = np.array([[0.0], [1.0]]), np.array([0, 1])
        >>> trainer = Trainer(Network([Dense(1, 1)]), "binary_cross_entropy", random_state=0)
        >>> history = trainer.fit(x, t)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = trainer.save(f"{folder}/net.safetensors")
        ...     again = Trainer.load(path)
        >>> bool((again.predict(x) == trainer.predict(x)).all())
        True
        """
        p, state = self.problem, self._trained()
        training = None
        if validation.check_flag("optimizer_state", optimizer_state):
            history = getattr(self, "history_", History())
            training = checkpoints.Training(state, history, p.optimizer, p.penalty, p.max_norm)
        return checkpoints.save(path, p.network, state.params, p.loss, training=training)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        optimizer: Optimizer | str | None = None,
        backend: str | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> Trainer:
        """Return a trainer as it was saved; of a `Checkpoint`, as if the fit had ended there.

        Parameters
        ----------
        path : str or path
        optimizer : Optimizer or str, optional
            In place of the file's; needed where that is not one of xpnet's.
        backend, device
            As for `Trainer`: where the file's net was trained does not matter.
        dtype : {'float32', 'float64'}, optional
            By default the type of the saved parameters.

        Returns
        -------
        Trainer
            Ready for `predict` and `evaluate`; `fit` goes on with ``state=trainer.state_``. The
            optimizer is SGD() where the file has none; another than the file's goes on with the
            file's state where it has as many arrays.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            The file is damaged, of a later version, or without a loss; or its optimizer is not
            one of xpnet's, and none is given.
        """
        saved = checkpoints.load(path)
        if saved.loss is None:
            raise ValueError(f"{path} holds no loss; xpnet.checkpoints.load reads it.")
        training = saved.training
        if optimizer is None and training is not None:
            if training.foreign is not None:
                raise ValueError(
                    f"{path} was trained by {training.foreign['type']}, which is or has what is "
                    "not xpnet's: pass it, optimizer=…, or any other one to only predict."
                )
            optimizer = training.optimizer
        trainer = cls(
            saved.network,
            saved.loss,
            optimizer,
            penalty=None if training is None else training.penalty,
            max_norm=None if training is None else training.max_norm,
            backend=backend,
            device=device,
            dtype=saved.params.dtype.name if dtype is None else dtype,
        )
        trainer.state_ = trainer.initialize(saved.params)
        if training is not None:
            n_arrays = len(trainer.state_.optimizer_state)
            if optimizer is not None and len(training.state.optimizer_state) == n_arrays:
                trainer.state_ = training.state
            trainer.state_ = replace(trainer.state_, params=training.kept_params)
            trainer.history_ = training.history
        return trainer

    def _place(self, *arrays: Any, dtype: str | None = None) -> Placement:
        """Return where to compute, given the arrays that came in; x, the first, has the type."""
        backend = backends.get(self.backend, self.device, like=arrays)
        dtype = self.dtype or dtype or float_dtype(arrays[0])
        return Placement(backend, dtype, self.problem)

    def _trained(self) -> TrainState:
        if not hasattr(self, "state_"):
            raise RuntimeError("This Trainer is not trained yet. Call fit first.")
        return self.state_
