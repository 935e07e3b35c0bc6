"""Tests of figures: what their artists show."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from bayeslaw import plots
from bayeslaw.fit import Fit
from bayeslaw.forecast import interval
from bayeslaw.gate import Gate
from bayeslaw.laws import power
from bayeslaw.model import Model
from bayeslaw.plots import plot_comparison, plot_forecast, plot_prior
from bayeslaw.runs import grid, read_runs, split_at

CAVEAT = "Beyond the data these bands hold only if the law does."
FAILED = Gate(1.2, 50, 40, "alpha", 3, 0.5, 400).sentence
FITTED = (1e6, 1e8)
COMPARISON = pd.DataFrame(
    {
        "verdict": ["best", "NOT CONVERGED", "worse", "baseline"],
        "log_score": [1.9, 1.7, -np.inf, np.nan],
        "log_score_se": [0.1, np.nan, np.nan, np.nan],
        "rmsle": [0.05, 0.06, 0.9, 0.12],
        "crps": [0.01, 0.013, 0.1, np.nan],
        "coverage_90": [0.91, 0.85, 0.2, np.nan],
    },
    index=["power", "broken", "exponential", "last value"],
)


def law(N: np.ndarray, D: np.ndarray | float = 1e9) -> np.ndarray:
    return 1.5 + (N / 1e8) ** -0.25 + (D / 1e9) ** -0.3


def forecast_at(
    sizes: xr.Dataset, *, caveats: Sequence[str] = (CAVEAT,), shift: float = 0.0
) -> xr.Dataset:
    """What `bayeslaw.forecast` returns, with made-up draws."""
    rng = np.random.default_rng(1)
    names = sizes.attrs["predictors"]
    mean = law(*(sizes[name].values for name in names)) * np.exp(0.05 * rng.normal(size=(2, 60, 1)))
    mean = mean - shift
    new_run = mean * np.exp(0.03 * rng.normal(size=mean.shape))
    dims = ("chain", "draw", "run")
    made = sizes.set_coords(names).assign(
        mean=(dims, mean), new_run=(dims, new_run), noise=(dims, np.full(mean.shape, 0.03))
    )
    ranges = {"N": FITTED, "D": (1e9, 1e10)}
    return made.assign_attrs(
        response="loss",
        predictors=names,
        groups=sizes.attrs["groups"],
        law="power",
        observed=json.dumps({name: ranges[name] for name in names}),
        caveats=list(caveats),
    )


def runs_at(sizes: xr.Dataset, copies: int = 1) -> xr.Dataset:
    """Observed runs at sizes, each so many times."""
    frame = pd.concat([sizes.to_dataframe()] * copies)
    names, groups = sizes.attrs["predictors"], sizes.attrs["groups"]
    noise = np.exp(0.03 * np.random.default_rng(2).normal(size=len(frame)))
    frame["loss"] = law(*(frame[name].to_numpy() for name in names)) * noise
    return read_runs(frame, predictors=names, groups=groups)


def example(
    curves: Sequence[str] = ("c4", "books", "code"), group: str = "task", copies: int = 1
) -> tuple[xr.Dataset, xr.Dataset]:
    """A forecast to N = 1e10 of curves whose fitted runs end at 1e8, and runs to 1e9."""
    forecast = forecast_at(grid(**{group: list(curves), "N": np.geomspace(1e6, 1e10, 21)}))
    return forecast, runs_at(grid(**{group: list(curves), "N": np.geomspace(1e6, 1e9, 7)}), copies)


def line(axis: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    (found,) = [line for line in axis.lines if line.get_label() == label]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def band(axis: Axes, label: str) -> np.ndarray:
    """Lowest and highest corner of a band over each of its sizes."""
    (found,) = [patch for patch in axis.collections if patch.get_label() == label]
    corners = found.get_paths()[0].vertices
    return np.array(
        [[corners[corners[:, 0] == x, 1].min(), corners[corners[:, 0] == x, 1].max()]
         for x in np.unique(corners[:, 0])]
    )  # fmt: skip


def start_of_grey(axis: Axes) -> float:
    (span,) = [patch for patch in axis.patches if patch.get_label() == "beyond"]
    assert span.get_facecolor()[:3] == pytest.approx(matplotlib.colors.to_rgb(plots.BEYOND))
    return float(span.get_extents().transformed(axis.transData.inverted()).x0)


def words(figure: Figure) -> str:
    """Every text of a figure, line breaks as blanks."""
    figure.draw_without_rendering()
    return " | ".join(" ".join(text.get_text().split()) for text in figure.findobj(Text))


def test_forecast_has_a_panel_with_a_title_per_curve():
    figure = plot_forecast(*example())
    assert [axis.get_title("left") for axis in figure.axes] == ["c4", "books", "code"]
    assert figure.get_figwidth() == pytest.approx(5)
    told = words(figure)
    assert "| N |" in told
    assert "loss" in told


def test_forecast_bands_are_the_intervals_of_a_new_run():
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


def test_forecast_shares_limits_that_hold_all_data_and_medians():
    forecast, runs = example()
    axes = plot_forecast(forecast, runs).axes
    assert len({(axis.get_xlim(), axis.get_ylim()) for axis in axes}) == 1
    left, right = axes[0].get_xlim()
    assert 5e5 < left < 1e6
    assert 1e10 < right < 1e12
    low, high = axes[0].get_ylim()
    assert low < runs["loss"].min()
    assert runs["loss"].max() < high


def test_forecast_greys_what_is_beyond_the_largest_fitted_size():
    axes = plot_forecast(*example()).axes
    for axis in axes:
        assert start_of_grey(axis) == pytest.approx(1e8)
        assert line(axis, "fitted")[0].max() == pytest.approx(1e8)
        assert line(axis, "later")[0].min() > 1.1e8
    labels = [[text.get_text() for text in axis.texts] for axis in axes]
    assert labels == [["50%", "90%", "extrapolated"], [], []]


def test_forecast_within_the_range_marks_nothing_as_extrapolated():
    forecast, runs = example()
    inside = forecast["N"].values <= 1e7
    figure = plot_forecast(forecast.isel(run=inside), split_at(runs, N=1e7)[0])
    assert "extrapolated" not in words(figure)


def test_held_out_runs_within_the_range_of_other_curves_are_circles():
    forecast, runs = example(["short", "long"])
    marked = (runs["N"].values > 1.1e8) | (
        (runs["task"].values == "short") & (runs["N"].values > 2e7)
    )
    figure = plot_forecast(forecast, runs.assign_coords(held_out=("run", marked)))
    short, long = figure.axes
    assert start_of_grey(short) == pytest.approx(1e7)
    assert line(short, "later")[0].min() == pytest.approx(10**7.5)
    assert start_of_grey(long) == pytest.approx(1e8)


def test_marked_runs_that_the_fit_had_are_dots():
    forecast, runs = example()
    forecast.attrs["observed"] = json.dumps({"N": [1e6, float(runs["N"].max())]})
    marked = runs.assign_coords(held_out=("run", runs["N"].values > 1e8))
    axis = plot_forecast(forecast, marked).axes[0]
    assert line(axis, "later")[0].size == 0
    assert start_of_grey(axis) == pytest.approx(1e9)


def test_curve_without_runs_is_grey_beyond_the_fit():
    forecast, runs = example()
    figure = plot_forecast(forecast, runs.isel(run=runs["task"].values == "c4"))
    assert line(figure.axes[1], "fitted")[0].size == 0
    assert start_of_grey(figure.axes[1]) == pytest.approx(1e8)


def test_seeds_are_more_transparent():
    alpha = []
    for copies in (1, 5):
        figure = plot_forecast(*example(copies=copies))
        (dots,) = [line for line in figure.axes[0].lines if line.get_label() == "fitted"]
        alpha.append(dots.get_alpha())
    assert alpha[1] < alpha[0]


@pytest.mark.parametrize("group", ["model", "plot", "column", "bound", "quantile"])
def test_groups_may_have_any_name(group):
    figure = plot_forecast(*example(group=group))
    assert len(figure.axes) == 3


def test_forecast_without_groups_is_one_panel_at_column_width():
    runs = runs_at(grid(N=np.geomspace(1e6, 1e9, 7)))
    figure = plot_forecast(forecast_at(grid(N=np.geomspace(1e6, 1e10, 21))), runs)
    assert [axis.get_title("left") for axis in figure.axes] == [""]
    assert figure.get_figwidth() == pytest.approx(3.3)


@pytest.mark.parametrize("columns", [1, 2, 3, 7])
def test_columns_are_chosen(columns):
    figure = plot_forecast(*example(), columns=columns)
    geometry = figure.axes[0].get_subplotspec().get_gridspec().get_geometry()
    assert geometry == {1: (3, 1), 2: (2, 2), 3: (1, 3), 7: (1, 3)}[columns]


def test_panels_above_an_empty_cell_have_tick_labels():
    figure = plot_forecast(*example(), columns=2)
    figure.draw_without_rendering()
    shown = [axis.xaxis.get_tick_params()["labelbottom"] for axis in figure.axes]
    assert shown == [False, True, True]


def test_at_most_twelve_curves_are_shown():
    figure = plot_forecast(*example([f"task {i}" for i in range(72)]))
    assert len(figure.axes) == 12
    assert figure.axes[-1].get_title("left") == "task 71"
    assert "12 of 72 curves shown." in words(figure)
    assert figure.get_figwidth() == pytest.approx(7)


def test_twelve_curves_are_all():
    assert "curves shown" not in words(plot_forecast(*example([f"task {i}" for i in range(12)])))


def test_caveats_are_footnotes_and_a_failed_gate_is_a_banner():
    forecast, runs = example()
    figure = plot_forecast(forecast.assign_attrs(caveats=[FAILED, CAVEAT]), runs)
    above, _, below = figure.subfigs
    assert " ".join(above.texts[0].get_text().split()) == FAILED
    assert above.texts[0].get_weight() == "bold"
    assert to_hex(above.get_facecolor()) == plots.INK
    assert CAVEAT in " ".join(below.texts[0].get_text().split())
    assert "NOT CONVERGED" not in below.texts[0].get_text()


@pytest.mark.parametrize("caveats", [[], CAVEAT, None])
def test_caveats_may_be_none_or_one_sentence_from_a_file(caveats):
    forecast, runs = example()
    forecast.attrs["caveats"] = caveats
    if caveats is None:
        del forecast.attrs["caveats"]
    assert (CAVEAT in words(plot_forecast(forecast, runs))) == bool(caveats)


@pytest.mark.parametrize("shift", [3.0, 9.0])
def test_forecasts_at_or_below_zero_are_clipped_to_the_axis(shift):
    sizes = grid(task=["c4", "books"], N=np.geomspace(1e6, 1e12, 21))
    figure = plot_forecast(forecast_at(sizes, shift=shift), example(["c4", "books"])[1])
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_ylim()
    assert 0 < low < high
    assert line(figure.axes[0], "median")[1].min() == low
    assert band(figure.axes[0], "90%").min() == low


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NumPy's quantiles of infinity
def test_forecasts_that_are_not_numbers_do_not_fail():
    forecast, runs = example()
    forecast["mean"][..., -1] = forecast["new_run"][..., -1] = np.inf
    forecast["mean"][:, 0, -22] = forecast["new_run"][:, 0, -22] = np.inf
    figure = plot_forecast(forecast, runs)
    figure.draw_without_rendering()
    assert np.all(np.isfinite(figure.axes[0].get_ylim()))


def test_forecast_below_zero_without_runs_has_a_frame():
    forecast = forecast_at(grid(task=["unseen"], N=[1e9, 1e10]), shift=9.0)
    figure = plot_forecast(forecast, example()[1])
    figure.draw_without_rendering()
    assert figure.axes[0].get_ylim()[0] > 0


def test_a_single_size_is_a_bar():
    forecast = forecast_at(grid(task=["c4", "books"], N=[1e10]))
    axis = plot_forecast(forecast, example()[1]).axes[0]
    sizes, median = line(axis, "median")
    assert sizes[0] < 1e10 < sizes[1]
    assert median[0] == median[1]
    assert band(axis, "90%").shape == (2, 2)


def test_forecast_at_runs_with_seeds_draws_each_size_once():
    _, runs = example(copies=3)
    forecast = forecast_at(runs.drop_vars("loss").assign_attrs(runs.attrs))
    sizes, _ = line(plot_forecast(forecast, runs).axes[0], "median")
    np.testing.assert_allclose(sizes, np.geomspace(1e6, 1e9, 7))


TWO = {"task": ["c4", "books"], "N": np.geomspace(1e6, 1e9, 7), "D": [1e9, 1e10, 1e11]}


def test_other_predictors_have_their_panels_and_their_runs():
    figure = plot_forecast(forecast_at(grid(**TWO)), runs_at(grid(**TWO)))
    titles = [axis.get_title("left") for axis in figure.axes]
    assert titles[:3] == ["c4, D = 1e+09", "c4, D = 1e+10", "c4, D = 1e+11"]
    assert len(titles) == 6
    for axis in figure.axes[:2]:
        assert line(axis, "fitted")[0].size == 5
        assert line(axis, "later")[0].size == 2
        assert start_of_grey(axis) == pytest.approx(1e8)
    beyond = figure.axes[2]
    assert line(beyond, "later")[0].size == 7
    assert start_of_grey(beyond) == pytest.approx(beyond.get_xlim()[0])


def test_x_chooses_the_predictor():
    wanted = forecast_at(grid(**TWO))
    figure = plot_forecast(wanted.isel(run=wanted["N"].values < 2e6), runs_at(grid(**TWO)), x="D")
    assert [axis.get_title("left") for axis in figure.axes] == ["c4, N = 1e+06", "books, N = 1e+06"]
    assert "| D |" in words(figure)
    assert start_of_grey(figure.axes[0]) == pytest.approx(1e10)


def test_x_is_the_predictor_that_varies():
    forecast = forecast_at(grid(task=["c4", "books"], N=[1e7], D=[1e9, 1e10]))
    assert "| D |" in words(plot_forecast(forecast, runs_at(grid(**TWO))))


def test_predictors_that_change_together_share_a_panel():
    sizes = grid(N=np.geomspace(1e6, 1e9, 7), task=["c4", "books"])
    together = sizes.assign(D=1000 * sizes["N"]).assign_attrs(predictors=["N", "D"])
    figure = plot_forecast(forecast_at(together), runs_at(grid(**TWO)))
    assert [axis.get_title("left") for axis in figure.axes] == ["c4", "books"]
    np.testing.assert_allclose(line(figure.axes[0], "fitted")[0], [1e6, 1e7])
    np.testing.assert_allclose(line(figure.axes[0], "later")[0], [1e8])
    assert start_of_grey(figure.axes[0]) == pytest.approx(1e7)


def test_predictors_of_the_runs_that_the_law_has_not_are_left_out():
    forecast, _ = example()
    forecast.attrs["observed"] = json.dumps({"N": FITTED, "D": (1e9, 1e10)})
    runs = runs_at(grid(task=["c4", "books", "code"], N=np.geomspace(1e6, 1e9, 7), D=[1e9]))
    assert len(plot_forecast(forecast, runs).axes) == 3


def test_labels_are_not_read_as_mathematics_and_have_units():
    forecast, runs = example(["5$ a day", "$\\x$"])
    runs["N"].attrs["units"] = "parameters"
    figure = plot_forecast(forecast, runs)
    assert figure.axes[0].get_title("left") == "5$ a day"
    assert "N (parameters)" in words(figure)


def test_long_titles_take_two_lines_at_most():
    figure = plot_forecast(*example([f"{name} of a long name " * 9 for name in "ab"]))
    lines = figure.axes[0].get_title("left").split("\n")
    assert len(lines) == 2
    assert lines[1].endswith("…")


@pytest.mark.parametrize("lost", ["response", "predictors", "groups", "observed"])
def test_forecast_that_lost_an_attribute_is_refused(lost):
    forecast, runs = example()
    del forecast.attrs[lost]
    with pytest.raises(ValueError, match=f"forecast has no '{lost}'; make it with"):
        plot_forecast(forecast, runs)


def test_forecast_without_new_runs_is_refused():
    forecast, runs = example()
    with pytest.raises(ValueError, match="forecast has no 'new_run'"):
        plot_forecast(forecast.drop_vars("new_run"), runs)


def test_wrong_arguments_are_named():
    forecast, runs = example()
    with pytest.raises(ValueError, match=r"x must be a predictor .* one of \['N'\], got 'D'"):
        plot_forecast(forecast, runs, x="D")
    with pytest.raises(ValueError, match="columns must be at least 1, got 0"):
        plot_forecast(forecast, runs, columns=0)
    with pytest.raises(ValueError, match="the runs have no 'loss', which the forecast has"):
        plot_forecast(forecast, runs.rename(loss="error").assign_attrs(response="error"))
    with pytest.raises(ValueError, match="the runs have no 'task', which the forecast has"):
        plot_forecast(forecast, example(group="data")[1])
    with pytest.raises(ValueError, match="the runs have no 'loss'"):
        plot_forecast(forecast, grid(N=[1e9], task="c4"))


def test_forecast_and_runs_are_not_changed():
    forecast, runs = example()
    before = forecast.copy(deep=True), runs.copy(deep=True)
    plot_forecast(forecast, runs)
    xr.testing.assert_identical(forecast, before[0])
    xr.testing.assert_identical(runs, before[1])


@pytest.mark.parametrize(
    ("low", "high"), [(1e6, 1e11), (2.0, 5.0), (3.0, 3.1), (2e8, 9e8), (1e-9, 1e9), (1e-4, 2e-3)]
)
@pytest.mark.parametrize("columns", [1, 4])
def test_axes_have_a_few_labelled_ticks(low, high, columns):
    figure = Figure((3.3 if columns == 1 else 7, 3))
    axis = figure.subplots(1, columns, squeeze=False)[0, 0]
    with matplotlib.rc_context({"figure.dpi": figure.dpi}):
        plots._scale(axis, "x", [low, high])
    figure.draw_without_rendering()
    ticks = [tick for tick in axis.get_xticks() if low <= tick <= high]
    assert 2 <= len(ticks) <= 12
    labels = axis.xaxis.get_major_formatter().format_ticks(ticks)
    assert len(set(labels)) == len(ticks)
    assert axis.get_xlim() == (low, high)


def test_powers_of_ten_are_typeset_whole():
    figure = plot_forecast(*example())
    figure.draw_without_rendering()
    labels = [text.get_text() for text in figure.axes[-1].get_xticklabels()]
    assert "$10^{6}$" in labels
    assert "$10^{10}$" in labels


def test_figures_leave_no_state_behind():
    before = dict(matplotlib.rcParams)
    plot_forecast(*example())
    plot_comparison(COMPARISON)
    assert dict(matplotlib.rcParams) == before
    code = "import sys, bayeslaw.plots; sys.exit('matplotlib.backends.backend_agg' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_comparison_has_a_dot_and_error_per_law_and_the_baselines_in_words():
    figure = plot_comparison(COMPARISON)
    dots, text = figure.axes
    labels = [label.get_text() for label in dots.get_yticklabels()]
    assert labels == ["power", "broken (NOT CONVERGED)", "exponential", "last value"]
    best, other = [container.lines[0] for container in dots.containers]
    np.testing.assert_allclose(best.get_xydata(), [[1.9, 0]])
    np.testing.assert_allclose(other.get_xydata(), [[1.7, 1]])
    assert (best.get_color(), other.get_color()) == (plots.ACCENT, plots.INK)
    (bar,) = dots.containers[0].lines[2]
    np.testing.assert_allclose(bar.get_segments()[0], [[1.8, 0], [2.0, 0]])
    assert [t.get_text() for t in dots.texts] == ["\N{MINUS SIGN}\N{INFINITY}"]
    written = {(round(t.get_position()[1]), t.get_text()) for t in text.texts}
    assert {(-1, "RMSLE"), (0, "91%"), (3, "0.120")} <= written
    assert {what for row, what in written if row == 3} == {"0.120", ""}
    rule = dots.collections[-1].get_segments()[0]
    assert rule[0, 1] == 2.5


def test_comparison_without_verdict_or_baseline_or_finite_score():
    bare = COMPARISON.drop(columns="verdict")
    assert plot_comparison(bare).axes[0].get_yticklabels()[1].get_text() == "broken"
    failed = plot_comparison(bare.loc[["exponential"]])
    failed.draw_without_rendering()
    assert not failed.axes[0].containers


@pytest.mark.parametrize("column", ["log_score", "rmsle"])
def test_comparison_without_scores_is_refused(column):
    with pytest.raises(ValueError, match=f"no '{column}' in the comparison; compare.fits, later"):
        plot_comparison(COMPARISON.drop(columns=column))


def prior_fit(curves: int, draws: int = 80, sizes: int = 7) -> Fit:
    runs = runs_at(
        grid(task=[f"task {i}" for i in range(curves)], N=np.geomspace(1e6, 1e9, sizes)), 2
    )
    drawn = np.exp(20 * np.random.default_rng(3).normal(size=(2, draws, runs.sizes["run"])))
    prior = xr.Dataset({"loss": (("chain", "draw", "run"), drawn)})
    tree = xr.DataTree.from_dict({"/prior_predictive": prior})
    return Fit(Model(power, pooling=["task"]), runs, tree)


@pytest.mark.parametrize(("draws", "lines"), [(80, 50), (10, 20)])
def test_prior_has_draws_and_runs_of_a_few_curves(draws, lines):
    fit = prior_fit(9, draws)
    figure = plot_prior(fit)
    assert len(figure.axes) == 4
    for axis in figure.axes:
        assert len(axis.lines) == lines + 1
        assert axis.lines[0].get_xdata().size == 7
        assert line(axis, "fitted")[0].size == 14
    low, high = figure.axes[0].get_ylim()
    assert low > fit.runs["loss"].min() / 200
    assert high < fit.runs["loss"].max() * 200
    assert "4 of 9 curves shown." in words(figure)


def test_prior_of_curves_of_one_size():
    figure = plot_prior(prior_fit(2, sizes=1))
    figure.draw_without_rendering()
    assert figure.axes[0].lines[0].get_marker() == "."
