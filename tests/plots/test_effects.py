"""Figure of a parameter by level and curve."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from bayeslaw.fitting.result import Fit
from bayeslaw.plots.effects import MAX_CURVES, plot_effects
from bayeslaw.plots.style import LIGHT


def labels(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def medians(figure: Figure) -> dict[str, float]:
    axis = figure.axes[0]
    names = labels(figure)
    points = [each.get_xydata() for each in axis.lines if each.get_label() == "median"]
    return {names[round(row)]: x for x, row in np.concatenate(points)}


def test_rows_are_population_levels_and_curves(crossed_fit: Fit):
    figure = plot_effects(crossed_fit, "alpha")
    posterior = crossed_fit.tree["posterior"].to_dataset()
    by_label = medians(figure)
    shown = labels(figure)
    assert shown[:2] == ["typical curve", "task"]
    assert {*shown[2:5]} == {"c4", "books", "code"}
    assert shown[5] == "dataset"
    for section in (shown[2:5], shown[6:10], shown[11:]):
        assert [by_label[name] for name in section] == sorted(by_label[name] for name in section)
    assert len(by_label) == 1 + 3 + 4 + 12
    typical = posterior["alpha_population"]
    assert by_label["typical curve"] == pytest.approx(typical.median().item())
    level = typical + posterior["alpha_dataset_effect"].sel(dataset="wiki")
    assert by_label["wiki"] == pytest.approx(level.median().item())
    curve = posterior["alpha"].sel(curve="code / news")
    assert by_label["code / news"] == pytest.approx(curve.median().item())


def test_bars_are_intervals(crossed_fit: Fit):
    axis = plot_effects(crossed_fit, "L0").axes[0]
    draws = crossed_fit.tree["posterior"]["L0_population"].values
    for prob, bar in zip((0.9, 0.5), axis.collections[:2], strict=True):
        assert bar.get_label() == f"{prob:.0%}"
        ends = bar.get_segments()[0][:, 0]
        np.testing.assert_allclose(ends, np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2]))
    (shade,) = [patch for patch in axis.patches if patch.get_label() == "typical"]
    np.testing.assert_allclose(
        [shade.get_x(), shade.get_x() + shade.get_width()], np.quantile(draws, [0.05, 0.95])
    )


def test_headings_are_bold_and_have_no_bar(crossed_fit: Fit):
    figure = plot_effects(crossed_fit, "alpha")
    bold = [x.get_text() for x in figure.axes[0].get_yticklabels() if x.get_weight() == "bold"]
    assert bold == ["task", "dataset", "curve"]
    assert not set(bold) & set(medians(figure))


def test_a_parameter_far_from_equal_is_on_a_log_axis(crossed_fit: Fit):
    assert plot_effects(crossed_fit, "alpha").axes[0].get_xscale() == "linear"
    tree = crossed_fit.tree.copy()
    posterior = tree["posterior"].to_dataset()
    spread = posterior["k"] * 10.0 ** np.arange(12)
    tree["posterior"] = tree["posterior"].assign(k=spread)
    wide = Fit(crossed_fit.model, crossed_fit.runs, tree)
    assert plot_effects(wide, "k").axes[0].get_xscale() == "log"


def test_a_fit_of_one_curve_has_one_row(lone_fit: Fit, words):
    figure = plot_effects(lone_fit, "alpha")
    assert labels(figure) == ["all"]
    assert "Shade" not in words(figure)
    assert "alpha, power of a predictor" in words(figure)


def test_many_curves_are_thinned(crossed_fit: Fit, words, monkeypatch):
    monkeypatch.setattr("bayeslaw.plots.effects.MAX_CURVES", 5)
    figure = plot_effects(crossed_fit, "alpha")
    assert len(medians(figure)) == 1 + 3 + 4 + 5
    assert "5 of 12 curves shown." in words(figure)
    assert MAX_CURVES == 40


def test_a_failed_gate_is_a_banner_or_a_mark(crossed_fit: Fit, failed, words):
    not_converged = failed(crossed_fit)
    assert "NOT CONVERGED" in words(plot_effects(not_converged, "alpha"))
    axis = Figure((3, 6)).subplots()
    assert plot_effects(not_converged, "alpha", ax=axis) is axis.figure
    (mark,) = axis.texts
    assert mark.get_text() == "NOT CONVERGED"
    assert mark.get_color() == LIGHT.background


def test_an_unknown_parameter_is_refused(crossed_fit: Fit):
    with pytest.raises(ValueError, match=r"no parameter 'beta' in the fit; there are \['L0'"):
        plot_effects(crossed_fit, "beta")
