"""Range of the predictors, overall and by curve."""

from __future__ import annotations

from bayeslaw.data.runs import grid
from bayeslaw.forecasting.observed_range import observed_range, observed_range_by_curve


def test_overall() -> None:
    assert observed_range(grid(N=[1.0, 10.0], D=3.0)) == {"N": (1.0, 10.0), "D": (3.0, 3.0)}


def test_by_curve() -> None:
    runs = grid(N=[1.0, 10.0], task=["c4", "books"]).isel(run=slice(3))
    expected = {"c4": {"N": (1.0, 10.0)}, "books": {"N": (1.0, 1.0)}}
    assert observed_range_by_curve(runs) == expected
