"""What a fit says of responses at places: the law there, its noise, and what the law gets wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeslaw._inference.graph import LATENT
from bayeslaw._inference.pointwise import (
    DrawsAtRuns,
    PredictionPoints,
    ResponseDistribution,
    response_distribution,
    tau_by_predictor,
)
from bayeslaw._inference.posterior import law_values
from bayeslaw._inference.run_arrays import response_unit, run_arrays_of
from bayeslaw._law.units import predictor_scales
from bayeslaw.fitting.fit import Fit
from bayeslaw.forecasting.curve_lookup import CurveParameters

__all__ = ["DiscrepancyAt", "discrepancy_at", "response_distribution_at"]


@dataclass(frozen=True)
class DiscrepancyAt:
    """What a law gets wrong at places, on the scale of the noise; zero without a discrepancy.

    Parameters
    ----------
    mean, variance, draw : array (chain, draw, run)
        Given the runs of the fit; a joint draw.
    """

    mean: np.ndarray
    variance: np.ndarray
    draw: np.ndarray


def response_distribution_at(
    fit: Fit, found: CurveParameters, sizes: dict[str, np.ndarray]
) -> ResponseDistribution:
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
    model, reference = fit.model, predictor_scales(fit.model.law, fit.runs)
    at = {name: found.parameters[name][..., found.curve] for name in model.roles}
    law = law_values(model, at, sizes, slice(None))
    scaled = {name: values / reference[name] for name, values in sizes.items()}
    beside = {name: at[name] for name in model.nuisance_roles}
    return response_distribution(model, law, response_unit(fit.runs), beside, scaled)


def discrepancy_at(
    fit: Fit, found: CurveParameters, sizes: dict[str, np.ndarray], rng: np.random.Generator
) -> DiscrepancyAt:
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
        return DiscrepancyAt(*np.zeros((3, *shape, found.curve.size)))
    reference = predictor_scales(model.law, fit.runs)
    scaled = np.array([sizes[name] / reference[name] for name in model.law.predictors])
    known, new = np.unique(found.number[found.number >= 0]), np.flatnonzero(found.number < 0)
    number = np.searchsorted(known, found.number)
    number[new] = known.size + np.arange(new.size)
    tau = tau_by_predictor(model, found.parameters)[..., new]
    return DiscrepancyAt(
        *_fitted(fit, known).discrepancy_at(PredictionPoints(scaled, number[found.curve], tau), rng)
    )


def _fitted(fit: Fit, curves: np.ndarray) -> DrawsAtRuns:
    """The runs of some curves, by their numbers, which they have in this order from zero."""
    draws, link = (
        fit.tree["posterior"].to_dataset(),
        fit.tree["unconstrained_posterior"].to_dataset(),
    )
    parameters = {name: draws[name].values[..., curves] for name in fit.model.roles}
    run_arrays = run_arrays_of(fit.model, fit.runs)
    own = run_arrays.run_indices(curves)
    latent = link[LATENT].values[..., own] if LATENT in link else None
    runs = fit.runs.isel(run=own)
    return DrawsAtRuns.of(fit.model, run_arrays.select_curves(curves), parameters, runs, latent)
