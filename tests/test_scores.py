"""Scores of forecasts, against densities and scores worked out another way."""

from __future__ import annotations

import numpy as np
import pytest
import scoringrules
import xarray as xr
from scipy import special, stats

from bayeslaw.noise import StudentT
from bayeslaw.scores import score_runs

NOISE, SIGMA = StudentT(4.0), 0.05


def forecast_of(mean: np.ndarray, sigma: float = SIGMA, seed: int = 1) -> xr.Dataset:
    """A forecast from draws of the mean, (draw, run), in two chains."""
    mean = mean.reshape(2, -1, mean.shape[-1])
    new_run = NOISE.draw(np.random.default_rng(seed), mean, sigma)
    dims = ("chain", "draw", "run")
    values = {"mean": mean, "new_run": new_run, "noise": np.full_like(mean, sigma)}
    return xr.Dataset({name: (dims, value) for name, value in values.items()})


def draws(n: int = 400) -> np.ndarray:
    return np.exp(np.random.default_rng(2).normal([1.0, 2.0, 0.0], 0.1, size=(n, 3)))


def test_log_score_is_the_density_of_the_mixture() -> None:
    mean, observed = draws(), np.array([2.5, 8.0, 1.4])
    parts = stats.t.logpdf(np.log(observed), 4.0, np.log(mean), SIGMA) - np.log(observed)
    expected = special.logsumexp(parts, axis=0) - np.log(len(mean))
    found = score_runs(forecast_of(mean), observed, NOISE)["log_score"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_log_score_is_a_density_of_the_response() -> None:
    """It integrates to one over the response."""
    at = np.linspace(0.5, 8.0, 4001)
    mean = np.repeat(draws(40)[:, :1], at.size, axis=1)
    density = np.exp(score_runs(forecast_of(mean), at, NOISE)["log_score"])
    assert np.trapezoid(density, at) == pytest.approx(1, abs=2e-3)


def test_crps_of_a_normal_forecast() -> None:
    rng = np.random.default_rng(3)
    center, sd, observed = np.array([5.0, 3.0]), np.array([0.2, 0.5]), np.array([5.1, 1.5])
    ensemble = rng.normal(center, sd, size=(2, 10_000, 2))
    dims = ("chain", "draw", "run")
    made = {"mean": ensemble, "new_run": ensemble, "noise": np.full_like(ensemble, 0.1)}
    forecast = xr.Dataset({name: (dims, value) for name, value in made.items()})
    found = score_runs(forecast, observed, NOISE)["crps"]
    expected = scoringrules.crps_normal(observed, center, sd)
    np.testing.assert_allclose(found, expected, rtol=0.02)


def test_crps_of_one_draw_is_the_distance() -> None:
    mean = np.array([[2.0], [2.0]])
    found = score_runs(forecast_of(mean, sigma=1e-100), np.array([2.7]), NOISE)
    np.testing.assert_allclose(found["crps"], 0.7)


def test_errors_are_of_the_median_on_the_log_scale() -> None:
    mean, observed = draws(401 * 2), np.array([2.5, 8.0, 1.4])
    found = score_runs(forecast_of(mean), observed, NOISE)["squared_log_error"]
    expected = np.log(np.median(mean, axis=0) / observed) ** 2
    np.testing.assert_allclose(found, expected)


def test_coverage_is_of_the_band_of_a_new_run() -> None:
    forecast = forecast_of(np.ones((2000, 4)))
    reach = stats.t(4.0).ppf(0.95) * SIGMA
    observed = np.exp([0.0, 0.8 * reach, 1.2 * reach, -1.2 * reach])
    assert score_runs(forecast, observed, NOISE)["covered"].values.tolist() == [1, 1, 0, 0]


def test_ninety_in_a_hundred_runs_are_covered() -> None:
    n = 4000
    forecast = forecast_of(np.ones((500, n)))
    observed = np.exp(SIGMA * np.random.default_rng(8).standard_t(4.0, n))
    covered = float(score_runs(forecast, observed, NOISE)["covered"].mean())
    # Each band is from 500 draws: its own error is as large as that of the count.
    assert abs(covered - 0.9) < 4 * np.sqrt(0.09 / n) + 0.01


@pytest.mark.parametrize("level", [0.0, -1.0])
def test_a_law_that_is_not_positive_fails(level: float) -> None:
    found = score_runs(forecast_of(np.full((100, 1), level)), np.array([2.0]), NOISE)
    assert found["squared_log_error"].item() == np.inf
    assert found["log_score"].item() == -np.inf
    assert found["crps"].item() == pytest.approx(2.0 - level)
    assert found["covered"].item() == 0


def test_draws_that_are_not_positive_have_no_density() -> None:
    mean = np.ones((100, 1))
    mean[:75] = -1.0
    whole, rest = (score_runs(forecast_of(x), np.array([1.0]), NOISE) for x in (mean, mean[76:]))
    expected = rest["log_score"].item() + np.log(0.25)
    assert whole["log_score"].item() == pytest.approx(expected)


def test_scores_are_by_run() -> None:
    found = score_runs(forecast_of(draws()), np.array([2.5, 8.0, 1.4]), NOISE)
    assert set(found) == {"squared_log_error", "log_score", "crps", "covered"}
    assert all(values.dims == ("run",) for values in found.values())
