"""BLAS has no more threads than a product is worth, and afterwards as many as before."""

from __future__ import annotations

import numpy as np
import pytest
import threadpoolctl

from xpnet import Dense, Network, Trainer, backends
from xpnet.backends import threads
from xpnet.backends.numpy import NumPy
from xpnet.backends.threads import limited


def count():
    """The threads of NumPy's BLAS now."""
    return {library.num_threads for library in threads._libraries()}


@pytest.fixture
def two_threads():
    """Two threads, on a machine with one core too."""
    if not count():
        pytest.skip("NumPy's BLAS tells nothing of threads")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield


def threads_of_a_fit(monkeypatch, width, batch_size, **options):
    seen, scan = [], NumPy.scan

    def looked(*args, **how):
        seen.append(count())
        return scan(*args, **how)

    monkeypatch.setattr(NumPy, "scan", looked)
    trainer = Trainer(Network([Dense(width, width)]), "squared_error", random_state=0, **options)
    x = np.zeros((batch_size, width), dtype=np.float32)
    trainer.fit(x, x, epochs=1, batch_size=batch_size)
    return seen


@pytest.mark.parametrize("compile", [True, False])
def test_small_products_have_one_thread(two_threads, monkeypatch, compile):
    assert threads_of_a_fit(monkeypatch, 30, 32, compile=compile) == [{1}]
    assert count() == {2}


def test_large_ones_have_all(two_threads, monkeypatch):
    assert threads_of_a_fit(monkeypatch, 128, 256) == [{2}]
    assert count() == {2}


def test_fits_that_overlap_leave_the_threads_as_they_were(two_threads):
    first, second = limited(1), limited(1)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert count() == {1}
    second.__exit__(None, None, None)
    assert count() == {2}


def test_of_those_who_ask_at_a_time_the_least_holds(two_threads):
    one, two, many = limited(1), limited(2), limited(99)
    for entered, expected in ((many, 2), (one, 1), (two, 1)):
        entered.__enter__()
        assert count() == {expected}
    for left, expected in ((many, 1), (one, 2), (two, 2)):
        left.__exit__(None, None, None)
        assert count() == {expected}


def test_nothing_is_set_where_nothing_changes(two_threads, monkeypatch):
    calls = []
    for library in threads._libraries():
        monkeypatch.setattr(library, "set_num_threads", calls.append)
    with limited(2), limited(99):
        pass
    assert calls == []
    with limited(1), limited(1), limited(2):
        pass
    assert calls == [n for n in (1, 2) for _ in threads._libraries()]


def test_threads_come_back_after_an_error(two_threads):
    trainer = Trainer(Network([Dense(2, 2)]), "squared_error", "sgd", random_state=0)
    x = np.full((8, 2), 1e30)
    with pytest.raises(FloatingPointError):
        trainer.fit(x, x, epochs=50)
    assert count() == {2}


def test_there_may_be_fewer_than_a_product_would_take():
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        with backends.get("numpy").threads(1 << 40):
            assert count() <= {1}
        assert count() <= {1}
