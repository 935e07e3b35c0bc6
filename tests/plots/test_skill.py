"""Figure of how well laws extrapolate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bayeslaw.plots.skill import plot_skill

MODELS, HORIZONS = ["power", "log-linear", "last value"], [2.0, 10.0, np.inf]


@pytest.fixture
def table() -> pd.DataFrame:
    """As of `bayeslaw.backtest_table`: a baseline without densities, an infinite score."""
    index = pd.MultiIndex.from_product([HORIZONS, MODELS], names=["horizon", "model"])
    far, model = np.repeat([0, 1, 2], 3), np.tile([0, 1, 2], 3)
    scores = {
        "log_score_diff": -0.2 * model * (1 + far),
        "log_score_diff_se": 0.05 * model,
        "rmsle": 0.02 * (1 + far) * (1 + model),
        "crps": 0.01 * (1 + far) * (1 + model),
        "coverage_90": 0.9 - 0.1 * model,
    }
    made = pd.DataFrame(scores, index=index)
    made.loc[(slice(None), "last value"), ["log_score_diff", "crps", "coverage_90"]] = np.nan
    made.loc[(np.inf, "log-linear"), "log_score_diff"] = -np.inf
    return made


def names(axis) -> list[str]:
    return [text.get_text() for text in axis.texts]


def test_a_panel_per_score_and_a_line_per_model(table: pd.DataFrame):
    scores, errors, crps, coverage = plot_skill(table).axes
    assert [line.get_label() for line in errors.containers] == MODELS
    assert [line.get_label() for line in crps.containers] == MODELS[:2]
    drawn = errors.containers[1].lines[0].get_xydata()
    np.testing.assert_allclose(drawn, [[0, 0.04], [1, 0.08], [2, 0.12]])
    assert [label.get_text() for label in coverage.get_xticklabels()] == [
        "to 2",
        "to 10",
        "over 10",
    ]
    assert coverage.lines[0].get_ydata() == [0.9, 0.9]
    assert scores.get_title("left") == "log score minus the best"


def test_errors_are_drawn_where_they_are_known(table: pd.DataFrame):
    scores, errors, *_ = plot_skill(table).axes
    ends = scores.containers[1].lines[2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose(ends, [-0.25, -0.15])
    assert not any(bar.size for bar in errors.containers[1].lines[2][0].get_segments())


def test_models_differ_without_colour(table: pd.DataFrame):
    _, errors, *_ = plot_skill(table).axes
    lines = [container.lines[0] for container in errors.containers]
    assert len({line.get_marker() for line in lines}) == 3
    assert len({str(line._dash_pattern) for line in lines}) == 3


def test_an_infinite_score_is_marked_and_named_at_the_edge(table: pd.DataFrame):
    scores = plot_skill(table).axes[0]
    assert "\N{MINUS SIGN}\N{INFINITY}" in names(scores)
    table.loc[(10.0, "power"), "rmsle"] = np.inf
    assert "\N{INFINITY}" in names(plot_skill(table).axes[1])


def test_names_do_not_overlap(table: pd.DataFrame):
    table["rmsle"] = 0.1
    figure = plot_skill(table)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[1].texts]
    assert len(boxes) == 3
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not boxes[one].overlaps(boxes[other])


def test_horizons_of_one_kind(table: pd.DataFrame):
    only = table.loc[[np.inf]]
    assert [x.get_text() for x in plot_skill(only).axes[3].get_xticklabels()] == ["any"]
    swapped = plot_skill(table.swaplevel())
    assert len(swapped.axes) == 4


def test_given_axes_have_the_log_scores_alone(table: pd.DataFrame):
    axis = Figure((3, 2)).subplots()
    assert plot_skill(table, ax=axis) is axis.figure
    assert axis.get_title("left") == "log score minus the best"
    assert axis.figure.axes == [axis]


@pytest.mark.parametrize("name", ["log_score_diff", "crps"])
def test_a_table_that_lacks_a_score_is_refused(table: pd.DataFrame, name: str):
    with pytest.raises(ValueError, match=f"no '{name}' in the table; backtest_table gives it"):
        plot_skill(table.drop(columns=name))


def test_a_table_indexed_by_something_else_is_refused(table: pd.DataFrame):
    with pytest.raises(
        ValueError, match=r"indexed by model and horizon, .* got \['law', 'model'\]"
    ):
        plot_skill(table.rename_axis(["law", "model"]))
