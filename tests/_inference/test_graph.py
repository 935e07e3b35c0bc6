"""The PyMC model: its density against one written by hand, its priors, its structure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import preliz as pz
import pymc as pm
import pytensor
import pytest
import xarray as xr
from graphs import unconstrained
from pytensor.compile.mode import Mode
from scipy import stats
from scipy.special import expit

from bayeslaw._inference.graph import build
from bayeslaw._law.law import law
from bayeslaw._law.roles import Amplitude, Exponent, Floor
from bayeslaw.data.runs import read_runs
from bayeslaw.laws import log_linear, power
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import Fixed, HalfNormal, LogNormal, Normal
from bayeslaw.response_scales import LogitScale, LogScale, RawScale

PYTHON = Mode(linker="py", optimizer="fast_compile")
GROUPS = ["task", "data"]


def read(
    n_tasks: int = 2, n_data: int = 3, groups: tuple[str, str] = ("task", "data"), **more: Any
) -> xr.Dataset:
    """A few curves of four runs."""
    rng = np.random.default_rng(1)
    rows = [
        {groups[0]: f"t{i}", groups[1]: f"d{j}", "N": size * 1e6, "D": tokens * 1e9, "error": 0.03}
        for i in range(n_tasks)
        for j in range(n_data)
        for size, tokens in [(0.1, 2.0), (1.0, 0.5), (10.0, 2.0), (30.0 + 10 * j, 6.0)]
    ]
    frame = pd.DataFrame(rows)
    loss = power(frame["N"] / 1e6, L0=1.0, k=1.5, alpha=0.3) * np.exp(
        0.02 * rng.normal(size=len(frame))
    )
    frame["loss"] = loss
    scales = {"N": 1e6, "D": 1e9}
    return read_runs(frame, predictors=["N", "D"], groups=list(groups), reference=scales, **more)


RUNS = read()
NOISY = read(stderr="error")


def points_of(built: pm.Model, n: int, seed: int = 3) -> np.ndarray:
    size = sum(np.size(value) for value in built.initial_point().values())
    return np.random.default_rng(seed).normal(scale=0.7, size=(n, size))


def compiled(built: pm.Model) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """PyMC's own random variables, density and Jacobian at points of the unconstrained space."""
    names = [variable.name for variable in built.free_RVs]
    graphs = dict(zip(names, built.replace_rvs_by_values(built.free_RVs), strict=True))
    graphs |= {"density": built.logp(jacobian=False), "with Jacobian": built.logp()}
    evaluate = pytensor.function(built.value_vars, [*graphs.values()], mode=PYTHON)
    shapes = [np.shape(built.initial_point()[value.name]) for value in built.value_vars]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])[:-1]

    def at(point: np.ndarray) -> list[np.ndarray]:
        parts = zip(np.split(point, ends), shapes, strict=True)
        return evaluate(*(part.reshape(shape) for part, shape in parts))

    def each(points: np.ndarray) -> dict[str, np.ndarray]:
        columns = zip(*(at(point) for point in points), strict=True)
        return dict(zip(graphs, map(np.array, columns), strict=True))

    return each


LEVEL = float(np.log(np.median(RUNS["loss"])))
LN4 = np.log(4.5)


def power_from_shares(share: Any, level: Any, alpha: Any) -> tuple[Any, Any, Any]:
    return np.exp(level) * expit(share), np.exp(level) * expit(-share), np.exp(alpha)


def power_from_logs(L0: Any, k: Any, alpha: Any) -> tuple[Any, Any, Any]:
    return np.exp(L0), np.exp(k), np.exp(alpha)


def log_linear_from_trend(level: Any, trend: Any) -> tuple[Any, Any]:
    return np.exp(level), np.exp(level + trend)


def chinchilla_from_logs(*logs: Any) -> tuple[Any, ...]:
    return tuple(np.exp(log) for log in logs)


@law
def chinchilla(
    N: Any, D: Any, *, E: Floor, A: Amplitude, alpha: Exponent, B: Amplitude, beta: Exponent
) -> Any:
    return E + A * N**-alpha + B * D**-beta


class Hand(NamedTuple):
    """A model, its parameters from theta, and normal priors and spreads of its coordinates."""

    model: Model
    parameters: Any
    priors: list[tuple[float, float]]
    spreads: Sequence[float] = ()
    runs: xr.Dataset = RUNS


