"""Parameters of a new curve: draws from the population distribution of a pooled fit."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import is_pooled
from bayeslaw._inference.posterior import to_user_units
from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import grid, group_names
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import parameters_at
from bayeslaw.laws import find
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.priors import LinkNormal, Population

__all__ = ["new_curve"]

NEW_LEVEL = "a new one"  # of every group
N_DRAWS = 4000


def new_curve(source: Fit | Population, *, random_seed: int = 0) -> xr.Dataset:
    """Draws (chain, draw) of the parameters of a curve all of whose levels are new.

    They are those of law, noise and discrepancy in the user's units. Parameters of a population,
    whose law must be in the catalogue, are drawn independently.
    """
    if isinstance(source, Fit):
        draws = _of_fit(source, random_seed)
    else:
        draws = _of_population(source, random_seed)
    return xr.Dataset({name: (("chain", "draw"), values) for name, values in draws.items()})


def _of_fit(fit: Fit, seed: int) -> dict[str, np.ndarray]:
    groups = group_names(fit.runs)
    if not is_pooled(fit.model, curves_in(fit.runs)):
        raise ValueError(
            f"the fit of law {fit.model.law.name!r} is not pooled, so it has no population: fit "
            "several curves with pooling=[...]"
        )
    row = grid(**{fit.model.law.predictors[0]: 1.0, **dict.fromkeys(groups, NEW_LEVEL)})
    parameters = parameters_at(fit, row, draw_new=groups, random_seed=seed)
    return {name: values[..., 0] for name, values in parameters.items()}


def _of_population(population: Population, seed: int) -> dict[str, np.ndarray]:
    law, reference = find(population.law), dict(population.reference)
    if len(law.predictors) == len(reference) == 1:
        law = law.of(*reference)
    has_discrepancy = any(name.startswith("tau") for name in population)
    model = Model(law, priors=population, discrepancy=Brownian() if has_discrepancy else None)
    rng = np.random.default_rng(seed)
    scales = {name: 1.0 if name in law.unitless else reference[name] for name in law.predictors}
    theta = {
        name: rng.normal(prior.mean, prior.sd, (1, N_DRAWS))
        for name, prior in population.items()
        if isinstance(prior, LinkNormal)
    }
    return to_user_units(model, coordinates(model), theta, scales)
