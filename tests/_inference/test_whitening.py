"""Whitening of curves and populations: the inverse, and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from crossed_curves import crossed_curves, density_of
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_adjoints import addresses

from bayeslaw import laws
from bayeslaw._inference.coordinates import Coordinates, Frame, coordinates
from bayeslaw._inference.printed_functions import from_pivot, to_pivot
from bayeslaw._inference.whitening import whitened
from bayeslaw._kernels.stages.curves import curves
from bayeslaw._kernels.stages.population import whitened_center
from bayeslaw._kernels.stages.scratch import curve_shapes, population_shapes
from bayeslaw._sampling import initial_points
from bayeslaw.model.model import Model
from bayeslaw.priors import LogNormal

# A log-linear population that is too steep for a curve is flattened, so it has no inverse.
MODELS = {
    "power": Model(laws.power),
    "power, own prior": Model(laws.power, priors={"k": LogNormal(1.0, 2.0)}),
    "chinchilla": Model(laws.chinchilla),
    "plateau": Model(laws.plateau_power),
    "pure power": Model(laws.pure_power),
    "link scale": Model(laws.pure_power, priors={"N_c": LogNormal(1.0, 2.0)}),
}
CURVES, NOISE = 3, 2


@dataclass(frozen=True)
class Whitening:
    """Three curves with two parameters of noise."""

    system: Coordinates
    maps: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    laplace: Mapping[str, np.ndarray]
    frame: Frame

    def forward(self, z: np.ndarray) -> np.ndarray:
        """Reference coordinates, by the stage."""
        ends = np.array([values for end in self.frame.ends for values in end])
        shapes = curve_shapes(len(self.system.roles), *z.shape)
        arrays = {
            **{name: np.empty(shape) for name, shape in shapes.items()},
            **self.laplace,
            "z_theta": z,
            "mean": self.mean,
            "spread": self.spread,
            "frame": np.concatenate([ends, np.log(ends)]),
            "of_coordinates": self.maps,
            "is_normal": np.ones(len(z), dtype=np.int64),
            "log_prior": np.zeros(1),
        }
        curves(arrays)
        return arrays["theta"]

    def inverse(self, theta: np.ndarray) -> np.ndarray:
        """Whitened coordinates."""
        return whitened(theta, self.system, self.mean, self.spread, self.laplace, self.frame)


@cache
def maps_of(name: str) -> np.ndarray:
    """Addresses of the maps of a model's coordinates, as the stage takes them."""
    system = coordinates(MODELS[name])
    pairs = [from_pivot(system), to_pivot(system)]
    (f, f_adjoint), (t, t_adjoint) = (addresses(*pair) if pair else (0, 0) for pair in pairs)
    return np.array([f, len(system.roles), f_adjoint, t, t_adjoint])


def whitening(name: str, seed: int, spread: float = 0.3) -> Whitening:
    system, rng = coordinates(MODELS[name]), np.random.default_rng(seed)
    law, predictors = len(system.roles), len(system.law.predictors)
    size = law + NOISE, CURVES
    low = np.exp(rng.normal(size=(predictors, CURVES)))
    high = low * np.exp(rng.uniform(1, 3, size=low.shape))
    laplace = {
        "pivot_mode": rng.normal(-1, 0.3, size),
        "pivot_information": np.exp(rng.normal(2, 1, size)),
        "mode": rng.normal(-1, 0.3, size),
        "noise_alone": rng.uniform(0, 0.4, (law, NOISE, CURVES)),
        "noise_share": rng.uniform(0, 0.4, (law, NOISE, CURVES)),
        "noise_shift": rng.normal(0, 0.1, (law, CURVES)),
        "jacobian": rng.normal(0, 0.3, (law, law, CURVES)) * (1 - np.eye(law))[..., None],
        "fisher": np.full((CURVES, law, law), 2.0) + 5.0 * np.eye(law),
    }
    frame = Frame(tuple(np.sqrt(low * high)), tuple(low), tuple(high))
    spreads = spread * np.exp(rng.normal(0, 0.3, law + NOISE))
    mean = rng.normal(-1, 0.3, size)
    return Whitening(system, maps_of(name), mean, spreads, laplace, frame)


def standard(whitening: Whitening, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=whitening.mean.shape)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_round_trip(name: str, seed: int) -> None:
    at = whitening(name, seed)
    value = standard(at, seed)
    np.testing.assert_allclose(at.inverse(at.forward(value)), value, atol=1e-7)


def test_curves_that_hardly_differ_follow_their_population() -> None:
    # Whatever the data say: otherwise a funnel would remain where the spread is small.
    at = whitening("power", 1, spread=1e-6)
    deviation = np.abs(at.forward(standard(at, 2)) - at.mean) / at.spread[:, None]
    assert deviation.max() < 4


