"""Modes and information next to a discrepancy, by generalised least squares, all curves at once.

Runs with a common discrepancy carry less information on the law than runs with independent noise.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from bayeslaw._inference.map_search import Search
from bayeslaw._inference.marginal_discrepancy import MarginalDiscrepancy
from bayeslaw._inference.run_arrays import RunArrays

__all__ = ["GlsExpansion", "GlsMode", "gls_mode"]

ROUNDS = 6
STEPS = 8
FEW = 3  # steps from a mode to one nearby
HALVINGS = 4
STILL = 0.02  # standard deviations, and e-folds of sigma and tau, that do not matter any more
TOLERANCE = 1e-9
STEP = 1e-3  # of numerical derivatives
SMOOTH = (-8.0, -2.5)  # logarithms of sigma and tau of a curve without noise
GRID = tuple(np.arange(-10.0, 0.0, 1.5))  # logarithms of sigma and tau


@dataclass(frozen=True)
class GlsMode:
    """Mode of each curve, of the law (pivot coordinates) and beside it, and what it tells.

    Parameters
    ----------
    eta : array (parameters, curves)
        Pivot coordinates of the law.
    hessian : array (parameters, parameters, curves)
        Of the log posterior there, noise and discrepancy held.
    log_scales : array (1 + predictors, curves)
        Logarithms of sigma and of tau along each predictor.
    information : array (1 + predictors, curves)
        What the curve tells of each, beyond its prior.
    """

    eta: np.ndarray
    hessian: np.ndarray
    log_scales: np.ndarray
    information: np.ndarray


def gls_mode(
    search: Search,
    discrepancy: MarginalDiscrepancy,
    eta: np.ndarray,
    log_scales: np.ndarray | None = None,
) -> GlsMode:
    """From where independent noise leads, to the mode next to a discrepancy.

    Parameters
    ----------
    search : Search
        The search of modes.
    discrepancy : MarginalDiscrepancy
        The discrepancy on the runs.
    eta : array (parameters, curves)
        Where to begin.
    log_scales : array (1 + predictors, curves), optional
        The scatter to begin with; the best of a grid unless given.

    Returns
    -------
    GlsMode
    """
    scales = _Scales(search, discrepancy)
    eta, log_scales = _best_of_two(search, scales, eta, log_scales)
    hessian = _local(search, discrepancy, eta, scales.amounts(log_scales))[1]
    return GlsMode(
        eta, hessian, log_scales, scales.information(_linearized(search, eta), log_scales)
    )


@dataclass(frozen=True)
class GlsExpansion:
    """What a mode would be with another scatter.

    Parameters
    ----------
    search : Search
        The search of modes.
    discrepancy : MarginalDiscrepancy
        The discrepancy on the runs.
    eta : array (parameters, curves)
        The mode of the law, in pivot coordinates.
    log_scales : array (1 + predictors, curves)
        Logarithms of sigma and tau there.
    """

    search: Search
    discrepancy: MarginalDiscrepancy
    eta: np.ndarray
    log_scales: np.ndarray

    def information(self, deviation: np.ndarray) -> dict[str, np.ndarray]:
        """Information on the law at the same point, with other sigma and tau."""
        hessian = _local(self.search, self.discrepancy, self.eta, self._amounts(deviation))[1]
        return self.search.marginal_information(self.eta, hessian)[0]

    def mode(self, deviation: np.ndarray) -> np.ndarray:
        """Where the mode would be."""
        eta, amounts = self.eta, self._amounts(deviation)
        for _ in range(FEW):
            eta, _ = _stepped(self.search, self.discrepancy, eta, amounts)
        return eta

    def _amounts(self, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _Scales(self.search, self.discrepancy).amounts(self.log_scales + deviation[:, None])


def _best_of_two(
    search: Search, scales: _Scales, eta: np.ndarray, log_scales: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The better of two kinds of modes, curve by curve, unless it is known of which kind it is.

    Noise explains what the law does not, or a smooth curve does.
    """
    if log_scales is not None:
        return _climbed(search, scales, eta, log_scales)
    law = _linearized(search, eta)
    first = scales.climbed(law, scales.best(law))
    ends = [_climbed(search, scales, eta, at) for at in (first, scales.constant(*SMOOTH))]
    better = _log_mass(search, scales, *ends[1]) > _log_mass(search, scales, *ends[0])
    mode, scatter = (np.where(better, two, one) for one, two in zip(*ends, strict=True))
    return mode, scatter


