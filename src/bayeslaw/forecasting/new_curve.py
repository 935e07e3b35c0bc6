"""Parameters of a curve that was not seen: what a population says of one."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import is_pooled
from bayeslaw._inference.posterior import to_user_units
from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import grid, group_names
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.curve_lookup import parameters_at
from bayeslaw.laws import find
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.priors import LinkNormal, Population

__all__ = ["new_curve"]

NEW = "a new one"  # level of every group
DRAWS = 4000


def new_curve(source: Fit | Population, *, random_seed: int = 0) -> xr.Dataset:
    """Draws of the parameters of a curve of which no level of any group was seen.

    Parameters
    ----------
    source : Fit or Population
        A pooled fit; or a population, of a law of the catalogue, whose parameters are drawn
        independently.
    random_seed : int
        Seed of what is drawn from the population.

    Returns
    -------
    xarray.Dataset
        Parameters of law, noise and discrepancy in the user's units, on dims chain and draw.

    Raises
    ------
    ValueError
        If the fit is not pooled, or the population's law is not in the catalogue.

    Examples
    --------
    >>> from bayeslaw.fitting.population import load_population
    >>> round(float(new_curve(load_population("few_shot_error"))["alpha"].median()), 2)
    0.54
    """
    if isinstance(source, Fit):
        drawn = _of_fit(source, random_seed)
    else:
        drawn = _of_population(source, random_seed)
    return xr.Dataset({name: (("chain", "draw"), values) for name, values in drawn.items()})


def _of_fit(fit: Fit, seed: int) -> dict[str, np.ndarray]:
    groups = group_names(fit.runs)
    if not is_pooled(fit.model, curves_in(fit.runs)):
        raise ValueError(
            f"the fit of law {fit.model.law.name!r} is not pooled, so it knows no new curve: fit "
            "several curves with pooling=[...]"
        )
    place = grid(**{fit.model.law.predictors[0]: 1.0, **dict.fromkeys(groups, NEW)})
    found = parameters_at(fit, place, draw_new=groups, random_seed=seed)
    return {name: values[..., 0] for name, values in found.items()}


def _of_population(population: Population, seed: int) -> dict[str, np.ndarray]:
    law, reference = find(population.law), dict(population.reference)
    if len(law.predictors) == len(reference) == 1:
        law = law.of(*reference)
    has_misfit = any(name.startswith("tau") for name in population)
    model = Model(law, priors=population, discrepancy=Brownian() if has_misfit else None)
    rng = np.random.default_rng(seed)
    scales = {name: 1.0 if name in law.unitless else reference[name] for name in law.predictors}
    theta = {
        name: rng.normal(prior.mean, prior.sd, (1, DRAWS))
        for name, prior in population.items()
        if isinstance(prior, LinkNormal)
    }
    return to_user_units(model, coordinates(model), theta, scales)
