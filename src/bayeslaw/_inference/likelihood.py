"""The density of the responses in a PyMC model: noise, and discrepancy where there is one."""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayeslaw._inference.marginal_discrepancy import MarginalDiscrepancy, marginal_discrepancy
from bayeslaw._inference.model_data import DISCREPANCY_PREFIX
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, Noise, sigma_at

__all__ = ["add_likelihood"]


def add_likelihood(
    name: str,
    model: Model,
    run_arrays: RunArrays,
    data: Mapping[str, Any],
    parameters: Mapping[str, Any],
    latent: Any,
) -> None:
    """Register the observed responses in the PyMC model on the context stack.

    Parameters
    ----------
    name : str
        Name of the response.
    model : Model
        The model.
    design : RunArrays
        The runs.
    data : mapping of str to tensor
        As of `bayeslaw.model_data`.
    parameters : mapping of str to tensor
        Parameters per curve, of the law at the reference.
    latent : tensor or None
        The number of each run that the noise is Gaussian given.
    """
    curve, predictors = data["curve_of_run"], model.law.predictors
    sizes = {predictor: data[f"predictor_{i}"] for i, predictor in enumerate(predictors)}
    on_runs = {n: v[curve] if getattr(v, "ndim", 0) else v for n, v in parameters.items()}
    law = model.law(*sizes.values(), **{n: on_runs[n] for n in model.law.parameters})
    unit = data["unit"]
    center, sigma = model.noise.scale.forward(law, unit), sigma_at(model.noise, on_runs, sizes)
    noise: Noise = model.noise
    if latent is not None:
        shift, sigma = model.noise.given(latent, sigma, on_runs)
        center, noise = center + shift, Gaussian(model.noise.scale)
    sigma = pt.sqrt(sigma**2 + data["known_error"] ** 2)
    wrong = marginal_discrepancy(model, run_arrays)
    if wrong is None:
        _independent(name, noise, center, sigma, unit, data["observed"])
    else:
        curves = pm.modelcontext(None).dim_lengths["curve"]  # other runs may have other curves
        tau = pt.stack([parameters[n] * pt.ones(curves) for n in wrong.names])
        _dependent(name, noise, wrong, run_arrays, center, sigma, tau, data)


def _independent(
    name: str, noise: Noise, center: Any, sigma: Any, unit: Any, observed: Any
) -> None:
    def log_density(value: Any, center: Any, sigma: Any, unit: Any) -> Any:
        density = noise.log_density(noise.scale.forward(value, unit) - center, sigma, {})
        return density + pt.log(noise.scale.slope(value, unit))

    def draw(center: Any, sigma: Any, unit: Any, rng: Any = None, size: Any = None) -> Any:
        sigma = np.broadcast_to(sigma, np.broadcast_shapes(np.shape(center), np.shape(sigma)))
        return noise.scale.inverse(center + noise.draw(rng, sigma, {}), unit)

    pm.CustomDist(
        name, center, sigma, unit, logp=log_density, random=draw, observed=observed, dims="run"
    )


def _dependent(
    name: str,
    noise: Noise,
    wrong: MarginalDiscrepancy,
    run_arrays: RunArrays,
    center: Any,
    sigma: Any,
    tau: Any,
    data: Mapping[str, Any],
) -> None:
    def log_density(value: Any, center: Any, sigma: Any, tau: Any, unit: Any, *where: Any) -> Any:
        residual = noise.scale.forward(value, unit) - center
        density = wrong.log_density(residual, sigma**2, tau**2, where)
        return density + pt.sum(pt.log(noise.scale.slope(value, unit)))

    def draw(
        center: Any, sigma: Any, tau: Any, unit: Any, *where: Any, rng: Any = None, size: Any = None
    ) -> Any:
        unseen = np.zeros((1, sigma.size)), np.full((1, sigma.size), np.inf)
        delta = wrong.conditional(
            *unseen, tau[None] ** 2, run_arrays.position, run_arrays.curve, rng
        )[2][0]
        return noise.scale.inverse(center + delta + sigma * rng.standard_normal(sigma.shape), unit)

    where = [data[f"{DISCREPANCY_PREFIX}{key}"] for key in wrong.arrays]
    shapes = ",".join(["(r)", "(r)", "(p,c)", "()", *wrong.signature])
    pm.CustomDist(
        name, center, sigma, tau, data["unit"], *where,
        logp=log_density, random=draw, observed=data["observed"],
        signature=f"{shapes}->(r)", dims="run",
    )  # fmt: skip
