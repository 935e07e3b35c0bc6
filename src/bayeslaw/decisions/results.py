"""Labelled posterior draws of a decision, and checks of the amounts it is made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._arguments import POSITIVE, shown
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import group_names, predictor_names
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.caveats import law_caveats
from bayeslaw.forecasting.curve_lookup import with_groups

__all__ = ["positive_array", "result_dataset"]

type Variables = Mapping[str, tuple[np.ndarray, str]]  # values and their long name


def positive_array(name: str, values: float | Sequence[float] | np.ndarray) -> np.ndarray:
    """Positive numbers as an array of one dimension; `name` is for the error message."""
    items = np.atleast_1d(np.asarray(values, dtype=object))
    if items.ndim != 1 or not items.size:
        raise ValueError(f"{name} takes a positive number or a list of them, got {shown(values)}")
    return np.array([POSITIVE.check(name, item) for item in items.tolist()])


def result_dataset(
    fit: Fit, rows: xr.Dataset, amounts: xr.Variable, draws: Variables, events: Variables
) -> xr.Dataset:
    """Draws, and probabilities of events, for each row of held values and each amount.

    Draws and events are (chain, draw, row, amount); events are true or false. The amounts have a
    dimension of their own.
    """
    dims: tuple[Any, ...] = ("chain", "draw", "curve", *amounts.dims)
    probabilities = {
        name: (values.mean(axis=(0, 1)), label) for name, (values, label) in events.items()
    }
    variables = {
        name: (dims[4 - values.ndim :], values, {"long_name": label})
        for name, (values, label) in {**draws, **probabilities}.items()
    }
    coords = {**_labels(fit, rows), str(amounts.dims[0]): amounts}
    attrs = {"response": fit.runs.attrs["response"], "law": fit.model.law.name}
    return xr.Dataset(variables, coords, attrs | {"caveats": law_caveats(fit)})


def _labels(fit: Fit, rows: xr.Dataset) -> dict[str, xr.Variable]:
    """The curve's label, its groups and the held values, row by row."""
    grouped = with_groups(fit, rows)
    curves = curves_in(grouped)
    label = curves["curve"].values[curve_index(grouped, curves)]
    names = [*group_names(fit.runs), *predictor_names(rows)]
    columns = {"curve": label} | {name: rows[name].values for name in names}
    return {name: xr.Variable("curve", values) for name, values in columns.items()}
