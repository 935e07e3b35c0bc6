"""The point fit that a user would have done, curve by curve, for comparison."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy import optimize

from bayeslaw import runs as table
from bayeslaw.coordinates import Coordinates, Frame, coordinates
from bayeslaw.law import Law
from bayeslaw.model import Model
from bayeslaw.pilot import Design, design_of, fly
from bayeslaw.units import rescale, scales_of

__all__ = ["least_squares", "predict"]

STARTS = (0.0, -1.5, 1.5)  # added to each exponent-like coordinate of the quick fit


def least_squares(model: Model, runs: xr.Dataset) -> pd.DataFrame:
    """Fit the law of a model to each curve by least squares on the log response.

    No pooling, no priors, no noise model: what most papers do. Several starts, the best kept.

    Parameters
    ----------
    model : Model
        Its law, fixed and tied parameters are used.
    runs : xarray.Dataset
        Training runs.

    Returns
    -------
    pandas.DataFrame
        Indexed by curve: parameters in the user's units, ``rmsle`` (root mean squared log
        residual) and ``converged``.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> train, later = bl.split_held_out(bl.datasets.load("learners"))
    >>> bl.least_squares(bl.Model(bl.laws.power.of("D")), train).shape
    (20, 5)
    """
    design, system = design_of(model, runs), coordinates(model)
    start = fly(model, system, design).pivot_mode
    rows = [
        _one(model, system, design, {name: start[name][i] for name in system.roles}, i)
        for i in range(design.n_curves)
    ]
    reference = scales_of(model.law, runs)
    told = [{**rescale(model.law, reference, parameters), **fit} for parameters, fit in rows]
    return pd.DataFrame(told, index=pd.Index(design.curves["curve"].values, name="curve"))


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
    curves = table.curves(runs)
    label = curves["curve"].values[table.curve_index(runs, curves)]
    of_run = fitted.loc[label]
    parameters = {name: of_run[name].to_numpy() for name in law.parameters}
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(law(*(runs[name].values for name in law.predictors), **parameters))


def _one(
    model: Model, system: Coordinates, design: Design, start: dict[str, float], i: int
) -> tuple[dict[str, float], dict[str, float | bool]]:
    own = design.curve == i
    predictors, response = [x[own] for x in design.predictors], np.log(design.response[own])
    frame = Frame(*(tuple(x[i] for x in end) for end in vars(design.frame).values()))
    whole = dict.fromkeys(start, 1.0)

    def parameters(eta: np.ndarray) -> dict[str, float]:
        named = dict(zip(start, eta, strict=True))
        return system.parameters(system.from_pivot(named, frame, whole))

    def residual(eta: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            misfit = response - np.log(model.law(*predictors, **parameters(eta)))
        return np.where(np.isfinite(misfit), misfit, 1e3)

    first = np.array(list(start.values()))
    tries = [
        optimize.least_squares(
            residual, first + step, method="trf", xtol=1e-15, ftol=1e-15, gtol=1e-15
        )
        for step in _steps(system, list(start))
    ]
    best = min(tries, key=lambda found: found.cost)
    return parameters(best.x), {
        "rmsle": float(np.sqrt(2 * best.cost / response.size)),
        "converged": bool(best.success),
    }


def _steps(system: Coordinates, names: list[str]) -> list[np.ndarray]:
    level = [role.name == "level" for role in (system.roles[name] for name in names)]
    return [np.where(level, 0.0, step) for step in STARTS]
