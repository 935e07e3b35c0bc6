"""Fits: what is in their tree, that it is correct, and that sampling can be trusted."""

from __future__ import annotations

import importlib
import json
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.laplace import approximation
from bayeslaw._kernels import printed, stage
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.data.runs import grid, read_runs
from bayeslaw.errors import Interrupted, RunsError, RunsWarning
from bayeslaw.fitting.fit import check_fittable, check_noise, fit
from bayeslaw.fitting.result import Fit
from bayeslaw.laws import broken, double_power, power
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Undertuned
from bayeslaw.priors import Fixed

module = importlib.import_module("bayeslaw.fitting.fit")  # bayeslaw.fit is the function
nuts = importlib.import_module("bayeslaw._sampling.nuts")
QUICK = {"draws": 500, "tune": 500, "chains": 2, "progressbar": False}
FITS = ["crossed_fit", "lone_fit", "log_linear_fit", "pure_power_fit", "discrepant_fit"]
LONE = Model(power, discrepancy=None)
every_fit = pytest.mark.parametrize("name", FITS)


def of(name: str, request: pytest.FixtureRequest) -> Fit:
    return request.getfixturevalue(name)


def lone(loss: np.ndarray, sizes: np.ndarray, reference: float) -> xr.Dataset:
    table = pd.DataFrame({"N": sizes, "loss": loss})
    return read_runs(table, predictors=["N"], reference={"N": reference})


# The tree


@every_fit
def test_fits_pass_the_gate_and_say_so(name: str, request: pytest.FixtureRequest) -> None:
    result = of(name, request)
    gate = Gate.of(result.tree)
    assert gate.passed, gate.sentence
    n = result.runs.sizes["run"]
    first, second = str(result).split("\n")
    assert first == gate.sentence
    assert second.startswith(f"Fit of law '{result.model.law.name}' to {n} runs, ")
    assert (
        gate.draws
        == result.tree["posterior"].sizes["chain"] * result.tree["posterior"].sizes["draw"]
    )


@every_fit
def test_tree_has_all_groups(name: str, request: pytest.FixtureRequest) -> None:
    result = of(name, request)
    assert set(result.tree.children) == {
        "posterior",
        "unconstrained_posterior",
        "sample_stats",
        "log_likelihood",
        "posterior_predictive",
        "prior",
        "unconstrained_prior",
        "prior_predictive",
        "observed_data",
        "constant_data",
    }
    run = result.runs["run"]
    for group in ("log_likelihood", "posterior_predictive", "prior_predictive"):
        values = result.tree[group]["loss"]
        assert values.dims == ("chain", "draw", "run")
        np.testing.assert_array_equal(values["run"], run)
    assert result.tree["log_likelihood"].sizes["draw"] == result.tree["posterior"].sizes["draw"]
    np.testing.assert_array_equal(result.tree["observed_data"]["loss"], result.runs["loss"])
    np.testing.assert_array_equal(result.tree["constant_data"]["N"], result.runs["N"])
    assert "loss" not in result.tree["constant_data"]
    assert not result.tree["sample_stats"]["diverging"].any()


def test_provenance(crossed_fit: Fit) -> None:
    attributes = crossed_fit.tree.attrs
    assert attributes["law"] == "power"
    assert set(json.loads(attributes["versions"])) >= {"bayeslaw", "pymc", "nutpie", "numpy"}
    sampler = json.loads(attributes["sampler"])
    assert (sampler["random_seed"], sampler["tune"], sampler["chains"]) == (1, 500, 2)
    assert sampler["seconds"] > 0


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("crossed_fit", ["L0", "k", "alpha", "sigma"]),
        ("discrepant_fit", ["L0", "k", "alpha", "sigma", "tau"]),
    ],
)
def test_names_of_the_posterior(
    name: str, parameters: list[str], request: pytest.FixtureRequest
) -> None:
    names = set(of(name, request).tree["posterior"].data_vars)
    expected = {
        f"{parameter}{suffix}"
        for parameter in parameters
        for suffix in ("", "_population", "_task_effect", "_dataset_effect")
    }
    expected |= {
        f"sd_{parameter}_{group}"
        for parameter in parameters
        for group in ("own", "task", "dataset")
    }
    assert names == expected


