"""Pictures: what is drawn, not only that something is."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from xpnet import History, plots

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
    [(History(), "history has no losses"), (STACK, r"pass history\.model\(k\)")],
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
        ({"x": X[:, :1]}, r"x has shape \(4, 1\)"),
        ({"x": X * NAN}, "x holds NaN"),
        ({"t": T[:3]}, "x has 4, t has 3"),
        ({"t": np.eye(4)}, r"t has shape \(4, 4\)"),
        ({"predict": lambda p: np.ones((len(p), 3))}, r"predict\(x\) has shape \(40000, 3\)"),
        ({"predict": lambda p: p[:, 0] * NAN}, r"predict\(x\) holds NaN"),
        ({"resolution": 1}, "resolution=1 must be at least 2"),
    ],
)
def test_decision_boundaries_that_cannot_be_drawn(change, message):
    options = {"predict": steep, "x": X, "t": T, **change}
    with pytest.raises(ValueError, match=message):
        plots.plot_decision_boundary(**options)


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


def test_figures_of_pyplot_are_closed_and_ours_are_unknown_to_it(tmp_path):
    from matplotlib import pyplot

    pyplot.close("all")
    plots.plot_history(CURVE)
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
