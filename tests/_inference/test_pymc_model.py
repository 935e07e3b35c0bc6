"""The model in PyMC: its density against one by hand and against that of `fit`, and its use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import preliz as pz
import pymc as pm
import pytensor
import pytest
import xarray as xr
from hand_written import GROUPS, HAND, RUNS, Hand, by_hand, read
from model_table import MODELS, Laplace
from pymc_oracle import PYTHON, Oracle
from scipy import stats

from bayeslaw import laws
from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.posterior import law_values, to_user_units
from bayeslaw._inference.prior_distribution import prior_draws
from bayeslaw._inference.pymc_model import build
from bayeslaw._law.law import Law, law
from bayeslaw._law.roles import Amplitude, Exponent
from bayeslaw.data.runs import read_runs
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import Fixed, HalfNormal
from bayeslaw.response_scales import LogitScale, RawScale


def points_of(bound: BoundModel, n: int, seed: int = 3) -> list[dict[str, np.ndarray]]:
    """Recorded variables at draws from the prior."""
    rng = np.random.default_rng(seed)
    draws = {name: values[0] for name, values in prior_draws(bound, n, rng).items()}
    if bound.model.is_augmented:
        draws["latent"] = rng.exponential(size=(n, bound.run_arrays.response.size))
    return [{name: values[i] for name, values in draws.items()} for i in range(n)]


# The density


@pytest.mark.parametrize("case", HAND.values(), ids=HAND)
def test_density_is_that_written_by_hand(case: Hand) -> None:
    oracle = Oracle(case.model, case.runs)
    points = points_of(oracle.bound, 12)
    with np.errstate(invalid="ignore"):  # some laws are negative in draws from their prior
        actual = np.array([oracle.log_density_at(point).total for point in points])
        expected = np.array([by_hand(case, point) for point in points])
    is_positive = np.isfinite(expected)
    assert is_positive.sum() >= 5
    np.testing.assert_array_equal(np.isfinite(actual), is_positive)
    np.testing.assert_allclose(actual[is_positive], expected[is_positive], rtol=1e-10)


def test_gradient_is_that_of_finite_differences() -> None:
    oracle = Oracle(HAND["undertuned, discrepancy"].model, RUNS)
    [point] = points_of(oracle.bound, 1)
    gradient = oracle.log_density_at(point).gradient
    assert gradient.keys() == point.keys()
    rng = np.random.default_rng(5)
    direction = {name: 1e-6 * rng.normal(size=value.shape) for name, value in point.items()}
    ends = [
        oracle.log_density_at({n: v + sign * direction[n] for n, v in point.items()}).total
        for sign in (1, -1)
    ]
    expected = sum(np.sum(gradient[name] * direction[name]) for name in point)
    assert (ends[0] - ends[1]) / 2 == pytest.approx(expected, rel=1e-5)


def test_discrepancy_on_knots_is_that_of_the_kernel() -> None:
    runs = long_curves()
    model = Model(laws.chinchilla, pooling=None, discrepancy=Brownian(knots=2))
    oracle = Oracle(model, runs)
    bound, arrays = oracle.bound, oracle.bound.run_arrays
    for point in points_of(bound, 4):
        rows = {name: point["theta"][row] for row, name in enumerate(bound.roles)}
        units = to_user_units(model, bound.coordinates, rows, bound.scales)
        at_runs = {name: units[name][arrays.curve] for name in laws.chinchilla.parameters}
        residual = arrays.values - np.log(
            laws.chinchilla(runs["N"].values, runs["D"].values, **at_runs)
        )
        tau2 = np.array([units["tau_N"], units["tau_D"]]) ** 2
        expected = bound.discrepancy.log_density_by_curve(  # type: ignore[union-attr]
            residual, units["sigma"][arrays.curve] ** 2, tau2
        )
        expected = expected.sum() - np.log(arrays.response).sum()
        assert oracle.log_density_at(point).likelihood == pytest.approx(expected, rel=1e-9)


def long_curves() -> xr.Dataset:
    """Two curves with more distinct sizes than knots, in a random order."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {"task": t, "N": n, "D": rng.choice([1e9, 2e9, 5e9, 7e9, 3e10]), "loss": 1 + n**-0.1}
        for t in "ab"
        for n in np.geomspace(1e6, 1e9, 9)
    )
    return read_runs(frame.sample(frac=1.0, random_state=1), predictors=["N", "D"], groups=["task"])


# Variables


