"""`forecast_bands`: bands at any number of points, without all draws in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._arguments import PROBABILITY
from bayeslaw._memory import require_memory
from bayeslaw._suggestions import names_arguments, require_kind
from bayeslaw.data.runs import group_names
from bayeslaw.fitting.result import Fit, require_fit
from bayeslaw.forecasting.forecast import ForecastOptions, draw_forecast, mixture, thinned
from bayeslaw.forecasting.interval import interval
from bayeslaw.forecasting.random_parts import MarginalDraws
from bayeslaw.forecasting.stack import Stack
from bayeslaw.priors import Fixed, LogNormal

__all__ = ["forecast_bands"]

BLOCK_SIZE = 400_000  # draws times points at once
VARIABLES = ["mean", "new_run"]


@names_arguments
def forecast_bands(
    fit: Fit | Stack,
    grid: xr.Dataset,
    *,
    prob: float = 0.9,
    noise: Fixed | LogNormal | None = None,
    draw_new: Sequence[str] = (),
    draws: int = 4000,
    random_seed: int = 0,
) -> xr.Dataset:
    """Credible bands of the curve and of a new run at many points.

    The bands are those of ``bl.interval(bl.forecast(fit, grid), prob)``, up to the error of random
    draws. Here the points are forecast in blocks, each by itself: a band does not depend on the
    other points, and memory hardly on their number. The draws are not kept. What needs joint draws
    of several points, such as a difference or a crossing, takes `forecast`.

    Parameters
    ----------
    fit : Fit or Stack
        The fit, or a weighted mixture of fits.
    grid : xarray.Dataset
        Sizes and curves to forecast: `bayeslaw.grid`, or held-out runs.
    prob : float
        Probability inside the equal-tailed band, between 0 and 1.
    noise : Fixed or LogNormal, optional
        Relative noise of the new runs, where it differs from that of the fitted runs.
    draw_new : sequence of str, optional
        Groups whose unseen levels are drawn from the population.
    draws : int
        Maximum number of draws; a longer fit is thinned.
    random_seed : int
        Seed of all random draws.

    Returns
    -------
    xarray.Dataset
        ``mean``, the curve, and ``new_run``, a run observed there, over ``bound`` (lower, median,
        upper) and ``run``, with the coordinates and attributes of a forecast.

    Raises
    ------
    TypeError
        As `bayeslaw.forecast`.
    ValueError
        As `bayeslaw.forecast`; or if `prob` is not between 0 and 1.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> import numpy as np
    >>> grid = bl.grid(N=np.geomspace(1e6, 1e12, 10_000), task="c4")
    >>> bands = bl.forecast_bands(fit, grid)  # doctest: +SKIP
    >>> bands["new_run"].sel(bound="upper")  # doctest: +SKIP
    """
    prob = PROBABILITY.check("prob", prob)
    require_kind("grid", grid, xr.Dataset, "points, as bl.grid(N=[1e9]) makes them, or runs")
    count = grid.sizes["run"]
    require_memory(f"bands at {count} points", count * (3 * len(VARIABLES) + len(grid.variables)))
    options = ForecastOptions(noise, draw_new, draws, random_seed)
    draw = partial(draw_forecast, options=options, kind=MarginalDraws)
    fit = _thinned_once(fit, draws)
    blocks = [
        (rows, interval(mixture(fit, grid.isel(run=rows), draw)[VARIABLES], prob))
        for rows in _blocks(grid, max(1, BLOCK_SIZE // _n_draws(fit)))
    ]
    return _joined(grid, blocks)


def _thinned_once(fit: Fit | Stack, draws: int) -> Fit | Stack:
    if isinstance(fit, Stack):
        return replace(fit, fits={name: thinned(each, draws) for name, each in fit.fits.items()})
    require_fit(fit)
    return thinned(fit, draws)


def _n_draws(fit: Fit | Stack) -> int:
    if isinstance(fit, Stack):
        return max(_n_draws(each) for each in fit.fits.values())
    sizes = fit.tree["unconstrained_posterior"].sizes
    return sizes["chain"] * sizes["draw"]


def _blocks(grid: xr.Dataset, size: int) -> Iterator[np.ndarray]:
    """Rows of each block; sorted by curve, because each curve costs a filter along its runs."""
    groups = [grid[name].values for name in group_names(grid)]
    order = np.lexsort(groups) if groups else np.arange(grid.sizes["run"])
    for low in range(0, max(1, order.size), size):
        yield order[low : low + size]


def _joined(grid: xr.Dataset, blocks: Sequence[tuple[np.ndarray, xr.Dataset]]) -> xr.Dataset:
    """Bands of all rows, in their order."""
    place = np.argsort(np.concatenate([rows for rows, _ in blocks]))
    bands: Any = xr.concat([band for _, band in blocks], "run", combine_attrs="override")
    bands = bands.isel(run=place)
    weights = np.array([rows.size for rows, _ in blocks]) / max(1, grid.sizes["run"])
    for name in VARIABLES:
        shares = [band[name].attrs["not_positive"] for _, band in blocks]
        bands[name].attrs["not_positive"] = float(weights @ shares)
    return bands
