"""Data of every kind, folds of every kind, weights."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
import scipy.sparse
from searches import (
    LABELS,
    NAMES,
    ONE,
    TARGETS,
    THREE,
    TWO,
    WEIGHTS,
    X,
    classifier,
    compare,
    differ,
    regressor,
)
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
)

from xpnet import StackedRandomizedSearchCV

GRID = {"learning_rate_init": [0.003, 0.03, 0.3], "alpha": [0.0, 1.0]}
SPARSE = np.where(X > 0.3, X, 0.0)
FRAME = pandas.DataFrame(X, columns=["a", "b", "c", "d", "e"])
LABELLINGS = {
    "two": TWO,
    "three": THREE,
    "texts": NAMES,
    "two texts": np.where(TWO, "yes", "no"),
    "truth": TWO > 0,
    "objects": NAMES.astype(object),
    "floats": THREE + 0.0,
    "gaps": THREE * 10 - 7,
    "labels": LABELS,
    "list": NAMES.tolist(),
    "series": pandas.Series(NAMES, name="fruit"),
    "categories": pandas.Series(NAMES, dtype="category"),
}


@pytest.mark.parametrize("name", LABELLINGS)
def test_classes(name):
    found = compare(classifier(), GRID, y=LABELLINGS[name], return_train_score=True)
    assert found.cv_results_["stacked"].all()
    differ(found)


TABLES = {
    "lists": X.tolist(),
    "float32": X.astype(np.float32),
    "fortran": np.asfortranarray(X),
    "integers": np.round(X).astype(np.int16),
    "frame": FRAME,
    "mixed frame": FRAME.assign(a=np.round(X[:, 0]).astype(int), b=X[:, 1].astype(np.float32)),
    "frame of float32": FRAME.astype(np.float32),
    "csr": scipy.sparse.csr_matrix(SPARSE),
    "csc": scipy.sparse.csc_matrix(SPARSE),
    "csr array": scipy.sparse.csr_array(SPARSE),
    "coo": scipy.sparse.coo_matrix(SPARSE),
    "sparse float32": scipy.sparse.csr_matrix(SPARSE.astype(np.float32)),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_features(name, make):
    y = NAMES if make is classifier else TARGETS
    grid = {"learning_rate_init": [0.003, 0.03], "alpha": [0.0, 1.0]}
    found = compare(make(), grid, TABLES[name], y)
    assert found.cv_results_["stacked"].all()
    assert hasattr(found, "feature_names_in_") == ("frame" in name)
    dtype = np.float32 if name in ("float32", "frame of float32", "sparse float32") else np.float64
    assert found.best_estimator_.coefs_[0].dtype == dtype
    differ(found)


@pytest.mark.parametrize(
    "y",
    [
        TARGETS.tolist(),
        pandas.DataFrame(TARGETS, columns=["u", "v"]),
        pandas.Series(ONE),
        ONE.astype(np.float32),
        TARGETS.astype(np.float32),
        np.round(20 * ONE).astype(int),
    ],
    ids=["list", "frame", "series", "float32", "two of float32", "integers"],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_targets(y, dtype):
    grid = {"learning_rate_init": [0.003, 0.01], "alpha": [0.0, 1.0]}
    for scoring in (None, "neg_mean_squared_error"):
        differ(compare(regressor(), grid, X.astype(dtype), y, scoring=scoring))


def test_a_column_of_targets():
    """It is raveled, with scikit-learn's warning."""
    from sklearn.exceptions import DataConversionWarning

    grid = {"learning_rate_init": [0.003, 0.01]}
    compare(regressor(), grid, y=ONE[:, None], ignored=(DataConversionWarning,))


