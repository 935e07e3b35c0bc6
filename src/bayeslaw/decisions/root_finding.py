"""Where functions of a logarithm of size cross zero, for all draws at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["REACH", "crossing", "first_crossing", "root", "scan"]

REACH = 230.0  # in e-folds: sizes within a factor of 1e100
_FAR = np.array([30.0, 45.0, 70.0, 105.0, 155.0, REACH])
SCAN = np.concatenate([-_FAR[::-1], np.arange(-20.0, 21.0, 2.0), _FAR])

type Function = Callable[..., Any]


def root(function: Function, low: Any, high: Any, known: tuple[Any, ...]) -> np.ndarray:
    """Where a function crosses zero between two points, by Chandrupatla's method.

    Parameters
    ----------
    function : callable
        ``function(point, *known)``, element by element.
    low, high : array
        Ends of the intervals.
    known : tuple of array
        What else the function takes; all broadcast.

    Returns
    -------
    array
        To machine precision; NaN where the function has one sign at both ends.

    Examples
    --------
    >>> float(root(lambda x, a: x**2 - a, 0.0, 2.0, (2.0,)).round(12))
    1.414213562373
    """
    from scipy.optimize.elementwise import find_root  # slow to import

    def finite(point: Any, *known: Any) -> Any:
        return np.clip(function(point, *known), -1e300, 1e300)

    low, high, *rest = np.broadcast_arrays(low, high, *known)
    with np.errstate(all="ignore"):
        return np.asarray(find_root(finite, (low, high), args=tuple(rest)).x)


def scan(centre: Any) -> np.ndarray:
    """Points about a centre, close by every two e-folds, far away fewer.

    Parameters
    ----------
    centre : float
        Logarithm of a size.

    Returns
    -------
    array

    Examples
    --------
    >>> float(scan(3.0).min()), float(scan(3.0).max())
    (-227.0, 233.0)
    """
    return centre + SCAN


def crossing(
    function: Function, points: np.ndarray, known: tuple[Any, ...], price: Function
) -> np.ndarray:
    """Where a function crosses zero from above, at the cheapest of such crossings.

    Parameters
    ----------
    function : callable
        ``function(point, *known)``, element by element.
    points : array
        In the order of the search; a crossing is found if it has points on either side.
    known : tuple of array
        What else the function takes; all broadcast.
    price : callable
        ``price(point, *known)`` at the point after it decides among several crossings.

    Returns
    -------
    array
        NaN where there is no crossing.
    """
    shape = np.broadcast_shapes(*(np.shape(each) for each in known))
    before, low, high = (np.full(shape, np.nan) for _ in range(3))
    cheapest = np.full(shape, np.inf)
    with np.errstate(all="ignore"):
        for point in points:
            value, cost = function(point, *known), price(point, *known)
            turns = (value <= 0) & ~np.isnan(before) & (cost < cheapest)
            low, high = np.where(turns, before, low), np.where(turns, point, high)
            cheapest = np.where(turns, cost, cheapest)
            before = np.where(value > 0, point, np.where(value <= 0, np.nan, before))
        margin = 1e-6 * np.sign(high - low)  # a zero at an end may round to the wrong side
    return root(function, low - margin, high + margin, known)


def first_crossing(function: Function, points: np.ndarray, known: tuple[Any, ...]) -> np.ndarray:
    """Where a function first crosses zero from above.

    Parameters
    ----------
    function : callable
        ``function(point, *known)``, element by element.
    points : array
        In the order of the search, increasing or decreasing.
    known : tuple of array
        What else the function takes; all broadcast.

    Returns
    -------
    array
        Infinite on the side of the last point where the function stays above zero, and on the
        side of the first point where it is below from the start.

    Examples
    --------
    >>> first_crossing(lambda u, a: np.exp(-u) + a, scan(0.0), (np.array([-0.1, 0.1]),)).round(3)
    array([2.303,   inf])
    """
    towards = np.sign(points[-1] - points[0])
    found = crossing(function, points, known, lambda point, *_: point * towards)
    with np.errstate(all="ignore"):
        starts_below = function(points[0], *known) <= 0
        ends_above = function(points[-1], *known) > 0
    never = np.where(starts_below, -np.inf, np.where(ends_above, np.inf, np.nan)) * towards
    return np.where(starts_below | np.isnan(found), never, found)
