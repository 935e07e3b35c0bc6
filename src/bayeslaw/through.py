"""From a forecast of one response to another that follows from it, such as loss to accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayeslaw.fit import Fit
from bayeslaw.forecast import answer
from bayeslaw.places import parameters_at
from bayeslaw.posterior import law_values

__all__ = ["forecast_through"]


def forecast_through(
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
    >>> accuracy = bl.forecast_through(accuracy_fit, loss)  # doctest: +SKIP
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
    parameters = parameters_at(fit, places, draw_new, random_seed)
    shape = parameters["sigma"].shape
    meeting = rng.permutation(np.resize(np.arange(first["mean"][..., 0].size), shape[0] * shape[1]))

    def at(draws: xr.DataArray) -> np.ndarray:
        flat = draws.transpose("chain", "draw", "run").values.reshape(-1, shape[2])
        met = flat[meeting].reshape(shape)
        return law_values(fit.model, parameters, {law.predictors[0]: met}, slice(None))

    mean, likely = at(first["mean"]), at(first["new_run"])
    new_run = fit.model.noise.draw(rng, likely, parameters["sigma"])
    told = answer(fit, places, mean, new_run, parameters["sigma"])
    caveats = list(dict.fromkeys([*first.attrs["caveats"], *told.attrs["caveats"]]))
    kept = {name: first.attrs[name] for name in ("predictors", "groups", "observed")}
    return told.assign_coords(on_runs).assign_attrs(kept, caveats=caveats)
