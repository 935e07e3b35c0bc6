"""Whitening of curves and populations: identities, limits, Jacobians."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw import laws
from bayeslaw._inference.coordinates import Frame, coordinates
from bayeslaw._inference.whitening import CurveWhitening, PopulationWhitening
from bayeslaw.model.model import Model

MODELS = {
    "power": Model(laws.power),
    "chinchilla": Model(laws.chinchilla),
    "log-linear": Model(laws.log_linear),
    "plateau": Model(laws.plateau_power),
}
CURVES, NOISE = 3, 2
every_model = pytest.mark.parametrize("name", MODELS)
# A log-linear population that is too steep for a curve is flattened.
every_exact = pytest.mark.parametrize("name", [name for name in MODELS if name != "log-linear"])


def curve_whitening(name: str, seed: int, spread: float = 0.3) -> CurveWhitening:
    """A whitening of three curves with two parameters of noise."""
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
    }
    frame = Frame(tuple(np.sqrt(low * high)), tuple(low), tuple(high))
    spreads = spread * np.exp(rng.normal(0, 0.3, (law + NOISE, 1)))
    return CurveWhitening(system, rng.normal(-1, 0.3, size), spreads, laplace, frame)


def standard(whitening: CurveWhitening, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=whitening.mean.shape)


@every_exact
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_round_trip(name: str, seed: int) -> None:
    whitening = curve_whitening(name, seed)
    value = standard(whitening, seed)
    np.testing.assert_allclose(whitening.inverse(whitening.forward(value)), value, atol=1e-7)


@every_exact
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_log_jacobian_is_that_of_finite_differences(name: str, seed: int) -> None:
    whitening = curve_whitening(name, seed)
    value, step = standard(whitening, seed), 1e-6

    def stepped(i: int, step_i: float) -> np.ndarray:
        changed = value.copy().ravel()
        changed[i] += step_i
        return whitening.forward(changed.reshape(value.shape)).ravel()

    jacobian = [(stepped(i, step) - stepped(i, -step)) / (2 * step) for i in range(value.size)]
    _, log_determinant = np.linalg.slogdet(jacobian)
    assert whitening.log_jacobian(value) == pytest.approx(log_determinant, abs=1e-4)


@every_model
def test_tensors_agree_with_arrays(name: str) -> None:
    whitening, symbol = curve_whitening(name, 3), pt.dmatrix("value")
    graph = CurveWhitening(
        whitening.coordinates,
        pt.as_tensor(whitening.mean),
        whitening.spread,
        {key: pt.as_tensor(array) for key, array in whitening.laplace.items()},
        whitening.frame,
    )
    value = standard(whitening, 4)
    outputs: list[Any] = [
        graph.forward(symbol),
        graph.log_jacobian(symbol),
        graph.inverse(graph.forward(symbol)),
    ]
    results = pytensor.function([symbol], outputs, mode="FAST_COMPILE")(value)
    assert isinstance(results, list)
    for left, right in zip(
        results, (whitening.forward(value), whitening.log_jacobian(value), value), strict=True
    ):
        np.testing.assert_allclose(left, right, atol=1e-8)


def test_curves_that_hardly_differ_follow_their_population() -> None:
    # Whatever the data say: otherwise a funnel would remain where the spread is small.
    whitening = curve_whitening("power", 1, spread=1e-6)
    deviation = (
        np.abs(whitening.forward(standard(whitening, 2)) - whitening.mean) / whitening.spread
    )
    assert deviation.max() < 4


def test_curves_that_differ_much_follow_their_data() -> None:
    whitening = curve_whitening("power", 1, spread=1e4)
    nearby = {**whitening.laplace, "noise_shift": 0 * whitening.laplace["noise_shift"]}
    at = CurveWhitening(
        whitening.coordinates, whitening.mean, whitening.spread, nearby, whitening.frame
    )
    names, ones = list(at.coordinates.roles), dict.fromkeys(at.coordinates.roles, 1.0)
    theta = at.forward(np.zeros(at.mean.shape))
    pivot = at.coordinates.to_pivot(dict(zip(names, theta, strict=False)), at.frame, ones)
    pivot_mode = np.array([pivot[name] for name in names])
    np.testing.assert_allclose(pivot_mode, at.laplace["pivot_mode"][: len(names)], atol=1e-3)
    np.testing.assert_allclose(
        theta[len(names) :], at.laplace["pivot_mode"][len(names) :], atol=1e-3
    )


def population_whitening(name: str, seed: int, spread: float = 0.3) -> PopulationWhitening:
    """A whitening of the population of three curves in two groups, with two spreads of groups."""
    whitening, rng = curve_whitening(name, seed), np.random.default_rng(seed)
    size, curves = whitening.mean.shape
    jacobian = np.eye(size) + np.diag(rng.normal(0, 0.3, size - 1), 1)
    jacobian[size - NOISE - 1, size - NOISE] = jacobian[-2, -1] = 0
    typical = {
        "typical_mode": rng.normal(-1, 0.3, (size, curves)),
        "typical_information": np.exp(rng.normal(4, 1, (size, curves))),
        "curve_mixed": jacobian + rng.normal(0, 0.1, (curves, size, size)) * (jacobian != 0),
        "typical_mixed": jacobian,
        "level_share": np.eye(size, size + 2, size - 1) / 2,
        "typical_blocks": np.array([[0, size - NOISE], [size - NOISE, size]]),
    }
    frame = Frame(*(tuple(np.exp(np.log(x).mean()) for x in end) for end in whitening.frame.ends))
    spreads = spread * np.exp(rng.normal(0, 0.3, size + 2))
    mean, sd = rng.normal(-1, 0.3, size), np.exp(rng.normal(0, 0.2, size))
    return PopulationWhitening(whitening.coordinates, mean, sd, spreads, typical, frame)


@every_model
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_log_jacobian_of_populations_is_that_of_finite_differences(name: str, seed: int) -> None:
    whitening = population_whitening(name, seed)
    value = np.random.default_rng(seed).normal(size=whitening.mean.shape)
    steps = 1e-6 * np.eye(value.size)
    jacobian = [
        (whitening.forward(value + by) - whitening.forward(value - by)) / 2e-6 for by in steps
    ]
    _, log_determinant = np.linalg.slogdet(jacobian)
    assert whitening.log_jacobian(value) == pytest.approx(log_determinant, abs=1e-4)


def test_the_less_curves_differ_the_better_the_population_is_determined() -> None:
    def scale(spread: float) -> np.ndarray:
        whitening = population_whitening("log-linear", 1, spread)
        center = whitening.forward(np.zeros(whitening.mean.size))
        scales_of_units = [whitening.forward(unit) - center for unit in np.eye(whitening.mean.size)]
        return np.sqrt(np.sum(np.square(scales_of_units), axis=0))

    scales = [scale(spread) for spread in (1e-6, 0.1, 1e6)]
    assert np.all(scales[0] < scales[1])
    assert np.all(scales[1] < scales[2])
    information = population_whitening("log-linear", 1).typical["typical_information"].sum(axis=1)
    assert np.all(scales[0] <= information**-0.5)
    assert np.all(
        scales[2] <= 3 * population_whitening("log-linear", 1).sd
    )  # never wider than its prior
