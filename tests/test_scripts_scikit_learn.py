"""The script that compares the estimators with scikit-learn's."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    yield importlib.import_module("compare_scikit_learn")
    for name in ("compare_scikit_learn", "common"):
        del sys.modules[name]


def test_the_table_is_written_between_the_marks(script, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text(
        f"before\n{script.BEGIN}\nwhat was there\n{script.END}\nafter\n", encoding="utf-8"
    )
    monkeypatch.setattr(script, "PAGE", page)
    monkeypatch.setattr(script, "N_FOLDS", 2)
    monkeypatch.setattr(script, "CASES", [c for c in script.CASES if c.name == "Friedman 1"])
    monkeypatch.setattr(sys, "argv", ["compare_scikit_learn", "--write"])
    script.main()
    written = page.read_text(encoding="utf-8")
    assert written.startswith(f"before\n{script.BEGIN}\n")
    assert written.endswith(f"\n{script.END}\nafter\n")
    assert "what was there" not in written
    assert written.count("\n| Friedman 1 | 0.9") == 1  # scores
    assert written.count("\n| Friedman 1 | 0.0") == 1  # seconds
    assert "- Friedman 1: `MLPRegressor(solver='lbfgs', " in written
    told = capsys.readouterr().out
    assert told.endswith(f"{written.partition(script.BEGIN)[2].partition(script.END)[0].strip()}\n")


def test_scores_further_apart_than_their_noise(script):
    theirs = np.array([0.1, 0.2, 0.3, 0.4])  # noise 0.0645
    case = script.CASES[0]
    cells = script.compare_scores(case, np.stack([theirs, theirs, theirs + 0.06]))
    assert cells[-6:] == ["0.2500 ± 0.1291", "0", "4", "0.3100 ± 0.1291", "6e-02", "0"]
    for wrong in (theirs + 0.07, theirs - 0.07, theirs * np.nan):
        with pytest.raises(RuntimeError, match=r"breast cancer.*float32"):
            script.compare_scores(case, np.stack([theirs, theirs, wrong]))


def test_times_are_medians(script):
    seconds = np.array([[1.0, 2.0, 9.0], [2.0, 2.0, 9.0], [0.5, 1.0, 1.0]])
    cells = script.compare_times(script.CASES[0], seconds)
    assert cells[1:] == ["2.000", "2.000", "1.00", "1.000", "0.50"]


def test_the_cases_can_be_told_apart(script):
    names = [case.name for case in script.CASES]
    assert len(names) == len(set(names)) == 10
    assert set(script.QUICK) < set(names)
