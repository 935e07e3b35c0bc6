"""Modes of each curve under a wide prior, searched from several places, all curves at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import stats

from bayeslaw._inference.coordinates import Coordinates, SumOfTerms
from bayeslaw._inference.run_arrays import RunArrays, population_prior
from bayeslaw._law.roles import LEVEL, Role, link_normal
from bayeslaw.model.model import Model
from bayeslaw.priors import Fixed, HalfNormal, Normal, Prior

__all__ = [
    "Search",
    "central_differences",
    "is_additive_power_law",
    "single_curve_prior",
    "typical_spread",
]

STEPS = 60
SHORT = 1e-4  # standard deviations: steps that are not worth another
STILL = 0.1  # standard deviations: a search that would go on by less has arrived
MANY_RUNS = 20_000  # runs times starts, beyond which there are fewer starts, but a few
FEW = 4
SEED = 5  # of the places to start from
STARTS = 16  # at most, beside the one in the middle of the prior
BETTER = 1.0  # in log weight: the first start keeps its place unless another beats it by more
GOOD = float(np.log(20))  # in log weight: how far below the best an optimum still counts
HELD = 1e-3  # standard deviation on the scale of the link of what is known
APART = 5.0  # standard deviations between two optima that are not one


def is_additive_power_law(coordinates: Coordinates) -> bool:
    """Whether a law is a sum of power terms, not more than one per predictor.

    The objective of such a law has one optimum, as experience goes. Breaks, plateaus and terms
    that compete for the same predictor give others.

    Parameters
    ----------
    coordinates : Coordinates
        Coordinates of the law.

    Returns
    -------
    bool
    """
    if not isinstance(coordinates, SumOfTerms):
        return False
    known = {*coordinates.terms, *coordinates.steepens}
    return known >= set(coordinates.roles) and len(coordinates.steepens) <= len(
        coordinates.law.predictors
    )


class Search:
    """Residuals, derivatives and steps of the pilot; arrays are (parameters, curves)."""

    def __init__(
        self,
        model: Model,
        coordinates: Coordinates,
        run_arrays: RunArrays,
        level: float,
        expected: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.model, self.coordinates, self.run_arrays, self.level = (
            model,
            coordinates,
            run_arrays,
            level,
        )
        self.expected = expected
        self.frame = run_arrays.frame
        self.names = tuple(coordinates.roles)
        self.whole = dict.fromkeys(self.names, 1.0)
        self.center, self.precision = self.prior(coordinates.roles)

    def prior(self, roles: Mapping[str, Role]) -> tuple[np.ndarray, np.ndarray]:
        """Center (parameters, curves) and precision (parameters, 1) of what a curve may be.

        The population's prior, widened, or what is expected of each curve.
        """
        known, ones = self.expected or {}, np.ones(self.run_arrays.n_curves)
        normals = {
            name: single_curve_prior(population_prior(self.model, name, role, self.level), role)
            for name, role in roles.items()
        }
        center = np.array([known.get(name, normal.mean * ones) for name, normal in normals.items()])
        sd = [
            typical_spread(roles[n]) if n in known else normal.sd for n, normal in normals.items()
        ]
        return center, np.array(sd)[:, None] ** -2.0

    def expecting(self, expected: Mapping[str, np.ndarray]) -> Search:
        """The same search with a center (curves,) for each parameter of each curve."""
        return Search(self.model, self.coordinates, self.run_arrays, self.level, expected)

    def modes(self) -> np.ndarray:
        """Places (optima, parameters, curves) where the search ends, the best of a curve first."""
        first = self.descend(self.start())
        every = np.arange(self.run_arrays.n_curves)
        unsure = every[~self._is_still(first)] if is_additive_power_law(self.coordinates) else every
        if not unsure.size:
            return first[None]
        candidates, selected = self._multi_start(first, unsure)
        out = np.repeat(first[None], max(map(len, selected)), axis=0)
        for column, (curve, order) in enumerate(zip(unsure, selected, strict=True)):
            out[:, :, curve] = candidates[:, np.resize(order, len(out)), column].T
        return out

    def _multi_start(
        self, first: np.ndarray, unsure: np.ndarray
    ) -> tuple[np.ndarray, list[list[int]]]:
        """Where the search of some curves ends from all starts, and which of them to keep."""
        n = int(np.clip(MANY_RUNS // self.run_arrays.response.size, FEW, STARTS))
        many = self.on(np.tile(unsure, n))
        with np.errstate(all="ignore"):  # some of the starts are absurd
            ends = many.descend(many.scattered(n)).reshape(len(first), n, unsure.size)
            candidates = np.concatenate([first[:, None, unsure], ends], axis=1)
            return candidates, self.on(np.tile(unsure, n + 1)).ranked(candidates)

    def on(self, curves: np.ndarray) -> Search:
        """The same search on some of the curves."""
        return Search(
            self.model, self.coordinates, self.run_arrays.select_curves(curves), self.level
        )

    def start(self) -> np.ndarray:
        """The middle of the prior, at the curves' own levels."""
        theta = self.center.copy()
        theta[self._levels()] = self._mean()
        return self._stack(self.coordinates.to_pivot(self.named(theta), self.frame, self.whole))

    def scattered(self, n: int) -> np.ndarray:
        """Places over the wide prior at the curves' own levels, the same for all curves."""
        apart = _normals(n, len(self.names)) / np.sqrt(self.precision)
        theta = self.center + np.repeat(apart, self.run_arrays.n_curves // n, axis=1)
        eta = self._stack(self.coordinates.to_pivot(self.named(theta), self.frame, self.whole))
        eta[self._levels()] = self._mean()
        return eta

    def descend(self, eta: np.ndarray) -> np.ndarray:
        """Where the steps from a place lead."""
        damping = np.full(self.run_arrays.n_curves, 1e-2)
        for _ in range(STEPS):
            eta, damping, length = self.step(eta, damping)
            if np.all((length < SHORT) & (damping < 1)):
                break
        return eta

    def ranked(self, candidates: np.ndarray) -> list[list[int]]:
        """For each curve which of its places (parameters, starts, curves) to keep, best first."""
        size, n, _ = candidates.shape
        eta = candidates.reshape(size, -1)
        hessian = self._posterior_hessian(eta, self._expected_weight(eta))
        weight = self._log_mass(eta, hessian).reshape(n, -1)
        hessian = hessian.reshape(size, size, n, -1)
        chosen = []
        for curve in range(weight.shape[1]):
            own = candidates[:, :, curve]
            apart = own[:, :, None] - own[:, None]
            square = np.einsum("pij,pqi,qij->ij", apart, hessian[..., curve], apart)
            chosen.append(_best_first(weight[:, curve], np.sqrt(np.maximum(square, 0))))
        return chosen

    def step(
        self, eta: np.ndarray, damping: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The next place, how cautious to be from there, and the length in standard deviations."""
        gradient, hessian, weight = self._local(eta)
        diagonal = np.einsum("ppg->pg", hessian)
        damped = hessian + np.einsum("pq,qg,g->pqg", np.eye(len(eta)), diagonal, damping)
        move = _solved(damped, gradient)
        length = np.sqrt(np.abs(np.sum(gradient * move, axis=0)))
        trial = eta + np.clip(move, -2, 2)
        better = self._objective(trial, weight) < self._objective(eta, weight)
        eta = np.where(better, trial, eta)
        return eta, np.clip(np.where(better, damping / 5, damping * 10), 1e-9, 1e9), length

    def reference_mode(self, eta: np.ndarray) -> dict[str, np.ndarray]:
        """Reference coordinates of a place, and the noise there."""
        return {**self.named(self.theta(eta)), "sigma": np.log(self._scale(eta))}

    def information(
        self, eta: np.ndarray, log_noise_ratio: float = 0.0
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """What a curve tells beyond the prior, in pivot and in reference coordinates.

        Where the noise is larger by a factor of exp(log_noise_ratio).
        """
        nu = self.model.noise.tail
        noise = {"sigma": self._counts() * 2 * nu / (nu + 3)}
        pivot, reference = self.marginal_information(
            eta, self._posterior_hessian(eta, self._expected_weight(eta, log_noise_ratio))
        )
        return {**pivot, **noise}, {**reference, **noise}

    def marginal_information(
        self, eta: np.ndarray, hessian: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The same for the law, given the hessian (parameters, parameters, curves)."""
        jacobian = self.coordinate_jacobian(eta)
        covariance = np.linalg.inv(np.moveaxis(hessian, -1, 0))
        at_reference = np.einsum("pqg,gqr,srg->psg", jacobian, covariance, jacobian)
        pivot, reference = np.einsum("gpp->pg", covariance), np.einsum("ppg->pg", at_reference)
        return (
            self.named(self._beyond_prior(pivot)),
            self.named(self._beyond_prior(reference)),
        )

    def _beyond_prior(self, variance: np.ndarray) -> np.ndarray:
        return np.maximum(1 / variance - self.precision, 1e-3 * self.precision)

    def _local(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Downhill gradient, hessian, and the weights of the runs that they hold for."""
        residual, weight = self._weighted(eta)
        slopes, jacobian = self.law_jacobian(eta), self.coordinate_jacobian(eta)
        pull = self.precision * (self.theta(eta) - self.center)
        gradient = self.run_arrays.sums(slopes * weight * residual) - np.einsum(
            "pqg,pg->qg", jacobian, pull
        )
        return (
            gradient,
            self._fisher_information(slopes, weight) + self.prior_hessian(jacobian),
            weight,
        )

    def _is_still(self, eta: np.ndarray) -> np.ndarray:
        """Whether the next step would be short, for each curve."""
        gradient, hessian, _ = self._local(eta)
        return np.sum(gradient * _solved(hessian, gradient), axis=0) < STILL**2

    def _expected_weight(self, eta: np.ndarray, log_noise_ratio: float = 0.0) -> np.ndarray:
        expected = (self.model.noise.tail + 1) / (self.model.noise.tail + 3)
        scale = self._scale(eta) * np.exp(log_noise_ratio)
        noise = np.hypot(scale[self.run_arrays.curve], self.run_arrays.known_error)
        return expected / noise**2

    def _posterior_hessian(self, eta: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return self._fisher_information(self.law_jacobian(eta), weight) + self.prior_hessian(
            self.coordinate_jacobian(eta)
        )

    def _log_mass(self, eta: np.ndarray, hessian: np.ndarray) -> np.ndarray:
        """Laplace's approximation of the log posterior mass around a mode, up to a constant."""
        nu, log_scale = self.model.noise.tail, np.log(self._scale(eta))
        scale = np.hypot(np.exp(log_scale)[self.run_arrays.curve], self.run_arrays.known_error)
        z = self.residual(eta) / scale
        likelihood = self.run_arrays.sums(-(nu + 1) / 2 * np.log1p(z**2 / nu) - np.log(scale))
        prior = np.sum(self.precision * (self.theta(eta) - self.center) ** 2, axis=0)
        center, precision = self._noise_prior
        prior += precision * (log_scale - center) ** 2
        # In reference coordinates, where the prior is: pivot coordinates may stretch the volume.
        volume = np.linalg.slogdet(np.moveaxis(self.coordinate_jacobian(eta), -1, 0))[1]
        volume -= np.linalg.slogdet(np.moveaxis(hessian, -1, 0))[1] / 2
        return np.nan_to_num(likelihood - prior / 2 + volume, nan=-1e300, neginf=-1e300)

    @property
    def _noise_prior(self) -> tuple[np.ndarray, float]:
        """Center (curves,) and precision of log sigma."""
        center, precision = self.prior({"sigma": self.model.roles["sigma"]})
        return center[0], float(precision[0, 0])

    def _levels(self) -> list[int]:
        return [i for i, role in enumerate(self.coordinates.roles.values()) if role is LEVEL]

    def _mean(self) -> np.ndarray:
        return self.run_arrays.sums(np.log(self.run_arrays.response)) / self._counts()

    def named(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Rows by the names of the law's coordinates."""
        return dict(zip(self.names, values, strict=True))

    def _stack(self, values: Mapping[str, Any]) -> np.ndarray:
        rows = np.broadcast_arrays(*(values[name] for name in self.names))
        return np.array(
            [np.broadcast_to(row, (*row.shape[:-1], self.run_arrays.n_curves)) for row in rows]
        )

    def theta(self, eta: np.ndarray) -> np.ndarray:
        """Reference coordinates of a place."""
        return self._stack(self.coordinates.from_pivot(self.named(eta), self.frame, self.whole))

    def _counts(self) -> np.ndarray:
        return self.run_arrays.sums(np.ones(self.run_arrays.response.size))

    def residual(self, eta: np.ndarray) -> np.ndarray:
        """Responses minus the law, on the scale of the noise."""
        scale = self.model.noise.scale
        with np.errstate(all="ignore"):
            theta = self.coordinates.from_pivot(self.named(eta), self.frame, self.whole)
            parameters = self.coordinates.parameters(theta)
            shape = (*eta.shape[1:-1], self.run_arrays.n_curves)
            on_runs = {
                name: np.broadcast_to(value, shape)[..., self.run_arrays.curve]
                for name, value in parameters.items()
            }
            mean = self.model.law(*self.run_arrays.predictors, **on_runs)
            residual = self.run_arrays.values - scale.forward(mean, self.run_arrays.unit)
        return np.where(np.isfinite(residual), residual, 1e3)

    def _scale(self, eta: np.ndarray) -> np.ndarray:
        # The mode of log sigma under its prior, with squares weighted as Student-t noise asks.
        nu, squares = self.model.noise.tail, self.residual(eta) ** 2
        center, precision = self._noise_prior
        log_scale = np.log(np.sqrt(self.run_arrays.sums(squares) / self._counts()) + 1e-9)
        for _ in range(20):
            z = squares * np.exp(-2 * log_scale[self.run_arrays.curve])
            explained = self.run_arrays.sums((nu + 1) * z / (nu + z))
            slope = explained - self._counts() - (log_scale - center) * precision
            log_scale = log_scale + np.clip(slope / (2 * self._counts() + precision), -1, 1)
        return np.exp(log_scale)

    def _weighted(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nu, residual = self.model.noise.tail, self.residual(eta)
        scale = self._scale(eta)[self.run_arrays.curve]
        scale = np.hypot(scale, self.run_arrays.known_error)
        return residual, (nu + 1) / (nu + (residual / scale) ** 2) / scale**2

    def _objective(self, eta: np.ndarray, weight: np.ndarray) -> np.ndarray:
        squares = self.run_arrays.sums(weight * self.residual(eta) ** 2)
        return squares + np.sum(self.precision * (self.theta(eta) - self.center) ** 2, axis=0)

    def law_jacobian(self, eta: np.ndarray) -> np.ndarray:
        """Derivatives of the law (parameters, runs) on the scale of the noise."""
        return -central_differences(self.residual, eta)

    def coordinate_jacobian(self, eta: np.ndarray) -> np.ndarray:
        """Derivatives of reference coordinates (parameters, parameters, curves)."""
        return central_differences(self.theta, eta)

    def _fisher_information(self, slopes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return self.run_arrays.sums(slopes[:, None] * slopes[None] * weight)

    def prior_hessian(self, jacobian: np.ndarray) -> np.ndarray:
        """What the prior adds to the hessian."""
        return np.einsum("pqg,p,prg->qrg", jacobian, self.precision[:, 0], jacobian)


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.linalg.solve(np.moveaxis(matrix, -1, 0), right.T[..., None])[..., 0].T


def central_differences(
    function: Callable[[np.ndarray], np.ndarray], eta: np.ndarray
) -> np.ndarray:
    """Derivatives by each row of a place, along the last axis but one; all of them in one call."""
    steps = 1e-5 * np.eye(len(eta))[:, :, None]
    up, down = np.split(
        function(np.concatenate([eta[:, None] + steps, eta[:, None] - steps], axis=1)), 2, axis=-2
    )
    return (up - down) / 2e-5


def single_curve_prior(prior: Prior, role: Role) -> Normal:
    """The prior of one curve: the population's, widened by the spread between curves."""
    if isinstance(prior, Fixed):
        return Normal(float(role.link.forward(prior.value)), HELD)
    normal = link_normal(prior, role.link) or link_normal(role.prior, role.link)
    assert normal is not None
    return Normal(normal.mean, float(np.hypot(normal.sd, typical_spread(role))))


def typical_spread(role: Role) -> float:
    """A usual spread between curves."""
    return role.spread.sd if isinstance(role.spread, HalfNormal) else 1.0


def _normals(n: int, size: int) -> np.ndarray:
    """Points that fill a standard normal distribution evenly, the same ones every time.

    Parameters
    ----------
    n : int
        How many, up to 16.
    size : int
        Number of coordinates.

    Returns
    -------
    array, shape (size, n)
    """
    # Sobol points are even in powers of two, so the whole set is drawn.
    even = stats.qmc.Sobol(size, rng=np.random.default_rng(SEED)).random(STARTS)
    return stats.norm.ppf(even[:n]).T


def _best_first(weight: np.ndarray, distance: np.ndarray) -> list[int]:
    """Indices of the optima that are good and differ, the best first.

    Parameters
    ----------
    weight : array (starts,)
        Log posterior mass around the optimum that each start came to.
    distance : array (starts, starts)
        Standard deviations from the optimum of the row to that of the column.

    Returns
    -------
    list of int
        The first is 0, the first start, if no other is better by more than rounding.
    """
    order = [int(i) for i in np.argsort(-weight, kind="stable")]
    best = weight[order[0]]
    if weight[0] > best - BETTER:
        order = [0, *(i for i in order if i != 0)]
    selected = order[:1]
    for i in order[1:]:
        if weight[i] > best - GOOD and np.all(distance[selected, i] > APART):
            selected.append(i)
    return selected
