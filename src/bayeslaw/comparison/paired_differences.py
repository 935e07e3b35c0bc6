"""Differences between models, curve by curve, and what a reader should hold against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from bayeslaw.forecasting.scores import curve_means

__all__ = [
    "crossed_error",
    "few_curves",
    "few_runs",
    "influential",
    "joined",
    "paired_differences",
    "unclear",
]

FEW_CURVES, FEW_RUNS = 16, 100  # below which a standard error is itself rough
CLEAR = 0.95  # probability of a difference on this side of zero, both sides together


def paired_differences(scored: Mapping[str, xr.Dataset], trusted: Sequence[str]) -> pd.DataFrame:
    """Differences in log score from the best model, taken curve by curve.

    Parameters
    ----------
    scored : mapping of str to xarray.Dataset
        Scores of the same runs by model, as of `bayeslaw.score`.
    trusted : sequence of str
        Models among which the best is.

    Returns
    -------
    pandas.DataFrame
        Per model ``log_score_diff``, not above zero for the trusted, and ``log_score_diff_se``,
        as of `crossed_error`; missing for a single curve, and where a score is infinite.
    """
    means = {name: curve_means(scores[["log_score"]]) for name, scores in scored.items()}
    density = {name: mean["log_score"].values for name, mean in means.items()}
    best = max(trusted, key=lambda name: density[name].mean())
    told = {}
    for name, mean in means.items():
        with np.errstate(invalid="ignore"):
            apart = density[name] - density[best]
        told[name] = {
            "log_score_diff": float(apart.mean()),
            "log_score_diff_se": crossed_error(apart, mean),
        }
    return pd.DataFrame.from_dict(told, "index")


def crossed_error(values: np.ndarray, curves: xr.Dataset) -> float:
    """Estimate the standard error of a mean over curves that share levels of groups.

    Curves of one task, or of one data set, err together. Errors that take curves as independent,
    and those that take the levels of one group as independent instead, are all worked out, and
    the largest is given: with few levels it is itself rough.

    Parameters
    ----------
    values : array (curve,)
        Values to be averaged.
    curves : xarray.Dataset
        The curves, with their groups as coordinates and in the attributes.

    Returns
    -------
    float
        Missing for a single curve, and where a value is infinite.

    Examples
    --------
    >>> from bayeslaw.data.runs import curves, grid
    >>> four = curves_in(grid(N=1e8, task=["a", "b"], dataset=["c", "d"]))
    >>> crossed_error(np.array([0.0, 0.0, 2.0, 2.0]), four)  # half as much if independent
    1.0
    """
    names = [name for name in curves.attrs["groups"] if np.unique(curves[name]).size > 1]
    levels = [np.unique(curves[name], return_inverse=True)[1] for name in names]
    with np.errstate(invalid="ignore"):
        away = values - values.mean()
        return max(_clustered(away, level) for level in [np.arange(values.size), *levels])


def _clustered(away: np.ndarray, level: np.ndarray) -> float:
    """Standard error of a mean whose residuals are independent between levels only."""
    sums = np.bincount(level, away)
    if sums.size < 2:
        return float("nan")
    return float(np.sqrt(sums.size / (sums.size - 1) * np.sum(sums**2)) / away.size)


def few_curves(count: int) -> str:
    """Say that curves are few, if they are.

    Examples
    --------
    >>> few_curves(3), few_curves(16)
    ('3 curves (fewer than 16)', '')
    """
    return f"{count} curves (fewer than {FEW_CURVES})" if count < FEW_CURVES else ""


def few_runs(count: int) -> str:
    """Say that runs are few, if they are.

    Examples
    --------
    >>> few_runs(72), few_runs(100)
    ('72 runs (fewer than 100)', '')
    """
    return f"{count} runs (fewer than {FEW_RUNS})" if count < FEW_RUNS else ""


def influential(bad: int, of: str) -> str:
    """Say that runs or curves are too influential for leave-one-out, if some are.

    Examples
    --------
    >>> influential(3, "72 runs"), influential(0, "72 runs")
    ('Pareto k too high at 3 of 72 runs', '')
    """
    return f"Pareto k too high at {bad} of {of}" if bad else ""


def unclear(difference: float, error: float, count: int) -> str:
    """Say that a difference from the best is not clear, if it is not.

    The 95% interval of the mean of so many differences, by Student's t, has to leave out zero:
    two standard errors where they are many, 3.2 where they are four.

    Parameters
    ----------
    difference : float
        Its estimate; nothing is said of one that is infinite or missing.
    error : float
        Its standard error.
    count : int
        Curves, or runs, that the error is between.

    Returns
    -------
    str

    Examples
    --------
    >>> unclear(-1.0, 0.4, 72), unclear(-1.0, 0.4, 4), unclear(-1.0, float("nan"), 1)
    ('', 'difference within error', 'difference of unknown error')
    """
    if not np.isfinite(difference):
        return ""
    if abs(difference) > stats.t.ppf((1 + CLEAR) / 2, count - 1) * error:
        return ""
    return "difference of unknown error" if np.isnan(error) else "difference within error"


def joined(*caveats: str) -> str:
    """Join what there is to say, in one cell of a table.

    Examples
    --------
    >>> joined("3 curves (fewer than 16)", "", "difference within error")
    '3 curves (fewer than 16); difference within error'
    """
    return "; ".join(caveat for caveat in caveats if caveat)
