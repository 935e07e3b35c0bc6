"""Baselines: point forecasts (x, y, x_new) -> y_new, and a peer with bands.

M1 to M4 are the estimators of Alabdulmohsin et al. (2022), who fit logarithms: of the loss, of its
excess over a floor, or of the excess over the distance to a ceiling. Their optima are local,
and the fourth does not converge; the published errors are those of the searches written here.
The others are laws of the package by least squares on the log response.

Responses come divided by ``Curve.y_scale``, in whose units the margins of M2 and M4 are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import numba
import numpy as np
import pandas as pd
from scipy import optimize, special, stats

import bayeslaw as bl
from benchmarks.extrapolation.data import Curve, Prediction, Predictor

type Forecast = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

MARGIN = 1e-3  # of the floor below, and of the ceiling above, every response
FLOORS = 2000  # tried on the way down from the largest
ROUNDS = 10_000  # of alternating searches, at most
TOLERANCE = 1e-10  # change of the amplitude that ends them
NEWTON_STEPS, DAMPING, FLAT = 100, 0.1, 1e-5
BREAKS, HEADS = (0.25, 0.5, 0.75), (0.1, 1.0)  # initial points: break in log x, exponent before it
LEAST = np.array([-30.0, -30.0, 0.0, -5.0, -1.0, -4.0])  # of the coordinates of `_broken`
MOST = np.array([0.0, 30.0, 5.0, 5.0, 1.0, 4.0])
BREAK_STEPS = 200  # evaluations from each start
BROKEN = bl.laws.broken(breaks=1)
DRAWS = 200  # bootstrap fits of the peer


def last_value(x: np.ndarray, y: np.ndarray, x_new: np.ndarray) -> np.ndarray:
    """The response at the largest size."""
    return np.full(x_new.shape, y[-1])


def m1(x: np.ndarray, y: np.ndarray, x_new: np.ndarray) -> np.ndarray:
    """A power law: y = b x^c."""
    level, slope = _line(np.log(x), np.log(y))
    return np.exp(level + slope * np.log(x_new))


def m2(x: np.ndarray, y: np.ndarray, x_new: np.ndarray) -> np.ndarray:
    """A power law above a floor: y - e = b x^c, at the nearest optimum below the largest floor.

    That is where descent from the largest floor ends, and often not the least of all optima, which
    tends to have no floor.
    """
    log_x, top = np.log(x), max(y.min() - MARGIN, 0.0)
    below = top - np.geomspace(1e-7, 1.0, FLOORS) * top
    floors = np.append(top, np.maximum(below, 0.0))
    squares = _sum_of_squares(log_x, np.log(y - floors[:, None]))
    rising = np.flatnonzero(np.diff(squares) > 0)
    floor = floors[rising[0] if rising.size else -1]
    level, slope = _line(log_x, np.log(y - floor))
    return floor + np.exp(level + slope * np.log(x_new))


def m3(x: np.ndarray, y: np.ndarray, x_new: np.ndarray) -> np.ndarray:
    """A power law that saturates: y = b (1/x + g)^c, with g from those that meet a row exactly."""
    gamma, amplitude, exponent, inverse, log_y = 0.0, np.inf, 0.0, 1 / x, np.log(y)
    for _ in range(ROUNDS):
        before = amplitude
        level, slope = _line(np.log(inverse + gamma), log_y)
        amplitude, exponent = np.exp(level), max(slope, 0.0)
        if exponent == 0 or abs(amplitude - before) < TOLERANCE:
            break
        exact = (y / amplitude) ** (1 / exponent) - inverse
        tried = np.append(gamma, exact[exact >= 0])
        residual = log_y - level - exponent * np.log(inverse + tried[:, None])
        gamma = tried[np.argmin(np.sum(residual**2, axis=1))]
    return amplitude * (1 / x_new + gamma) ** exponent


def m4(x: np.ndarray, y: np.ndarray, x_new: np.ndarray) -> np.ndarray:
    """From a ceiling to a floor: (y - e) / (e0 - y)^a = b x^-c, with a, c and log b from 0.

    As published: the regression sees the first ceiling throughout; floor and ceiling follow by
    damped Newton steps. Without the descent before them, which ends in the same numbers.
    """
    floor, ceiling, amplitude = y.min() - MARGIN, max(1.0, y.max() + MARGIN), np.inf
    columns = np.stack([np.ones_like(x), -np.log(x), np.log(ceiling - y)], axis=1)
    exponent = alpha = 0.0
    for _ in range(ROUNDS):
        before = amplitude
        (level, exponent, alpha), _ = optimize.nnls(columns, np.log(y - floor))
        amplitude, log_power = np.exp(level), level + exponent * columns[:, 1]
        floor, ceiling = _move_ends(y, log_power, alpha, floor, ceiling)
        if abs(amplitude - before) < TOLERANCE:
            break
    return floor + _excess(amplitude * x_new**-exponent, alpha, ceiling - floor)


def least_squares(law: bl.Law, x: np.ndarray, y: np.ndarray, x_new: np.ndarray) -> np.ndarray:
    """A law of one predictor by `bayeslaw.least_squares`, in units of the last training size."""
    [size], unit = law.predictors, x[-1]
    runs = bl.read_runs(pd.DataFrame({size: x / unit, "y": y}), response="y", predictors=[size])
    fitted = bl.least_squares(bl.Model(law), runs).iloc[0]
    return np.asarray(law(x_new / unit, **{name: float(fitted[name]) for name in law.parameters}))


def one_break(x: np.ndarray, y: np.ndarray, x_new: np.ndarray) -> np.ndarray:
    """A power law with a break above a floor (Caballero et al. 2023), from six starts.

    `bayeslaw.least_squares` with ``laws.broken(1)`` searches wider, and ten times as long.
    """
    middle = np.exp(np.log(x).mean())
    size, log_y = x / middle, np.log(y)
    ends = np.log(size[[0, -1]])
    least, most = LEAST.copy(), MOST.copy()
    least[4], most[4], most[0] = ends[0] - 1, ends[1] + 1, log_y.min()
    fits = [
        optimize.least_squares(
            lambda z: np.log(_broken(z, size)) - log_y,
            np.clip(start, least + 1e-6, most - 1e-6),
            bounds=(least, most),
            max_nfev=BREAK_STEPS,
        )
        for start in _initial_points(size, y)
    ]
    return _broken(min(fits, key=lambda fit: fit.cost).x, x_new / middle)


def pointwise(forecast: Forecast) -> Predictor:
    """A predictor that gives points, curve by curve; of equal sizes the last row counts."""

    def predict(curves: Sequence[Curve]) -> list[Prediction]:
        return [_point(forecast, curve) for curve in curves]

    return predict


def simple_scaling_laws(
    curves: Sequence[Curve], *, draws: int = DRAWS, seed: int = 1
) -> list[Prediction]:
    """The package of that name: a power law with floor, bands by a wild bootstrap.

    Its own defaults, but for the number of bootstrap fits. The noise of a new run is additive and
    Gaussian, hence the log density.

    Parameters
    ----------
    curves : sequence of Curve
        Each is fitted by itself, every row a run.
    draws : int
        Bootstrap fits.
    seed : int
        Of the bootstrap.

    Returns
    -------
    list of Prediction
    """
    return [_bootstrap(curve, draws, seed) for curve in curves]


def _line(u: np.ndarray, v: np.ndarray) -> tuple[Any, Any]:
    """Level at 0 and slope of v (..., row) on u (row,)."""
    from_mean = u - u.mean()
    slope = v @ from_mean / np.sum(from_mean**2)
    return v.mean(axis=-1) - slope * u.mean(), slope


def _sum_of_squares(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    level, slope = _line(u, v)
    return np.sum((v - level[:, None] - slope[:, None] * u) ** 2, axis=1)


@numba.njit
def _move_ends(
    y: np.ndarray, log_power: np.ndarray, alpha: float, floor: float, ceiling: float
) -> tuple[float, float]:
    """Damped Newton steps of M4's floor and ceiling, each by its own second derivative."""
    largest_floor, least_ceiling = y.min() - MARGIN, y.max() + MARGIN
    for _ in range(NEWTON_STEPS):
        floor_slope = floor_curvature = ceiling_slope = ceiling_curvature = 0.0
        for i in range(y.size):
            above, below = y[i] - floor, ceiling - y[i]
            residual = np.log(above) - alpha * np.log(below) - log_power[i]
            floor_slope -= residual / above
            floor_curvature += (1 - residual) / above**2
            ceiling_slope -= alpha * residual / below
            ceiling_curvature += alpha * (alpha + residual) / below**2
        if abs(floor_curvature) > FLAT * y.size:
            floor = min(max(floor - DAMPING * floor_slope / floor_curvature, 0.0), largest_floor)
        if abs(ceiling_curvature) > FLAT * y.size:
            ceiling = max(ceiling - DAMPING * ceiling_slope / ceiling_curvature, least_ceiling)
    return floor, ceiling


