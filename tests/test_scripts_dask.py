"""The tutorials' question on a Dask cluster: the same scores, trained by all workers."""

from __future__ import annotations

import importlib
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

distributed = pytest.importorskip("distributed")

SCRIPTS = Path(__file__).parents[1] / "scripts"
ADDRESS = "tcp://127.0.0.1:8786"


@pytest.fixture
def tune(monkeypatch):
    """The script, as a module."""
    monkeypatch.syspath_prepend(SCRIPTS)
    yield importlib.import_module("tune_breast_cancer")
    for name in ("tune_breast_cancer", "common"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process with one thread."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster


def workers_of(client, function):
    """Return the workers that ran tasks of joblib that call this function."""
    return {task["worker"] for task in client.get_task_stream() if function in task["key"]}


def test_the_scores_are_those_without_dask(tune, cluster):
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as watching:
        watching.get_task_stream()  # from here on the scheduler notes who runs what
        with tune.spread_over(cluster.scheduler_address) as n_jobs:
            there = tune.search(tune.QUICK, 5, n_jobs)
        assert workers_of(watching, "train_stack") == set(cluster.scheduler.workers)
    here = tune.search(tune.QUICK, 5)
    assert there.cv_results_["stacked"].all()
    assert there.cv_results_.keys() == here.cv_results_.keys()
    for name in here.cv_results_.keys() - {"params"}:
        if "_time" not in name:
            np.testing.assert_array_equal(there.cv_results_[name], here.cv_results_[name], name)
    assert there.cv_results_["params"] == here.cv_results_["params"]
    assert (there.best_params_, there.best_score_) == (here.best_params_, here.best_score_)
    for ours, theirs in zip(here.best_estimator_.coefs_, there.best_estimator_.coefs_, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(here.histories_, there.histories_, strict=True):
        assert [h.losses for h in ours] == [h.losses for h in theirs]
        assert [h.val_scores for h in ours] == [h.val_scores for h in theirs]


def test_candidates_that_cannot_be_stacked_are_fitted_there_too(tune, cluster):
    grid = {"solver": ["sgd", "lbfgs"], "alpha": [0.01, 1.0]}
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as watching:
        watching.get_task_stream()
        with tune.spread_over(cluster.scheduler_address) as n_jobs:
            there = tune.search(grid, 5, n_jobs)
        assert workers_of(watching, "fit_and_score")
    here = tune.search(grid, 5)
    assert there.cv_results_["stacked"].tolist() == [True, False] * 2
    np.testing.assert_array_equal(
        there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )


def test_the_command(tune, cluster, tmp_path, monkeypatch, capsys):
    options = ["--quick", "--out", str(tmp_path), "--dask", cluster.scheduler_address]
    monkeypatch.setattr(sys, "argv", ["tune", *options])
    tune.main()
    assert "8 candidates on 5 folds in " in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_without_distributed_the_extra_is_named(tune, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ImportError, match=r"pip install 'xpnet\[dask\]'"),
        tune.spread_over(ADDRESS),
    ):
        pass


@pytest.mark.parametrize("listens", [False, True])
def test_where_nobody_answers_it_does_not_wait(listens, tune, monkeypatch):
    monkeypatch.setattr(tune, "PATIENCE", 0.5)
    with socket.socket() as silent:  # a port that is bound, so that nobody else takes it
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with (
            pytest.raises(ConnectionError, match=f"--dask {address}: .* no answer in 0.5 seconds"),
            tune.spread_over(address),
        ):
            pass


def test_an_address_without_a_port(tune):
    with (
        pytest.raises(ConnectionError, match=r"--dask somewhere: .* missing port number"),
        tune.spread_over("somewhere"),
    ):
        pass


def test_a_workers_address(tune, cluster):
    address = next(iter(cluster.scheduler.workers))
    with (
        pytest.raises(ConnectionError, match="a Worker is there, not a scheduler"),
        tune.spread_over(address),
    ):
        pass
