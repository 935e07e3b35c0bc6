"""From a forecast of one response to another that follows from it, such as loss to accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.curve_lookup import CurveParameters, curve_parameters
from bayeslaw.forecasting.forecast import forecast_dataset
from bayeslaw.forecasting.predictive_at import (
    DiscrepancyAt,
    discrepancy_at,
    response_distribution_at,
)

__all__ = ["two_stage_forecast"]

POINTS = 200  # of the grid along which what a law gets wrong is drawn


def two_stage_forecast(
    fit: Fit, first: xr.Dataset, *, draw_new: Sequence[str] = (), random_seed: int = 0
) -> xr.Dataset:
    """Forecast a response that is a law of another response, which was forecast itself.

    Every draw of the second law is taken at a draw of the first forecast, so that what is not
    known of either is in the bands: of accuracy at a size, by way of the loss there.

    Parameters
    ----------
    fit : Fit
        The second stage, of a law in one predictor: the response of the first.
    first : xarray.Dataset
        The first stage, as of `forecast`; with coordinates for the groups of `fit`.
    draw_new : sequence of str, optional
        Groups of `fit` whose levels it has not seen, which are drawn from the population.
    random_seed : int
        Seed of the noise, of which draws meet, and of what is drawn from the population.

    Returns
    -------
    xarray.Dataset
        As of `forecast`, at the sizes of the first stage: ``mean`` follows from the mean of the
        first stage, ``new_run`` from its new run with the noise of the second on top.

    Raises
    ------
    ValueError
        If the second law has more than one predictor, or the forecast lacks a group.

    Examples
    --------
    >>> loss = bl.forecast(loss_fit, bl.grid(N=[1e9, 1e10]))  # doctest: +SKIP
    >>> accuracy = bl.two_stage_forecast(accuracy_fit, loss)  # doctest: +SKIP
    """
    law = fit.model.law
    if len(law.predictors) != 1:
        raise ValueError(
            f"the second stage is a law of one predictor, the {first.attrs['response']!r} of the "
            f"first; law {law.name!r} has {list(law.predictors)}"
        )
    rng = np.random.default_rng([random_seed, 7])
    on_runs = {name: at for name, at in first.coords.items() if set(at.dims) <= {"run"}}
    places = xr.Dataset(coords=on_runs)
    found = curve_parameters(fit, places, draw_new, random_seed)
    shape = (*found.parameters["sigma"].shape[:2], found.curve.size)
    meeting = rng.permutation(np.resize(np.arange(first["mean"][..., 0].size), shape[0] * shape[1]))

    def met(draws: xr.DataArray) -> np.ndarray:
        return draws.transpose("chain", "draw", "run").values.reshape(-1, shape[2])[meeting]

    smooth, likely = met(first["mean"]).reshape(shape), met(first["new_run"]).reshape(shape)
    path = _Path.of(fit, found, np.concatenate([smooth, likely]), rng)
    mean = response_distribution_at(fit, found, {law.predictors[0]: smooth}).curve(path.at(smooth))
    scatter, wrong = (
        response_distribution_at(fit, found, {law.predictors[0]: likely}),
        path.at(likely),
    )
    told = forecast_dataset(fit, places, scatter, DiscrepancyAt(wrong, np.zeros(shape), wrong), rng)
    told["mean"] = told["mean"].copy(data=mean)
    caveats = list(dict.fromkeys([*first.attrs["caveats"], *told.attrs["caveats"]]))
    names = ("predictors", "groups", "observed", "observed_by_curve")
    kept = {name: first.attrs[name] for name in names}
    return told.assign_coords(on_runs).assign_attrs(kept, caveats=caveats)


@dataclass(frozen=True)
class _Path:
    """Draws of what a law gets wrong along its predictor, between whose points they are linear.

    Where the first stage is differs from draw to draw, so the second is drawn along a whole range.
    """

    curve: np.ndarray
    grid: np.ndarray
    draws: np.ndarray

    @classmethod
    def of(
        cls, fit: Fit, found: CurveParameters, sizes: np.ndarray, rng: np.random.Generator
    ) -> _Path:
        """On one grid of sizes (POINTS,) for all curves."""
        [predictor] = fit.model.law.predictors
        sizes = sizes[sizes > 0]
        grid = np.geomspace(sizes.min(), sizes.max() * (1 + 1e-9), POINTS)
        curves = np.arange(found.number.size)
        along = replace(found, curve=np.repeat(curves, POINTS))
        wrong = discrepancy_at(fit, along, {predictor: np.tile(grid, curves.size)}, rng)
        draws = wrong.draw.reshape(-1, curves.size, POINTS)
        return cls(found.curve, np.log(grid), draws)

    def at(self, sizes: np.ndarray) -> np.ndarray:
        """Draws at sizes (chain, draw, run)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            along = (np.log(sizes) - self.grid[0]) / (self.grid[1] - self.grid[0])
        along = np.clip(np.nan_to_num(along), 0, POINTS - 1).reshape(-1, self.curve.size)
        left = np.minimum(along.astype(int), POINTS - 2)
        paths, share = self.draws[:, self.curve], along - left
        ends = (np.take_along_axis(paths, (left + i)[..., None], 2)[..., 0] for i in (0, 1))
        return ((1 - share) * next(ends) + share * next(ends)).reshape(sizes.shape)
