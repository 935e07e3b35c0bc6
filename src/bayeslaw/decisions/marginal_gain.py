"""Marginal gain of a predictor, and the size at which it saturates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw.data.runs import reference_sizes
from bayeslaw.decisions.autodiff import log_slope
from bayeslaw.decisions.law_slice import LawSlice, slice_along
from bayeslaw.decisions.results import positive_array, result_dataset
from bayeslaw.decisions.root_finding import first_crossing, scan
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.caveats import law_caveats
from bayeslaw.forecasting.curve_lookup import (
    At,
    parameters_at,
    prediction_grid,
    require_columns,
)

__all__ = ["marginal_gain", "saturation"]

DIMS = ("chain", "draw", "run", "predictor")


def marginal_gain(
    fit: Fit, at: xr.Dataset, *, draw_new: Sequence[str] = (), random_seed: int = 0
) -> xr.Dataset:
    """Posterior draws of the marginal gain of each predictor at given sizes.

    Parameters
    ----------
    fit : Fit
        The fit.
    at : xarray.Dataset
        Sizes: a `bayeslaw.grid` of all predictors, or runs; for all curves of the fit unless the
        grid names groups.
    draw_new : sequence of str, optional
        Groups whose unseen levels are drawn from the population.
    random_seed : int
        Seed of the draws from the population.

    Returns
    -------
    xarray.Dataset
        With dims chain, draw, run, predictor: ``slope``, the exact derivative of the curve with
        respect to the logarithm of the predictor (the response's units per e-fold), and
        ``doubling``, the change of the curve when the predictor doubles. Negative where the
        response falls.

    Raises
    ------
    ValueError
        If the grid lacks a predictor or group of the fit.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> gain = bl.marginal_gain(fit, bl.grid(N=1e10, D=[1e11, 1e12]))  # doctest: +SKIP
    >>> bl.interval(gain)["doubling"].sel(predictor="D")  # doctest: +SKIP
    """
    rows = prediction_grid(fit, at)
    require_columns([fit], rows)
    law, parameters = fit.model.law, parameters_at(fit, rows, draw_new, random_seed)
    arguments = (None, *(parameters[name] for name in law.parameters))
    response = partial(LawSlice(law, law.predictors, ()).response, arguments=arguments)
    sizes = {name: rows[name].values for name in law.predictors}
    level = response(sizes)
    slope = [log_slope(response, name, sizes) for name in sizes]
    doubling = [response({**sizes, name: 2 * size}) - level for name, size in sizes.items()]
    name = fit.runs.attrs["response"]
    points = rows[list(sizes)].set_coords(list(sizes)).assign_coords(predictor=list(sizes))
    return points.assign(
        slope=(DIMS, _stacked(slope, level), {"long_name": f"change of {name} per e-fold"}),
        doubling=(
            DIMS,
            _stacked(doubling, level),
            {"long_name": f"change of {name} per doubling"},
        ),
    ).assign_attrs(response=name, law=law.name, caveats=law_caveats(fit))


def _stacked(changes: list[np.ndarray], like: np.ndarray) -> np.ndarray:
    return np.stack([np.broadcast_to(change, like.shape) for change in changes], axis=-1)


def saturation(
    fit: Fit,
    threshold: float | Sequence[float] | np.ndarray,
    *,
    along: str | None = None,
    at: At = None,
    draw_new: Sequence[str] = (),
    random_seed: int = 0,
) -> xr.Dataset:
    """Posterior draws of the size beyond which a doubling gains less than a threshold.

    Parameters
    ----------
    fit : Fit
        The fit.
    threshold : float or sequence of float
        Gain of the curve per doubling, in the response's units.
    along : str, optional
        The predictor that is doubled, all others held constant; by default the one that is not
        held.
    at : mapping, optional
        Which curves, all of the fit unless given, and the other predictors: what `bayeslaw.grid`
        takes, such as ``{"task": "c4", "D": 1e12}``, or such a grid.
    draw_new : sequence of str, optional
        Groups whose unseen levels are drawn from the population.
    random_seed : int
        Seed of the draws from the population.

    Returns
    -------
    xarray.Dataset
        The predictor, with dims chain, draw, curve, threshold: zero where no doubling gains that
        much, infinite where all do. `bayeslaw.interval` gives bands.

    Raises
    ------
    ValueError
        If a predictor is neither `along` nor held.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> enough = bl.saturation(fit, 0.01, along="N", at={"D": 1e12})  # doctest: +SKIP
    >>> bl.interval(enough)["N"]  # doctest: +SKIP
    """
    rows, thresholds = prediction_grid(fit, at), positive_array("threshold", threshold)
    law_slice = slice_along(fit.model.law, along, rows)
    [doubled] = law_slice.free
    parameters = parameters_at(fit, rows, draw_new, random_seed)
    arguments = law_slice.arguments(thresholds, rows, parameters)
    # Scan downwards: a curve may start with a plateau, where doublings gain nothing yet.
    points = scan(np.log(reference_sizes(fit.runs)[doubled]))[::-1]
    size = np.exp(first_crossing(partial(_shortfall, law_slice), points, arguments))
    label = f"{doubled} beyond which a doubling gains less than the threshold"
    amounts = xr.Variable("threshold", thresholds, {"long_name": fit.runs.attrs["response"]})
    return result_dataset(fit, rows, amounts, {doubled: (size, label)}, {})


def _shortfall(law_slice: LawSlice, log_size: Any, *arguments: Any) -> Any:
    """How far the gain of a doubling is below the threshold."""
    [doubled] = law_slice.free
    sizes = ({doubled: factor * np.exp(log_size)} for factor in (1, 2))
    before, after = (
        law_slice.response(law_slice.sizes(size, arguments), arguments) for size in sizes
    )
    return arguments[0] - law_slice.decrease_sign * (before - after)
