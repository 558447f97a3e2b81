"""The curves of a run."""

from __future__ import annotations

import numpy as np
import pytest

from xpnet import Dense, History, Network, Trainer


def test_entries_are_plain_numbers_or_arrays():
    history = History()
    assert history.n_epochs == 0
    history.append(losses=np.float32(0.5), scores=None)
    history.append(losses=np.array(0.25), val_losses=1)
    assert history == History(losses=[0.5, 0.25], val_losses=[1.0])
    assert [type(entry) for entry in (*history.losses, *history.val_losses)] == [float] * 3
    assert history.n_epochs == 2
    with pytest.raises(AttributeError, match="los"):
        history.append(los=1.0)


def test_the_validation_loss_is_monitored_where_there_is_one():
    history = History(losses=[1.0])
    assert history.monitored is history.losses
    history.append(val_losses=2.0)
    assert history.monitored is history.val_losses


def test_one_model_of_a_stack():
    history = History(
        losses=[np.array([1.0, 2.0]), np.array([3.0, 4.0])],
        step_losses=[np.array([5.0, 6.0])],
        seconds=[0.5, 0.25],
    )
    assert history.model(1) == History(losses=[2.0, 4.0], step_losses=[6.0], seconds=[0.5, 0.25])
    assert history.model(-1) == history.model(1)
    assert all(type(loss) is float for loss in history.model(0).losses)
    with pytest.raises(IndexError):
        history.model(2)
    alone = History(losses=[1.0])
    assert alone.model(0) == alone


@pytest.mark.parametrize("score", [False, True])
@pytest.mark.parametrize("validate", [False, True])
@pytest.mark.parametrize("step_losses", [None, "before", "after"])
@pytest.mark.parametrize("models", [None, 2])
def test_a_run_fills_the_curves_that_it_was_asked_for(score, validate, step_losses, models):
    x, t = np.ones((5, 1)), np.ones(5)
    seed = 0 if models is None else list(range(models))
    history = Trainer(Network([Dense(1, 1)]), "squared_error", random_state=seed).fit(
        x,
        t,
        epochs=3,
        batch_size=2,
        train_score=score,
        validation_data=(x, t) if validate else None,
        step_losses=step_losses,
    )
    asked = {
        "losses": 3,
        "seconds": 3,
        "val_losses": 3 * validate,
        "scores": 3 * score,
        "val_scores": 3 * validate,
        "step_losses": 9 * (step_losses is not None),
    }
    assert {name: len(curve) for name, curve in vars(history).items()} == asked
    shape = () if models is None else (models,)
    assert all(
        np.shape(entry) == shape
        for name, curve in vars(history).items()
        for entry in curve
        if name != "seconds"
    )
    assert all(type(s) is float and s >= 0 for s in history.seconds)
