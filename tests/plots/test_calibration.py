"""Figure of calibration: what its artists show."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from bayeslaw.forecasting.scores import PERCENTS
from bayeslaw.plots.calibration import plot_calibration


def scores_of(pit: np.ndarray) -> xr.Dataset:
    """Scores, as of `bayeslaw.score`, from PIT values, (curve, run)."""
    values = {"pit": ("run", pit.ravel())}
    for percent in PERCENTS:
        inside = np.abs(pit.ravel() - 0.5) < percent / 200
        values[f"covered_{percent}"] = ("run", inside.astype(float))
    task = np.repeat([f"task {i}" for i in range(len(pit))], pit.shape[1])
    return xr.Dataset(values, {"task": ("run", task)}, {"groups": ["task"]})


def random_pit(curves: int, runs: int = 8) -> np.ndarray:
    return np.random.default_rng(1).uniform(size=(curves, runs))


def line(axis: Axes) -> np.ndarray:
    return next(each for each in axis.lines if each.get_label() == "mean").get_ydata()


def words(figure: Figure) -> str:
    texts = " ".join(text.get_text() for text in figure.findobj(Text))
    return " ".join(texts.split())


def test_line_is_the_mean_of_the_curves_own_shares() -> None:
    """One curve at a quarter of its forecasts, one at a quarter and at three quarters."""
    scores = scores_of(np.array([[0.25, 0.25], [0.25, 0.75]]))
    curve = line(plot_calibration(scores).axes[0])
    rank = np.linspace(0, 1, 101)
    expected = np.where(rank < 0.25, 0, np.where(rank < 0.75, 0.75, 1)) - rank
    np.testing.assert_allclose(curve, expected)
    longer = xr.concat([scores, scores.isel(run=[0, 0, 1])], dim="run")
    np.testing.assert_allclose(line(plot_calibration(longer).axes[0]), expected)


def test_band_is_between_curves() -> None:
    """Shares below one half: 1, 1/2 and 0 of three curves."""
    scores = scores_of(np.array([[0.1, 0.2], [0.3, 0.9], [0.8, 0.9]]))
    axis = plot_calibration(scores).axes[0]
    (shade,) = axis.collections
    assert shade.get_label() == "90%"
    edges = shade.get_paths()[0].vertices
    at_half = np.sort(np.unique(edges[np.isclose(edges[:, 0], 0.5), 1]))
    np.testing.assert_allclose(at_half, 1.645 * 0.5 / np.sqrt(3) * np.array([-1, 1]))


def test_coverage_minus_nominal_with_the_share_on_top() -> None:
    scores = scores_of(np.array([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.01, 0.07]]))
    axis = plot_calibration(scores).axes[1]
    (bars,) = axis.containers
    share = np.array([0.75, 0.75, 0.875, 0.875])
    dots = bars.lines[0].get_xydata()
    np.testing.assert_allclose(dots[:, 1], share - [0.5, 0.8, 0.9, 0.95])
    half_width = 1.645 * np.array([0.25, 0.25, 0.125, 0.125])
    ends = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()])
    np.testing.assert_allclose(
        ends, np.stack([dots[:, 1] - half_width, dots[:, 1] + half_width], axis=1)
    )
    assert [text.get_text() for text in axis.texts] == ["75%", "75%", "88%", "88%"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["50%", "80%", "90%", "95%"]


@pytest.mark.parametrize(
    ("curves", "sentence"),
    [
        (30, "Shading, bars: 90% intervals from 30 curves. 240 runs."),
        (1, "Shading, bars: none, from one curve. 8 runs."),
    ],
)
def test_caption_says_where_the_intervals_come_from(curves: int, sentence: str) -> None:
    figure = plot_calibration(scores_of(random_pit(curves)))
    assert sentence in words(figure)
    figure.draw_without_rendering()


def test_one_curve_has_no_interval() -> None:
    figure = plot_calibration(scores_of(random_pit(1)))
    edges = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert set(edges.round(9)) <= set(line(figure.axes[0]).round(9))
    assert not np.isnan(figure.axes[1].containers[0].lines[0].get_ydata()).any()


@pytest.mark.parametrize("curves", [1, 4, 60])
def test_texts_do_not_overlap_and_are_inside_the_figure(curves: int) -> None:
    figure = plot_calibration(scores_of(random_pit(curves)))
    assert figure.get_figwidth() == 3.3
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_ylim()
    ticks = [tick for axis in figure.axes for tick in axis.yaxis.get_major_ticks()]
    outside = [tick.label1 for tick in ticks if not low <= tick.get_loc() <= high]
    drawn = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent() for text in drawn if text not in outside]
    for i, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_signs_are_typographic_and_zero_has_none() -> None:
    figure = plot_calibration(scores_of(np.array([[0.1, 0.9], [0.01, 0.99]])))
    figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert "0" in labels
    assert {label[0] for label in labels} == {"0", "+", "\N{MINUS SIGN}"}


@pytest.mark.parametrize("name", ["pit", "covered_50", "covered_95"])
def test_missing_scores_are_refused(name: str) -> None:
    scores = scores_of(random_pit(3)).drop_vars(name)
    with pytest.raises(ValueError, match=f"the scores have no '{name}'; make them with"):
        plot_calibration(scores)


def test_nothing_is_changed() -> None:
    scores, settings = scores_of(random_pit(3)), dict(matplotlib.rcParams)
    before = scores.copy(deep=True)
    plot_calibration(scores)
    xr.testing.assert_identical(scores, before)
    assert dict(matplotlib.rcParams) == settings


def test_given_axes_have_the_left_part_alone() -> None:
    axis = Figure((3, 2)).subplots()
    assert plot_calibration(scores_of(random_pit(3)), ax=axis) is axis.figure
    assert axis.figure.axes == [axis]
    assert line(axis).size == 101
