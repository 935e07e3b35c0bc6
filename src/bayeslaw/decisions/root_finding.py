"""Root finding in a logarithm of size, for all draws at once: Chandrupatla's method and a scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["REACH", "crossing", "first_crossing", "root", "scan"]

REACH = 230.0  # in e-folds: sizes within a factor of 1e100
_FAR = np.array([30.0, 45.0, 70.0, 105.0, 155.0, REACH])
SCAN = np.concatenate([-_FAR[::-1], np.arange(-20.0, 21.0, 2.0), _FAR])

type Function = Callable[..., Any]  # of a point and arguments that broadcast, element by element


def root(function: Function, low: Any, high: Any, arguments: tuple[Any, ...]) -> np.ndarray:
    """Root between two points, to machine precision; NaN if both ends have one sign."""
    from scipy.optimize.elementwise import find_root  # slow to import

    def finite(point: Any, *arguments: Any) -> Any:
        return np.clip(function(point, *arguments), -1e300, 1e300)

    low, high, *rest = np.broadcast_arrays(low, high, *arguments)
    with np.errstate(all="ignore"):
        return np.asarray(find_root(finite, (low, high), args=tuple(rest)).x)


def scan(centre: Any) -> np.ndarray:
    """Points about a log size: every two e-folds nearby, sparser far away."""
    return centre + SCAN


def crossing(
    function: Function, points: np.ndarray, arguments: tuple[Any, ...], objective: Function
) -> np.ndarray:
    """Where a function crosses zero from above; of several crossings, that of least objective.

    Points are in the order of the search, and a crossing needs a point on either side. The
    objective is taken at the point after it. NaN where there is no crossing.
    """
    shape = np.broadcast_shapes(*(np.shape(each) for each in arguments))
    before, low, high = (np.full(shape, np.nan) for _ in range(3))
    least = np.full(shape, np.inf)
    with np.errstate(all="ignore"):
        for point in points:
            value, current = function(point, *arguments), objective(point, *arguments)
            crosses = (value <= 0) & ~np.isnan(before) & (current < least)
            low, high = np.where(crosses, before, low), np.where(crosses, point, high)
            least = np.where(crosses, current, least)
            before = np.where(value > 0, point, np.where(value <= 0, np.nan, before))
        margin = 1e-6 * np.sign(high - low)  # a zero at an end may round to the other side
    return root(function, low - margin, high + margin, arguments)


def first_crossing(
    function: Function, points: np.ndarray, arguments: tuple[Any, ...]
) -> np.ndarray:
    """Where a function first crosses zero from above, along increasing or decreasing points.

    Infinite on the side of the last point where the function stays above zero, and on the side of
    the first point where it is below zero from the start.
    """
    towards = np.sign(points[-1] - points[0])
    crossings = crossing(function, points, arguments, lambda point, *_: point * towards)
    with np.errstate(all="ignore"):
        starts_below = function(points[0], *arguments) <= 0
        ends_above = function(points[-1], *arguments) > 0
    never = np.where(starts_below, -np.inf, np.where(ends_above, np.inf, np.nan)) * towards
    return np.where(starts_below | np.isnan(crossings), never, crossings)
