"""Chains in several modes: detected in traces, started on purpose, reported and not averaged."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import nutpie
import pandas as pd
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import model_data_of
from bayeslaw._sampling.chain_modes import Modes, chain_modes, group_chains
from bayeslaw._sampling.compiled import CompiledDensity, compiled_density_of
from bayeslaw._sampling.gate import Gate, check_convergence
from bayeslaw._sampling.initial_points import with_initial_points

DRAWS = 400


def trace(centers: list[float], seed: int = 1) -> xr.Dataset:
    """Chains of standard normal draws: `d` about the given centers, `alpha` about zero."""
    rng = np.random.default_rng(seed)
    draws = {
        "d": rng.normal(size=(len(centers), DRAWS)) + np.array(centers)[:, None],
        "alpha": rng.normal(size=(len(centers), DRAWS)),
    }
    return xr.Dataset({name: (("chain", "draw"), values) for name, values in draws.items()})


def stats(density: list[float]) -> xr.Dataset:
    rng = np.random.default_rng(2)
    shape = len(density), DRAWS
    parts = {
        "logp": np.repeat(np.array(density)[:, None], DRAWS, axis=1),
        "energy": rng.normal(size=shape),
        "diverging": np.zeros(shape, dtype=bool),
    }
    return xr.Dataset({name: (("chain", "draw"), values) for name, values in parts.items()})


def modes_of_chains(posterior: xr.Dataset, density: list[float]) -> Modes:
    tree = xr.DataTree.from_dict({"/posterior": posterior, "/sample_stats": stats(density)})
    return chain_modes(SimpleNamespace(tree=tree))


# Traces


@pytest.mark.parametrize(
    ("centers", "groups"),
    [
        ([0, 0, 0, 0], [(0, 1, 2, 3)]),
        ([0, 6, 0, 6], [(0, 2), (1, 3)]),
        ([0, 0, 6, 0], [(0, 1, 3), (2,)]),
        ([0, 6, 12, 6], [(0,), (1, 3), (2,)]),
        ([0, 1, 2, 3], [(0, 1, 2, 3)]),  # they disagree but overlap: not mixed yet
        ([0, 2, 4, 6], [(0, 1, 2, 3)]),  # the first and the last are connected through the others
    ],
)
def test_chains_are_grouped(centers: list[float], groups: list[tuple[int, ...]]) -> None:
    assert group_chains(trace(centers)) == groups


def test_drifting_and_constant_chains_are_not_modes() -> None:
    posterior = trace([0, 6, 0, 6])
    drifting = posterior["d"] + np.linspace(0, 4, DRAWS)
    assert len(group_chains(posterior.assign(d=drifting))) == 1
    stuck = posterior["d"].where(posterior["chain"] != 1, 6.0)
    assert len(group_chains(posterior.assign(d=stuck))) == 1
    assert len(group_chains(posterior.assign(d=posterior["d"].where(posterior["d"] < 7)))) == 1


def test_effects_and_constants_do_not_separate_modes() -> None:
    posterior = trace([0, 6, 0, 6]).rename(d="d_task_effect").assign(L0=lambda x: x["alpha"] * 0)
    assert len(group_chains(posterior)) == 1


def test_modes_are_described_by_the_parameters_that_differ() -> None:
    modes = modes_of_chains(trace([0, 60, 0, 60]), [-14.0, -12.25, -14.0, -12.35])
    assert modes.chains == ((1, 3), (0, 2))
    np.testing.assert_allclose(modes.log_density, [-12.3, -14.0])
    assert list(modes.medians.index) == [("d", "")]
    np.testing.assert_allclose(modes.medians.loc[("d", "")], [60, 0], atol=0.2)
    d = modes.medians.loc[("d", "")]
    assert str(modes) == (
        f"The chains found 2 modes: chains 1, 3 (log density -12.3, d = {d[0]:.3g}); chains 0, 2 "
        f"(log density -14.0, d = {d[1]:.3g}). They are not averaged: a chain stays in the mode "
        "where it started, so the number of chains in a mode says nothing about its probability. "
        "More draws do not help; an informative prior, or runs that distinguish the modes, would."
    )


def test_curves_are_named_and_the_most_distant_come_first() -> None:
    near, far = trace([0, 6, 0, 0])["d"], trace([0, 30, 0, 0])["d"]
    both = xr.concat([near, far, near * 0], pd.Index(["a", "b", "c"], name="curve"))
    modes = modes_of_chains(trace([0] * 4).assign(d=both), [0.0, 1.0, 0.0, 0.0])
    assert list(modes.medians.index) == [("d", "b"), ("d", "a")]
    assert str(modes).startswith("The chains found 2 modes: chain 1 (log density 1.0, d of b = 3")


def test_one_mode() -> None:
    modes = modes_of_chains(trace([0] * 4), [-1.0] * 4)
    assert (modes.chains, len(modes.medians)) == (((0, 1, 2, 3),), 0)
    assert str(modes) == "The chains found one mode."


def test_the_gate_names_the_modes() -> None:
    gate = check_convergence(trace([0, 6, 0, 6]), stats([0.0] * 4))
    assert gate.modes == 2
    assert "chains in 2 modes, which are not averaged (should be one); R-hat " in gate.sentence
    assert not gate.would_more_draws_help
    assert gate.is_final
    assert check_convergence(trace([0, 1, 2, 3]), stats([0.0] * 4)).modes == 1


# Fits

SIZES = np.geomspace(1e4, 1e10, 60)


def broken_twice(
    sigma: float, seed: int, first: float, second: float, tasks: tuple[str, ...] = ("all",)
) -> xr.Dataset:
    """Two breaks, of which a law with one has to choose: at 6e4 and at 2e8."""
    mean = bl.laws.broken(2)(
        SIZES / 1e7, L0=0.05, k=2.0, alpha=0.15, c_1=first, d_1=0.006, f_1=0.05, c_2=second,
        g_2=3000.0, f_2=0.05,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    tables = [
        pd.DataFrame({"N": SIZES, "loss": mean * np.exp(sigma * rng.normal(size=60)), "task": task})
        for task in tasks
    ]
    groups = ["task"] if len(tasks) > 1 else []
    table = pd.concat(tables).drop(columns=[] if groups else "task")
    return bl.read_runs(table, predictors=["N"], groups=groups, reference={"N": 1e7})


SHARP = bl.Model(bl.laws.broken(1), discrepancy=None, priors={"f_1": bl.LogNormal(0.1, 1.3)})


@pytest.fixture(scope="module")
def two_fit() -> bl.Fit:
    """Either break explains the runs equally well."""
    runs = broken_twice(0.02, 3, 0.25, -0.3)
    sampling = {"draws": 200, "tune": 400, "cores": 2, "progressbar": False}
    return bl.fit(SHARP, runs, sampler=bl.Sampler(random_seed=1, **sampling))


def test_two_plausible_breaks_are_two_modes(two_fit: bl.Fit) -> None:
    modes = chain_modes(two_fit)
    assert sorted(map(len, modes.chains)) == [2, 2]
    early, late = sorted(modes.medians.loc[("d_1", "")])
    assert early == pytest.approx(9e4, rel=0.5)
    assert late == pytest.approx(1.6e8, rel=0.5)
    assert two_fit.tree["posterior"].sizes["draw"] < 800  # more draws would not help


def test_a_fit_with_two_modes_says_so_wherever_it_is_printed(two_fit: bl.Fit) -> None:
    assert Gate.of(two_fit.tree).modes == 2
    assert str(two_fit).startswith("NOT CONVERGED, do not use: chains in 2 modes, ")
    assert bl.diagnose(two_fit).sentences[1] == str(chain_modes(two_fit))
    assert set(bl.summary(two_fit)["verdict"]) == {"NOT CONVERGED"}


def compiled_of(bound: BoundModel) -> CompiledDensity:
    """The compiled density, to be started at one point."""
    return compiled_density_of(bound, model_data_of(bound, laplace_approximation(bound)))


@pytest.mark.parametrize(
    ("tasks", "discrepancy"),
    [(("all",), None), (("a", "b", "c"), bl.Brownian())],
    ids=["alone, exact", "pooled, discrepancy"],
)
def test_chains_start_at_the_modes_of_the_curves(
    tasks: tuple[str, ...], discrepancy: bl.Brownian | None
) -> None:
    runs, model = broken_twice(0.02, 3, 0.25, -0.3, tasks), replace(SHARP, discrepancy=discrepancy)
    bound = bind(model, runs)
    compiled = compiled_of(bound)
    laplace = laplace_approximation(bound)
    curve_modes = laplace.distinct_modes
    assert len(curve_modes) > 1
    points = with_initial_points(compiled, bound, laplace).initial_points
    assert points is not None
    started = compiled.variables(points)["theta"]
    assert len(started) == len(curve_modes)
    for theta, mode in zip(started, curve_modes, strict=True):
        np.testing.assert_allclose(theta, [*mode.values()], atol=1e-6)


def test_chains_take_the_points_in_turn(lone_runs: xr.Dataset) -> None:
    compiled = compiled_of(bind(bl.Model(bl.laws.power, discrepancy=None), lone_runs))
    points = compiled.initial_point + np.arange(0, 6, 2)[:, None]
    several_points = replace(compiled, initial_points=points)
    chain_of_seed = several_points.chain_of_seed(5, 4)
    assert sorted(chain_of_seed.values()) == [0, 1, 2, 3]
    assert several_points.chain_of_seed(5, 4) == chain_of_seed
    start = several_points.nutpie_model(chain_of_seed).initial_point_func
    for seed, chain in chain_of_seed.items():
        assert np.all(np.abs(start(seed) - points[chain % 3]) <= 0.5)
    sampled = nutpie.sample(  # other numbers of draws and chains at once have the same seeds
        several_points.nutpie_model(dict.fromkeys(chain_of_seed, 2)), draws=20, tune=10, chains=4,
        cores=2, seed=5, progress_bar=False, save_warmup=True, store_unconstrained=True,
    )  # fmt: skip
    first = sampled["warmup_sample_stats"]["unconstrained_draw"].values[:, 0]
    assert np.median(np.abs(first - points[2])) < 1


def test_laws_with_one_mode_start_at_one_point(lone_runs: xr.Dataset) -> None:
    model = bl.Model(bl.laws.power)
    bound = bind(model, lone_runs)
    compiled = compiled_of(bound)
    assert with_initial_points(compiled, bound, laplace_approximation(bound)) is compiled
    assert compiled.chain_of_seed(1, 4) == {}
