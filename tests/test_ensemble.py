"""Ensembles: members as if each were fitted alone, their mean and their spread."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pandas
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from xpnet import Checkpoint, EarlyStopping, MLPClassifier, MLPRegressor, StackedEnsembleClassifier
from xpnet.stacking import stack

X, Y = make_classification(60, 5, n_informative=4, n_redundant=1, n_classes=3, random_state=0)
LABELS = make_multilabel_classification(60, 5, n_classes=3, random_state=1)[1]
NAMES = np.array(["pear", "fig", "apple"])[Y]
WEIGHTS = np.random.RandomState(2).randint(1, 4, size=60) / 2.0

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def net(**options):
    given = {
        "hidden_layer_sizes": (4,),
        "batch_size": 16,
        "max_iter": 6,
        "learning_rate_init": 0.02,
    }
    return MLPClassifier(**given | options)


def ensemble(n=4, *, random_state=0, **options):
    own = {name: options.pop(name) for name in ("bootstrap", "n_jobs") if name in options}
    return StackedEnsembleClassifier(net(**options), n, random_state=random_state, **own)


def alone(fitted, k, x, y, weights=None):
    """Fit a member's net alone, on its rows, with its seed."""
    rows = fitted.estimators_samples_[k]
    single = clone(fitted.estimator).set_params(random_state=fitted.estimators_[k].random_state)
    weights = None if weights is None else weights[rows]
    return single.fit(x[rows], y[rows], sample_weight=weights)


def assert_members_as_alone(fitted, x, y, weights=None):
    for k, member in enumerate(fitted.estimators_):
        single = alone(fitted, k, x, y, weights)
        for ours, theirs in zip(
            (*member.coefs_, *member.intercepts_),
            (*single.coefs_, *single.intercepts_),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs, strict=True)
        assert member.loss_curve_ == single.loss_curve_
        assert (member.n_iter_, member.t_) == (single.n_iter_, single.t_)
        np.testing.assert_array_equal(member.predict_proba(x), single.predict_proba(x))


