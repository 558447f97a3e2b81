"""The curves in CSV files, to the bit."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from runs import Each, Fail, bits, fit, outcome, trainer

from xpnet import Checkpoint, CSVLogger

CURVES = ["losses", "scores", "val_losses", "val_scores", "seconds"]


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def logged(path, history, model=None):
    """Assert that the file has the history, to the bit."""
    found = [row for row in rows(path) if model is None or row["model"] == str(model)]
    history = history if model is None else history.model(model)
    assert [row["epoch"] for row in found] == [str(e + 1) for e in range(history.n_epochs)]
    curves = [name for name in CURVES if getattr(history, name)]
    assert list(found[0]) == ["epoch", *(["model"] if model is not None else []), *curves]
    for name in curves:
        assert bits([float(row[name]) for row in found]) == bits(getattr(history, name))


def test_a_file_that_is_no_log_is_never_overwritten(tmp_path):
    log = tmp_path / "wine.csv"
    log.write_text("alcohol,label\n14.2,0\n")
    with pytest.raises(ValueError, match="holds no log, but begins with 'alcohol,label'"):
        fit(trainer(), CSVLogger(log))
    assert log.read_text() == "alcohol,label\n14.2,0\n"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("options", "n_curves"),
    [({"validation_data": None}, 2), ({}, 4), ({"train_score": True}, 5)],
    ids=["losses", "validation", "all"],
)
def test_a_line_an_epoch(tmp_path, options, n_curves, dtype):
    log = tmp_path / "log.csv"
    trained = fit(trainer(dtype=dtype), CSVLogger(log), **options)
    logged(log, trained.history_)
    assert len(rows(log)[0]) == 1 + n_curves
    assert b"\r\n" in log.read_bytes()
    assert b"\r\r" not in log.read_bytes()


def test_a_line_a_model_of_a_stack(tmp_path):
    log = tmp_path / "log.csv"
    trained = fit(trainer(random_state=[3, 4, 5]), CSVLogger(log), train_score=True)
    assert [row["model"] for row in rows(log)] == 8 * ["0", "1", "2"]
    for model in range(3):
        logged(log, trained.history_, model)


def test_a_stack_of_one_model(tmp_path):
    log = tmp_path / "log.csv"
    trained = fit(trainer(random_state=[3]), CSVLogger(log))
    logged(log, trained.history_.model(0))


def test_the_file_is_complete_after_each_epoch(tmp_path):
    log, seen = tmp_path / "log.csv", []
    fit(trainer(), CSVLogger(log), Each(lambda fit: seen.append(len(rows(log)))), epochs=4)
    assert seen == [1, 2, 3, 4]


def test_folders_are_made_and_old_files_overwritten(tmp_path):
    log = tmp_path / "new" / "deep" / "log.csv"
    fit(trainer(), logger := CSVLogger(str(log)))
    trained = fit(trainer(random_state=1), logger, epochs=3)
    logged(log, trained.history_)


@pytest.mark.parametrize("event", ["on_epoch_begin", "on_epoch_end"])
@pytest.mark.parametrize("kept", [True, False])
def test_a_resumed_run_writes_earlier_epochs_again(tmp_path, event, kept):
    log, file = tmp_path / "log.csv", tmp_path / "run"
    with pytest.raises(RuntimeError, match="as it was asked to"):
        fit(trainer(), CSVLogger(log), Fail(5, event=event), Checkpoint(file))
    assert len(rows(log)) == (4 if event == "on_epoch_begin" else 5)
    if kept:
        log.write_text(log.read_text() + "6,0.1")  # as if killed within a line
    else:
        log.unlink()
    trained = fit(trainer(), CSVLogger(log), Fail(), Checkpoint(file))
    assert outcome(trained) == outcome(fit(trainer()))
    logged(log, trained.history_)


def test_the_log_of_a_finished_run_is_written_again(tmp_path):
    log, file = tmp_path / "log.csv", tmp_path / "run"
    fit(trainer(), CSVLogger(log), Checkpoint(file))
    before = log.read_bytes()
    log.unlink()
    fit(trainer(), CSVLogger(log), Checkpoint(file))
    assert log.read_bytes() == before


def test_a_run_that_is_not_resumed_leaves_the_log_alone(tmp_path):
    log, file = tmp_path / "log.csv", tmp_path / "run"
    fit(trainer(), CSVLogger(log), Checkpoint(file))
    before = log.read_bytes()
    with pytest.raises(ValueError, match="is of another run"):
        fit(trainer(random_state=1), CSVLogger(log), Checkpoint(file))
    assert log.read_bytes() == before


@pytest.mark.parametrize("place", ["folder", "file/log.csv"])
def test_what_cannot_be_written_is_told_before_training(tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    seen = []
    with pytest.raises(OSError, match=str(tmp_path)):
        fit(trainer(), Each(lambda fit: seen.append(1)), CSVLogger(tmp_path / place))
    assert seen == []


def test_numbers_come_from_arrays_of_any_shape(tmp_path):
    """A function of the fit may have put a NumPy number into a curve."""
    log = tmp_path / "log.csv"

    def odd(fit):
        fit.history.losses[-1] = np.float32(0.1)

    fit(trainer(), Each(odd), CSVLogger(log), epochs=2)
    assert [float(row["losses"]) for row in rows(log)] == 2 * [float(np.float32(0.1))]
