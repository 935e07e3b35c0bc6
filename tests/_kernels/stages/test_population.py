"""Stages of the population: their adjoints, and priors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from stage_adjoints import addresses, assert_adjoint

from bayeslaw import laws
from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.printed_functions import from_pivot
from bayeslaw._kernels.stages import population
from bayeslaw._kernels.stages.scratch import population_shapes
from bayeslaw._law.law import Law
from bayeslaw.model.model import Model

CURVES = 3


def spreads(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "z_spread": rng.normal(-1, 0.5, 4),
        "spread_scale": np.exp(rng.normal(size=4)),
        "spread": np.empty(4),
    }


def covariances(rng: np.random.Generator, size: int, rows: int) -> np.ndarray:
    """Positive definite matrices of the curves, of the law's parameters and the others."""
    factor = rng.normal(0, 0.1, (CURVES, rows, rows))
    factor[:, size:] *= np.eye(rows)[size:]
    factor[:, :, size:] *= np.eye(rows)[:, size:]
    return factor @ factor.transpose(0, 2, 1) + 0.01 * np.eye(rows)


def center(law: Law | None, noise: int, groups: int) -> dict[str, np.ndarray]:
    """Arguments of `whitened_center`; without a law, pivot coordinates are reference ones."""
    rng = np.random.default_rng(noise + 10 * groups)
    predictors = len(law.predictors) if law else 1
    size, of_population = 3, (0, 3, 0)
    if law:
        system = coordinates(Model(law))
        sources = from_pivot(system)
        assert sources is not None
        forward, adjoint = addresses(*sources)
        size = len(system.roles)
        of_population = forward, size, adjoint
    rows, n_spreads = size + noise, size + noise + groups
    jacobian = np.eye(rows)
    jacobian[:size, :size] += rng.normal(0, 0.2, (size, size))
    low = np.exp(rng.normal(size=(predictors, 1)))
    ends = np.concatenate([2 * low, low, 4 * low])
    sd = np.exp(rng.normal(0, 0.2, rows))
    precision = np.linalg.inv(jacobian * sd**2 @ jacobian.T)
    return {
        "z_center": rng.normal(size=rows),
        "spread": np.exp(rng.normal(-1, 0.3, n_spreads)),
        "prior_precision": precision,
        "prior_score": precision @ rng.normal(-1, 0.3, rows),
        "center_mean": rng.normal(-1, 0.3, rows),
        "center_sd": sd,
        "typical_mode": rng.normal(-1, 0.3, (rows, CURVES)),
        "typical_covariance": covariances(rng, size, rows),
        "curve_mixed": jacobian + rng.normal(0, 0.1, (CURVES, rows, rows)) * (jacobian != 0),
        "typical_mixed": jacobian,
        "curve_share": np.eye(rows, n_spreads)
        + rng.uniform(0, 1, (rows, n_spreads)) * (np.arange(n_spreads) >= rows),
        "level_share": rng.uniform(0, 0.5, (rows, n_spreads)) * (np.arange(n_spreads) >= rows),
        "typical_blocks": np.array([(0, size), *((i, i + 1) for i in range(size, rows))]),
        "typical_frame": np.concatenate([ends, np.log(ends)]),
        "of_population": np.array(of_population),
        "center": np.empty(rows),
    }


def scratch(arrays: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    size, rows, n_spreads = arrays["of_population"][1], arrays["center"].size, arrays["spread"].size
    return population_shapes(size, rows, CURVES, n_spreads)


@pytest.mark.parametrize("seed", range(2))
def test_adjoint_of_spreads(seed: int) -> None:
    stages = population.half_normal_spreads, population.half_normal_spreads_adjoint
    assert_adjoint(stages[:1], stages[1], spreads(seed), outputs=["spread"])


def test_prior_of_spreads_is_half_normal() -> None:
    arrays = spreads(3) | {"log_prior": np.array([5.0])}
    population.half_normal_spreads(arrays)
    np.testing.assert_allclose(arrays["spread"], np.exp(arrays["z_spread"]), rtol=1e-14)
    prior = stats.halfnorm.logpdf(arrays["spread"], scale=arrays["spread_scale"])
    expected = 5.0 + np.sum(prior + arrays["z_spread"])  # with the Jacobian of the exponential
    np.testing.assert_allclose(arrays["log_prior"], [expected], rtol=1e-13)


@pytest.mark.parametrize(
    ("law", "noise", "groups"),
    [
        (None, 0, 0),
        (None, 2, 2),
        (laws.power, 0, 1),
        (laws.power, 2, 0),
        (laws.chinchilla, 2, 2),
    ],
    ids=str,
)
def test_adjoint_of_the_center(law: Law | None, noise: int, groups: int) -> None:
    stages = population.whitened_center, population.whitened_center_adjoint
    arrays = center(law, noise, groups)
    assert_adjoint(stages[:1], stages[1], arrays, ["center"], ["spread"], scratch(arrays))


@pytest.mark.parametrize("law", [None, laws.power], ids=str)
def test_prior_of_the_center_is_normal_with_the_jacobian(law: Law | None) -> None:
    arrays = center(law, 2, 1)
    z, log_prior = arrays["z_center"], np.zeros(1)
    arrays = {name: np.empty(shape) for name, shape in scratch(arrays).items()} | arrays

    def center_at(point: np.ndarray) -> np.ndarray:
        changed = arrays | {"z_center": point, "log_prior": log_prior, "center": np.empty(z.size)}
        log_prior[0] = 0.0
        population.whitened_center(changed)
        return changed["center"]

    steps = 1e-5 * np.eye(z.size)
    jacobian = [(center_at(z + step) - center_at(z - step)) / 2e-5 for step in steps]
    prior = stats.norm.logpdf(center_at(z), arrays["center_mean"], arrays["center_sd"])
    expected = prior.sum() + np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(log_prior, [expected], atol=1e-7)


@pytest.mark.parametrize("groups", [0, 2])
def test_standard_coordinates_have_the_posterior_of_a_linear_model(groups: int) -> None:
    # Gaussian modes about the population, and a Gaussian prior: the posterior is known.
    arrays = center(None, 2, groups)
    arrays = {name: np.empty(shape) for name, shape in scratch(arrays).items()} | arrays
    arrays["log_prior"] = np.zeros(1)
    size, spread = arrays["center"].size, arrays["spread"]

    def forward(z: np.ndarray) -> np.ndarray:
        population.whitened_center(arrays | {"z_center": z})
        return arrays["center"].copy()

    of_curves, of_groups = (np.diag(arrays[f"{of}_share"] @ spread**2) for of in ("curve", "level"))
    information_of_curves = [
        np.linalg.inv(arrays["typical_covariance"][g] + m @ of_curves @ m.T)
        for g, m in enumerate(arrays["curve_mixed"])
    ]
    curves_covariance = np.linalg.inv(sum(information_of_curves))
    estimate = curves_covariance @ sum(
        each @ arrays["typical_mode"][:, g] for g, each in enumerate(information_of_curves)
    )
    jacobian = arrays["typical_mixed"]
    data_precision = np.linalg.inv(curves_covariance + jacobian @ of_groups @ jacobian.T)
    covariance = np.linalg.inv(arrays["prior_precision"] + data_precision)
    mean = forward(np.zeros(size))
    np.testing.assert_allclose(
        mean, covariance @ (arrays["prior_score"] + data_precision @ estimate), rtol=1e-8
    )
    root = np.array([forward(unit) - mean for unit in np.eye(size)])
    np.testing.assert_allclose(root.T @ root, covariance, rtol=1e-8, atol=1e-10)
