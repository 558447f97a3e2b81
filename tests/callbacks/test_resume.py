"""Runs that were ended, and started again, are bit for bit those that never were."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import scipy.sparse
from runs import NET, Each, Fail, T, X, bits, fit, host, outcome, trainer
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score

from xpnet import (
    SGD,
    Adam,
    Callback,
    Checkpoint,
    Constant,
    Cosine,
    CSVLogger,
    Dense,
    Dropout,
    EarlyStopping,
    InOrder,
    LearningRateSchedule,
    MLPClassifier,
    MLPRegressor,
    Network,
    Penalty,
    Plateau,
    Reshuffled,
    Tanh,
    TimeLimit,
    Trainer,
    WithReplacement,
    checkpoints,
)
from xpnet.checkpoints import container

ENDED = "as it was asked to"


class Mine(Adam):
    """An optimizer of one's own."""


class Jumps(Constant):
    """A schedule of one's own."""

    def factor(self, time):
        return 1.0 + time % 3


class Cube(Tanh):
    """A layer of one's own."""


class Halve(Callback):
    """Sets a rate that holds from the next epoch on."""

    def on_epoch_end(self, fit):
        fit.learning_rate = (fit.learning_rate or 0.1) / 2


class Count(Callback):
    """A callback of one's own with a state."""

    def on_fit_begin(self, fit):
        self.seen_ = []

    def on_epoch_end(self, fit):
        self.seen_.append(fit.history.losses[-1])

    def state(self):
        return {"seen": self.seen_}

    def restore(self, state):
        self.seen_ = state["seen"]


SEEDS = {"random_state": [3, 4, 5]}
STEEP = Plateau(0.1, 0.5, patience=0, min_delta=0.05)
RUNS = {
    "shuffled": ({}, {}),
    "reshuffled": ({}, {"sampling": Reshuffled(5)}),
    "in order": ({}, {"sampling": InOrder(7)}),
    "steps with replacement": ({}, {"sampling": "replacement", "iterations": 23}),
    "lengths": ({}, {"sampling": WithReplacement(4, lengths=[2, 5])}),
    "seeds": (SEEDS, {"sampling": Reshuffled(5)}),
    "rates": ({"optimizer": SGD(np.array([[0.1], [0.3]]), momentum=0.9)}, {}),
    "plateau": ({"optimizer": Adam(STEEP)}, {}),
    "plateau of seeds": ({"optimizer": Adam(STEEP), **SEEDS}, {"validation_data": None}),
    "warm-up": ({"optimizer": Adam(Cosine(0.1, 20, 3, unit="step"))}, {}),
    "own optimizer": ({"optimizer": Mine(0.1)}, {}),
    "own schedule": ({"optimizer": SGD(Jumps(0.1))}, {}),
    "penalty": ({"penalty": Penalty(0.01, 0.1), "max_norm": 0.5}, {"objectives": True}),
    "weights": ({}, {"sample_weight": np.arange(18.0), "step_losses": "after"}),
    "scores": ({}, {"train_score": True, "step_losses": "before"}),
}


def ran(run, *callbacks, dtype="float64", **place):
    options, fitting = RUNS[run]
    fitting = {"epochs": 7, **fitting} if "iterations" not in fitting else fitting
    return fit(trainer(**{**options, "dtype": dtype, **place}), *callbacks, **fitting)


def ended(start, file, *, epoch=5, event="on_epoch_end", **options):
    """Let a run fail, and return the epoch that its file holds."""
    with pytest.raises(RuntimeError, match=ENDED):
        start(Fail(epoch, event=event), Checkpoint(file, **options))
    return checkpoints.load(file).training.state.epoch


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("run", RUNS)
def test_a_run_goes_on_bit_for_bit(tmp_path, run, dtype):
    whole = outcome(ran(run, Fail(), dtype=dtype))

    def start(*callbacks):
        return ran(run, *callbacks, dtype=dtype)

    assert ended(start, tmp_path / "run") == 4
    epochs = []
    watching = Each(lambda fit: epochs.append(fit.state.epoch))
    saving = Checkpoint(tmp_path / "run")
    resumed = start(Fail(), saving)
    assert outcome(resumed) == whole
    assert resumed.history_.n_epochs == resumed.state_.epoch > 5
    assert outcome(start(watching, Fail(), saving)) == whole  # others may look on
    assert epochs == []  # there was nothing left to do
    with pytest.raises(ValueError, match=r"callbacks: \[\] in the file, \['Count\(\)'\] here"):
        start(Count(), saving)


