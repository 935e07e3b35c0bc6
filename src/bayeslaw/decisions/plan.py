"""What to buy with a budget: the compute-optimal sizes of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from bayeslaw.decisions.allocation import (
    Allocation,
    Cost,
    allocation_of,
    optimum,
    optimum_near,
    places_of_cost,
    require_optimum,
    scale_of_cost,
    training_flops,
)
from bayeslaw.decisions.law_slice import Known
from bayeslaw.decisions.results import amounts, labelled
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.curve_lookup import At, parameters_at
from bayeslaw.forecasting.forecast import observed_range

__all__ = ["plan"]

STEP = 1e-3  # in log budget, over which exponents are taken


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
    for a law whose response rises with both sizes. It is found on the law itself, whatever its
    formula, by trading the two predictors that the cost takes against each other.

    Parameters
    ----------
    fit : Fit
        The fit, of a law with two predictors or more.
    budget : float or sequence of float
        Budgets, in the units of `cost`.
    cost : callable
        What a run costs: a plain function that rises with each of its arguments, written as a
        law is. Arguments are predictors by name, or given by `at`, or have a default.
    at : mapping, optional
        Which curves, all of the fit unless given, and what is held: what `bayeslaw.grid` takes,
        such as ``{"task": "c4", "T": [1e11, 1e12]}``, or such a grid. What the cost alone takes
        may be zero.
    draw_new : sequence of str, optional
        Groups whose levels that the fit has not seen are drawn from the population.
    random_seed : int
        Seed of what is drawn from the population.

    Returns
    -------
    xarray.Dataset
        With dims chain, draw, curve, budget, and for a law of N and D: ``N`` and ``D``, in the
        data's units; ``D_per_N``; ``mean`` (the curve there, in the response's units);
        ``N_exponent`` and ``D_exponent``, by which N and D grow with the budget locally: N ~
        budget^N_exponent. With dims curve, budget: ``in_range``, the probability that the optimum
        lies between the smallest and the largest sizes of the runs, and ``has_optimum``, the
        probability that there is one; draws without are NaN. `bayeslaw.interval` gives bands.

    Raises
    ------
    ValueError
        If law and cost do not leave two predictors to trade, no run costs the budget, or the law
        has no optimum in any draw.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> plan = bl.plan(fit, [1e21, 1e22])  # doctest: +SKIP
    >>> bl.interval(plan, 0.9)["N"].sel(curve="all", budget=1e22)  # doctest: +SKIP

    Tokens that will be served count as well, 2 FLOPs for each and parameter:

    >>> def lifetime_flops(N, D, served):
    ...     return 6 * N * D + 2 * N * served
    >>> bl.plan(fit, 1e22, cost=lifetime_flops, at={"served": 1e12})  # doctest: +SKIP

    So does the output layer of models about 2 N^(1/3) wide, where N leaves embeddings out:

    >>> def flops_with_output(N, D, vocabulary=32_000):
    ...     return 6 * (N + vocabulary * 2 * N ** (1 / 3)) * D
    >>> bl.plan(fit, 1e22, cost=flops_with_output)  # doctest: +SKIP
    """
    rows, budgets = places_of_cost(fit, cost, at), amounts("budget", budget)
    trade = allocation_of(fit, cost, rows)
    parameters = parameters_at(fit, rows, draw_new, random_seed)
    known = trade.plane.known(budgets, rows, parameters)
    _require_affordable(trade, known)
    ratio, scale = optimum(trade, scale_of_cost, known)
    require_optimum(trade, ratio)
    sizes = trade.sizes(ratio, scale, known)
    drawn = {name: (sizes[name], f"compute-optimal {name}") for name in trade.plane.free}
    drawn |= _ratio(trade, ratio)
    drawn["mean"] = trade.plane.response(sizes, known), fit.runs.attrs["response"]
    drawn |= _exponents(trade, ratio, known)
    told = {
        "in_range": (_in_range(fit, trade, sizes), "probability of an optimum within the data"),
        "has_optimum": (~np.isnan(ratio), "probability that there is an optimum"),
    }
    units = {"units": "FLOP"} if cost is training_flops else {}
    asked = xr.Variable("budget", budgets, {"long_name": trade.name} | units)
    return _with_caveats(fit, trade, labelled(fit, rows, asked, drawn, told))


def _require_affordable(trade: Allocation, known: Known) -> None:
    budgets = np.broadcast_to(known[0], np.broadcast_shapes(*map(np.shape, known)))[0, 0]
    scale = np.broadcast_to(scale_of_cost(trade, trade.centre[0], known), budgets.shape)
    if np.any(np.isnan(scale)):
        raise ValueError(
            f"no {' and '.join(trade.plane.free)} cost {budgets[np.isnan(scale)][0]:g} by "
            f"{trade.name}, which must rise with both from nothing"
        )


def _exponents(
    trade: Allocation, ratio: np.ndarray, known: Known
) -> dict[str, tuple[np.ndarray, str]]:
    """How the logarithms of both sizes move with that of the budget."""
    budgets, *rest = known
    (low, below), (high, above) = (
        optimum_near(trade, scale_of_cost, (budgets * np.exp(step), *rest), ratio)
        for step in (-STEP, STEP)
    )
    of_ratio, of_scale = (high - low) / (2 * STEP), (above - below) / (2 * STEP)
    grows = zip(trade.plane.free, (of_scale - of_ratio / 2, of_scale + of_ratio / 2), strict=True)
    return {
        f"{name}_exponent": (values, f"growth of log {name} with log budget")
        for name, values in grows
    }


def _ratio(trade: Allocation, ratio: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    first, second = trade.plane.free
    return {f"{second}_per_{first}": (np.exp(ratio), f"compute-optimal {second} per {first}")}


def _in_range(fit: Fit, trade: Allocation, sizes: Mapping[str, np.ndarray]) -> np.ndarray:
    observed = observed_range(fit.runs)
    low, high = (np.array([observed[name][end] for name in trade.plane.free]) for end in (0, 1))
    found = np.stack([sizes[name] for name in trade.plane.free], axis=-1)
    return np.all((low <= found) & (found <= high), axis=-1)


def _with_caveats(fit: Fit, trade: Allocation, answer: xr.Dataset) -> xr.Dataset:
    missing = 1 - float(answer["has_optimum"].min())
    without = (
        f"In up to {missing:.2g} of the draws no split of the budget is best: one predictor "
        "always pays more than the other. Those draws are NaN, and so are bands that would hold "
        "them; has_optimum is the probability of an optimum."
    )
    return answer.assign_attrs(
        cost=trade.name,
        predictors=list(trade.plane.free),
        observed=json.dumps(observed_range(fit.runs)),
        caveats=[*answer.attrs["caveats"], *([without] if missing else [])],
    )
