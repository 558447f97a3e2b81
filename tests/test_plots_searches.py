"""Pictures of searches: which lines and numbers are drawn, in which colours."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from xpnet import History, plots

pytest.importorskip("matplotlib")

GRID = [
    {"rate": 0.1, "solver": "sgd"},
    {"rate": 0.01, "solver": "sgd"},
    {"rate": 0.1, "solver": "adam"},
    {"rate": 0.01, "solver": "adam"},
]


def curves(*scores):
    return [History(losses=[1.0] * len(own), val_scores=own) for own in scores]


SEARCH = SimpleNamespace(
    cv_results_={
        "params": GRID,
        "mean_test_score": np.array([0.8, 0.9, np.nan, 0.7]),
        "mean_test_f1": np.array([0.1, 0.2, 0.3, 0.4]),
    },
    histories_=[
        curves([0.5, 0.6], [0.7, 0.8, 0.9]),
        curves([0.1], [0.3]),
        [None, None],
        curves([0.2, 0.2], [0.4, 0.4]),
    ],
)


def test_a_line_is_the_mean_over_folds_as_long_as_all_go_on():
    ax = plots.search_curves(SEARCH, "rate", title="four")
    first, second, third = ax.lines
    np.testing.assert_allclose(first.get_xydata(), [[1, 0.6], [2, 0.7]])
    np.testing.assert_allclose(second.get_xydata(), [[1, 0.2]])
    np.testing.assert_allclose(third.get_ydata(), [0.3, 0.3])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "validation score")
    assert ax.get_title() == "four"


@pytest.mark.parametrize(("name", "told"), [("rate", ["0.01", "0.1"]), ("solver", ["sgd", "adam"])])
def test_equal_values_have_one_colour_and_an_entry_in_the_legend(name, told):
    ax = plots.search_curves(SEARCH, name)
    legend = ax.get_legend()
    assert legend.get_title().get_text() == name
    assert [text.get_text() for text in legend.get_texts()] == told
    colours = [line.get_color() for line in ax.lines]
    drawn = [GRID[i][name] for i in (0, 1, 3)]
    for (a, first), (b, second) in zip(
        zip(drawn, colours, strict=True), list(zip(drawn, colours, strict=True))[1:], strict=False
    ):
        assert (a == b) == (first == second)
    shown = [line.get_color() for line in legend.get_lines()]
    assert set(colours) == set(shown)


def test_losses_can_be_drawn_on_axes_of_the_callers():
    figure_axes = plots.search_curves(SEARCH, "rate", curve="losses")
    again = plots.search_curves(SEARCH, "rate", curve="losses", ax=figure_axes)
    assert again is figure_axes
    assert len(again.lines) == 6
    assert again.get_ylabel() == "training loss"


def test_of_each_pair_the_best_score_is_shown():
    ax = plots.search_heat_map(SEARCH, "solver", "rate", title="best")
    assert [text.get_text() for text in ax.texts] == ["0.9", "0.8", "0.7", "not run"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.01", "0.1"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["sgd", "adam"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("rate", "solver", "best")
    ax = plots.search_heat_map(SEARCH, "solver", "rate", metric="f1")
    assert [text.get_text() for text in ax.texts] == ["0.2", "0.1", "0.4", "0.3"]


def test_the_best_of_all_others_counts():
    many = [{"rate": r, "solver": s, "alpha": a} for r in (1, 2) for s in "ab" for a in (0, 1)]
    search = SimpleNamespace(cv_results_={"params": many, "mean_test_score": np.arange(8) / 100.0})
    ax = plots.search_heat_map(search, "rate", "solver")
    assert [text.get_text() for text in ax.texts] == ["0.01", "0.03", "0.05", "0.07"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.search_curves(SEARCH, "ratee"), "Did you mean 'rate'"),
        (lambda: plots.search_curves(SEARCH, "rate", curve="scores"), "curve='scores' is unknown"),
        (lambda: plots.search_curves(SEARCH, "rate", curve="val_losses"), "validation_curves=True"),
        (lambda: plots.search_heat_map(SEARCH, "rate", "alpha"), "'alpha' is unknown"),
    ],
)
def test_what_cannot_be_drawn(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
