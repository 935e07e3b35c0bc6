"""The response in a PyMC model: law, noise, and the discrepancy as a covariance between runs."""

# PyTensor's annotations do not know that its variables can be computed with.
# pyright: reportOperatorIssue=false, reportIndexIssue=false, reportAttributeAccessIssue=false
# pyright: reportOptionalSubscript=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.marginal_discrepancy import BrownianDiscrepancy, KnotDiscrepancy
from bayeslaw._kernels.knot_layout import Knots
from bayeslaw.model.noise import Gaussian, StudentT
from bayeslaw.model.noise_kind import Noise, own_parameters, sigma_at

__all__ = ["add_likelihood"]

LATENT = "latent"  # variable of each run, given which its noise is Gaussian


def add_likelihood(bound: BoundModel, parameters: Mapping[str, Any]) -> None:
    """Register the response in the PyMC model on the context stack.

    `parameters` are those of law, noise and discrepancy (curves,), in the user's units. The
    predictors and `curve_of_run` are data of the model.
    """
    here = pm.modelcontext(None)
    at_runs = {name: values[here["curve_of_run"]] for name, values in parameters.items()}
    noise, center, sigma = _noise_at_runs(bound, at_runs)
    pm.Data("observed", bound.run_arrays.response, dims="run")
    if bound.discrepancy is None:
        own = [at_runs[name] for name in own_parameters(noise)]
        _observe(bound, _residuals(noise), (center, sigma, *own), None)
        return
    # Runs of one curve share its discrepancy.
    covariance = _covariance(bound.discrepancy, bound, at_runs) + pt.diag(sigma**2)
    _observe(bound, pm.MvNormal.dist, (center, covariance), "(r),(r,r)->(r)")


def _noise_at_runs(bound: BoundModel, at_runs: Mapping[str, Any]) -> tuple[Noise, Any, Any]:
    """Noise of the runs, with its center and standard deviation on its scale."""
    model, here, noise = bound.model, pm.modelcontext(None), bound.model.noise
    sizes = {name: here[name] for name in model.law.predictors}
    law = model.law(*sizes.values(), **{name: at_runs[name] for name in model.law.parameters})
    law = pm.Deterministic("law", law, dims="run")
    center = noise.scale.forward(law, np.float64(bound.run_arrays.unit))
    in_reference = {name: size / bound.scales[name] for name, size in sizes.items()}
    sigma = sigma_at(noise, at_runs, in_reference)
    if model.is_augmented:
        shift, sigma = noise.given(noise.latent(LATENT, "run"), sigma, at_runs)
        center, noise = center + shift, Gaussian(noise.scale)
    if "stderr" in bound.runs:
        known = pm.Data("known_error", bound.run_arrays.known_error, dims="run")
        sigma = pt.sqrt(sigma**2 + known**2)
    return noise, center, sigma


def _observe(
    bound: BoundModel,
    distribution: Callable[..., Any],
    inputs: tuple[Any, ...],
    signature: str | None,
) -> None:
    """Register the response: the inverse of its scale, of a variable with this distribution.

    PyMC derives the density, Jacobian of the scale included.
    """
    scale, unit = bound.model.noise.scale, np.float64(bound.run_arrays.unit)

    def response(*inputs: Any) -> Any:
        *parameters, size = inputs
        return scale.inverse(distribution(*parameters, size=size), unit)

    pm.CustomDist(
        bound.runs.attrs["response"], *inputs,
        dist=response, signature=signature, observed=pm.modelcontext(None)["observed"], dims="run",
    )  # fmt: skip


# Noise


@singledispatch
def _residuals(noise: Noise) -> Callable[..., Any]:
    """Distribution of a response on the scale of the noise, from its center and sigma."""
    names = own_parameters(noise)

    def log_density(value: Any, center: Any, sigma: Any, *own: Any) -> Any:
        return noise.log_density(value - center, sigma, dict(zip(names, own, strict=True)))

    def draw(center: Any, sigma: Any, *own: Any, rng: Any = None, size: Any = None) -> Any:
        sigma = np.broadcast_to(sigma, np.broadcast_shapes(np.shape(center), np.shape(sigma)))
        return center + noise.draw(rng, sigma, dict(zip(names, own, strict=True)))

    def distribution(*parameters: Any, size: Any = None) -> Any:
        return pm.CustomDist.dist(*parameters, logp=log_density, random=draw, size=size)

    return distribution