def test_curves_that_differ_much_follow_their_data() -> None:
    far = whitening("power", 1, spread=1e4)
    at = replace(far, laplace={**far.laplace, "noise_shift": 0 * far.laplace["noise_shift"]})
    names, ones = list(at.system.roles), dict.fromkeys(at.system.roles, 1.0)
    theta = at.forward(np.zeros(at.mean.shape))
    pivot = at.system.to_pivot(dict(zip(names, theta, strict=False)), at.frame, ones)
    size = len(names)
    pivot_mode = np.array([pivot[name] for name in names])
    np.testing.assert_allclose(pivot_mode, at.laplace["pivot_mode"][:size], atol=1e-3)
    np.testing.assert_allclose(theta[size:], at.laplace["pivot_mode"][size:], atol=1e-3)


@pytest.mark.parametrize("pooling", [None, (), ["task", "dataset"]], ids=str)
def test_points_that_start_at_given_curves_have_them(pooling: list[str] | None) -> None:
    compiled = density_of(Model(laws.power, pooling), crossed_curves(2, 2))
    theta = compiled.variables(compiled.initial_point)["theta"]
    given = [theta, theta + np.random.default_rng(1).normal(0, 0.2, theta.shape)]
    points = initial_points._points_at(compiled, given, compiled.bound)
    np.testing.assert_allclose(compiled.variables(points)["theta"], given, atol=1e-8)
    np.testing.assert_allclose(points[0], compiled.initial_point, atol=1e-8)


def center_at(z: np.ndarray, spread: float) -> np.ndarray:
    """Center of the population of three curves of two parameters, in two groups."""
    size, groups, rng = 2 + NOISE, 2, np.random.default_rng(1)
    jacobian = np.eye(size) + np.diag(rng.normal(0, 0.3, size - 1), 1)
    jacobian[size - NOISE - 1, size - NOISE] = jacobian[-2, -1] = 0
    precision = np.linalg.inv(jacobian * SD**2 @ jacobian.T)
    shapes = population_shapes(size - NOISE, size, CURVES, size + groups)
    center = np.empty(size)
    whitened_center(
        {
            **{name: np.empty(shape) for name, shape in shapes.items()},
            "z_center": z,
            "spread": spread * np.exp(rng.normal(0, 0.3, size + groups)),
            "prior_precision": precision,
            "prior_score": precision @ rng.normal(-1, 0.3, size),
            "center_mean": rng.normal(-1, 0.3, size),
            "center_sd": SD,
            "typical_mode": rng.normal(-1, 0.3, (size, CURVES)),
            "typical_covariance": COVARIANCE,
            "curve_mixed": jacobian + rng.normal(0, 0.1, (CURVES, size, size)) * (jacobian != 0),
            "typical_mixed": jacobian,
            "curve_share": np.eye(size, size + groups),
            "level_share": np.eye(size, size + groups, size - 1) / 2,
            "typical_blocks": np.array([[0, size - NOISE], *[[i, i + 1] for i in (2, 3)]]),
            "typical_frame": np.ones((6, 1)),
            "of_population": np.array([0, 2, 0]),
            "center": center,
            "log_prior": np.zeros(1),
        }
    )
    return center


SD = np.array([0.9, 1.1, 1.2, 0.8])
FACTOR = np.random.default_rng(2).normal(0, 0.1, (CURVES, 2 + NOISE, 2 + NOISE))
FACTOR[:, 2:] *= np.eye(2 + NOISE)[2:]
FACTOR[:, :, 2:] *= np.eye(2 + NOISE)[:, 2:]
COVARIANCE = FACTOR @ np.swapaxes(FACTOR, 1, 2) + 0.01 * np.eye(2 + NOISE)


def test_the_less_curves_differ_the_better_the_population_is_determined() -> None:
    def scale(spread: float) -> np.ndarray:
        center = center_at(np.zeros(SD.size), spread)
        columns = [center_at(unit, spread) - center for unit in np.eye(SD.size)]
        return np.sqrt(np.sum(np.square(columns), axis=0))

    scales = [scale(spread) for spread in (1e-6, 0.1, 1e6)]
    assert np.all(scales[0] < scales[1])
    assert np.all(scales[1] < scales[2])
    alone = np.linalg.inv(np.linalg.inv(COVARIANCE).sum(axis=0))
    assert np.all(scales[0] <= np.sqrt(np.diag(alone)))
    assert np.all(scales[2] <= 3 * SD)  # never wider than its prior
