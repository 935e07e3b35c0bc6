"""Stages of the population: their adjoints, and priors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from stage_adjoints import addresses, assert_adjoint, run

from bayeslaw import laws
from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.printed_functions import from_pivot
from bayeslaw._kernels.stages import population
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
    return {
        "z_center": rng.normal(size=rows),
        "spread": np.exp(rng.normal(-1, 0.3, n_spreads)),
        "center_pivot_mean": rng.normal(-1, 0.3, rows),
        "center_mean": rng.normal(-1, 0.3, rows),
        "center_sd": np.exp(rng.normal(0, 0.2, rows)),
        "typical_mode": rng.normal(-1, 0.3, (rows, CURVES)),
        "typical_information": np.exp(rng.normal(3, 1, (rows, CURVES))),
        "curve_mixed": jacobian + rng.normal(0, 0.1, (CURVES, rows, rows)) * (jacobian != 0),
        "typical_mixed": jacobian,
        "level_share": rng.uniform(0, 0.5, (rows, n_spreads)) * (np.arange(n_spreads) >= rows),
        "typical_blocks": np.array([(0, size), *((i, i + 1) for i in range(size, rows))]),
        "typical_frame": np.concatenate([ends, np.log(ends)]),
        "of_population": np.array(of_population),
        "center": np.empty(rows),
    }


@pytest.mark.parametrize("seed", range(2))
def test_adjoint_of_spreads(seed: int) -> None:
    stages = population.half_normal_spreads, population.half_normal_spreads_adjoint
    assert_adjoint(stages[:1], stages[1], spreads(seed), outputs=["spread"])


def test_prior_of_spreads_is_half_normal() -> None:
    arrays = spreads(3) | {"log_prior": np.array([5.0])}
    run(population.half_normal_spreads, arrays)
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
    assert_adjoint(
        stages[:1], stages[1], center(law, noise, groups), outputs=["center"], added=["spread"]
    )


@pytest.mark.parametrize("law", [None, laws.power], ids=str)
def test_prior_of_the_center_is_normal_with_the_jacobian(law: Law | None) -> None:
    arrays = center(law, 2, 1)
    z, log_prior = arrays["z_center"], np.zeros(1)

    def center_at(point: np.ndarray) -> np.ndarray:
        changed = arrays | {"z_center": point, "log_prior": log_prior, "center": np.empty(z.size)}
        log_prior[0] = 0.0
        run(population.whitened_center, changed)
        return changed["center"]

    steps = 1e-5 * np.eye(z.size)
    jacobian = [(center_at(z + step) - center_at(z - step)) / 2e-5 for step in steps]
    prior = stats.norm.logpdf(center_at(z), arrays["center_mean"], arrays["center_sd"])
    expected = prior.sum() + np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(log_prior, [expected], atol=1e-7)
