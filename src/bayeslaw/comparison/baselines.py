"""Baselines without a posterior: the last value of a curve, and least squares."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import predictor_names, response_values
from bayeslaw.fitting.least_squares import least_squares, predict
from bayeslaw.model.model import Model

__all__ = ["LAST_VALUE", "LEAST_SQUARES", "baselines", "last_values", "require_names"]

LAST_VALUE, LEAST_SQUARES = "last value", "least squares"


def baselines(model: Model, train: xr.Dataset, later: xr.Dataset) -> dict[str, xr.Dataset]:
    """Squared log errors of the baselines at later runs, by name of the baseline.

    Each curve is fitted by least squares with the model's law. ``squared_log_error`` (run,) is
    infinite where the prediction is not positive.
    """
    fitted = least_squares(model, train)
    predicted = {
        LAST_VALUE: last_values(train, later),
        LEAST_SQUARES: predict(model.law, fitted, later),
    }
    return {name: _errors(values, later) for name, values in predicted.items()}


def _errors(predicted: np.ndarray, later: xr.Dataset) -> xr.Dataset:
    with np.errstate(invalid="ignore", divide="ignore"):
        squared = np.log(predicted / response_values(later).values) ** 2
    values = {"squared_log_error": ("run", np.where(np.isnan(squared), np.inf, squared))}
    return xr.Dataset(values, later.coords, later.attrs)


def last_values(train: xr.Dataset, later: xr.Dataset) -> np.ndarray:
    """Geometric mean of the curve's responses at its largest scale, for each later run; (run,)."""
    curves = curves_in(train)
    train_curve, later_curve = curve_index(train, curves), curve_index(later, curves)
    scale = np.sum([np.log(train[name].values) for name in predictor_names(train)], axis=0)
    response = np.log(response_values(train).values)
    last = np.empty(curves.sizes["curve"])
    for i in range(last.size):
        own = train_curve == i
        last[i] = response[own][np.isclose(scale[own], scale[own].max())].mean()
    return np.exp(last)[later_curve]


def require_names(names: Iterable[str]) -> None:
    """Raise if a model has the name of a baseline."""
    for name in names:
        if name in (LAST_VALUE, LEAST_SQUARES):
            raise ValueError(f"{name!r} is the name of a baseline; give the model another name")
