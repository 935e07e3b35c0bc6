"""Figures against baseline images, with Matplotlib's own fonts and made-up numbers.

After an intended change of appearance: pytest tests/plots/test_pictures.py
--mpl-generate-path=tests/plots/baseline, and look at the new images.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import style
from matplotlib.figure import Figure

from bayeslaw.data.runs import grid
from bayeslaw.plots.comparison import plot_comparison
from bayeslaw.plots.contours import plot_contours
from bayeslaw.plots.forecast import plot_forecast
from bayeslaw.plots.skill import plot_skill

# Root mean square difference of tones of 256: one Matplotlib with its own fonts differs between
# machines by rounding; a title that is lost makes 4 or more, a shift by one pixel 17.
baseline_image = pytest.mark.mpl_image_compare(
    baseline_dir="baseline", style="default", tolerance=3, savefig_kwargs={"dpi": 100}
)


@baseline_image
def test_forecast(example) -> Figure:
    return plot_forecast(*example(["c4", "books"]))


@baseline_image
def test_forecast_dark(example) -> Figure:
    with style.context("bayeslaw.dark"):
        return plot_forecast(*example(["c4", "books"]))


@baseline_image
def test_comparison() -> Figure:
    scores = {
        "log_score": [1.9, 1.7, -np.inf, np.nan], "log_score_diff": [0, -0.2, -np.inf, np.nan],
        "log_score_diff_se": [0, 0.1, np.nan, np.nan], "rmsle": [0.05, 0.06, 0.9, 0.12],
        "crps": [0.01, 0.013, 0.1, np.nan], "coverage_90": [0.91, 0.85, 0.2, np.nan],
    }  # fmt: skip
    return plot_comparison(pd.DataFrame(scores, ["power", "broken", "exponential", "last value"]))


@baseline_image
def test_skill() -> Figure:
    index = pd.MultiIndex.from_product([[2, 5, 10], ["power", "log-linear"]])
    far, law = np.repeat([0, 1, 2], 2), np.tile([0, 1], 3)
    scores = {
        "log_score_diff": -0.2 * law * (1 + far), "log_score_diff_se": 0.05 * law,
        "rmsle": 0.02 * (1 + far) * (1 + law), "rmsle_se": 0.005,
        "crps": 0.01 * (1 + far) * (1 + law), "coverage_90": 0.9 - 0.1 * law,
    }  # fmt: skip
    return plot_skill(pd.DataFrame(scores, index.set_names(["horizon", "model"])))


@baseline_image
def test_contours(forecast_at, runs_at) -> Figure:
    """A law with both exponents one half has its optimum on a line."""
    rng, budgets = np.random.default_rng(1), np.geomspace(1e16, 1e20, 5)
    size = np.sqrt(budgets / 6)[None, None, None] * np.exp(0.2 * rng.normal(size=(2, 60, 1, 1)))
    dims = ("chain", "draw", "curve", "budget")
    plan = xr.Dataset(
        {"N": (dims, size), "D": (dims, budgets / 6 / size)},
        {"budget": ("budget", budgets, {"units": "FLOP"}), "curve": ["all"]},
        {"predictors": ["N", "D"], "cost": "training_flops", "caveats": []},
    )
    sizes = grid(N=np.geomspace(1e6, 1e11, 20), D=np.geomspace(1e7, 1e12, 20))
    runs = runs_at(grid(N=np.geomspace(1e6, 1e8, 5), D=[1e9, 3e9, 1e10]))
    return plot_contours(forecast_at(sizes), plan, runs)
