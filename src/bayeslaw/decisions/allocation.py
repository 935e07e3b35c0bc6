"""Two predictors of a law that a cost trades against each other."""

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
from bayeslaw.decisions.law_slice import Known, LawSlice
from bayeslaw.decisions.root_finding import REACH, crossing, root, scan
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.curve_lookup import At, prediction_grid

__all__ = [
    "Allocation",
    "Cost",
    "allocation_of",
    "optimum",
    "optimum_near",
    "places_of_cost",
    "require_optimum",
    "scale_of_cost",
    "scale_of_target",
    "training_flops",
]

type Cost = Callable[..., Any]
type Path = Callable[[Allocation, Any, Known], np.ndarray]

NONE = 1e-300  # an amount of nothing, among sizes
NOISE = 1e-14  # slopes that cancel to this share of themselves cancel


def training_flops(N: Any, D: Any) -> Any:
    """The FLOPs to train a dense transformer: 6 N D (Kaplan et al. 2020, section 2.1).

    Two for the forward pass and four for the backward pass, per parameter and token; attention
    over the context is left out.

    Parameters
    ----------
    N : number or array
        Parameters, without embeddings.
    D : number or array
        Tokens.

    Returns
    -------
    number or array
        FLOPs.

    Examples
    --------
    >>> training_flops(70e9, 1.4e12)
    5.88e+23
    """
    return 6 * N * D


@dataclass(frozen=True)
class Allocation:
    """A law in two predictors, and a cost that trades one against the other.

    A pair of sizes is written as the logarithms of their ratio (second to first) and of their
    geometric mean, the scale: at every ratio there is one scale that costs a budget or reaches a
    target.

    Parameters
    ----------
    plane : Slice
        The law in the two predictors.
    cost : callable
        The cost.
    centre : tuple of (float, float)
        Ratio and scale about which to search: those of the data.
    """

    plane: LawSlice
    cost: Cost
    centre: tuple[float, float]

    @property
    def name(self) -> str:
        """What the cost is called."""
        return _name(self.cost)

    def sizes(self, ratio: Any, scale: Any, known: Known) -> dict[str, Any]:
        """All arguments of law and cost."""
        first, second = self.plane.free
        pair = {first: np.exp(scale - ratio / 2), second: np.exp(scale + ratio / 2)}
        return self.plane.sizes(pair, known)

    def price(self, sizes: Mapping[str, Any]) -> Any:
        """The cost."""
        wanted = inspect.signature(self.cost).parameters
        return self.cost(**{name: size for name, size in sizes.items() if name in wanted})

    def pull(self, ratio: Any, scale: Any, known: Known) -> Any:
        """Which predictor gains more for what it costs: 1 only the second, -1 only the first."""
        sizes, response = self.sizes(ratio, scale, known), partial(self.plane.response, known=known)
        gain, price = (
            [log_slope(function, name, sizes) for name in self.plane.free]
            for function in (response, self.price)
        )
        first, second = gain[0] * price[1], gain[1] * price[0]
        pull = self.plane.sense * (first - second) / (abs(first) + abs(second))
        return np.where(abs(pull) < NOISE, 0.0, pull)


def scale_of_cost(trade: Allocation, ratio: Any, known: Known) -> np.ndarray:
    """The scale at which a pair of this ratio costs the budget, known[0]."""

    def left(scale: Any, ratio: Any, *known: Any) -> Any:
        return np.log(known[0]) - np.log(trade.price(trade.sizes(ratio, scale, known)))

    # The law has no say: without its parameters the arrays are smaller.
    return _scale(trade, left, ratio, known[: 1 + len(trade.plane.held)])


def scale_of_target(trade: Allocation, ratio: Any, known: Known) -> np.ndarray:
    """The scale at which a pair of this ratio reaches the target, known[0]."""

    def left(scale: Any, ratio: Any, *known: Any) -> Any:
        sizes = trade.sizes(ratio, scale, known)
        return trade.plane.sense * (trade.plane.response(sizes, known) - known[0])

    return _scale(trade, left, ratio, known)


def _scale(trade: Allocation, left: Callable[..., Any], ratio: Any, known: Known) -> np.ndarray:
    _, centre = trade.centre
    return root(left, centre - REACH, centre + REACH, (ratio, *known))


def optimum(trade: Allocation, path: Path, known: Known) -> tuple[np.ndarray, np.ndarray]:
    """Ratio and scale where nothing is gained by trading, along a path of equal cost or loss.

    Parameters
    ----------
    trade : Trade
        What is traded.
    path : callable
        `scale_of_cost` or `scale_of_target`.
    known : tuple of array
        Budgets or targets, then `Slice.known`.

    Returns
    -------
    ratio, scale : array
        NaN where there is no such point; where there are several, that in the best surroundings.
    """

    def worse(ratio: Any, *known: Any) -> Any:  # one of the terms is constant along the path
        sizes = trade.sizes(ratio, path(trade, ratio, known), known)
        return trade.plane.sense * trade.plane.response(sizes, known) + np.log(trade.price(sizes))

    ratio = crossing(_pull_along(trade, path), scan(trade.centre[0]), known, worse)
    return ratio, path(trade, ratio, known)


