"""Population priors: what other curves say about a new one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import preliz as pz
import pytest
import xarray as xr
from bound_models import model_data

import bayeslaw as bl
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.pymc_model import build
from bayeslaw.data.runs import reference_sizes
from bayeslaw.fitting.population import load_population, population, save_population
from bayeslaw.priors import HalfNormal, LinkNormal, Population


def moments(fit: bl.Fit, name: str, **levels: str) -> tuple[float, float]:
    """Mean and sd of a new curve's parameter by simulation from the draws."""
    draws = fit.tree["unconstrained_posterior"].to_dataset()
    rng = np.random.default_rng(1)
    value = draws["center"].sel(parameter=name).values.copy()
    for item in draws["spread_of"].values:
        parameter, group = str(item).split(" ", 1)
        if parameter != name:
            continue
        spread = draws["spread"].sel(spread_of=item).values
        effect = rng.standard_normal(spread.shape)
        if group in levels:
            effect = draws["effects"].sel(effect_of=f"{name} {group} {levels[group]}").values
        value = value + spread * effect
    return float(value.mean()), float(value.std())


@pytest.mark.parametrize("levels", [{}, {"task": "c4"}, {"task": "c4", "dataset": "wiki"}], ids=str)
def test_moments_are_those_of_simulated_curves(crossed_fit: bl.Fit, levels: dict[str, str]) -> None:
    population_prior = population(crossed_fit, at=levels)
    for name in ("L0", "k", "alpha", "sigma"):
        mean, sd = moments(crossed_fit, name, **levels)
        prior = population_prior[name]
        assert isinstance(prior, LinkNormal)
        error = sd / np.sqrt(
            crossed_fit.tree["unconstrained_posterior"].sizes["draw"] * 2 / 5
        )  # draws are dependent
        assert prior.mean == pytest.approx(mean, abs=4 * error)
        assert prior.sd == pytest.approx(sd, rel=0.2)
        assert isinstance(population_prior[f"sd_{name}"], HalfNormal)
    assert len(population_prior) == 8
    assert population_prior.law == "power"
    assert population_prior.reference == reference_sizes(crossed_fit.runs)
    assert population_prior.provenance["at"] == levels
    assert population_prior.provenance["fits"][0]["curves"] == 12


def test_a_known_level_narrows_the_prior(crossed_fit: bl.Fit) -> None:
    unknown, known = population(crossed_fit), population(crossed_fit, at={"task": "c4"})
    assert known["alpha"].sd < unknown["alpha"].sd  # type: ignore[attr-defined]


def test_several_fits_are_a_mixture(crossed_fit: bl.Fit) -> None:
    one, two = population(crossed_fit), population([crossed_fit, crossed_fit])
    for name in one:
        assert vars(one[name]) == pytest.approx(vars(two[name]))


def test_a_population_can_be_saved(crossed_fit: bl.Fit, tmp_path: Path) -> None:
    original = population(crossed_fit)
    again = load_population(save_population(original, tmp_path / "prior.json"))
    assert dict(again) == dict(original)
    assert (again.law, again.reference) == (original.law, original.reference)


def test_a_population_can_be_the_priors_of_a_model(
    crossed_fit: bl.Fit, crossed_split: tuple
) -> None:
    prior = population(crossed_fit)
    model = bl.Model(bl.laws.power, pooling=None, priors=prior, discrepancy=None)
    assert coordinates(model) == coordinates(bl.Model(bl.laws.power))  # priors are in coordinates
    bound = bind(model, crossed_split[0])
    drawn = model_data(model, crossed_split[0])["prior_mean"][:, 0]
    assert dict(zip(bound.roles, drawn, strict=True)) == pytest.approx(
        {name: prior[name].mean for name in bound.roles}  # type: ignore[attr-defined]
    )
    mixed = {**prior, "alpha": pz.Gamma(4.0, 12.0)}  # not normal on the scale of its link
    pooled = bl.Model(bl.laws.power, priors=mixed, discrepancy=None)
    assert "mu_L0" in build(pooled, crossed_split[0]).named_vars


def test_the_reference_has_to_be_the_same(crossed_fit: bl.Fit, lone_runs: xr.Dataset) -> None:
    model = bl.Model(bl.laws.power, priors=population(crossed_fit), discrepancy=None)
    with pytest.raises(
        ValueError, match=r"hold at N = 1e\+07, and the reference of these runs is 1e\+06"
    ):
        build(model, lone_runs)


def test_fits_without_a_population_are_refused(crossed_fit: bl.Fit, lone_fit: bl.Fit) -> None:
    with pytest.raises(ValueError, match="is not pooled, so it has no population"):
        population(lone_fit)
    with pytest.raises(ValueError, match="no fits were given"):
        population([])
    with pytest.raises(
        ValueError, match=r"'corpus' in at is not a group; the groups are \['task', 'dataset'\]"
    ):
        population(crossed_fit, at={"corpus": "c4"})
    with pytest.raises(ValueError, match=r"task 'c5' in at is not in the fit, which has \['c4'"):
        population(crossed_fit, at={"task": "c5"})
    moved = crossed_fit.runs.copy()
    moved["N"].attrs = {**moved["N"].attrs, "reference": 1.0}
    other = replace(crossed_fit, runs=moved)
    with pytest.raises(ValueError, match="a population is of one law at one reference"):
        population([crossed_fit, other])
    failed = replace(crossed_fit, tree=crossed_fit.tree.copy())
    failed.tree.attrs["gate"] = crossed_fit.tree.attrs["gate"].replace(
        '"divergences": 0', '"divergences": 7'
    )
    with pytest.raises(ValueError, match="a population needs fits that converged: NOT CONVERGED"):
        population(failed)


def test_populations_of_the_package() -> None:
    for name in ("few_shot_error", "learning_curves", "small_language_models"):
        population_prior = load_population(name)
        law = bl.laws.find(population_prior.law)
        assert {*law.parameters, "sigma", "tau"} <= set(population_prior)
        assert population_prior.provenance["fits"][0]["curves"] >= 8
        assert len(population_prior.reference) == 1
        [predictor] = population_prior.reference
        assert bl.Model(law.of(predictor), priors=population_prior).priors is population_prior
    with pytest.raises(
        ValueError, match=r"no population 'nothing', nor such a file; the package has"
    ):
        load_population("nothing")


def test_a_population_is_a_mapping() -> None:
    prior = Population("power", {"N": 1.0}, {"alpha": LinkNormal(-1.5, 0.2)})
    assert [*prior] == ["alpha"]
    assert len(prior) == 1
    assert prior["alpha"] == LinkNormal(-1.5, 0.2)
    assert prior.provenance == {}
