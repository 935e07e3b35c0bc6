"""Credible intervals of posterior draws."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayeslaw._arguments import PROBABILITY

__all__ = ["interval"]


def interval(forecast: xr.Dataset, prob: float = 0.9) -> xr.Dataset:
    """Credible bands of what was drawn: a forecast, a plan, a requirement.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws on dims chain and draw; they may be infinite.
    prob : float
        Probability inside the equal-tailed band, between 0 and 1.

    Returns
    -------
    xarray.Dataset
        The same variables over ``bound`` = lower, median, upper.

    Raises
    ------
    ValueError
        If `prob` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> draws = xr.Dataset({"mean": (("chain", "draw"), np.arange(101.0)[None])})
    >>> interval(draws, 0.9)["mean"].values
    array([ 5., 50., 95.])
    """
    prob = PROBABILITY.check("prob", prob)
    levels = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    drawn = forecast[[name for name in forecast if "draw" in forecast[name].dims]]
    drawn = xr.apply_ufunc(
        _sorted, drawn, input_core_dims=[["chain", "draw"]], output_core_dims=[["sample"]],
        keep_attrs=True,
    )  # fmt: skip
    settings = {"dim": "sample", "keep_attrs": True, "skipna": False}
    with np.errstate(invalid="ignore"):  # draws may be infinite, where nothing lies in between
        bands = drawn.quantile(levels, **settings)
        if any(values.isnull().any() for values in bands.values()):
            bands = bands.fillna(drawn.quantile(levels, method="lower", **settings))
    bands = bands.rename(quantile="bound").assign_coords(bound=["lower", "median", "upper"])
    return bands.assign_attrs(forecast.attrs, prob=prob)


def _sorted(draws: np.ndarray) -> np.ndarray:
    """Draws (..., chain, draw) in order, (..., sample); quantiles of them take half the time."""
    return np.sort(draws.reshape(*draws.shape[:-2], -1), axis=-1)
