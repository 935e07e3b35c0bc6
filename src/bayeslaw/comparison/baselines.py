"""What needs no law or no posterior: predictions that every model is shown beside."""

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
    """Score the last value of a curve, and its least-squares fit, on later runs.

    Parameters
    ----------
    model : Model
        The model whose law is fitted by least squares, curve by curve.
    train : xarray.Dataset
        Runs that are known.
    later : xarray.Dataset
        Runs of the same curves, with their response.

    Returns
    -------
    dict of str to xarray.Dataset
        Under ``last value`` and ``least squares``: ``squared_log_error`` on dim run, infinite
        where the prediction is not positive, with the coordinates and attributes of the later
        runs.

    Raises
    ------
    RunsError
        If a later run is of a curve without known runs.
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
    """Geometric mean of each curve's responses at its largest scale, for each later run.

    Parameters
    ----------
    train : xarray.Dataset
        Runs that are known.
    later : xarray.Dataset
        Runs of the same curves, with or without a response.

    Returns
    -------
    array (run,)

    Examples
    --------
    >>> import pandas as pd
    >>> known = pd.DataFrame({"N": [1e6, 1e7, 1e7], "loss": [4.0, 2.0, 8.0]})
    >>> train = read_runs(known, predictors=["N"])
    >>> last_values(train, grid(N=[1e8, 1e9])).round(6).tolist()
    [4.0, 4.0]
    """
    curves = curves_in(train)
    of_train, of_later = curve_index(train, curves), curve_index(later, curves)
    scale = np.sum([np.log(train[name].values) for name in predictor_names(train)], axis=0)
    response = np.log(response_values(train).values)
    last = np.empty(curves.sizes["curve"])
    for i in range(last.size):
        own = of_train == i
        last[i] = response[own][np.isclose(scale[own], scale[own].max())].mean()
    return np.exp(last)[of_later]


def require_names(names: Iterable[str]) -> None:
    """Raise unless models can be told from the baselines.

    Parameters
    ----------
    names : iterable of str
        Names of models.

    Raises
    ------
    ValueError
        If one is the name of a baseline.

    Examples
    --------
    >>> require_names(["power", "log-linear"])
    """
    for name in names:
        if name in (LAST_VALUE, LEAST_SQUARES):
            raise ValueError(f"{name!r} is what a baseline is called; give the model another name")