def test_a_lone_curve_has_no_population(lone_fit: Fit) -> None:
    assert set(lone_fit.tree["posterior"].data_vars) == {"L0", "k", "alpha", "sigma"}
    assert set(lone_fit.tree["unconstrained_posterior"].data_vars) == {"theta"}


def curve_of_run(result: Fit) -> list[str]:
    task, dataset = result.runs["task"].values, result.runs["dataset"].values
    return [f"{one} / {other}" for one, other in zip(task, dataset, strict=True)]


def test_the_law_in_the_users_units_is_the_response(crossed_fit: Fit) -> None:
    at_runs = crossed_fit.tree["posterior"].to_dataset().sel(curve=curve_of_run(crossed_fit))
    sizes = crossed_fit.runs["N"].values
    mean = power(sizes, **{n: at_runs[n].values for n in power.parameters})
    z = np.log(crossed_fit.runs["loss"].values / mean) / at_runs["sigma"].values
    # Student-t residuals of four degrees of freedom: half of them within .741.
    inside = np.mean(np.abs(z) < 0.741)
    assert abs(inside - 0.5) < 4 * np.sqrt(0.25 / sizes.size), inside


def test_log_likelihood_is_the_density_of_the_raw_response(crossed_fit: Fit) -> None:
    at_runs = crossed_fit.tree["posterior"].to_dataset().sel(curve=curve_of_run(crossed_fit))
    sizes, loss = crossed_fit.runs["N"].values, crossed_fit.runs["loss"].values
    mean = power(sizes, **{n: at_runs[n].values for n in power.parameters})
    noise = stats.t(4.0, np.log(mean), at_runs["sigma"].values)
    expected = noise.logpdf(np.log(loss)) - np.log(loss)
    np.testing.assert_allclose(crossed_fit.tree["log_likelihood"]["loss"], expected, atol=1e-8)


def brownian_covariance(result: Fit, draw: int) -> np.ndarray:
    """Covariance of the runs about the law, by hand, for one draw of the first chain."""
    labels, at = (
        curve_of_run(result),
        result.tree["posterior"].to_dataset().isel(chain=0, draw=draw),
    )
    along, curve = np.log(result.runs["N"].values), np.array(labels)
    for label in set(labels):
        own = along[curve == label]
        along[curve == label] -= (own.min() + own.max()) / 2
    tau, sigma = at["tau"].sel(curve=labels).values, at["sigma"].sel(curve=labels).values
    one, other = along[:, None], along[None]
    related = (curve[:, None] == curve[None]) & (one * other > 0)
    shared = np.where(related, np.minimum(np.abs(one), np.abs(other)), 0.0)
    return np.diag(sigma**2) + np.outer(tau, tau) * shared


def test_log_likelihood_with_a_discrepancy_is_leave_one_out(
    discrepant_fit: Fit,
) -> None:
    posterior = (
        discrepant_fit.tree["posterior"].to_dataset().sel(curve=curve_of_run(discrepant_fit))
    )
    sizes, loss = discrepant_fit.runs["N"].values, discrepant_fit.runs["loss"].values
    log_likelihood = discrepant_fit.tree["log_likelihood"]["loss"].values
    for draw in (0, 7, 100):
        at = posterior.isel(chain=0, draw=draw)
        residual = np.log(loss / power(sizes, **{n: at[n].values for n in power.parameters}))
        precision = np.linalg.inv(brownian_covariance(discrepant_fit, draw))
        spread = 1 / np.sqrt(np.diag(precision))
        expected = stats.norm(0, spread).logpdf(precision @ residual * spread**2) - np.log(loss)
        np.testing.assert_allclose(log_likelihood[0, draw], expected, rtol=1e-8, atol=1e-8)


