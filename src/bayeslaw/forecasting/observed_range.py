"""Range of the predictors in the data, overall and by curve: beyond it a forecast extrapolates."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import predictor_names

__all__ = ["observed_range", "observed_range_by_curve"]


def observed_range(runs: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of each predictor."""
    return {
        name: (float(runs[name].min()), float(runs[name].max())) for name in predictor_names(runs)
    }


def observed_range_by_curve(runs: xr.Dataset) -> dict[str, dict[str, tuple[float, float]]]:
    """Smallest and largest value of each predictor, by the label of the curve."""
    curves = curves_in(runs)
    index, count = curve_index(runs, curves), curves.sizes["curve"]
    ranges: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in predictor_names(runs):
        ranges[name] = np.full(count, np.inf), np.zeros(count)
        np.minimum.at(ranges[name][0], index, runs[name].values)
        np.maximum.at(ranges[name][1], index, runs[name].values)
    return {
        str(label): {name: (float(low[i]), float(high[i])) for name, (low, high) in ranges.items()}
        for i, label in enumerate(curves["curve"].values)
    }
