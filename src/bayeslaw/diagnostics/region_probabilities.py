"""What a parameter's value means, as posterior probabilities."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.fitting.fit import Fit

__all__ = ["region_probabilities"]


def region_probabilities(fit: Fit) -> pd.DataFrame:
    """The probabilities of what a law's parameters tell, such as power law or log-linear.

    Parameters
    ----------
    fit : Fit
        A fit of a law that says what its parameters mean (`Law.regions`): `laws.curvature`,
        `laws.proportional`, or one of your own.

    Returns
    -------
    pandas.DataFrame
        One row per curve and, for a pooled fit, one for the population; one column per verdict,
        with the posterior probability that the parameter lies in its region. Regions may leave
        values out, so rows need not sum to one. A fit that did not pass its gate says so first.

    Raises
    ------
    ValueError
        If the law has no parameter whose value is a verdict.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> fit = bl.fit(bl.Model(bl.laws.curvature), runs)  # doctest: +SKIP
    >>> bl.region_probabilities(fit)  # doctest: +SKIP
    """
    law = fit.model.law
    if not law.regions:
        raise ValueError(
            f"law {law.name!r} has no parameter whose value is a verdict; "
            "laws.curvature and laws.proportional have, or give your law regions={...}"
        )
    columns = {
        name: _probability(fit, parameter, bounds)
        for parameter, regions in law.regions.items()
        for name, bounds in regions.items()
    }
    told = pd.DataFrame(columns)
    if not Gate.of(fit.tree).passed:
        told.insert(0, "caveat", NOT_CONVERGED)
    return told


def _probability(fit: Fit, parameter: str, bounds: tuple[float, float]) -> pd.Series:
    posterior = fit.tree["posterior"].to_dataset()
    told = {str(curve): draws for curve, draws in posterior[parameter].groupby("curve")}
    if f"{parameter}_population" in posterior:
        told = {"population": posterior[f"{parameter}_population"], **told}
    return pd.Series({where: _inside(draws, bounds) for where, draws in told.items()})


def _inside(draws: xr.DataArray, bounds: tuple[float, float]) -> float:
    lower, upper = bounds
    return float(((lower < draws) & (draws < upper)).mean())
