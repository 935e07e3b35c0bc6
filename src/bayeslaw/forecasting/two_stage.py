"""Two-stage forecast of a response that is a law of another one, such as loss to accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from bayeslaw._arguments import SEED
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import CurveParameters, curve_parameters
from bayeslaw.forecasting.forecast import forecast_dataset
from bayeslaw.forecasting.predictive_at import (
    DiscrepancyAt,
    discrepancy_at,
    response_distribution_at,
)

__all__ = ["two_stage_forecast"]

N_POINTS = 200  # of the grid along which the discrepancy is drawn


def two_stage_forecast(
    fit: Fit, first: xr.Dataset, *, draw_new: Sequence[str] = (), random_seed: int = 0
) -> xr.Dataset:
    """Forecast a response that is a law of another response, itself forecast.

    Each draw of the second law is evaluated at a draw of the first forecast, so that the bands
    carry the uncertainty of both: for example of accuracy at a model size, by way of the loss.

    Parameters
    ----------
    fit : Fit
        Second stage: a law with one predictor, the response of the first stage.
    first : xarray.Dataset
        First stage, as returned by `forecast`, with coordinates for the groups of `fit`.
    draw_new : sequence of str, optional
        Groups of `fit` whose unseen levels are drawn from the population.
    random_seed : int
        Seed of the noise, of the pairing of draws, and of draws from the population.

    Returns
    -------
    xarray.Dataset
        As returned by `forecast`, at the sizes of the first stage: ``mean`` follows from the
        ``mean`` of the first stage, ``new_run`` from its ``new_run`` plus the noise of the second.

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
    [predictor] = law.predictors
    rng = np.random.default_rng([SEED.check("random_seed", random_seed), 7])
    run_coords = {name: coord for name, coord in first.coords.items() if set(coord.dims) <= {"run"}}
    rows = xr.Dataset(coords=run_coords)
    curves = curve_parameters(fit, rows, draw_new, random_seed)
    shape = (*curves.parameters["sigma"].shape[:2], curves.curve.size)
    pairing = rng.permutation(np.resize(np.arange(first["mean"][..., 0].size), shape[0] * shape[1]))
    mean_size, new_size = (
        first[name].transpose("chain", "draw", "run").values.reshape(-1, shape[2])[pairing]
        for name in ("mean", "new_run")
    )
    mean_size, new_size = mean_size.reshape(shape), new_size.reshape(shape)
    path = _DiscrepancyPath.of(fit, curves, np.concatenate([mean_size, new_size]), rng)
    mean = response_distribution_at(fit, curves, {predictor: mean_size}).curve(path.at(mean_size))
    response = response_distribution_at(fit, curves, {predictor: new_size})
    draw = path.at(new_size)
    discrepancy = DiscrepancyAt(draw, np.zeros(shape), draw)
    result = forecast_dataset(fit, rows, response, discrepancy, response.draw(rng, draw))
    result["mean"] = result["mean"].copy(data=mean)
    caveats = list(dict.fromkeys([*first.attrs["caveats"], *result.attrs["caveats"]]))
    inherited = ("predictors", "groups", "observed", "observed_by_curve")
    attributes = {name: first.attrs[name] for name in inherited}
    return result.assign_coords(run_coords).assign_attrs(attributes, caveats=caveats)


@dataclass(frozen=True)
class _DiscrepancyPath:
    """Draws of the discrepancy along the predictor, on a grid, with linear interpolation.

    The size at which the second law is evaluated differs from draw to draw, so the discrepancy is
    drawn jointly over the whole range. `curve` is (run,), `log_grid` (point,), `draws`
    (sample, curve, point).
    """

    curve: np.ndarray
    log_grid: np.ndarray
    draws: np.ndarray

    @classmethod
    def of(
        cls, fit: Fit, curves: CurveParameters, sizes: np.ndarray, rng: np.random.Generator
    ) -> _DiscrepancyPath:
        """Draw on one grid that covers the sizes, for all curves."""
        [predictor] = fit.model.law.predictors
        sizes = sizes[sizes > 0]
        grid = np.geomspace(sizes.min(), sizes.max() * (1 + 1e-9), N_POINTS)
        n_curves = curves.fitted_index.size
        on_grid = replace(curves, curve=np.repeat(np.arange(n_curves), N_POINTS))
        discrepancy = discrepancy_at(fit, on_grid, {predictor: np.tile(grid, n_curves)}, rng)
        draws = discrepancy.draw.reshape(-1, n_curves, N_POINTS)
        return cls(curves.curve, np.log(grid), draws)

    def at(self, sizes: np.ndarray) -> np.ndarray:
        """Discrepancy at sizes (chain, draw, run)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            step = self.log_grid[1] - self.log_grid[0]
            position = (np.log(sizes) - self.log_grid[0]) / step
        position = np.clip(np.nan_to_num(position), 0, N_POINTS - 1).reshape(-1, self.curve.size)
        left = np.minimum(position.astype(int), N_POINTS - 2)
        paths, fraction = self.draws[:, self.curve], position - left
        low, high = (np.take_along_axis(paths, (left + i)[..., None], 2)[..., 0] for i in (0, 1))
        return ((1 - fraction) * low + fraction * high).reshape(sizes.shape)
