"""Least squares, or Huber's loss, on the log response: point estimates, curve by curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._arguments import POSITIVE
from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.map_mode.law_residuals import LawResiduals
from bayeslaw._inference.map_mode.multistart import find_modes
from bayeslaw._inference.map_mode.problem import MapProblem
from bayeslaw._inference.run_arrays import population_prior
from bayeslaw._law.law import Law
from bayeslaw._law.roles import LEVEL, link_normal
from bayeslaw._law.units import predictor_scales, rescale
from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.model.model import Model
from bayeslaw.response_scales import LogScale

__all__ = ["least_squares", "predict"]

SEED = 11  # of the random starts
STARTS = 16  # at most, for each curve
MAX_STEPS = 300  # from each start
AGREEING_STARTS = 4  # no more starts if the first so many reach the same objective
SAME_OBJECTIVE = 1e-6  # relative difference of objectives of the same optimum
EXACT_RMSLE = 1e-10  # root mean squared log residual of an exact fit
FLAT = 1e-6  # singular values below this, relative to the largest, are numerical error

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
    huber = None if huber is None else POSITIVE.check("huber", huber)
    bound = bind(model, runs)
    run_arrays, system = bound.run_arrays, bound.coordinates
    map_mode = find_modes(MapProblem.of(bound))[0]
    on_log_scale = replace(run_arrays, values=np.log(run_arrays.response))
    scales, rows = predictor_scales(model.law, runs), []
    for i in range(run_arrays.n_curves):
        curve = LawResiduals(system, on_log_scale.select_curves(np.array([i])), LogScale())
        eta, fit = _best_fit(curve, _starting_points(model, curve, map_mode[:, i]), huber)
        parameters = {n: np.ravel(x)[0] for n, x in curve.parameters(eta[:, None]).items()}
        with np.errstate(over="ignore", invalid="ignore"):
            rows.append({**rescale(model.law, scales, parameters), **fit})
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


def _residual(curve: LawResiduals, eta: np.ndarray) -> np.ndarray:
    """Log residuals (runs,) of one curve at coordinates (parameters,)."""
    return curve.residual(eta[:, None])


def _jacobian(curve: LawResiduals, eta: np.ndarray) -> np.ndarray:
    """Derivatives (runs, parameters) of the log residuals."""
    return -curve.jacobian(eta[:, None]).T


def _starting_points(model: Model, curve: LawResiduals, first: np.ndarray) -> Iterator[np.ndarray]:
    """The MAP mode, then draws from the priors at the curve's own level."""
    yield first
    rng, roles = np.random.default_rng(SEED), curve.coordinates.roles
    level = float(curve.run_arrays.values.mean())
    priors = [
        link_normal(population_prior(model, name, role, level), role.link)
        or link_normal(role.prior, role.link)
        for name, role in roles.items()
    ]
    while True:
        theta = np.array([[rng.normal(prior.mean, prior.sd)] for prior in priors if prior])
        with np.errstate(all="ignore"):
            eta = curve.eta(theta)[:, 0]
        eta[[role is LEVEL for role in roles.values()]] = level
        yield eta


def _best_fit(
    curve: LawResiduals, starts: Iterator[np.ndarray], huber: float | None
) -> tuple[np.ndarray, dict[str, float | bool]]:
    """Coordinates (parameters,) of the lowest optimum, and how good it is."""
    exact, optima = curve.run_arrays.response.size * EXACT_RMSLE**2 / 2, []
    for start in islice(starts, STARTS):
        optima.append(_optimum(curve, start, huber))
        if _lowest(optima)[0] <= exact or _agreeing(optima) == len(optima) == AGREEING_STARTS:
            break
    objective, eta = _lowest(optima)
    is_confirmed = _agreeing(optima) > 1 and _is_stationary(curve, eta, huber, objective)
    return eta, {
        "rmsle": float(np.sqrt(np.mean(_residual(curve, eta) ** 2))),
        "objective": objective,
        "converged": objective <= exact or is_confirmed,
    }


def _lowest(optima: list[Optimum]) -> Optimum:
    return min(optima, key=lambda optimum: optimum[0])


def _agreeing(optima: list[Optimum]) -> int:
    """Number of starts that reached the lowest objective."""
    return sum(objective <= _lowest(optima)[0] * (1 + SAME_OBJECTIVE) for objective, _ in optima)


def _optimum(curve: LawResiduals, start: np.ndarray, huber: float | None) -> Optimum:
    """The local optimum from a starting point.

    Exact fits and Huber's loss need more digits than the normal equations of
    `levenberg_marquardt` have, so this is a trust-region method on the Jacobian itself.
    """
    from scipy import optimize  # slow to import

    result = optimize.least_squares(
        partial(_residual, curve),
        start,
        partial(_jacobian, curve),  # pyright: ignore[reportArgumentType]
        loss="linear" if huber is None else "huber",
        f_scale=huber or 1.0,
        max_nfev=MAX_STEPS,
        **dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15),
    )
    return float(result.cost), result.x


def _is_stationary(
    curve: LawResiduals, eta: np.ndarray, huber: float | None, objective: float
) -> bool:
    """Whether a Gauss-Newton step, reweighted for Huber's loss, gains nothing."""
    residual, jacobian = _residual(curve, eta), _jacobian(curve, eta)
    size = np.abs(residual)
    root = np.sqrt(np.minimum(1.0, (huber or np.inf) / np.maximum(size, 1e-300)))
    weighted, target = root[:, None] * jacobian, -root * residual
    # Flat directions, such as a floor near zero, are left out.
    step = np.linalg.lstsq(weighted, target, rcond=FLAT)[0]
    return bool(np.sum((weighted @ step) ** 2) / 2 <= SAME_OBJECTIVE * objective)
