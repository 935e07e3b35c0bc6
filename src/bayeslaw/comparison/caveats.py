"""Caveats of a comparison, in the words of its tables; empty where there is nothing to say."""

from __future__ import annotations

import numpy as np
from scipy import stats

__all__ = ["few_curves", "few_runs", "influential", "joined", "unclear"]

FEW_CURVES, FEW_RUNS = 16, 100  # below which a standard error is itself rough
CONFIDENCE = 0.95  # of the two-sided interval of a difference


def few_curves(count: int) -> str:
    """Say that there are few curves."""
    return f"{count} curves (fewer than {FEW_CURVES})" if count < FEW_CURVES else ""


def few_runs(count: int) -> str:
    """Say that there are few runs."""
    return f"{count} runs (fewer than {FEW_RUNS})" if count < FEW_RUNS else ""


def influential(count: int, total: str) -> str:
    """Say that some runs or curves are too influential for leave-one-out."""
    return f"Pareto k too high at {count} of {total}" if count else ""


def unclear(difference: float, error: float, count: int) -> str:
    """Say that a mean difference of so many pairs is not clear: its 95% t interval includes zero.

    Nothing is said of a difference that is infinite or missing.
    """
    if not np.isfinite(difference):
        return ""
    if abs(difference) > stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * error:
        return ""
    return "difference of unknown error" if np.isnan(error) else "difference within error"


def joined(*caveats: str) -> str:
    """All caveats in one cell of a table."""
    return "; ".join(caveat for caveat in caveats if caveat)
