"""Residuals of the fitted runs about the law, and their split into discrepancy and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.run_arrays import response_unit
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.runs import response_values
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.response_scales import LogScale, ResponseScale

__all__ = ["residuals"]


def residuals(fit: Fit, *, draws: int = 4000, random_seed: int = 0) -> xr.Dataset:
    """Draw the residuals of the fitted runs, and their discrepancy.

    A residual is the response minus the law on the scale of the noise; for the default noise, the
    logarithm of their ratio. It is the sum of the discrepancy there and noise.

    Parameters
    ----------
    fit : Fit
        The fit.
    draws : int
        Maximum number of draws; a longer fit is thinned.
    random_seed : int
        Seed of the noise and of the discrepancy.

    Returns
    -------
    xarray.Dataset
        With dims chain, draw, run and the coordinates of the runs: ``residual``; ``discrepancy``,
        given all runs, zero in a model without one; ``replicate``, the residual of a new run of
        the same size and curve. NaN where the law's value is outside the scale of the noise.

    Raises
    ------
    ValueError
        If `draws` is below 1.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> residuals = bl.residuals(fit)  # doctest: +SKIP
    >>> bl.interval(residuals, 0.9)["discrepancy"]  # doctest: +SKIP
    """
    predictive = forecast(fit, fit.runs, draws=draws, random_seed=random_seed)
    scale, unit = fit.model.noise.scale, response_unit(fit.runs)

    def minus_law(response: xr.DataArray) -> xr.DataArray:
        law = predictive["law"]
        with np.errstate(invalid="ignore", divide="ignore"):
            difference = scale.forward(response, unit) - scale.forward(law, unit)
        is_valid = scale.holds(law) & scale.holds(response)
        return difference.where(is_valid).transpose("chain", "draw", "run")

    response = response_values(fit.runs)
    variables = {
        "residual": minus_law(response),
        "discrepancy": minus_law(predictive["mean" if fit.model.discrepancy else "law"]),
        "replicate": minus_law(predictive["new_run"]),
    }
    result = predictive.drop_vars(list(predictive.data_vars)).assign(variables)
    for name in variables:
        result[name].attrs = {"long_name": _long_name(scale, str(response.name))}
    gate = Gate.of(fit.tree)
    names = ("response", "predictors", "groups", "law")
    result.attrs = {name: predictive.attrs[name] for name in names}
    result.attrs["caveats"] = [] if gate.passed else [gate.sentence]
    return result


def _long_name(scale: ResponseScale | Any, response: str) -> str:
    if isinstance(scale, LogScale):
        return f"log of {response} over law"
    return f"{response} less law, on {scale}"
