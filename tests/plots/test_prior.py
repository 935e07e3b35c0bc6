"""Figure of runs as the prior has them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from bayeslaw.data.runs import grid
from bayeslaw.fitting.result import Fit
from bayeslaw.laws import power
from bayeslaw.model.model import Model
from bayeslaw.plots.prior import plot_prior


@pytest.fixture
def prior_fit(runs_at) -> Callable[..., Fit]:
    """Make a fit that has a prior predictive distribution only."""

    def make(curves: int, draws: int = 80, sizes: int = 7) -> Fit:
        runs = runs_at(
            grid(task=[f"task {i}" for i in range(curves)], N=np.geomspace(1e6, 1e9, sizes)), 2
        )
        drawn = np.exp(20 * np.random.default_rng(3).normal(size=(2, draws, runs.sizes["run"])))
        prior = xr.Dataset({"loss": (("chain", "draw", "run"), drawn)})
        tree = xr.DataTree.from_dict({"/prior_predictive": prior})
        return Fit(Model(power, pooling=["task"]), runs, tree)

    return make


@pytest.mark.parametrize(("draws", "lines"), [(80, 50), (10, 20)])
def test_prior_has_draws_and_runs_of_a_few_curves(draws, lines, prior_fit, line, words):
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


def test_prior_of_curves_of_one_size(prior_fit):
    figure = plot_prior(prior_fit(2, sizes=1))
    figure.draw_without_rendering()
    assert figure.axes[0].lines[0].get_marker() == "."


@pytest.mark.filterwarnings("ignore:group 'task' has one level")
def test_one_curve_is_drawn_in_given_axes(prior_fit, line):
    axis = Figure((3, 3)).subplots()
    figure = plot_prior(prior_fit(1), ax=axis)
    assert figure is axis.figure
    assert line(axis, "fitted")[0].size == 14
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("N", "loss")
    with pytest.raises(ValueError, match="ax takes one curve, and there are 2; choose one"):
        plot_prior(prior_fit(2), ax=axis)