def test_names_and_dimensions() -> None:
    model = Model(
        laws.power, pooling={"alpha": GROUPS}, noise=StudentT(), priors={"L0": Fixed(0.9)}
    )
    built = build(model, read(stderr="error"))
    own = [f"{which}_{n}" for n in ("k", "sigma", "tau") for which in ("mu", "sd", "theta")]
    own = [name + "_own" if name.startswith("sd") else name for name in own]
    alpha = ["mu_alpha", "sd_alpha_own", "theta_alpha"]
    groups = [f"{which}_alpha_{group}" for group in GROUPS for which in ("sd", "z")]
    assert {v.name for v in built.free_RVs} == {*own, *alpha, *groups, "latent"}
    assert [v.name for v in built.observed_RVs] == ["loss"]
    assert {v.name for v in built.deterministics} == {
        *("L0", "k", "alpha", "sigma", "tau", "law", "alpha_task", "alpha_data"),
        *(f"mean_{name}" for name in ("k", "alpha", "sigma", "tau")),
    }
    assert {v.name for v in built.data_vars} == {
        *("N", "observed", "known_error", "curve_of_run", "task_of_curve", "data_of_curve"),
        "pivot_N",
    }
    dims = {"alpha_task": ("task",), "z_alpha_data": ("data",), "theta_k": ("curve",)}
    dims |= {"law": ("run",), "loss": ("run",), "latent": ("run",), "mean_alpha": ("curve",)}
    assert {name: built.named_vars_to_dims[name] for name in dims} == dims
    assert built.coords["data"] == ("d0", "d1", "d2")
    assert built.coords["curve"][:2] == ("t0 / d0", "t0 / d1")


@pytest.mark.parametrize(
    ("pooling", "names"),
    [
        (None, ["alpha_at_reference"]),
        ((), ["alpha_at_reference", "sd_alpha_own", "theta_alpha"]),
    ],
)
def test_a_prior_of_another_family_has_its_own_variable(pooling: Any, names: list[str]) -> None:
    priors = {"alpha": pz.Gamma(4.0, 10.0)}
    built = build(Model(laws.power, pooling=pooling, priors=priors), RUNS)
    assert [v.name for v in built.free_RVs if "alpha" in v.name] == names
    drawn = pm.draw(built["alpha_at_reference"], draws=600, mode=PYTHON, random_seed=1)
    assert stats.kstest(drawn.ravel()[:3000], stats.gamma(4.0, scale=0.1).cdf).pvalue > 1e-3


def test_a_name_that_two_variables_would_have_is_refused() -> None:
    @law
    def clash(N: Any, *, k: Amplitude, mean_k: Exponent) -> Any:
        return k * N**-mean_k

    with pytest.raises(ValueError, match="mean_k"):
        build(Model(clash), RUNS)


def test_a_group_may_be_called_as_a_dimension_of_pymc() -> None:
    built = build(Model(laws.power, pooling=["model"]), read(groups=("model", "run_name")))
    assert built.named_vars_to_dims["alpha_model"] == ("model_level",)


# Predictors of several units, and laws of all coordinates
NUMBERS = {"epochs": [1.0, 4.0, 16.0], "k": [1.0, 10.0, 100.0], "L": [2.0, 2.5, 3.0]}


@pytest.mark.parametrize("name", laws.names())
def test_every_law_is_evaluated_in_the_users_units(name: str) -> None:
    item = laws.find(name)
    runs = runs_of(item)
    bound = bind(Model(item, pooling=None, discrepancy=None), runs)
    built = build(bound.model, runs)
    [point] = points_of(bound, 1)
    rows = {key: point["theta"][row] for row, key in enumerate(bound.roles)}
    units = to_user_units(bound.model, bound.coordinates, rows, bound.scales)
    given = {built[f"theta_{key}"]: rows[key] for key in bound.coordinates.roles}
    evaluate = pytensor.function([], [built["law"]], givens=given, mode=PYTHON)
    sizes = {key: runs[key].values for key in item.predictors}
    parameters = {key: np.asarray(value)[None, None] for key, value in units.items()}
    expected = law_values(bound.model, parameters, sizes, bound.run_arrays.curve)[0, 0]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(evaluate()[0], expected, rtol=1e-10)


def runs_of(item: Law) -> xr.Dataset:
    """Two curves in the predictors of a law."""
    rng = np.random.default_rng(2)
    columns = {
        name: rng.permutation(np.resize(NUMBERS.get(name, [1e6, 3e7, 1e9]), 12))
        for name in item.predictors
    }
    frame = pd.DataFrame(columns).assign(task=np.repeat(["a", "b"], 6))
    frame["response"] = rng.uniform(0.3, 0.6, size=12)
    return read_runs(frame, predictors=list(item.predictors), groups=["task"], response="response")


