"""Amounts that are asked for, and draws of the answer with their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import group_names, predictor_names
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.curve_lookup import with_groups
from bayeslaw.forecasting.forecast import law_caveats

__all__ = ["amounts", "labelled"]

type Told = Mapping[str, tuple[np.ndarray, str]]  # values and what they are


def amounts(name: str, values: float | Sequence[float] | np.ndarray) -> np.ndarray:
    """Positive numbers as an array of one dimension.

    Parameters
    ----------
    name : str
        What they are, for the error.
    values : number or sequence of numbers
        The numbers.

    Returns
    -------
    array

    Raises
    ------
    ValueError
        If there is none, or one is not a positive number.

    Examples
    --------
    >>> amounts("budget", 1e21)
    array([1.e+21])
    """
    found = np.atleast_1d(np.asarray(values, dtype=float))
    wrong = found[~(np.isfinite(found) & (found > 0))]
    if found.ndim != 1 or not found.size or wrong.size:
        got = wrong[0] if wrong.size else values
        raise ValueError(f"{name} takes a positive number or a list of them, got {got}")
    return found


def labelled(fit: Fit, rows: xr.Dataset, asked: xr.Variable, drawn: Told, told: Told) -> xr.Dataset:
    """Draws and probabilities for each row and each amount that was asked for.

    Parameters
    ----------
    fit : Fit
        The fit.
    rows : xarray.Dataset
        As of `bayeslaw.forecasting.curve_lookup.prediction_grid`; they become entries of dim curve.
    asked : xarray.Variable
        Amounts, on a dim of their own.
    drawn : mapping of str to (array, str)
        Values (chain, draw, row, amount) and what they are.
    told : mapping of str to (array, str)
        Values (chain, draw, row, amount), true or false, whose probability is told.

    Returns
    -------
    xarray.Dataset
    """
    dims: tuple[Any, ...] = ("chain", "draw", "curve", *asked.dims)
    shares = {name: (values.mean(axis=(0, 1)), about) for name, (values, about) in told.items()}
    variables = {
        name: (dims[4 - values.ndim :], values, {"long_name": about})
        for name, (values, about) in {**drawn, **shares}.items()
    }
    coords = {**_labels(fit, rows), str(asked.dims[0]): asked}
    attrs = {"response": fit.runs.attrs["response"], "law": fit.model.law.name}
    return xr.Dataset(variables, coords, attrs | {"caveats": law_caveats(fit)})


def _labels(fit: Fit, rows: xr.Dataset) -> dict[str, xr.Variable]:
    """The curve's label, its groups and what is held."""
    grouped = with_groups(fit, rows)
    known = curves_in(grouped)
    label = known["curve"].values[curve_index(grouped, known)]
    names = [*group_names(fit.runs), *predictor_names(rows)]
    columns = {"curve": label} | {name: rows[name].values for name in names}
    return {name: xr.Variable("curve", values) for name, values in columns.items()}
