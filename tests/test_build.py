"""The PyMC model: its density against one written by hand, its priors, its structure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import preliz as pz
import pymc as pm
import pytensor
import pytest
import xarray as xr
from pytensor.compile.mode import Mode
from scipy import stats
from scipy.special import expit

from bayeslaw.build import build
from bayeslaw.engine import unconstrained
from bayeslaw.law import law
from bayeslaw.laws import log_linear, power
from bayeslaw.model import Model
from bayeslaw.noise import StudentT
from bayeslaw.parameters import Amplitude, Exponent, Floor
from bayeslaw.priors import Fixed, HalfNormal, LogNormal, Normal
from bayeslaw.runs import read_runs

PYTHON = Mode(linker="py", optimizer="fast_compile")
GROUPS = ["task", "data"]


def read(
    n_tasks: int = 2, n_data: int = 3, groups: tuple[str, str] = ("task", "data"), **more: Any
) -> xr.Dataset:
    """A few curves of four runs."""
    rng = np.random.default_rng(1)
    rows = [
        {groups[0]: f"t{i}", groups[1]: f"d{j}", "N": size * 1e6, "error": 0.03}
        for i in range(n_tasks)
        for j in range(n_data)
        for size in (0.1, 1.0, 10.0, 30.0 + 10 * j)
    ]
    frame = pd.DataFrame(rows)
    loss = power(frame["N"] / 1e6, L0=1.0, k=1.5, alpha=0.3) * np.exp(
        0.02 * rng.normal(size=len(frame))
    )
    frame["loss"] = loss
    return read_runs(frame, predictors=["N"], groups=list(groups), reference={"N": 1e6}, **more)


RUNS = read()


def points_of(built: pm.Model, n: int, seed: int = 3) -> np.ndarray:
    size = sum(np.size(value) for value in built.initial_point().values())
    return np.random.default_rng(seed).normal(scale=0.7, size=(n, size))


def densities(built: pm.Model, points: np.ndarray, jacobian: bool) -> np.ndarray:
    """PyMC's own density at points of the unconstrained space."""
    evaluate = pytensor.function(built.value_vars, built.logp(jacobian=jacobian), mode=PYTHON)
    initial = built.initial_point()
    ends = np.cumsum([np.size(initial[value.name]) for value in built.value_vars])[:-1]

    def at(point: np.ndarray) -> float:
        parts = np.split(point, ends)
        shaped = [
            part.reshape(np.shape(initial[value.name]))
            for part, value in zip(parts, built.value_vars, strict=True)
        ]
        return float(evaluate(*shaped))

    return np.array([at(point) for point in points])


def variables_at(built: pm.Model, points: np.ndarray) -> dict[str, np.ndarray]:
    return unconstrained(built, [variable.name for variable in built.free_RVs], points)


LEVEL = float(np.log(np.median(RUNS["loss"])))
LN4 = np.log(4.5)


def power_from_shares(share: Any, level: Any, alpha: Any) -> tuple[Any, Any, Any]:
    return np.exp(level) * expit(share), np.exp(level) * expit(-share), np.exp(alpha)


def power_from_logs(L0: Any, k: Any, alpha: Any) -> tuple[Any, Any, Any]:
    return np.exp(L0), np.exp(k), np.exp(alpha)


def log_linear_from_trend(level: Any, trend: Any) -> tuple[Any, Any]:
    return np.exp(level), np.exp(level + trend)


# Model, its parameters from theta, and the normal priors and spreads of its coordinates by hand.
HAND: dict[str, tuple[Model, Any, list, list]] = {
    "power": (
        Model(power, pooling=GROUPS),
        power_from_shares,
        [(0.0, 1.5), (LEVEL, 1.0), (np.log(0.2), np.log(2.2255)), (np.log(0.01), np.log(2.7183))],
        [0.5, 1.0, 0.3, 0.5],
    ),
    "explicit": (
        Model(
            power,
            pooling={"L0": ["task"], "alpha": GROUPS},
            priors={
                "L0": LogNormal(1.2, 1.5),
                "sd_alpha": HalfNormal(0.2),
                "sigma": LogNormal(0.03, 2.0),
            },
        ),
        power_from_logs,
        [
            (np.log(1.2), np.log(1.5)),
            (LEVEL, LN4),
            (np.log(0.2), np.log(2.2255)),
            (np.log(0.03), np.log(2.0)),
        ],
        [0.5, 1.0, 0.2, 0.5],
    ),
    "log-linear": (
        Model(log_linear, pooling=["data"], noise=StudentT(5.0)),
        log_linear_from_trend,
        [(LEVEL, 1.0), (np.log(0.1), np.log(3.0)), (np.log(0.01), np.log(2.7183))],
        [1.0, 0.5, 0.5],
    ),
    "alone": (
        Model(power, pooling=None),
        power_from_shares,
        [(0.0, 1.5), (LEVEL, 1.0), (np.log(0.2), np.log(2.2255)), (np.log(0.01), np.log(2.7183))],
        [],
    ),
}