def optimum_near(
    trade: Allocation, path: Path, known: Known, ratio: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Ratio and scale of the optimum, given nearly its ratio; see `optimum`."""
    ratio = root(_pull_along(trade, path), ratio - 0.5, ratio + 0.5, known)
    return ratio, path(trade, ratio, known)


def _pull_along(trade: Allocation, path: Path) -> Callable[..., Any]:
    return lambda ratio, *known: trade.pull(ratio, path(trade, ratio, known), known)


def allocation_of(fit: Fit, cost: Cost, rows: xr.Dataset) -> Allocation:
    """What a cost trades in the law of a fit, given rows of what is held.

    Parameters
    ----------
    fit : Fit
        The fit.
    cost : callable
        The cost.
    rows : xarray.Dataset
        As of `bayeslaw.forecasting.curve_lookup.prediction_grid`.

    Returns
    -------
    Trade

    Raises
    ------
    ValueError
        If law, cost and rows do not leave two predictors.
    """
    law, held = fit.model.law, tuple(predictor_names(rows))
    name, arguments = _name(cost), inspect.signature(cost).parameters
    needed = [n for n, argument in arguments.items() if argument.default is argument.empty]
    called = f"cost {name}({', '.join(arguments)})"
    _refuse(
        [n for n in held if n not in law.predictors and n not in arguments],
        f"at holds {{}}, which neither law {law.name!r} nor {called} takes",
    )
    _refuse(
        [n for n in needed if n not in law.predictors and n not in held],
        f"{called} takes {{}}, which is no predictor of law {law.name!r}; those are "
        f"{list(law.predictors)}; take a law that has it, or hold it at a value: at={{{{}}: ...}}",
    )
    _refuse(
        [n for n in law.predictors if n not in arguments and n not in held],
        f"law {law.name!r} needs {{}}, which {called} does not take; hold it at a value: "
        "at={{}: ...}",
    )
    free = [n for n in law.predictors if n not in held]
    if len(free) != 2:
        raise ValueError(
            f"two predictors can be traded, and law {law.name!r} with {called} leaves "
            f"{free or 'none'}; hold all others with at={{...}}"
        )
    first, second = (float(np.log(reference_sizes(fit.runs)[n])) for n in free)
    return Allocation(
        LawSlice(law, tuple(free), held), cost, (second - first, (first + second) / 2)
    )


def places_of_cost(fit: Fit, cost: Cost, at: At) -> xr.Dataset:
    """Rows of what is held, where amounts that the cost alone takes may be zero.

    Parameters
    ----------
    fit : Fit
        The fit.
    cost : callable
        The cost.
    at : mapping, xarray.Dataset or None
        As of `bayeslaw.forecasting.curve_lookup.prediction_grid`.

    Returns
    -------
    xarray.Dataset
    """
    if isinstance(at, xr.Dataset) or not isinstance(at, Mapping):
        return prediction_grid(fit, at)  # a grid, nothing, or what it refuses
    own = [n for n in inspect.signature(cost).parameters if n not in fit.model.law.predictors]
    given = {name: np.asarray(at[name]) for name in own if name in at}
    numbers = {name: values for name, values in given.items() if values.dtype.kind in "fi"}
    # A grid holds sizes, which are above zero.
    rows = prediction_grid(
        fit, {**at, **{n: np.where(v == 0, NONE, v) for n, v in numbers.items()}}
    )
    return rows.assign({name: rows[name].where(rows[name] != NONE, 0.0) for name in numbers})


def require_optimum(trade: Allocation, ratio: np.ndarray) -> None:
    """Raise if the law has no compute-optimal point in any draw.

    Parameters
    ----------
    trade : Trade
        Law and cost.
    ratio : array
        The ratio of the optimum, NaN where there is none.

    Raises
    ------
    ValueError
        If all are NaN.
    """
    if np.all(np.isnan(ratio)):
        raise ValueError(
            f"law {trade.plane.law.name!r} has no compute-optimal point in any draw: at equal "
            f"{trade.name} the response is the same everywhere, or best where one of "
            f"{' and '.join(trade.plane.free)} is as small as can be"
        )


def _refuse(names: list[str], sentence: str) -> None:
    if names:
        raise ValueError(sentence.replace("{}", repr(names[0])))


def _name(cost: Cost) -> str:
    return getattr(cost, "__name__", repr(cost))
