"""Patience against torch's and scikit-learn's ways of counting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpnet.patience import Patience

# Few different values, so that many are equal, or min_delta apart; the odd ones among them.
VALUES = st.lists(st.sampled_from([*np.arange(9) / 8.0, -0.5, math.nan, math.inf, -math.inf]))
LIMITS = st.integers(0, 4)
DELTAS = st.sampled_from([0.0, 0.125, 0.25])


def counted(patience, values):
    """What is seen after each value: whether the patience is at its end, the count, the best."""
    return [(patience.update(v), patience.waited, patience.best) for v in values]


@given(values=VALUES, limit=LIMITS, delta=DELTAS)
def test_the_strict_form_is_torchs(values, limit, delta):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=limit, threshold=delta, threshold_mode="abs", eps=0.0
    )
    expected = []
    for value in values:
        before = optimizer.param_groups[0]["lr"]
        plateau.step(value)
        reduced = optimizer.param_groups[0]["lr"] < before
        expected.append((reduced, plateau.num_bad_epochs, plateau.best))
    assert counted(Patience(limit, delta), values) == expected


def scikit_learn(losses, n_iter_no_change, tol):
    """`_update_no_improvement_count`, and what `_fit_stochastic` does with the count."""
    best_loss, no_improvement_count = np.inf, 0
    for loss in losses:
        if loss > best_loss - tol:
            no_improvement_count += 1
        else:
            no_improvement_count = 0
        if loss < best_loss:
            best_loss = loss
        stops = no_improvement_count > n_iter_no_change
        if stops:
            no_improvement_count = 0  # the rate was divided by 5 instead
        yield stops, no_improvement_count, best_loss


@given(values=VALUES, limit=LIMITS, delta=DELTAS)
def test_the_other_form_is_scikit_learns(values, limit, delta):
    expected = list(scikit_learn(values, limit, delta))
    assert counted(Patience(limit, delta, strict=False), values) == expected


@given(
    values=st.lists(st.tuples(*3 * [st.sampled_from([0.0, 0.5, 0.625, 1.0, math.nan])])),
    limit=LIMITS,
    delta=st.tuples(DELTAS, DELTAS, DELTAS),
    strict=st.booleans(),
)
def test_models_are_counted_each_for_itself(values, limit, delta, strict):
    together = Patience(limit, np.reshape(delta, (3, 1)), strict=strict)
    found = counted(together, [np.reshape(value, (3, 1)) for value in values])
    assert all(np.shape(part) == (3, 1) for seen in found for part in seen)
    for model in range(3):
        alone = Patience(limit, delta[model], strict=strict)
        expected = counted(alone, [value[model] for value in values])
        assert [tuple(part[model, 0] for part in seen) for seen in found] == expected


@pytest.mark.parametrize("strict", [True, False])
def test_an_infinite_patience_has_no_end(strict):
    patience = Patience(math.inf, strict=strict)
    found = counted(patience, [1.0] + 50 * [2.0])
    assert not any(exhausted for exhausted, *_ in found)
    assert [waited for _, waited, _ in found] == list(range(51))


@pytest.mark.parametrize(("strict", "waited"), [(True, [0, 1, 2, 3, 4]), (False, [0, 1, 0, 1, 0])])
def test_nan_is_never_the_best(strict, waited):
    found = counted(Patience(9, strict=strict), [1.0, 2.0, math.nan, 2.0, math.nan])
    assert [count for _, count, _ in found] == waited
    assert [best for *_, best in found] == 5 * [1.0]


def test_the_forms_differ_where_the_best_creeps():
    """Each value is a little better: strictly, all are measured against the first."""
    values = [1.0, 0.9, 0.8, 0.7]
    strict, other = Patience(9, 0.25), Patience(9, 0.25, strict=False)
    assert [best for *_, best in counted(strict, values)] == [1.0, 1.0, 1.0, 0.7]
    assert [best for *_, best in counted(other, values)] == values
    assert (strict.waited, other.waited) == (0, 3)
