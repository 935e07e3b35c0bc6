"""Tables of a contrast: probabilities and multipliers by size, and crossings."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._arguments import PROBABILITY

__all__ = ["contrast_table", "crossing_table"]


def contrast_table(contrast: xr.Dataset, prob: float = 0.9) -> pd.DataFrame:
    """Tabulate a contrast by pair and size; see `crossing_table` for crossings.

    Parameters
    ----------
    contrast : xarray.Dataset
        As of `bayeslaw.contrast`.
    prob : float
        Probability inside the equal-tailed bands, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``pair`` and the predictor: ``better`` and ``better_run``, the probabilities
        that the curve of the first level, and a new run on it, is better than the second's;
        ``multiplier`` (median) with ``_lower`` and ``_upper``.

    Raises
    ------
    ValueError
        If `prob` is not between 0 and 1.

    Examples
    --------
    >>> bl.contrast_table(bl.contrast(fit, "architecture"), 0.5)  # doctest: +SKIP
    """
    probability = contrast["probability"]
    columns = {
        "better": probability.sel(of="mean", drop=True),
        "better_run": probability.sel(of="new_run", drop=True),
        **_band("multiplier", contrast["multiplier"], prob),
    }
    return _table(columns, ["pair", contrast.attrs["along"]])


def crossing_table(contrast: xr.Dataset, prob: float = 0.9) -> pd.DataFrame:
    """Tabulate by pair where the lead changes.

    Parameters
    ----------
    contrast : xarray.Dataset
        As of `bayeslaw.contrast`.
    prob : float
        Probability inside the equal-tailed bands, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``pair``: ``crosses``, the probability of a crossing; ``overtakes``, that of a
        crossing beyond which the first level is ahead; ``crossing`` (median) with ``_lower`` and
        ``_upper``, given that there is one, in the units of the predictor.

    Raises
    ------
    ValueError
        If `prob` is not between 0 and 1.

    Examples
    --------
    >>> bl.crossing_table(bl.contrast(fit, "architecture"), 0.5)  # doctest: +SKIP
    """
    columns = {
        "crosses": contrast["crosses"],
        "overtakes": contrast["overtakes"],
        **_band("crossing", contrast["crossing"], prob),
    }
    return _table(columns, ["pair"])


def _table(columns: dict[str, xr.DataArray], dims: list[str]) -> pd.DataFrame:
    return xr.Dataset(columns).to_dataframe(dims).filter(items=list(columns))


def _band(name: str, draws: xr.DataArray, prob: float) -> dict[str, xr.DataArray]:
    """Median and ends of the band of draws that are not NaN; they may be infinite."""
    prob = PROBABILITY.check("prob", prob)
    ends = {name: 0.5, f"{name}_lower": (1 - prob) / 2, f"{name}_upper": (1 + prob) / 2}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return {
            key: draws.reduce(np.nanquantile, ("chain", "draw"), q=level, method="nearest")
            for key, level in ends.items()
        }
