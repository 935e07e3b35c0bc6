"""Compute-optimal allocation: a law in two predictors, under a cost that takes both."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw.data.runs import predictor_names, reference_sizes
from bayeslaw.decisions.autodiff import log_slope
from bayeslaw.decisions.law_slice import Arguments, LawSlice
from bayeslaw.decisions.root_finding import REACH, crossing, root, scan
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import At, prediction_grid

__all__ = [
    "AllocationProblem",
    "Cost",
    "allocation_problem",
    "optimum",
    "optimum_near",
    "prediction_grid_with_cost",
    "require_optimum",
    "scale_at_budget",
    "scale_at_target",
    "training_flops",
]

type Cost = Callable[..., Any]
type Constraint = Callable[[AllocationProblem, Any, Arguments], np.ndarray]

ZERO_AMOUNT = 1e-300  # stands for zero in a grid, which takes positive sizes only
ROUNDING = 1e-14  # a difference of returns below this share of their sum is rounding error


def training_flops(N: Any, D: Any) -> Any:
    """Training compute of a dense transformer in FLOP: 6 N D (Kaplan et al. 2020, section 2.1).

    Two per parameter and token for the forward pass and four for the backward pass; attention
    over the context is not counted.

    Parameters
    ----------
    N : number or array
        Number of parameters, without embeddings.
    D : number or array
        Number of training tokens.

    Returns
    -------
    number or array
        Training compute, in FLOPs.

    Examples
    --------
    >>> training_flops(70e9, 1.4e12)
    5.88e+23
    """
    return 6 * N * D


@dataclass(frozen=True)
class AllocationProblem:
    """A law in two free predictors, and a cost that trades one against the other.

    A pair of sizes is written as the logarithms of its ratio (second to first) and of its
    geometric mean, the scale: at each ratio one scale costs the budget, or reaches the target.
    The search starts from the ratio and scale of the data, `centre`.
    """

    law_slice: LawSlice
    cost: Cost
    centre: tuple[float, float]

    @property
    def name(self) -> str:
        """Name of the cost."""
        return _name(self.cost)

    def sizes(self, ratio: Any, scale: Any, arguments: Arguments) -> dict[str, Any]:
        """All arguments of the law and the cost."""
        first, second = self.law_slice.free
        pair = {first: np.exp(scale - ratio / 2), second: np.exp(scale + ratio / 2)}
        return self.law_slice.sizes(pair, arguments)

    def cost_at(self, sizes: Mapping[str, Any]) -> Any:
        """The cost of a run of these sizes."""
        names = inspect.signature(self.cost).parameters
        return self.cost(**{name: size for name, size in sizes.items() if name in names})

    def return_difference(self, ratio: Any, scale: Any, arguments: Arguments) -> Any:
        """Difference in marginal return per cost: 1 if only the second pays off, -1 the first."""
        sizes = self.sizes(ratio, scale, arguments)
        response = partial(self.law_slice.response, arguments=arguments)
        gain, cost = (
            [log_slope(function, name, sizes) for name in self.law_slice.free]
            for function in (response, self.cost_at)
        )
        first, second = gain[0] * cost[1], gain[1] * cost[0]
        difference = self.law_slice.sense * (first - second) / (abs(first) + abs(second))
        return np.where(abs(difference) < ROUNDING, 0.0, difference)


def scale_at_budget(problem: AllocationProblem, ratio: Any, arguments: Arguments) -> np.ndarray:
    """The scale at which a pair of this ratio costs the budget, arguments[0]."""

    def remaining(scale: Any, ratio: Any, *arguments: Any) -> Any:
        sizes = problem.sizes(ratio, scale, arguments)
        return np.log(arguments[0]) - np.log(problem.cost_at(sizes))

    # The law's parameters play no part: without them the arrays are smaller.
    return _scale(problem, remaining, ratio, arguments[: 1 + len(problem.law_slice.held)])


def scale_at_target(problem: AllocationProblem, ratio: Any, arguments: Arguments) -> np.ndarray:
    """The scale at which a pair of this ratio reaches the target, arguments[0]."""

    def remaining(scale: Any, ratio: Any, *arguments: Any) -> Any:
        response = problem.law_slice.response(problem.sizes(ratio, scale, arguments), arguments)
        return problem.law_slice.sense * (response - arguments[0])

    return _scale(problem, remaining, ratio, arguments)


def _scale(
    problem: AllocationProblem, remaining: Callable[..., Any], ratio: Any, arguments: Arguments
) -> np.ndarray:
    _, centre = problem.centre
    return root(remaining, centre - REACH, centre + REACH, (ratio, *arguments))


def optimum(
    problem: AllocationProblem, constraint: Constraint, arguments: Arguments
) -> tuple[np.ndarray, np.ndarray]:
    """Ratio and scale of the best pair that meets a constraint: the budget, or the target.

    The constraint is `scale_at_budget` or `scale_at_target`. NaN where there is no optimum; of
    several local optima, the best.
    """

    def objective(ratio: Any, *arguments: Any) -> Any:  # one of its terms is constant
        sizes = problem.sizes(ratio, constraint(problem, ratio, arguments), arguments)
        response = problem.law_slice.response(sizes, arguments)
        return problem.law_slice.sense * response + np.log(problem.cost_at(sizes))

    condition = _first_order_condition(problem, constraint)
    ratio = crossing(condition, scan(problem.centre[0]), arguments, objective)
    return ratio, constraint(problem, ratio, arguments)


def optimum_near(
    problem: AllocationProblem, constraint: Constraint, arguments: Arguments, ratio: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Ratio and scale of the optimum near a given ratio; see `optimum`."""
    condition = _first_order_condition(problem, constraint)
    ratio = root(condition, ratio - 0.5, ratio + 0.5, arguments)
    return ratio, constraint(problem, ratio, arguments)


