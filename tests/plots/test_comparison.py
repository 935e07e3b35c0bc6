"""Figure of laws compared by log scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bayeslaw.comparison.compare import compare
from bayeslaw.fitting.result import Fit
from bayeslaw.plots.comparison import plot_comparison
from bayeslaw.plots.style import LIGHT

COMPARISON = pd.DataFrame(
    {
        "verdict": ["best", "NOT CONVERGED", "worse", "baseline"],
        "log_score": [1.9, 1.7, -np.inf, np.nan],
        "log_score_diff": [0.0, -0.2, -np.inf, np.nan],
        "log_score_diff_se": [0.0, 0.1, np.nan, np.nan],
        "rmsle": [0.05, 0.06, 0.9, 0.12],
        "crps": [0.01, 0.013, 0.1, np.nan],
        "coverage_90": [0.91, 0.85, 0.2, np.nan],
    },
    index=["power", "broken", "exponential", "last value"],
)


def test_comparison_has_a_dot_and_error_per_law_and_the_baselines_in_words():
    figure = plot_comparison(COMPARISON)
    dots, text = figure.axes
    labels = [label.get_text() for label in dots.get_yticklabels()]
    assert labels == ["power", "broken (NOT CONVERGED)", "exponential", "last value"]
    best, other = [container.lines[0] for container in dots.containers]
    np.testing.assert_allclose(best.get_xydata(), [[0, 0]])
    np.testing.assert_allclose(other.get_xydata(), [[-0.2, 1]])
    assert (best.get_color(), other.get_color()) == (LIGHT.accent, LIGHT.foreground)
    (bar,) = dots.containers[1].lines[2]
    np.testing.assert_allclose(bar.get_segments()[0], [[-0.3, 1], [-0.1, 1]])
    assert [t.get_text() for t in dots.texts] == ["\N{MINUS SIGN}\N{INFINITY}"]
    written = {(round(t.get_position()[1]), t.get_text()) for t in text.texts}
    assert {(-1, "RMSLE"), (0, "91%"), (3, "0.120")} <= written
    assert {text for row, text in written if row == 3} == {"0.120", ""}
    rule = dots.collections[-1].get_segments()[0]
    assert rule[0, 1] == 2.5


def test_comparison_without_verdict_or_baseline_or_finite_score():
    bare = COMPARISON.drop(columns="verdict")
    assert plot_comparison(bare).axes[0].get_yticklabels()[1].get_text() == "broken"
    failed = plot_comparison(bare.loc[["exponential"]])
    failed.draw_without_rendering()
    assert not failed.axes[0].containers


@pytest.mark.parametrize("column", ["log_score", "log_score_diff_se", "rmsle"])
def test_comparison_without_scores_is_refused(column):
    with pytest.raises(
        ValueError, match=f"no '{column}' in the comparison; bayeslaw.compare gives it"
    ):
        plot_comparison(COMPARISON.drop(columns=column))


def test_given_axes_have_the_differences_alone():
    axis = Figure((3, 2)).subplots()
    assert plot_comparison(COMPARISON, ax=axis) is axis.figure
    assert axis.figure.axes == [axis]
    assert len(axis.containers) == 2


def test_comparison_in_range_is_of_expected_densities(crossed_fit: Fit, log_linear_fit: Fit, words):
    comparison = compare({"log-linear": log_linear_fit, "power": crossed_fit})
    figure = plot_comparison(comparison)
    dots, text = figure.axes
    values = [container.lines[0].get_xydata()[0] for container in dots.containers]
    difference = comparison.loc["log-linear", "elpd_loo"] - comparison.loc["power", "elpd_loo"]
    np.testing.assert_allclose(values, [[difference, 0], [0, 1]])
    assert difference < 0
    assert dots.get_xlabel().startswith("expected log density minus that of the best")
    assert [t.get_text() for t in text.texts][::3] == ["weight", "bad k"]
