"""Roots and first crossings of functions of a log size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw.decisions.root_finding import first_crossing, root, scan


def test_a_root_to_machine_precision() -> None:
    assert float(root(lambda x, a: x**2 - a, 0.0, 2.0, (2.0,))) == pytest.approx(2**0.5, abs=1e-12)


def test_no_root_between_ends_of_one_sign() -> None:
    assert np.isnan(root(lambda x, a: x**2 + a, 0.0, 2.0, (2.0,)))


def test_a_scan_covers_all_sizes() -> None:
    points = scan(3.0)
    assert (float(points.min()), float(points.max())) == (-227.0, 233.0)


def test_a_function_that_stays_above_zero_crosses_at_infinity() -> None:
    crossings = first_crossing(lambda u, a: np.exp(-u) + a, scan(0.0), (np.array([-0.1, 0.1]),))
    np.testing.assert_allclose(crossings, [np.log(10), np.inf])


@settings(deadline=None)
@given(st.floats(1e-6, 1e3), st.floats(0.05, 2.0), st.floats(0.1, 1e3))
def test_a_crossing_far_away(rest: float, alpha: float, k: float) -> None:
    crossings = first_crossing(
        lambda u, target: k * np.exp(-alpha * u) - target, scan(15.0), (np.array(rest),)
    )
    expected = np.log(k / rest) / alpha
    np.testing.assert_allclose(crossings, np.where(expected > 245, np.inf, expected), atol=1e-9)
