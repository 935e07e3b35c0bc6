"""How large a run must be to reach a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw.data.runs import reference_sizes
from bayeslaw.decisions.allocation import (
    Allocation,
    Cost,
    allocation_of,
    optimum,
    places_of_cost,
    require_optimum,
    scale_of_target,
)
from bayeslaw.decisions.law_slice import Known, LawSlice, law_slice
from bayeslaw.decisions.results import amounts, labelled
from bayeslaw.decisions.root_finding import REACH, first_crossing, scan
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.curve_lookup import At, parameters_at, prediction_grid

__all__ = ["requirement"]


def requirement(
    fit: Fit,
    target: float | Sequence[float] | np.ndarray,
    *,
    along: str | Cost | None = None,
    at: At = None,
    largest: float = float("inf"),
    draw_new: Sequence[str] = (),
    random_seed: int = 0,
) -> xr.Dataset:
    """Posterior draws of the size, or of the budget, at which the curve reaches a target.

    The smallest size at which the response is as low as the target, or as high for a predictor
    with which it rises. Where growth makes it worse (time, or accuracy along the loss) it is the
    largest size that still keeps the target.

    Parameters
    ----------
    fit : Fit
        The fit.
    target : float or sequence of float
        Responses to reach, in the response's units.
    along : str or callable, optional
        What grows: a predictor, all others being held; or a cost, such as
        `bayeslaw.training_flops`, spent as `bayeslaw.plan` says. By default the one predictor
        that is not held.
    at : mapping, optional
        Which curves, all of the fit unless given, and what is held: what `bayeslaw.grid` takes,
        such as ``{"task": "c4", "T": [1e11, 1e12]}``, or such a grid. What a cost alone takes
        may be zero.
    largest : float
        Largest size or budget that could be had, in its units.
    draw_new : sequence of str, optional
        Groups whose levels that the fit has not seen are drawn from the population.
    random_seed : int
        Seed of what is drawn from the population.

    Returns
    -------
    xarray.Dataset
        With dims chain, draw, curve, target: the predictor, or for a cost ``budget`` and both
        predictors there; infinite where the target is out of reach, zero where any size reaches
        it, NaN where no split of a budget is best; where growth makes the response worse, zero
        where no size keeps the target, infinite where any does. With dims curve, target:
        ``probability`` that the target is reached at all, by `largest` if it is given.
        `bayeslaw.interval` gives bands.

    Raises
    ------
    ValueError
        If `along` does not leave one predictor or a cost to solve for.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> need = bl.requirement(fit, 2.0, along="N", at={"D": 1e12})  # doctest: +SKIP
    >>> bl.interval(need, 0.9)["N"], need["probability"]  # doctest: +SKIP
    >>> bl.requirement(fit, [2.1, 2.0], along=bl.training_flops, largest=1e25)  # doctest: +SKIP
    """
    rows = places_of_cost(fit, along, at) if callable(along) else prediction_grid(fit, at)
    targets = amounts("target", target)
    parameters = parameters_at(fit, rows, draw_new, random_seed)
    if callable(along):
        trade, worsens = allocation_of(fit, along, rows), False
        found = _budgets(trade, trade.plane.known(targets, rows, parameters))
    else:
        line = law_slice(fit.model.law, along, rows)
        worsens = line.falls != line.sense
        points = scan(np.log(reference_sizes(fit.runs)[line.free[0]]))
        found = _sizes(line, points, line.known(targets, rows, parameters))
    grown, response = next(iter(found)), fit.runs.attrs["response"]
    drawn = {name: (values, f"{name} at the target") for name, values in found.items()}
    sizes = found[grown]
    reached = sizes > 0 if worsens else np.isfinite(sizes) & (sizes <= largest)
    told = {"probability": (reached, f"probability that {grown} up to {largest:g} is enough")}
    asked = xr.Variable("target", targets, {"long_name": response})
    return labelled(fit, rows, asked, drawn, told).assign_attrs(largest=largest)


def _sizes(line: LawSlice, points: np.ndarray, known: Known) -> dict[str, np.ndarray]:
    [along] = line.free

    def short(log_size: Any, *known: Any) -> Any:
        response = line.response(line.sizes({along: np.exp(log_size)}, known), known)
        return line.falls * (response - known[0])

    return {along: np.exp(first_crossing(short, points, known))}


def _budgets(trade: Allocation, known: Known) -> dict[str, np.ndarray]:
    """The budget and the two predictors where the cheapest run reaches the target."""
    ratio, scale = optimum(trade, scale_of_target, known)
    missed = _missed(trade, known)
    require_optimum(trade, np.where(missed, np.inf, ratio))
    sizes = trade.sizes(ratio, scale, known)
    found = {"budget": trade.price(sizes)} | {name: sizes[name] for name in trade.plane.free}
    return {name: np.where(missed, np.inf, values) for name, values in found.items()}


def _missed(trade: Allocation, known: Known) -> np.ndarray:
    """Where not even the largest sizes reach the target."""
    ratio, scale = trade.centre
    farthest = trade.sizes(ratio, scale + REACH, known)
    with np.errstate(all="ignore"):
        return trade.plane.sense * (trade.plane.response(farthest, known) - known[0]) > 0