# What PyMC does with it

MATRIX = {
    "raw": Model(laws.power, pooling=["task"], noise=Gaussian(RawScale())),
    "logit, latent": Model(laws.chinchilla, pooling=None, noise=StudentT(scale=LogitScale(0, 300)),
                           discrepancy=Brownian()),
    "undertuned": Model(laws.power, noise=Undertuned(varies_with="N"), discrepancy=None),
    "own noise, raw": Model(laws.pure_power, noise=Laplace(RawScale()), discrepancy=None),
    "priors": MODELS["priors"],
}  # fmt: skip


@pytest.mark.parametrize("model", MATRIX.values(), ids=MATRIX)
def test_priors_are_drawn_and_the_density_is_finite(model: Model) -> None:
    built = build(model, RUNS)
    assert np.isfinite(built.compile_logp(sum=False, mode=PYTHON)(built.initial_point())[0]).all()
    with built:
        tree = pm.sample_prior_predictive(8, random_seed=1, compile_kwargs={"mode": PYTHON})
    assert tree["prior_predictive"]["loss"].dims == ("chain", "draw", "run")
    assert np.isfinite(tree["prior_predictive"]["loss"]).all()
    assert set(model.roles) <= set(tree["prior"].data_vars)


def likelihood_of(built: pm.Model, point: dict[str, Any] | None = None) -> float:
    evaluate = built.compile_logp(vars=built.observed_RVs, mode=PYTHON)
    return float(evaluate(point or built.initial_point()))


def test_data_can_be_changed() -> None:
    built = build(Model(laws.chinchilla, discrepancy=Brownian(knots=1)), RUNS)
    values = {name: built[name].get_value() for name in ("N", "D", "observed", "curve_of_run")}
    before, order = likelihood_of(built), np.random.default_rng(1).permutation(24)

    def with_runs(runs: np.ndarray) -> float:
        of_runs = {name: value[runs] for name, value in values.items()}
        pm.set_data(of_runs, model=built, coords={"run": runs})
        return likelihood_of(built)

    assert with_runs(order[1:]) != pytest.approx(before, rel=1e-3)
    assert with_runs(order) == pytest.approx(before, rel=1e-12)


def test_a_covariate_shifts_the_mean_of_curves() -> None:
    built = build(Model(laws.power, pooling=["task"], discrepancy=None), RUNS)
    depth = np.arange(6.0)
    with built:
        slope = pm.Normal("slope", 0.0, 0.3)
        shift = slope * pm.Data("depth", depth, dims="curve")
    effects = built["alpha_task"][built["task_of_curve"]]
    extended = pm.do(built, {"mean_alpha": built["mu_alpha"] + effects + shift})
    assert "slope" in [v.name for v in extended.free_RVs]
    start = built.initial_point()
    shifted = {**start, "slope": np.array(0.2)}
    moved = {**shifted, "theta_alpha": start["theta_alpha"] + 0.2 * depth}
    density = extended.compile_logp(vars=extended["theta_alpha"], mode=PYTHON)
    assert density(moved) == pytest.approx(float(density(start)), rel=1e-9)
    assert density(shifted) != pytest.approx(float(density(start)), rel=1e-3)


def test_an_intervention_on_a_parameter_reaches_the_law() -> None:
    built = build(Model(laws.power, pooling=None, discrepancy=None), RUNS)
    changed = pm.do(built, {"L0": np.full(6, 1e9)})
    assert np.all(pm.draw(changed["law"], mode=PYTHON, random_seed=1) >= 1e9)


def test_a_variable_can_be_observed() -> None:
    built = build(Model(laws.power, pooling=None, discrepancy=None), RUNS)
    observed = pm.observe(built, {"theta_sigma": np.full(6, -4.0)})
    assert {v.name for v in observed.observed_RVs} == {"loss", "theta_sigma"}
    assert np.isfinite(observed.compile_logp(mode=PYTHON)(observed.initial_point()))


def test_half_normal_priors_of_spreads_are_those_of_the_model() -> None:
    built = build(Model(laws.power, priors={"sd_alpha": HalfNormal(0.05)}), RUNS)
    drawn = pm.draw(built["sd_alpha_own"], draws=1000, mode=PYTHON, random_seed=1)
    assert stats.kstest(drawn, stats.halfnorm(scale=0.05).cdf).pvalue > 1e-3


def test_unknown_groups_are_named() -> None:
    message = r"^pooling over 'tasks': the runs have no such group; did you mean 'task'\?"
    with pytest.raises(ValueError, match=message):
        build(Model(laws.power, pooling=["tasks"]), RUNS)