def by_hand(case: str, at: dict[str, np.ndarray]) -> np.ndarray:
    """Density of the random variables and of the raw response, without any of bayeslaw's code."""
    model, parameters, priors, spreads = HAND[case]
    n = len(priors)
    names = list(power.parameters)[: n - 1] if model.law is power else ["a", "b"]
    means, sds = np.array(priors).T
    theta, total = at["theta"], 0.0
    task = np.repeat([0, 1], 3)
    curve_of = {"task": task, "data": np.tile([0, 1, 2], 2)}
    if spreads:
        center, spread, effects = at["center"], at["spread"], at["effects"]
        total += stats.norm(means, sds).logpdf(center).sum()
        total += stats.norm(0, 1).logpdf(effects).sum()
        mean, next_spread, next_effect, scales = np.tile(center[:, None], 6), n, 0, list(spreads)
        for row, name in enumerate([*names, "sigma"]):
            for group in model.groups_of(name):
                n_levels = len(set(curve_of[group]))
                levels = effects[next_effect : next_effect + n_levels]
                mean[row] += spread[next_spread] * levels[curve_of[group]]
                scales.append(spreads[row])
                next_spread, next_effect = next_spread + 1, next_effect + n_levels
        assert (next_spread, next_effect) == (spread.size, effects.size)
        total += stats.halfnorm(scale=scales).logpdf(spread).sum()
        total += stats.norm(mean, spread[:n, None]).logpdf(theta).sum()
    else:
        total += stats.norm(means[:, None], sds[:, None]).logpdf(theta).sum()
    law_parameters = parameters(*theta[:-1])
    curve = np.repeat(np.arange(6), 4)
    size, loss = RUNS["N"].values / 1e6, RUNS["loss"].values
    if model.law is power:
        L0, k, alpha = (value[curve] for value in law_parameters)
        mean = L0 + k * size**-alpha
    else:
        a, b = (value[curve] for value in law_parameters)
        mean = a - b * np.log(size)
    noise = stats.t(model.noise.nu, np.log(mean), np.exp(theta[-1][curve]))
    return total + (noise.logpdf(np.log(loss)) - np.log(loss)).sum()


@pytest.mark.parametrize("case", HAND)
def test_density_is_that_written_by_hand(case: str) -> None:
    built = build(HAND[case][0], RUNS)
    points = points_of(built, 6)
    values = variables_at(built, points)
    expected = [by_hand(case, {n: v[i] for n, v in values.items()}) for i in range(len(points))]
    found = densities(built, points, jacobian=False)
    assert np.all(np.isfinite(expected))
    # PyMC keeps constants of normal densities in single precision: they cancel in differences.
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize("case", HAND)
def test_jacobian_is_that_of_finite_differences(case: str) -> None:
    built = build(HAND[case][0], RUNS)
    (point,) = points_of(built, 1, seed=4)
    steps = 1e-6 * np.eye(point.size)
    moved = variables_at(built, np.concatenate([point + steps, point - steps]))
    flat = np.concatenate([v.reshape(2 * point.size, -1) for v in moved.values()], axis=1)
    slopes = (flat[: point.size] - flat[point.size :]) / 2e-6
    sign, expected = np.linalg.slogdet(slopes)
    with_jacobian, without = (densities(built, point[None], jacobian) for jacobian in (True, False))
    assert sign == 1
    np.testing.assert_allclose(with_jacobian - without, expected, atol=1e-5)


