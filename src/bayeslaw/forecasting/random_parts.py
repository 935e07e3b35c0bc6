"""Random parts of a forecast: discrepancy and noise, joint over its points or of each by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayeslaw._arguments import POSITIVE
from bayeslaw._inference.pointwise import ResponseDistribution
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.curve_lookup import CurveParameters
from bayeslaw.forecasting.predictive_at import DiscrepancyAt, discrepancy_at
from bayeslaw.priors import Fixed, LogNormal

__all__ = ["JointDraws", "MarginalDraws"]

type Shape = tuple[int, ...]


class JointDraws:
    """Joint over all points of a forecast: those of one draw belong to one curve."""

    are_joint = True

    def __init__(self, random_seed: int) -> None:
        self._rng = np.random.default_rng([random_seed, 3])

    def discrepancy(
        self, fit: Fit, curves: CurveParameters, sizes: dict[str, np.ndarray]
    ) -> DiscrepancyAt:
        """A joint draw of the discrepancy."""
        return discrepancy_at(fit, curves, sizes, self._rng)

    def noise_of_curves(self, noise: Fixed | LogNormal, shape: Shape) -> np.ndarray:
        """One for each curve and draw."""
        return _draw_noise(noise, shape, self._rng)

    def new_run(self, response: ResponseDistribution, discrepancy: np.ndarray) -> np.ndarray:
        """Noise that is independent from point to point."""
        return response.draw(self._rng, discrepancy)


class MarginalDraws:
    """Of each point by itself, with the same random numbers at all points.

    What is drawn at a point does not depend on the other points, so that they can be drawn in
    blocks; and bands along a curve are as smooth as the curve. Draws of several points are not
    joint: each point has the right distribution, and differences between points have not.
    """

    are_joint = False

    def __init__(self, random_seed: int) -> None:
        self._seed = random_seed

    def discrepancy(
        self, fit: Fit, curves: CurveParameters, sizes: dict[str, np.ndarray]
    ) -> DiscrepancyAt:
        """The conditional distribution at each point, and a draw from it."""
        at = discrepancy_at(fit, curves, sizes, None)
        normal = self._rng(3).standard_normal((*at.mean.shape[:2], 1))
        return replace(at, draw=at.mean + np.sqrt(at.variance) * normal)

    def noise_of_curves(self, noise: Fixed | LogNormal, shape: Shape) -> np.ndarray:
        """The same for all curves."""
        return np.broadcast_to(_draw_noise(noise, (*shape[:2], 1), self._rng(8)), shape)

    def new_run(self, response: ResponseDistribution, discrepancy: np.ndarray) -> np.ndarray:
        """Noise from the same random numbers at all points."""
        return response.run(discrepancy, self._residual(response))

    def _residual(self, response: ResponseDistribution) -> np.ndarray:
        """Noise (chain, draw, run), drawn again only where its parameters differ."""
        noise, residual = response.noise, np.empty(response.sigma.shape)
        rows = {name: response.parameters[name] for name in noise.parameters}
        rows = {name: values for name, values in rows.items() if name != "sigma"}
        for i, first in enumerate(_first_alike([response.sigma, *rows.values()])):
            if i != first:
                residual[..., i] = residual[..., first]
                continue
            parameters = {name: values[..., i] for name, values in rows.items()}
            residual[..., i] = noise.draw(self._rng(9), response.sigma[..., i], parameters)
        return residual

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, stream])


def _first_alike(arrays: list[np.ndarray]) -> list[int]:
    """For each point, the first of those up to it that have the same values; (..., run)."""
    n_runs = arrays[0].shape[-1]
    changes = np.zeros(n_runs, dtype=bool)
    for values in arrays:
        flat = values.reshape(-1, n_runs)
        changes[1:] |= (flat[:, 1:] != flat[:, :-1]).any(axis=0)
    return np.maximum.accumulate(np.where(changes, np.arange(n_runs), 0)).tolist()


def _draw_noise(noise: Fixed | LogNormal, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    match noise:
        case Fixed(value):
            return np.full(shape, POSITIVE.check("noise", value))
        case LogNormal(median, factor):
            return median * factor ** rng.standard_normal(shape)
    raise TypeError(f"noise takes bl.Fixed or bl.LogNormal, got {noise!r}")