def test_on_every_backend(tmp_path, backend, dtype):
    place = {"backend": backend.name, "device": backend.device_name}

    def start(*callbacks):
        stopping = EarlyStopping("losses", mode="max", patience=4)
        return ran("plateau", stopping, *callbacks, dtype=dtype, **place)

    whole = start(Fail())
    assert whole.stopped_ is not None
    assert ended(start, tmp_path / "run", epoch=4) == 3
    assert outcome(start(Fail(), Checkpoint(tmp_path / "run"))) == outcome(whole)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("event", ["on_epoch_begin", "on_epoch_end"])
@pytest.mark.parametrize("epoch", range(1, 9))
@pytest.mark.parametrize("first", [True, False], ids=["failing first", "failing last"])
def test_wherever_it_is_ended(tmp_path, every, event, epoch, first):
    """What one callback has not seen is not in the file, though another has."""

    def start(failing, *saving):
        mine = EarlyStopping("losses", mode="max", patience=20), Count(), Halve()
        others = (failing, *mine) if first else (*mine, failing)
        return fit(trainer(), *others, *saving), mine

    whole, (stopping, count, _) = start(Fail())
    found = ended(start, tmp_path / "run", epoch=epoch, event=event, every=every)
    if event == "on_epoch_begin":
        assert found == epoch - 1  # all of it, whatever `every` is
    else:
        assert found == (epoch - 1) // every * every
    resumed, (stopped, counted, _) = start(Fail(), Checkpoint(tmp_path / "run", every=every))
    assert outcome(resumed) == outcome(whole)
    assert (stopped.best_, stopped.best_epoch_) == (stopping.best_, stopping.best_epoch_)
    assert counted.seen_ == count.seen_ == whole.history_.losses
    assert checkpoints.load(tmp_path / "run").training.state.epoch == 8


@pytest.mark.parametrize("epoch", [2, 6, 9])
@pytest.mark.parametrize("restore_best", [True, False])
def test_early_stopping_goes_on(tmp_path, epoch, restore_best):
    def start(*callbacks):
        stopping = EarlyStopping(patience=3, restore_best=restore_best)
        return fit(trainer(Adam(0.3)), stopping, *callbacks, epochs=40), stopping

    whole, expected = start(Fail())
    assert expected.best_epoch_ > 1
    assert 9 < expected.stopped_epoch_ == expected.best_epoch_ + 4 < 40
    assert ended(start, tmp_path / "run", epoch=epoch) == epoch - 1
    for _ in range(2):  # the second has stopped already, and does nothing
        resumed, stopping = start(Fail(), Checkpoint(tmp_path / "run"))
        assert outcome(resumed) == outcome(whole)
        for name in ("best_", "best_epoch_", "stopped_epoch_"):
            assert getattr(stopping, name) == getattr(expected, name)


def test_the_best_parameters_survive_though_they_lie_before_the_file(tmp_path):
    """The best epoch is long past when the run ends: only the file has its parameters."""

    def start(*callbacks):
        return fit(trainer(), EarlyStopping("losses", mode="max", patience=20), *callbacks)

    assert ended(start, tmp_path / "run", epoch=7) == 6
    resumed = start(Fail(), Checkpoint(tmp_path / "run"))
    best = int(np.argmax(resumed.history_.losses)) + 1
    assert best < 4
    np.testing.assert_array_equal(host(resumed), host(fit(trainer(), epochs=best)))


def test_a_finished_run_is_not_trained_again(tmp_path):
    whole = fit(trainer(), Checkpoint(tmp_path / "run"))
    before = (tmp_path / "run").read_bytes()
    again = fit(trainer(), Checkpoint(tmp_path / "run"))
    assert outcome(again) == outcome(whole)
    assert again.history_.seconds == whole.history_.seconds  # those of the file
    assert (tmp_path / "run").read_bytes() == before


