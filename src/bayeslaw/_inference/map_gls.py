"""Modes and information next to a discrepancy, by generalised least squares, all curves at once.

Runs that share what the law gets wrong tell less of the law than runs with independent noise do.
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
    curvature : array (parameters, parameters, curves)
        Of the log posterior there, noise and discrepancy held.
    logs : array (1 + predictors, curves)
        Logarithms of sigma and of tau along each predictor.
    information : array (1 + predictors, curves)
        What the curve tells of each, beyond its prior.
    """

    eta: np.ndarray
    curvature: np.ndarray
    logs: np.ndarray
    information: np.ndarray


def gls_mode(
    search: Search, wrong: MarginalDiscrepancy, eta: np.ndarray, logs: np.ndarray | None = None
) -> GlsMode:
    """From where independent noise leads, to the mode next to a discrepancy.

    Parameters
    ----------
    search : Search
        The search of modes.
    wrong : MarginalDiscrepancy
        The discrepancy on the runs.
    eta : array (parameters, curves)
        Where to begin.
    logs : array (1 + predictors, curves), optional
        The scatter to begin with; the best of a grid unless given.

    Returns
    -------
    Settled
    """
    scales = _Scales(search, wrong)
    eta, logs = _better(search, scales, eta, logs)
    curvature = _local(search, wrong, eta, scales.amounts(logs))[1]
    return GlsMode(eta, curvature, logs, scales.information(_seen(search, eta), logs))


