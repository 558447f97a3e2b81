import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpnet.streams import Plan

plans = {
    "lengths": st.lists(st.integers(1, 9), min_size=4, max_size=8).map(tuple),
    "batch_size": st.integers(1, 12),
    "buffer_rows": st.integers(1, 30),
    "seed": st.one_of(st.none(), st.integers(0, 2**31 - 1)),
    "ranks": st.integers(1, 4),
}


def rows_of(plan):
    """The rows that a plan trains on, by the numbers of its buffers, as (block, row)."""
    own = [(b, r) for b, start in plan.reads(0) for r in range(start, plan.lengths[b])]
    size = plan.rows_per_buffer
    return [[own[k * size + i] for i in plan.order(k)] for k in range(plan.n_buffers)]


def every_rank(ranks, batch_size, **options):
    return [
        Plan(**options, batch_size=max(batch_size, ranks), rank=rank, ranks=ranks)
        for rank in range(ranks)
    ]


@given(**plans)
def test_every_row_is_trained_on_once(**options):
    plans = every_rank(**options)
    rows = [row for plan in plans for buffer in rows_of(plan) for row in buffer]
    assert len(rows) == len(set(rows)) == sum(options["lengths"])


@given(**plans)
def test_all_ranks_have_the_same_steps(**options):
    plans = every_rank(**options)
    assert len({(plan.n_steps, plan.n_buffers, plan.steps_per_buffer) for plan in plans}) == 1
    whole = slice(0, plans[0].n_steps)
    sizes, firsts = zip(*(plan.sizes(whole) for plan in plans), strict=True)
    for own in sizes:
        np.testing.assert_array_equal(own, sizes[0])
    np.testing.assert_array_equal(firsts[0], 0)
    for plan, own in zip(plans, np.diff([*firsts, sizes[0]], axis=0), strict=True):
        assert own.sum() == plan.n_rows
        assert own.max() <= plan.share(plan.rank)
    assert sizes[0].sum() == sum(options["lengths"])
    np.testing.assert_array_equal(plans[0].sizes(slice(1, 3))[0], sizes[0][1:3])


@given(**plans)
def test_a_buffer_can_be_begun_with(**options):
    for plan in every_rank(**options):
        whole = [(b, r) for b, first in plan.reads(0) for r in range(first, plan.lengths[b])]
        for k in range(plan.n_buffers):
            left = [(b, r) for b, first in plan.reads(k) for r in range(first, plan.lengths[b])]
            assert left == whole[k * plan.rows_per_buffer :]


def test_a_plan_is_a_function_of_its_seed():
    options = {"lengths": (50,) * 40, "batch_size": 10, "buffer_rows": 500}
    one, again, other = (Plan(**options, seed=seed) for seed in (3, 3, 4))
    assert rows_of(one) == rows_of(again)
    assert rows_of(one) != rows_of(other)
    assert one.order(0).tolist() != one.order(1).tolist()


def test_blocks_and_buffers_are_shuffled():
    plan = Plan((50,) * 40, 10, 500, seed=0)
    first = rows_of(plan)[0]
    assert len({block for block, _ in first}) == 10
    assert len({block for block, _ in first[:20]}) > 5
    assert Plan((5, 5), 4, 8, seed=None).order(0).tolist() == list(range(8))


@pytest.mark.parametrize(("buffer_rows", "steps"), [(1, 1), (39, 3), (40, 4)])
def test_a_buffer_is_whole_batches_and_at_least_one(buffer_rows, steps):
    assert Plan((100,), 10, buffer_rows, seed=0).steps_per_buffer == steps