def test_nothing_begins_in_a_finished_run(tmp_path):
    class Refuse(Callback):
        def on_epoch_begin(self, fit):
            assert fit.history.n_epochs < 8

    whole = fit(trainer(), Refuse(), Checkpoint(tmp_path / "run"))
    assert outcome(fit(trainer(), Refuse(), Checkpoint(tmp_path / "run"))) == outcome(whole)


@pytest.mark.parametrize("lengths", [("epochs", 3, 8), ("iterations", 9, 24)])
def test_more_epochs_go_on(tmp_path, lengths):
    unit, few, many = lengths
    fit(trainer(), Checkpoint(tmp_path / "run"), **{unit: few})
    more = fit(trainer(), Checkpoint(tmp_path / "run"), **{unit: many})
    assert outcome(more) == outcome(fit(trainer(), **{unit: many}))
    assert more.state_.step == 24


def test_fewer_epochs_than_the_file_holds(tmp_path):
    whole = fit(trainer(), Checkpoint(tmp_path / "run"))
    assert outcome(fit(trainer(), Checkpoint(tmp_path / "run"), epochs=3)) == outcome(whole)


def test_without_resuming_the_file_is_overwritten(tmp_path):
    fit(trainer(random_state=9), Checkpoint(tmp_path / "run"))
    fresh = fit(trainer(), Checkpoint(tmp_path / "run", resume=False), epochs=3)
    assert outcome(fresh) == outcome(fit(trainer(), epochs=3))
    goes_on = fit(trainer(), Checkpoint(tmp_path / "run"))
    assert outcome(goes_on) == outcome(fit(trainer()))


def test_files_are_written_as_often_as_asked(tmp_path):
    def epochs_in_file(every, epochs):
        file, found = tmp_path / f"{every}", []
        look = Each(lambda fit: found.append(checkpoints.load(file).training.state.epoch))
        look.last = True  # after the checkpoint
        fit(trainer(), Checkpoint(file, every=every), look, epochs=epochs)
        return [*found, checkpoints.load(file).training.state.epoch]

    assert epochs_in_file(1, 3) == [1, 2, 3, 3]
    assert epochs_in_file(3, 8) == [0, 0, 3, 3, 3, 6, 6, 8, 8]
    assert epochs_in_file(20, 3) == [0, 0, 3, 3]


@pytest.mark.parametrize("seeds", ["none", "generator", "generators"])
def test_seeds_that_are_none(tmp_path, seeds):
    """What was drawn before is in the file: here the global generator stands elsewhere."""

    def start(*callbacks, seed=7):
        np.random.seed(seed)
        made = [np.random.RandomState(seed + i) for i in range(2)]
        random_state = {"none": None, "generator": made[0], "generators": made}[seeds]
        trained = fit(trainer(random_state=random_state), *callbacks)
        rest = [np.random.mtrand._rand, *made][0 if seeds == "none" else 1]
        return outcome(trained), rest.get_state()[1].tolist()

    whole = start(Fail())
    assert start(Fail(), seed=8) != whole
    assert ended(start, tmp_path / "run") == 4
    found = start(Fail(), Checkpoint(tmp_path / "run"), seed=8)
    assert found[0] == whole[0]
    if seeds != "none":
        assert found[1] == whole[1]  # the caller's generator goes on as after the whole run


def test_sparse_features(tmp_path):
    x = scipy.sparse.random_array((20, 3), density=0.4, rng=np.random.default_rng(0)).tocsr()

    def start(*callbacks, x=x):
        return fit(trainer(), *callbacks, x=x, t=T[:20])

    whole = start(Fail())
    assert ended(start, tmp_path / "run") == 4
    assert outcome(start(Fail(), Checkpoint(tmp_path / "run"))) == outcome(whole)
    pointers = x.indptr.copy()
    pointers[np.flatnonzero(np.diff(pointers))[3]] += 1  # a number moves to the row above
    other = scipy.sparse.csr_array((x.data, x.indices, pointers), shape=x.shape)
    with pytest.raises(ValueError, match="data: 20 samples, "):
        start(Fail(), Checkpoint(tmp_path / "run"), x=other)


