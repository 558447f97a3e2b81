"""What ranks tell each other, without MPI."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thread_ranks import Comm, on_ranks

from xpnet import Dense, Network, Stream, Trainer, backends, distributed
from xpnet.distributed import ALONE, Connected, RankError, Ranks, ranks_of
from xpnet.feed import Feed
from xpnet.placement import Placement
from xpnet.step import Problem
from xpnet.training import Run


def connected(rank=0, size=1, **options):
    return Connected(Comm(rank, size, None), **options)


def test_one_process_is_alone():
    ranks = ranks_of(None)
    assert ranks is ALONE
    assert (ranks.rank, ranks.size, ranks.alone, ranks.first) == (0, 1, True, True)
    assert ranks.average_every is None
    assert ranks.share(7) == slice(0, 7)
    assert ranks.agreed("a") == "a"
    values = np.arange(3.0)
    assert ranks.total(values) is values
    ranks.check_same({"data": "nobody else has any"})
    with pytest.raises(KeyError), ranks.limited(), ranks.alike(), ranks.together():
        raise KeyError
    assert repr(ranks) == "1 rank(s), average_every=None"


@given(st.integers(0, 200), st.integers(1, 9))
def test_shares_cover_a_batch(n, size):
    rows = np.arange(n)
    shares = [rows[connected(rank, size).share(n)] for rank in range(size)]
    np.testing.assert_array_equal(np.concatenate(shares), rows)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_who_a_rank_is():
    for rank in range(3):
        ranks = connected(rank, 3, average_every=4)
        assert (ranks.rank, ranks.size, ranks.alone, ranks.first) == (rank, 3, False, rank == 0)
        assert repr(ranks) == "3 rank(s), average_every=4"


@pytest.mark.parametrize("comm", ["world", 3, object(), Ranks()])
def test_what_is_no_communicator(comm):
    with pytest.raises(TypeError, match=r"must be a communicator of mpi4py, such as mpi4py.MPI"):
        ranks_of(comm)
    with pytest.raises(TypeError, match="comm="):
        Trainer(Network([Dense(2, 1)]), "squared_error", comm=comm)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"average_every": 0}, ValueError, "average_every=0"),
        ({"average_every": 2.5}, TypeError, "average_every=2.5"),
        ({"transport": "pigeon"}, ValueError, "transport='pigeon'"),
    ],
)
def test_options_of_ranks(options, error, message):
    with pytest.raises(error, match=message):
        connected(**options)


@pytest.mark.parametrize("options", [{"average_every": 2}, {"transport": "nccl"}])
def test_options_of_ranks_need_ranks(options):
    with pytest.raises(ValueError, match=r"for several ranks: pass comm= too"):
        ranks_of(None, **options)


def test_transports_that_a_backend_lacks():
    trainer = Trainer(Network([Dense(2, 1)]), "squared_error", comm=Comm(0, 1, None))
    with pytest.raises(ValueError, match=r"transport='nccl': backend='numpy' has only 'host'"):
        connected(transport="nccl").join(backends.get("numpy"))
    assert "rank(s)" not in repr(trainer)


def test_values_are_the_first_ranks():
    assert on_ranks(3, lambda comm: Connected(comm).agreed([comm.rank, "a"])) == [[0, "a"]] * 3


def test_totals_are_over_all_ranks():
    found = on_ranks(3, lambda comm: Connected(comm).total(np.arange(6.0)[::2] * comm.rank))
    for total in found:
        np.testing.assert_array_equal(total, [0.0, 6.0, 12.0])


def test_what_fails_on_one_rank_fails_on_all():
    def run(comm):
        with Connected(comm).alike():
            if comm.rank == 1:
                raise KeyError("no such column")

    first, own, last = on_ranks(3, run)
    assert isinstance(own, KeyError)
    for other in (first, last):
        assert isinstance(other, RankError)
        assert str(other) == "Rank 1 of 3 failed: KeyError: 'no such column'"
    assert on_ranks(2, lambda comm: Connected(comm).alike().__enter__()) == [None, None]


def test_what_ranks_were_given_is_compared():
    def run(comm):
        ranks = Connected(comm)
        ranks.check_same({"batches": 3, "data": "the same"})
        ranks.check_same({"batches": 3, "data": f"{comm.rank // 2} blocks"})

    for error in on_ranks(3, run):
        assert isinstance(error, ValueError)
        assert str(error).startswith(
            "The ranks were given different data (rank 0: 0 blocks; rank 1: 0 blocks; "
            "rank 2: 1 blocks). Give all of them the same"
        )


def test_a_failure_ends_all(capsys):
    class Ended(Comm):
        def Abort(self, code=0):
            aborted.append(code)

    aborted = []
    with pytest.raises(KeyError), Connected(Ended(1, 2, None)).together(ValueError):
        raise KeyError("lost")
    assert aborted == [1]
    told = capsys.readouterr().err
    assert "KeyError: 'lost'" in told
    assert "Rank 1 of 2 failed: all ranks end." in told
    with (
        pytest.raises(ValueError, match="alike"),
        Connected(Ended(1, 2, None)).together(ValueError),
    ):
        raise ValueError("alike")
    with pytest.raises(KeyError), Connected(Ended(0, 1, None)).together():
        raise KeyError("nobody waits")
    assert aborted == [1]


@pytest.mark.parametrize(
    ("cores", "threads"),
    [
        ([range(7)] * 3, [2, 2, 2]),
        ([range(2)] * 3, [1, 1, 1]),
        ([range(2), range(2, 6), range(2, 6)], [2, 2, 2]),
        ([range(1), range(1, 2), range(2, 8)], [1, 1, 6]),
    ],
)
def test_ranks_share_the_cores_of_a_machine(monkeypatch, cores, threads):
    """Those that are bound to cores of their own have them for themselves."""
    own = threading.local()
    monkeypatch.setattr(distributed, "limited", lambda n: n)
    monkeypatch.setattr(distributed, "_cores", lambda: tuple(own.cores))

    def run(comm):
        own.cores = cores[comm.rank]
        return Connected(comm).limited()

    assert on_ranks(3, run) == threads


def test_streams_need_a_row_of_each_batch_for_each_rank():
    net = Network([Dense(2, 1)])
    problem = Trainer(net, "squared_error").problem
    assert isinstance(problem, Problem)
    place = Placement(backends.get("numpy"), "float64", problem)
    stream = Stream(np.ones((60, 2)), np.ones(60), block_rows=10)
    with pytest.raises(ValueError, match=r"6 block\(s\), and batch_size=2, for 3 ranks"):
        Feed(place, stream, 2, connected(0, 3))


def test_one_rank_evaluates_for_all(monkeypatch):
    """Another processor's numbers may differ by a rounding, on which a plateau turns."""
    evaluated = []
    evaluations = Run.evaluations

    def counted(run, params):
        evaluated.append(run.ranks.rank)
        return evaluations(run, params)

    monkeypatch.setattr(Run, "evaluations", counted)
    x, t = np.random.RandomState(0).randn(20, 2), np.arange(20) % 2

    def fit(comm):
        net = Network([Dense(2, 1)])
        own = Trainer(net, "binary_cross_entropy", random_state=0, comm=comm, compile=False)
        return own.fit(x, t, epochs=3, batch_size=8, validation_data=(x, t)).val_losses

    one, other = on_ranks(2, fit)
    assert evaluated == [0, 0, 0]
    assert one == other
