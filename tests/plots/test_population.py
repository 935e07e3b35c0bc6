"""Figure of a population against published values."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from bayeslaw.fitting.population import load_population
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.new_curve import new_curve
from bayeslaw.plots.population import plot_population

PUBLISHED = {"Kaplan et al. 2020": 0.076, "Hoffmann et al. 2022": (0.34, 0.02)}


def labels(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_a_fit_has_new_typical_and_own_curves(crossed_fit: Fit):
    figure = plot_population(crossed_fit, "alpha", PUBLISHED)
    assert labels(figure) == ["a new curve", "typical curve", "curves, medians", *PUBLISHED]
    axis = figure.axes[0]
    draws = new_curve(crossed_fit)["alpha"].values
    for prob in (0.9, 0.5):
        (shade,) = [patch for patch in axis.patches if patch.get_label() == f"{prob:.0%}"]
        ends = shade.get_x(), shade.get_x() + shade.get_width()
        np.testing.assert_allclose(ends, np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2]))
    (ticks,) = [each for each in axis.lines if each.get_marker() == "|"]
    medians = crossed_fit.tree["posterior"]["alpha"].median(("chain", "draw"))
    np.testing.assert_allclose(ticks.get_xdata(), medians)


def test_published_values_have_their_90_percent_interval(crossed_fit: Fit):
    axis = plot_population(crossed_fit, "alpha", PUBLISHED).axes[0]
    bare, known = axis.containers
    np.testing.assert_allclose(bare.lines[0].get_xydata(), [[0.076, 3]])
    assert not bare.lines[2][0].get_segments()[0].size
    ends = known.lines[2][0].get_segments()[0]
    np.testing.assert_allclose(ends, [[0.34 - 1.645 * 0.02, 4], [0.34 + 1.645 * 0.02, 4]])


def test_a_population_has_a_new_curve_only():
    figure = plot_population(load_population("few_shot_error"), "alpha")
    assert labels(figure) == ["a new curve"]
    assert not figure.axes[0].containers


def test_values_far_apart_are_on_a_log_axis():
    prior = load_population("few_shot_error")
    assert plot_population(prior, "alpha", {"far": 0.01}).axes[0].get_xscale() == "log"
    assert plot_population(prior, "alpha", {"near": 0.4}).axes[0].get_xscale() == "linear"


def test_given_axes_and_a_failed_gate(crossed_fit: Fit, failed, words):
    axis = Figure((3, 2)).subplots()
    assert plot_population(failed(crossed_fit), "alpha", ax=axis) is axis.figure
    assert [text.get_text() for text in axis.texts] == ["NOT CONVERGED"]
    assert "NOT CONVERGED" in words(plot_population(failed(crossed_fit), "alpha"))


def test_an_unknown_parameter_is_refused():
    with pytest.raises(ValueError, match="no parameter 'beta' in the population; there are"):
        plot_population(load_population("few_shot_error"), "beta")
