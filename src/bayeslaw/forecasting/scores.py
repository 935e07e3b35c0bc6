"""Scores of forecasts: log score, CRPS, coverage, PIT; by run, by curve, and over curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import response_values
from bayeslaw.forecasting.forecast import log_density
from bayeslaw.forecasting.interval import interval

__all__ = [
    "PERCENTS",
    "curve_means",
    "score",
    "score_table",
    "scores_from_draws",
    "standard_error",
    "why_infinite",
]

PERCENTS = (50, 80, 90, 95)  # probabilities of the scored bands
N_BATCHES = 20  # of consecutive draws, for Monte Carlo errors
# Why a run's score is infinite, by the name of the score.
REASONS = {
    "squared_log_error": "median curve not above zero (rmsle)",
    "log_score": "no density at what was observed (log_score)",
    "crps": "infinite draws (crps)",
    "width_95": "band of a new run down to zero or without an upper end (widths)",
}
COLUMNS = (
    "rmsle",
    "log_score",
    "crps",
    *(f"coverage_{percent}" for percent in PERCENTS),
    *(f"width_{percent}" for percent in PERCENTS),
)


def score(forecast: xr.Dataset, observed: xr.Dataset) -> xr.Dataset:
    """Score a forecast against observed runs, run by run.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws at the runs, as returned by `bayeslaw.forecast`.
    observed : xarray.Dataset
        The same runs in the same order, with their response.

    Returns
    -------
    xarray.Dataset
        On dim run, with the coordinates of the observed runs:

        - ``squared_log_error`` of the median curve;
        - ``log_score``, the log predictive density of the response (higher is better; the density
          is per unit of the response), ``log_score_mcse``, its Monte Carlo standard error, and
          ``log_score_batch`` (batch, run): densities of some twenty batches of consecutive draws
          relative to their mean, which give Monte Carlo errors of averages;
        - ``crps``, the continuous ranked probability score, in the response's units (lower is
          better);
        - ``covered_50``, ``covered_80``, ``covered_90``, ``covered_95``: 1 if the response is in
          that band of a new run, else 0;
        - ``width_50`` and so on: width of that band on the log scale, infinite where it reaches
          zero;
        - ``pit``: rank of the response among the draws of a new run, between 0 and 1; uniform if
          the forecast is calibrated.

    Raises
    ------
    ValueError
        If the forecast has another number of runs, or the runs have no response.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> train, later = bl.split_at(runs, N=1e8)  # doctest: +SKIP
    >>> fit = bl.fit(bl.Model(bl.laws.power), train)  # doctest: +SKIP
    >>> scores = bl.score(bl.forecast(fit, later), later)  # doctest: +SKIP
    >>> scores["crps"].sel(run=later["run"][0])  # doctest: +SKIP
    """
    values = response_values(observed).values
    if forecast.sizes["run"] != values.size:
        raise ValueError(
            f"the forecast is of {forecast.sizes['run']} runs and {values.size} were observed; "
            "forecast the observed runs, in their order"
        )
    scores = scores_from_draws(forecast, values, log_density(forecast, values))
    attributes = {name: observed.attrs[name] for name in ("response", "groups")}
    taken = [str(name) for name in observed.coords if name in scores.data_vars]
    if taken:
        raise ValueError(
            f"the runs have {taken[0]!r} already, which is the name of a score; rename it"
        )
    return scores.assign_coords(observed.coords).assign_attrs(attributes)


def score_table(scores: xr.Dataset, by: str | None = None) -> pd.DataFrame:
    """Average scores over curves, each with its standard error.

    Scores are first averaged within each curve, so that long curves weigh no more than short ones.

    Parameters
    ----------
    scores : xarray.Dataset
        Scores of runs, as returned by `score`.
    by : str, optional
        Coordinate of the runs, such as a group: one row per level instead of one row for all.

    Returns
    -------
    pandas.DataFrame
        ``rmsle`` (root mean squared log error), ``log_score``, ``crps``, ``coverage_50`` and
        ``width_50`` to ``coverage_95`` and ``width_95``; with ``_se`` their standard errors
        over curves, missing for a single curve or where a score is infinite;
        ``log_score_mcse``, the Monte Carlo standard error of ``log_score``. If a score is
        infinite, also ``caveats``: why, and at how many runs.

    Raises
    ------
    ValueError
        If `by` is not a coordinate of the runs.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> scores = bl.score(forecast, later)  # doctest: +SKIP
    >>> bl.score_table(scores, by="task")[["log_score", "log_score_se"]]  # doctest: +SKIP
    """
    if by is None:
        return _with_caveats(pd.DataFrame.from_dict({"all": _row(scores)}, "index"), [scores])
    coordinates = [name for name, values in scores.coords.items() if values.dims == ("run",)]
    if by not in coordinates:
        raise ValueError(f"by must be a coordinate of the runs, one of {coordinates}, got {by!r}")
    label = scores[by].values
    parts = {level: scores.isel(run=label == level) for level in dict.fromkeys(label.tolist())}
    rows = pd.DataFrame.from_dict({level: _row(part) for level, part in parts.items()}, "index")
    return _with_caveats(rows.rename_axis(by), [*parts.values()])


def why_infinite(scores: xr.Dataset, names: Sequence[str] = tuple(REASONS)) -> str:
    """Say why scores of runs are infinite, and at how many; empty if none is."""
    counts = {name: int(np.isinf(scores[name].values).sum()) for name in names}
    total = scores.sizes["run"]
    reasons = [f"{REASONS[name]} at {n} of {total} runs" for name, n in counts.items() if n]
    return f"infinite: {', '.join(reasons)}" if reasons else ""


def _with_caveats(rows: pd.DataFrame, parts: Sequence[xr.Dataset]) -> pd.DataFrame:
    caveats = [why_infinite(part) for part in parts]
    return rows.assign(caveats=caveats) if any(caveats) else rows


def curve_means(scores: xr.Dataset) -> xr.Dataset:
    """Scores averaged over the runs of each curve: dim curve in place of run."""
    curves = curves_in(scores)
    index = xr.DataArray(curve_index(scores, curves), dims="run", name="curve")
    means = scores.groupby(index).mean(skipna=False)
    return means.drop_vars("curve").assign_coords(curves.coords)


def standard_error(values: np.ndarray) -> np.ndarray:
    """Standard error of the mean over the first axis; NaN for a single value or an infinite one."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    with np.errstate(invalid="ignore"):
        return values.std(axis=0, ddof=1) / np.sqrt(len(values))


