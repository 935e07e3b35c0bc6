"""Power-scaling: densities by hand, and how much a quantity moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import preliz as pz
import pytest
import xarray as xr
from arviz_stats import psense
from scipy import stats

import bayeslaw as bl
from bayeslaw._law.roles import IDENTITY, LOG, LOGIT, Link
from bayeslaw.diagnostics import power_scaling
from bayeslaw.diagnostics.curve_likelihood import curve_log_likelihood
from bayeslaw.diagnostics.power_scaling import log_prior, sensitivity
from bayeslaw.priors import Prior

REAL = np.array([-2.0, -0.5, 0.3])


def assert_equal_up_to_a_constant(density: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(density - density[0, 0], expected - expected[0, 0], atol=1e-7)


def test_prior_of_a_curve_alone(lone_fit: bl.Fit, lone_runs: xr.Dataset) -> None:
    """No pooling over one curve: the priors of its own parameters."""
    theta = lone_fit.tree["unconstrained_posterior"]["theta"].isel(curve=0)
    level = np.log(np.median(lone_runs["loss"]))
    priors = {
        "L0": stats.norm(0, 1.5),
        "k": stats.norm(level, 1.0),
        "alpha": stats.norm(np.log(0.2), np.log(2.2255)),
        "sigma": stats.norm(np.log(0.01), np.log(2.7183)),
    }
    expected = sum(prior.logpdf(theta.sel(parameter=n).values) for n, prior in priors.items())
    density = log_prior(lone_fit)
    assert density.shape == (*theta.shape[:2], 1)
    assert_equal_up_to_a_constant(density[..., 0], expected)


def test_prior_of_a_population(crossed_fit: bl.Fit) -> None:
    """Of a pooled model only what is at the top: the population, and its spreads."""
    link = crossed_fit.tree["unconstrained_posterior"].to_dataset()
    level = np.log(np.median(crossed_fit.runs["loss"]))
    centers = {"L0": (0, 1.5), "k": (level, 1.0), "alpha": (np.log(0.2), np.log(2.2255))}
    centers["sigma"] = (np.log(0.01), np.log(2.7183))
    sds = {"L0": 0.5, "k": 1.0, "alpha": 0.3, "sigma": 0.5}
    expected = sum(
        stats.norm(*at).logpdf(link["center"].sel(parameter=name).values)
        for name, at in centers.items()
    )
    for i, of in enumerate(link["spread_of"].values):
        scale = sds[str(of).partition(" ")[0]]
        expected = expected + stats.halfnorm(scale=scale).logpdf(link["spread"].values[..., i])
    assert_equal_up_to_a_constant(log_prior(crossed_fit), expected)


@pytest.mark.parametrize(
    ("prior", "link", "expected"),
    [
        (bl.HalfNormal(0.3), LOG, stats.halfnorm(scale=0.3).logpdf(np.exp(REAL)) + REAL),
        (bl.HalfNormal(0.3), IDENTITY, -((REAL / 0.3) ** 2) / 2),
        (bl.Normal(0.3, 0.1), LOG, stats.norm(0.3, 0.1).logpdf(np.exp(REAL)) + REAL),
        (pz.Gamma(2, 4), LOG, stats.gamma(2, scale=0.25).logpdf(np.exp(REAL)) + REAL),
        (pz.Beta(2, 3), LOGIT, stats.beta(3, 4).logpdf(1 / (1 + np.exp(-REAL)))),
        (bl.LogNormal(0.2, 2.0), LOG, stats.norm(np.log(0.2), np.log(2)).logpdf(REAL)),
        (bl.Fixed(0.2), LOG, np.zeros(3)),
    ],
)
def test_any_prior_on_the_scale_of_a_link(prior: Prior, link: Link, expected: np.ndarray) -> None:
    density = power_scaling._log_density(prior, link, REAL)
    np.testing.assert_allclose(density - density[0], expected - expected[0], rtol=1e-6, atol=1e-6)


def test_a_twentieth_is_a_quarter_of_a_deviation() -> None:
    """What the threshold means: the shift of a normal when the power is doubled."""
    normal = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    values = np.random.default_rng(1).permutation(normal).reshape(4, -1)
    # Weights exp(slope (a - 1) x) shift a standard normal by slope (a - 1).
    slope = 0.24 / np.log(2)
    gradient = power_scaling._gradients(values[..., None], slope * values)
    assert gradient == pytest.approx(0.05, abs=0.002)


def test_densities_that_the_quantity_does_not_depend_on_add_no_noise() -> None:
    """Weights of many parameters, all independent of the quantity."""
    rng = np.random.default_rng(3)
    value, log = rng.standard_normal((4, 500, 1)), 5 * rng.standard_normal((4, 500))
    # The slope of the log density is 0 with a standard error of 5 / sqrt(2000).
    error = 0.05 * 5 / np.sqrt(2000) * np.log(2) / 0.24
    assert power_scaling._gradients(value, log)[0] < 4 * error


def test_sensitivity_to_an_informative_prior(known_fit: Callable[..., bl.Fit]) -> None:
    """Curves that are not pooled: each has the prior and the likelihood of its own."""
    sizes = np.geomspace(1e6, 1e9, 6)
    rng = np.random.default_rng(2)
    # The first curve's parameter is drawn about its runs, the second's from the prior.
    drawn = np.stack([0.5 * np.exp(1e-3 * rng.standard_normal((4, 500))),
                      2.0 ** rng.standard_normal((4, 500))], axis=2)  # fmt: skip
    rows = [
        {"N": N, "loss": 5e3 * N**-0.5 if task == "a" else 1.0, "task": task}
        for task in "ab"
        for N in sizes
    ]
    runs = bl.read_runs(pd.DataFrame(rows), predictors=["N"], groups=["task"])
    fit = known_fit(bl.laws.pure_power, {"N_c": np.full(drawn.shape, 1e7), "alpha": drawn}, runs)
    log_alpha = xr.DataArray(np.log(drawn), dims=("chain", "draw", "run"))
    both = sensitivity(fit, log_alpha, np.array([0, 1]))
    swapped = sensitivity(fit, log_alpha.isel(run=[1, 0]), np.array([1, 0]))
    np.testing.assert_array_equal(both["prior"], swapped["prior"][::-1])
    assert both["prior"][0] < 0.05 < both["prior"][1]


def test_a_forecast_of_thinned_draws(crossed_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e9, 1e12], task="c4", dataset="web")
    every, some = (bl.forecast(crossed_fit, grid, draws=draws)["mean"] for draws in (4000, 300))
    assert some.sizes["draw"] < every.sizes["draw"]
    step = -(-every.sizes["draw"] // some.sizes["draw"])
    result = sensitivity(crossed_fit, some, np.zeros(2, int))
    logs = {"prior": log_prior(crossed_fit), "likelihood": curve_log_likelihood(crossed_fit).sum(2)}
    for name, log in logs.items():
        expected = power_scaling._gradients(every.values[:, ::step], log[:, ::step])
        np.testing.assert_allclose(result[name], expected)
    with pytest.raises(ValueError, match="have 700 draws per chain and the fit"):
        sensitivity(crossed_fit, every.isel(draw=np.zeros(700, int)), np.zeros(2, int))


@pytest.mark.parametrize("slope", [0.0, 0.3, -2.0])
@pytest.mark.parametrize("skew", [False, True], ids=["normal", "skewed"])
def test_sensitivity_is_that_of_arviz(slope: float, skew: bool) -> None:
    values = np.random.default_rng(3).normal(size=(4, 300))
    density = slope * values - values**2 / 2
    values = np.exp(values) if skew else np.round(values, 2)
    groups = {"/posterior": values, "/log_prior": density}
    tree = {name: xr.Dataset({"x": (("chain", "draw"), group)}) for name, group in groups.items()}
    expected = float(psense(xr.DataTree.from_dict(tree), group="prior")["x"])
    result = power_scaling.power_sensitivity(values.ravel(), density.ravel())
    assert result == pytest.approx(expected, rel=1e-9)