def test_the_true_law_leaves_a_small_discrepancy(
    discrepant_fit: Fit, crossed_fit: Fit, crossed_truth: xr.Dataset
) -> None:
    tree = discrepant_fit.tree["posterior"]
    # One e-fold beyond the data the discrepancy is below three times the noise of a run.
    assert float(tree["tau_population"].median()) < 3 * crossed_truth.attrs["sigma"]
    exact = crossed_fit.tree["posterior"]
    for name in ("L0", "alpha"):
        wider = np.log(tree[name]).std(("chain", "draw")) / np.log(exact[name]).std(
            ("chain", "draw")
        )
        assert np.median(wider) > 1, name


def test_latent_values_of_runs_are_in_the_tree(lone_runs: xr.Dataset) -> None:
    model = Model(power, noise=Undertuned())
    result = fit(
        model,
        lone_runs,
        sampler=Sampler(random_seed=1, draws=20, tune=50, chains=2, progressbar=False),
    )
    latent = result.tree["unconstrained_posterior"]["latent"]
    assert latent.dims == ("chain", "draw", "run")
    assert np.all(latent > 0)
    assert "latent" not in result.tree["unconstrained_prior"]
    assert set(result.tree["posterior"]) == {"L0", "k", "alpha", "sigma", "excess", "tau"}
    assert np.all(np.isfinite(result.tree["log_likelihood"]["loss"]))
    prior = result.tree["prior_predictive"]["loss"]
    assert prior.shape == (1, 500, 30)


def test_responses_are_predicted_with_their_noise(crossed_fit: Fit) -> None:
    drawn = crossed_fit.tree["posterior_predictive"]["loss"]
    low, high = drawn.quantile([0.05, 0.95], dim=("chain", "draw")).values
    loss = crossed_fit.runs["loss"].values
    inside = np.mean((low < loss) & (loss < high))
    assert inside > 0.9 - 4 * np.sqrt(0.09 / loss.size), inside


def test_prior_is_wider_than_the_posterior(crossed_fit: Fit) -> None:
    for name in ("L0", "alpha", "sigma"):
        prior, posterior = (
            np.log(crossed_fit.tree[group][name]) for group in ("prior", "posterior")
        )
        spread = prior.std(("chain", "draw")) / posterior.std(("chain", "draw"))
        assert np.all(spread > 2), name
    assert np.all(crossed_fit.tree["prior_predictive"]["loss"] > 0)


# The truth


def test_truth_is_covered(crossed_fit: Fit, crossed_truth: xr.Dataset) -> None:
    posterior = crossed_fit.tree["posterior"].to_dataset()
    truth = crossed_truth.stack(curve=("task", "dataset"), create_index=False)
    labels = [
        f"{task} / {dataset}"
        for task, dataset in zip(truth["task"].values, truth["dataset"].values, strict=True)
    ]
    for name in power.parameters:
        draws = np.log(posterior[name].sel(curve=labels))
        mean, sd = draws.mean(("chain", "draw")).values, draws.std(("chain", "draw")).values
        z = (np.log(truth[name].values) - mean) / sd
        assert np.all(np.abs(z) < 4.5), (name, z)
        # Twelve squares of standard normals have a mean of one, give or take sqrt(2 / 12).
        assert 0.05 < np.mean(z**2) < 1 + 4 * np.sqrt(2 / 12), (name, z)


def test_noise_is_recovered(crossed_fit: Fit, crossed_truth: xr.Dataset) -> None:
    log_sigma = np.log(crossed_fit.tree["posterior"]["sigma_population"])
    z = (float(log_sigma.mean()) - np.log(crossed_truth.attrs["sigma"])) / float(log_sigma.std())
    assert abs(z) < 4