def _excess(power: np.ndarray, alpha: float, span: float) -> np.ndarray:
    """Solve w = power (span - w)^alpha for w between 0 and span, by halving."""
    if alpha < FLAT:
        return power
    low, high = np.zeros_like(power), np.full_like(power, span)
    for _ in range(60):
        middle = (low + high) / 2
        is_above = middle > power * (span - middle) ** alpha
        low, high = np.where(is_above, low, middle), np.where(is_above, middle, high)
    return (low + high) / 2


def _broken(z: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The law at coordinates: log floor, log amplitude, two exponents, log break, log width."""
    names = {"L0": np.exp(z[0]), "k": np.exp(z[1]), "alpha": z[2], "c_1": z[3]}
    return BROKEN(size, **names, d_1=np.exp(z[4]), f_1=np.exp(z[5]))


def _initial_points(size: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Half of the least response as floor, and the slope of M1 with a break inside the range."""
    level, slope = _line(np.log(size), np.log(y))
    floor, ends = y.min() / 2, np.log(size[[0, -1]])
    amplitude, steep = np.log(max(np.exp(level) - floor, 1e-9)), max(-slope, 1e-3)
    return [
        np.array(
            [np.log(floor), amplitude, head * steep, (2 - head) * steep, log_break, np.log(0.5)]
        )
        for log_break, head in product(ends[0] + np.ptp(ends) * np.array(BREAKS), HEADS)
    ]


def _point(forecast: Forecast, curve: Curve) -> Prediction:
    is_last = np.append(np.diff(curve.x_train) > 0, True)
    x, y = curve.x_train[is_last], curve.y_train[is_last] / curve.y_scale
    started = time.perf_counter()
    median = curve.y_scale * forecast(x, y, curve.x_test)
    return Prediction(median, seconds=time.perf_counter() - started)


def _bootstrap(curve: Curve, draws: int, seed: int) -> Prediction:
    import polars as pl
    from simple_scaling_laws import fit

    size, target, runs = "dataset_size__x", "test_loss__y", np.arange(curve.x_train.size)
    rows = {"training_run_id": runs, "test_set_id": 0 * runs, size: curve.x_train}
    started = time.perf_counter()
    model = fit(pl.DataFrame(rows | {target: curve.y_train}), n_draws=draws, seed=seed)
    points = model.fitting_predictors(model.prepare_points(pl.DataFrame({size: curve.x_test})))
    mean, new_run = (
        model.target_draws(target, points, kind, np.random.default_rng(seed))
        for kind in ("mean", "new-run")
    )
    noise = np.maximum(model.draws[target].run_sd, np.finfo(float).tiny)[:, None]
    density = special.logsumexp(stats.norm.logpdf(curve.y_test, mean, noise), axis=0)
    return Prediction(
        np.median(mean, axis=0),
        new_run,
        density - np.log(draws),
        mean,
        seconds=time.perf_counter() - started,
        converged=bool(model.fits[target].optimizer["success"]),
    )


POINTS: Mapping[str, Predictor] = {
    name: pointwise(forecast)
    for name, forecast in {
        "last value": last_value,
        "M1": m1,
        "M2": m2,
        "M3": m3,
        "M4": m4,
        "power law with floor": partial(least_squares, bl.laws.power.of("x")),
        "log-linear": partial(least_squares, bl.laws.log_linear.of("x")),
        "one break": one_break,
    }.items()
}
