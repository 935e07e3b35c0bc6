"""Paired differences in log score, curve by curve, with cluster-robust standard errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw.forecasting.scores import curve_means

__all__ = ["clustered_standard_error", "paired_differences"]


def paired_differences(scored: Mapping[str, xr.Dataset], candidates: Sequence[str]) -> pd.DataFrame:
    """Differences in log score from the best of the candidates, paired by curve.

    Per model ``log_score_diff`` and ``log_score_diff_se``; the error is missing for a single
    curve, and where a score is infinite. Scores are of the same runs, as of `bayeslaw.score`.
    """
    means = {name: curve_means(scores[["log_score"]]) for name, scores in scored.items()}
    density = {name: mean["log_score"].values for name, mean in means.items()}
    best = max(candidates, key=lambda name: density[name].mean())
    rows = {}
    for name, mean in means.items():
        with np.errstate(invalid="ignore"):
            difference = density[name] - density[best]
        rows[name] = {
            "log_score_diff": float(difference.mean()),
            "log_score_diff_se": clustered_standard_error(difference, mean),
        }
    return pd.DataFrame.from_dict(rows, "index")


def clustered_standard_error(values: np.ndarray, curves: xr.Dataset) -> float:
    """Standard error of the mean of values (curve,) over curves that share levels of groups.

    Curves of one task, or of one data set, err together. This is the largest of the error with
    independent curves and those clustered by one group each; with few levels it is itself rough.
    NaN for a single curve, and where a value is infinite.
    """
    names = [name for name in curves.attrs["groups"] if np.unique(curves[name]).size > 1]
    levels = [np.unique(curves[name], return_inverse=True)[1] for name in names]
    with np.errstate(invalid="ignore"):
        residuals = values - values.mean()
        return max(_clustered(residuals, level) for level in [np.arange(values.size), *levels])


def _clustered(residuals: np.ndarray, level: np.ndarray) -> float:
    """Standard error of a mean whose residuals are independent between levels only."""
    sums = np.bincount(level, residuals)
    if sums.size < 2:
        return float("nan")
    return float(np.sqrt(sums.size / (sums.size - 1) * np.sum(sums**2)) / residuals.size)