def test_standard_errors_add_in_quadrature() -> None:
    runs = read(stderr="error")
    model = Model(power, pooling=None)
    built = build(model, runs)
    points = points_of(built, 2)
    theta = variables_at(built, points)["theta"]
    curve, loss, size = np.repeat(np.arange(6), 4), runs["loss"].values, runs["N"].values / 1e6
    (density,) = built.logp(vars=built.observed_RVs, sum=False, jacobian=False)
    evaluate = pytensor.function(built.value_vars, density, mode=PYTHON, on_unused_input="ignore")
    for point, values in zip(points, theta, strict=True):
        L0, k, alpha = (value[curve] for value in power_from_shares(*values[:3]))
        noise = np.hypot(np.exp(values[3])[curve], 0.03 / loss)
        scale = stats.t(4, np.log(L0 + k * size**-alpha), noise)
        expected = scale.logpdf(np.log(loss)) - np.log(loss)
        found = evaluate(point.reshape(4, 6))
        np.testing.assert_allclose(found, expected, atol=2e-8, rtol=1e-10)


def test_parameters_in_the_users_units() -> None:
    built = build(Model(power, pooling=None), RUNS)
    at = unconstrained(built, ["theta", "L0", "k", "alpha", "sigma"], points_of(built, 3))
    L0, k, alpha = power_from_shares(*np.moveaxis(at["theta"][:, :3], 1, 0))
    np.testing.assert_allclose(at["L0"], L0, rtol=1e-12)
    np.testing.assert_allclose(at["alpha"], alpha, rtol=1e-12)
    np.testing.assert_allclose(at["k"], k * 1e6**alpha, rtol=1e-10)
    np.testing.assert_allclose(at["sigma"], np.exp(at["theta"][:, 3]), rtol=1e-12)


# Priors


def drawn(built: pm.Model, name: str, draws: int = 400) -> np.ndarray:
    return pm.draw(built[name], draws=draws, mode=PYTHON, random_seed=np.random.default_rng(1))


def test_an_explicit_prior_of_the_floor_is_its_marginal_prior() -> None:
    built = build(Model(power, pooling=None, priors={"L0": LogNormal(1.7, 1.3)}), RUNS)
    floors = drawn(built, "L0").ravel()  # curves are independent
    assert floors.size == 2400
    assert stats.kstest(floors, stats.lognorm(np.log(1.3), scale=1.7).cdf).pvalue > 1e-3


def test_pooled_priors_are_those_of_the_population() -> None:
    priors = {"L0": LogNormal(1.7, 1.3), "alpha": pz.Gamma(4.0, 10.0)}
    built = build(Model(power, pooling=GROUPS, priors=priors), RUNS)
    center = drawn(built, "center", draws=1500)
    floor, _, exponent, _ = np.exp(center.T)
    assert stats.kstest(floor, stats.lognorm(np.log(1.3), scale=1.7).cdf).pvalue > 1e-3
    assert stats.kstest(exponent, stats.gamma(4.0, scale=0.1).cdf).pvalue > 1e-3
    assert {v.name for v in built.free_RVs} >= {"alpha_center", "spread", "effects", "theta"}


