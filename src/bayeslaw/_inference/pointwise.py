"""What draws of the parameters say of responses, at the runs that were fitted and elsewhere.

Arrays are (chain, draw, run). Centers and scatter are on the scale of the noise; see
`bayeslaw.scales`. A center that is not a number is a law's value that the scale cannot hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.marginal_discrepancy import marginal_discrepancy
from bayeslaw._inference.posterior import law_values
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._kernels.brownian import leave_one_out_moments
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, Noise, sigma_at

__all__ = [
    "DrawsAtRuns",
    "PredictionPoints",
    "ResponseDistribution",
    "response_distribution",
    "tau_by_predictor",
]

AT_ONCE = 4_000_000  # draws times places that are worked on together


@dataclass(frozen=True)
class ResponseDistribution:
    """Responses about the law given draws, before what the law gets wrong.

    Parameters
    ----------
    law : array
        Values of the law, in the response's units.
    unit : float
        Unit of the scale of the noise.
    center : array
        The law, and what is known of the noise of the runs that were fitted.
    sigma : array
        Scatter that is left, known standard errors included.
    noise : Noise
        Its kind.
    parameters : mapping of str to array
        Its parameters.
    """

    law: np.ndarray
    unit: float
    center: np.ndarray
    sigma: np.ndarray
    noise: Noise
    parameters: Mapping[str, np.ndarray]

    def curve(self, wrong: Any = 0.0) -> np.ndarray:
        """The law and what it gets wrong, in the response's units."""
        return self._in_units(self.center + wrong)

    def draw(self, rng: np.random.Generator, wrong: Any = 0.0) -> np.ndarray:
        """New responses, in the response's units."""
        return self._in_units(
            self.center + wrong + self.noise.draw(rng, self.sigma, self.parameters)
        )

    def log_density(self, observed: np.ndarray) -> np.ndarray:
        """Log density of raw responses, minus infinity where the center is not a number."""
        scale = self.noise.scale
        with np.errstate(invalid="ignore", divide="ignore"):
            residual = scale.forward(observed, self.unit) - self.center
            density = self.noise.log_density(residual, self.sigma, self.parameters)
            density = density + np.log(scale.slope(observed, self.unit))
        return np.where(np.isnan(self.center), -np.inf, density)

    def _in_units(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            drawn = self.noise.scale.inverse(values, self.unit)
        return np.where(np.isnan(self.center), self.law, drawn)


@dataclass(frozen=True)
class PredictionPoints:
    """Where a discrepancy is asked for.

    Parameters
    ----------
    sizes : array (predictors, places)
        Predictors in units of their reference.
    curve : int array (places,)
        Number of the curve among those fitted; numbers past the last are new curves.
    tau : array (chain, draw, predictors, new curves)
        Discrepancy of the new curves.
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
    """Scatter of runs about the law, known standard errors apart.

    Parameters
    ----------
    model : Model
        The model.
    law : array (chain, draw, run)
        Values of the law.
    unit : float
        Unit of the scale of the noise.
    parameters : mapping of str to array (chain, draw, run)
        Parameters of noise and discrepancy.
    sizes : mapping of str to array (run,)
        Predictors in units of their reference.
    latent : array (chain, draw, run), optional
        The number of each run given which the noise is Gaussian; without it, that of new runs.

    Returns
    -------
    Scatter
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
    """The runs that were fitted, as draws see them.

    Parameters
    ----------
    model : Model
        The model.
    design : RunArrays
        The runs.
    scatter : Scatter
        Of the runs, with the latent numbers that were sampled.
    tau : array (chain, draw, predictors, curves)
        Discrepancy of each curve; of no predictor where there is none.
    """

    model: Model
    run_arrays: RunArrays
    distribution: ResponseDistribution
    tau: np.ndarray

    @classmethod
    def of(
        cls,
        model: Model,
        run_arrays: RunArrays,
        parameters: Mapping[str, np.ndarray],
        runs: xr.Dataset,
        latent: np.ndarray | None = None,
    ) -> DrawsAtRuns:
        """From parameters (chain, draw, curve) in the user's units."""
        predictors = {name: runs[name].values for name in model.law.predictors}
        law = law_values(model, parameters, predictors, run_arrays.curve)
        beside = {name: parameters[name][..., run_arrays.curve] for name in model.nuisance_roles}
        sizes = dict(zip(model.law.predictors, run_arrays.predictors, strict=True))
        found = response_distribution(model, law, run_arrays.unit, beside, sizes, latent)
        found = replace(found, sigma=np.hypot(found.sigma, run_arrays.known_error))
        return cls(model, run_arrays, found, tau_by_predictor(model, parameters))

    def pointwise_log_likelihood(self) -> np.ndarray:
        """Log density of each raw response given the parameters and, if they depend, all others.

        Returns
        -------
        array (chain, draw, run)
        """
        wrong, run_arrays = marginal_discrepancy(self.model, self.run_arrays), self.run_arrays
        if wrong is None:
            return self.distribution.log_density(run_arrays.response)
        slope = np.log(self.model.noise.scale.slope(run_arrays.response, run_arrays.unit))

        def each(part: slice) -> tuple[np.ndarray]:
            residual, variance, tau2 = self._draws(part)
            bars = wrong.gradients(residual, variance, tau2)
            mean, total = leave_one_out_moments(residual, variance, *bars[:2])
            return (Gaussian().log_density(residual - mean, np.sqrt(total), {}) + slope,)

        return self._in_parts(each, run_arrays.curve.size)[0]

    def discrepancy_at_runs(self, rng: np.random.Generator, *, is_conditional: bool = True) -> Any:
        """A joint draw of what the law gets wrong at the runs; zero without a discrepancy."""
        if self.model.discrepancy is None:
            return 0.0
        none = np.empty((*self.tau.shape[:3], 0))
        here = PredictionPoints(np.array(self.run_arrays.predictors), self.run_arrays.curve, none)
        return self.discrepancy_at(here, rng, is_conditional=is_conditional)[2]

    def discrepancy_at(
        self, places: PredictionPoints, rng: np.random.Generator, *, is_conditional: bool = True
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the law gets wrong at places.

        Parameters
        ----------
        places : Places
            Where.
        rng : numpy.random.Generator
            Source of randomness.
        is_conditional : bool
            Whether the responses of the runs are known.

        Returns
        -------
        tuple
            Mean, variance and a joint draw, each (chain, draw, place), on the scale of the noise.
        """
        run_arrays, wrong = self.run_arrays, marginal_discrepancy(self.model, self.run_arrays)
        assert wrong is not None
        position = run_arrays.position_of(places.sizes, places.curve)
        tau = np.concatenate([self.tau, places.tau], axis=-1)

        def each(part: slice) -> tuple[np.ndarray, ...]:
            residual, variance, _ = self._draws(part)
            if not is_conditional:
                residual, variance = np.zeros(residual.shape), np.full(variance.shape, np.inf)
            tau2 = _flat(tau)[part] ** 2
            return wrong.conditional(residual, variance, tau2, position, places.curve, rng)

        mean, variance, draw = self._in_parts(each, run_arrays.curve.size + places.curve.size)
        return mean, variance, draw

    def _draws(self, part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residuals, variances and squared tau of some draws."""
        residual = self.run_arrays.values - _flat(self.distribution.center)[part]
        return residual, _flat(self.distribution.sigma)[part] ** 2, _flat(self.tau)[part] ** 2

    def _in_parts(
        self, each: Callable[[slice], tuple[np.ndarray, ...]], width: int
    ) -> list[np.ndarray]:
        """Results (chain, draw, ...) of a function of some of the draws, a part at a time."""
        shape = self.distribution.center.shape[:2]
        size, step = shape[0] * shape[1], max(1, AT_ONCE // max(width, 1))
        parts = [each(slice(low, low + step)) for low in range(0, size, step)]
        return [np.concatenate(values).reshape(*shape, -1) for values in zip(*parts, strict=True)]


def tau_by_predictor(model: Model, parameters: Mapping[str, np.ndarray]) -> np.ndarray:
    """The discrepancy of curves, one predictor after the other.

    Parameters
    ----------
    model : Model
        The model.
    parameters : mapping of str to array (chain, draw, curve)
        Its parameters.

    Returns
    -------
    array (chain, draw, predictors, curves)
        Of no predictor where there is no discrepancy.
    """
    names = model.discrepancy.parameters(model.law) if model.discrepancy else {}
    like = parameters["sigma"]
    each = [parameters[name] for name in names]
    return np.stack(each, axis=2) if each else np.empty((*like.shape[:2], 0, like.shape[2]))


def _flat(values: np.ndarray) -> np.ndarray:
    """Chains and draws in one dimension, values contiguous."""
    chains, draws, *shape = values.shape  # told in full: there may be no runs
    return np.ascontiguousarray(values.reshape(chains * draws, *shape))