@dataclass(frozen=True)
class GlsExpansion:
    """What a mode would be with another scatter.

    Parameters
    ----------
    search : Search
        The search of modes.
    wrong : MarginalDiscrepancy
        The discrepancy on the runs.
    eta : array (parameters, curves)
        The mode of the law, in pivot coordinates.
    logs : array (1 + predictors, curves)
        Logarithms of sigma and tau there.
    """

    search: Search
    wrong: MarginalDiscrepancy
    eta: np.ndarray
    logs: np.ndarray

    def told(self, away: np.ndarray) -> dict[str, np.ndarray]:
        """What would be told of the law at the same place, with logarithms that are away."""
        curvature = _local(self.search, self.wrong, self.eta, self._amounts(away))[1]
        return self.search.told(self.eta, curvature)[0]

    def mode(self, away: np.ndarray) -> np.ndarray:
        """Where the mode would be."""
        eta, amounts = self.eta, self._amounts(away)
        for _ in range(FEW):
            eta, _ = _stepped(self.search, self.wrong, eta, amounts)
        return eta

    def _amounts(self, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _Scales(self.search, self.wrong).amounts(self.logs + away[:, None])


def _better(
    search: Search, scales: _Scales, eta: np.ndarray, logs: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The better of two kinds of modes, curve by curve, unless it is known of which kind it is.

    Noise explains what the law does not, or a smooth curve does.
    """
    if logs is not None:
        return _climbed(search, scales, eta, logs)
    seen = _seen(search, eta)
    first = scales.climbed(seen, scales.best(seen))
    ends = [_climbed(search, scales, eta, at) for at in (first, scales.constant(*SMOOTH))]
    better = _log_mass(search, scales, *ends[1]) > _log_mass(search, scales, *ends[0])
    mode, scatter = (np.where(better, two, one) for one, two in zip(*ends, strict=True))
    return mode, scatter


def _climbed(
    search: Search, scales: _Scales, eta: np.ndarray, logs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """To a mode of the law and of its scatter in turns."""
    for _ in range(ROUNDS):
        for _ in range(STEPS):
            eta, moved = _stepped(search, scales.wrong, eta, scales.amounts(logs))
            if moved < STILL:
                break
        before, logs = logs, scales.climbed(_seen(search, eta), logs)
        if np.abs(logs - before).max() < STILL:
            break
    return eta, logs


def _log_mass(search: Search, scales: _Scales, eta: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Laplace's approximation of the log posterior mass around a mode, up to a constant."""
    seen, away = _seen(search, eta), search.theta(eta) - search.center
    value = scales.value(seen, logs) - np.sum(search.precision * away**2, axis=0) / 2
    value += np.linalg.slogdet(np.moveaxis(search.bend(eta), -1, 0))[1]
    return value - np.sum(np.log(scales.information(seen, logs) + scales.precision), axis=0) / 2


@dataclass(frozen=True)
class _Seen:
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


def _seen(search: Search, eta: np.ndarray) -> _Seen:
    prior = search.prior_curvature(search.bend(eta))
    return _Seen(search.residual(eta), search.slopes(eta), prior)


def _local(
    search: Search,
    wrong: MarginalDiscrepancy,
    eta: np.ndarray,
    amounts: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Uphill gradient, curvature and misfit of each curve, noise and discrepancy held."""
    slopes, bend = search.slopes(eta), search.bend(eta)
    rows = np.concatenate([search.residual(eta)[None], slopes])
    solved = _solved(wrong, rows, amounts)
    pull = search.precision * (search.theta(eta) - search.center)
    gradient = search.run_arrays.sums(slopes * solved[0]) - np.einsum("pqg,pg->qg", bend, pull)
    curvature = _curvature(search.run_arrays, slopes, solved[1:]) + search.prior_curvature(bend)
    misfit = search.run_arrays.sums(rows[0] * solved[0]) + np.sum(
        pull * (search.theta(eta) - search.center), axis=0
    )
    return gradient, curvature, misfit


def _stepped(
    search: Search,
    wrong: MarginalDiscrepancy,
    eta: np.ndarray,
    amounts: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, float]:
    """A step of Gauss and Newton, and its length; shorter for the curves that it does not improve.

    The length is the largest of all curves, in their own standard deviations.
    """
    gradient, curvature, before = _local(search, wrong, eta, amounts)
    move = np.linalg.solve(np.moveaxis(curvature, -1, 0), gradient.T[..., None])[..., 0].T
    length = float(np.sqrt(np.max(np.abs(np.sum(gradient * move, axis=0)))))
    move, worse = np.clip(move, -1, 1), np.ones(eta.shape[1], dtype=bool)
    for _ in range(HALVINGS):
        worse = ~(_misfit(search, wrong, eta + move, amounts) <= before + TOLERANCE)
        if not worse.any():
            return eta + move, length
        move = np.where(worse, move / 4, move)
    return np.where(worse, eta, eta + move), length


def _misfit(
    search: Search,
    wrong: MarginalDiscrepancy,
    eta: np.ndarray,
    amounts: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    with np.errstate(all="ignore"):  # a step may go where the law is not a number
        residual, away = search.residual(eta), search.theta(eta) - search.center
        solved = _solved(wrong, residual[None], amounts)[0]
        return search.run_arrays.sums(residual * solved) + np.sum(
            search.precision * away**2, axis=0
        )


def _curvature(run_arrays: RunArrays, slopes: np.ndarray, solved: np.ndarray) -> np.ndarray:
    """Fisher information of the law (parameters, parameters, curves), from `_solved` slopes."""
    told = run_arrays.sums(slopes[:, None] * solved[None])
    return (told + np.swapaxes(told, 0, 1)) / 2


def _solved(
    wrong: MarginalDiscrepancy, rows: np.ndarray, amounts: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Rows (any, runs) times the inverse of the joint covariance of the residuals."""
    variance, tau2 = (np.repeat(item[None], len(rows), axis=0) for item in amounts)
    return -wrong.gradients(rows, variance, tau2)[0]


class _Scales:
    """Sigma and tau of each curve; arrays are (1 + predictors, curves).

    The law's parameters are integrated out, by Laplace's approximation: at their mode they have
    taken up part of what the law gets wrong, and tau would come out too small.
    """

    def __init__(self, search: Search, wrong: MarginalDiscrepancy) -> None:
        self.run_arrays, self.wrong = search.run_arrays, wrong
        roles = {name: search.model.roles[name] for name in ("sigma", *wrong.names)}
        self.mean, self.precision = search.prior(roles)

    def amounts(self, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variance of the noise of each run, and squared tau (predictors, curves)."""
        noise = np.exp(2 * logs[0])[self.run_arrays.curve] + self.run_arrays.known_error**2
        return noise, np.exp(2 * logs[1:])

    def best(self, seen: _Seen) -> np.ndarray:
        """The best point of a grid: there are modes with little noise and with little misfit."""
        grid = itertools.product(GRID, repeat=len(self.mean))
        points = np.array(
            [np.repeat([[x] for x in at], self.run_arrays.n_curves, 1) for at in grid]
        )
        values = np.array([self.value(seen, logs) for logs in points])
        return np.moveaxis(points, 0, -1)[
            ..., np.arange(self.run_arrays.n_curves), values.argmax(0)
        ]

    def value(self, seen: _Seen, logs: np.ndarray) -> np.ndarray:
        """Log posterior of each curve."""
        away = np.sum(self.precision * (logs - self.mean) ** 2, axis=0)
        density = self.wrong.log_density_by_curve(seen.residual, *self.amounts(logs))
        return density - away / 2 - self._volume(seen, logs)

    def _volume(self, seen: _Seen, logs: np.ndarray) -> np.ndarray:
        """Half the log determinant of the law's curvature."""
        solved = _solved(self.wrong, seen.slopes, self.amounts(logs))
        curvature = _curvature(self.run_arrays, seen.slopes, solved) + seen.prior
        return np.linalg.slogdet(np.moveaxis(curvature, -1, 0))[1] / 2

    def constant(self, sigma: float, tau: float) -> np.ndarray:
        """The same logarithms for all curves."""
        return np.outer([sigma, *[tau] * (len(self.mean) - 1)], np.ones(self.run_arrays.n_curves))

    def climbed(self, seen: _Seen, logs: np.ndarray) -> np.ndarray:
        """The mode given residuals, by Newton's steps."""
        for _ in range(3 * STEPS):
            slope, bend = self._local(seen, logs)
            values, vectors = np.linalg.eigh(bend)
            along = np.einsum("gpq,pg->gq", vectors, slope) / np.maximum(np.abs(values), 0.5)
            move = np.clip(np.einsum("gpq,gq->pg", vectors, along), -1, 1)
            logs = logs + move
            if np.abs(move).max() < STILL / 10:
                break
        return logs

    def information(self, seen: _Seen, logs: np.ndarray) -> np.ndarray:
        """What the residuals tell of each, given the others, beyond the prior."""
        bend = self._local(seen, logs)[1]
        told = np.einsum("gpp->pg", bend) - self.precision
        return np.maximum(told, 1e-3 * self.precision)

    def _slope(self, seen: _Seen, logs: np.ndarray) -> np.ndarray:
        noise, tau2 = self.amounts(logs)
        _, by_variance, by_tau2 = self.wrong.gradients(seen.residual[None], noise[None], tau2[None])
        sigma2 = np.exp(2 * logs[0])
        first = 2 * sigma2 * self.run_arrays.sums(by_variance[0])
        density = np.concatenate([first[None], 2 * tau2 * by_tau2[0]])
        volume = [
            (self._volume(seen, logs + step) - self._volume(seen, logs - step)) / (2 * STEP)
            for step in STEP * np.eye(len(logs))[:, :, None]
        ]
        return density - np.array(volume) - self.precision * (logs - self.mean)

    def _local(self, seen: _Seen, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient, and minus the matrix of second derivatives (curves, ., .)."""
        steps = 10 * STEP * np.eye(len(logs))[:, :, None]
        bend = np.array(
            [
                (self._slope(seen, logs - step) - self._slope(seen, logs + step)) / (20 * STEP)
                for step in steps
            ]
        )
        bend = np.moveaxis(bend, -1, 0)
        return self._slope(seen, logs), (bend + np.swapaxes(bend, 1, 2)) / 2
