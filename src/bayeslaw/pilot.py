"""What each curve says by itself: a quick mode and its information, to place the sampler.

Nothing here enters the posterior. It only decides, curve by curve and parameter by parameter,
how far the sampler's coordinates follow the data (centred) or the population (non-centred).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw import runs as table
from bayeslaw.coordinates import Coordinates, Frame
from bayeslaw.curves import curve_index, curves
from bayeslaw.model import Model
from bayeslaw.parameters import LEVEL, LOG, Role, link_normal
from bayeslaw.priors import HalfNormal, Normal, Prior
from bayeslaw.units import scales_of

__all__ = ["Design", "Pilot", "design_of", "fly", "prior_of"]

AMOUNTS = ("Floor", "Amplitude", "Rate")  # default priors are in units of the median response
STEPS = 60


@dataclass(frozen=True)
class Design:
    """Runs as arrays: predictors in units of their reference, responses, and curve of each run."""

    predictors: tuple[np.ndarray, ...]
    response: np.ndarray
    relative_error: np.ndarray
    curve: np.ndarray
    curves: xr.Dataset

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        return self.curves.sizes["curve"]

    @property
    def level(self) -> float:
        """Logarithm of the median response."""
        return float(np.log(np.median(self.response)))

    @property
    def frame(self) -> Frame:
        """Middle and ends of each curve's range."""
        low = tuple(self._extreme(np.minimum, x) for x in self.predictors)
        high = tuple(self._extreme(np.maximum, x) for x in self.predictors)
        middle = tuple(np.sqrt(a * b) for a, b in zip(low, high, strict=True))
        return Frame(middle, low, high)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over the runs of each curve; values of shape (..., runs)."""
        out = np.zeros((*values.shape[:-1], self.n_curves))
        np.add.at(out, (..., self.curve), values)  # pyright: ignore[reportArgumentType]
        return out

    def _extreme(self, function: np.ufunc, x: np.ndarray) -> np.ndarray:
        out = np.full(self.n_curves, np.inf if function is np.minimum else -np.inf)
        function.at(out, self.curve, x)
        return out


@dataclass(frozen=True)
class Pilot:
    """Mode and information of each curve.

    Parameters
    ----------
    pivot_mode, pivot_information : mapping of str to array (curves,)
        In pivot coordinates.
    mode, information : mapping of str to array (curves,)
        In reference coordinates.
    """

    pivot_mode: Mapping[str, np.ndarray]
    pivot_information: Mapping[str, np.ndarray]
    mode: Mapping[str, np.ndarray]
    information: Mapping[str, np.ndarray]

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        return next(iter(self.mode.values())).size


def design_of(model: Model, runs: xr.Dataset) -> Design:
    """Arrays of the runs that a model needs.

    Parameters
    ----------
    model : Model
        The model.
    runs : xarray.Dataset
        Runs with a response.

    Returns
    -------
    Design
    """
    table.check_runs(runs)
    missing = [name for name in model.law.predictors if name not in table.predictors(runs)]
    if missing:
        raise ValueError(
            f"law {model.law.name!r} needs the predictor {missing[0]!r}; the runs have "
            f"{table.predictors(runs)}. Read it, or use law.of(...)"
        )
    scaled = table.scaled(runs, scales_of(model.law, runs))
    found = curves(runs)
    response = table.response(runs).values
    error = runs["stderr"].values / response if "stderr" in runs else np.zeros(response.size)
    return Design(
        tuple(np.asarray(scaled[name]) for name in model.law.predictors),
        response,
        error,
        curve_index(runs, found),
        found,
    )


def prior_of(model: Model, name: str, role: Role, level: float) -> Prior:
    """Prior of the population's coordinate: the user's, or the default of its role.

    Parameters
    ----------
    model : Model
        The model.
    name : str
        A free parameter.
    role : Role
        Its role as a coordinate.
    level : float
        Logarithm of the median response, where default priors of levels are centred.

    Returns
    -------
    Prior
    """
    if name in model.priors:
        return model.priors[name]
    if role is LEVEL:
        return Normal(level, 1.0)
    if role.name in AMOUNTS:
        return replace(role.prior, median=role.prior.median * float(np.exp(level)))  # type: ignore[union-attr]
    return role.prior


def fly(model: Model, coordinates: Coordinates, design: Design) -> Pilot:
    """Mode and information of each curve by damped Gauss-Newton steps, all curves at once.

    Residuals are weighted as Student-t noise asks, under a wide prior.

    Parameters
    ----------
    model : Model
        The model.
    coordinates : Coordinates
        Coordinates of its law.
    design : Design
        The runs.

    Returns
    -------
    Pilot
    """
    search = _Search(model, coordinates, design)
    eta = search.start()
    damping = np.full(design.n_curves, 1e-2)
    for _ in range(STEPS):
        eta, damping = search.step(eta, damping)
    return search.result(eta)


class _Search:
    """Residuals, derivatives and steps of the pilot; arrays are (parameters, curves)."""

    def __init__(self, model: Model, coordinates: Coordinates, design: Design) -> None:
        self.model, self.coordinates, self.design = model, coordinates, design
        self.frame = design.frame
        self.names = tuple(coordinates.roles)
        self.whole = dict.fromkeys(self.names, 1.0)
        priors = [
            _wide(prior_of(model, name, role, design.level), role)
            for name, role in coordinates.roles.items()
        ]
        self.center = np.array([[prior.mean] for prior in priors])
        self.precision = np.array([[prior.sd**-2.0] for prior in priors])

    def start(self) -> np.ndarray:
        theta = self.center * np.ones((1, self.design.n_curves))
        mean = self.design.sums(np.log(self.design.response)) / self._counts()
        for row, role in enumerate(self.coordinates.roles.values()):
            if role is LEVEL:
                theta[row] = mean
        return self._stack(self.coordinates.to_pivot(self._named(theta), self.frame, self.whole))

    def step(self, eta: np.ndarray, damping: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        residual, weight = self._weighted(eta)
        slopes, bend = self._slopes(eta), self._bend(eta)
        pull = self.precision * (self._theta(eta) - self.center)
        gradient = self.design.sums(slopes * weight * residual) - np.einsum(
            "pqg,pg->qg", bend, pull
        )
        curvature = self._curvature(slopes, weight) + self._prior_curvature(bend)
        diagonal = np.einsum("ppg->pg", curvature)
        damped = curvature + np.einsum("pq,qg,g->pqg", np.eye(len(eta)), diagonal, damping)
        move = np.linalg.solve(np.moveaxis(damped, -1, 0), gradient.T[..., None])[..., 0].T
        trial = eta + np.clip(move, -2, 2)
        better = self._objective(trial, weight) < self._objective(eta, weight)
        eta = np.where(better, trial, eta)
        return eta, np.clip(np.where(better, damping / 5, damping * 10), 1e-9, 1e9)

    def result(self, eta: np.ndarray) -> Pilot:
        expected = (self.model.noise.nu + 1) / (self.model.noise.nu + 3)
        noise = np.hypot(self._scale(eta)[self.design.curve], self.design.relative_error)
        scale = expected / noise**2
        bend = self._bend(eta)
        covariance = np.linalg.inv(
            np.moveaxis(
                self._curvature(self._slopes(eta), scale) + self._prior_curvature(bend), -1, 0
            )
        )
        at_reference = np.einsum("pqg,gqr,srg->psg", bend, covariance, bend)
        sigma = np.log(self._scale(eta))
        told = self._counts() * 2 * self.model.noise.nu / (self.model.noise.nu + 3)
        return Pilot(
            {**self._named(eta), "sigma": sigma},
            {**self._named(self._beyond_prior(np.einsum("gpp->pg", covariance))), "sigma": told},
            {**self._named(self._theta(eta)), "sigma": sigma},
            {**self._named(self._beyond_prior(np.einsum("ppg->pg", at_reference))), "sigma": told},
        )

    def _beyond_prior(self, variance: np.ndarray) -> np.ndarray:
        return np.maximum(1 / variance - self.precision, 1e-3 * self.precision)

    def _named(self, values: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.names, values, strict=True))

    def _stack(self, values: Mapping[str, Any]) -> np.ndarray:
        return np.array([np.broadcast_to(values[n], self.design.n_curves) for n in self.names])

    def _theta(self, eta: np.ndarray) -> np.ndarray:
        return self._stack(self.coordinates.from_pivot(self._named(eta), self.frame, self.whole))

    def _counts(self) -> np.ndarray:
        return self.design.sums(np.ones(self.design.response.size))

    def _residual(self, eta: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            theta = self.coordinates.from_pivot(self._named(eta), self.frame, self.whole)
            parameters = self.coordinates.parameters(theta)
            on_runs = {
                name: np.broadcast_to(value, self.design.n_curves)[self.design.curve]
                for name, value in parameters.items()
            }
            mean = self.model.law(*self.design.predictors, **on_runs)
            residual = np.log(self.design.response) - np.log(mean)
        return np.where(np.isfinite(residual), residual, 1e3)

    def _scale(self, eta: np.ndarray) -> np.ndarray:
        # The mode of log sigma under its prior, with squares weighted as Student-t noise asks.
        nu, squares = self.model.noise.nu, self._residual(eta) ** 2
        prior = link_normal(self.model.roles["sigma"].prior, LOG)
        assert prior is not None
        log_scale = np.log(np.sqrt(self.design.sums(squares) / self._counts()) + 1e-9)
        for _ in range(20):
            z = squares * np.exp(-2 * log_scale[self.design.curve])
            explained = self.design.sums((nu + 1) * z / (nu + z))
            slope = explained - self._counts() - (log_scale - prior.mean) / prior.sd**2
            log_scale = log_scale + np.clip(slope / (2 * self._counts() + prior.sd**-2), -1, 1)
        return np.exp(log_scale)

    def _weighted(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nu, residual = self.model.noise.nu, self._residual(eta)
        scale = self._scale(eta)[self.design.curve]
        scale = np.hypot(scale, self.design.relative_error)
        return residual, (nu + 1) / (nu + (residual / scale) ** 2) / scale**2

    def _objective(self, eta: np.ndarray, weight: np.ndarray) -> np.ndarray:
        misfit = self.design.sums(weight * self._residual(eta) ** 2)
        return misfit + np.sum(self.precision * (self._theta(eta) - self.center) ** 2, axis=0)

    def _slopes(self, eta: np.ndarray) -> np.ndarray:
        return -_derivative(self._residual, eta)

    def _bend(self, eta: np.ndarray) -> np.ndarray:
        return np.moveaxis(_derivative(self._theta, eta), 0, 1)

    def _curvature(self, slopes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return self.design.sums(slopes[:, None] * slopes[None] * weight)

    def _prior_curvature(self, bend: np.ndarray) -> np.ndarray:
        return np.einsum("pqg,p,prg->qrg", bend, self.precision[:, 0], bend)


def _derivative(function: Callable[[np.ndarray], np.ndarray], eta: np.ndarray) -> np.ndarray:
    steps = 1e-5 * np.eye(len(eta))[:, :, None]
    return np.array([(function(eta + step) - function(eta - step)) / 2e-5 for step in steps])


def _wide(prior: Prior, role: Role) -> Normal:
    """The prior of one curve: the population's, widened by the spread between curves."""
    normal = link_normal(prior, role.link) or link_normal(role.prior, role.link)
    spread = role.spread.sd if isinstance(role.spread, HalfNormal) else 1.0
    assert normal is not None
    return Normal(normal.mean, float(np.hypot(normal.sd, spread)))
