"""What drives a forecast: distances, rival laws, the discrepancy, and the sentences."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.diagnostics.forecast_drivers import DATA, LAW, PRIOR, PointDrivers, forecast_drivers

GRID = bl.grid(N=[1e7, 2e9], task="c4", dataset=["web", "wiki"])
NUMERIC = ["decades", "prior", "likelihood", "discrepancy", "between_laws"]


@pytest.fixture(scope="module")
def forecast(crossed_fit: bl.Fit) -> xr.Dataset:
    return bl.forecast(crossed_fit, GRID)


@pytest.mark.parametrize(
    ("prior", "likelihood", "discrepancy", "between_laws", "driver"),
    [
        (0.01, 0.1, 0.5, 0.9, DATA),
        (0.01, 0.1, math.nan, math.nan, DATA),
        (0.04, 0.01, 0.5, 0.0, DATA),  # within the Monte Carlo error
        (0.1, 0.2, 0.5, 0.0, DATA),
        (0.1, 0.09, 0.5, 0.0, PRIOR),
        (0.1, 0.09, 0.5, 1.1, LAW),
        (0.01, 0.1, 0.76, math.nan, LAW),
        (0.01, 0.1, 0.5, math.inf, LAW),
    ],
)
def test_drivers(
    prior: float, likelihood: float, discrepancy: float, between_laws: float, driver: str
) -> None:
    point = PointDrivers(1.0, prior, likelihood, discrepancy, between_laws, "log_linear")
    assert point.driver == driver
    assert point.sentence.startswith(f"{driver.capitalize()}, 1.0 decades beyond the data: ")
    assert ("depart from the law" in point.sentence) == (discrepancy > 0.75)


@pytest.mark.parametrize(
    ("point", "part"),
    [
        (PointDrivers(0.0, 0, 0, 0, 0.0, ""), "within the data: sensitivity 0.00 to the prior"),
        (
            PointDrivers(0.0, 0, 0, 0, 0.0, ""),
            "likelihood; no other law describes the runs as well.",
        ),
        (PointDrivers(0.0, 0, 0, 0, math.nan, ""), "no other law was compared."),
        (
            PointDrivers(0.0, 0, 0, 0, 0.52, "power"),
            "power differs by 0.5 half-widths of the band.",
        ),
    ],
)
def test_sentences(point: PointDrivers, part: str) -> None:
    assert part in point.sentence


def test_a_table_of_the_true_law(crossed_fit: bl.Fit, forecast: xr.Dataset) -> None:
    table = forecast_drivers(crossed_fit, forecast.isel(run=[0, 2]))
    assert table.index.to_list() == [0, 2]
    assert table.index.name == "run"
    assert table.columns.to_list() == ["verdict", *NUMERIC, "rival", "sentence"]
    largest = crossed_fit.runs["N"].max().item()
    np.testing.assert_allclose(table["decades"], [0, np.log10(2e9 / largest)])
    assert table["discrepancy"].isna().all()  # there is no discrepancy
    assert table["prior"].between(0, 0.1).all()
    # The law that made the runs: two other laws with its curvature there are none.
    assert (table["between_laws"] < 1).all()
    assert table["verdict"].to_list() == [DATA, DATA]


def test_other_forecasts(crossed_fit: bl.Fit, forecast: xr.Dataset) -> None:
    scaled = {name: forecast.assign(mean=forecast["mean"] * x) for name, x in
              {"near": 1.001, "far": 0.9, "failed": 2.0}.items()}  # fmt: skip
    scaled["failed"].attrs = {**forecast.attrs, "caveats": ["NOT CONVERGED, do not use: all."]}
    table = forecast_drivers(crossed_fit, forecast, scaled)
    band = np.log(bl.interval(forecast, 0.9)["mean"])
    half = (band.sel(bound="upper") - band.sel(bound="lower")) / 2
    np.testing.assert_allclose(table["between_laws"], -np.log(0.9) / half, rtol=1e-9)
    assert set(table["rival"]) == {"far"}
    assert set(table["verdict"]) == {LAW}
    below_zero = {"negative": forecast.assign(mean=-forecast["mean"])}
    assert np.isinf(forecast_drivers(crossed_fit, forecast, below_zero)["between_laws"]).all()
    none = forecast_drivers(crossed_fit, forecast, {"failed": scaled["failed"]})
    assert none["between_laws"].isna().all()
    with pytest.raises(
        ValueError, match="the forecast of 'short' has 1 points, and this one has 4"
    ):
        forecast_drivers(crossed_fit, forecast, {"short": forecast.isel(run=[0])})


def test_a_curve_without_runs(crossed_fit: bl.Fit) -> None:
    new = bl.forecast(crossed_fit, bl.grid(N=1e6, task=["new"], dataset="web"), draw_new=["task"])
    table = forecast_drivers(crossed_fit, new)
    assert table["between_laws"].isna().all()
    assert table["sentence"].str.contains("no other law was compared").all()
    assert table["decades"].to_list() == [0]
    below = bl.forecast(crossed_fit, bl.grid(N=1e5, task=["new"], dataset="web"), draw_new=["task"])
    assert forecast_drivers(crossed_fit, below, {})["decades"][0] == pytest.approx(1)


def test_discrepancy_is_its_prior_probability(discrepant_fit: bl.Fit) -> None:
    grid = bl.grid(N=[1e10], task=["c4", "new"], dataset="web")
    forecast = bl.forecast(discrepant_fit, grid, draw_new=["task"])
    table = forecast_drivers(discrepant_fit, forecast, {})
    posterior = discrepant_fit.tree["posterior"].to_dataset()
    medians = [posterior["tau"].sel(curve="c4 / web"), posterior["tau_population"]]
    expected = [math.erf(np.log(float(x.median()) / 0.01) / math.sqrt(2)) for x in medians]
    np.testing.assert_allclose(table["discrepancy"], (1 + np.array(expected)) / 2, atol=2e-3)
    assert (table["discrepancy"] < 0.75).all()  # the law is the true one


@pytest.mark.parametrize(("size", "rival"), [(5, True), (30, False)])
def test_laws_that_few_runs_cannot_tell(
    size: int, rival: bool, lone_fit: bl.Fit, lone_runs: xr.Dataset
) -> None:
    """With five runs any law is as good, with thirty it is not."""
    few = lone_runs.isel(run=np.linspace(0, 29, size).astype(int))
    fit = replace(lone_fit, runs=few)
    table = forecast_drivers(fit, bl.forecast(lone_fit, bl.grid(N=[1e12])))
    assert (table["between_laws"][0] > 1) == rival
    assert table["verdict"].to_list() == [LAW if rival else DATA]
    assert isinstance(table, pd.DataFrame)
