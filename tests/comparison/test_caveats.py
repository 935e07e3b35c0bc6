"""Caveats in the words of the tables."""

from __future__ import annotations

import numpy as np
import pytest

from bayeslaw.comparison.caveats import few_curves, few_runs, influential, joined, unclear


@pytest.mark.parametrize(
    ("caveat", "expected"),
    [
        (few_curves(15), "15 curves (fewer than 16)"),
        (few_curves(16), ""),
        (few_runs(99), "99 runs (fewer than 100)"),
        (few_runs(100), ""),
        (influential(1, "12 curves"), "Pareto k too high at 1 of 12 curves"),
        (influential(0, "12 curves"), ""),
        (unclear(-1.0, 0.51, 1000), "difference within error"),
        (unclear(1.0, 0.5, 1000), ""),
        (unclear(-1.0, 0.32, 4), "difference within error"),
        (unclear(-1.0, 0.31, 4), ""),
        (unclear(-1.0, np.nan, 1), "difference of unknown error"),
        (unclear(-np.inf, np.nan, 3), ""),
        (unclear(np.nan, np.nan, 3), ""),
        (unclear(-1.0, 0.4, 72), ""),
        (unclear(-1.0, 0.4, 4), "difference within error"),
        (joined(), ""),
        (joined("", "one", "two"), "one; two"),
    ],
)
def test_caveats(caveat: str, expected: str) -> None:
    assert caveat == expected