def _first_order_condition(
    problem: AllocationProblem, constraint: Constraint
) -> Callable[..., Any]:
    """A function of the ratio that is zero where both predictors return the same per cost."""
    return lambda ratio, *arguments: problem.return_difference(
        ratio, constraint(problem, ratio, arguments), arguments
    )


def allocation_problem(fit: Fit, cost: Cost, rows: xr.Dataset) -> AllocationProblem:
    """The allocation problem of a fit and a cost, given rows of values held constant."""
    law, held = fit.model.law, tuple(predictor_names(rows))
    name, parameters = _name(cost), inspect.signature(cost).parameters
    required = [n for n, parameter in parameters.items() if parameter.default is parameter.empty]
    signature = f"cost {name}({', '.join(parameters)})"
    _raise_if_any(
        [n for n in held if n not in law.predictors and n not in parameters],
        f"at holds {{}}, which neither law {law.name!r} nor {signature} takes",
    )
    _raise_if_any(
        [n for n in required if n not in law.predictors and n not in held],
        f"{signature} takes {{}}, which is no predictor of law {law.name!r}; those are "
        f"{list(law.predictors)}; take a law that has it, or hold it at a value: at={{{{}}: ...}}",
    )
    _raise_if_any(
        [n for n in law.predictors if n not in parameters and n not in held],
        f"law {law.name!r} needs {{}}, which {signature} does not take; hold it at a value: "
        "at={{}: ...}",
    )
    free = [n for n in law.predictors if n not in held]
    if len(free) != 2:
        raise ValueError(
            f"two predictors can be traded, and law {law.name!r} with {signature} leaves "
            f"{free or 'none'}; hold all others with at={{...}}"
        )
    first, second = (float(np.log(reference_sizes(fit.runs)[n])) for n in free)
    return AllocationProblem(
        LawSlice(law, tuple(free), held), cost, (second - first, (first + second) / 2)
    )


def prediction_grid_with_cost(fit: Fit, cost: Cost, at: At) -> xr.Dataset:
    """Rows as of `prediction_grid`, where arguments of the cost alone may be zero."""
    if isinstance(at, xr.Dataset) or not isinstance(at, Mapping):
        return prediction_grid(fit, at)
    own = [n for n in inspect.signature(cost).parameters if n not in fit.model.law.predictors]
    given = {name: np.asarray(at[name]) for name in own if name in at}
    numeric = {name: values for name, values in given.items() if values.dtype.kind in "fi"}
    positive = {n: np.where(values == 0, ZERO_AMOUNT, values) for n, values in numeric.items()}
    rows = prediction_grid(fit, {**at, **positive})
    return rows.assign({n: rows[n].where(rows[n] != ZERO_AMOUNT, 0.0) for n in numeric})


def require_optimum(problem: AllocationProblem, ratio: np.ndarray) -> None:
    """Raise if no draw has a compute-optimal point: if all ratios are NaN."""
    if np.all(np.isnan(ratio)):
        raise ValueError(
            f"law {problem.law_slice.law.name!r} has no compute-optimal point in any draw: at "
            f"equal {problem.name} the response is the same everywhere, or best where one of "
            f"{' and '.join(problem.law_slice.free)} is as small as can be"
        )


def _raise_if_any(names: list[str], sentence: str) -> None:
    if names:
        raise ValueError(sentence.replace("{}", repr(names[0])))


def _name(cost: Cost) -> str:
    return getattr(cost, "__name__", repr(cost))
