"""The stage of the curves: its adjoint, prior and Jacobian."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from stage_adjoints import addresses, assert_adjoint

from bayeslaw import laws
from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.printed_functions import from_pivot, to_pivot
from bayeslaw._kernels.stages.curves import curves, curves_adjoint
from bayeslaw._kernels.stages.scratch import curve_shapes
from bayeslaw._law.law import Law
from bayeslaw.model.model import Model

CURVES = 3
LAWS = {
    "pivot coordinates are reference ones": None,
    "power": laws.power,
    "chinchilla": laws.chinchilla,
    "pure power": laws.pure_power,
    "log-linear": laws.log_linear,
    "curvature": laws.curvature,
}
every_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def functions(law: Law | None) -> tuple[int, np.ndarray]:
    """Number of coordinates of a law, and the addresses of their maps."""
    if law is None:
        return 3, np.array([0, 3, 0, 0, 0])
    system = coordinates(Model(law))
    (f, f_adjoint), (t, t_adjoint) = (
        addresses(*sources) if sources else (0, 0)
        for sources in (from_pivot(system), to_pivot(system))
    )
    size = len(system.roles)
    return size, np.array([f, size, f_adjoint, t, t_adjoint])


def fisher_information(rng: np.random.Generator, size: int) -> np.ndarray:
    """Positive definite matrices of the curves."""
    factor = rng.normal(size=(CURVES, size, size)) + 2 * np.eye(size)
    return factor @ factor.transpose(0, 2, 1)


def arguments(
    law: Law | None, noise: int = 2, not_normal: tuple[int, ...] = (), seed: int = 1
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    size, of_coordinates = functions(law)
    rows = size + noise
    low = np.exp(rng.uniform(-1, 0, (len(law.predictors) if law else 1, CURVES)))
    high = low * np.exp(rng.uniform(1, 2, low.shape))
    ends = np.concatenate([np.sqrt(low * high), low, high])
    is_normal = np.ones(rows, dtype=np.int64)
    is_normal[list(not_normal)] = 0
    return {
        "z_theta": rng.normal(size=(rows, CURVES)),
        "mean": rng.normal(-1, 0.3, (rows, CURVES)),
        "spread": np.exp(rng.normal(-1, 0.3, rows + 2)),  # the last are those of groups
        "pivot_mode": rng.normal(-1, 0.3, (rows, CURVES)),
        "pivot_information": np.exp(rng.normal(2, 1, (rows, CURVES))),
        "mode": rng.normal(-1, 0.3, (rows, CURVES)),
        "noise_alone": rng.uniform(0, 0.4, (size, noise, CURVES)),
        "noise_share": rng.uniform(0, 0.4, (size, noise, CURVES)),
        "noise_shift": rng.normal(0, 0.1, (size, CURVES)),
        "jacobian": rng.normal(0, 0.3, (size, size, CURVES)) * (1 - np.eye(size))[..., None],
        "fisher": fisher_information(rng, size),
        "frame": np.concatenate([ends, np.log(ends)]),
        "of_coordinates": of_coordinates,
        "is_normal": is_normal,
        "theta": np.empty((rows, CURVES)),
    }


def scratch(arrays: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    size, rows = len(arrays["noise_shift"]), len(arrays["mean"])
    return curve_shapes(size, rows, CURVES)


@every_law
@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("not_normal", [(), (1,)])
def test_adjoint(law: Law | None, noise: int, not_normal: tuple[int, ...]) -> None:
    arrays = arguments(law, noise, not_normal)
    assert_adjoint([curves], curves_adjoint, arrays, ["theta"], ["spread"], scratch(arrays))


def test_adjoint_if_no_prior_is_normal() -> None:
    arrays = arguments(laws.power, 2, tuple(range(5)))
    assert_adjoint([curves], curves_adjoint, arrays, ["theta"], ["spread"], scratch(arrays))


@every_law
@pytest.mark.parametrize("not_normal", [(), (0, 3)])
def test_prior_is_normal_with_the_jacobian(law: Law | None, not_normal: tuple[int, ...]) -> None:
    arrays = arguments(law, 2, not_normal)
    z, log_prior = arrays["z_theta"], np.zeros(1)
    arrays = {name: np.empty(shape) for name, shape in scratch(arrays).items()} | arrays

    def theta_at(point: np.ndarray) -> np.ndarray:
        log_prior[0] = 7.0
        changed = arrays | {"z_theta": point, "log_prior": log_prior, "theta": np.empty(z.shape)}
        curves(changed)
        return changed["theta"]

    steps = 1e-5 * np.eye(z.size).reshape(z.size, *z.shape)
    jacobian = [(theta_at(z + step) - theta_at(z - step)).ravel() / 2e-5 for step in steps]
    rows = len(z)
    normal = stats.norm.logpdf(theta_at(z), arrays["mean"], arrays["spread"][:rows, None])
    prior = normal[arrays["is_normal"] == 1].sum()
    expected = 7.0 + prior + np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(log_prior, [expected], atol=1e-6)
