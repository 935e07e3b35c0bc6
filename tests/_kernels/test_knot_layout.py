"""Knots (inducing points) of the discrepancy, and points between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw._kernels import knot_layout


@dataclass(frozen=True)
class Layout:
    """Runs of several curves, and prediction points; the last curve has no runs."""

    position: np.ndarray
    curve: np.ndarray
    target: np.ndarray
    target_curve: np.ndarray
    max_per_side: int

    @property
    def knots(self) -> knot_layout.Knots:
        return knot_layout.knots_of(self.position, self.curve, self.max_per_side)

    @property
    def neighbours(self) -> knot_layout.KnotNeighbours:
        return knot_layout.knot_neighbours(self.knots, self.target, self.target_curve)

    def outermost(self, p: int, c: int, sign: int) -> float:
        """Distance of the farthest run from the pivot, on one side of one curve."""
        return max(0.0, *(sign * self.position[p, self.curve == c]), 0.0)

    def increments_beyond(self, tau2: np.ndarray) -> np.ndarray:
        """Prior covariance of the reach from the outermost knots to the points."""
        out = np.zeros((self.target_curve.size, self.target_curve.size))
        for p, c in np.ndindex(*tau2.shape):
            for sign in (-1, 1):
                reach = sign * self.target[p] - self.outermost(p, c, sign)
                distance = np.where(self.target_curve == c, np.maximum(reach, 0), 0)
                out += tau2[p, c] * np.minimum(distance[:, None], distance)
        return out


def layout(
    seed: int, runs: int = 23, curves: int = 2, predictors: int = 2, max_per_side: int = 3
) -> Layout:
    """Interleaved curves, with duplicates and runs at the pivot; points among them and beyond."""
    rng = np.random.default_rng(seed)
    position = rng.integers(-8, 9, (predictors, runs)) / 2
    target = rng.integers(-12, 13, (predictors, 9)) / 2
    curve, there = rng.integers(0, curves, runs), rng.integers(0, curves + 1, 9)
    return Layout(position, curve, target, there, max_per_side)


layouts = st.builds(
    layout,
    st.integers(0, 10_000),
    st.integers(1, 25),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 9),
)


def weights(neighbours: knot_layout.KnotNeighbours, p: int, i: int, size: int) -> np.ndarray:
    """Weights of all knots at a point, along one predictor."""
    out = np.zeros(size + 1)  # the last is the pivot, knot -1
    out[neighbours.inner[p, i]] += 1 - neighbours.outer_weight[p, i]
    out[neighbours.outer[p, i]] += neighbours.outer_weight[p, i]
    return out[:-1]


def test_knots_are_numbered_across_curves() -> None:
    position = np.array([[1.0, -1.0, 2.0, 2.0, 0.0], [0.0, 3.0, 0.0, 1.0, 2.0]])
    knots = knot_layout.knots_of(position, np.array([0, 1, 0, 1, 1]), max_per_side=2)
    np.testing.assert_array_equal(knots.first_knot, [0, 2, 6])
    np.testing.assert_array_equal(knots.knot_position, [1.0, 2.0, -1.0, 2.0, 1.5, 3.0])
    np.testing.assert_array_equal(knots.inward, [-1, 0, -1, -1, -1, 4])
    np.testing.assert_array_equal(knots.predictor, [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(knots.order, [0, 2, 1, 3, 4])
    np.testing.assert_array_equal(knots.bounds, [0, 2, 5])
    np.testing.assert_array_equal(knots.inner, [[-1, -1, 0, -1, -1], [-1, 4, -1, -1, 4]])
    np.testing.assert_array_equal(knots.outer, [[0, 2, 1, 3, -1], [-1, 5, -1, 4, 5]])
    np.testing.assert_allclose(knots.outer_weight, [[1, 1, 1, 1, 0], [0, 1, 0, 2 / 3, 1 / 3]])


def test_a_side_has_eight_knots_by_default() -> None:
    position = np.linspace(-1, 2, 100)[None]
    knots = knot_layout.knots_of(position, np.zeros(100, dtype=int))
    np.testing.assert_allclose(knots.knot_position[8:], np.arange(1, 9) / 4)
    assert knots.knot_position.size == 16


def test_no_runs_have_no_knots() -> None:
    knots = knot_layout.knots_of(np.empty((2, 0)), np.empty(0, dtype=int))
    assert [item.size for item in knots] == [0, 1, 0, 0, 0, 1, 0, 0, 0]


def test_a_side_without_knots_is_refused() -> None:
    with pytest.raises(ValueError, match="max_per_side must be at least 1, got 0"):
        knot_layout.knots_of(np.ones((1, 1)), np.zeros(1, dtype=int), max_per_side=0)


@given(p=layouts)
def test_neighbours_of_runs_are_those_of_the_layout(p: Layout) -> None:
    neighbours = knot_layout.knot_neighbours(p.knots, p.position, p.curve)
    for name in ("order", "bounds", "inner", "outer", "outer_weight"):
        np.testing.assert_array_equal(getattr(neighbours, name), getattr(p.knots, name))
    np.testing.assert_array_equal(neighbours.beyond, np.zeros(p.position.shape))


@settings(deadline=None)
@given(p=layouts)
def test_a_line_through_the_pivot_is_followed_as_far_as_there_are_knots(p: Layout) -> None:
    knots, neighbours = p.knots, p.neighbours
    for k, i in np.ndindex(*p.target.shape):
        c, u = p.target_curve[i], p.target[k, i]
        last = p.outermost(k, c, 1 if u > 0 else -1)
        at = weights(neighbours, k, i, knots.knot_position.size) @ knots.knot_position
        np.testing.assert_allclose(at, np.clip(u, -last, last), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(neighbours.beyond[k, i], max(0.0, abs(u) - last), atol=1e-12)


@settings(deadline=None)
@given(p=layouts)
def test_points_lie_between_neighbours_of_their_own_curve_and_predictor(p: Layout) -> None:
    knots, neighbours = p.knots, p.neighbours
    owner = np.searchsorted(knots.first_knot, np.arange(knots.knot_position.size), side="right") - 1
    for k, i in zip(*np.nonzero(neighbours.outer >= 0), strict=True):
        outer = neighbours.outer[k, i]
        assert neighbours.inner[k, i] == knots.inward[outer]
        assert (knots.predictor[outer], owner[outer]) == (k, p.target_curve[i])
        assert knots.knot_position[outer] * p.target[k, i] > 0
    assert np.all((neighbours.outer_weight >= 0) & (neighbours.outer_weight <= 1))


@pytest.mark.parametrize("seed", range(4))
def test_extrapolated_draws_have_the_prior_covariance(seed: int) -> None:
    p, size = layout(seed, predictors=1 + seed % 3), 20_000
    rng = np.random.default_rng(seed)
    tau2 = np.exp(rng.normal(size=(len(p.target), 3)))
    before = np.repeat(rng.random((1, 9)), size, axis=0), rng.normal(size=(size, 9))
    tau2_of_draws = np.repeat(tau2[None], size, axis=0)
    copies = [item.copy() for item in before]
    variance, draw = knot_layout.extrapolate(
        *before, p.target, p.target_curve, p.neighbours.beyond, tau2_of_draws, rng
    )
    for item, copy in zip(before, copies, strict=True):
        np.testing.assert_array_equal(item, copy)
    covariance = p.increments_beyond(tau2)
    added = np.broadcast_to(np.diag(covariance), (size, 9))
    np.testing.assert_allclose(variance - before[0], added, rtol=1e-8, atol=1e-9)
    sd, increments = np.sqrt(np.diag(covariance)), draw - before[1]
    assert np.all(np.abs(increments.mean(axis=0)) <= 4.5 * sd / np.sqrt(size) + 1e-9)
    error = np.sqrt((np.outer(sd, sd) ** 2 + covariance**2) / size)
    assert np.all(np.abs(increments.T @ increments / size - covariance) <= 4.5 * error + 1e-9)


def test_extrapolated_draws_follow_from_the_generator() -> None:
    p = layout(3)
    zeros, tau2 = np.zeros((1, 9)), np.ones((1, 2, 3))
    rest = (zeros, zeros, p.target, p.target_curve, p.neighbours.beyond, tau2)
    one, same, other = (
        knot_layout.extrapolate(*rest, np.random.default_rng(seed))[1] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_extrapolated_points_at_the_same_distance_share_a_draw() -> None:
    zeros, position, curve = np.zeros((1, 2)), np.array([[3.0, 3.0]]), np.zeros(2, int)
    tau2, rng = np.full((1, 1, 1), 0.5), np.random.default_rng(1)
    variance, draw = knot_layout.extrapolate(zeros, zeros, position, curve, position - 1, tau2, rng)
    np.testing.assert_array_equal(variance, [[1.0, 1.0]])
    assert draw[0, 0] == draw[0, 1]
