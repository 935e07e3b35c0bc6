"""Noise of a user's own, with a parameter of its own: fitted, forecast, scored, saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.model.noise_kind import Noise
from bayeslaw.model.serialise import to_record
from bayeslaw.report.describe import describe_noise
from bayeslaw.response_scales import LogScale, ResponseScale


@dataclass(frozen=True)
class AsymmetricLaplace(bl.Noise):
    """Laplace noise, with tails up that are `skew` times as long as those down."""

    scale: ResponseScale = LogScale()
    varies_with: str | None = None

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {**super().parameters, "skew": bl.Shape}

    def log_density(self, residual: Any, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        skew = parameters["skew"]
        up, down = sigma * skew, sigma / skew
        distance = (abs(residual) + residual) / (2 * up) + (abs(residual) - residual) / (2 * down)
        return -distance - np.log(up + down)

    def draw(self, rng: np.random.Generator, sigma: Any, parameters: Mapping[str, Any]) -> Any:
        shape = np.shape(sigma)
        up, down = sigma * parameters["skew"], sigma / parameters["skew"]
        sign = rng.uniform(size=shape) < up / (up + down)
        return np.where(sign, up, -down) * rng.standard_exponential(shape)

    def describe(self) -> str:
        return "asymmetric Laplace"


TRUTH = {"sigma": 0.02, "skew": 2.0}
MODEL = bl.Model(
    bl.laws.pure_power, noise=AsymmetricLaplace(), discrepancy=None, pooling=None,
    priors={"sigma": bl.LogNormal(0.02, 2.0)},
)  # fmt: skip


@pytest.fixture(scope="module")
def skewed_runs() -> xr.Dataset:
    rng, sizes = np.random.default_rng(1), np.geomspace(1e6, 1e9, 200)
    residual = AsymmetricLaplace().draw(rng, np.full(200, TRUTH["sigma"]), TRUTH)
    loss = 30 * sizes**-0.1 * np.exp(residual)
    return bl.read_runs(pd.DataFrame({"N": sizes, "loss": loss}), predictors=["N"])


@pytest.fixture(scope="module")
def skewed_fit(skewed_runs: xr.Dataset) -> bl.Fit:
    return bl.fit(MODEL, skewed_runs, random_seed=1)


def test_its_density_integrates_to_one() -> None:
    residual = np.linspace(-2, 2, 400_001)
    density = np.exp(AsymmetricLaplace().log_density(residual, 0.02, {"skew": 2.0}))
    assert np.trapezoid(density, residual) == pytest.approx(1, abs=1e-6)


def test_its_own_parameter_is_inferred(skewed_fit: bl.Fit) -> None:
    posterior = skewed_fit.tree["posterior"].to_dataset()
    for name, value in TRUTH.items():
        log = np.log(posterior[name])
        assert abs(float(log.mean()) - np.log(value)) < 4 * float(log.std()), name
    assert float(np.log(posterior["skew"]).std()) < 0.2


def test_it_is_forecast_and_scored(skewed_fit: bl.Fit, skewed_runs: xr.Dataset) -> None:
    """The log score is that of its own density, averaged over the draws."""
    forecast = bl.forecast(skewed_fit, skewed_runs, random_seed=2)
    log_residual = np.log(skewed_runs["loss"].values) - np.log(forecast["law"].values)
    draws = {"skew": forecast["skew"].values}
    density = AsymmetricLaplace().log_density(log_residual, forecast["noise"].values, draws)
    expected = np.log(np.exp(density).mean(axis=(0, 1))) - np.log(skewed_runs["loss"].values)
    scores = bl.score(forecast, skewed_runs)
    np.testing.assert_allclose(scores["log_score"].values, expected, rtol=1e-8)
    coverage = float(scores["inside"].sel(prob=0.9).mean()) if "inside" in scores else 0.9
    assert abs(coverage - 0.9) < 4 * np.sqrt(0.9 * 0.1 / 200)


def test_it_is_saved_by_its_name(
    skewed_fit: bl.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bl.save(skewed_fit, tmp_path / "fit.nc")
    assert bl.load(path).model == MODEL
    monkeypatch.delitem(Noise.kinds, "AsymmetricLaplace")
    with pytest.raises(
        bl.errors.StoreError, match="'AsymmetricLaplace' is no class of this package"
    ) as caught:
        bl.load(path)
    assert str(caught.value).endswith(f"commands take --import {AsymmetricLaplace.__module__}")


def test_a_class_that_was_defined_again_is_recorded() -> None:
    """As in a process that was spawned: its main module is imported under another name."""
    noise = AsymmetricLaplace()
    again = type("AsymmetricLaplace", (AsymmetricLaplace,), {"__module__": "__mp_main__"})
    try:
        assert Noise.kinds["AsymmetricLaplace"]["__mp_main__"] is again
        [(_, record)] = to_record("noise", noise).items()
        assert record["varies_with"] is None
    finally:
        del Noise.kinds["AsymmetricLaplace"]["__mp_main__"]


def test_it_is_described() -> None:
    assert describe_noise(MODEL.noise).startswith("Noise: asymmetric Laplace on the logarithm")


def test_it_is_refitted(skewed_runs: xr.Dataset) -> None:
    [refitted] = bl.refit(
        MODEL, [skewed_runs], sampler=bl.Sampler(random_seed=1, draws=100, tune=200, chains=2)
    )
    assert "skew" in refitted.tree["posterior"]


def test_next_to_a_discrepancy_it_needs_a_latent_variable() -> None:
    with pytest.raises(TypeError, match="AsymmetricLaplace next to a discrepancy has to be Gauss"):
        bl.Model(bl.laws.power, noise=AsymmetricLaplace())


def test_names_of_the_package_are_taken() -> None:
    with pytest.raises(TypeError, match="called Gaussian already"):
        type("Gaussian", (bl.Noise,), {"__module__": "mine"})


def test_parameters_need_roles_and_free_names() -> None:
    def noise(**more: Any) -> bl.Noise:
        parameters = property(lambda self: {"sigma": bl.NoiseScale, **more})
        kind = type("Mine", (AsymmetricLaplace,), {"parameters": parameters})
        return kind()

    with pytest.raises(TypeError, match="parameter 'skew' needs a role"):
        bl.Model(bl.laws.power, noise=noise(skew=1.0), discrepancy=None)
    with pytest.raises(ValueError, match=r"a forecast has variables \['mean'\]"):
        bl.Model(bl.laws.power, noise=noise(mean=bl.Real), discrepancy=None)


@pytest.mark.parametrize("decorate", [lambda kind: kind, dataclass(frozen=True)])
def test_noise_without_its_fields_is_refused(decorate: Any) -> None:
    class Bare(bl.Noise):
        def log_density(self, residual: Any, sigma: Any, parameters: Any) -> Any:
            return -abs(residual) / sigma

        def draw(self, rng: Any, sigma: Any, parameters: Any) -> Any:
            return rng.laplace(0.0, sigma)

    with pytest.raises(TypeError, match=r"^noise Bare has no field 'scale': make it a frozen data"):
        bl.Model(bl.laws.power, noise=decorate(Bare)(), discrepancy=None)


def test_a_fit_is_refused_if_the_code_of_its_noise_was_changed(
    skewed_fit: bl.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bl.save(skewed_fit, tmp_path / "fit.nc")
    monkeypatch.setattr(AsymmetricLaplace, "draw", lambda self, rng, sigma, parameters: sigma)
    with pytest.raises(
        bl.errors.StoreError,
        match="the code of noise 'AsymmetricLaplace' was changed after it was saved",
    ):
        bl.load(path)
