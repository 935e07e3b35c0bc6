"""The discrepancy of a model on its runs: its density in a graph, and what runs tell of it.

Residuals are responses minus the law on the scale of the noise. Arrays of draws are (draws, runs),
and tau is (draws, predictors, curves). Places are given like runs: by their e-folds from the
middle of a curve and by the number of the curve; numbers past the last are curves without runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from bayeslaw._inference.kernel_operations import brownian_log_density, knots_log_density
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._kernels import brownian, knot_layout, knots
from bayeslaw.model.model import Model

__all__ = ["MarginalDiscrepancy", "marginal_discrepancy"]

type Draws = tuple[np.ndarray, np.ndarray, np.ndarray]


class MarginalDiscrepancy(Protocol):
    """The discrepancy on runs."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its parameters, one per predictor."""
        ...

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Where the runs are, as the operations take it."""
        ...

    @property
    def signature(self) -> tuple[str, ...]:
        """Dimensions of the arrays, for PyMC."""
        ...

    def log_density(self, residual: Any, variance: Any, tau2: Any, where: Any) -> Any:
        """Joint log density of the residuals in a graph; variance is that of the noise."""
        ...

    def log_density_by_curve(
        self, residual: np.ndarray, variance: np.ndarray, tau2: np.ndarray
    ) -> np.ndarray:
        """Joint log density of the residuals (runs,) of each curve; tau2 (predictors, curves)."""
        ...

    def gradients(self, residual: np.ndarray, variance: np.ndarray, tau2: np.ndarray) -> Draws:
        """Gradients of the density for draws, with respect to all three."""
        ...

    def conditional(
        self, residual: np.ndarray, variance: np.ndarray, tau2: np.ndarray,
        position: np.ndarray, curve: np.ndarray, rng: np.random.Generator,
    ) -> Draws:  # fmt: skip
        """Mean, variance and a joint draw at places given the runs: three (draws, places)."""
        ...


def marginal_discrepancy(model: Model, run_arrays: RunArrays) -> MarginalDiscrepancy | None:
    """The discrepancy of a model on its runs, if it has one.

    Parameters
    ----------
    model : Model
        The model.
    design : RunArrays
        Its runs.

    Returns
    -------
    MarginalDiscrepancy or None
    """
    if model.discrepancy is None:
        return None
    names = tuple(model.discrepancy.parameters(model.law))
    if len(names) == 1:
        return BrownianDiscrepancy(names, run_arrays.position, run_arrays.curve)
    return KnotDiscrepancy(names, run_arrays.position, run_arrays.curve, model.discrepancy.knots)


@dataclass(frozen=True)
class BrownianDiscrepancy:
    """Along the one predictor of a law: exact, by a recursion from run to run."""

    names: tuple[str, ...]
    position: np.ndarray
    curve: np.ndarray

    @cached_property
    def _chains(self) -> brownian.FilterOrder:
        return brownian.filter_order(self.position[0], self.curve)

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Chains of runs."""
        return self._chains._asdict()

    @property
    def signature(self) -> tuple[str, ...]:
        """One number per run."""
        return ("(r)",) * len(self.arrays)

    def log_density(self, residual: Any, variance: Any, tau2: Any, where: Any) -> Any:
        """Joint log density in a graph."""
        return brownian_log_density(residual, variance, tau2[0], *where)

    def log_density_by_curve(
        self, residual: np.ndarray, variance: np.ndarray, tau2: np.ndarray
    ) -> np.ndarray:
        """Joint log density of each curve."""
        return brownian.log_density_by_curve(residual, variance, tau2[0], *self._chains)

    def gradients(self, residual: np.ndarray, variance: np.ndarray, tau2: np.ndarray) -> Draws:
        """Gradients for draws."""
        slopes = brownian.gradients(
            residual, variance, np.ascontiguousarray(tau2[:, 0]), *self.arrays.values()
        )
        return slopes[0], slopes[1], slopes[2][:, None]

    def conditional(
        self, residual: np.ndarray, variance: np.ndarray, tau2: np.ndarray,
        position: np.ndarray, curve: np.ndarray, rng: np.random.Generator,
    ) -> Draws:  # fmt: skip
        """At places given the runs: places are runs that were not observed."""
        here = brownian.filter_order(
            np.concatenate([self.position[0], position[0]]), np.concatenate([self.curve, curve])
        )
        unseen = len(residual), curve.size
        residual = np.concatenate([residual, np.zeros(unseen)], axis=1)
        variance = np.concatenate([variance, np.full(unseen, np.inf)], axis=1)
        normal = rng.standard_normal(residual.shape)
        every = brownian.given_draws(
            residual, variance, np.ascontiguousarray(tau2[:, 0]), *here, normal
        )
        mean, spread, draw = (values[:, self.curve.size :] for values in every)
        return mean, spread, draw


@dataclass(frozen=True)
class KnotDiscrepancy:
    """Along each of several predictors, on knots."""

    names: tuple[str, ...]
    position: np.ndarray
    curve: np.ndarray
    most: int

    @cached_property
    def _knots(self) -> knot_layout.Knots:
        return knot_layout.knots_of(self.position, self.curve, self.most)

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Knots, and the runs among them."""
        return self._knots._asdict()

    @property
    def signature(self) -> tuple[str, ...]:
        """Per run, curve, predictor and run, or knot."""
        return "(r)", "(b)", "(p,r)", "(p,r)", "(p,r)", "(b)", "(k)", "(k)", "(k)"

    def log_density(self, residual: Any, variance: Any, tau2: Any, where: Any) -> Any:
        """Joint log density in a graph."""
        return knots_log_density(residual, variance, tau2, *where)

    def log_density_by_curve(
        self, residual: np.ndarray, variance: np.ndarray, tau2: np.ndarray
    ) -> np.ndarray:
        """Joint log density of each curve."""
        return knots.log_density_by_curve(residual, variance, tau2, *self._knots)

    def gradients(self, residual: np.ndarray, variance: np.ndarray, tau2: np.ndarray) -> Draws:
        """Gradients for draws."""
        return knots.gradients(residual, variance, tau2, *self._knots)

    def conditional(
        self, residual: np.ndarray, variance: np.ndarray, tau2: np.ndarray,
        position: np.ndarray, curve: np.ndarray, rng: np.random.Generator,
    ) -> Draws:  # fmt: skip
        """At places given the runs."""
        found = self._knots
        places = knot_layout.knot_neighbours(found, position, curve)
        normal = rng.standard_normal((len(residual), found.at.size))
        mean, spread, draw = knots.given_draws(
            residual, variance, tau2, *found, *places[:-1], normal
        )
        return mean, *knot_layout.extended(spread, draw, position, curve, places.beyond, tau2, rng)
