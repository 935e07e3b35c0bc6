"""How much single runs scatter, from runs close to each other."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import predictor_names, response_values
from bayeslaw.priors import LogNormal

__all__ = ["observation_noise"]

LEAST = 1.01  # factor of a distribution that has to have one
ROUNDING = 1e-12  # relative noise that is none


def observation_noise(runs: xr.Dataset) -> LogNormal:
    """Size of the relative noise of single runs, and how much it differs between curves.

    Training rows that others publish are often averaged, or the best so far, while the runs to
    come will be single ones: their noise cannot be learned from such rows, but from other curves
    of the same kind. In each curve runs of one size are compared with each other, and a run between
    two others with the line through them.

    Parameters
    ----------
    runs : xarray.Dataset
        Raw runs of a law with one predictor; curves count that have runs of one size, or a run
        between two others.

    Returns
    -------
    LogNormal
        Over curves: for `bayeslaw.forecast(..., noise=...)`. Its factor includes the error of each
        curve's own estimate.

    Raises
    ------
    ValueError
        If there is more than one predictor, or no curve with such runs and with noise.

    Notes
    -----
    The estimate of a curve is that of Gasser, Sroka and Jennen-Steinmetz (Biometrika, 1986), of
    the logarithm of the response along that of the size.

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
            f"noise is read along one predictor, and these runs have {predictor_names(runs)}"
        )
    curves = curves_in(runs)
    curve = curve_index(runs, curves)
    x = np.log(runs[predictor_names(runs)[0]].values)
    y = np.log(response_values(runs).values)
    found = [_variance(x[curve == i], y[curve == i]) for i in range(curves.sizes["curve"])]
    logs = np.array([np.log(variance) / 2 for variance in found if variance > ROUNDING**2])
    if not logs.size:
        raise ValueError(
            "no curve has runs of one size, or one between two others, that differ: give "
            "bl.Fixed(...) instead"
        )
    return LogNormal(float(np.exp(logs.mean())), float(max(np.exp(logs.std()), LEAST)))


def _variance(x: np.ndarray, y: np.ndarray) -> float:
    """Mean squares of runs about their like, per unit of noise variance; 0 if there are none."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    same = np.diff(x) == 0
    pairs = np.diff(y)[same] ** 2 / 2
    inside = ~same[:-1] & ~same[1:]
    share = (np.diff(x)[:-1][inside]) / (x[2:] - x[:-2])[inside]
    away = (1 - share) * y[:-2][inside] + share * y[2:][inside] - y[1:-1][inside]
    squares = np.append(pairs, away**2 / ((1 - share) ** 2 + share**2 + 1))
    return float(squares.mean()) if squares.size else 0.0
