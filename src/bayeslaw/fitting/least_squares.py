"""Least squares, or Huber's loss, on the log response: point estimates, curve by curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
import xarray as xr
from scipy import optimize

from bayeslaw._inference.coordinates import Coordinates, Frame, coordinates
from bayeslaw._inference.map_search import Search
from bayeslaw._inference.run_arrays import RunArrays, population_prior, run_arrays_of
from bayeslaw._law.law import Law
from bayeslaw._law.roles import LEVEL, link_normal
from bayeslaw._law.units import predictor_scales, rescale
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.model.model import Model

__all__ = ["least_squares", "predict"]

SEED = 11  # of the random starts
STARTS = 16  # at most, for each curve
MAX_STEPS = 300  # from each start
AGREEING_STARTS = 4  # no more starts if the first so many reach the same objective
SAME_OBJECTIVE = 1e-6  # relative difference of objectives of the same optimum
EXACT_RMSLE = 1e-10  # root mean squared log residual of an exact fit
DIFFERENCE_STEP = 1e-5  # of central differences
FLAT = 1e-6  # singular values below this, relative to the largest, are numerical error
INVALID_RESIDUAL = 1e3  # log residual where the law has no value

type Optimum = tuple[float, np.ndarray]  # objective, and coordinates (parameters,)


def least_squares(model: Model, runs: xr.Dataset, *, huber: float | None = None) -> pd.DataFrame:
    """Fit the law of a model to each curve by least squares on the log response.

    No pooling, no priors, no noise model: what most papers do. Each curve is fitted from several
    starting points: the MAP mode and three draws from the priors, and twelve more draws unless
    these four reach the same objective or one of them an exact fit.

    Parameters
    ----------
    model : Model
        Only its law and its fixed and tied parameters are used.
    runs : xarray.Dataset
        Training runs.
    huber : float, optional
        Threshold of Huber's loss: the absolute log residual ``|r|`` above which the loss is
        linear, ``huber |r| - huber**2 / 2``. Scaling-law papers take 1e-3 (Hoffmann et al. 2022).
        Without it the loss is ``r**2 / 2`` everywhere.

    Returns
    -------
    pandas.DataFrame
        Indexed by curve: parameters in the user's units, ``rmsle`` (root mean squared log
        residual), ``objective`` (the sum of the loss over the curve's runs) and ``converged``:
        whether the fit is exact, or the objective is stationary and was reached from at least two
        starting points.

    Raises
    ------
    ValueError
        If huber is not a finite number above 0, or the runs lack a predictor of the law.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> train, later = bl.split_held_out(bl.datasets.load("learners"))
    >>> bl.least_squares(bl.Model(bl.laws.power.of("D")), train).shape
    (20, 6)
    """
    if huber is not None and not 0 < huber < np.inf:
        raise ValueError(f"huber must be a finite number above 0, or None, got {huber!r}")
    run_arrays, system = run_arrays_of(model, runs), coordinates(model)
    search = Search(model, system, run_arrays, run_arrays.level)
    map_mode = search.named(search.modes()[0])
    scales, rows = predictor_scales(model.law, runs), []
    for i in range(run_arrays.n_curves):
        curve = _Curve.of(model, system, run_arrays, i)
        first = np.array([map_mode[name][i] for name in system.roles])
        eta, fit = _best_fit(curve, _starting_points(model, curve, first), huber)
        with np.errstate(over="ignore", invalid="ignore"):
            rows.append({**rescale(model.law, scales, curve.parameters(eta)), **fit})
    return pd.DataFrame(rows, index=pd.Index(run_arrays.curves["curve"].values, name="curve"))


def predict(law: Law, estimates: pd.DataFrame, runs: xr.Dataset) -> np.ndarray:
    """Predictions (runs,) of least-squares estimates, as of `least_squares`, at runs of its curves.

    The runs need no response.
    """
    curves = curves_in(runs)
    label = curves["curve"].values[curve_index(runs, curves)]
    of_run = estimates.loc[label]
    parameters = {name: of_run[name].to_numpy() for name in law.parameters}
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(law(*(runs[name].values for name in law.predictors), **parameters))


@dataclass(frozen=True)
class _Curve:
    """The runs of one curve, and their log residuals in the sampler's coordinates."""

    law: Law
    system: Coordinates
    frame: Frame
    predictors: list[np.ndarray]
    log_response: np.ndarray

    @classmethod
    def of(cls, model: Model, system: Coordinates, run_arrays: RunArrays, i: int) -> _Curve:
        own = run_arrays.curve == i
        pivot, smallest, largest = (tuple(x[i] for x in end) for end in run_arrays.frame.ends)
        frame = Frame(pivot, smallest, largest)
        predictors = [x[own] for x in run_arrays.predictors]
        return cls(model.law, system, frame, predictors, np.log(run_arrays.response[own]))

    def parameters(self, eta: np.ndarray) -> dict[str, np.ndarray]:
        named = dict(zip(self.system.roles, eta, strict=True))
        whole = dict.fromkeys(named, 1.0)
        with np.errstate(all="ignore"):
            return self.system.parameters(self.system.from_pivot(named, self.frame, whole))

    def residual(self, eta: np.ndarray) -> np.ndarray:
        """Log residuals (..., runs) at coordinates (parameters, ...)."""
        with np.errstate(all="ignore"):
            mean = self.law(*self.predictors, **self.parameters(eta[..., None]))
            residual = self.log_response - np.log(mean)
        return np.where(np.isfinite(residual), residual, INVALID_RESIDUAL)

    def jacobian(self, eta: np.ndarray) -> np.ndarray:
        """Derivatives (runs, parameters) of the log residuals."""
        steps = DIFFERENCE_STEP * np.eye(eta.size)
        ahead, behind = (self.residual(eta[:, None] + step) for step in (steps, -steps))
        return (ahead - behind).T / (2 * DIFFERENCE_STEP)


def _starting_points(model: Model, curve: _Curve, first: np.ndarray) -> Iterator[np.ndarray]:
    """The MAP mode, then draws from the priors at the curve's own level."""
    yield first
    rng, roles = np.random.default_rng(SEED), curve.system.roles
    level, whole = float(curve.log_response.mean()), dict.fromkeys(roles, 1.0)
    priors = {
        name: link_normal(population_prior(model, name, role, level), role.link)
        or link_normal(role.prior, role.link)
        for name, role in roles.items()
    }
    while True:
        theta = {n: rng.normal(prior.mean, prior.sd) for n, prior in priors.items() if prior}
        with np.errstate(all="ignore"):
            eta = curve.system.to_pivot(theta, curve.frame, whole)
        yield np.array([level if roles[name] is LEVEL else eta[name] for name in roles])


def _best_fit(
    curve: _Curve, starts: Iterator[np.ndarray], huber: float | None
) -> tuple[np.ndarray, dict[str, float | bool]]:
    """Coordinates (parameters,) of the lowest optimum, and how good it is."""
    exact, optima = curve.log_response.size * EXACT_RMSLE**2 / 2, []
    for start in islice(starts, STARTS):
        optima.append(_optimum(curve, start, huber))
        if _lowest(optima)[0] <= exact or _agreeing(optima) == len(optima) == AGREEING_STARTS:
            break
    objective, eta = _lowest(optima)
    is_confirmed = _agreeing(optima) > 1 and _is_stationary(curve, eta, huber, objective)
    return eta, {
        "rmsle": float(np.sqrt(np.mean(curve.residual(eta) ** 2))),
        "objective": objective,
        "converged": objective <= exact or is_confirmed,
    }


def _lowest(optima: list[Optimum]) -> Optimum:
    return min(optima, key=lambda optimum: optimum[0])


def _agreeing(optima: list[Optimum]) -> int:
    """Number of starts that reached the lowest objective."""
    return sum(objective <= _lowest(optima)[0] * (1 + SAME_OBJECTIVE) for objective, _ in optima)


def _optimum(curve: _Curve, start: np.ndarray, huber: float | None) -> Optimum:
    """The local optimum from a starting point."""
    result = optimize.least_squares(
        curve.residual,
        start,
        curve.jacobian,  # pyright: ignore[reportArgumentType]
        loss="linear" if huber is None else "huber",
        f_scale=huber or 1.0,
        max_nfev=MAX_STEPS,
        **dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15),
    )
    return float(result.cost), result.x


def _is_stationary(curve: _Curve, eta: np.ndarray, huber: float | None, objective: float) -> bool:
    """Whether a Gauss-Newton step, reweighted for Huber's loss, gains nothing."""
    residual, jacobian = curve.residual(eta), curve.jacobian(eta)
    size = np.abs(residual)
    root = np.sqrt(np.minimum(1.0, (huber or np.inf) / np.maximum(size, 1e-300)))
    weighted, target = root[:, None] * jacobian, -root * residual
    # Flat directions, such as a floor near zero, are left out.
    step = np.linalg.lstsq(weighted, target, rcond=FLAT)[0]
    return bool(np.sum((weighted @ step) ** 2) / 2 <= SAME_OBJECTIVE * objective)