DEEPER = Network([Dense(3, 5), Tanh(), Dropout(0.5), Dense(5, 1)])
OTHERS = {
    "network": (
        {"network": DEEPER},
        {},
        r"layers\[2\]: Dropout\(rate=0\.25\) in the file, Dropout\(rate=0\.5\) here",
    ),
    "loss": (
        {"loss": "squared_error"},
        {},
        r"loss: BinaryCrossEntropy\(.*\) in the file, SquaredError\(",
    ),
    "optimizer": (
        {"optimizer": Adam(0.1)},
        {},
        r"optimizer: Adam\(learning_rate=0\.05\) in the file, Adam\(learning_rate=0\.1\) here",
    ),
    "penalty": (
        {"penalty": Penalty(l2=0.1)},
        {},
        r"penalty: Penalty\(l2=0\.0\) in the file, Penalty\(l2=0\.1\) here",
    ),
    "max_norm": ({"max_norm": 1.0}, {}, r"max_norm: None in the file, 1\.0 here"),
    "seed": ({"random_state": 1}, {}, "random_state: 0 in the file, 1 here"),
    "seeds": ({"random_state": [0, 1]}, {}, r"random_state: 0 in the file, \[0, 1\] here"),
    "dtype": ({"dtype": "float32"}, {}, "dtype: float64 in the file, float32 here"),
    "x": ({}, {"x": X[:18] + 1e-9}, "data: 18 samples, [0-9a-f]{8} in the file, 18 samples, "),
    "t": ({}, {"t": 1 - T[:18]}, "data: 18 samples, [0-9a-f]{8} in the file, 18 samples, "),
    "weights": ({}, {"sample_weight": np.ones(18)}, "data: 18 samples, "),
    "validation data": (
        {},
        {"validation_data": (X[20:], T[20:])},
        "validation_data: 8 samples, [0-9a-f]{8} in the file, 6 samples, [0-9a-f]{8} here",
    ),
    "no validation data": ({}, {"validation_data": None}, "validation_data: 8 samples, .* None"),
    "batch size": (
        {},
        {"batch_size": 5},
        r"batches: Shuffled\(batch_size=6\) in the file, Shuffled\(batch_size=5\) here",
    ),
    "sampling": ({}, {"sampling": InOrder(6)}, r"batches: Shuffled.* InOrder\(batch_size=6\) here"),
    "scores": ({}, {"train_score": True}, "train_score: False in the file, True here"),
    "steps": ({}, {"step_losses": "before"}, "step_losses: False in the file, True here"),
    "objectives": ({}, {"objectives": True}, "objectives: False in the file, True here"),
    "callbacks": (
        {},
        {"also": [Count()]},
        r"callbacks: \[\] in the file, \['Count\(\)'\] here",
    ),
    "unit": ({}, {"iterations": 30}, "unit: epoch in the file, step here"),
    "state": (
        {},
        {"state": fit(trainer(), epochs=1).state_},
        r"start: params of shape \(26,\) at step 0 in the file, .*at step 3, [0-9a-f]+ here",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_file_of_another_run(tmp_path, name):
    file, seen = tmp_path / "run", []
    watching = Each(lambda fit: seen.append(fit.done))
    fit(trainer(), watching, Checkpoint(file))
    before = file.read_bytes()
    options, fitting, message = OTHERS[name]
    fitting = dict(fitting)
    callbacks = [watching, *fitting.pop("also", []), Checkpoint(file)]
    message = "is of another run .*" + message + ".*resume=False"
    with pytest.raises(ValueError, match=message) as told:
        fit(trainer(**options), *callbacks, **fitting)
    assert str(file) in str(told.value)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8]


def test_all_differences_are_told(tmp_path):
    fit(trainer(), Checkpoint(tmp_path / "run"))
    with pytest.raises(ValueError, match=r"\(optimizer: .*; random_state: .*; batches: "):
        fit(trainer(SGD(0.1), random_state=3), Checkpoint(tmp_path / "run"), batch_size=None)


@pytest.mark.parametrize("optimizers", [(Mine(0.1), Adam(0.1)), (SGD(Jumps(0.1)), SGD(0.1))])
def test_an_optimizer_of_ones_own_is_told_from_others(tmp_path, optimizers):
    mine, other = optimizers
    fit(trainer(mine), Checkpoint(tmp_path / "run"))
    with pytest.raises(ValueError, match=r"optimizer: .*one's own (Mine|Jumps)"):
        fit(trainer(other), Checkpoint(tmp_path / "run"))


def test_another_number_of_models(tmp_path):
    def start(n):
        made = [np.random.RandomState(i) for i in range(n)]
        return fit(trainer(random_state=made), Checkpoint(tmp_path / "run"))

    start(2)
    with pytest.raises(ValueError, match=r"shape \(2, 26\) at step 0 in the file, .*\(3, 26\)"):
        start(3)


def with_format(file, version):
    text, arrays = container.decode(file.read_bytes())
    file.write_bytes(container.encode(json.dumps(json.loads(text) | {"format": version}), arrays))


DAMAGES = {
    "empty": lambda file: file.write_bytes(b""),
    "foreign": lambda file: file.write_text("a,b\n1,2\n"),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "flipped": lambda file: file.write_bytes(
        file.read_bytes()[:-9] + bytes([file.read_bytes()[-9] ^ 1]) + file.read_bytes()[-8:]
    ),
    "newer": lambda file: with_format(file, 99),
}


@pytest.mark.parametrize("kind", ["trainer", "estimator"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_left_alone(tmp_path, damage, kind):
    file = tmp_path / "run"

    def start(*callbacks):
        if kind == "trainer":
            return fit(trainer(), *callbacks)
        return estimate(MLPClassifier, callbacks=callbacks)

    start(Count(), Checkpoint(file))
    DAMAGES[damage](file)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=f"{file} cannot be loaded"):
        start(count := Count(), Checkpoint(file))
    assert getattr(count, "seen_", []) == []
    assert file.read_bytes() == before
    start(Count(), Checkpoint(file, resume=False))
    assert checkpoints.load(file).training is not None


@pytest.mark.parametrize("kind", ["trainer", "estimator", "training"])
def test_a_file_without_a_run(tmp_path, kind):
    file, trained = tmp_path / "net", fit(trainer())
    if kind == "trainer":
        trained.save(file)
    elif kind == "estimator":
        estimate(MLPClassifier).save(file)
    else:
        training = checkpoints.Training(trained.state_, trained.history_, None, None)
        checkpoints.save(file, NET, None, trained.problem.loss, training=training)
    before = file.read_bytes()
    with pytest.raises(ValueError, match="holds a net, but no run to go on from"):
        fit(trainer(), Checkpoint(file))
    assert file.read_bytes() == before


class Heavy(Penalty):
    """A penalty of one's own."""


class Unsaved(Callback):
    """Has a state that no file can hold."""

    def state(self):
        return {"function": len}


BAD = {
    "layer": (
        {"network": Network([Dense(3, 5), Cube(), Dense(5, 1)])},
        {},
        r"layers\[1\]=Cube\(\) cannot be saved",
    ),
    "penalty": ({"penalty": Heavy(l2=0.1)}, {}, r"penalty=Heavy\(.*\) cannot be saved"),
    "metadata": ({}, {"metadata": {"f": len}}, r"metadata\['f'\]=<built-in function len> cannot"),
    "callback": ({}, {"also": [Unsaved()]}, r"callbacks\[0\]\['function'\]=<built-in function"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_saved_is_told_before_training(tmp_path, what):
    options, fitting, message = BAD[what]
    fitting, seen = dict(fitting), []
    watching = Each(lambda fit: seen.append(1))
    callbacks = [watching, *fitting.pop("also", []), Checkpoint(tmp_path / "run")]
    with pytest.raises((ValueError, TypeError), match=message):
        fit(trainer(**options), *callbacks, **fitting)
    assert seen == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["file/run", "."])
def test_where_nothing_can_be_written_is_told_before_training(tmp_path, place):
    (tmp_path / "file").touch()
    seen = []
    with pytest.raises(OSError, match=str(tmp_path)):
        fit(trainer(), Each(lambda fit: seen.append(1)), Checkpoint(tmp_path / place))
    assert seen == []


def test_folders_are_made(tmp_path):
    fit(trainer(), Checkpoint(str(tmp_path / "new" / "run")))
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["run"]


@pytest.mark.parametrize("every", [0, -1, 2.5, True, "all"])
def test_wrong_intervals(every):
    with pytest.raises((ValueError, TypeError), match=r"every=.* must be"):
        Checkpoint("run", every=every)


def test_the_net_in_the_file_is_the_last_one(tmp_path):
    trained = fit(trainer(), Checkpoint(tmp_path / "run"), metadata={"told": "by me"})
    again = Trainer.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict(X), trained.predict(X))
    saved = checkpoints.load(tmp_path / "run")
    assert saved.metadata["told"] == "by me"
    assert bits(saved.training.state) == bits(trained.state_)


def test_the_same_callbacks_may_serve_again(tmp_path):
    """A trainer that goes on by itself, with the objects that it had."""
    trained, failing = trainer(), Fail(4)
    stopping, saving = EarlyStopping("losses", mode="max", patience=9), Checkpoint(tmp_path / "run")
    with pytest.raises(RuntimeError, match=ENDED):
        fit(trained, stopping, failing, saving)
    failing.epoch = None
    fit(trained, stopping, failing, saving)
    whole = fit(trainer(), EarlyStopping("losses", mode="max", patience=9))
    assert outcome(trained) == outcome(whole)


def test_many_callbacks_go_on_together(tmp_path):
    def start(*callbacks):
        rates = LearningRateSchedule(lambda epoch, history: 0.1 / (1 + len(history.losses)))
        log = CSVLogger(tmp_path / "log.csv")
        return fit(trainer(), rates, log, TimeLimit(1e6), EarlyStopping(), *callbacks)

    whole = start(Fail())
    assert ended(start, tmp_path / "run") == 4
    assert outcome(start(Fail(), Checkpoint(tmp_path / "run"))) == outcome(whole)


# Estimators

XS, YS = make_classification(70, 4, n_informative=3, n_redundant=1, n_classes=3, random_state=2)
OPTIONS = {
    "hidden_layer_sizes": (6,),
    "batch_size": 16,
    "learning_rate_init": 0.05,
    "dropout": 0.1,
    "max_iter": 8,
    "tol": 0.0,
    "random_state": 0,
}
LEARNED = [
    *("coefs_", "intercepts_", "loss_curve_", "loss_", "best_loss_", "n_iter_", "t_"),
    *("validation_scores_", "validation_loss_curve_", "best_validation_score_"),
]


def estimate(kind, x=XS, y=YS, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(**OPTIONS | options).fit(x, y)


def learned(estimator):
    return bits([getattr(estimator, name) for name in LEARNED])


def estimators(kind, file, seed, **options):
    """Fit three times: undisturbed; until a callback fails; from the file of that one."""

    def start(seed, *callbacks):
        np.random.seed(seed)
        random_state = {"int": 3, "none": None, "generator": np.random.RandomState(seed)}[kind_of]
        return estimate(kind, callbacks=callbacks, **{"random_state": random_state, **options})

    kind_of = seed
    whole = start(5, Fail())
    with pytest.raises(RuntimeError, match=ENDED):
        start(5, Fail(5), Checkpoint(file))
    assert checkpoints.load(file).training.state.epoch == 4
    return whole, start(6, Fail(), Checkpoint(file)), start(6, Fail())


SOLVERS = {
    "adam": {},
    "early stopping": {"early_stopping": True, "max_iter": 30, "n_iter_no_change": 6},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.03, "n_iter_no_change": 1},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "own schedule": {"solver": SGD(Plateau(0.1, 0.5, patience=0, min_delta=0.05))},
    "float32": {"dtype": "float32", "early_stopping": True},
}


@pytest.mark.parametrize("seed", ["int", "none", "generator"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_an_estimator_goes_on_bit_for_bit(tmp_path, kind, solver, seed):
    whole, resumed, other = estimators(kind, tmp_path / "run", seed, **SOLVERS[solver])
    assert learned(resumed) == learned(whole)
    assert resumed.n_iter_ > 5
    np.testing.assert_array_equal(resumed.predict(XS), whole.predict(XS))
    assert (learned(other) == learned(whole)) == (seed == "int")


def test_the_callers_generator_goes_on_as_after_the_whole_fit(tmp_path):
    def start(seed, *callbacks):
        rng = np.random.RandomState(seed)
        estimate(MLPClassifier, random_state=rng, early_stopping=True, callbacks=callbacks)
        return rng.randint(2**31, size=3).tolist()

    whole = start(1, Fail())
    with pytest.raises(RuntimeError, match=ENDED):
        start(1, Fail(4), Checkpoint(tmp_path / "run"))
    assert start(2, Fail(), Checkpoint(tmp_path / "run")) == whole
    assert start(2, Fail()) != whole


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}], ids=["", "early stopping"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_an_estimator_is_loaded_from_its_checkpoint(tmp_path, kind, options):
    with pytest.raises(RuntimeError, match=ENDED):
        estimate(kind, callbacks=[Fail(6), Checkpoint(tmp_path / "run")], **options)
    loaded = kind.load(tmp_path / "run")
    expected = estimate(kind, max_iter=5, **options)
    assert learned(loaded) == learned(expected)
    np.testing.assert_array_equal(loaded.predict(XS), expected.predict(XS))
    assert loaded.get_params()["max_iter"] == 8
    assert loaded.score(XS, YS) == expected.score(XS, YS)


def test_partial_fits_do_not_resume(tmp_path):
    saving = Checkpoint(tmp_path / "run")
    ours = MLPClassifier(**OPTIONS, callbacks=[saving])
    expected = MLPClassifier(**OPTIONS)
    for epochs in range(1, 4):
        ours.partial_fit(XS, YS, classes=[0, 1, 2])
        expected.partial_fit(XS, YS, classes=[0, 1, 2])
        assert learned(ours) == learned(expected)
        assert len(ours.loss_curve_) == epochs
    assert saving.resume
    np.testing.assert_array_equal(
        MLPClassifier.load(tmp_path / "run").predict(XS), ours.predict(XS)
    )


@pytest.mark.parametrize("folds", [2, 3])
def test_a_cross_validation_at_one_path_is_an_error(tmp_path, folds):
    ours = MLPClassifier(**OPTIONS, callbacks=[Checkpoint(tmp_path / "run")])
    warned = pytest.warns(ConvergenceWarning)  # by the first fold
    with warned, pytest.raises(ValueError, match=r"is of another run \(data: \d+ samples, "):
        cross_val_score(ours, XS, YS, cv=folds, error_score="raise")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.1}, "penalty: "),
        ({"hidden_layer_sizes": (7,)}, r"layers\[0\]: "),
        ({"random_state": 1}, "random_state: 0 in the file, 1 here"),
        ({"early_stopping": True}, r"data: 70 samples, \w+ in the file, 63 samples"),
        ({"solver": "sgd"}, "optimizer: Adam"),
    ],
)
def test_the_file_of_another_estimator(tmp_path, options, message):
    estimate(MLPClassifier, callbacks=[Checkpoint(tmp_path / "run")])
    before = (tmp_path / "run").read_bytes()
    with pytest.raises(ValueError, match="is of another run .*" + message):
        estimate(MLPClassifier, callbacks=[Checkpoint(tmp_path / "run")], **options)
    assert (tmp_path / "run").read_bytes() == before


