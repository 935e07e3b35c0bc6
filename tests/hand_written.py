"""Log densities of models written by hand with NumPy and SciPy, without the package's code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats
from scipy.special import expit

from bayeslaw._law.law import law
from bayeslaw._law.roles import Amplitude, Exponent, Floor
from bayeslaw.data.runs import read_runs
from bayeslaw.laws import log_linear, power
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import Fixed, HalfNormal, LogNormal
from bayeslaw.response_scales import LogitScale, LogScale, RawScale

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
