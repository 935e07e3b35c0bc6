"""Credible intervals of draws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import bayeslaw as bl

NAMES = ["mean", "new_run", "law", "center", "scale", "noise"]


def test_bands_are_quantiles(crossed_fit: bl.Fit) -> None:
    forecast = bl.forecast(crossed_fit, bl.grid(N=[1e9, 1e10], task="c4", dataset="web"))
    band = bl.interval(forecast, 0.8)
    assert band["bound"].values.tolist() == ["lower", "median", "upper"]
    for name in NAMES:
        expected = np.quantile(forecast[name].values, [0.1, 0.5, 0.9], axis=(0, 1))
        np.testing.assert_allclose(band[name].transpose("bound", "run"), expected)
    assert band.attrs == forecast.attrs | {"prob": 0.8}
    assert band["mean"].attrs == forecast["mean"].attrs
    np.testing.assert_array_equal(band["N"], [1e9, 1e10])


def test_variables_without_draws_have_no_bands(crossed_fit: bl.Fit) -> None:
    forecast = bl.forecast(crossed_fit, bl.grid(N=1e9, task="c4", dataset="web"))
    band = bl.interval(forecast.assign(known=("run", [1.0])), 0.5)
    assert list(band.data_vars) == NAMES


@pytest.mark.parametrize("prob", [0.0, 1.0, 90.0, -0.5, float("nan")])
def test_prob_of_a_band(prob: float) -> None:
    with pytest.raises(ValueError, match=f"^prob must be a number between 0 and 1, got {prob}$"):
        bl.interval(xr.Dataset(), prob)
