"""Figure of a law in two predictors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from bayeslaw import laws
from bayeslaw.data.runs import grid, read_runs
from bayeslaw.decisions.plan import plan
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.plots.contours import plot_contours

BUDGETS = np.geomspace(1e19, 1e23, 9)


@pytest.fixture(scope="module")
def planned(known_fit: Callable[..., Fit]) -> tuple[xr.Dataset, xr.Dataset, Fit]:
    """A forecast on a grid, a plan, and the fit: draws about published values."""
    rng = np.random.default_rng(1)

    def about(value: float, factor: float) -> np.ndarray:
        return value * factor ** rng.normal(size=(2, 50, 1))

    draws = {"E": about(1.8, 1.01), "A": about(480, 1.05), "B": about(2085, 1.05)}
    draws |= {"alpha": about(0.35, 1.01), "beta": about(0.37, 1.01)}
    draws = {name: draws[name] for name in laws.chinchilla.parameters}
    sizes = grid(N=np.geomspace(1e8, 1e10, 6), D=np.geomspace(1e9, 1e11, 5)).to_dataframe()
    sizes["loss"] = 1.8 + 480 * sizes["N"] ** -0.35 + 2085 * sizes["D"] ** -0.37
    fit = known_fit(laws.chinchilla, draws, read_runs(sizes, predictors=["N", "D"]))
    at = grid(N=np.geomspace(1e8, 1e11, 12), D=np.geomspace(1e9, 1e12, 10))
    return forecast(fit, at), plan(fit, BUDGETS), fit


def named(axis: Any, label: str) -> Any:
    (match,) = [each for each in axis.get_children() if each.get_label() == label]
    return match


def test_path_is_the_plans_median_within_its_band(planned):
    drawn, plan_draws, _ = planned
    axis = plot_contours(drawn, plan_draws).axes[0]
    median = plan_draws.median(("chain", "draw")).isel(curve=0)
    path = named(axis, "path").get_xydata()
    np.testing.assert_allclose(path, np.stack([median["N"], median["D"]], axis=1))
    corners = named(axis, "90%").get_xy()
    low = plan_draws["N"].quantile(0.05, ("chain", "draw")).isel(curve=0)
    np.testing.assert_allclose(corners[:9, 0], low)
    np.testing.assert_allclose(corners[:9].prod(axis=1), BUDGETS / 6, rtol=0.01)
    assert np.all(corners[:9, 0] < path[:, 0])


def test_lines_of_equal_cost_are_named(planned):
    drawn, plan_draws, _ = planned
    axis = plot_contours(drawn, plan_draws).axes[0]
    costs = axis.collections[-1]
    assert len(costs.levels) == 6
    for level, segments in zip(costs.levels, costs.allsegs, strict=True):
        for segment in segments:
            np.testing.assert_allclose(6 * segment.prod(axis=1), level, rtol=0.2)
    assert {"$10^{19}$", "$10^{23}$"} <= {text.get_text() for text in axis.texts}


def test_a_budget_outside_the_surface_has_no_line(planned):
    drawn, _, fit = planned
    axis = plot_contours(drawn, plan(fit, [1e21, 1e30])).axes[0]
    texts = {text.get_text() for text in axis.texts}
    assert "$10^{21}$" in texts
    assert "$10^{30}$" not in texts


def test_contours_are_of_the_median_law(planned):
    drawn, plan_draws, _ = planned
    axis = plot_contours(drawn, plan_draws).axes[0]
    contours = axis.collections[0]
    shown = 0
    for level, segments in zip(contours.levels, contours.allsegs, strict=True):
        for x, y in np.concatenate(segments) if segments else ():
            assert 1.8 + 480 * x**-0.35 + 2085 * y**-0.37 == pytest.approx(level, rel=0.03)
            shown += 1
    assert shown > 50


def test_grey_is_beyond_the_runs(planned):
    drawn, plan_draws, fit = planned
    axis = plot_contours(drawn, plan_draws, fit.runs).axes[0]
    right, upper = [patch for patch in axis.patches if patch.get_label() == "beyond"]
    assert right.get_x() == pytest.approx(1e10)
    assert upper.get_y() == pytest.approx(1e11)
    np.testing.assert_allclose(named(axis, "runs").get_xdata(), fit.runs["N"])


def test_caveats_are_notes_and_axes_may_be_given(planned, words):
    drawn, plan_draws, _ = planned
    assert "Beyond the data these bands hold only if the law does" in words(
        plot_contours(drawn, plan_draws)
    )
    assert "runs of equal budget (FLOP)" in words(plot_contours(drawn, plan_draws))
    axis = Figure((3, 3)).subplots()
    failed = plan_draws.assign_attrs(caveats=["NOT CONVERGED, do not use."])
    assert plot_contours(drawn, failed, ax=axis) is axis.figure
    assert axis.get_xlabel() == "N"
    assert "NOT CONVERGED" in {text.get_text() for text in axis.texts}


def test_another_cost_function(planned):
    drawn, _, fit = planned

    def lifetime(N: Any, D: Any, served: Any = 1e12) -> Any:
        return 6 * N * D + 2 * N * served

    plan_draws = plan(fit, [1e22, 1e23], cost=lifetime)
    axis = plot_contours(drawn, plan_draws, cost=lifetime).axes[0]
    assert len(axis.collections[-1].levels) == 2
    with pytest.raises(
        ValueError, match="do not cost its budgets by training_flops; give the cost"
    ):
        plot_contours(drawn, plan_draws)


def test_only_runs_of_the_curve_are_drawn(known_fit: Callable[..., Fit]):
    rows = grid(task=["c4", "books"], N=[1e8, 1e9, 1e10], D=[1e9, 1e10]).to_dataframe()
    rows["loss"] = 2 + 100 * rows["N"] ** -0.3 + 100 * rows["D"] ** -0.3
    runs = read_runs(rows, predictors=["N", "D"], groups=["task"])
    values = dict(zip(laws.chinchilla.parameters, (2.0, 100.0, 0.3, 100.0, 0.3), strict=True))
    draws = {name: np.full((1, 4, 2), value) for name, value in values.items()}
    fit = known_fit(laws.chinchilla, draws, runs)
    at = grid(task="c4", N=[1e8, 1e9, 1e10], D=[1e9, 1e10, 1e11])
    plan_draws = plan(fit, 1e19)
    with pytest.raises(ValueError, match="the plan is of 2 curves; choose one"):
        plot_contours(forecast(fit, at), plan_draws)
    axis = plot_contours(forecast(fit, at), plan_draws.isel(curve=[0]), runs).axes[0]
    assert named(axis, "runs").get_xdata().size == 6
    assert named(axis, "path").get_marker() == "o"


def test_other_than_a_grid_is_refused(planned):
    drawn, plan_draws, _ = planned
    with pytest.raises(ValueError, match="contours need each of 12 N with each of 10 D once"):
        plot_contours(drawn.isel(run=slice(1, None)), plan_draws)
    with pytest.raises(ValueError, match="of two predictors, and the forecast has"):
        plot_contours(drawn.assign_attrs(predictors=["N"]), plan_draws)
    with pytest.raises(ValueError, match="the plan trades"):
        plot_contours(drawn, plan_draws.assign_attrs(predictors=["N", "S"]))
