"""What is left of observed runs when the law is taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.run_arrays import response_unit
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.runs import response_values
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.response_scales import LogScale, ResponseScale

__all__ = ["residuals"]


def residuals(fit: Fit, *, draws: int = 4000, random_seed: int = 0) -> xr.Dataset:
    """Posterior draws of the residuals of the fitted runs, and of what they are made of.

    A residual is the response less the law on the scale of the noise: of the default noise, the
    logarithm of their ratio. It is what the law gets wrong there, and noise.

    Parameters
    ----------
    fit : Fit
        The fit.
    draws : int
        How many draws to make at most; of a longer fit every second, third or so is taken.
    random_seed : int
        Seed of the noise and of what the law gets wrong.

    Returns
    -------
    xarray.Dataset
        With dims chain, draw, run and the coordinates of the runs: ``residual``; ``discrepancy``,
        what the law gets wrong there given all runs, zero in a model without; ``replicate``, the
        residual of a new run at the same place. A value of the law that the scale of the noise
        cannot hold gives NaN.

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
    seen = forecast(fit, fit.runs, draws=draws, random_seed=random_seed)
    scale, unit = fit.model.noise.scale, response_unit(fit.runs)

    def less_law(response: xr.DataArray) -> xr.DataArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            value, law = (scale.forward(each, unit) for each in (response, seen["law"]))
        held = scale.holds(seen["law"]) & scale.holds(response)
        return (value - law).where(held).transpose("chain", "draw", "run")

    response = response_values(fit.runs)
    told = {
        "residual": less_law(response),
        "discrepancy": less_law(seen["mean"] if fit.model.discrepancy else seen["law"]),
        "replicate": less_law(seen["new_run"]),
    }
    made = seen.drop_vars(list(seen.data_vars)).assign(told)
    for name in told:
        made[name].attrs = {"long_name": _long_name(scale, str(response.name))}
    gate = Gate.of(fit.tree)
    kept = {name: seen.attrs[name] for name in ("response", "predictors", "groups", "law")}
    made.attrs = kept | {"caveats": [] if gate.passed else [gate.sentence]}
    return made


def _long_name(scale: ResponseScale | Any, response: str) -> str:
    if isinstance(scale, LogScale):
        return f"log of {response} over law"
    return f"{response} less law, on {scale}"
