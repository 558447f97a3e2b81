"""Saved runs go on bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from saved import NET, T, X, generator, identical, odd_state

from xpnet import checkpoints
from xpnet.batches import Reshuffled
from xpnet.checkpoints import Training
from xpnet.history import History
from xpnet.losses import SoftmaxCrossEntropy
from xpnet.optimizers import OPTIMIZERS, SGD, Adam, Constant, Exponential, Plateau
from xpnet.penalties import Penalty
from xpnet.trainer import Trainer

DATA = {"batch_size": 6, "validation_data": (X, T), "train_score": True, "step_losses": "before"}
STACK = {"random_state": [3, 4, 5]}


def trainer(optimizer="adam", **options):
    return Trainer(NET, SoftmaxCrossEntropy(), optimizer, **{"random_state": 3, **options})


def there_and_back(path, trained, **options):
    """The run of a trainer in a file, and what the file gives."""
    p = trained.problem
    training = Training(
        trained.state_, trained.history_, p.optimizer, p.penalty, p.max_norm, **options
    )
    checkpoints.save(path, p.network, None, p.loss, training=training)
    return training, checkpoints.load(path).training


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("models", [{}, STACK], ids=["net", "stack"])
@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, Adam(Plateau(0.1, 0.5, patience=0))], ids=str)
def test_a_run_goes_on_bit_for_bit(tmp_path, optimizer, models, dtype):
    whole = trainer(optimizer, dtype=dtype, penalty=Penalty(l2=0.01), max_norm=0.5, **models)
    history = whole.fit(X, T, epochs=5, **DATA)
    part = trainer(optimizer, dtype=dtype, penalty=Penalty(l2=0.01), max_norm=0.5, **models)
    part.fit(X, T, epochs=2, **DATA)
    before, after = there_and_back(tmp_path / "run", part)
    assert identical(after.state, before.state)
    assert identical(after.history, before.history)
    goes_on = Trainer(
        NET,
        SoftmaxCrossEntropy(),
        after.optimizer,
        penalty=after.penalty,
        max_norm=after.max_norm,
        dtype=dtype,
        **{"random_state": 0, **models},
    )
    rest = goes_on.fit(X, T, epochs=3, state=after.state, **DATA)
    assert identical(goes_on.state_, whole.state_)
    for name in ("losses", "val_losses", "scores", "val_scores", "step_losses"):
        joined = getattr(after.history, name) + getattr(rest, name)
        assert identical(joined, getattr(history, name))


@pytest.mark.parametrize("models", [{}, STACK], ids=["net", "stack"])
def test_orders_made_from_the_last_one_go_on(tmp_path, models):
    data = {"batch_size": None, "sampling": Reshuffled(6)}
    whole, part, goes_on = trainer(**models), trainer(**models), trainer(**models)
    whole.fit(X, T, epochs=5, **data)
    part.fit(X, T, epochs=2, **data)
    before, after = there_and_back(tmp_path / "run", part)
    assert before.state.order.shape == (*part.state_.params.shape[:-1], len(X))
    goes_on.fit(X, T, epochs=3, state=after.state, **data)
    assert identical(goes_on.state_, whole.state_)


def test_runs_on_devices_are_saved_as_on_the_host(tmp_path, backend, dtype):
    place = {"backend": backend.name, "device": backend.device_name, "dtype": dtype}
    trained = trainer(**place)
    trained.fit(X, T, epochs=2, **DATA)
    before, after = there_and_back(tmp_path / "run", trained)
    assert identical(after.state, before.state.moved(backend.to_host))
    rest, again = trainer(**place), trainer(**place)
    rest.fit(X, T, epochs=1, state=before.state, **DATA)
    again.fit(X, T, epochs=1, state=after.state, **DATA)
    assert identical(again.state_.moved(backend.to_host), rest.state_.moved(backend.to_host))


@pytest.mark.parametrize(
    "state",
    [
        odd_state(),
        odd_state(params=np.ones((2, NET.n_params), np.float32)),
        odd_state(optimizer_state=(), curve=(), order=None, dropout_seed=None),
        odd_state(curve=(0.5, float("nan"), -0.0), order=np.arange(7, dtype=np.int32)),
        odd_state(params=np.zeros(NET.n_params), generators=(generator(),)),
    ],
)
def test_states_come_back_to_the_bit(tmp_path, state):
    assert state.generators[0]["has_gauss"] == 1
    training = Training(state, History(), None, None)
    checkpoints.save(tmp_path / "run", NET, None, training=training)
    saved = checkpoints.load(tmp_path / "run")
    assert identical(saved.training.state, state)
    assert saved.params is saved.training.state.params


@pytest.mark.parametrize(
    "history",
    [
        History(),
        History(losses=[0.1, float("nan"), -0.0], step_losses=[1.0 / k for k in range(1, 1000)]),
        History(losses=[np.array([0.1, np.nan])] * 3, scores=[np.array([1.0, 0.5], np.float32)]),
        History(losses=[1, np.array([1.0]), 0.5, np.float64(0.25)], seconds=[1e-9]),
    ],
)
def test_histories_come_back_to_the_bit(tmp_path, history):
    training = Training(odd_state(), history, None, None)
    checkpoints.save(tmp_path / "run", NET, None, training=training)
    assert identical(checkpoints.load(tmp_path / "run").training.history, history)


def test_states_of_callbacks_come_back_to_the_bit(tmp_path):
    states = (
        {"best": float("inf"), "params": np.arange(5, dtype=np.float32), "told": None},
        {},
        {"deep": [{"a": [np.ones((2, 2)), 3, "text", (1.5, True)]}, {"b": {"c": np.int64(3)}}]},
        {"array": "its name", "curve": [0.1, 0.2], "empty": np.zeros((0, 3))},
    )
    training = Training(odd_state(), History(), None, None, callbacks=states)
    checkpoints.save(tmp_path / "run", NET, None, training=training)
    assert identical(checkpoints.load(tmp_path / "run").training.callbacks, states)


def test_strengths_of_models_come_back_to_the_bit(tmp_path):
    rates = np.array([[0.1], [1.0 / 3.0]])
    optimizer, penalty = SGD(Exponential(rates), momentum=rates), Penalty(rates, 0.1)
    training = Training(odd_state(), History(), optimizer, penalty, rates)
    checkpoints.save(tmp_path / "run", NET, None, training=training)
    back = checkpoints.load(tmp_path / "run").training
    assert repr(back.optimizer) == repr(optimizer)
    assert identical(back.penalty, penalty)
    assert identical(back.max_norm, rates)
    assert back.foreign is None


class Mine(SGD):
    """An optimizer that xpnet does not know."""


class Jumps(Constant):
    """A schedule that xpnet does not know."""


@pytest.mark.parametrize("optimizer", [Mine(0.3), SGD(Jumps(0.3))], ids=repr)
def test_an_optimizer_of_others_is_left_out(tmp_path, optimizer):
    training = Training(odd_state(), History(), optimizer, None)
    checkpoints.save(tmp_path / "run", NET, None, training=training)
    back = checkpoints.load(tmp_path / "run").training
    assert back.optimizer is None
    checkpoints.save(tmp_path / "again", NET, None, training=back)
    again = checkpoints.load(tmp_path / "again").training
    assert again.foreign == back.foreign
    assert again.foreign["type"] == type(optimizer).__name__


@pytest.mark.parametrize("optimizer", [Mine(0.3, momentum=0.9), SGD(Jumps(0.3))], ids=repr)
def test_a_trainer_is_loaded_with_the_optimizer_of_others(tmp_path, optimizer):
    """Never with another one, unless it is asked for."""
    trained = trainer(optimizer=optimizer)
    trained.fit(X, T, epochs=2)
    path = trained.save(tmp_path / "net")
    with pytest.raises(ValueError, match="has what is not xpnet's: pass it, optimizer="):
        Trainer.load(path)
    again = Trainer.load(path, optimizer=optimizer)
    ours, theirs = (net.fit(X, T, epochs=3, state=net.state_).losses for net in (again, trained))
    assert ours == theirs
    other = Trainer.load(path, optimizer="adam")
    assert repr(other.problem.optimizer) == repr(Adam())
    assert other.state_.step == 0
    np.testing.assert_array_equal(other.predict(X), Trainer.load(path, optimizer="sgd").predict(X))


def test_a_net_is_read_from_the_file_of_a_run(tmp_path):
    trained = trainer()
    trained.fit(X, T, epochs=2)
    there_and_back(tmp_path / "run", trained)
    np.testing.assert_array_equal(Trainer.load(tmp_path / "run").predict(X), trained.predict(X))


def test_parameters_are_given_once(tmp_path):
    training = Training(odd_state(), History(), None, None)
    checkpoints.save(tmp_path / "run", NET, training.state.params, training=training)
    with pytest.raises(ValueError, match=r"params are others than training\.state\.params; None"):
        checkpoints.save(tmp_path / "no", NET, odd_state().params, training=training)
    with pytest.raises(TypeError, match=r"training=\{\} must be a xpnet\.checkpoints\.Training"):
        checkpoints.save(tmp_path / "no", NET, None, training={})
    assert not (tmp_path / "no").exists()


class Heavy(Penalty):
    """A penalty that xpnet does not know."""


@pytest.mark.parametrize(
    ("training", "error", "message"),
    [
        (Training(odd_state(), History(), None, Heavy()), ValueError, r"penalty=Heavy\(.* cannot"),
        (Training(odd_state(), History(), None, None, -1.0), ValueError, r"max_norm=-1\.0 must"),
        (
            Training(odd_state(), History(), None, None, callbacks=({}, {"f": [len]})),
            TypeError,
            r"callbacks\[1\]\['f'\]\[0\]=<built-in function len> cannot be saved",
        ),
        (
            Training(odd_state(params=np.ones(3)), History(), None, None),
            ValueError,
            r"params has shape \(3,\)",
        ),
    ],
)
def test_runs_that_cannot_be_saved_leave_no_file(tmp_path, training, error, message):
    with pytest.raises(error, match=message):
        checkpoints.save(tmp_path / "run", NET, None, training=training)
    assert list(tmp_path.iterdir()) == []
