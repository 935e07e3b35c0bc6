"""Forecasts and plans as sections."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw.report.forecast import plan_sections


def test_law_without_an_optimum_says_so(known_fit: Callable[..., bl.Fit]) -> None:
    rng = np.random.default_rng(1)
    known = {"E": 1.0, "A": 400.0, "alpha": 0.4, "beta": 0.1}
    drawn = {n: v * np.exp(0.01 * rng.standard_normal((2, 20, 1))) for n, v in known.items()}
    rows = [{"N": N, "D": D, "loss": 2.0} for N in (1e6, 1e7) for D in (1e8, 1e9)]
    runs = bl.read_runs(pd.DataFrame(rows), predictors=["N", "D"])
    fit = known_fit(bl.laws.multiplicative, drawn, runs)
    [section] = plan_sections(fit, None)
    [block] = section.blocks
    assert block.text.startswith("There is no plan: ")  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="no compute-optimal point in any draw"):
        plan_sections(fit, [1e20])


def test_law_of_one_size_has_no_plan(lone_fit: bl.Fit) -> None:
    assert plan_sections(lone_fit, None) == []