@_residuals.register
def _(noise: Gaussian) -> Callable[..., Any]:
    return pm.Normal.dist


@_residuals.register
def _(noise: StudentT) -> Callable[..., Any]:
    nu = np.float64(noise.nu)  # PyTensor stores Python floats in single precision
    return lambda center, sigma, size=None: pm.StudentT.dist(nu, mu=center, sigma=sigma, size=size)


# Discrepancy


@singledispatch
def _covariance(discrepancy: Any, bound: BoundModel, at_runs: Mapping[str, Any]) -> Any:
    """Covariance (runs, runs) of a discrepancy on the scale of the noise."""
    raise TypeError(f"{type(discrepancy).__name__}: no covariance is known for this discrepancy")


@_covariance.register
def _(discrepancy: BrownianDiscrepancy, bound: BoundModel, at_runs: Mapping[str, Any]) -> Any:
    [tau], [predictor] = discrepancy.names, bound.model.law.predictors
    position = _position(bound, 0, predictor)
    return _scaled(at_runs[tau], position, _shared(abs(position)))


@_covariance.register
def _(discrepancy: KnotDiscrepancy, bound: BoundModel, at_runs: Mapping[str, Any]) -> Any:
    total: Any = 0.0
    layout = Knots(**discrepancy.arrays)
    for i, (tau, predictor) in enumerate(
        zip(discrepancy.names, bound.model.law.predictors, strict=True)
    ):
        position = _position(bound, i, predictor)
        knots = pm.Data(f"knots_{predictor}", _knots(layout, i))
        own = knots[:, pt.ge(position, 0).astype(int), pm.modelcontext(None)["curve_of_run"]]
        total += _scaled(at_runs[tau], position, _shared_on_knots(abs(position), own))
    return total


def _position(bound: BoundModel, i: int, predictor: str) -> Any:
    """Signed distance (runs,) from the middle of the curve, in e-folds; registers the middle."""
    pivot = bound.run_arrays.frame.pivot[i] * bound.scales[predictor]
    pivot = pm.Data(f"pivot_{predictor}", pivot, dims="curve")
    here = pm.modelcontext(None)
    return pt.log(here[predictor]) - pt.log(pivot)[here["curve_of_run"]]


def _scaled(tau: Any, position: Any, shared: Any) -> Any:
    """Covariance from what two runs share on one side of the middle of one curve."""
    curve = pm.modelcontext(None)["curve_of_run"]
    related = pt.eq(*_pairs(curve)) & pt.gt(pt.outer(position, position), 0)
    return pt.where(related, pt.outer(tau, tau) * shared, 0.0)


def _shared(distance: Any) -> Any:
    """Brownian motion: the distance that two runs have in common."""
    return pt.minimum(*_pairs(distance))


def _shared_on_knots(distance: Any, knots: Any) -> Any:
    """Brownian motion at knots (knots, runs), linear between them, and free beyond the last."""
    inner = pt.max(pt.where(knots < distance, knots, 0.0), axis=0)
    outer = pt.min(pt.where(knots < distance, np.inf, knots), axis=0)
    one, other = _pairs((distance - inner) / pt.sqrt(outer - inner))
    between = pt.eq(*_pairs(inner)) & pt.isfinite(outer)
    return pt.where(between, inner + one * other, _shared(distance))


def _pairs(values: Any) -> tuple[Any, Any]:
    return values[:, None], values[None, :]


def _knots(layout: Knots, predictor: int) -> np.ndarray:
    """Distances of knots from the middle (knots, sides, curves), filled up with infinity."""
    number = np.arange(layout.inward.size)
    place = number - np.maximum.accumulate(np.where(layout.inward < 0, number, 0))
    curve = np.repeat(np.arange(layout.first_knot.size - 1), np.diff(layout.first_knot))
    table = np.full((place.max(initial=0) + 1, 2, layout.first_knot.size - 1), np.inf)
    own = layout.predictor == predictor
    side = (layout.knot_position > 0).astype(int)
    table[place[own], side[own], curve[own]] = np.abs(layout.knot_position[own])
    return table
