"""Accuracy and R² against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics as sk

from xpnet.losses import BinaryCrossEntropy, Huber, Poisson, SoftmaxCrossEntropy
from xpnet.metrics import accuracy, r2, score

rng = np.random.RandomState(0)
N = 40
LOGITS = rng.standard_normal((2, N, 3))  # two models
CLASSES = rng.randint(3, size=N)
YES_NO = rng.randint(2, size=(N, 3)).astype(np.float64)
REALS = rng.standard_normal((N, 3))
WEIGHTS = rng.uniform(size=N)
weighted = pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["mean", "weighted"])


@weighted
@pytest.mark.parametrize(
    ("t", "truth", "exclusive"),
    [
        (CLASSES, CLASSES, True),
        (np.eye(3)[CLASSES], CLASSES, True),
        (YES_NO, YES_NO, False),
        (np.eye(3)[CLASSES], np.eye(3)[CLASSES], False),
        (YES_NO[:, :1], YES_NO[:, :1], False),
    ],
    ids=["classes", "one-hot", "multilabel", "multilabel-of-one", "binary"],
)
def test_accuracy_equals_sklearn(t, truth, exclusive, weights):
    logits = LOGITS[..., : t.shape[1]] if t.ndim == 2 else LOGITS
    decided = [z.argmax(axis=1) if exclusive else z > 0 for z in logits]
    expected = [sk.accuracy_score(truth, d, sample_weight=weights) for d in decided]
    ours = accuracy(logits, t, weights, exclusive=exclusive)
    assert ours.shape == (2,)
    np.testing.assert_allclose(ours, expected, rtol=1e-14)
    np.testing.assert_allclose(
        accuracy(logits[0], t, weights, exclusive=exclusive), expected[0], rtol=1e-14
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_that_sum_to_one_but_for_rounding_are_classes(dtype):
    rows = softmax(LOGITS[0].astype(dtype), axis=1)
    assert (rows.sum(axis=1) != 1.0).any()
    assert SoftmaxCrossEntropy().prepare(rows, 3) is rows
    np.testing.assert_array_equal(
        accuracy(LOGITS, rows, exclusive=True),
        accuracy(LOGITS, rows.argmax(axis=1), exclusive=True),
    )


@weighted
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_r2_equals_sklearn(n_outputs, weights):
    y, t = LOGITS[..., :n_outputs], REALS[:, :n_outputs]
    expected = [sk.r2_score(t, model, sample_weight=weights) for model in y]
    np.testing.assert_allclose(r2(y, t, weights), expected, rtol=1e-13)
    np.testing.assert_allclose(r2(y[0], t, weights), expected[0], rtol=1e-13)


def test_r2_of_constant_targets_equals_sklearn():
    t = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 2.0]])
    y = np.array([[1.0, 1.0, 1.5], [1.0, 2.0, 1.5]])
    assert r2(y, t) == sk.r2_score(t, y) == np.mean([1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("loss", "t", "expected"),
    [
        (SoftmaxCrossEntropy(), CLASSES, accuracy(LOGITS, CLASSES, WEIGHTS, exclusive=True)),
        (BinaryCrossEntropy(), YES_NO, accuracy(LOGITS, YES_NO, WEIGHTS, exclusive=False)),
        (Huber(), REALS, r2(LOGITS, REALS, WEIGHTS)),
        (Poisson(), np.abs(REALS), r2(np.exp(LOGITS), np.abs(REALS), WEIGHTS)),
    ],
    ids=["softmax", "bce", "huber", "poisson"],
)
def test_the_score_goes_with_the_loss(loss, t, expected):
    np.testing.assert_array_equal(score(loss, LOGITS, t, WEIGHTS), expected)