def scores_from_draws(
    forecast: xr.Dataset, observed: np.ndarray, log_density: np.ndarray
) -> xr.Dataset:
    """Scores as of `score`, without coordinates.

    `observed` is (run,), `log_density` of each response given each draw (chain, draw, run).
    """
    median = interval(forecast[["mean"]], 0.5)["mean"].sel(bound="median").values
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.log(median) - np.log(observed)
    log_score, batch = _log_score(log_density)
    draws = forecast["new_run"].values.reshape(-1, observed.size)
    values = {
        "squared_log_error": np.where(np.isnan(error), np.inf, error**2),
        "log_score": log_score,
        "log_score_mcse": standard_error(batch),
        "crps": _crps(draws, observed),
        **_band_scores(forecast, observed),
        "pit": _pit(draws, observed),
    }
    by_run = xr.Dataset({name: ("run", value) for name, value in values.items()})
    return by_run.assign(log_score_batch=(("batch", "run"), batch))


def _log_score(log_density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log of the mean density (run,), and densities of batches relative to it (batch, run)."""
    chains, draws, _ = log_density.shape
    largest = log_density.max(axis=(0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        density = np.exp(log_density - largest)
        mean = density.mean(axis=(0, 1))
        batches = np.array_split(density, min(-(-N_BATCHES // chains), draws), axis=1)
        relative = np.concatenate([batch.mean(axis=1) for batch in batches]) / mean
        return np.where(np.isneginf(largest), -np.inf, largest + np.log(mean)), relative


def _crps(draws: np.ndarray, observed: np.ndarray) -> np.ndarray:
    from scoringrules import crps_ensemble  # takes five seconds to import

    with np.errstate(invalid="ignore"):  # infinite draws give an infinite score
        values = crps_ensemble(observed, draws.T, estimator="qd", backend="numpy")
    return np.where(np.isinf(draws).any(axis=0), np.inf, values)


def _band_scores(forecast: xr.Dataset, observed: np.ndarray) -> dict[str, np.ndarray]:
    """Coverage and width of each band of a new run."""
    covered, width = {}, {}
    for percent in PERCENTS:
        band = interval(forecast[["new_run"]], percent / 100)["new_run"]
        lower, upper = (band.sel(bound=bound).values for bound in ("lower", "upper"))
        covered[f"covered_{percent}"] = ((lower <= observed) & (observed <= upper)).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            log_ratio = np.log(upper) - np.log(lower)
        positive = (lower > 0) & np.isfinite(upper)
        width[f"width_{percent}"] = np.where(positive, log_ratio, np.inf)
    return covered | width


def _pit(draws: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Probability integral transform: rank among the draws and itself, mid-rank of ties."""
    below, equal = (draws < observed).sum(axis=0), (draws == observed).sum(axis=0)
    return (below + (equal + 1) / 2) / (len(draws) + 1)


def _row(scores: xr.Dataset) -> dict[str, float]:
    means = curve_means(scores)
    covered = {f"covered_{percent}": f"coverage_{percent}" for percent in PERCENTS}
    means = means.rename(covered).assign(rmsle=np.sqrt(means["squared_log_error"]))
    row = {}
    for name in COLUMNS:
        values = means[name].values
        row |= {name: float(values.mean()), f"{name}_se": float(standard_error(values))}
    batch = means["log_score_batch"].mean("curve", skipna=False).values
    return row | {"log_score_mcse": float(standard_error(batch))}