def test_another_kind_of_prior_without_pooling() -> None:
    built = build(Model(power, pooling=None, priors={"alpha": pz.Gamma(4.0, 10.0)}), RUNS)
    assert [variable.name for variable in built.free_RVs] == ["theta"]
    exponents = drawn(built, "alpha", draws=100).ravel()
    assert stats.kstest(exponents, stats.gamma(4.0, scale=0.1).cdf).pvalue > 1e-3
    points = points_of(built, 5)
    theta = variables_at(built, points)["theta"]
    (density,) = built.logp(vars=[built["theta"]], sum=False, jacobian=False)
    evaluate = pytensor.function(built.value_vars, density, mode=PYTHON)
    found = [float(np.sum(evaluate(point.reshape(4, 6)))) for point in points]
    share, level, alpha, sigma = np.moveaxis(theta, 1, 0)
    expected = (
        stats.norm(0, 1.5).logpdf(share)
        + stats.norm(LEVEL, 1.0).logpdf(level)
        + stats.gamma(4.0, scale=0.1).logpdf(np.exp(alpha))
        + alpha
        + stats.norm(np.log(0.01), np.log(2.7183)).logpdf(sigma)
    ).sum(axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_prior_predictive_looks_like_losses() -> None:
    built = build(Model(power, pooling=GROUPS), RUNS)
    with built:
        tree = pm.sample_prior_predictive(50, random_seed=1, compile_kwargs={"mode": PYTHON})
    losses = tree["prior_predictive"]["loss"]
    assert losses.shape == (1, 50, RUNS.sizes["run"])
    assert np.all(losses > 0)
    middle = float(np.log(losses).median()) - LEVEL
    assert abs(middle) < 1.0  # the population's level has a standard deviation of one


# Structure


@law
def chinchilla(
    N: Any, D: Any, *, E: Floor, A: Amplitude, alpha: Exponent, B: Amplitude, beta: Exponent
) -> Any:
    return E + A * N**-alpha + B * D**-beta


def test_fixed_and_tied_parameters() -> None:
    frame = pd.DataFrame(
        {"N": [1e6, 1e7, 1e6, 1e7], "D": [1e8, 1e8, 1e9, 1e9], "loss": [4.0, 3.5, 3.2, 3.0]}
    )
    runs = read_runs(frame, predictors=["N", "D"])
    model = Model(chinchilla, priors={"E": Fixed(1.69)}, tie={"beta": "alpha"})
    built = build(model, runs)
    assert built["theta"].eval(mode=PYTHON).shape == (4, 1)
    at = unconstrained(built, ["E", "alpha", "beta"], points_of(built, 4))
    np.testing.assert_array_equal(at["E"], 1.69)
    np.testing.assert_array_equal(at["alpha"], at["beta"])
    assert np.all(np.isfinite(densities(built, points_of(built, 3), jacobian=True)))


def test_noise_can_be_fixed() -> None:
    built = build(Model(power, pooling=GROUPS, priors={"sigma": Fixed(0.02)}), RUNS)
    at = unconstrained(built, ["sigma", "theta"], points_of(built, 2))
    np.testing.assert_array_equal(at["sigma"], 0.02)
    assert at["theta"].shape == (2, 3, 6)
    assert np.all(np.isfinite(densities(built, points_of(built, 2), jacobian=True)))


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Model(power, pooling=GROUPS), ["center", "spread", "effects", "theta"]),
        (Model(power), ["center", "spread", "theta"]),
        (Model(power, pooling=None), ["theta"]),
        (
            Model(power, pooling=["task"], priors={"alpha": Normal(0.3, 0.1)}),
            ["L0_center", "k_center", "alpha_center", "sigma_center", "spread", "effects", "theta"],
        ),
        (
            Model(power, priors={"sd_alpha": LogNormal(0.1, 2.0)}),
            ["center", "spread_0", "spread_1", "spread_2", "spread_3", "theta"],
        ),
    ],
)
def test_random_variables(model: Model, names: list[str]) -> None:
    built = build(model, RUNS)
    assert [variable.name for variable in built.free_RVs] == names
    assert [variable.name for variable in built.observed_RVs] == ["loss"]
    assert {"L0", "k", "alpha", "sigma"} <= set(built.named_vars)


@pytest.mark.filterwarnings("ignore:group .* has one level:bayeslaw.runs.RunsWarning")
@pytest.mark.parametrize(("n_tasks", "n_data", "names"), [(1, 3, 0), (3, 1, 0), (2, 2, 16)])
def test_groups_that_tell_nothing_are_dropped(n_tasks: int, n_data: int, names: int) -> None:
    built = build(Model(power, pooling=GROUPS), read(n_tasks, n_data))
    assert len(built.coords["effect_of"]) == names
    assert ("effects" in built.named_vars) is bool(names)


def test_coordinates_say_what_is_what() -> None:
    built = build(Model(power, pooling={"alpha": ["task"]}), RUNS)
    assert built.coords["curve"][:2] == ("t0 / d0", "t0 / d1")
    assert built.coords["parameter"] == ("L0", "k", "alpha", "sigma")
    assert built.coords["spread_of"] == ("L0 own", "k own", "alpha own", "sigma own", "alpha task")
    assert built.coords["effect_of"] == ("alpha task t0", "alpha task t1")


def test_a_group_may_be_called_as_a_dimension_of_pymc() -> None:
    runs = read(groups=("model", "run_name"))
    built = build(Model(power, pooling=["model", "run_name"]), runs)
    assert "alpha model t0" in built.coords["effect_of"]


def test_unknown_groups_are_named() -> None:
    message = r"^pooling over 'tasks': the runs have no such group; did you mean 'task'\?"
    with pytest.raises(ValueError, match=message):
        build(Model(power, pooling=["tasks"]), RUNS)
