"""Estimators on streams, against the same estimators on arrays."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from xpnet import Callback, Checkpoint, MLPClassifier, MLPRegressor, Stream

RNG = np.random.RandomState(5)
X = RNG.standard_normal((230, 4)).astype(np.float32)
AMOUNTS = X @ RNG.standard_normal((4, 2)).astype(np.float32)
LABELS = np.array(["b", "c", "a"])[(X[:, 0] > 0.5).astype(int) + (X[:, 1] > 0)]
WEIGHTS = RNG.uniform(0.1, 2.0, 230)
LEARNED = ("coefs_", "intercepts_", "loss_curve_", "n_iter_", "t_", "loss_", "n_features_in_")

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)


def classifier(**options):
    return MLPClassifier((6,), **{"max_iter": 4, "random_state": 0, "shuffle": False} | options)


def regressor(**options):
    options = {"max_iter": 4, "random_state": 0, "shuffle": False} | options
    return MLPRegressor(hidden_layer_sizes=(6,), **options)


def streamed(x=X, y=LABELS, **options):
    return Stream(x, y, **{"block_rows": 25, "buffer_bytes": 1000} | options)


def assert_alike(one, other):
    for name in LEARNED:
        values = (getattr(e, name) for e in (one, other))
        for a, b in zip(*(v if isinstance(v, list) else [v] for v in values), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7, err_msg=name)
    assert one.coefs_[0].dtype == other.coefs_[0].dtype


@pytest.mark.parametrize(
    ("make", "x", "y"),
    [
        (classifier, X, LABELS),
        (classifier, X, LABELS == "a"),
        (classifier, X.astype(np.float64), LABELS),
        (classifier, (8 * X).astype(np.int32), LABELS),
        (classifier, (20 * X + 90).astype(np.uint8), LABELS),
        (classifier, X, np.stack([LABELS == "a", X[:, 2] > 0], axis=1).astype(int)),
        (regressor, X, AMOUNTS[:, 0]),
        (regressor, X, AMOUNTS),
        (regressor, X, np.round(AMOUNTS[:, 0]).astype(int)),
    ],
)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_streams_in_order_are_as_arrays(make, x, y, weights):
    found = make().fit(streamed(x, y, sample_weight=weights))
    expected = make().fit(x, y, sample_weight=weights)
    assert_alike(found, expected)
    np.testing.assert_array_equal(found.predict(x), expected.predict(x))
    if make is classifier:
        np.testing.assert_array_equal(found.classes_, expected.classes_)


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 2.0, "b": 0.5, "c": 1.0}])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_classes_are_weighed_by_all_samples(class_weight, weights):
    options = {"class_weight": class_weight}
    found = classifier(**options).fit(streamed(sample_weight=weights))
    assert_alike(found, classifier(**options).fit(X, LABELS, sample_weight=weights))


def test_a_dict_of_weights_may_leave_classes_out_that_lie_apart():
    order = np.argsort(LABELS, kind="stable")
    options = {"class_weight": {"a": 3.0}}
    found = classifier(**options).fit(streamed(X[order], LABELS[order]))
    assert_alike(found, classifier(**options).fit(X[order], LABELS[order]))


def test_weights_of_classes_are_for_one_class_a_sample():
    labels = np.stack([LABELS == "a", X[:, 2] > 0], axis=1).astype(int)
    with pytest.raises(ValueError, match="class_weight='balanced' is for one class a sample"):
        classifier(class_weight="balanced").fit(streamed(y=labels))


def test_a_fit_that_was_broken_off_in_an_epoch_is_gone_on_with_from_its_parameters():
    class Stop(Callback):
        steers = False

        def on_buffer_end(self, fit):
            fit.stop("enough")

    own = classifier(callbacks=[Stop()], warm_start=True).fit(streamed())
    assert own.stopped_ == "enough"
    own.partial_fit(X, LABELS)
    own.fit(X, LABELS)
    assert own.score(X, LABELS) > 0.3


def test_targets_that_were_changed_are_the_classes():
    changed = streamed(y=np.arange(230)).retargeted(lambda t: t % 2)
    assert classifier().fit(changed).classes_.tolist() == [0, 1]


def test_validation_data_are_watched():
    options = {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 12}
    held_out = (X[:60], LABELS[:60])
    found = classifier(**options).fit(streamed(), validation_data=held_out)
    expected = classifier(**options).fit(X, LABELS, validation_data=held_out)
    assert_alike(found, expected)
    np.testing.assert_allclose(found.validation_scores_, expected.validation_scores_)


def test_early_stopping_holds_out_some_samples():
    found = classifier(early_stopping=True, shuffle=True, validation_fraction=0.2).fit(streamed())
    assert len(found.validation_scores_) == found.n_iter_
    assert found.t_ == 184 * found.n_iter_


def test_shuffled_streams_are_learned_from():
    found = classifier(shuffle=True, max_iter=60, learning_rate_init=0.02).fit(streamed())
    assert found.score(X, LABELS) > 0.9


def test_a_warm_start_goes_on():
    found, expected = classifier(warm_start=True), classifier(warm_start=True)
    for _ in range(2):
        found.fit(streamed())
        expected.fit(X, LABELS)
    assert_alike(found, expected)
    with pytest.raises(ValueError, match=r"X has 3 features.*4 features"):
        found.fit(streamed(X[:, :3]))


def test_a_run_is_resumed(tmp_path):
    expected = classifier(shuffle=True).fit(streamed())
    for epochs in (2, 4):
        saving = [Checkpoint(tmp_path / "run")]
        found = classifier(shuffle=True, max_iter=epochs, callbacks=saving).fit(streamed())
    assert_alike(found, expected)


def test_columns_have_names():
    arrow = pytest.importorskip("pyarrow")
    names = list("pqrs")
    table = arrow.table({**dict(zip(names, X.T, strict=True)), "kind": LABELS})
    found = classifier(warm_start=True).fit(table, "kind")
    assert found.feature_names_in_.tolist() == names
    found.fit(streamed(X, LABELS))
    assert found.feature_names_in_.tolist() == names
    renamed = table.rename_columns([*"pqxs", "kind"])
    with pytest.raises(ValueError, match="the fit before had"):
        found.fit(renamed, "kind")


def test_what_takes_no_stream_says_so():
    with pytest.raises(ValueError, match="another solver than 'lbfgs'"):
        classifier(solver="lbfgs").fit(streamed())
    for own, options in ((classifier(), {"classes": ["a", "b", "c"]}), (regressor(), {})):
        with pytest.raises(TypeError, match="partial_fit takes a batch"):
            own.partial_fit(streamed(), None, **options)


@pytest.mark.parametrize(
    ("y", "told"), [(AMOUNTS[:, 0], "Unknown label type"), (AMOUNTS, "continuous-multioutput")]
)
def test_amounts_are_no_classes(y, told):
    with pytest.raises(ValueError, match=told):
        classifier().fit(streamed(y=y))


def test_targets_are_needed_of_arrays():
    for own in (classifier(), regressor()):
        with pytest.raises(ValueError, match="requires y to be passed"):
            own.fit(X)


def test_nothing_else_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier(shuffle=True).fit(streamed())