def test_a_warm_start_is_not_the_run_in_the_file(tmp_path):
    """Going on from the file would count its epochs twice."""
    ours = estimate(MLPClassifier, callbacks=[Checkpoint(tmp_path / "run")], warm_start=True)
    with pytest.raises(
        ValueError, match=r"start: params .* at step 0, .* in the file, .* at step 40"
    ):
        ours.fit(XS, YS)
    assert len(ours.loss_curve_) == 8


def test_it_is_told_that_a_run_goes_on(tmp_path, caplog):
    saving = Checkpoint(tmp_path / "run")
    fit(trainer(), saving, epochs=3)
    assert caplog.messages == []
    fit(trainer(), saving, epochs=5)
    fit(trainer(), saving, epochs=5)
    goes_on, finished = caplog.messages
    assert goes_on.endswith("run: the run goes on, after epoch 3 of 5.")
    assert finished.endswith("resume=False starts anew, after epoch 5 of 5.")


def test_callbacks_that_steer_must_be_the_same(tmp_path):
    saving = Checkpoint(tmp_path / "run")
    fit(trainer(), EarlyStopping(patience=20), saving, epochs=3)
    with pytest.raises(ValueError, match=r"patience=20.* in the file, .*patience=5.* here"):
        fit(trainer(), EarlyStopping(patience=5), saving, epochs=5)


def test_misspelt_events_are_told():
    with pytest.raises(TypeError, match=r"Late\.on_epoch_ends is no event; .*on_epoch_end"):
        type("Late", (Callback,), {"on_epoch_ends": None})
