"""Joint log likelihood of each curve, with the discrepancy integrated out."""

from __future__ import annotations

import math

import numpy as np

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.pointwise import DrawsAtRuns
from bayeslaw.fitting.result import Fit

__all__ = ["curve_log_likelihood"]

MAX_BATCH = 1_000_000  # draws times runs in memory at once


def curve_log_likelihood(fit: Fit) -> np.ndarray:
    """Joint log density of each curve's responses given its parameters, (chain, draw, curve).

    The discrepancy is integrated out. Latent variables of the runs, which some noise has, are not.
    """
    bound = bind(fit.model, fit.runs)
    posterior, unconstrained = (
        fit.tree[name].to_dataset() for name in ("posterior", "unconstrained_posterior")
    )
    parameters = {name: posterior[name].values for name in fit.model.roles}
    latent = unconstrained["latent"].values if "latent" in unconstrained else None
    n_draws = posterior.sizes["draw"]
    n_batches = math.ceil(n_draws * bound.run_arrays.curve.size / MAX_BATCH)
    batches = [
        _of_draws(
            DrawsAtRuns.of(
                bound,
                {name: values[:, batch] for name, values in parameters.items()},
                None if latent is None else latent[:, batch],
            )
        )
        for batch in np.array_split(np.arange(n_draws), n_batches)
    ]
    return np.concatenate(batches, axis=1)


def _of_draws(draws: DrawsAtRuns) -> np.ndarray:
    run_arrays, distribution = draws.bound.run_arrays, draws.distribution
    discrepancy = draws.bound.discrepancy
    if discrepancy is None:
        return run_arrays.sums(distribution.log_density(run_arrays.response))
    jacobian = np.log(draws.bound.model.noise.scale.slope(run_arrays.response, run_arrays.unit))
    residual = run_arrays.values - distribution.center
    arrays = residual, distribution.sigma**2, draws.tau**2
    flat = (np.ascontiguousarray(each).reshape(-1, *each.shape[2:]) for each in arrays)
    densities = np.array(
        [discrepancy.log_density_by_curve(*draw) for draw in zip(*flat, strict=True)]
    )
    return densities.reshape(*residual.shape[:2], -1) + run_arrays.sums(jacobian)
