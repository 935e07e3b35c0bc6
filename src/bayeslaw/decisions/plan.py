"""Compute-optimal sizes of a run for a given budget."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from bayeslaw.decisions.allocation import (
    AllocationProblem,
    Cost,
    allocation_problem,
    optimum,
    optimum_near,
    prediction_grid_with_cost,
    require_optimum,
    scale_at_budget,
    training_flops,
)
from bayeslaw.decisions.law_slice import Arguments
from bayeslaw.decisions.results import positive_array, result_dataset
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import At, parameters_at
from bayeslaw.forecasting.observed_range import observed_range

__all__ = ["plan"]

STEP = 1e-3  # in log budget, for finite differences of the exponents


def plan(
    fit: Fit,
    budget: float | Sequence[float] | np.ndarray,
    *,
    cost: Cost = training_flops,
    at: At = None,
    draw_new: Sequence[str] = (),
    random_seed: int = 0,
) -> xr.Dataset:
    """Posterior draws of the compute-optimal sizes for given budgets.

    Of all runs that cost the budget, the one with the best response: the lowest, or the highest
    for a law whose response rises with both sizes. The optimum is solved for numerically, draw by
    draw, where both predictors gain the same per cost; it works for any formula of the law.

    Parameters
    ----------
    fit : Fit
        The fit, of a law with two predictors or more.
    budget : float or sequence of float
        Budgets, in the units of `cost`.
    cost : callable
        The cost of a run: a plain function that rises with each of its arguments, written as a
        law is. Its arguments are predictors by name, or given by `at`, or have a default.
    at : mapping, optional
        Which curves, all of the fit unless given, and values of predictors held constant: what
        `bayeslaw.grid` takes, such as ``{"task": "c4", "T": [1e11, 1e12]}``, or such a grid.
        Arguments of the cost alone may be zero.
    draw_new : sequence of str, optional
        Groups whose unseen levels are drawn from the population.
    random_seed : int
        Seed of the draws from the population.

    Returns
    -------
    xarray.Dataset
        With dims chain, draw, curve, budget, and for a law of N and D: ``N`` and ``D``, in the
        data's units; ``D_per_N``; ``mean`` (the curve there, in the response's units);
        ``N_exponent`` and ``D_exponent``, the local exponents of N and D in the budget: N ~
        budget^N_exponent. With dims curve, budget: ``in_range``, the probability that the optimum
        lies between the smallest and the largest sizes of the runs, and ``has_optimum``, the
        probability that an optimum exists; draws without one are NaN. `bayeslaw.interval` gives
        bands.

    Raises
    ------
    ValueError
        If law and cost do not leave two predictors to trade off, no run costs the budget, or the
        law has no optimum in any draw.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> plan = bl.plan(fit, [1e21, 1e22])  # doctest: +SKIP
    >>> bl.interval(plan, 0.9)["N"].sel(curve="all", budget=1e22)  # doctest: +SKIP

    Count inference as well, 2 FLOPs per parameter and token served:

    >>> def lifetime_flops(N, D, served):
    ...     return 6 * N * D + 2 * N * served
    >>> bl.plan(fit, 1e22, cost=lifetime_flops, at={"served": 1e12})  # doctest: +SKIP

    Or the output layer of models about 2 N^(1/3) wide, where N excludes embeddings:

    >>> def flops_with_output(N, D, vocabulary=32_000):
    ...     return 6 * (N + vocabulary * 2 * N ** (1 / 3)) * D
    >>> bl.plan(fit, 1e22, cost=flops_with_output)  # doctest: +SKIP
    """
    rows, budgets = prediction_grid_with_cost(fit, cost, at), positive_array("budget", budget)
    problem = allocation_problem(fit, cost, rows)
    parameters = parameters_at(fit, rows, draw_new, random_seed)
    arguments = problem.law_slice.arguments(budgets, rows, parameters)
    _require_affordable(problem, arguments)
    ratio, scale = optimum(problem, scale_at_budget, arguments)
    require_optimum(problem, ratio)
    sizes = problem.sizes(ratio, scale, arguments)
    draws = {name: (sizes[name], f"compute-optimal {name}") for name in problem.law_slice.free}
    draws |= _ratio(problem, ratio)
    draws["mean"] = problem.law_slice.response(sizes, arguments), fit.runs.attrs["response"]
    draws |= _exponents(problem, ratio, arguments)
    events = {
        "in_range": (_in_range(fit, problem, sizes), "probability of an optimum within the data"),
        "has_optimum": (~np.isnan(ratio), "probability that there is an optimum"),
    }
    units = {"units": "FLOP"} if cost is training_flops else {}
    amounts = xr.Variable("budget", budgets, {"long_name": problem.name} | units)
    return _with_caveats(fit, problem, result_dataset(fit, rows, amounts, draws, events))


def _require_affordable(problem: AllocationProblem, arguments: Arguments) -> None:
    shape = np.broadcast_shapes(*map(np.shape, arguments))
    budgets = np.broadcast_to(arguments[0], shape)[0, 0]
    scale = np.broadcast_to(scale_at_budget(problem, problem.centre[0], arguments), budgets.shape)
    if np.any(np.isnan(scale)):
        raise ValueError(
            f"no {' and '.join(problem.law_slice.free)} cost {budgets[np.isnan(scale)][0]:g} by "
            f"{problem.name}, which must rise from zero with both"
        )


def _exponents(
    problem: AllocationProblem, ratio: np.ndarray, arguments: Arguments
) -> dict[str, tuple[np.ndarray, str]]:
    """Growth of the logarithms of both sizes with that of the budget."""
    budgets, *rest = arguments
    (low, below), (high, above) = (
        optimum_near(problem, scale_at_budget, (budgets * np.exp(step), *rest), ratio)
        for step in (-STEP, STEP)
    )
    of_ratio, of_scale = (high - low) / (2 * STEP), (above - below) / (2 * STEP)
    exponents = zip(
        problem.law_slice.free, (of_scale - of_ratio / 2, of_scale + of_ratio / 2), strict=True
    )
    return {
        f"{name}_exponent": (values, f"growth of log {name} with log budget")
        for name, values in exponents
    }


def _ratio(problem: AllocationProblem, ratio: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    first, second = problem.law_slice.free
    return {f"{second}_per_{first}": (np.exp(ratio), f"compute-optimal {second} per {first}")}


def _in_range(fit: Fit, problem: AllocationProblem, sizes: Mapping[str, np.ndarray]) -> np.ndarray:
    observed = observed_range(fit.runs)
    low, high = (
        np.array([observed[name][end] for name in problem.law_slice.free]) for end in (0, 1)
    )
    optimal = np.stack([sizes[name] for name in problem.law_slice.free], axis=-1)
    return np.all((low <= optimal) & (optimal <= high), axis=-1)


def _with_caveats(fit: Fit, problem: AllocationProblem, result: xr.Dataset) -> xr.Dataset:
    missing = 1 - float(result["has_optimum"].min())
    caveat = (
        f"In up to {missing:.2g} of the draws no split of the budget is best: one predictor "
        "always pays more than the other. Those draws are NaN, and so are bands that would "
        "contain them; has_optimum is the probability of an optimum."
    )
    return result.assign_attrs(
        cost=problem.name,
        predictors=list(problem.law_slice.free),
        observed=json.dumps(observed_range(fit.runs)),
        caveats=[*result.attrs["caveats"], *([caveat] if missing else [])],
    )
