"""The scripts that search: the tutorials' question, and the comparison of stacks."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    loaded = []

    def load(name):
        loaded.append(name)
        return importlib.import_module(name)

    yield load
    for name in (*loaded, "common"):
        sys.modules.pop(name, None)


def test_the_tutorials_question(script, tmp_path, monkeypatch, capsys):
    tune = script("tune_breast_cancer")
    monkeypatch.setattr(sys, "argv", ["tune", "--quick", "--out", str(tmp_path)])
    tune.main()
    told = capsys.readouterr().out
    assert "totalling 40 fits" in told
    assert "8 candidates on 5 folds in " in told
    scores = [float(score) for score in re.findall(r"^  (0\.\d{4}) ± ", told, re.M)]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.9
    pictures = sorted(path.stem for path in tmp_path.glob("*.png"))
    assert pictures == [
        f"tune_breast_cancer_{name}" for name in ("batches", "learning_rate_init", "rates")
    ]


def test_the_full_grid_has_more_than_200_candidates(script):
    tune = script("tune_breast_cancer")
    assert np.prod([len(values) for values in tune.GRID.values()]) == 240


def test_the_comparison_is_written_between_the_marks(script, tmp_path, monkeypatch, capsys):
    compare = script("compare_searches")
    page = tmp_path / "page.md"
    page.write_text(
        f"before\n{compare.BEGIN}\nwhat was there\n{compare.END}\nafter\n", encoding="utf-8"
    )
    for name, value in {"PAGE": page, "SIZES": (1, 3), "EPOCHS": 2}.items():
        monkeypatch.setattr(compare, name, value)
    monkeypatch.setattr(compare, "GRID", {"alpha": [0.0, 0.1]})
    monkeypatch.setattr(compare, "medians", lambda rounds, *runs: [_once(run) for run in runs])
    monkeypatch.setattr(sys, "argv", ["compare_searches", "--write"])
    compare.main()
    written = page.read_text(encoding="utf-8")
    assert "what was there" not in written
    assert "| 3 | 500 | " in written
    assert "| 3.0 | 3 |" in written  # three nets in the time of one
    assert written.count("GridSearchCV") == 5
    assert "A search over 2 candidates" in capsys.readouterr().out


def _once(run):
    run()
    return 0.5


def test_medians_leave_the_first_round_out(script, monkeypatch):
    compare = script("compare_searches")
    times = iter([0.0, 9.0, 0.0, 1.0, 0.0, 2.0, 0.0, 3.0])
    monkeypatch.setattr(compare.time, "perf_counter", lambda: next(times))
    assert compare.medians(3, lambda: None) == [2.0]


def test_scores_that_differ_are_an_error(script, monkeypatch):
    compare = script("compare_searches")
    scores = iter([0.9, 0.9, 0.9, 0.8, 0.9])

    class Search:
        def __init__(self, *args, **options):
            self.cv_results_ = {"mean_test_score": np.array([next(scores)])}

        def fit(self, x, t):
            return self

    monkeypatch.setattr(compare, "StackedGridSearchCV", Search)
    monkeypatch.setattr(compare, "GridSearchCV", Search)
    assert compare.compare_searches({"alpha": [0.0]}, 2, 1)
    scores = iter([0.9, 0.9, 0.7, 0.8, 0.9])
    with pytest.raises(RuntimeError, match="not those of the sequential"):
        compare.compare_searches({"alpha": [0.0]}, 2, 1)
