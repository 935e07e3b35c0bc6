"""Observation noise of single runs, from differences between neighbouring runs."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import predictor_names, response_values
from bayeslaw.priors import LogNormal

__all__ = ["observation_noise"]

MIN_FACTOR = 1.01  # of the log-normal, which needs a spread
ROUNDING = 1e-12  # relative noise that is only rounding


def observation_noise(runs: xr.Dataset) -> LogNormal:
    """Estimate the relative noise of single runs, and how much it varies between curves.

    Published training data are often averages, or the best run so far, whereas the runs to
    forecast are single ones. Their noise cannot be estimated from such data, but it can from raw
    runs of other, similar curves. Within each curve, runs of one size are compared with each
    other, and a run between two others with the line through them.

    Parameters
    ----------
    runs : xarray.Dataset
        Raw runs of a law with one predictor. Only curves with runs of one size, or with a run
        between two others, count.

    Returns
    -------
    LogNormal
        Distribution over curves, for `bayeslaw.forecast(..., noise=...)`. Its factor includes the
        estimation error of each curve.

    Raises
    ------
    ValueError
        If there is more than one predictor, or no curve with such runs and with noise.

    Notes
    -----
    The estimator of a curve is that of Gasser, Sroka and Jennen-Steinmetz (Biometrika, 1986),
    applied to the logarithm of the response as a function of the logarithm of the size.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> runs = bl.datasets.load("learners")
    >>> noise = bl.observation_noise(runs)
    >>> bool(0.1 < noise.median < 0.2)
    True
    """
    if len(predictor_names(runs)) != 1:
        raise ValueError(
            f"noise is estimated along one predictor, and these runs have {predictor_names(runs)}"
        )
    curves = curves_in(runs)
    curve = curve_index(runs, curves)
    x = np.log(runs[predictor_names(runs)[0]].values)
    y = np.log(response_values(runs).values)
    variances = [_variance(x[curve == i], y[curve == i]) for i in range(curves.sizes["curve"])]
    logs = np.array([np.log(variance) / 2 for variance in variances if variance > ROUNDING**2])
    if not logs.size:
        raise ValueError(
            "no curve has runs of one size, or one between two others, that differ: give "
            "bl.Fixed(...) instead"
        )
    return LogNormal(float(np.exp(logs.mean())), float(max(np.exp(logs.std()), MIN_FACTOR)))


def _variance(x: np.ndarray, y: np.ndarray) -> float:
    """Difference-based estimate of the noise variance of one curve; 0 if no runs are neighbours."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    is_tie = np.diff(x) == 0
    from_ties = np.diff(y)[is_tie] ** 2 / 2
    inside = ~is_tie[:-1] & ~is_tie[1:]
    weight = (np.diff(x)[:-1][inside]) / (x[2:] - x[:-2])[inside]
    residual = (1 - weight) * y[:-2][inside] + weight * y[2:][inside] - y[1:-1][inside]
    squares = np.append(from_ties, residual**2 / ((1 - weight) ** 2 + weight**2 + 1))
    return float(squares.mean()) if squares.size else 0.0
