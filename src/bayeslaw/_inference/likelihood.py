"""Likelihood: the density of the responses in a PyMC model, with the discrepancy marginalised."""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.marginal_discrepancy import MarginalDiscrepancy
from bayeslaw._inference.model_data import DISCREPANCY_PREFIX
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw.model.noise import Gaussian
from bayeslaw.model.noise_kind import Noise, own_parameters, sigma_at

__all__ = ["add_likelihood"]


def add_likelihood(
    bound: BoundModel, data: Mapping[str, Any], parameters: Mapping[str, Any], latent: Any
) -> None:
    """Register the observed responses in the PyMC model on the context stack.

    `data` are the tensors of `ModelData`, `parameters` those of the law (at the reference), noise
    and discrepancy, per curve. `latent` is the latent variable of each run, for noise that is
    Gaussian given one.
    """
    model, name = bound.model, bound.runs.attrs["response"]
    curve, predictors = data["curve_of_run"], model.law.predictors
    sizes = {predictor: data[f"predictor_{i}"] for i, predictor in enumerate(predictors)}
    at_runs = {n: v[curve] if getattr(v, "ndim", 0) else v for n, v in parameters.items()}
    law = model.law(*sizes.values(), **{n: at_runs[n] for n in model.law.parameters})
    unit = data["unit"]
    center, sigma = model.noise.scale.forward(law, unit), sigma_at(model.noise, at_runs, sizes)
    noise: Noise = model.noise
    if latent is not None:
        shift, sigma = model.noise.given(latent, sigma, at_runs)
        center, noise = center + shift, Gaussian(model.noise.scale)
    sigma = pt.sqrt(sigma**2 + data["known_error"] ** 2)
    discrepancy = bound.discrepancy
    if discrepancy is None:
        own = {n: at_runs[n] for n in own_parameters(noise)}
        _add_independent(name, noise, center, sigma, own, unit, data["observed"])
    else:
        curves = pm.modelcontext(None).dim_lengths["curve"]  # other runs may have other curves
        tau = pt.stack([parameters[n] * pt.ones(curves) for n in discrepancy.names])
        _add_dependent(name, noise, discrepancy, bound.run_arrays, center, sigma, tau, data)


def _add_independent(
    name: str,
    noise: Noise,
    center: Any,
    sigma: Any,
    own: Mapping[str, Any],
    unit: Any,
    observed: Any,
) -> None:
    def log_density(value: Any, center: Any, sigma: Any, unit: Any, *values: Any) -> Any:
        residual = noise.scale.forward(value, unit) - center
        density = noise.log_density(residual, sigma, dict(zip(own, values, strict=True)))
        return density + pt.log(noise.scale.slope(value, unit))

    def draw(
        center: Any, sigma: Any, unit: Any, *values: Any, rng: Any = None, size: Any = None
    ) -> Any:
        sigma = np.broadcast_to(sigma, np.broadcast_shapes(np.shape(center), np.shape(sigma)))
        drawn = noise.draw(rng, sigma, dict(zip(own, values, strict=True)))
        return noise.scale.inverse(center + drawn, unit)

    pm.CustomDist(
        name, center, sigma, unit, *own.values(),
        logp=log_density, random=draw, observed=observed, dims="run",
    )  # fmt: skip


def _add_dependent(
    name: str,
    noise: Noise,
    discrepancy: MarginalDiscrepancy,
    run_arrays: RunArrays,
    center: Any,
    sigma: Any,
    tau: Any,
    data: Mapping[str, Any],
) -> None:
    def log_density(value: Any, center: Any, sigma: Any, tau: Any, unit: Any, *arrays: Any) -> Any:
        residual = noise.scale.forward(value, unit) - center
        density = discrepancy.log_density(residual, sigma**2, tau**2, arrays)
        return density + pt.sum(pt.log(noise.scale.slope(value, unit)))

    def draw(
        center: Any,
        sigma: Any,
        tau: Any,
        unit: Any,
        *arrays: Any,
        rng: Any = None,
        size: Any = None,
    ) -> Any:
        unobserved = np.zeros((1, sigma.size)), np.full((1, sigma.size), np.inf)
        delta = discrepancy.conditional(
            *unobserved, tau[None] ** 2, run_arrays.position, run_arrays.curve, rng
        )[2][0]
        return noise.scale.inverse(center + delta + sigma * rng.standard_normal(sigma.shape), unit)

    arrays = [data[f"{DISCREPANCY_PREFIX}{key}"] for key in discrepancy.arrays]
    shapes = ",".join(["(r)", "(r)", "(p,c)", "()", *discrepancy.signature])
    pm.CustomDist(
        name, center, sigma, tau, data["unit"], *arrays,
        logp=log_density, random=draw, observed=data["observed"],
        signature=f"{shapes}->(r)", dims="run",
    )  # fmt: skip
