"""How good a forecast was, run by run."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayeslaw.forecast import interval
from bayeslaw.noise import StudentT

__all__ = ["score_runs"]


def score_runs(forecast: xr.Dataset, observed: np.ndarray, noise: StudentT) -> xr.Dataset:
    """Scores of a forecast at runs that were observed.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws at the runs, as of `bayeslaw.forecast`.
    observed : array, shape (run,)
        Responses.
    noise : StudentT
        Noise of the model.

    Returns
    -------
    xarray.Dataset
        On dim run: ``squared_log_error`` of the median, ``log_score`` (log density of the raw
        response; higher is better), ``crps`` (in the response's units; lower is better) and
        ``covered`` (whether it fell into the 90% band of a new run).
    """
    bands = interval(forecast[["new_run", "mean"]], 0.9)
    new_run, mean = bands["new_run"], bands["mean"]
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.log(mean.sel(bound="median").values) - np.log(observed)
    inside = (new_run.sel(bound="lower") <= observed) & (observed <= new_run.sel(bound="upper"))
    values = {
        "squared_log_error": np.where(np.isnan(error), np.inf, error**2),
        "log_score": _log_score(forecast, observed, noise),
        "crps": _crps(forecast["new_run"].values, observed),
        "covered": inside.values.astype(float),
    }
    return xr.Dataset({name: ("run", value) for name, value in values.items()})


def _log_score(forecast: xr.Dataset, observed: np.ndarray, noise: StudentT) -> np.ndarray:
    density = noise.log_density(observed, forecast["mean"].values, forecast["noise"].values)
    flat = density.reshape(-1, observed.size)
    top = flat.max(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            np.isneginf(top), -np.inf, top + np.log(np.mean(np.exp(flat - top), axis=0))
        )


def _crps(draws: np.ndarray, observed: np.ndarray) -> np.ndarray:
    from scoringrules import crps_ensemble  # five seconds to import

    ensemble = draws.reshape(-1, observed.size).T
    return np.asarray(crps_ensemble(observed, ensemble, estimator="qd", backend="numpy"))
