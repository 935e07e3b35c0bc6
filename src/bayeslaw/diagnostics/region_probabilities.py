"""Posterior probabilities of regions of a parameter, such as power law or log-linear."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.fitting.result import Fit

__all__ = ["region_probabilities"]


def region_probabilities(fit: Fit) -> pd.DataFrame:
    """Posterior probabilities of the regions of a law's parameters, such as log-linear.

    Parameters
    ----------
    fit : Fit
        A fit of a law with named regions of its parameters (`Law.regions`): `laws.curvature`,
        `laws.proportional`, or one of your own.

    Returns
    -------
    pandas.DataFrame
        One row per curve, after one for the population if the fit is pooled; one column per
        region, with the posterior probability that the parameter lies in it. Regions may leave
        values out, so rows need not sum to one. If the fit did not pass its gate, a first column
        ``caveat`` says so.

    Raises
    ------
    ValueError
        If the law has no regions.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> fit = bl.fit(bl.Model(bl.laws.curvature), runs)  # doctest: +SKIP
    >>> bl.region_probabilities(fit)  # doctest: +SKIP
    """
    law = fit.model.law
    if not law.regions:
        raise ValueError(
            f"law {law.name!r} has no regions of its parameters; laws.curvature and "
            "laws.proportional have, or give your law regions={...}"
        )
    columns = {
        name: _probability(fit, parameter, bounds)
        for parameter, regions in law.regions.items()
        for name, bounds in regions.items()
    }
    probabilities = pd.DataFrame(columns)
    if not Gate.of(fit.tree).passed:
        probabilities.insert(0, "caveat", NOT_CONVERGED)
    return probabilities


def _probability(fit: Fit, parameter: str, bounds: tuple[float, float]) -> pd.Series:
    """Probability of a region by label: the population, if there is one, and each curve."""
    posterior = fit.tree["posterior"].to_dataset()
    draws = {str(curve): own for curve, own in posterior[parameter].groupby("curve")}
    if f"{parameter}_population" in posterior:
        draws = {"population": posterior[f"{parameter}_population"], **draws}
    return pd.Series({label: _share_within(own, bounds) for label, own in draws.items()})


def _share_within(draws: xr.DataArray, bounds: tuple[float, float]) -> float:
    lower, upper = bounds
    return float(((lower < draws) & (draws < upper)).mean())
