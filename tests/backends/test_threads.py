"""BLAS has no more threads than a product is worth, and afterwards as many as before."""

from __future__ import annotations

import numpy as np
import pytest
import threadpoolctl

from xpnet import Callback, Dense, Network, Trainer, backends


def count():
    """The threads of BLAS now."""
    return {p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"}


@pytest.fixture
def two_threads():
    """Two threads, on a machine with one core too."""
    if not count():
        pytest.skip("NumPy's BLAS tells nothing of threads")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield


class Look(Callback):
    """Notes how many threads there are."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, fit):
        self.seen.append(count())


def threads_of_a_fit(width, batch_size, **options):
    look = Look()
    trainer = Trainer(Network([Dense(width, width)]), "squared_error", random_state=0, **options)
    x = np.zeros((batch_size, width), dtype=np.float32)
    trainer.fit(x, x, epochs=1, batch_size=batch_size, callbacks=[look])
    return look.seen


@pytest.mark.parametrize("compile", [True, False])
def test_small_products_have_one_thread(two_threads, compile):
    assert threads_of_a_fit(30, 32, compile=compile) == [{1}]
    assert count() == {2}


def test_large_ones_have_all(two_threads):
    assert threads_of_a_fit(128, 256) == [{2}]
    assert count() == {2}


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
