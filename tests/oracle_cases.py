"""Models of all laws, noise, discrepancies, pooling and kinds of prior, compared with PyMC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from catalogue import CATALOGUE, parameters_at
from hand_written import GROUPS, HAND, NOISY, RUNS
from model_table import MODELS
from pymc_oracle import Oracle

from bayeslaw import laws
from bayeslaw._inference.bound_model import bind
from bayeslaw._law.law import Law
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.prepare import prepared_density
from bayeslaw.data.runs import read_runs
from bayeslaw.model.discrepancy import Brownian
from bayeslaw.model.model import Model
from bayeslaw.model.noise import Gaussian, StudentT, Undertuned
from bayeslaw.priors import Fixed
from bayeslaw.response_scales import RawScale

SPREAD = 0.3  # of the points that are compared, about the initial one
# Fourth-order differences: steps for the Jacobian, and for its log determinant, which is noisy.
STEP, OUTER_STEP = 1e-3, 1e-2
ORDER = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))

type Case = tuple[Model, xr.Dataset]


def runs_of(law: Law) -> xr.Dataset:
    """Two curves of five runs that follow a law, with one per cent of noise."""
    rng, curve = np.random.default_rng(8), np.repeat(["a", "b"], 5)
    frame = pd.DataFrame({name: rng.uniform(1, 10, curve.size) for name in law.predictors})
    mean = law(*(frame[name].values for name in law.predictors), **parameters_at(law, 0.4))
    frame = frame.assign(task=curve, loss=mean * np.exp(0.01 * rng.normal(size=curve.size)))
    ones = dict.fromkeys(set(law.predictors) - set(law.unitless), 1.0)
    return read_runs(frame, predictors=list(law.predictors), groups=["task"], reference=ones)


OTHERS: dict[str, Case] = {
    "approximate knots, known errors": (
        Model(laws.chinchilla, pooling=GROUPS, noise=Gaussian(), discrepancy=Brownian(knots=2)),
        NOISY,
    ),
    "under-tuned, several sizes": (
        Model(laws.chinchilla, pooling=["task"], noise=Undertuned(), discrepancy=Brownian()), RUNS
    ),
    "Student-t on the raw scale": (
        Model(laws.power, pooling=["data"], noise=StudentT(3.0, RawScale(), "N")), NOISY
    ),
    "one amplitude varies": (
        Model(
            laws.chinchilla, pooling={"A": ["data"]},
            priors={f"sd_{name}": Fixed(0) for name in ("E", "B", "alpha", "beta")},
        ),
        RUNS,
    ),
    "fixed and tied": (
        Model(
            laws.chinchilla, pooling={"A": ["data"]}, tie={"beta": "alpha"},
            priors={"E": Fixed(0.8), "sd_A": Fixed(0.3)},
        ),
        RUNS,
    ),
}  # fmt: skip
CASES: dict[str, Case] = {
    **{name: (hand.model, hand.runs) for name, hand in HAND.items()},
    **{name: (model, RUNS) for name, model in MODELS.items()},
    **OTHERS,
    **{f"law {law.name}": (Model(law, pooling=None), runs_of(law)) for law in CATALOGUE},
}


class Deviations(NamedTuple):
    """Of the log density of the stages from PyMC's, and of its gradient, relative to their size."""

    value: float
    gradient: float


@dataclass(frozen=True)
class Comparison:
    """The density of the stages beside that of PyMC's variables and the log Jacobian."""

    model: Model
    runs: xr.Dataset

    @cached_property
    def oracle(self) -> Oracle:
        """PyMC's density."""
        return Oracle(self.model, self.runs)

    @cached_property
    def compiled(self) -> CompiledDensity:
        """The stages."""
        return prepared_density(bind(self.model, self.runs))

    def point(self, seed: int) -> np.ndarray:
        """A random point near which the density is finite."""
        start, rng = self.compiled.initial_point, np.random.default_rng(seed)
        while True:
            point = start + rng.normal(scale=SPREAD, size=start.size)
            steps = 3 * OUTER_STEP * np.eye(start.size)
            near = np.concatenate([[point], point + steps, point - steps])
            if np.all(np.isfinite(self.compiled.log_density(near))):
                return point

    def deviations(self, point: np.ndarray) -> Deviations:
        """At a point; values relative to one at least."""
        density, gradient = self.compiled.log_density_and_gradient(point)
        at = self.compiled.layout.split(self.compiled.flat_variables(point))
        oracle = self.oracle.log_density_at(at)
        expected = oracle.total + self._log_jacobian(point)
        by_variable = np.concatenate([oracle.gradient[name].ravel() for name in at])
        slopes = differences(self.compiled.flat_variables, point, STEP) @ by_variable
        slopes += differences(self._log_jacobian, point, OUTER_STEP)
        return Deviations(
            float(abs(density - expected) / max(1.0, abs(expected))),
            float(np.linalg.norm(gradient - slopes) / np.linalg.norm(slopes)),
        )

    def _log_jacobian(self, points: np.ndarray) -> np.ndarray:
        """Log determinants (...) of the recorded variables by the unknowns (..., unknowns)."""
        jacobian = np.moveaxis(differences(self.compiled.flat_variables, points, STEP), 0, -2)
        free = np.abs(jacobian).max(axis=tuple(range(jacobian.ndim - 1))) > 1e-9  # not fixed
        return np.linalg.slogdet(jacobian[..., free])[1]


def differences(
    function: Callable[[np.ndarray], np.ndarray], points: np.ndarray, step: float
) -> np.ndarray:
    """Derivatives (unknowns, ...) of a function of points (..., unknowns)."""
    size = points.shape[-1]
    steps = np.reshape(step * np.eye(size), (size, *(1,) * (points.ndim - 1), size))
    return sum(weight * function(points + k * steps) for k, weight in ORDER) / step
