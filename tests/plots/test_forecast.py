"""Figure of a forecast: what its artists show."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bayeslaw._sampling.gate import Gate
from bayeslaw.data.runs import grid
from bayeslaw.data.splits import split_at
from bayeslaw.forecasting.interval import interval
from bayeslaw.plots.forecast import plot_forecast
from bayeslaw.plots.style import LIGHT

CAVEAT = "Beyond the data these bands hold only if the law does."
FAILED = Gate(1.2, 50, 40, "alpha", 3, 0.5, 400).sentence
FITTED = (1e6, 1e8)


def test_forecast_has_a_panel_with_a_title_per_curve(example, words):
    figure = plot_forecast(*example())
    assert [axis.get_title("left") for axis in figure.axes] == ["c4", "books", "code"]
    assert figure.get_figwidth() == pytest.approx(5)
    text = words(figure)
    assert "| N |" in text
    assert "loss" in text


def test_forecast_bands_are_the_intervals_of_a_new_run(example, line, band):
    forecast, runs = example()
    axis = plot_forecast(forecast, runs).axes[1]
    own = forecast.isel(run=forecast["task"].values == "books")
    sizes, median = line(axis, "median")
    np.testing.assert_allclose(sizes, own["N"])
    for prob in (0.5, 0.9):
        expected = interval(own[["mean", "new_run"]], prob)
        np.testing.assert_allclose(median, expected["mean"].sel(bound="median"))
        edges = band(axis, f"{prob:.0%}")
        np.testing.assert_allclose(edges, expected["new_run"].sel(bound=["lower", "upper"]).T)
        assert np.all((edges[:, 0] < median) & (median < edges[:, 1]))


def test_forecast_shares_limits_that_hold_all_data_and_medians(example):
    forecast, runs = example()
    axes = plot_forecast(forecast, runs).axes
    assert len({(axis.get_xlim(), axis.get_ylim()) for axis in axes}) == 1
    left, right = axes[0].get_xlim()
    assert 5e5 < left < 1e6
    assert 1e10 < right < 1e12
    low, high = axes[0].get_ylim()
    assert low < runs["loss"].min()
    assert runs["loss"].max() < high


def test_forecast_greys_what_is_beyond_the_largest_fitted_size(example, line, start_of_grey):
    axes = plot_forecast(*example()).axes
    for axis in axes:
        assert start_of_grey(axis) == pytest.approx(1e8)
        assert line(axis, "fitted")[0].max() == pytest.approx(1e8)
        assert line(axis, "later")[0].min() > 1.1e8
    labels = [[text.get_text() for text in axis.texts] for axis in axes]
    assert labels == [["50%", "90%", "extrapolated"], [], []]


def test_forecast_within_the_range_marks_nothing_as_extrapolated(example, words):
    forecast, runs = example()
    inside = forecast["N"].values <= 1e7
    figure = plot_forecast(forecast.isel(run=inside), split_at(runs, N=1e7)[0])
    assert "extrapolated" not in words(figure)


def test_held_out_runs_within_the_range_of_other_curves_are_circles(example, line, start_of_grey):
    forecast, runs = example(["short", "long"])
    marked = (runs["N"].values > 1.1e8) | (
        (runs["task"].values == "short") & (runs["N"].values > 2e7)
    )
    figure = plot_forecast(forecast, runs.assign_coords(held_out=("run", marked)))
    short, long = figure.axes
    assert start_of_grey(short) == pytest.approx(1e7)
    assert line(short, "later")[0].min() == pytest.approx(10**7.5)
    assert start_of_grey(long) == pytest.approx(1e8)


def test_marked_runs_that_the_fit_had_are_dots(example, line, start_of_grey):
    forecast, runs = example()
    forecast.attrs["observed"] = json.dumps({"N": [1e6, float(runs["N"].max())]})
    marked = runs.assign_coords(held_out=("run", runs["N"].values > 1e8))
    axis = plot_forecast(forecast, marked).axes[0]
    assert line(axis, "later")[0].size == 0
    assert start_of_grey(axis) == pytest.approx(1e9)


def test_each_curve_has_its_own_fitted_range(example, line, start_of_grey):
    """Held out were the largest runs of each curve, and all of the curve that is not there."""
    forecast, runs = example()
    ranges = {"c4": {"N": [1e6, 1e7]}, "books": {"N": [1e6, 1e8]}}
    forecast.attrs["observed_by_curve"] = json.dumps(ranges)
    first, second, third = plot_forecast(forecast, runs).axes
    for axis, start in ((first, 1e7), (second, 1e8)):
        assert start_of_grey(axis) == pytest.approx(start)
        assert line(axis, "fitted")[0].max() == pytest.approx(start)
        assert line(axis, "later")[0].min() == pytest.approx(10**0.5 * start)
    assert line(third, "fitted")[0].size == 0
    assert line(third, "later")[0].size == 7


def test_curve_without_runs_is_grey_beyond_the_fit(example, line, start_of_grey):
    forecast, runs = example()
    figure = plot_forecast(forecast, runs.isel(run=runs["task"].values == "c4"))
    assert line(figure.axes[1], "fitted")[0].size == 0
    assert start_of_grey(figure.axes[1]) == pytest.approx(1e8)


def test_seeds_are_more_transparent(example):
    alpha = []
    for copies in (1, 5):
        figure = plot_forecast(*example(copies=copies))
        (dots,) = [line for line in figure.axes[0].lines if line.get_label() == "fitted"]
        alpha.append(dots.get_alpha())
    assert alpha[1] < alpha[0]


@pytest.mark.parametrize("group", ["model", "plot", "column", "quantile"])
def test_groups_may_have_names_that_others_reserve(group, example):
    figure = plot_forecast(*example(group=group))
    assert len(figure.axes) == 3


def test_forecast_without_groups_is_one_panel_at_column_width(forecast_at, runs_at):
    runs = runs_at(grid(N=np.geomspace(1e6, 1e9, 7)))
    figure = plot_forecast(forecast_at(grid(N=np.geomspace(1e6, 1e10, 21))), runs)
    assert [axis.get_title("left") for axis in figure.axes] == [""]
    assert figure.get_figwidth() == pytest.approx(3.3)


@pytest.mark.parametrize("columns", [1, 2, 3, 7])
def test_columns_are_chosen(columns, example):
    figure = plot_forecast(*example(), columns=columns)
    geometry = figure.axes[0].get_subplotspec().get_gridspec().get_geometry()
    assert geometry == {1: (3, 1), 2: (2, 2), 3: (1, 3), 7: (1, 3)}[columns]


def test_panels_above_an_empty_cell_have_tick_labels(example):
    figure = plot_forecast(*example(), columns=2)
    figure.draw_without_rendering()
    shown = [axis.xaxis.get_tick_params()["labelbottom"] for axis in figure.axes]
    assert shown == [False, True, True]


def test_at_most_twelve_curves_are_shown(example, words):
    figure = plot_forecast(*example([f"task {i}" for i in range(72)]))
    assert len(figure.axes) == 12
    assert figure.axes[-1].get_title("left") == "task 71"
    assert "12 of 72 curves shown." in words(figure)
    assert figure.get_figwidth() == pytest.approx(7)


def test_twelve_curves_are_all(example, words):
    assert "curves shown" not in words(plot_forecast(*example([f"task {i}" for i in range(12)])))


def test_caveats_are_footnotes_and_a_failed_gate_is_a_banner(example):
    forecast, runs = example()
    figure = plot_forecast(forecast.assign_attrs(caveats=[FAILED, CAVEAT]), runs)
    above, _, below = figure.subfigs
    assert " ".join(above.texts[0].get_text().split()) == FAILED
    assert above.texts[0].get_weight() == "bold"
    assert to_hex(above.get_facecolor()) == LIGHT.foreground
    assert CAVEAT in " ".join(below.texts[0].get_text().split())
    assert "NOT CONVERGED" not in below.texts[0].get_text()


@pytest.mark.parametrize("caveats", [[], CAVEAT, None])
def test_caveats_may_be_none_or_one_sentence_from_a_file(caveats, example, words):
    forecast, runs = example()
    forecast.attrs["caveats"] = caveats
    if caveats is None:
        del forecast.attrs["caveats"]
    assert (CAVEAT in words(plot_forecast(forecast, runs))) == bool(caveats)


@pytest.mark.parametrize("shift", [3.0, 9.0])
def test_forecasts_at_or_below_zero_are_clipped_to_the_axis(
    shift, forecast_at, example, line, band
):
    sizes = grid(task=["c4", "books"], N=np.geomspace(1e6, 1e12, 21))
    figure = plot_forecast(forecast_at(sizes, shift=shift), example(["c4", "books"])[1])
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_ylim()
    assert 0 < low < high
    assert line(figure.axes[0], "median")[1].min() == low
    assert band(figure.axes[0], "90%").min() == low


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NumPy's quantiles of infinity
def test_infinite_forecasts_are_drawn(example):
    forecast, runs = example()
    forecast["mean"][..., -1] = forecast["new_run"][..., -1] = np.inf
    forecast["mean"][:, 0, -22] = forecast["new_run"][:, 0, -22] = np.inf
    figure = plot_forecast(forecast, runs)
    figure.draw_without_rendering()
    assert np.all(np.isfinite(figure.axes[0].get_ylim()))


def test_forecast_below_zero_without_runs_has_a_frame(forecast_at, example):
    forecast = forecast_at(grid(task=["unseen"], N=[1e9, 1e10]), shift=9.0)
    figure = plot_forecast(forecast, example()[1])
    figure.draw_without_rendering()
    assert figure.axes[0].get_ylim()[0] > 0


def test_a_single_size_is_a_bar(forecast_at, example, line, band):
    forecast = forecast_at(grid(task=["c4", "books"], N=[1e10]))
    axis = plot_forecast(forecast, example()[1]).axes[0]
    sizes, median = line(axis, "median")
    assert sizes[0] < 1e10 < sizes[1]
    assert median[0] == median[1]
    assert band(axis, "90%").shape == (2, 2)


def test_forecast_at_runs_with_seeds_draws_each_size_once(forecast_at, example, line):
    _, runs = example(copies=3)
    forecast = forecast_at(runs.drop_vars("loss").assign_attrs(runs.attrs))
    sizes, _ = line(plot_forecast(forecast, runs).axes[0], "median")
    np.testing.assert_allclose(sizes, np.geomspace(1e6, 1e9, 7))


TWO = {"task": ["c4", "books"], "N": np.geomspace(1e6, 1e9, 7), "D": [1e9, 1e10, 1e11]}


def test_other_predictors_have_their_panels_and_their_runs(
    forecast_at, runs_at, line, start_of_grey
):
    figure = plot_forecast(forecast_at(grid(**TWO)), runs_at(grid(**TWO)))
    titles = [axis.get_title("left") for axis in figure.axes]
    assert titles[:3] == ["c4, D = 1e9", "c4, D = 1e10", "c4, D = 1e11"]
    assert len(titles) == 6
    for axis in figure.axes[:2]:
        assert line(axis, "fitted")[0].size == 5
        assert line(axis, "later")[0].size == 2
        assert start_of_grey(axis) == pytest.approx(1e8)
    beyond = figure.axes[2]
    assert line(beyond, "later")[0].size == 7
    assert start_of_grey(beyond) == pytest.approx(beyond.get_xlim()[0])


def test_x_chooses_the_predictor(forecast_at, runs_at, start_of_grey, words):
    wanted = forecast_at(grid(**TWO))
    figure = plot_forecast(wanted.isel(run=wanted["N"].values < 2e6), runs_at(grid(**TWO)), x="D")
    assert [axis.get_title("left") for axis in figure.axes] == ["c4, N = 1e6", "books, N = 1e6"]
    assert "| D |" in words(figure)
    assert start_of_grey(figure.axes[0]) == pytest.approx(1e10)


def test_x_is_the_predictor_that_varies(forecast_at, runs_at, words):
    forecast = forecast_at(grid(task=["c4", "books"], N=[1e7], D=[1e9, 1e10]))
    assert "| D |" in words(plot_forecast(forecast, runs_at(grid(**TWO))))


def test_predictors_that_change_together_share_a_panel(forecast_at, runs_at, line, start_of_grey):
    sizes = grid(N=np.geomspace(1e6, 1e9, 7), task=["c4", "books"])
    together = sizes.assign(D=1000 * sizes["N"]).assign_attrs(predictors=["N", "D"])
    figure = plot_forecast(forecast_at(together), runs_at(grid(**TWO)))
    assert [axis.get_title("left") for axis in figure.axes] == ["c4", "books"]
    np.testing.assert_allclose(line(figure.axes[0], "fitted")[0], [1e6, 1e7])
    np.testing.assert_allclose(line(figure.axes[0], "later")[0], [1e8])
    assert start_of_grey(figure.axes[0]) == pytest.approx(1e7)


def test_predictors_of_the_runs_that_the_law_has_not_are_left_out(runs_at, example):
    forecast, _ = example()
    forecast.attrs["observed"] = json.dumps({"N": FITTED, "D": (1e9, 1e10)})
    runs = runs_at(grid(task=["c4", "books", "code"], N=np.geomspace(1e6, 1e9, 7), D=[1e9]))
    assert len(plot_forecast(forecast, runs).axes) == 3


def test_labels_are_not_read_as_mathematics_and_have_units(example, words):
    forecast, runs = example(["5$ a day", "$\\x$"])
    runs["N"].attrs["units"] = "parameters"
    figure = plot_forecast(forecast, runs)
    assert figure.axes[0].get_title("left") == "5$ a day"
    assert "N (parameters)" in words(figure)


def test_long_titles_take_two_lines_at_most(example):
    figure = plot_forecast(*example([f"{name} of a long name " * 9 for name in "ab"]))
    lines = figure.axes[0].get_title("left").split("\n")
    assert len(lines) == 2
    assert lines[1].endswith("…")


@pytest.mark.parametrize("lost", ["response", "predictors", "groups", "observed"])
def test_forecast_that_lost_an_attribute_is_refused(lost, example):
    forecast, runs = example()
    del forecast.attrs[lost]
    with pytest.raises(ValueError, match=f"forecast has no '{lost}'; make it with"):
        plot_forecast(forecast, runs)


def test_forecast_without_new_runs_is_refused(example):
    forecast, runs = example()
    with pytest.raises(ValueError, match="forecast has no 'new_run'"):
        plot_forecast(forecast.drop_vars("new_run"), runs)


def test_invalid_arguments_are_named(example):
    forecast, runs = example()
    with pytest.raises(ValueError, match=r"x must be a predictor .* one of \['N'\], got 'D'"):
        plot_forecast(forecast, runs, x="D")
    with pytest.raises(ValueError, match="columns must be a whole number, 1 or more, got 0"):
        plot_forecast(forecast, runs, columns=0)
    with pytest.raises(ValueError, match="the runs have no 'loss', which the forecast has"):
        plot_forecast(forecast, runs.rename(loss="error").assign_attrs(response="error"))
    with pytest.raises(ValueError, match="the runs have no 'task', which the forecast has"):
        plot_forecast(forecast, example(group="data")[1])
    with pytest.raises(ValueError, match="the runs have no 'loss'"):
        plot_forecast(forecast, grid(N=[1e9], task="c4"))


def test_forecast_and_runs_are_not_changed(example):
    forecast, runs = example()
    before = forecast.copy(deep=True), runs.copy(deep=True)
    plot_forecast(forecast, runs)
    xr.testing.assert_identical(forecast, before[0])
    xr.testing.assert_identical(runs, before[1])


def test_powers_of_ten_are_typeset_whole(example):
    figure = plot_forecast(*example())
    figure.draw_without_rendering()
    labels = [text.get_text() for text in figure.axes[-1].get_xticklabels()]
    assert "$10^{6}$" in labels
    assert "$10^{10}$" in labels


@pytest.mark.filterwarnings("ignore:group 'task' has one level")
def test_one_curve_is_drawn_in_given_axes(example, line, band, start_of_grey):
    forecast, runs = example(["c4"])
    axis = Figure((3, 3)).subplots()
    assert plot_forecast(forecast, runs, ax=axis) is axis.figure
    assert axis.figure.axes == [axis]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("N", "loss")
    assert start_of_grey(axis) == pytest.approx(1e8)
    alone = plot_forecast(forecast, runs).axes[0]
    np.testing.assert_allclose(line(axis, "median"), line(alone, "median"))
    np.testing.assert_allclose(band(axis, "90%"), band(alone, "90%"))


@pytest.mark.filterwarnings("ignore:group 'task' has one level")
def test_given_axes_say_that_a_fit_failed(example):
    forecast, runs = example(["c4"])
    texts = []
    for caveats in ([CAVEAT], [FAILED, CAVEAT]):
        axis = Figure((3, 3)).subplots()
        plot_forecast(forecast.assign_attrs(caveats=caveats), runs, ax=axis)
        texts.append([text.get_text() for text in axis.texts])
    assert set(texts[1]) - set(texts[0]) == {"NOT CONVERGED"}


def test_given_axes_are_for_one_curve(example):
    with pytest.raises(ValueError, match="ax takes one curve, and there are 3; choose one of them"):
        plot_forecast(*example(), ax=Figure().subplots())