KINDS = {
    "as it comes": {},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive", "momentum": 0.5},
    "stopped early": {"early_stopping": True, "n_iter_no_change": 2},
    "dropout": {"dropout": 0.3, "hidden_layer_sizes": (4, 3), "activation": "tanh"},
    "balanced": {"class_weight": "balanced"},
    "tolerance": {"tol": 0.05, "n_iter_no_change": 1, "max_iter": 20},
    "callbacks": {"callbacks": [EarlyStopping("losses", patience=1)]},
    "in order": {"shuffle": False, "batch_size": 7},
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("bootstrap", [True, False])
def test_members_are_as_if_fitted_alone(name, bootstrap):
    fitted = ensemble(bootstrap=bootstrap, **KINDS[name]).fit(X, Y)
    assert_members_as_alone(fitted, X, Y)
    starts = {member.coefs_[0].tobytes() for member in fitted.estimators_}
    assert len(starts) == len(fitted.estimators_)
    if name == "callbacks":
        (given,) = fitted.estimator.callbacks
        own = [member.callbacks_[0] for member in fitted.estimators_]
        assert len({id(callback) for callback in (given, *own)}) == 5
        assert len({callback.best_ for callback in own}) > 1


@pytest.mark.parametrize("y", [Y, Y > 0, NAMES, NAMES.astype(object), LABELS, Y * 2.0])
def test_labels(y):
    fitted = ensemble().fit(X, y, sample_weight=WEIGHTS)
    assert_members_as_alone(fitted, X, y, WEIGHTS)
    p = np.array([member.predict_proba(X) for member in fitted.estimators_])
    mean, std = fitted.predict_proba(X, return_std=True)
    np.testing.assert_allclose(mean, p.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std, p.std(axis=0), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(fitted.predict_proba(X), mean)
    if y.ndim == 2:
        expected = (mean > 0.5).astype(int)
    else:
        expected = np.unique(y)[mean.argmax(axis=1)]
        np.testing.assert_array_equal(fitted.classes_, np.unique(y))
    np.testing.assert_array_equal(fitted.predict(X), expected)
    right = expected == y
    right = right.all(axis=1) if y.ndim == 2 else right
    assert fitted.score(X, y) == right.mean()
    np.testing.assert_allclose(
        fitted.score(X, y, sample_weight=WEIGHTS), np.average(right, weights=WEIGHTS), rtol=1e-12
    )


FRAME = pandas.DataFrame(X, columns=list("abcde"))
TABLES = {
    "float32": X.astype(np.float32),
    "lists": X.tolist(),
    "frame": FRAME,
    "sparse": scipy.sparse.csr_matrix(np.where(X > 0, X, 0.0)),
}


@pytest.mark.parametrize("name", TABLES)
def test_features(name):
    x = TABLES[name]
    fitted = ensemble().fit(x, NAMES)
    rows = np.asarray(x) if isinstance(x, list) else x.to_numpy() if name == "frame" else x
    single = alone(fitted, 1, rows, NAMES)
    np.testing.assert_array_equal(fitted.estimators_[1].coefs_[0], single.coefs_[0], strict=True)
    p = fitted.predict_proba(x)
    assert p.dtype == (np.float32 if name == "float32" else np.float64)
    assert fitted.n_features_in_ == 5
    assert list(getattr(fitted, "feature_names_in_", [])) == (
        list("abcde") if name == "frame" else []
    )
    assert set(fitted.predict(x)) <= set(NAMES)


def test_rows_are_drawn_with_replacement_and_seeds_differ():
    fitted = ensemble(20).fit(X, Y)
    for rows in fitted.estimators_samples_:
        assert rows.shape == (60,)
        assert 25 < len(set(rows)) < 50  # 1 - 1/e of 60 is 38
    assert len({rows.tobytes() for rows in fitted.estimators_samples_}) == 20
    assert len({member.random_state for member in fitted.estimators_}) == 20
    whole = ensemble(3, bootstrap=False).fit(X, Y)
    for rows in whole.estimators_samples_:
        np.testing.assert_array_equal(rows, np.arange(60))


def test_a_seed_repeats_an_ensemble():
    first, again, other = (ensemble(random_state=k).fit(X, Y).predict_proba(X) for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    generator = np.random.RandomState(1)
    np.testing.assert_array_equal(
        ensemble(random_state=generator).fit(X, Y).predict_proba(X), first
    )
    assert (ensemble(random_state=generator).fit(X, Y).predict_proba(X) != first).any()


def test_a_class_that_a_sample_lacks():
    y = np.r_[Y[:-1], 7]  # one sample, which a bootstrap sample lacks with probability 1/e
    fitted = ensemble(8).fit(X, y)
    assert any(59 not in rows for rows in fitted.estimators_samples_)
    assert fitted.classes_.tolist() == [0, 1, 2, 7]
    for member in fitted.estimators_:
        assert member.predict_proba(X).shape == (60, 4)


def test_one_stack(monkeypatch):
    sizes = []
    build = stack.Stack.__init__

    def counted(self, members, record):
        sizes.append(len(members))
        build(self, members, record)

    monkeypatch.setattr(stack.Stack, "__init__", counted)
    ensemble(9).fit(X, Y)
    assert sizes == [9]


def test_jobs_change_nothing():
    one, two = (ensemble(n_jobs=n).fit(X, Y) for n in (None, 2))
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


@pytest.mark.parametrize("library", ["jax", "torch", "array_api_strict"])
def test_backends(library):
    pytest.importorskip(library)
    expected = ensemble().fit(X, Y)
    fitted = StackedEnsembleClassifier(net(backend=library), 4, random_state=0).fit(X, Y)
    np.testing.assert_allclose(fitted.predict_proba(X), expected.predict_proba(X), rtol=1e-6)


def test_tensors_stay_tensors():
    torch = pytest.importorskip("torch")
    x = torch.asarray(X)
    expected = ensemble().fit(X, NAMES)
    fitted = ensemble().fit(x, NAMES)
    p, std = fitted.predict_proba(x, return_std=True)
    assert isinstance(p, torch.Tensor)
    assert isinstance(std, torch.Tensor)
    np.testing.assert_allclose(p.numpy(), expected.predict_proba(X), rtol=1e-6)
    np.testing.assert_array_equal(fitted.predict(x), expected.predict(X))
    assert fitted.score(x, NAMES) == expected.score(X, NAMES)


def test_spread_is_large_where_members_disagree():
    """Far from all samples the spread is larger than among them."""
    x = np.random.RandomState(0).normal(size=(200, 1)) + np.repeat([-4.0, 4.0], 100)[:, None]
    y = np.repeat([0, 1], 100)
    fitted = ensemble(20, max_iter=60, alpha=0.0).fit(x, y)
    _, std = fitted.predict_proba(np.array([[-4.0], [4.0], [0.0]]), return_std=True)
    assert std[2, 0] > 2 * std[:2, 0].max()


@pytest.mark.filterwarnings("default")
def test_what_is_said_once():
    with pytest.warns(ConvergenceWarning, match="4 of 4 fits reached max_iter") as told:
        ensemble().fit(X, Y)
    assert len(told) == 1
    assert told[0].filename == __file__
    with (
        pytest.warns(UserWarning, match="larger than sample size"),
        pytest.warns(ConvergenceWarning),
    ):
        ensemble(batch_size=100).fit(X, Y)


def test_saved_and_copied():
    fitted = ensemble().fit(X, NAMES)
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(other.predict_proba(X), fitted.predict_proba(X))
    assert not hasattr(clone(fitted), "estimators_")


def test_the_given_net_is_left_as_it_is():
    given = net(random_state=5)
    before = given.get_params()
    fitted = StackedEnsembleClassifier(given, 2, random_state=0).fit(X, Y)
    assert given.get_params() == before
    assert not hasattr(given, "coefs_")
    assert fitted.estimators_[0].random_state != 5


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"estimator": MLPRegressor()}, TypeError, "must be xpnet's MLPClassifier"),
        ({"estimator": "net"}, TypeError, "estimator='net'"),
        ({"n_estimators": 0}, ValueError, "n_estimators=0 must be at least 1"),
        ({"n_estimators": 2.0}, TypeError, "n_estimators=2.0 must be an integer"),
        ({"bootstrap": "no"}, TypeError, "bootstrap='no' must be True or False"),
        ({"random_state": "x"}, TypeError, "random_state='x' must be"),
        ({"n_jobs": "two"}, TypeError, "n_jobs='two' must be an integer"),
        ({"progress": 3}, TypeError, "progress=3 must be True, False or a text"),
        ({"estimator": net(solver="lbfgs")}, ValueError, "another solver than 'lbfgs'"),
        ({"estimator": net(callbacks=[Checkpoint("x.npz")])}, ValueError, "no Checkpoint"),
        ({"estimator": net(alpha=-1.0)}, ValueError, "alpha=-1.0"),
    ],
)
def test_bad_parameters(options, kind, message):
    given = {"estimator": net(), "n_estimators": 2} | options
    with pytest.raises(kind, match=re.escape(message)):
        StackedEnsembleClassifier(**given).fit(X, Y)


def test_bad_data():
    fitted = ensemble()
    with pytest.raises(NotFittedError):
        fitted.predict(X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fitted.fit(X, Y[1:])
    with pytest.raises(ValueError, match="sample_weight"):
        fitted.fit(X, Y, sample_weight=-WEIGHTS)
    fitted.fit(X, Y)
    with pytest.raises(ValueError, match="4 features"):
        fitted.predict(X[:, :4])
    with pytest.raises(ValueError, match="Solver produced non-finite"):
        ensemble(solver="sgd", learning_rate_init=1e200).fit(X, Y)


WEIGHTS_CHECKS = dict.fromkeys(
    (
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    ),
    "of other numbers of rows other rows are drawn",
)


# Older scikit-learn hands pytest a generator, which it will no longer take.
CHECKS = parametrize_with_checks(
    [StackedEnsembleClassifier(MLPClassifier(max_iter=60), 3)],
    expected_failed_checks=lambda _: WEIGHTS_CHECKS,
).mark


@pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger:UserWarning")
@pytest.mark.parametrize(CHECKS.args[0], list(CHECKS.args[1]), **CHECKS.kwargs)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
