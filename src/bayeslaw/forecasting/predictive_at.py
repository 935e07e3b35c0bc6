"""What a fit says of responses at places: the law there, its noise, and what the law gets wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeslaw._inference.graph import LATENT
from bayeslaw._inference.pointwise import Fitted, Places, Scatter, scatter, taus
from bayeslaw._inference.posterior import law_values
from bayeslaw._inference.run_arrays import design_of, unit_of
from bayeslaw._law.units import scales_of
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.curve_lookup import Located

__all__ = ["Wrong", "scatter_at", "wrong_at"]


@dataclass(frozen=True)
class Wrong:
    """What a law gets wrong at places, on the scale of the noise; zero without a discrepancy.

    Parameters
    ----------
    mean, variance, draw : array (chain, draw, run)
        Given the runs of the fit; a joint draw.
    """

    mean: np.ndarray
    variance: np.ndarray
    draw: np.ndarray


def scatter_at(fit: Fit, found: Located, sizes: dict[str, np.ndarray]) -> Scatter:
    """Responses about the law at places, without known standard errors.

    Parameters
    ----------
    fit : Fit
        The fit.
    found : Located
        The curves of the places.
    sizes : dict of str to array
        Predictors in the user's units; (run,), or (chain, draw, run).

    Returns
    -------
    Scatter
    """
    model, reference = fit.model, scales_of(fit.model.law, fit.runs)
    at = {name: found.parameters[name][..., found.curve] for name in model.roles}
    law = law_values(model, at, sizes, slice(None))
    scaled = {name: values / reference[name] for name, values in sizes.items()}
    beside = {name: at[name] for name in model.beside}
    return scatter(model, law, unit_of(fit.runs), beside, scaled)


def wrong_at(
    fit: Fit, found: Located, sizes: dict[str, np.ndarray], rng: np.random.Generator
) -> Wrong:
    """What the law gets wrong at places, given the runs of the fit.

    Parameters
    ----------
    fit : Fit
        The fit.
    found : Located
        The curves of the places.
    sizes : dict of str to array (run,)
        Predictors in the user's units.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Wrong
    """
    model = fit.model
    if model.discrepancy is None:
        shape = next(iter(found.parameters.values())).shape[:2]
        return Wrong(*np.zeros((3, *shape, found.curve.size)))
    reference = scales_of(model.law, fit.runs)
    scaled = np.array([sizes[name] / reference[name] for name in model.law.predictors])
    known, new = np.unique(found.number[found.number >= 0]), np.flatnonzero(found.number < 0)
    number = np.searchsorted(known, found.number)
    number[new] = known.size + np.arange(new.size)
    tau = taus(model, found.parameters)[..., new]
    return Wrong(*_fitted(fit, known).wrong_at(Places(scaled, number[found.curve], tau), rng))


def _fitted(fit: Fit, curves: np.ndarray) -> Fitted:
    """The runs of some curves, by their numbers, which they have in this order from zero."""
    draws, link = fit.tree["posterior"].to_dataset(), fit.tree["link"].to_dataset()
    parameters = {name: draws[name].values[..., curves] for name in fit.model.roles}
    design = design_of(fit.model, fit.runs)
    own = design.runs_of(curves)
    latent = link[LATENT].values[..., own] if LATENT in link else None
    runs = fit.runs.isel(run=own)
    return Fitted.of(fit.model, design.chosen(curves), parameters, runs, latent)