def test_with_little_noise_the_posterior_is_at_the_truth() -> None:
    truth = {"L0": 2.0, "k": 300.0, "alpha": 0.4}
    sizes = np.geomspace(1e4, 1e8, 30)
    loss = power(sizes, **truth) * np.exp(1e-4 * np.random.default_rng(5).normal(size=30))
    result = fit(LONE, lone(loss, sizes, 1e6), sampler=Sampler(random_seed=1, **QUICK))
    posterior = result.tree["posterior"].to_dataset().median(("chain", "draw"))
    for name in ("L0", "alpha"):
        np.testing.assert_allclose(posterior[name], truth[name], rtol=1e-3)
    # k = 300 is three decades of N away from the data's middle.
    np.testing.assert_allclose(posterior["k"], truth["k"], rtol=1e-2)


def test_the_unit_of_a_predictor_does_not_matter(lone_fit: Fit, lone_runs: xr.Dataset) -> None:
    scaled = lone(lone_runs["loss"].values, lone_runs["N"].values / 1e3, 1e3)
    result = (
        fit(LONE, scaled, sampler=Sampler(random_seed=2, **QUICK)).tree["posterior"].to_dataset()
    )
    expected = lone_fit.tree["posterior"].to_dataset()
    expected["k"] = expected["k"] * 1e3 ** -expected["alpha"]
    for name in ("L0", "k", "alpha", "sigma"):
        one, other = np.log(result[[name]]), np.log(expected[[name]])
        one, other = one.squeeze("curve"), other.squeeze("curve")
        difference = float((one.mean() - other.mean())[name])
        error = np.hypot(float(az.mcse(one)[name]), float(az.mcse(other)[name]))
        assert abs(difference) < 4 * error, name
        ratio = float((one.std() / other.std())[name])
        assert abs(np.log(ratio)) < 4 / np.sqrt(400), name  # the gate's effective size or more


# Laws with breaks and with two terms of one predictor


def test_a_break_is_recovered() -> None:
    truth = {"L0": 0.5, "alpha": 0.15, "c_1": 0.4, "d_1": 3e7, "f_1": 0.2}
    sizes = np.geomspace(1e4, 1e10, 60)
    mean = broken(1)(sizes, k=2.0 * 1e7**0.15, **truth)
    loss = mean * np.exp(0.002 * np.random.default_rng(1).normal(size=60))
    result = fit(
        Model(broken(1), discrepancy=None),
        lone(loss, sizes, 1e7),
        sampler=Sampler(random_seed=1, **QUICK),
    )
    assert Gate.of(result.tree).passed, Gate.of(result.tree).sentence
    for name, value in truth.items():
        draws = result.tree["posterior"][name]
        assert abs(float(draws.mean()) - value) < 4 * float(draws.std()), name


def test_exponents_of_two_terms_keep_their_order() -> None:
    truth = {"L0": 0.5, "alpha": 0.15, "delta": 0.5}
    sizes = np.geomspace(1e4, 1e10, 60)
    mean = double_power(sizes / 1e7, k_1=1.0, k_2=0.3, **truth)
    loss = mean * np.exp(0.003 * np.random.default_rng(1).normal(size=60))
    result = fit(
        Model(double_power, discrepancy=None),
        lone(loss, sizes, 1e7),
        sampler=Sampler(random_seed=1, **QUICK),
    )
    assert Gate.of(result.tree).passed, Gate.of(result.tree).sentence
    assert np.all(result.tree["posterior"]["delta"] > 0)
    for name, value in truth.items():
        draws = result.tree["posterior"][name]
        assert abs(float(draws.mean()) - value) < 4 * float(draws.std()), name


# Sampling


class _Interrupt(KeyboardInterrupt):
    """Somebody pressed a key."""


