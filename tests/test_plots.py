"""Pictures: what is drawn, not only that something is."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.neural_network
from sklearn.datasets import load_iris, make_moons
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from xpnet import Dense, History, MLPClassifier, MLPRegressor, Network, Trainer, backends, plots

pytest.importorskip("matplotlib")

NAN = float("nan")
CURVE = History(losses=[0.7, 0.5, 0.4], val_losses=[0.8, 0.6, 0.5], step_losses=[1.0, 0.5])
STACK = History(losses=[np.array([0.7, 0.9]), np.array([0.6, 0.8])])


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def pixels(ax):
    """Return the drawn figure as an array of shape (height, width, 3) in [0, 1]."""
    ax.figure.canvas.draw()
    return np.asarray(ax.figure.canvas.buffer_rgba())[..., :3] / 255.0


def pixel_at(ax, x, y):
    image = pixels(ax)
    column, row = ax.transData.transform((x, y))
    return image[round(image.shape[0] - 1 - row), round(column)]


def test_a_history_is_drawn_over_its_epochs():
    ax = plots.plot_history(CURVE)
    train, validation = ax.lines
    np.testing.assert_array_equal(train.get_xydata(), [[1, 0.7], [2, 0.5], [3, 0.4]])
    np.testing.assert_array_equal(validation.get_ydata(), CURVE.val_losses)
    assert labels(ax) == ["training", "validation"]
    assert (train.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_a_history_without_validation_is_one_line():
    ax = plots.plot_history(History(losses=[0.7, 0.5]), label="sgd")
    assert labels(ax) == ["sgd"]


def test_several_histories_share_axes_in_a_colour_each():
    ax = plots.plot_history(CURVE, label="sgd")
    assert plots.plot_history(CURVE, ax=ax, label="adam") is ax
    plots.plot_history(History(losses=[0.7, 0.5]), ax=ax, label="lion")
    assert labels(ax) == [
        "sgd, training",
        "sgd, validation",
        "adam, training",
        "adam, validation",
        "lion",
    ]
    colours = [line.get_color() for line in ax.lines]
    assert colours[0] == colours[1]
    assert colours[2] == colours[3]
    assert len(set(colours)) == 3


def test_one_epoch_is_a_visible_point():
    ax = plots.plot_history(History(losses=[0.7]))
    assert ax.lines[0].get_marker() == "o"
    assert (pixels(ax) - [0.0, 0x72 / 255, 0xB2 / 255] == 0).all(axis=-1).any()


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (History(), "history_or_estimator has no losses"),
        (STACK, r"pass history_or_estimator\.model\(k\)"),
    ],
)
def test_histories_that_make_no_picture(history, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_history(history)


def test_each_model_of_a_stack_makes_a_picture():
    ax = plots.plot_history(STACK.model(1))
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [0.9, 0.8])


def test_histories_are_compared_by_name():
    runs = {"a": CURVE, "b": History(losses=[0.1, 0.2], val_losses=[0.3])}
    ax = plots.compare_histories(runs)
    assert labels(ax) == ["a", "b"]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.7, 0.5, 0.4], [0.1, 0.2]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "training loss")
    other = plots.compare_histories(runs, curve="val_losses")
    assert other is not ax
    assert [line.get_ydata().tolist() for line in other.lines] == [[0.8, 0.6, 0.5], [0.3]]
    assert plots.compare_histories(runs, ax=ax) is ax


def test_losses_of_steps_are_drawn_over_steps():
    ax = plots.compare_histories({"a": CURVE}, curve="step_losses")
    assert ax.get_xlabel() == "step"
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[1, 1.0], [2, 0.5]])


def test_many_histories_stay_apart():
    ax = plots.compare_histories({str(k): CURVE for k in range(20)})
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 20
    assert len(plots.compare_histories({str(k): CURVE for k in range(40)}).lines) == 40


@pytest.mark.parametrize(
    ("histories", "curve", "message"),
    [
        ({}, "losses", "histories is empty"),
        ({"a": CURVE, "b": History(losses=[1.0])}, "val_losses", r"histories\['b'\] has no val_lo"),
        ({"a": CURVE}, "val_loses", "Did you mean 'val_losses'"),
        ({"a": STACK}, "losses", r"histories\['a'\]\.model\(k\)"),
    ],
)
def test_histories_that_cannot_be_compared(histories, curve, message):
    with pytest.raises(ValueError, match=message):
        plots.compare_histories(histories, curve=curve)


X = np.array([[-1.0, 0.0], [1.0, 0.5], [-0.5, 1.0], [0.8, -1.0]])
T = np.array([0, 1, 0, 1])


def steep(points):
    return 1.0 / (1.0 + np.exp(-20.0 * (points[:, :1] - 0.25)))


def test_probabilities_are_a_surface_with_a_boundary_at_one_half():
    ax = plots.plot_decision_boundary(steep, X, T)
    assert labels(ax) == ["class 0", "class 1"]
    (boundary,) = (c for c in ax.collections if list(getattr(c, "levels", [])) == [0.5])
    vertices = np.concatenate([p.vertices for p in boundary.get_paths()])
    np.testing.assert_allclose(vertices[:, 0], 0.25, atol=2e-3)
    red, _, blue = pixel_at(ax, -0.7, -0.5)
    assert blue > red + 0.1
    red, _, blue = pixel_at(ax, 0.6, -0.3)
    assert red > blue + 0.1


def test_points_lie_where_the_samples_are_and_bear_their_class():
    ax = plots.plot_decision_boundary(steep, X, T[:, None])
    zero, one = (c for c in ax.collections if c.get_label().startswith("class"))
    np.testing.assert_array_equal(zero.get_offsets(), X[T == 0])
    np.testing.assert_array_equal(one.get_offsets(), X[T == 1])
    assert (zero.get_facecolor() != one.get_facecolor()).any()
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    assert x0 < -1 < 1 < x1
    assert y0 < -1 < 1 < y1


def test_classes_are_regions():
    def quadrant(points):
        return (points[:, 0] > 0) + 2 * (points[:, 1] > 0)

    x = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    ax = plots.plot_decision_boundary(quadrant, x, [0, 1, 2, 3], resolution=50)
    assert labels(ax) == ["class 0", "class 1", "class 2", "class 3"]
    colours = {tuple(pixel_at(ax, *(0.5 * corner))) for corner in x}
    assert len(colours) == 4


def test_a_class_without_samples_is_a_region_but_not_in_the_legend():
    ax = plots.plot_decision_boundary(lambda p: np.where(p[:, 0] > 0, 2, 0), X, T)
    assert labels(ax) == ["class 0", "class 1"]
    assert tuple(pixel_at(ax, -0.9, -0.9)) != tuple(pixel_at(ax, 0.9, 0.9))


def test_a_constant_answer_is_drawn_too():
    ax = plots.plot_decision_boundary(lambda p: np.full(len(p), 0.3), X, T, resolution=5)
    assert labels(ax) == ["class 0", "class 1"]
    one_point = plots.plot_decision_boundary(lambda p: -0.0 * p[:, 0] ** 2, X[:1], T[:1])
    assert labels(one_point) == ["class 0"]


def test_the_grid_is_as_fine_as_asked_and_the_axes_are_the_callers():
    seen = []

    def predict(points):
        seen.append(points.shape)
        return points[:, 0] > 0

    ax = plots.plot_history(CURVE)
    assert plots.plot_decision_boundary(predict, X, T, ax=ax, resolution=17) is ax
    assert seen == [(17 * 17, 2)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": X[:, :1]}, r"X has shape \(4, 1\)"),
        ({"X": X * NAN}, "X holds NaN"),
        ({"X": pd.DataFrame(X * NAN)}, "X holds NaN"),
        ({"y": T[:3]}, "X has 4, y has 3"),
        ({"y": np.eye(4)}, r"y has shape \(4, 4\)"),
        ({"y": T * NAN}, "y holds NaN"),
        ({"y": [0, 1, 2, 0]}, r"two classes apart; y has 3: \[0, 1, 2\]"),
        ({"f": lambda p: np.ones((len(p), 3))}, r"predict\(X\) has shape \(40000, 3\)"),
        ({"f": lambda p: p[:, 0] * NAN}, r"predict\(X\) holds NaN"),
        ({"f": lambda p: p[:, 0] > 0, "y": list("abab")}, r"returns the classes \[.*y has others"),
        ({"resolution": 1}, "resolution=1 must be at least 2"),
    ],
)
def test_decision_boundaries_that_cannot_be_drawn(change, message):
    options = {"X": X, "y": T, **change}
    with pytest.raises(ValueError, match=message):
        plots.plot_decision_boundary(options.pop("f", steep), **options)


def test_data_frames_need_numbers():
    with pytest.raises(TypeError, match="X has dtype"):
        plots.plot_decision_boundary(steep, pd.DataFrame({"a": list("abab"), "b": T}), T)


MOONS, CODES = make_moons(60, noise=0.2, random_state=0)
NAMES = np.array(["healthy", "ill"])[CODES]
SMALL = {"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 6, "learning_rate_init": 0.01}
BOTH = pytest.mark.parametrize(
    "make", [MLPClassifier, sklearn.neural_network.MLPClassifier], ids=["xpnet", "sklearn"]
)


def fitted(make=MLPClassifier, X=MOONS, y=NAMES, validation_data=None, **changes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        extra = {} if validation_data is None else {"validation_data": validation_data}
        return make(**{**SMALL, **changes}).fit(X, y, **extra)


@BOTH
def test_the_curve_of_an_estimator_is_drawn(make):
    clf = fitted(make)
    (line,) = plots.plot_history(clf).lines
    np.testing.assert_array_equal(line.get_xdata(), range(1, 7))
    np.testing.assert_array_equal(line.get_ydata(), clf.loss_curve_)
    ax = plots.plot_history(CURVE)
    assert plots.plot_history(clf, ax=ax, label="net") is ax
    assert labels(ax) == ["training", "validation", "net"]


@pytest.mark.parametrize("make", [MLPRegressor, sklearn.neural_network.MLPRegressor])
def test_the_curve_of_a_regressor_is_drawn(make):
    reg = fitted(make, y=MOONS[:, 0])
    np.testing.assert_array_equal(plots.plot_history(reg).lines[0].get_ydata(), reg.loss_curve_)


def test_validation_losses_of_an_estimator_are_dashed():
    clf = fitted(validation_data=(MOONS, NAMES))
    ax = plots.plot_history(clf)
    train, held_out = ax.lines
    np.testing.assert_array_equal(train.get_ydata(), clf.history_.losses)
    np.testing.assert_array_equal(held_out.get_ydata(), clf.history_.val_losses)
    assert held_out.get_linestyle() == "--"
    (scores,) = plots.plot_history(clf, curve="scores").lines
    np.testing.assert_array_equal(scores.get_ydata(), clf.history_.val_scores)


@BOTH
def test_the_epoch_that_early_stopping_kept_is_marked(make):
    clf = fitted(make, early_stopping=True, max_iter=40)
    best = 1 + int(np.argmax(clf.validation_scores_))
    ax = plots.plot_history(clf)
    *lines, mark = ax.lines
    np.testing.assert_array_equal(lines[0].get_ydata(), clf.loss_curve_)
    assert mark.get_xydata().tolist() == [[best, lines[-1].get_ydata()[best - 1]]]
    assert mark.get_marker() == "o"
    assert labels(ax)[-1] == f"best epoch: {best}"
    scores, mark = plots.plot_history(clf, curve="scores", label="net").lines
    np.testing.assert_array_equal(scores.get_ydata(), clf.validation_scores_)
    assert mark.get_xydata().tolist() == [[best, clf.best_validation_score_]]
    assert mark.get_label() == f"net, best epoch: {best}"


def test_early_stopping_has_a_validation_loss():
    clf = fitted(early_stopping=True)
    _, held_out, _ = plots.plot_history(clf).lines
    np.testing.assert_array_equal(held_out.get_ydata(), clf.validation_loss_curve_)


def test_a_history_has_scores_too():
    history = History(losses=[0.7, 0.6], scores=[0.5, 0.7], val_scores=[0.4, 0.6])
    ax = plots.plot_history(history, curve="scores")
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.5, 0.7], [0.4, 0.6]]
    assert (labels(ax), ax.get_ylabel()) == (["training", "validation"], "score")


@BOTH
def test_epochs_of_all_fits_are_drawn(make):
    clf = make(**SMALL)
    for _ in range(3):
        clf.partial_fit(MOONS, NAMES, classes=["healthy", "ill"])
    (line,) = plots.plot_history(clf).lines
    np.testing.assert_array_equal(line.get_ydata(), clf.loss_curve_)
    assert len(clf.loss_curve_) == 3


def test_validation_of_some_fits_only_begins_with_them():
    clf = fitted(warm_start=True)
    with pytest.warns(ConvergenceWarning):
        clf.fit(MOONS, NAMES, validation_data=(MOONS, NAMES))
    train, held_out = (line.get_ydata() for line in plots.plot_history(clf).lines)
    assert (len(train), len(held_out)) == (12, 12)
    assert np.isnan(held_out[:6]).all()
    np.testing.assert_array_equal(held_out[6:], clf.history_.val_losses)
    assert [len(line.get_ydata()) for line in plots.plot_history(clf.history_).lines] == [6, 6]


def test_the_curve_of_a_run_that_diverged_is_drawn():
    reg = MLPRegressor(
        activation="identity",
        solver="sgd",
        learning_rate_init=1e3,
        early_stopping=True,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match="best parameters are kept"):
        reg.fit(MOONS, MOONS[:, 0])
    train, held_out, _ = plots.plot_history(reg).lines
    assert np.isnan(reg.loss_curve_[-1])
    np.testing.assert_array_equal(train.get_ydata(), reg.loss_curve_)
    np.testing.assert_array_equal(held_out.get_ydata(), reg.history_.val_losses)


def test_estimators_and_histories_are_compared():
    ours, stock = fitted(), fitted(sklearn.neural_network.MLPClassifier)
    runs = [("ours", ours), ("stock", stock), ("by hand", CURVE)]
    for histories in (runs, iter(runs), dict(runs)):
        ax = plots.compare_histories(histories)
        assert labels(ax) == ["ours", "stock", "by hand"]
        for line, curve in zip(
            ax.lines, (ours.loss_curve_, stock.loss_curve_, CURVE.losses), strict=True
        ):
            np.testing.assert_array_equal(line.get_ydata(), curve)
    assert plots.compare_histories(runs, ax=ax) is ax
    stopped = [fitted(r.__class__, early_stopping=True) for r in (ours, stock)]
    ax = plots.compare_histories(zip("ab", stopped, strict=True), curve="val_scores")
    for line, clf in zip(ax.lines, stopped, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), clf.validation_scores_)


def trainer():
    return Trainer(Network([Dense(2, 1)]), "binary_cross_entropy")


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (lambda: MLPClassifier(), NotFittedError, "this MLPClassifier is not fitted; call its fit"),
        (sklearn.neural_network.MLPClassifier, NotFittedError, "call its fit first"),
        (
            lambda: fitted(solver="lbfgs"),
            ValueError,
            "MLPClassifier without a loss.*'adam' or 'sgd",
        ),
        (lambda: fitted(SVC_), ValueError, "is a SVC without a loss curve. MLPClassifier"),
        (lambda: pipeline().fit(MOONS, NAMES), ValueError, r"Pass its last step, pipeline\[-1\]"),
        (lambda: search().fit(MOONS, NAMES), ValueError, "Pass its best_estimator_"),
        (trainer, ValueError, "of a Trainer pass what its fit returns"),
        (lambda: fitted_trainer(), ValueError, "Pass its history_"),
        (lambda: MLPClassifier, TypeError, "must be a History, or a fitted estimator"),
        (lambda: None, TypeError, "=None must be a History, or a fitted estimator"),
        (lambda: [0.5, 0.4], TypeError, "must be a History, or a fitted estimator"),
    ],
)
def test_what_has_no_curve(source, error, message):
    source = source()
    with pytest.raises(error, match="history_or_estimator.*" + message):
        plots.plot_history(source)
    with pytest.raises(error, match=r"histories\['a'\].*" + message):
        plots.compare_histories({"a": source})


def SVC_(**ignored):
    return SVC()


def pipeline():
    return make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=3))


def search():
    return GridSearchCV(pipeline(), {"decisiontreeclassifier__max_depth": [2]}, cv=2)


def fitted_trainer():
    net = trainer()
    net.fit(MOONS, CODES, epochs=1)
    return net


@pytest.mark.parametrize("histories", [[CURVE], CURVE, 3, [("a", CURVE, "b")], "ab"])
def test_histories_come_in_pairs(histories):
    with pytest.raises(TypeError, match=r"must be a mapping .*, or a sequence of pairs"):
        plots.compare_histories(histories)


@pytest.mark.parametrize("histories", [[], iter(())])
def test_no_pairs_make_no_picture(histories):
    with pytest.raises(ValueError, match="histories is empty"):
        plots.compare_histories(histories)


def test_ticks_that_the_caller_has_set_stay():
    ax = plots.plot_history(CURVE)
    ax.set_xticks([1, 2.5])
    plots.plot_history(CURVE, ax=ax)
    assert ax.get_xticks().tolist() == [1, 2.5]


def surface(ax):
    """The numbers that the filled contours were drawn of."""
    (fill,) = (c for c in ax.collections if len(getattr(c, "levels", [])) == 11)
    return fill


def boundary_of(ax):
    (line,) = (c for c in ax.collections if list(getattr(c, "levels", [])) == [0.5])
    return np.concatenate([path.vertices for path in line.get_paths()])


@BOTH
def test_the_probability_of_two_classes_is_drawn(make):
    clf = fitted(make, max_iter=60, learning_rate_init=0.05)
    ax = plots.plot_decision_boundary(clf, MOONS, NAMES)
    assert labels(ax) == ["healthy", "ill"]
    assert surface(ax).colorbar.ax.get_ylabel() == "probability of ill"
    np.testing.assert_allclose(clf.predict_proba(boundary_of(ax))[:, 1], 0.5, atol=0.02)
    sick, well = (MOONS[np.argmax(s * clf.predict_proba(MOONS)[:, 1])] for s in (1, -1))
    ax.collections[-1].remove()
    ax.collections[-1].remove()
    red, _, blue = pixel_at(ax, *sick)
    assert red > blue + 0.1
    red, _, blue = pixel_at(ax, *well)
    assert blue > red + 0.1


def test_pipelines_searches_and_trees_have_boundaries():
    for model in (pipeline(), search(), DecisionTreeClassifier()):
        ax = plots.plot_decision_boundary(
            model.fit(MOONS, CODES), MOONS.tolist(), pd.Series(CODES), resolution=20
        )
        assert labels(ax) == ["class 0", "class 1"]
        assert surface(ax).colorbar.ax.get_ylabel() == "probability of class 1"


def test_without_probabilities_classes_are_regions():
    clf = SVC(gamma=2.0).fit(MOONS, NAMES)
    ax = plots.plot_decision_boundary(clf, MOONS, NAMES, resolution=50)
    assert labels(ax) == ["healthy", "ill"]
    assert len(ax.figure.axes) == 1  # no colour bar


@pytest.mark.parametrize("kind", [bool, float, np.int16])
def test_classes_of_any_kind_have_names(kind):
    y = CODES.astype(kind)
    ax = plots.plot_decision_boundary(SVC().fit(MOONS, y), MOONS, y, resolution=20)
    assert labels(ax) == (["class False", "class True"] if kind is bool else ["class 0", "class 1"])


@BOTH
def test_data_frames_name_the_axes_and_reach_the_estimator(make):
    iris = load_iris(as_frame=True)
    X, y = iris.data.iloc[:, 2:], pd.Series(iris.target_names[iris.target])
    clf = fitted(make, X, y, max_iter=100, learning_rate_init=0.05)
    ax = plots.plot_decision_boundary(clf, X, y.astype("category"))  # feature names: no warning
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("petal length (cm)", "petal width (cm)")
    assert labels(ax) == ["setosa", "versicolor", "virginica"]
    points = [c for c in ax.collections if c.get_label() in {*y}]
    for k, name in enumerate(iris.target_names):
        np.testing.assert_array_equal(points[k].get_offsets(), X[y == name])
    for collection in points:
        collection.remove()
    corners = pd.DataFrame([[1.5, 0.4], [4.0, 1.2], [6.5, 2.3]], columns=X.columns)
    assert clf.predict(corners).tolist() == [*iris.target_names]
    assert len({tuple(pixel_at(ax, *corner)) for corner in corners.to_numpy()}) == 3


def test_nullable_data_frames_are_numbers():
    X = pd.DataFrame({"a": pd.array(MOONS[:, 0], dtype="Float64"), "b": pd.array(CODES, "Int64")})
    ax = plots.plot_decision_boundary(fitted(X=X), X, NAMES, resolution=20)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")


def test_columns_without_names_name_no_axes():
    X = pd.DataFrame(MOONS)
    ax = plots.plot_decision_boundary(fitted(X=X), X, NAMES, resolution=20)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("", "")


@pytest.mark.parametrize("name", ["torch", "jax", "array_api_strict"])
def test_points_are_of_the_library_of_the_data(name):
    if not backends.available()[name].usable:
        pytest.skip(f"no {name}")
    from sklearn import config_context

    backend = backends.get(name)
    X = backend.asarray(MOONS.astype("float32"))
    with config_context(array_api_dispatch=True):
        ax = plots.plot_decision_boundary(fitted(X=X, y=CODES), X, CODES, resolution=20)
    assert labels(ax) == ["class 0", "class 1"]


def test_functions_may_return_names():
    ax = plots.plot_decision_boundary(lambda p: np.where(p[:, 0] > 0, "a", "b"), X, list("baba"))
    assert labels(ax) == ["a", "b"]
    ax = plots.plot_decision_boundary(steep, X, list("baba"))
    assert surface(ax).colorbar.ax.get_ylabel() == "probability of b"


def test_a_lone_class_keeps_its_colour():
    (*_, both), (*_, alone) = (
        plots.plot_decision_boundary(steep, X[rows], T[rows], resolution=20).collections
        for rows in (slice(None), T == 1)
    )
    assert both.get_label() == alone.get_label() == "class 1"
    np.testing.assert_array_equal(both.get_facecolor(), alone.get_facecolor())


def test_regions_that_touch_have_no_third_between_them():
    def predict(points):
        return np.where(points[:, 0] > 0, 2, 0)

    ax = plots.plot_decision_boundary(predict, X, 2 * T, resolution=20)
    regions = [c for c in ax.collections if list(getattr(c, "levels", [])) == [0.5, 1.5]]
    assert len(regions) == 2


def test_ten_classes_have_ten_looks_and_a_legend_beside_them():
    X = np.stack([np.arange(10.0), np.arange(10.0) % 3], axis=1)
    ax = plots.plot_decision_boundary(lambda p: np.round(p[:, 0].clip(0, 9)), X, range(10))
    looks = {tuple(c.get_facecolor()[0]) for c in ax.collections if c.get_label()[:5] == "class"}
    assert len(looks) == 10
    pixels(ax)
    assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1
    assert ax.get_legend().get_window_extent().x1 <= ax.figure.bbox.x1


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (lambda: MLPClassifier(), NotFittedError, "this MLPClassifier is not fitted; call its fit"),
        (pipeline, NotFittedError, "this Pipeline is not fitted; call its fit first"),
        (MLPRegressor, TypeError, "is a MLPRegressor, which is no classifier"),
        (sklearn.neural_network.MLPRegressor, TypeError, "is a MLPRegressor, which is no classif"),
        (trainer, TypeError, "is a Trainer, which is no classifier.*such as its predict"),
        (lambda: MLPClassifier, TypeError, "must be a fitted classifier, or a function"),
        (lambda: None, TypeError, "=None must be a fitted classifier, or a function"),
    ],
)
def test_what_has_no_boundary(model, error, message):
    with pytest.raises(error, match="predict_or_estimator.*" + message):
        plots.plot_decision_boundary(model(), MOONS, NAMES)


def test_classes_that_a_classifier_does_not_know():
    with pytest.raises(ValueError, match=r"y holds 0, which is none of the classes \['healthy', '"):
        plots.plot_decision_boundary(fitted(), MOONS, CODES)


def test_a_classifier_of_four_features_has_no_plane():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"X has shape \(150, 4\); \(samples, 2\) is needed"):
        plots.plot_decision_boundary(fitted(X=X, y=y), X, y)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def pyplot():
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


@pytest.mark.parametrize("method", ["predict", "predict_proba", "auto"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scikit_learn_displays_decision_boundaries(pyplot, method, n_classes):
    from sklearn.inspection import DecisionBoundaryDisplay

    iris = load_iris(as_frame=True)
    rows = iris.target < n_classes
    X, y = iris.data.loc[rows].iloc[:, :2], iris.target_names[iris.target[rows]]
    ax = pyplot.figure().add_subplot()
    display = DecisionBoundaryDisplay.from_estimator(
        fitted(X=X, y=y), X, response_method=method, grid_resolution=10, ax=ax
    )
    assert display.ax_ is ax
    assert ax.get_xlabel() == "sepal length (cm)"


def test_scikit_learn_displays_decision_boundaries_of_a_regressor(pyplot):
    from sklearn.inspection import DecisionBoundaryDisplay

    reg = fitted(MLPRegressor, y=MOONS[:, 0])
    display = DecisionBoundaryDisplay.from_estimator(reg, MOONS, grid_resolution=10)
    assert display.response.shape == (10, 10)


@pytest.mark.parametrize(("make", "y"), [(MLPClassifier, NAMES), (MLPRegressor, MOONS[:, 0])])
def test_scikit_learn_displays_learning_and_validation_curves(pyplot, make, y):
    from sklearn.model_selection import LearningCurveDisplay, ValidationCurveDisplay

    net = make(solver="lbfgs", hidden_layer_sizes=(4,), alpha=1.0, random_state=0, max_iter=1000)
    curve = LearningCurveDisplay.from_estimator(
        net, MOONS, y, cv=2, train_sizes=[0.5, 1.0], shuffle=True, random_state=0
    )
    assert np.isfinite(curve.test_scores).all()
    curve = ValidationCurveDisplay.from_estimator(
        net, MOONS, y, cv=2, param_name="alpha", param_range=[0.1, 1.0]
    )
    assert curve.test_scores.shape == (2, 2)
    assert np.isfinite(curve.test_scores).all()


def test_a_heat_map_shows_numbers_and_what_was_not_run():
    values = [[1e-12, 2e-9, NAN], [0.5, 0.25, 1.0]]
    ax = plots.heat_map(values, ["sgd", "adam"], ["a", "b", "c"], title="T", label="difference")
    assert [t.get_text() for t in ax.texts] == ["1e-12", "2e-09", "not run", "0.5", "0.25", "1"]
    assert [t.get_position() for t in ax.texts][:4] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["sgd", "adam"]
    assert ax.get_title() == "T"
    assert ax.images[0].colorbar.ax.get_ylabel() == "difference"
    assert ax.images[0].get_clim() == (1e-12, 1.0)
    (hatched,) = ax.patches
    assert hatched.get_hatch()
    assert hatched.get_xy() == (1.5, -0.5)
    red, green, blue = pixel_at(ax, 2.4, -0.4)
    assert red == green == blue


def test_the_text_of_a_heat_map_can_be_read():
    ax = plots.heat_map([[0.0, 1.0]], ["r"], ["a", "b"])
    assert [t.get_color() for t in ax.texts] == ["white", "black"]


def test_a_heat_map_keeps_to_the_scale_it_is_given():
    ax = plots.heat_map([[-np.inf, 0.0, 9.0]], ["r"], ["a", "b", "c"], vmin=-1.0, vmax=1.0)
    assert ax.images[0].get_clim() == (-1.0, 1.0)
    assert [t.get_text() for t in ax.texts] == ["-inf", "0", "9"]
    dark, _, light = (pixel_at(ax, k - 0.4, 0.3) for k in range(3))
    assert light.sum() > dark.sum() + 1


def test_a_heat_map_of_nothing_run():
    ax = plots.heat_map([[NAN], [NAN]], ["a", "b"], ["c"])
    assert [t.get_text() for t in ax.texts] == ["not run", "not run"]
    assert len(pixels(ax))


def test_a_heat_map_uses_the_callers_axes_and_slants_long_labels():
    ax = plots.plot_history(CURVE)
    names = ["array_api_strict device1", "b"]
    assert plots.heat_map([[1.0, 2.0]], ["r"], names, ax=ax) is ax
    assert ax.get_xticklabels()[0].get_rotation() == 35


@pytest.mark.parametrize(
    ("values", "rows", "columns"),
    [([[1.0, 2.0]], ["r"], ["a"]), ([1.0], ["r"], ["a"]), (np.zeros((0, 1)), [], ["a"])],
)
def test_labels_must_fit_the_table(values, rows, columns):
    with pytest.raises(ValueError, match="values has shape"):
        plots.heat_map(values, rows, columns)


def test_pictures_are_png_files_of_150_dots_an_inch(tmp_path):
    from matplotlib.image import imread

    path = tmp_path / "some" / "folder" / "curve.png"
    assert plots.save(plots.plot_history(CURVE), path) == path
    assert path.read_bytes().startswith(b"\x89PNG")
    image = imread(path)
    assert image.shape[:2] == (600, 960)
    np.testing.assert_array_equal(image[0, 0, :3], 1.0)
    again = plots.save(plots.plot_history(CURVE).figure, str(tmp_path / "again.PNG"))
    np.testing.assert_array_equal(imread(again, format="png"), image)


def test_new_figures_are_pyplots_where_it_is_in_use(tmp_path):
    from matplotlib import pyplot

    pyplot.close("all")
    ax = plots.plot_history(CURVE)
    assert pyplot.gcf() is ax.figure
    assert pyplot.gca() is ax
    plots.save(ax, tmp_path / "whole.png")
    assert pyplot.get_fignums() == []
    figure = pyplot.figure()
    ax = figure.subfigures(1, 2)[0].add_subplot()
    plots.plot_history(CURVE, ax=ax)
    plots.save(ax, tmp_path / "part.png")
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("name", ["curve.pdf", "curve", "folder.png"])
def test_only_png_files_are_written(tmp_path, name):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match=r"must be a file that ends in \.png"):
        plots.save(plots.plot_history(CURVE), tmp_path / name)


@pytest.mark.parametrize("value", [None, "figure", 3])
def test_only_figures_and_axes_are_written(tmp_path, value):
    with pytest.raises(TypeError, match="must be a matplotlib Figure or Axes"):
        plots.save(value, tmp_path / "a.png")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.plot_history(CURVE),
        lambda: plots.compare_histories({"a": CURVE}),
        lambda: plots.plot_decision_boundary(steep, X, T),
        lambda: plots.heat_map([[1.0]], ["r"], ["c"]),
        lambda: plots.check_path("a.png"),
    ],
)
def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch, draw):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'xpnet\[plots\]'"):
        draw()


def test_no_display_and_no_pyplot_are_needed(tmp_path):
    code = (
        "import sys; from xpnet import History, plots; "
        "assert 'matplotlib' not in sys.modules; "
        "print(plots.save(plots.plot_history(History(losses=[1.0, 0.5])), sys.argv[1])); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "DISPLAY")}
    path = str(tmp_path / "a.png")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, path],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, path, "")