SHARES = [(0.0, 1.5), (LEVEL, 1.0), (np.log(0.2), np.log(2.2255))]
SHARE_SPREADS = [0.5, 1.0, 0.3]
SIGMA = TAU = EXCESS = (np.log(0.01), np.log(2.7183))
SLOPE = (0.0, 0.3)
ALONE = {"pooling": None}
LOGS = {"E": LogNormal(1.2, 1.5), "A": LogNormal(0.8, 2.0), "B": LogNormal(0.7, 3.0)}
FIVE = [
    (np.log(1.2), np.log(1.5)),
    (np.log(0.8), np.log(2.0)),
    (np.log(0.2), np.log(2.2255)),
    (np.log(0.7), np.log(3.0)),
    (np.log(0.2), np.log(2.2255)),
]

HAND = {
    "power": Hand(
        Model(power, pooling=GROUPS, discrepancy=None),
        power_from_shares,
        [*SHARES, SIGMA],
        [*SHARE_SPREADS, 0.5],
    ),
    "explicit": Hand(
        Model(
            power,
            pooling={"L0": ["task"], "alpha": GROUPS},
            discrepancy=None,
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
    "log-linear": Hand(
        Model(log_linear, pooling=["data"], noise=StudentT(5.0), discrepancy=None),
        log_linear_from_trend,
        [(LEVEL, 1.0), (np.log(0.1), np.log(3.0)), SIGMA],
        [1.0, 0.5, 0.5],
    ),
    "alone": Hand(Model(power, **ALONE, discrepancy=None), power_from_shares, [*SHARES, SIGMA]),
    "standard errors": Hand(
        Model(power, **ALONE, discrepancy=None), power_from_shares, [*SHARES, SIGMA], runs=NOISY
    ),
    "discrepancy": Hand(
        Model(power, pooling=GROUPS),
        power_from_shares,
        [*SHARES, SIGMA, TAU],
        [*SHARE_SPREADS, 0.5, 0.5],
    ),
    "discrepancy, standard errors": Hand(
        Model(power, **ALONE), power_from_shares, [*SHARES, SIGMA, TAU], runs=NOISY
    ),
    "discrepancy, known": Hand(
        Model(power, **ALONE, priors={"tau": Fixed(0.05)}), power_from_shares, [*SHARES, SIGMA]
    ),
    "discrepancy along two": Hand(
        Model(chinchilla, discrepancy=Brownian(), pooling=["task"], priors=LOGS),
        chinchilla_from_logs,
        [*FIVE, SIGMA, TAU, TAU],
        [0.5, 1.0, 0.3, 1.0, 0.3, 0.5, 0.5, 0.5],
    ),
    "raw": Hand(
        Model(power, **ALONE, noise=Gaussian(RawScale()), discrepancy=None),
        power_from_shares,
        [*SHARES, SIGMA],
        runs=NOISY,
    ),
    "raw, discrepancy": Hand(
        Model(power, **ALONE, noise=Gaussian(RawScale())),
        power_from_shares,
        [*SHARES, SIGMA, TAU],
        runs=NOISY,
    ),
    "logit": Hand(
        Model(power, **ALONE, noise=StudentT(scale=LogitScale(0.1, 300.0)), discrepancy=None),
        power_from_shares,
        [*SHARES, SIGMA],
    ),
    "logit, discrepancy": Hand(
        Model(power, **ALONE, noise=Gaussian(LogitScale(0.1, 300.0))),
        power_from_shares,
        [*SHARES, SIGMA, TAU],
        runs=NOISY,
    ),
    "varying": Hand(
        Model(power, pooling=["task"], noise=Gaussian(varies_with="N"), discrepancy=None),
        power_from_shares,
        [*SHARES, SIGMA, SLOPE],
        [*SHARE_SPREADS, 0.5, 0.1],
    ),
    "varying along the second": Hand(
        Model(
            chinchilla,
            **ALONE,
            discrepancy=Brownian(),
            noise=Gaussian(varies_with="D"),
            priors=LOGS,
        ),
        chinchilla_from_logs,
        [*FIVE, SIGMA, SLOPE, TAU, TAU],
        runs=NOISY,
    ),
    "undertuned": Hand(
        Model(power, **ALONE, noise=Undertuned(), discrepancy=None),
        power_from_shares,
        [*SHARES, SIGMA, EXCESS],
        runs=NOISY,
    ),
    "undertuned, discrepancy": Hand(
        Model(power, pooling=["data"], noise=Undertuned(varies_with="N")),
        power_from_shares,
        [*SHARES, SIGMA, SLOPE, EXCESS, TAU],
        [*SHARE_SPREADS, 0.5, 0.1, 0.5, 0.5],
    ),
    "Student-t, discrepancy": Hand(
        Model(power, **ALONE, noise=StudentT(6.0)),
        power_from_shares,
        [*SHARES, SIGMA, TAU],
        runs=NOISY,
    ),
}


def by_hand(case: Hand, at: dict[str, np.ndarray]) -> float:
    """Density of the random variables and of the raw response, without any of bayeslaw's code."""
    theta, total = at["theta"], 0.0
    means, sds = np.array(case.priors).T
    if case.spreads:
        total, mean, spread = population_by_hand(case, at)
        total += stats.norm(mean, spread[:, None]).logpdf(theta).sum()
    else:
        total += stats.norm(means[:, None], sds[:, None]).logpdf(theta).sum()
    names, n_law = list(case.model.nuisance_roles), len(case.model.law.parameters)
    free = [name for name in names if name in case.model.free]
    nuisance = dict(zip(free, theta[n_law:], strict=True))
    nuisance = {
        name: row if name == "sigma_slope" else np.exp(row) for name, row in nuisance.items()
    }
    nuisance |= {name: np.full(6, value) for name, value in case.model.fixed.items()}
    return total + responses_by_hand(case, theta[:n_law], nuisance, at.get("latent"))


def population_by_hand(
    case: Hand, at: dict[str, np.ndarray]
) -> tuple[float, np.ndarray, np.ndarray]:
    """Density of the population's variables; mean and own spread of the curves."""
    means, sds = np.array(case.priors).T
    center, spread, n = at["center"], at["spread"], len(case.priors)
    effects = at["effects"]
    total = stats.norm(means, sds).logpdf(center).sum() + stats.norm(0, 1).logpdf(effects).sum()
    curve_of = {"task": np.repeat([0, 1], 3), "data": np.tile([0, 1, 2], 2)}
    mean, scales = np.tile(center[:, None], 6), list(case.spreads)
    next_spread, next_effect = n, 0
    for row, name in enumerate(case.model.free):
        for group in case.model.groups_of(name):
            n_levels = len(set(curve_of[group]))
            levels = effects[next_effect : next_effect + n_levels]
            mean[row] += spread[next_spread] * levels[curve_of[group]]
            scales.append(case.spreads[row])
            next_spread, next_effect = next_spread + 1, next_effect + n_levels
    assert (next_spread, next_effect) == (spread.size, effects.size)
    return total + stats.halfnorm(scale=scales).logpdf(spread).sum(), mean, spread[:n]


CURVE = np.repeat(np.arange(6), 4)


def responses_by_hand(
    case: Hand, theta: np.ndarray, nuisance: dict[str, np.ndarray], latent: np.ndarray | None
) -> float:
    """Density of the responses and of the latent variables of runs."""
    noise, loss = case.model.noise, case.runs["loss"].values
    at = {name: values[CURVE] for name, values in nuisance.items()}
    on_scale, slope = scale_by_hand(noise.scale)
    residual = on_scale(loss) - on_scale(law_by_hand(case, theta))
    sigma, total = at["sigma"].copy(), np.log(slope(loss)).sum()
    if noise.varies_with:
        sigma *= sizes_by_hand(case.runs)[noise.varies_with] ** at["sigma_slope"]
    match noise:
        case Undertuned():
            residual = residual - at["excess"] * latent
            total += stats.expon.logpdf(latent).sum()
        case StudentT() if case.model.discrepancy:
            sigma /= np.sqrt(latent)
            total += stats.gamma(noise.nu / 2, scale=2 / noise.nu).logpdf(latent).sum()
    error = case.runs["stderr"].values * slope(loss) if "stderr" in case.runs else 0.0
    sigma = np.hypot(sigma, error)
    if case.model.discrepancy:
        # In units of the noise, whose sizes differ vastly.
        z, units = residual / sigma, np.outer(sigma, sigma)
        covariance = np.eye(24) + discrepancy_by_hand(case, nuisance) / units
        deviance = z @ np.linalg.solve(covariance, z) + np.linalg.slogdet(covariance)[1]
        return total - deviance / 2 - (np.log(2 * np.pi) / 2 + np.log(sigma)).sum()
    kind = stats.t(noise.nu, 0, sigma) if isinstance(noise, StudentT) else stats.norm(0, sigma)
    return total + kind.logpdf(residual).sum()


def sizes_by_hand(runs: xr.Dataset) -> dict[str, np.ndarray]:
    return {"N": runs["N"].values / 1e6, "D": runs["D"].values / 1e9}


def law_by_hand(case: Hand, theta: np.ndarray) -> np.ndarray:
    N, D = sizes_by_hand(case.runs).values()
    parameters = [value[CURVE] for value in case.parameters(*theta)]
    if case.model.law is power:
        L0, k, alpha = parameters
        return L0 + k * N**-alpha
    if case.model.law is log_linear:
        a, b = parameters
        return a - b * np.log(N)
    E, A, alpha, B, beta = parameters
    return E + A / N**alpha + B / D**beta


def scale_by_hand(scale: Any) -> tuple[Any, Any]:
    """The map of the response, and its derivative."""
    middle = float(np.median(RUNS["loss"]))
    match scale:
        case LogScale():
            return np.log, lambda y: 1 / y
        case RawScale():
            return lambda y: y / middle, lambda y: np.full(y.shape, 1 / middle)
    low, high = scale.lower, scale.upper
    return (
        lambda y: np.log((y - low) / (high - y)),
        lambda y: (high - low) / (y - low) / (high - y),
    )


def discrepancy_by_hand(case: Hand, nuisance: dict[str, np.ndarray]) -> np.ndarray:
    """Covariance of two-sided Brownian motions from the middle of each curve's range."""
    names = {"tau": "N"} if "tau" in nuisance else {"tau_N": "N", "tau_D": "D"}
    total = np.zeros((24, 24))
    for name, predictor in names.items():
        for i in range(6):
            own = np.flatnonzero(i == CURVE)
            along = np.log(case.runs[predictor].values[own])
            along = along - (along.min() + along.max()) / 2
            one, other = along[:, None], along[None]
            shared = np.where(one * other > 0, np.minimum(np.abs(one), np.abs(other)), 0.0)
            total[np.ix_(own, own)] += nuisance[name][i] ** 2 * shared
    return total


class Built(NamedTuple):
    """A model written by hand, that of PyMC, and its compiled function."""

    hand: Hand
    model: pm.Model
    at: Callable[[np.ndarray], dict[str, np.ndarray]]


@pytest.fixture(scope="module", params=HAND)
def case(request: pytest.FixtureRequest) -> Built:
    """Built and compiled once for all tests."""
    built = build(HAND[request.param].model, HAND[request.param].runs)
    return Built(HAND[request.param], built, compiled(built))


def test_density_is_that_written_by_hand(case: Built) -> None:
    values = case.at(points_of(case.model, 6))
    actual = values["density"]
    expected = [by_hand(case.hand, {n: v[i] for n, v in values.items()}) for i in range(6)]
    assert np.all(np.isfinite(expected))
    # PyMC keeps constants of normal densities in single precision: they cancel in differences.
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    np.testing.assert_allclose(np.diff(actual), np.diff(expected), rtol=1e-10, atol=1e-8)


def test_jacobian_is_that_of_finite_differences(case: Built) -> None:
    (point,) = points_of(case.model, 1, seed=4)
    steps, n = 1e-6 * np.eye(point.size), point.size
    values = case.at(np.concatenate([point + steps, point - steps, point[None]]))
    log_jacobian = values.pop("with Jacobian")[-1] - values.pop("density")[-1]
    flat = np.concatenate([v.reshape(2 * n + 1, -1) for v in values.values()], axis=1)
    sign, expected = np.linalg.slogdet((flat[:n] - flat[n : 2 * n]) / 2e-6)
    assert sign == 1
    np.testing.assert_allclose(log_jacobian, expected, atol=1e-5)


def test_parameters_in_the_users_units() -> None:
    built = build(Model(power, pooling=None), RUNS)
    names = ["theta", "L0", "k", "alpha", "sigma", "tau"]
    at = unconstrained(built, names, points_of(built, 3))
    L0, k, alpha = power_from_shares(*np.moveaxis(at["theta"][:, :3], 1, 0))
    np.testing.assert_allclose(at["L0"], L0, rtol=1e-12)
    np.testing.assert_allclose(at["alpha"], alpha, rtol=1e-12)
    np.testing.assert_allclose(at["k"], k * 1e6**alpha, rtol=1e-10)
    np.testing.assert_allclose(at["sigma"], np.exp(at["theta"][:, 3]), rtol=1e-12)
    np.testing.assert_allclose(at["tau"], np.exp(at["theta"][:, 4]), rtol=1e-12)


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
    floor, _, exponent, _, _ = np.exp(center.T)
    assert stats.kstest(floor, stats.lognorm(np.log(1.3), scale=1.7).cdf).pvalue > 1e-3
    assert stats.kstest(exponent, stats.gamma(4.0, scale=0.1).cdf).pvalue > 1e-3
    assert {v.name for v in built.free_RVs} >= {"alpha_center", "spread", "effects", "theta"}


def test_another_kind_of_prior_without_pooling() -> None:
    model = Model(power, pooling=None, priors={"alpha": pz.Gamma(4.0, 10.0)}, discrepancy=None)
    built = build(model, RUNS)
    assert [variable.name for variable in built.free_RVs] == ["theta"]
    exponents = drawn(built, "alpha", draws=100).ravel()
    assert stats.kstest(exponents, stats.gamma(4.0, scale=0.1).cdf).pvalue > 1e-3
    points = points_of(built, 5)
    theta = unconstrained(built, ["theta"], points)["theta"]
    (density,) = built.logp(vars=[built["theta"]], sum=False, jacobian=False)
    evaluate = pytensor.function(built.value_vars, density, mode=PYTHON)
    actual = [float(np.sum(evaluate(point.reshape(4, 6)))) for point in points]
    share, level, alpha, sigma = np.moveaxis(theta, 1, 0)
    expected = (
        stats.norm(0, 1.5).logpdf(share)
        + stats.norm(LEVEL, 1.0).logpdf(level)
        + stats.gamma(4.0, scale=0.1).logpdf(np.exp(alpha))
        + alpha
        + stats.norm(np.log(0.01), np.log(2.7183)).logpdf(sigma)
    ).sum(axis=-1)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


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
    assert np.all(np.isfinite(compiled(built)(points_of(built, 3))["with Jacobian"]))


@pytest.mark.parametrize("name", ["sigma", "tau"])
def test_noise_and_discrepancy_can_be_fixed(name: str) -> None:
    built = build(Model(power, pooling=GROUPS, priors={name: Fixed(0.02)}), RUNS)
    np.testing.assert_array_equal(built[name].eval(mode=PYTHON), np.full(6, 0.02))
    at = compiled(built)(points_of(built, 2))
    assert at["theta"].shape == (2, 4, 6)
    assert np.all(np.isfinite(at["with Jacobian"]))


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Model(power, pooling=GROUPS), ["spread", "center", "effects", "theta"]),
        (Model(power), ["spread", "center", "theta"]),
        (Model(power, pooling=None), ["theta"]),
        (
            Model(power, pooling=["task"], priors={"alpha": Normal(0.3, 0.1)}),
            [
                "spread",
                *(f"{name}_center" for name in ("L0", "k", "alpha", "sigma", "tau")),
                *("effects", "theta"),
            ],
        ),
        (
            Model(power, priors={"sd_alpha": LogNormal(0.1, 2.0)}),
            [*(f"spread_{i}" for i in range(5)), "center", "theta"],
        ),
        (Model(power, pooling=None, noise=StudentT()), ["latent", "theta"]),
        (Model(power, pooling=None, noise=StudentT(), discrepancy=None), ["theta"]),
        (
            Model(power, noise=Undertuned(), discrepancy=None),
            ["latent", "spread", "center", "theta"],
        ),
    ],
)
def test_random_variables(model: Model, names: list[str]) -> None:
    built = build(model, RUNS)
    assert [variable.name for variable in built.free_RVs] == names
    assert [variable.name for variable in built.observed_RVs] == ["loss"]
    assert {"L0", "k", "alpha", "sigma"} <= set(built.named_vars)