def test_an_interrupt_leaves_no_thread_and_the_same_seed_gives_the_same_draws(
    lone_fit: Fit, lone_runs: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, start = [], nuts._start

    def recorded(*arguments: Any) -> Any:
        jobs.append(start(*arguments))
        return jobs[-1]

    def stop(handle: Any) -> bool:
        raise _Interrupt

    with monkeypatch.context() as patch:
        patch.setattr(nuts, "_start", recorded)
        patch.setattr(nuts, "_is_finished", stop)
        with pytest.raises(_Interrupt):
            fit(LONE, lone_runs, sampler=Sampler(random_seed=1, **QUICK))
    assert len(jobs) == 1
    assert jobs[0].handle._sampler.is_empty(ignore_error=True)  # no thread is left

    again = fit(LONE, lone_runs, sampler=Sampler(random_seed=1, **QUICK))
    for group in ("posterior", "posterior_predictive", "prior", "prior_predictive"):
        xr.testing.assert_identical(
            again.tree[group].to_dataset(), lone_fit.tree[group].to_dataset()
        )


def test_an_interrupt_returns_the_draws_so_far(
    lone_fit: Fit, lone_runs: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_finished, how = nuts._is_finished, {**QUICK, "draws": 2000}

    def stop(handle: Any) -> bool:
        ended = is_finished(handle)
        if min(jobs[0].finished) >= how["tune"] + 20 and not stops:
            stops.append(True)
            raise KeyboardInterrupt
        return ended

    jobs, stops, start = [], [], nuts._start

    def recorded(*arguments: Any) -> Any:
        jobs.append(start(*arguments))
        return jobs[-1]

    monkeypatch.setattr(nuts, "_start", recorded)
    monkeypatch.setattr(nuts, "_is_finished", stop)
    with pytest.raises(Interrupted) as interrupted:
        fit(LONE, lone_runs, sampler=Sampler(random_seed=1, **how))
    result = interrupted.value.fit
    draws = result.tree["posterior"].sizes["draw"]
    assert draws >= 20
    both = min(draws, lone_fit.tree["posterior"].sizes["draw"])
    first = (
        each.tree["posterior"].to_dataset().isel(draw=slice(both)) for each in (result, lone_fit)
    )
    xr.testing.assert_equal(*first)
    assert {"prior", "posterior_predictive", "log_likelihood"} <= {*result.tree}
    assert jobs[0].handle._sampler.is_empty(ignore_error=True)  # no thread is left


def test_modes_are_searched_once_and_nothing_is_compiled_twice(
    lone_fit: Fit, lone_runs: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches, find_modes = [], approximation.find_modes
    monkeypatch.setattr(
        approximation, "find_modes", lambda problem: searches.append(1) or find_modes(problem)
    )
    for module in (printed, stage):
        monkeypatch.setattr(module, "compiled_source", lambda *_: pytest.fail("compiled twice"))
    fit(LONE, lone_runs, sampler=Sampler(random_seed=1, draws=20, tune=50, progressbar=False))
    assert len(searches) == 1


def test_chains_may_be_sampled_sequentially(lone_fit: Fit, lone_runs: xr.Dataset) -> None:
    alone = fit(LONE, lone_runs, sampler=Sampler(random_seed=1, cores=1, **QUICK))
    xr.testing.assert_identical(
        alone.tree["posterior"].to_dataset(), lone_fit.tree["posterior"].to_dataset()
    )


def test_another_seed_gives_other_draws_and_bad_fits_say_so(
    lone_fit: Fit, lone_runs: xr.Dataset
) -> None:
    short = fit(
        LONE,
        lone_runs,
        sampler=Sampler(random_seed=2, draws=5, tune=50, chains=2, progressbar=True),
    )
    gate = Gate.of(short.tree)
    assert not gate.passed
    assert str(short).startswith("NOT CONVERGED, do not use: ")
    assert short.tree["posterior"].sizes["draw"] <= 20  # four times the draws and no more
    first = short.tree["posterior"]["alpha"].values[0, 0]
    assert not np.any(lone_fit.tree["posterior"]["alpha"].values == first)


def test_runs_without_a_response_are_refused() -> None:
    with pytest.raises(
        RunsError, match=r"^these runs have no response to fit; a grid is for forecast$"
    ):
        fit(Model(power), grid(N=[1e6, 1e7]), random_seed=1)


@pytest.mark.parametrize("group", ["alpha", "sigma", "tau"])
def test_groups_with_the_name_of_a_parameter_are_refused(group: str) -> None:
    table = pd.DataFrame({"N": [1e6, 1e7], "loss": [3.0, 2.0], group: ["a", "b"]})
    runs = read_runs(table, predictors=["N"], groups=[group])
    message = f"group '{group}' has the name of a parameter of law 'power' or of its noise; rename"
    with pytest.raises(RunsError, match=message):
        check_fittable(Model(power, pooling=[group]), runs)


def test_equal_responses_are_warned_of_before_anything_is_built() -> None:
    sizes = np.geomspace(1e6, 1e9, 8)
    runs = read_runs(pd.DataFrame({"N": sizes, "loss": 3.0}), predictors=["N"])
    with pytest.warns(RunsWarning, match=r"^all responses are equal: they say nothing about how"):
        check_fittable(Model(power), runs)


def test_thin_curves_are_warned_of_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = np.array([1e6, 1e7])
    monkeypatch.setattr(module, "bind", lambda *_: pytest.fail("built before it warned"))
    with pytest.raises(RunsWarning, match=r"\bhas 2\b"):
        fit(Model(power), lone(np.array([3.0, 2.0]), sizes, 1e6), random_seed=1)


FIVE_SIZES = np.geomspace(1e6, 1e9, 5)
EXACT = 2 + 300 * FIVE_SIZES**-0.4
NOISY = EXACT * [1.01, 0.99, 1.02, 0.98, 1.01]


def noise_checked(
    second: np.ndarray, n: int = 5, first: np.ndarray = EXACT, **options: Any
) -> None:
    """Check two curves, the first without noise, up to a number of sizes; pooled by default."""
    columns = {"N": FIVE_SIZES[:n], "stderr": 0.01}
    parts = [
        pd.DataFrame({**columns, "loss": loss[:n], "task": task})
        for task, loss in (("a", first), ("b", second))
    ]
    stderr = options.pop("stderr", None)
    runs = read_runs(pd.concat(parts), predictors=["N"], groups=["task"], stderr=stderr)
    bound = bind(Model(power, **{"pooling": ["task"], **options}), runs)
    check_noise(bound, approximation.laplace_approximation(bound))


@pytest.mark.parametrize("discrepancy", [None, Brownian()])
@pytest.mark.parametrize(("second", "count"), [(EXACT, 2), (NOISY, 1)])
def test_pooled_curves_without_noise_are_refused_before_sampling(
    second: np.ndarray, count: int, discrepancy: Brownian | None
) -> None:
    with pytest.raises(RunsError) as error:
        noise_checked(second, discrepancy=discrepancy)
    start, end = str(error.value).split(" of its size, ")
    assert start.startswith(
        f"the loss of {count} of 2 curve(s), first 'a', follows law 'power' to "
    )
    assert end == (
        "as values of a formula do; without noise, pooled curves cannot be sampled: add the noise "
        "of your measurements, such as loss * np.exp(0.01 * rng.normal(size=len(loss))), or fit "
        "each curve by itself, pooling=None"
    )


def test_pooled_curves_of_one_response_are_refused() -> None:
    with pytest.raises(RunsError, match=r"1 of 2 curve\(s\), first 'b', is the same in all runs"):
        noise_checked(np.full(5, 2.0), first=NOISY)


def test_curves_without_noise_are_warned_of_where_they_are_not_pooled() -> None:
    with pytest.warns(RunsWarning, match="the noise that the fit reports is that of its prior"):
        noise_checked(NOISY, pooling=None)


@pytest.mark.filterwarnings("ignore:.* fewer distinct values")
@pytest.mark.parametrize(
    "options", [{"n": 3}, {"stderr": "stderr"}, {"priors": {"sigma": Fixed(0.01)}}]
)
def test_noise_that_is_known_or_that_few_runs_cannot_show_is_not_looked_for(
    options: dict[str, Any],
) -> None:
    noise_checked(NOISY, **options)
