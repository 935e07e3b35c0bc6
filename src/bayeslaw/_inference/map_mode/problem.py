"""The log posterior of each curve by itself: the law's residuals and a single-curve prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.map_mode.law_residuals import LawResiduals, central_differences
from bayeslaw._inference.run_arrays import RunArrays, population_prior
from bayeslaw._law.roles import Role, link_normal
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed, HalfNormal, Normal, Prior

__all__ = ["MapProblem", "NormalPrior", "single_curve_prior", "typical_spread"]

FIXED_SD = 1e-3  # on the link scale, for parameters with a fixed value


@dataclass(frozen=True)
class NormalPrior:
    """Independent normals: center (parameters, curves) and precision (parameters, 1)."""

    center: np.ndarray
    precision: np.ndarray

    def squares(self, theta: np.ndarray) -> np.ndarray:
        """Squared standard deviations from the center, summed, for each curve."""
        return np.sum(self.precision * (theta - self.center) ** 2, axis=0)

    def gradient(self, theta: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """Gradient of the log density by other coordinates, of which theta has this Jacobian."""
        return -np.einsum("pqg,pg->qg", jacobian, self.precision * (theta - self.center))

    def hessian(self, jacobian: np.ndarray) -> np.ndarray:
        """Minus its second derivatives by them, Gauss-Newton."""
        return np.einsum("pqg,p,prg->qrg", jacobian, self.precision[:, 0], jacobian)


@dataclass(frozen=True)
class MapProblem:
    """Log posterior of each curve by itself.

    `expected` are prior means (curves,) by parameter, such as those given the other curves. Without
    it the prior is the population's, widened by the spread between curves.
    """

    model: Model
    law: LawResiduals
    expected: Mapping[str, np.ndarray] | None = None

    @classmethod
    def of(cls, bound: BoundModel) -> MapProblem:
        """The problem with the wide prior."""
        model = bound.model
        return cls(model, LawResiduals(bound.coordinates, bound.run_arrays, model.noise.scale))

    @property
    def run_arrays(self) -> RunArrays:
        """The runs."""
        return self.law.run_arrays

    def with_expected(self, expected: Mapping[str, np.ndarray]) -> MapProblem:
        """The same problem with other prior means."""
        return replace(self, expected=expected)

    def select_curves(self, curves: np.ndarray) -> MapProblem:
        """The same problem on some of the curves, with the wide prior."""
        law = replace(self.law, run_arrays=self.run_arrays.select_curves(curves))
        return MapProblem(self.model, law)

    def prior_of(self, roles: Mapping[str, Role]) -> NormalPrior:
        """Prior of a single curve for parameters with these roles."""
        known, ones = self.expected or {}, np.ones(self.run_arrays.n_curves)
        normals = {
            name: single_curve_prior(
                population_prior(self.model, name, role, self.run_arrays.level), role
            )
            for name, role in roles.items()
        }
        center = np.array([known.get(name, normal.mean * ones) for name, normal in normals.items()])
        sd = [
            typical_spread(roles[n]) if n in known else normal.sd for n, normal in normals.items()
        ]
        return NormalPrior(center, np.array(sd)[:, None] ** -2.0)

    @cached_property
    def prior(self) -> NormalPrior:
        """Prior of the law's reference coordinates."""
        return self.prior_of(self.law.coordinates.roles)

    @cached_property
    def noise_prior(self) -> NormalPrior:
        """Prior of log sigma."""
        return self.prior_of({"sigma": self.model.roles["sigma"]})

    def coordinate_jacobian(self, eta: np.ndarray) -> np.ndarray:
        """Derivatives of reference by pivot coordinates (parameters, parameters, curves)."""
        return central_differences(self.law.theta, eta)


def single_curve_prior(prior: Prior, role: Role) -> Normal:
    """Prior of one curve: the population's, widened by the spread between curves."""
    if isinstance(prior, Fixed):
        return Normal(float(role.link.forward(prior.value)), FIXED_SD)
    normal = link_normal(prior, role.link) or link_normal(role.prior, role.link)
    assert normal is not None
    return Normal(normal.mean, float(np.hypot(normal.sd, typical_spread(role))))


def typical_spread(role: Role) -> float:
    """A typical spread between curves."""
    return role.spread.sd if isinstance(role.spread, HalfNormal) else 1.0
