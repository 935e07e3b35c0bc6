"""Partially centred group effects against dense linear algebra."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw._kernels import group_effects


@dataclass(frozen=True)
class Problem:
    """Arguments of `partially_centred_effects`."""

    z: np.ndarray
    weight: np.ndarray
    residual: np.ndarray
    scale: np.ndarray
    codes: np.ndarray
    bounds: np.ndarray

    def memberships(self, parameter: int) -> np.ndarray:
        """Memberships of curves in the levels of a parameter, as a matrix."""
        first, last, low, high = self.bounds[parameter]
        matrix = np.zeros((self.codes.shape[1], high - low))
        for codes in self.codes[first:last]:
            matrix[np.arange(codes.size), codes - low] += 1
        return matrix


def problem(seed: int, layout: tuple[tuple[int, ...], ...], n_curves: int = 7) -> Problem:
    """Random values; `layout` has, per parameter, the number of levels of each grouping."""
    rng = np.random.default_rng(seed)
    codes, bounds, start = [], [], 0
    for sizes in layout:
        first, low = len(codes), start
        for size in sizes:
            codes.append(rng.integers(0, size, n_curves) + start)
            start += size
        bounds.append((first, len(codes), low, start))
    return Problem(
        z=rng.normal(size=start),
        weight=np.exp(rng.normal(size=(len(layout), n_curves))),
        residual=rng.normal(size=(len(layout), n_curves)),
        scale=np.exp(rng.normal(size=start)),
        codes=np.array(codes, dtype=np.int64).reshape(-1, n_curves),
        bounds=np.array(bounds, dtype=np.int64),
    )


LAYOUTS = [((3,),), ((2, 4),), ((3, 2), (), (3, 2, 2)), ((), (4,))]
every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=str)


def dense_effects(p: Problem) -> tuple[np.ndarray, float]:
    """`partially_centred_effects` by the formula of the module's docstring."""
    effects, log_det = np.zeros_like(p.z), 0.0
    for parameter, (_, _, low, high) in enumerate(p.bounds):
        memberships, scale = p.memberships(parameter), np.diag(p.scale[low:high])
        weight, residual = np.diag(p.weight[parameter]), p.residual[parameter]
        precision = np.eye(high - low) + scale @ memberships.T @ weight @ memberships @ scale
        lower = np.linalg.cholesky(precision)
        shift = np.linalg.solve(lower, scale @ memberships.T @ weight @ residual)
        effects[low:high] = np.linalg.solve(lower.T, p.z[low:high] + shift)
        log_det += np.linalg.slogdet(lower)[1]
    return effects, log_det


@every_layout
@pytest.mark.parametrize("seed", range(3))
def test_effects_are_the_dense_formula(layout: tuple, seed: int) -> None:
    p = problem(seed, layout)
    effects, log_det = group_effects.partially_centred_effects(*astuple(p))
    expected, expected_log_det = dense_effects(p)
    np.testing.assert_allclose(effects, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(log_det, expected_log_det, rtol=1e-12)


def test_effects_have_the_conditional_distribution() -> None:
    # Of standard normal effects given observations residual = Z T e + noise of these weights.
    p = problem(5, ((2, 3),))
    memberships, scale = p.memberships(0), np.diag(p.scale)
    design = memberships @ scale
    covariance = np.linalg.inv(np.eye(5) + design.T @ np.diag(p.weight[0]) @ design)
    mean = covariance @ design.T @ (p.weight[0] * p.residual[0])
    center = group_effects.partially_centred_effects(*astuple(replace(p, z=np.zeros(5))))[0]
    np.testing.assert_allclose(center, mean, rtol=1e-10)
    columns = [
        group_effects.partially_centred_effects(*astuple(replace(p, z=unit)))[0] - center
        for unit in np.eye(5)
    ]
    root = np.array(columns).T
    np.testing.assert_allclose(root @ root.T, covariance, rtol=1e-9, atol=1e-13)


@every_layout
def test_adjoint_is_that_of_finite_differences(layout: tuple) -> None:
    p = problem(11, layout)
    rng = np.random.default_rng(12)
    effects_bar, log_det_bar = rng.normal(size=p.z.size), 0.7

    def objective(q: Problem) -> float:
        effects, log_det = group_effects.partially_centred_effects(*astuple(q))
        return float(effects @ effects_bar + log_det * log_det_bar)

    gradients = group_effects.partially_centred_effects_adjoint(
        *astuple(p), effects_bar, log_det_bar
    )
    for name, gradient in zip(("z", "weight", "residual", "scale"), gradients, strict=True):
        value = getattr(p, name)
        expected = np.zeros(value.shape)
        for index in np.ndindex(value.shape):
            step = np.zeros(value.shape)
            step[index] = 1e-6
            up, down = (objective(replace(p, **{name: value + s})) for s in (step, -step))
            expected[index] = (up - down) / 2e-6
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8, err_msg=name)


@every_layout
def test_effects_without_scale_are_non_centred(layout: tuple) -> None:
    p = problem(1, layout)
    for scale in (0.0, 1e-300, 1e-12):
        q = replace(p, scale=np.full(p.z.size, scale))
        effects, log_det = group_effects.partially_centred_effects(*astuple(q))
        np.testing.assert_allclose(effects, p.z, rtol=1e-9)
        assert abs(log_det) < 1e-9
        gradients = group_effects.partially_centred_effects_adjoint(
            *astuple(q), np.ones(p.z.size), 1.0
        )
        assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


def test_overwhelming_weights_are_finite() -> None:
    p = problem(1, ((2, 3),))
    q = replace(p, weight=p.weight * 1e12)
    effects, log_det = group_effects.partially_centred_effects(*astuple(q))
    expected, expected_log_det = dense_effects(q)
    # The data determine only sums over both groupings: the matrix is singular but for the identity,
    # a relative 1e-12 of its pivot, which is known to 2e-16 / 1e-12.
    np.testing.assert_allclose(log_det, expected_log_det, atol=1e-3)
    np.testing.assert_allclose(
        p.memberships(0) @ (p.scale * effects), p.memberships(0) @ (p.scale * expected), atol=1e-4
    )


@every_layout
@pytest.mark.parametrize("seed", range(2))
def test_gather_sums_the_effects_of_a_curve(layout: tuple, seed: int) -> None:
    p = problem(seed, layout)
    sums = group_effects.gather_effects(p.z, p.codes, p.bounds)
    for parameter, (_, _, low, high) in enumerate(p.bounds):
        np.testing.assert_allclose(
            sums[parameter], p.memberships(parameter) @ p.z[low:high], rtol=1e-12
        )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), layout=st.sampled_from(LAYOUTS), n_curves=st.integers(1, 9))
def test_scatter_is_the_adjoint_of_gather(seed: int, layout: tuple, n_curves: int) -> None:
    p = problem(seed, layout, n_curves)
    gathered = np.vdot(group_effects.gather_effects(p.z, p.codes, p.bounds), p.residual)
    scattered = np.vdot(p.z, group_effects.scatter_effects(p.z, p.residual, p.codes, p.bounds))
    np.testing.assert_allclose(gathered, scattered, rtol=1e-10, atol=1e-12)
