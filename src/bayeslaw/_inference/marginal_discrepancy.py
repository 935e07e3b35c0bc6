"""The discrepancy of a model on its runs, marginalised: log density, gradients, conditional draws.

Residuals are responses minus the law on the scale of the noise. Arrays of draws are (draws, runs),
and tau2 is (draws, predictors, curves). Prediction points are given like runs: by their e-folds
from the middle of a curve and by the number of the curve; numbers past the last are curves without
runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, singledispatch
from typing import Protocol

import numpy as np

from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._kernels import brownian, knot_layout, knots
from bayeslaw._kernels.stage import Stage
from bayeslaw._kernels.stages import likelihood
from bayeslaw._law.law import Law
from bayeslaw.model.discrepancy import Brownian, Discrepancy
from bayeslaw.model.model import Model

__all__ = ["MarginalDiscrepancy", "marginal_discrepancy"]

type Draws = tuple[np.ndarray, np.ndarray, np.ndarray]


class MarginalDiscrepancy(Protocol):
    """A discrepancy on given runs."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its parameters, one per predictor."""
        ...

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Arrays that describe where the runs are, by name, as the kernels take them."""
        ...

    @property
    def likelihood(self) -> Stage:
        """The stage of the log density that marginalises it."""
        ...

    def log_density_by_curve(
        self, residual: np.ndarray, noise_variance: np.ndarray, tau2: np.ndarray
    ) -> np.ndarray:
        """Joint log density of each curve's residuals; runs (runs,), tau2 (predictors, curves)."""
        ...

    def gradients(
        self, residual: np.ndarray, noise_variance: np.ndarray, tau2: np.ndarray
    ) -> Draws:
        """Gradients of the log density with respect to all three arguments, for draws."""
        ...

    def conditional(
        self, residual: np.ndarray, noise_variance: np.ndarray, tau2: np.ndarray,
        position: np.ndarray, curve: np.ndarray, rng: np.random.Generator | None,
    ) -> Draws:  # fmt: skip
        """Mean, variance and a joint draw at points given the runs: three (draws, points).

        Without a random-number generator the draw is the mean.
        """
        ...


def marginal_discrepancy(model: Model, run_arrays: RunArrays) -> MarginalDiscrepancy | None:
    """The discrepancy of a model on its runs, if it has one."""
    if model.discrepancy is None:
        return None
    return _marginalise(model.discrepancy, model.law, run_arrays)


@singledispatch
def _marginalise(discrepancy: Discrepancy, law: Law, run_arrays: RunArrays) -> MarginalDiscrepancy:
    """A kind of discrepancy on the runs of a law; each kind registers its own."""
    raise TypeError(f"{type(discrepancy).__name__}: no density is known for this discrepancy")


@_marginalise.register
def _(discrepancy: Brownian, law: Law, run_arrays: RunArrays) -> MarginalDiscrepancy:
    names = tuple(discrepancy.parameters(law))
    if len(names) == 1:
        return BrownianDiscrepancy(names, run_arrays.position, run_arrays.curve)
    return KnotDiscrepancy(names, run_arrays.position, run_arrays.curve, discrepancy.knots)


@dataclass(frozen=True)
class BrownianDiscrepancy:
    """Along the one predictor of a law: exact, by a Kalman filter from run to run."""

    names: tuple[str, ...]
    position: np.ndarray
    curve: np.ndarray

    @cached_property
    def _filter_order(self) -> brownian.FilterOrder:
        return brownian.filter_order(self.position[0], self.curve)

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The order in which the filter visits the runs."""
        return self._filter_order._asdict()

    @property
    def likelihood(self) -> Stage:
        """By a Kalman filter."""
        return likelihood.brownian_likelihood

    def log_density_by_curve(
        self, residual: np.ndarray, noise_variance: np.ndarray, tau2: np.ndarray
    ) -> np.ndarray:
        """Joint log density of each curve."""
        return brownian.log_density_by_curve(residual, noise_variance, tau2[0], *self._filter_order)

    def gradients(
        self, residual: np.ndarray, noise_variance: np.ndarray, tau2: np.ndarray
    ) -> Draws:
        """Gradients for draws."""
        residual_bar, noise_variance_bar, tau2_bar = brownian.gradients(
            residual, noise_variance, np.ascontiguousarray(tau2[:, 0]), *self._filter_order
        )
        return residual_bar, noise_variance_bar, tau2_bar[:, None]

    def conditional(
        self, residual: np.ndarray, noise_variance: np.ndarray, tau2: np.ndarray,
        position: np.ndarray, curve: np.ndarray, rng: np.random.Generator | None,
    ) -> Draws:  # fmt: skip
        """At points given the runs: points are runs that were not observed."""
        order = brownian.filter_order(
            np.concatenate([self.position[0], position[0]]), np.concatenate([self.curve, curve])
        )
        shape = len(residual), curve.size
        residual = np.concatenate([residual, np.zeros(shape)], axis=1)
        noise_variance = np.concatenate([noise_variance, np.full(shape, np.inf)], axis=1)
        normal = knot_layout.standard_normal(rng, residual.shape)
        smoothed = brownian.smoother_draws(
            residual, noise_variance, np.ascontiguousarray(tau2[:, 0]), *order, normal
        )
        mean, variance, draw = (values[:, self.curve.size :] for values in smoothed)
        return mean, variance, draw


@dataclass(frozen=True)
class KnotDiscrepancy:
    """Along each of several predictors, on knots (inducing points)."""

    names: tuple[str, ...]
    position: np.ndarray
    curve: np.ndarray
    max_knots: int  # on one side of one predictor of one curve

    @cached_property
    def _knots(self) -> knot_layout.Knots:
        return knot_layout.knots_of(self.position, self.curve, self.max_knots)

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The knots, and between which of them the runs are."""
        return self._knots._asdict()

    @property
    def likelihood(self) -> Stage:
        """By one linear system per curve."""
        return likelihood.knots_likelihood

    def log_density_by_curve(
        self, residual: np.ndarray, noise_variance: np.ndarray, tau2: np.ndarray
    ) -> np.ndarray:
        """Joint log density of each curve."""
        return knots.log_density_by_curve(residual, noise_variance, tau2, *self._knots)

    def gradients(
        self, residual: np.ndarray, noise_variance: np.ndarray, tau2: np.ndarray
    ) -> Draws:
        """Gradients for draws."""
        return knots.gradients(residual, noise_variance, tau2, *self._knots)

    def conditional(
        self, residual: np.ndarray, noise_variance: np.ndarray, tau2: np.ndarray,
        position: np.ndarray, curve: np.ndarray, rng: np.random.Generator | None,
    ) -> Draws:  # fmt: skip
        """At points given the runs."""
        neighbours = knot_layout.knot_neighbours(self._knots, position, curve)
        shape = len(residual), self._knots.knot_position.size
        normal = knot_layout.standard_normal(rng, shape)
        mean, variance, draw = knots.conditional_draws(
            residual, noise_variance, tau2, *self._knots, *neighbours[:-1], normal
        )
        variance, draw = knot_layout.extrapolate(
            variance, draw, position, curve, neighbours.beyond, tau2, rng
        )
        return mean, variance, draw
