"""Bands at many points: blocks are the whole, and the whole is the interval of a forecast."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.posterior import posterior_dataset
from bayeslaw._sampling.gate import Gate
from bayeslaw.fitting.fit_schema import _unconstrained
from bayeslaw.forecasting import forecast_bands as module

DRAWS = 400


@dataclass(frozen=True)
class Laplace(bl.Noise):
    """A noise that somebody else wrote."""

    scale: bl.response_scales.ResponseScale = bl.response_scales.LogScale()
    varies_with: str | None = None

    def log_density(self, residual: Any, sigma: Any, parameters: Any) -> Any:
        return -np.abs(residual) / sigma - np.log(2 * sigma)

    def draw(self, rng: np.random.Generator, sigma: Any, parameters: Any) -> Any:
        return rng.laplace(0.0, sigma, np.shape(sigma))


MODELS = {
    "Brownian": bl.Model(bl.laws.power, pooling=["task"]),
    "Brownian, Student-t": bl.Model(bl.laws.power, pooling=["task"], noise=bl.StudentT()),
    "knots": bl.Model(bl.laws.chinchilla, pooling=["task"], discrepancy=bl.Brownian()),
    "no discrepancy": bl.Model(bl.laws.power, pooling=["task"], discrepancy=None),
    "undertuned": bl.Model(
        bl.laws.power, pooling=["task"], discrepancy=None, noise=bl.Undertuned()
    ),
    "undertuned, Brownian": bl.Model(bl.laws.power, pooling=["task"], noise=bl.Undertuned()),
    "noise of sizes": bl.Model(bl.laws.power, pooling=["task"], noise=bl.Gaussian(varies_with="N")),
    "raw scale": bl.Model(
        bl.laws.power, pooling=["task"], noise=bl.Gaussian(bl.response_scales.RawScale())
    ),
    "own": bl.Model(bl.laws.power, pooling=["task"], discrepancy=None, noise=Laplace()),
}


def runs_of(model: bl.Model) -> xr.Dataset:
    rng = np.random.default_rng(1)
    sizes = {name: 1e8 * np.exp(rng.uniform(-3, 3, 12)) for name in model.law.predictors}
    loss = 2.0 + 0.5 * rng.random(12)
    table = pd.DataFrame({**sizes, "loss": loss, "task": list("aabbababaabb")})
    return bl.read_runs(table, predictors=list(sizes), groups=["task"])


def fit_of(model: bl.Model) -> bl.Fit:
    """A fit of draws near zero on the links that nobody sampled."""
    runs, rng = runs_of(model), np.random.default_rng(2)
    bound = bind(model, runs)
    shape = _unconstrained(bound).isel(chain=[0, 0], draw=np.zeros(DRAWS // 2, int))
    shape = shape.assign_coords(chain=np.arange(2), draw=np.arange(DRAWS // 2))
    draws = shape.map(lambda values: values + np.abs(0.1 * rng.normal(size=values.shape)))
    draws["theta"] = draws["theta"] - 2.0
    groups = {"/unconstrained_posterior": draws, "/posterior": posterior_dataset(bound, draws)}
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["gate"] = Gate(1.0, 1000.0, 1000.0, "alpha", 0, 1.0, DRAWS).to_json()
    return bl.Fit(model, runs, tree)


def points(model: bl.Model) -> xr.Dataset:
    """Within the runs and beyond, at the middle, of known curves and of a new one, mixed."""
    sizes = np.tile(np.geomspace(1e6, 1e12, 7), 3)
    tasks = np.random.default_rng(3).permutation(np.repeat(["a", "b", "new"], 7))
    columns = {name: ("run", sizes[:: (-1) ** i]) for i, name in enumerate(model.law.predictors)}
    attrs = {"predictors": list(columns), "groups": ["task"]}
    return xr.Dataset(columns, {"run": np.arange(100, 121), "task": ("run", tasks)}, attrs)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_blocks_are_the_whole(model: bl.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, grid = fit_of(model), points(model)
    options: dict[str, Any] = {"draw_new": ["task"], "random_seed": 3}
    whole = bl.forecast_bands(fit, grid, **options)
    for size in (1, 4 * DRAWS):  # one point at a time, and four
        monkeypatch.setattr(module, "BLOCK_SIZE", size)
        blocks = bl.forecast_bands(fit, grid, draws=DRAWS, **options)
        xr.testing.assert_allclose(blocks, whole, rtol=1e-9)
        assert blocks.attrs == whole.attrs
        assert [blocks[name].attrs for name in blocks] == [whole[name].attrs for name in whole]


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_bands_are_the_interval_of_a_forecast(model: bl.Model) -> None:
    fit, grid = fit_of(model), points(model)
    forecast = bl.forecast(fit, grid, draw_new=["task"])
    expected = bl.interval(forecast, 0.5)[["mean", "new_run"]]
    bands = bl.forecast_bands(fit, grid, prob=0.5, draw_new=["task"])
    assert bands.drop_vars(list(bands)).identical(expected.drop_vars(list(expected)))
    for name in bands:
        drawn = forecast[name].stack(sample=("chain", "draw"))
        # The share of draws below each bound, within five standard errors of two samples.
        below = (drawn <= bands[name]).mean("sample")
        share = xr.DataArray([0.25, 0.5, 0.75], dims="bound")
        error = np.sqrt(2 * share * (1 - share) / DRAWS)
        is_certain = xr.apply_ufunc(np.isclose, drawn.min("sample"), drawn.max("sample"))
        assert ((np.abs(below - share) < 5 * error) | is_certain).all()
        assert bands[name].attrs == expected[name].attrs
    if model.discrepancy is None:
        xr.testing.assert_allclose(bands["mean"], expected["mean"], rtol=1e-12)


OPTIONS: dict[str, dict[str, Any]] = {
    "fixed noise": {"noise": bl.Fixed(0.2)},
    "drawn noise": {"noise": bl.LogNormal(0.2, 1.5)},
    "fewer draws": {"draws": 100},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("stderr", [False, True])
def test_options_are_those_of_a_forecast(options: dict[str, Any], stderr: bool) -> None:
    fit, grid = fit_of(MODELS["Brownian"]), points(MODELS["Brownian"])
    if stderr:
        grid = grid.assign(stderr=("run", np.geomspace(1e-3, 1.0, 21)))
    bands = bl.forecast_bands(fit, grid, draw_new=["task"], prob=0.5, **options)
    forecast = bl.forecast(fit, grid, draw_new=["task"], **options)
    expected = bl.interval(forecast, 0.5)
    width, other = (
        np.log(each["new_run"].sel(bound="upper") / each["new_run"].sel(bound="lower"))
        for each in (bands, expected)
    )
    n_draws = forecast.sizes["chain"] * forecast.sizes["draw"]
    assert (np.abs(np.log(width / other)) < 6 / np.sqrt(n_draws)).all()


def test_the_seed_decides() -> None:
    fit, grid = fit_of(MODELS["Brownian"]), points(MODELS["Brownian"])
    first, again, other = (
        bl.forecast_bands(fit, grid, draw_new=["task"], random_seed=seed) for seed in (1, 1, 2)
    )
    xr.testing.assert_identical(first, again)
    assert not first["mean"].equals(other["mean"])


def test_bands_of_a_stack_are_those_of_its_forecast() -> None:
    model = bl.Model(bl.laws.log_linear, pooling=["task"])
    fits = {"power": fit_of(MODELS["Brownian"]), "line": fit_of(model)}
    grid = points(model).isel(run=slice(6))
    stack = bl.stack(fits, pd.Series({"power": 0.3, "line": 0.7}))
    bands = bl.forecast_bands(stack, grid, prob=0.5, draw_new=["task"])
    forecast = bl.forecast(stack, grid, draw_new=["task"])
    assert bands.attrs == bl.interval(forecast, 0.5).attrs
    below = (forecast["new_run"] <= bands["new_run"]).mean(("chain", "draw"))
    share = xr.DataArray([0.25, 0.5, 0.75], dims="bound")
    assert (np.abs(below - share) < 5 * np.sqrt(2 * share * (1 - share) / DRAWS)).all()


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "prob": (lambda: {"prob": 1.5}, "prob must be a number between 0 and 1, got 1.5"),
    "draws": (lambda: {"draws": 0}, "draws must be a whole number, 1 or more, got 0"),
    "seed": (lambda: {"random_seed": -1}, "random_seed must be"),
    "new level": (lambda: {"draw_new": []}, "task 'new' is not in this fit"),
    "grid": (lambda: {"grid": {"N": 1e9}}, "grid must be points"),
    "fit": (lambda: {"fit": 3}, "fit must be a fit"),
}


@pytest.mark.parametrize(("options", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_a_forecast_refuses(options: Callable[[], Any], sentence: str) -> None:
    model = MODELS["Brownian"]
    arguments = {"fit": fit_of(model), "grid": points(model), "draw_new": ["task"], **options()}
    fit, grid = arguments.pop("fit"), arguments.pop("grid")
    with pytest.raises((ValueError, TypeError), match=sentence):
        bl.forecast_bands(fit, grid, **arguments)


def test_more_memory_than_there_is_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS["Brownian"]
    monkeypatch.setattr("bayeslaw._memory.available_memory", lambda: 100.0)
    with pytest.raises(ValueError, match=r"^bands at 21 points takes at least"):
        bl.forecast_bands(fit_of(model), points(model), draw_new=["task"])


def test_where_a_law_is_not_positive_is_counted_over_all_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = bl.Model(bl.laws.log_linear, pooling=["task"], discrepancy=None)
    fit, grid = fit_of(model), bl.grid(N=[1e8, 1e80, 1e90], task="a")
    monkeypatch.setattr(module, "BLOCK_SIZE", 2 * DRAWS)
    bands = bl.forecast_bands(fit, grid, draws=DRAWS)
    expected = bl.forecast(fit, grid)["mean"].attrs["not_positive"]
    assert bands["mean"].attrs["not_positive"] == pytest.approx(expected)
    assert expected > 0
    assert json.loads(bands.attrs["observed"])["N"]
