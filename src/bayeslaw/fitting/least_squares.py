"""The point fit that a user would have done, curve by curve, for comparison."""

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

SEED = 11  # of the starts that are drawn
STARTS = 16  # at most, for each curve
STEPS = 300  # at most, from each start
AGREE = 4  # starts that suffice if they come to the same objective
SAME = 1e-6  # relative difference of objectives of the same optimum
NIL = 1e-10  # root mean squared log residual of an exact fit
STEP = 1e-5  # of central differences
FLAT = 1e-6  # slope, relative to the steepest, that their error hides
FAR = 1e3  # log residual where the law has no value

type Optimum = tuple[float, np.ndarray]  # an objective and the coordinates where it is


def least_squares(model: Model, runs: xr.Dataset, *, huber: float | None = None) -> pd.DataFrame:
    """Fit the law of a model to each curve by least squares on the log response.

    No pooling, no priors, no noise model: what most papers do. The search starts from the
    pilot's fit and from three draws of the priors and, unless they all come to the same objective
    or one to an exact fit, from twelve more.

    Parameters
    ----------
    model : Model
        Its law, fixed and tied parameters are used.
    runs : xarray.Dataset
        Training runs.
    huber : float, optional
        Log residual r beyond which the loss grows linearly: ``huber |r| - huber**2 / 2``.
        Scaling-law papers take 1e-3 (Hoffmann et al. 2022). Without it the loss is ``r**2 / 2``
        everywhere.

    Returns
    -------
    pandas.DataFrame
        Indexed by curve: parameters in the user's units, ``rmsle`` (root mean squared log
        residual), ``objective`` (the sum of the loss over the curve's runs) and ``converged``:
        whether no small step lowers the objective, and either a second start came to it or the
        fit is exact.

    Raises
    ------
    ValueError
        If huber is not above 0, or the runs lack what the model names.

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
    laplace = search.named(search.optima()[0])
    reference, told = predictor_scales(model.law, runs), []
    for i in range(run_arrays.n_curves):
        curve = _Curve.of(model, system, run_arrays, i)
        first = np.array([laplace[name][i] for name in system.roles])
        eta, fit = _best(curve, _starts(model, curve, first), huber)
        with np.errstate(over="ignore", invalid="ignore"):
            told.append({**rescale(model.law, reference, curve.parameters(eta)), **fit})
    return pd.DataFrame(told, index=pd.Index(run_arrays.curves["curve"].values, name="curve"))


def predict(law: Law, fitted: pd.DataFrame, runs: xr.Dataset) -> np.ndarray:
    """Values of least-squares fits at runs of the same curves.

    Parameters
    ----------
    law : Law
        The law.
    fitted : pandas.DataFrame
        As of `least_squares`.
    runs : xarray.Dataset
        Where; with or without a response.

    Returns
    -------
    array, shape (run,)
    """
    curves = curves_in(runs)
    label = curves["curve"].values[curve_index(runs, curves)]
    of_run = fitted.loc[label]
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
        """Coordinates (coordinate, ...) to residuals (..., run)."""
        with np.errstate(all="ignore"):
            mean = self.law(*self.predictors, **self.parameters(eta[..., None]))
            misfit = self.log_response - np.log(mean)
        return np.where(np.isfinite(misfit), misfit, FAR)

    def slopes(self, eta: np.ndarray) -> np.ndarray:
        steps = STEP * np.eye(eta.size)
        ahead, behind = (self.residual(eta[:, None] + step) for step in (steps, -steps))
        return (ahead - behind).T / (2 * STEP)


def _starts(model: Model, curve: _Curve, first: np.ndarray) -> Iterator[np.ndarray]:
    """The pilot's fit, then draws from the priors at the curve's own level."""
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


def _best(
    curve: _Curve, starts: Iterator[np.ndarray], huber: float | None
) -> tuple[np.ndarray, dict[str, float | bool]]:
    """The lowest of the optima found, and how good it is."""
    nil, found = curve.log_response.size * NIL**2 / 2, []
    for start in islice(starts, STARTS):
        found.append(_descend(curve, start, huber))
        if _lowest(found)[0] <= nil or _reached(found) == len(found) == AGREE:
            break
    objective, eta = _lowest(found)
    is_sure = _reached(found) > 1 and _is_still(curve, eta, huber, objective)
    return eta, {
        "rmsle": float(np.sqrt(np.mean(curve.residual(eta) ** 2))),
        "objective": objective,
        "converged": objective <= nil or is_sure,
    }


def _lowest(found: list[Optimum]) -> Optimum:
    return min(found, key=lambda optimum: optimum[0])


def _reached(found: list[Optimum]) -> int:
    """How many starts have come to the lowest objective."""
    return sum(objective <= _lowest(found)[0] * (1 + SAME) for objective, _ in found)


def _descend(curve: _Curve, start: np.ndarray, huber: float | None) -> Optimum:
    """The nearest optimum: its objective and its place."""
    found = optimize.least_squares(
        curve.residual,
        start,
        curve.slopes,  # pyright: ignore[reportArgumentType]
        loss="linear" if huber is None else "huber",
        f_scale=huber or 1.0,
        max_nfev=STEPS,
        **dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15),
    )
    return float(found.cost), found.x


def _is_still(curve: _Curve, eta: np.ndarray, huber: float | None, objective: float) -> bool:
    """Whether a Gauss-Newton step, reweighted as Huber's loss asks, has nothing to gain."""
    residual, slopes = curve.residual(eta), curve.slopes(eta)
    size = np.abs(residual)
    root = np.sqrt(np.minimum(1.0, (huber or np.inf) / np.maximum(size, 1e-300)))
    weighted, target = root[:, None] * slopes, -root * residual
    # Directions in which nothing moves, such as a floor near zero, are left out.
    step = np.linalg.lstsq(weighted, target, rcond=FLAT)[0]
    return bool(np.sum((weighted @ step) ** 2) / 2 <= SAME * objective)
