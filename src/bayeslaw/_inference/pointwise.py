"""Pointwise distributions of responses given posterior draws, at fitted runs and prediction points.

Arrays are (chain, draw, run). Centers, sigmas and discrepancies are on the noise's response scale;
a center is NaN where that scale cannot represent the law's value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.posterior import law_values
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian
from bayeslaw.model.noise_kind import Noise, sigma_at

__all__ = [
    "DrawsAtRuns",
    "PredictionPoints",
    "ResponseDistribution",
    "batches",
    "response_distribution",
    "tau_by_predictor",
]

BATCH_SIZE = 4_000_000  # draws times runs that are computed in one batch
IN_CACHE = 100_000  # the same, of arrays that stay in the processor's cache


@dataclass(frozen=True)
class ResponseDistribution:
    """Distribution of responses about the law given draws, without the discrepancy.

    `law` is in the response's units; `center` is the law on the noise's scale, plus the noise's
    conditional mean where that is known; `sigma` includes known standard errors. `parameters` are
    those of the noise.
    """

    law: np.ndarray
    unit: float
    center: np.ndarray
    sigma: np.ndarray
    noise: Noise
    parameters: Mapping[str, np.ndarray]

    def curve(self, discrepancy: Any = 0.0) -> np.ndarray:
        """The law plus its discrepancy, in the response's units."""
        return self._to_response(self.center + discrepancy)

    def draw(self, rng: np.random.Generator, discrepancy: Any = 0.0) -> np.ndarray:
        """New responses, in the response's units."""
        values = self.center + discrepancy
        values += self.noise.draw(rng, self.sigma, self.parameters)
        return self._to_response(values)

    def run(self, discrepancy: Any, residual: Any) -> np.ndarray:
        """Responses with given residuals about the curve, in the response's units."""
        return self._to_response(self.center + discrepancy + residual)

    def log_density(self, observed: np.ndarray) -> np.ndarray:
        """Log density of raw responses, minus infinity where the center is NaN."""
        scale = self.noise.scale
        with np.errstate(invalid="ignore", divide="ignore"):
            residual = scale.forward(observed, self.unit) - self.center
            density = self.noise.log_density(residual, self.sigma, self.parameters)
            density = density + np.log(scale.slope(observed, self.unit))
        return np.where(np.isnan(self.center), -np.inf, density)

    def _to_response(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            response = self.noise.scale.inverse(values, self.unit)
        outside = np.isnan(self.center)
        return np.where(outside, self.law, response) if outside.any() else response


@dataclass(frozen=True)
class PredictionPoints:
    """Points at which to predict the discrepancy.

    `sizes` (predictors, points) are in units of the reference. `curve` (points,) indexes the fitted
    curves; indices past the last are new curves, with `tau` (chain, draw, predictors, new curves).
    """

    sizes: np.ndarray
    curve: np.ndarray
    tau: np.ndarray


def response_distribution(
    model: Model,
    law: np.ndarray,
    unit: float,
    parameters: Mapping[str, np.ndarray],
    sizes: Mapping[str, np.ndarray],
    latent: np.ndarray | None = None,
) -> ResponseDistribution:
    """Distribution of runs about the law (chain, draw, run), without known standard errors.

    `parameters` (chain, draw, run) are those of noise and discrepancy, `sizes` (run,) the
    predictors in units of their reference, `latent` (chain, draw, run) the latent variable of each
    run, given which the noise is Gaussian; without it, the distribution is that of new runs.
    """
    noise: Noise = model.noise
    sigma = sigma_at(noise, parameters, sizes)
    with np.errstate(invalid="ignore", divide="ignore"):
        center = np.where(noise.scale.holds(law), noise.scale.forward(law, unit), np.nan)
    if latent is not None:
        shift, sigma = noise.given(latent, sigma, parameters)
        center, noise = center + shift, Gaussian(noise.scale)
    return ResponseDistribution(
        law, unit, center, np.broadcast_to(sigma, center.shape), noise, parameters
    )


@dataclass(frozen=True)
class DrawsAtRuns:
    """Posterior draws evaluated at the fitted runs.

    `distribution` is that of the runs given their latent variables. `tau` (chain, draw, predictors,
    curves) is the scale of each curve's discrepancy; it has no predictors if there is none.
    """

    bound: BoundModel
    distribution: ResponseDistribution
    tau: np.ndarray

    @classmethod
    def of(
        cls,
        bound: BoundModel,
        parameters: Mapping[str, np.ndarray],
        latent: np.ndarray | None = None,
    ) -> DrawsAtRuns:
        """From parameters (chain, draw, curve) in the user's units."""
        model, run_arrays, law = bound.model, bound.run_arrays, _law_at_runs(bound, parameters)
        of_noise = {
            name: parameters[name][..., run_arrays.curve] for name in model.noise.parameters
        }
        sizes = dict(zip(model.law.predictors, run_arrays.predictors, strict=True))
        about_law = response_distribution(model, law, run_arrays.unit, of_noise, sizes, latent)
        about_law = replace(about_law, sigma=np.hypot(about_law.sigma, run_arrays.known_error))
        return cls(bound, about_law, tau_by_predictor(model, parameters))

    def pointwise_log_likelihood(self) -> np.ndarray:
        """Log density of each raw response given the parameters, shape (chain, draw, run).

        With a discrepancy the responses of a curve are dependent, and each is conditional on all
        the others (leave-one-out).
        """
        discrepancy, run_arrays = self.bound.discrepancy, self.bound.run_arrays
        if discrepancy is None:
            return self.distribution.log_density(run_arrays.response)
        slope = np.log(self.bound.model.noise.scale.slope(run_arrays.response, run_arrays.unit))

        from bayeslaw._kernels.brownian import leave_one_out_moments  # slow to import

        def log_density(batch: slice) -> tuple[np.ndarray]:
            residual, variance, tau2 = self._residuals(batch)
            gradients = discrepancy.gradients(residual, variance, tau2)
            mean, total = leave_one_out_moments(residual, variance, *gradients[:2])
            return (Gaussian().log_density(residual - mean, np.sqrt(total), {}) + slope,)

        return self._in_batches(log_density, run_arrays.curve.size)[0]

    def discrepancy_at_runs(self, rng: np.random.Generator, *, is_conditional: bool = True) -> Any:
        """A joint draw of the discrepancy at the runs; zero if the model has none."""
        if self.bound.discrepancy is None:
            return 0.0
        no_tau, run_arrays = np.empty((*self.tau.shape[:3], 0)), self.bound.run_arrays
        points = PredictionPoints(np.array(run_arrays.predictors), run_arrays.curve, no_tau)
        [draw] = self._discrepancy(points, rng, is_conditional, slice(2, None))
        return draw

    def discrepancy_at(
        self,
        points: PredictionPoints,
        rng: np.random.Generator | None,
        *,
        is_conditional: bool = True,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, variance and a joint draw of the discrepancy, each (chain, draw, point).

        Conditional on the responses of the runs, or from the prior of the discrepancy. Without a
        random-number generator the draw is the mean.
        """
        mean, variance, draw = self._discrepancy(points, rng, is_conditional, slice(None))
        return mean, variance, draw

    def _discrepancy(
        self,
        points: PredictionPoints,
        rng: np.random.Generator | None,
        is_conditional: bool,
        selected: slice,
    ) -> list[np.ndarray]:
        """Those of the three results of `discrepancy_at` that are selected."""
        discrepancy, run_arrays = self.bound.discrepancy, self.bound.run_arrays
        assert discrepancy is not None
        position = run_arrays.position_of(points.sizes, points.curve)
        tau = np.concatenate([self.tau, points.tau], axis=-1)

        def moments_and_draw(batch: slice) -> tuple[np.ndarray, ...]:
            residual, variance, _ = self._residuals(batch)
            if not is_conditional:
                residual, variance = np.zeros(residual.shape), np.full(variance.shape, np.inf)
            tau2 = _flat(tau)[batch] ** 2
            at_points = position, points.curve, rng
            return discrepancy.conditional(residual, variance, tau2, *at_points)[selected]

        return self._in_batches(moments_and_draw, run_arrays.curve.size + points.curve.size)

    def _residuals(self, batch: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residuals, noise variances and squared tau of a batch of draws."""
        residual = self.bound.run_arrays.values - _flat(self.distribution.center)[batch]
        return residual, _flat(self.distribution.sigma)[batch] ** 2, _flat(self.tau)[batch] ** 2

    def _in_batches(
        self, function: Callable[[slice], tuple[np.ndarray, ...]], width: int
    ) -> list[np.ndarray]:
        """Results (chain, draw, ...) of a function of a slice of draws, `width` numbers a draw."""
        shape = self.distribution.center.shape[:2]
        size = shape[0] * shape[1]
        results: list[np.ndarray] = []
        for batch in batches(size, width):
            some = function(batch)
            results = results or [np.empty((size, *values.shape[1:])) for values in some]
            for result, values in zip(results, some, strict=True):
                result[batch] = values
        return [result.reshape(*shape, -1) for result in results]


def batches(draws: int, width: int, most: int = BATCH_SIZE) -> Iterator[slice]:
    """Slices of draws of `width` numbers each, with at most so many numbers if it can be."""
    step = max(1, most // max(1, width))
    return (slice(low, low + step) for low in range(0, draws, step))


def _law_at_runs(bound: BoundModel, parameters: Mapping[str, np.ndarray]) -> np.ndarray:
    """The law at the runs (chain, draw, run), in batches that stay in the processor's cache."""
    model, curve = bound.model, bound.run_arrays.curve
    predictors = {name: bound.runs[name].values for name in model.law.predictors}
    chains, draws = np.shape(parameters["sigma"])[:2]
    result = np.empty((chains, draws, curve.size))
    for batch in batches(draws, curve.size, IN_CACHE):
        some = {n: parameters[n][:, batch] for n in model.law.parameters}
        result[:, batch] = law_values(model, some, predictors, curve)
    return result


def tau_by_predictor(model: Model, parameters: Mapping[str, np.ndarray]) -> np.ndarray:
    """Scales of the discrepancy, (chain, draw, predictors, curves); no predictors if there is none.

    `parameters` are (chain, draw, curve).
    """
    names = model.discrepancy.parameters(model.law) if model.discrepancy else {}
    like = parameters["sigma"]
    rows = [parameters[name] for name in names]
    return np.stack(rows, axis=2) if rows else np.empty((*like.shape[:2], 0, like.shape[2]))


def _flat(values: np.ndarray) -> np.ndarray:
    """Chains and draws in one dimension, values contiguous."""
    chains, draws, *shape = values.shape  # not -1, as there may be no runs
    return np.ascontiguousarray(values.reshape(chains * draws, *shape))
