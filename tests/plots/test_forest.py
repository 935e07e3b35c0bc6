"""Forest plots."""

from __future__ import annotations

import numpy as np

from bayeslaw.plots.forest import axis_scale, interval_quantiles


def test_quantiles_are_increasing_rows() -> None:
    draws = np.arange(101.0).reshape(1, 101, 1)
    np.testing.assert_array_equal(interval_quantiles(draws), [[5, 25, 50, 75, 95]])


def test_medians_far_apart_have_a_log_scale() -> None:
    assert axis_scale(interval_quantiles(np.array([[[1.0, 100.0]]]))) == "log"
    assert axis_scale(interval_quantiles(np.array([[[1.0, 10.0]]]))) == "linear"
    assert axis_scale(interval_quantiles(np.array([[[-1.0, 100.0]]]))) == "linear"