@pytest.mark.filterwarnings("ignore:group .* has one level:bayeslaw.errors.RunsWarning")
@pytest.mark.parametrize(("n_tasks", "n_data", "names"), [(1, 3, 0), (3, 1, 0), (2, 2, 20)])
def test_uninformative_groups_are_dropped(n_tasks: int, n_data: int, names: int) -> None:
    built = build(Model(power, pooling=GROUPS), read(n_tasks, n_data))
    assert len(built.coords["effect_of"]) == names
    assert ("effects" in built.named_vars) is bool(names)


def test_coordinates_say_what_is_what() -> None:
    built = build(Model(power, pooling={"alpha": ["task"]}), RUNS)
    assert built.coords["curve"][:2] == ("t0 / d0", "t0 / d1")
    names = ("L0", "k", "alpha", "sigma", "tau")
    assert built.coords["parameter"] == names
    assert built.coords["spread_of"] == (*(f"{name} own" for name in names), "alpha task")
    assert built.coords["effect_of"] == ("alpha task t0", "alpha task t1")


def test_a_group_may_be_called_as_a_dimension_of_pymc() -> None:
    runs = read(groups=("model", "run_name"))
    built = build(Model(power, pooling=["model", "run_name"]), runs)
    assert "alpha model t0" in built.coords["effect_of"]


def test_unknown_groups_are_named() -> None:
    message = r"^pooling over 'tasks': the runs have no such group; did you mean 'task'\?"
    with pytest.raises(ValueError, match=message):
        build(Model(power, pooling=["tasks"]), RUNS)