def _climbed(
    search: Search, scales: _Scales, eta: np.ndarray, log_scales: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """To a mode of the law and of its scatter in turns."""
    for _ in range(ROUNDS):
        for _ in range(STEPS):
            eta, moved = _stepped(search, scales.discrepancy, eta, scales.amounts(log_scales))
            if moved < STILL:
                break
        before, log_scales = log_scales, scales.climbed(_linearized(search, eta), log_scales)
        if np.abs(log_scales - before).max() < STILL:
            break
    return eta, log_scales


def _log_mass(
    search: Search, scales: _Scales, eta: np.ndarray, log_scales: np.ndarray
) -> np.ndarray:
    """Laplace's approximation of the log posterior mass around a mode, up to a constant."""
    law, deviation = _linearized(search, eta), search.theta(eta) - search.center
    value = scales.value(law, log_scales) - np.sum(search.precision * deviation**2, axis=0) / 2
    value += np.linalg.slogdet(np.moveaxis(search.coordinate_jacobian(eta), -1, 0))[1]
    return (
        value - np.sum(np.log(scales.information(law, log_scales) + scales.precision), axis=0) / 2
    )


@dataclass(frozen=True)
class _Linearized:
    """What a place of the law leaves to the scatter.

    Parameters
    ----------
    residual : array (runs,)
        Residuals.
    slopes : array (parameters, runs)
        Derivatives of the law.
    prior : array (parameters, parameters, curves)
        Curvature of the law's prior.
    """

    residual: np.ndarray
    slopes: np.ndarray
    prior: np.ndarray


def _linearized(search: Search, eta: np.ndarray) -> _Linearized:
    prior = search.prior_hessian(search.coordinate_jacobian(eta))
    return _Linearized(search.residual(eta), search.law_jacobian(eta), prior)


def _local(
    search: Search,
    discrepancy: MarginalDiscrepancy,
    eta: np.ndarray,
    amounts: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Uphill gradient, hessian and objective of each curve, noise and discrepancy held."""
    slopes, jacobian = search.law_jacobian(eta), search.coordinate_jacobian(eta)
    rows = np.concatenate([search.residual(eta)[None], slopes])
    solved = _solved(discrepancy, rows, amounts)
    pull = search.precision * (search.theta(eta) - search.center)
    gradient = search.run_arrays.sums(slopes * solved[0]) - np.einsum("pqg,pg->qg", jacobian, pull)
    hessian = _fisher_information(search.run_arrays, slopes, solved[1:]) + search.prior_hessian(
        jacobian
    )
    objective = search.run_arrays.sums(rows[0] * solved[0]) + np.sum(
        pull * (search.theta(eta) - search.center), axis=0
    )
    return gradient, hessian, objective


def _stepped(
    search: Search,
    discrepancy: MarginalDiscrepancy,
    eta: np.ndarray,
    amounts: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, float]:
    """A step of Gauss and Newton, and its length; shorter for the curves that it does not improve.

    The length is the largest of all curves, in their own standard deviations.
    """
    gradient, hessian, before = _local(search, discrepancy, eta, amounts)
    move = np.linalg.solve(np.moveaxis(hessian, -1, 0), gradient.T[..., None])[..., 0].T
    length = float(np.sqrt(np.max(np.abs(np.sum(gradient * move, axis=0)))))
    move, worse = np.clip(move, -1, 1), np.ones(eta.shape[1], dtype=bool)
    for _ in range(HALVINGS):
        worse = ~(_objective(search, discrepancy, eta + move, amounts) <= before + TOLERANCE)
        if not worse.any():
            return eta + move, length
        move = np.where(worse, move / 4, move)
    return np.where(worse, eta, eta + move), length


def _objective(
    search: Search,
    discrepancy: MarginalDiscrepancy,
    eta: np.ndarray,
    amounts: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    with np.errstate(all="ignore"):  # a step may go where the law is not a number
        residual, deviation = search.residual(eta), search.theta(eta) - search.center
        solved = _solved(discrepancy, residual[None], amounts)[0]
        return search.run_arrays.sums(residual * solved) + np.sum(
            search.precision * deviation**2, axis=0
        )


def _fisher_information(
    run_arrays: RunArrays, slopes: np.ndarray, solved: np.ndarray
) -> np.ndarray:
    """Fisher information of the law (parameters, parameters, curves), from `_solved` slopes."""
    information = run_arrays.sums(slopes[:, None] * solved[None])
    return (information + np.swapaxes(information, 0, 1)) / 2


def _solved(
    discrepancy: MarginalDiscrepancy, rows: np.ndarray, amounts: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Rows (any, runs) times the inverse of the joint covariance of the residuals."""
    variance, tau2 = (np.repeat(item[None], len(rows), axis=0) for item in amounts)
    return -discrepancy.gradients(rows, variance, tau2)[0]


class _Scales:
    """Sigma and tau of each curve; arrays are (1 + predictors, curves).

    The law's parameters are integrated out, by Laplace's approximation: at their mode they have
    absorbed part of the discrepancy, and tau would come out too small.
    """

    def __init__(self, search: Search, discrepancy: MarginalDiscrepancy) -> None:
        self.run_arrays, self.discrepancy = search.run_arrays, discrepancy
        roles = {name: search.model.roles[name] for name in ("sigma", *discrepancy.names)}
        self.mean, self.precision = search.prior(roles)

    def amounts(self, log_scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variance of the noise of each run, and squared tau (predictors, curves)."""
        noise = np.exp(2 * log_scales[0])[self.run_arrays.curve] + self.run_arrays.known_error**2
        return noise, np.exp(2 * log_scales[1:])

    def best(self, law: _Linearized) -> np.ndarray:
        """The best point of a grid, as modes may have little noise or little discrepancy."""
        grid = itertools.product(GRID, repeat=len(self.mean))
        points = np.array(
            [np.repeat([[x] for x in at], self.run_arrays.n_curves, 1) for at in grid]
        )
        values = np.array([self.value(law, log_scales) for log_scales in points])
        return np.moveaxis(points, 0, -1)[
            ..., np.arange(self.run_arrays.n_curves), values.argmax(0)
        ]

    def value(self, law: _Linearized, log_scales: np.ndarray) -> np.ndarray:
        """Log posterior of each curve."""
        deviation = np.sum(self.precision * (log_scales - self.mean) ** 2, axis=0)
        density = self.discrepancy.log_density_by_curve(law.residual, *self.amounts(log_scales))
        return density - deviation / 2 - self._volume(law, log_scales)

    def _volume(self, law: _Linearized, log_scales: np.ndarray) -> np.ndarray:
        """Half the log determinant of the law's hessian."""
        solved = _solved(self.discrepancy, law.slopes, self.amounts(log_scales))
        hessian = _fisher_information(self.run_arrays, law.slopes, solved) + law.prior
        return np.linalg.slogdet(np.moveaxis(hessian, -1, 0))[1] / 2

    def constant(self, sigma: float, tau: float) -> np.ndarray:
        """The same logarithms for all curves."""
        return np.outer([sigma, *[tau] * (len(self.mean) - 1)], np.ones(self.run_arrays.n_curves))

    def climbed(self, law: _Linearized, log_scales: np.ndarray) -> np.ndarray:
        """The mode given residuals, by Newton's steps."""
        for _ in range(3 * STEPS):
            slope, hessian = self._local(law, log_scales)
            values, vectors = np.linalg.eigh(hessian)
            along = np.einsum("gpq,pg->gq", vectors, slope) / np.maximum(np.abs(values), 0.5)
            move = np.clip(np.einsum("gpq,gq->pg", vectors, along), -1, 1)
            log_scales = log_scales + move
            if np.abs(move).max() < STILL / 10:
                break
        return log_scales

    def information(self, law: _Linearized, log_scales: np.ndarray) -> np.ndarray:
        """What the residuals tell of each, given the others, beyond the prior."""
        hessian = self._local(law, log_scales)[1]
        information = np.einsum("gpp->pg", hessian) - self.precision
        return np.maximum(information, 1e-3 * self.precision)

    def _slope(self, law: _Linearized, log_scales: np.ndarray) -> np.ndarray:
        noise, tau2 = self.amounts(log_scales)
        _, by_variance, by_tau2 = self.discrepancy.gradients(
            law.residual[None], noise[None], tau2[None]
        )
        sigma2 = np.exp(2 * log_scales[0])
        first = 2 * sigma2 * self.run_arrays.sums(by_variance[0])
        density = np.concatenate([first[None], 2 * tau2 * by_tau2[0]])
        volume = [
            (self._volume(law, log_scales + step) - self._volume(law, log_scales - step))
            / (2 * STEP)
            for step in STEP * np.eye(len(log_scales))[:, :, None]
        ]
        return density - np.array(volume) - self.precision * (log_scales - self.mean)

    def _local(self, law: _Linearized, log_scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient, and minus the matrix of second derivatives (curves, ., .)."""
        steps = 10 * STEP * np.eye(len(log_scales))[:, :, None]
        hessian = np.array(
            [
                (self._slope(law, log_scales - step) - self._slope(law, log_scales + step))
                / (20 * STEP)
                for step in steps
            ]
        )
        hessian = np.moveaxis(hessian, -1, 0)
        return self._slope(law, log_scales), (hessian + np.swapaxes(hessian, 1, 2)) / 2
