"""The size, or the budget, that a run needs to reach a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._arguments import POSITIVE
from bayeslaw.data.runs import reference_sizes
from bayeslaw.decisions.allocation import (
    AllocationProblem,
    Cost,
    allocation_problem,
    optimum,
    prediction_grid_with_cost,
    require_optimum,
    scale_at_target,
)
from bayeslaw.decisions.law_slice import Arguments, LawSlice, slice_along
from bayeslaw.decisions.results import positive_array, result_dataset
from bayeslaw.decisions.root_finding import REACH, first_crossing, scan
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import At, parameters_at, prediction_grid

__all__ = ["requirement"]


def requirement(
    fit: Fit,
    target: float | Sequence[float] | np.ndarray,
    *,
    along: str | Cost | None = None,
    at: At = None,
    largest: float | None = None,
    draw_new: Sequence[str] = (),
    random_seed: int = 0,
) -> xr.Dataset:
    """Posterior draws of the size, or of the budget, at which the curve reaches a target.

    The smallest size at which the response is down to the target, or up to it along a predictor
    with which it rises. Where growth makes the response worse (time, or accuracy along the loss),
    the largest size that still meets the target.

    Parameters
    ----------
    fit : Fit
        The fit.
    target : float or sequence of float
        Responses to reach, in the response's units.
    along : str or callable, optional
        What grows: a predictor, all others held constant; or a cost, such as
        `bayeslaw.training_flops`, with the compute-optimal split of `bayeslaw.plan`. By default
        the one predictor that is not held.
    at : mapping, optional
        Which curves, all of the fit unless given, and values of predictors held constant: what
        `bayeslaw.grid` takes, such as ``{"task": "c4", "T": [1e11, 1e12]}``, or such a grid.
        Arguments of a cost alone may be zero.
    largest : float, optional
        Largest size or budget that is available, in its units; by default there is no limit.
    draw_new : sequence of str, optional
        Groups whose unseen levels are drawn from the population.
    random_seed : int
        Seed of the draws from the population.

    Returns
    -------
    xarray.Dataset
        With dims chain, draw, curve, target: the predictor, or for a cost ``budget`` and both
        predictors there; infinite where the target is out of reach, zero where any size reaches
        it, NaN where no split of a budget is best. Where growth makes the response worse, zero
        where no size meets the target, infinite where any does. With dims curve, target:
        ``probability`` that the target is reached at all, and within `largest` if it is given.
        `bayeslaw.interval` gives bands.

    Raises
    ------
    ValueError
        If `along` does not leave one predictor or a cost to solve for, or a number is out of range.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> need = bl.requirement(fit, 2.0, along="N", at={"D": 1e12})  # doctest: +SKIP
    >>> bl.interval(need, 0.9)["N"], need["probability"]  # doctest: +SKIP
    >>> bl.requirement(fit, [2.1, 2.0], along=bl.training_flops, largest=1e25)  # doctest: +SKIP
    """
    limit = np.inf if largest is None else POSITIVE.check("largest", largest)
    is_cost = callable(along)
    rows = prediction_grid_with_cost(fit, along, at) if is_cost else prediction_grid(fit, at)
    targets = positive_array("target", target)
    parameters = parameters_at(fit, rows, draw_new, random_seed)
    if is_cost:
        problem, worsens = allocation_problem(fit, along, rows), False
        required = _budgets(problem, problem.law_slice.arguments(targets, rows, parameters))
    else:
        law_slice = slice_along(fit.model.law, along, rows)
        worsens = law_slice.decrease_sign != law_slice.sense
        points = scan(np.log(reference_sizes(fit.runs)[law_slice.free[0]]))
        required = _sizes(law_slice, points, law_slice.arguments(targets, rows, parameters))
    name, response = next(iter(required)), fit.runs.attrs["response"]
    draws = {each: (values, f"{each} at the target") for each, values in required.items()}
    sizes = required[name]
    reached = sizes > 0 if worsens else np.isfinite(sizes) & (sizes <= limit)
    events = {"probability": (reached, f"probability that {name} up to {limit:g} is enough")}
    amounts = xr.Variable("target", targets, {"long_name": response})
    return result_dataset(fit, rows, amounts, draws, events).assign_attrs(largest=limit)


def _sizes(law_slice: LawSlice, points: np.ndarray, arguments: Arguments) -> dict[str, np.ndarray]:
    """The free predictor where the law reaches the target."""
    [along] = law_slice.free

    def excess(log_size: Any, *arguments: Any) -> Any:
        sizes = law_slice.sizes({along: np.exp(log_size)}, arguments)
        return law_slice.decrease_sign * (law_slice.response(sizes, arguments) - arguments[0])

    return {along: np.exp(first_crossing(excess, points, arguments))}


def _budgets(problem: AllocationProblem, arguments: Arguments) -> dict[str, np.ndarray]:
    """The budget and the two predictors where the cheapest run reaches the target."""
    ratio, scale = optimum(problem, scale_at_target, arguments)
    unreachable = _is_unreachable(problem, arguments)
    require_optimum(problem, np.where(unreachable, np.inf, ratio))
    sizes = problem.sizes(ratio, scale, arguments)
    required = {"budget": problem.cost_at(sizes)}
    required |= {name: sizes[name] for name in problem.law_slice.free}
    return {name: np.where(unreachable, np.inf, values) for name, values in required.items()}


def _is_unreachable(problem: AllocationProblem, arguments: Arguments) -> np.ndarray:
    """Where not even the largest sizes reach the target."""
    ratio, scale = problem.centre
    largest = problem.sizes(ratio, scale + REACH, arguments)
    with np.errstate(all="ignore"):
        response = problem.law_slice.response(largest, arguments)
        return problem.law_slice.sense * (response - arguments[0]) > 0
