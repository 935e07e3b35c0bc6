"""Knots of the discrepancy, and places among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw._kernels import knot_layout


@dataclass(frozen=True)
class Layout:
    """Runs of several curves, and places; the last curve has no runs."""

    position: np.ndarray
    curve: np.ndarray
    target: np.ndarray
    target_curve: np.ndarray
    max_per_side: int

    @property
    def knots(self) -> knot_layout.Knots:
        return knot_layout.knots_of(self.position, self.curve, self.max_per_side)

    @property
    def places(self) -> knot_layout.KnotNeighbours:
        return knot_layout.knot_neighbours(self.knots, self.target, self.target_curve)

    def outermost(self, p: int, c: int, sign: int) -> float:
        """Distance of the farthest run from the pivot, on one side of one curve."""
        return max(0.0, *(sign * self.position[p, self.curve == c]), 0.0)

    def beyond(self, tau2: np.ndarray) -> np.ndarray:
        """Prior covariance of the way from the outermost knots to the places."""
        out = np.zeros((self.target_curve.size, self.target_curve.size))
        for p, c in np.ndindex(*tau2.shape):
            for sign in (-1, 1):
                way = sign * self.target[p] - self.outermost(p, c, sign)
                distance = np.where(self.target_curve == c, np.maximum(way, 0), 0)
                out += tau2[p, c] * np.minimum(distance[:, None], distance)
        return out


def layout(
    seed: int, runs: int = 23, curves: int = 2, predictors: int = 2, max_per_side: int = 3
) -> Layout:
    """Interleaved curves, with duplicates and runs at the pivot; places among them and beyond."""
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


def weights(places: knot_layout.KnotNeighbours, p: int, i: int, size: int) -> np.ndarray:
    """Weights of all knots at a place, along one predictor."""
    out = np.zeros(size + 1)  # the last is the pivot, knot -1
    out[places.left[p, i]] += 1 - places.share[p, i]
    out[places.right[p, i]] += places.share[p, i]
    return out[:-1]


def test_knots_are_counted_through() -> None:
    position = np.array([[1.0, -1.0, 2.0, 2.0, 0.0], [0.0, 3.0, 0.0, 1.0, 2.0]])
    found = knot_layout.knots_of(position, np.array([0, 1, 0, 1, 1]), max_per_side=2)
    np.testing.assert_array_equal(found.start, [0, 2, 6])
    np.testing.assert_array_equal(found.at, [1.0, 2.0, -1.0, 2.0, 1.5, 3.0])
    np.testing.assert_array_equal(found.before, [-1, 0, -1, -1, -1, 4])
    np.testing.assert_array_equal(found.kind, [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(found.order, [0, 2, 1, 3, 4])
    np.testing.assert_array_equal(found.bounds, [0, 2, 5])
    np.testing.assert_array_equal(found.left, [[-1, -1, 0, -1, -1], [-1, 4, -1, -1, 4]])
    np.testing.assert_array_equal(found.right, [[0, 2, 1, 3, -1], [-1, 5, -1, 4, 5]])
    np.testing.assert_allclose(found.share, [[1, 1, 1, 1, 0], [0, 1, 0, 2 / 3, 1 / 3]])


def test_a_side_has_eight_knots_unless_told_otherwise() -> None:
    position = np.linspace(-1, 2, 100)[None]
    found = knot_layout.knots_of(position, np.zeros(100, dtype=int))
    np.testing.assert_allclose(found.at[8:], np.arange(1, 9) / 4)
    assert found.at.size == 16


def test_no_runs_have_no_knots() -> None:
    found = knot_layout.knots_of(np.empty((2, 0)), np.empty(0, dtype=int))
    assert [item.size for item in found] == [0, 1, 0, 0, 0, 1, 0, 0, 0]


def test_a_side_without_knots_is_refused() -> None:
    with pytest.raises(ValueError, match="max_per_side must be at least 1, got 0"):
        knot_layout.knots_of(np.ones((1, 1)), np.zeros(1, dtype=int), max_per_side=0)


@given(p=layouts)
def test_runs_are_placed_where_they_are(p: Layout) -> None:
    found = knot_layout.knot_neighbours(p.knots, p.position, p.curve)
    for name in ("order", "bounds", "left", "right", "share"):
        np.testing.assert_array_equal(getattr(found, name), getattr(p.knots, name))
    np.testing.assert_array_equal(found.beyond, np.zeros(p.position.shape))


@settings(deadline=None)
@given(p=layouts)
def test_a_line_through_the_pivot_is_followed_as_far_as_there_are_knots(p: Layout) -> None:
    knots, places = p.knots, p.places
    for k, i in np.ndindex(*p.target.shape):
        c, u = p.target_curve[i], p.target[k, i]
        last = p.outermost(k, c, 1 if u > 0 else -1)
        at = weights(places, k, i, knots.at.size) @ knots.at
        np.testing.assert_allclose(at, np.clip(u, -last, last), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(places.beyond[k, i], max(0.0, abs(u) - last), atol=1e-12)


@settings(deadline=None)
@given(p=layouts)
def test_places_lie_between_neighbours_of_their_own_curve_and_predictor(p: Layout) -> None:
    knots, places = p.knots, p.places
    owner = np.searchsorted(knots.start, np.arange(knots.at.size), side="right") - 1
    for k, i in zip(*np.nonzero(places.right >= 0), strict=True):
        outer = places.right[k, i]
        assert places.left[k, i] == knots.before[outer]
        assert (knots.kind[outer], owner[outer]) == (k, p.target_curve[i])
        assert knots.at[outer] * p.target[k, i] > 0
    assert np.all((places.share >= 0) & (places.share <= 1))


@pytest.mark.parametrize("seed", range(4))
def test_extended_draws_scatter_as_they_should(seed: int) -> None:
    p, size = layout(seed, predictors=1 + seed % 3), 20_000
    rng = np.random.default_rng(seed)
    tau2 = np.exp(rng.normal(size=(len(p.target), 3)))
    known = np.repeat(rng.random((1, 9)), size, axis=0), rng.normal(size=(size, 9))
    every = np.repeat(tau2[None], size, axis=0)
    before = [item.copy() for item in known]
    found = knot_layout.extended(*known, p.target, p.target_curve, p.places.beyond, every, rng)
    for item, kept in zip(known, before, strict=True):
        np.testing.assert_array_equal(item, kept)
    covariance = p.beyond(tau2)
    added = np.broadcast_to(np.diag(covariance), (size, 9))
    np.testing.assert_allclose(found[0] - known[0], added, rtol=1e-8, atol=1e-9)
    sd, way = np.sqrt(np.diag(covariance)), found[1] - known[1]
    assert np.all(np.abs(way.mean(axis=0)) <= 4.5 * sd / np.sqrt(size) + 1e-9)
    error = np.sqrt((np.outer(sd, sd) ** 2 + covariance**2) / size)
    assert np.all(np.abs(way.T @ way / size - covariance) <= 4.5 * error + 1e-9)


def test_extended_draws_follow_from_the_generator() -> None:
    p = layout(3)
    none, tau2 = np.zeros((1, 9)), np.ones((1, 2, 3))
    rest = (none, none, p.target, p.target_curve, p.places.beyond, tau2)
    one, same, other = (
        knot_layout.extended(*rest, np.random.default_rng(seed))[1] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)
