"""Response distribution and discrepancy at prediction points, given a fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.pointwise import (
    DrawsAtRuns,
    PredictionPoints,
    ResponseDistribution,
    response_distribution,
    tau_by_predictor,
)
from bayeslaw._inference.posterior import LATENT, law_values
from bayeslaw._inference.run_arrays import response_unit
from bayeslaw._law.units import predictor_scales
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import CurveParameters

__all__ = ["DiscrepancyAt", "discrepancy_at", "response_distribution_at"]


@dataclass(frozen=True)
class DiscrepancyAt:
    """Discrepancy at prediction points given the fitted runs, on the scale of the noise.

    Mean, variance and a joint draw, each (chain, draw, run); zero in a model without discrepancy.
    """

    mean: np.ndarray
    variance: np.ndarray
    draw: np.ndarray


def response_distribution_at(
    fit: Fit, curves: CurveParameters, sizes: dict[str, np.ndarray]
) -> ResponseDistribution:
    """Distribution of responses about the law, without known standard errors.

    Sizes are predictors in the user's units, each (run,) or (chain, draw, run).
    """
    model, reference = fit.model, predictor_scales(fit.model.law, fit.runs)
    names = (*model.law.parameters, *model.noise.parameters)
    parameters = {name: curves.parameters[name][..., curves.curve] for name in names}
    law = law_values(model, parameters, sizes, slice(None))
    scaled = {name: values / reference[name] for name, values in sizes.items()}
    nuisance = {name: parameters[name] for name in model.noise.parameters}
    return response_distribution(model, law, response_unit(fit.runs), nuisance, scaled)


def discrepancy_at(
    fit: Fit, curves: CurveParameters, sizes: dict[str, np.ndarray], rng: np.random.Generator | None
) -> DiscrepancyAt:
    """Discrepancy at sizes, each (run,) in the user's units, given the runs of the fit.

    Without a random-number generator the draw is the mean.
    """
    model = fit.model
    if model.discrepancy is None:
        shape = next(iter(curves.parameters.values())).shape[:2]
        return DiscrepancyAt(*np.zeros((3, *shape, curves.curve.size)))
    reference = predictor_scales(model.law, fit.runs)
    scaled = np.array([sizes[name] / reference[name] for name in model.law.predictors])
    # Curves of the fit come first, in order; new curves follow.
    is_new = curves.fitted_index < 0
    fitted, new = np.unique(curves.fitted_index[~is_new]), np.flatnonzero(is_new)
    index = np.searchsorted(fitted, curves.fitted_index)
    index[new] = fitted.size + np.arange(new.size)
    tau = tau_by_predictor(model, curves.parameters)[..., new]
    points = PredictionPoints(scaled, index[curves.curve], tau)
    return DiscrepancyAt(*_fitted_runs(fit, fitted).discrepancy_at(points, rng))


def _fitted_runs(fit: Fit, curves: np.ndarray) -> DrawsAtRuns:
    """The fitted runs of some curves, renumbered from zero in this order."""
    posterior = fit.tree["posterior"].to_dataset()
    unconstrained = fit.tree["unconstrained_posterior"].to_dataset()
    parameters = {name: posterior[name].values[..., curves] for name in fit.model.roles}
    bound = bind(fit.model, fit.runs)
    runs = bound.run_arrays.run_indices(curves)
    latent = unconstrained[LATENT].values[..., runs] if LATENT in unconstrained else None
    return DrawsAtRuns.of(bound.select_curves(curves), parameters, latent)