GROUPS = np.repeat(np.arange(8), 8)[:62]
FOLDS = {
    "number": 4,
    "in order": KFold(4),
    "shuffled": KFold(3, shuffle=True, random_state=1),
    "stratified": StratifiedKFold(3, shuffle=True, random_state=2),
    "unequal": PredefinedSplit(np.repeat([-1, 0, 1, 2], [12, 8, 15, 27])),
    "at random": ShuffleSplit(3, test_size=0.3, random_state=0),
    "at random, a part": StratifiedShuffleSplit(2, train_size=0.5, test_size=0.2, random_state=0),
    "repeated": RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0),
    "time": TimeSeriesSplit(3),
    "pairs": [(np.arange(40), np.arange(40, 62)), (np.arange(20, 62), np.arange(20))],
    "lists": [(list(range(40)), list(range(40, 62)))],
    "masks": [(np.arange(62) < 40, np.arange(62) >= 40), (np.arange(62) > 9, np.arange(62) <= 9)],
    "from the end": [(np.arange(-30, 0), np.arange(32))],
    "twice the same rows": [(np.r_[np.arange(40), np.arange(30)], np.r_[np.arange(40, 62)])],
}


@pytest.mark.parametrize("name", FOLDS)
@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_folds(name, scoring):
    options = {"cv": FOLDS[name], "scoring": scoring, "return_train_score": True}
    found = compare(classifier(), GRID, y=NAMES, **options)
    assert found.cv_results_["stacked"].all()
    differ(found)


@pytest.mark.parametrize(
    "cv",
    [GroupKFold(3), LeaveOneGroupOut(), StratifiedGroupKFold(3)],
    ids=lambda cv: type(cv).__name__,
)
def test_folds_of_groups(cv):
    found = compare(classifier(), GRID, y=THREE, cv=cv, fit={"groups": GROUPS})
    assert found.n_splits_ == (8 if isinstance(cv, LeaveOneGroupOut) else 3)


def test_a_generator_of_folds():
    """It serves for one search: each has its own."""
    from searches import StackedGridSearchCV, learned, quietly
    from sklearn.model_selection import GridSearchCV

    searches = [
        quietly(kind(classifier(), GRID, cv=KFold(3).split(X)), X, THREE)
        for kind in (StackedGridSearchCV, GridSearchCV)
    ]
    ours, theirs = map(learned, searches)
    assert ours == theirs


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize("weights", [WEIGHTS, WEIGHTS.tolist(), pandas.Series(WEIGHTS), None])
def test_sample_weights(make, weights):
    y = THREE if make is classifier else ONE
    grid = {"learning_rate_init": [0.003, 0.03], "early_stopping": [False, True]}
    scoring = "neg_log_loss" if make is classifier else "neg_mean_absolute_error"
    for own in (None, scoring):
        fit = {"sample_weight": weights}
        found = compare(make(), grid, y=y, fit=fit, scoring=own, return_train_score=True)
        assert found.cv_results_["stacked"].all()
        plain = compare(make(), grid, y=y, scoring=own)
        same = plain.cv_results_["mean_test_score"] == found.cv_results_["mean_test_score"]
        assert same.all() if weights is None else not same.all()


def test_zero_weights():
    weights = np.where(np.arange(62) % 3, WEIGHTS, 0.0)
    differ(compare(classifier(), GRID, y=THREE, fit={"sample_weight": weights}))


def test_weights_of_samples_and_classes():
    unequal = np.where(np.arange(62) % 2, THREE, 0)
    grid = {
        "class_weight": [None, "balanced", {0: 1.0, 1: 4.0, 2: 0.5}],
        "early_stopping": [False, True],
        "dropout": [0.0, 0.2],
    }
    fit = {"sample_weight": WEIGHTS}
    differ(compare(classifier(), grid, y=unequal, fit=fit, scoring="neg_log_loss"))


def test_weights_of_several_labels():
    grid = {"class_weight": [None, "balanced", [{0: 1.0, 1: 2.0}] * 3]}
    differ(compare(classifier(), grid, y=LABELS, scoring="roc_auc"))


def test_random_search_of_sparse_texts():
    drawn = {"learning_rate_init": [0.003, 0.03, 0.3], "batch_size": [8, 16]}
    options = {"kind": StackedRandomizedSearchCV, "n_iter": 4, "random_state": 3}
    x = scipy.sparse.csr_matrix(SPARSE)
    differ(compare(classifier(), drawn, x, NAMES, fit={"sample_weight": WEIGHTS}, **options))
