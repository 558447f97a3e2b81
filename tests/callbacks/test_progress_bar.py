"""The bar: on stderr, in terminals and notebooks."""

from __future__ import annotations

import sys

import pytest
from runs import Fail, bits, fit, outcome, trainer

from xpnet import Checkpoint, EarlyStopping, ProgressBar


@pytest.fixture
def notebook(monkeypatch):
    """Bars are always drawn in a notebook."""
    monkeypatch.setitem(sys.modules, "ipykernel", sys)


@pytest.mark.usefixtures("notebook")
@pytest.mark.parametrize("seed", [0, [0, 1]])
@pytest.mark.parametrize(
    ("label", "limit", "told"),
    [
        ("Nets", {"epochs": 3}, ["Nets: 100%", "3/3", "epoch"]),
        (None, {"iterations": 5}, ["100%", "5/5", "step"]),
    ],
)
def test_a_bar_is_drawn_on_stderr(capsys, seed, label, limit, told):
    trained = fit(trainer(random_state=seed), ProgressBar(label), **limit)
    out, err = capsys.readouterr()
    last = err.split("\r")[-1]
    assert out == ""
    for text in told:
        assert text in last
    history = trained.history_
    for name, curve in ("loss", history.losses), ("val", history.val_losses):
        assert f"{name}={curve[-1].mean() if seed else curve[-1]:.4f}" in last


@pytest.mark.usefixtures("notebook")
def test_only_losses_that_there_are(capsys):
    fit(trainer(), ProgressBar(), validation_data=None)
    last = capsys.readouterr().err.split("\r")[-1]
    assert "loss=" in last
    assert "val=" not in last


def test_no_bar_is_drawn_into_a_file(capsys):
    fit(trainer(), ProgressBar("Nets"))
    assert capsys.readouterr() == ("", "")


def test_a_bar_changes_nothing():
    assert outcome(fit(trainer(), ProgressBar())) == outcome(fit(trainer()))


@pytest.mark.usefixtures("notebook")
def test_a_bar_ends_where_the_run_does(capsys):
    stopping = EarlyStopping("losses", mode="max", patience=2)
    trained = fit(trainer(), stopping, bar := ProgressBar(), epochs=50)
    assert f"| {trained.history_.n_epochs}/50 [" in capsys.readouterr().err.split("\r")[-1]
    with pytest.raises(RuntimeError, match="as it was asked to"):
        fit(trainer(), bar, Fail(3))
    assert "| 3/8 [" in capsys.readouterr().err.split("\r")[-1]
    assert vars(bar) == {"label": None}


@pytest.mark.usefixtures("notebook")
def test_a_bar_goes_on_where_the_run_does(capsys, tmp_path):
    fit(trainer(), ProgressBar(), Checkpoint(tmp_path / "run"), epochs=3)
    capsys.readouterr()
    counts = fit(trainer(), ProgressBar(), Checkpoint(tmp_path / "run")).history_.n_epochs
    assert "| 8/8 [" in capsys.readouterr().err.split("\r")[-1]
    assert bits(counts) == 8
