"""How good a forecast was: run by run, curve by curve, and over many curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw.data.curves import curve_index, curves_in
from bayeslaw.data.runs import response_values
from bayeslaw.forecasting.forecast import interval, log_density

__all__ = [
    "PERCENTS",
    "curve_means",
    "score",
    "score_table",
    "scores_from_draws",
    "standard_error",
    "why_infinite",
]

PERCENTS = (50, 80, 90, 95)  # probabilities of the bands that are scored
BATCHES = 20  # of consecutive draws, for Monte Carlo errors
# What makes a run's score infinite, by its name.
INFINITE = {
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
    """Score a forecast, run by run, once the runs have been made.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws at the runs, as of `bayeslaw.forecast`.
    observed : xarray.Dataset
        The same runs in the same order, with their response.

    Returns
    -------
    xarray.Dataset
        On dim run, with the coordinates of the observed runs:

        - ``squared_log_error`` of the median curve;
        - ``log_score``, the log density of the response (higher is better; in units of one over
          the response), ``log_score_mcse``, its Monte Carlo standard error, and
          ``log_score_batch``, with a dim batch: densities of some twenty batches of consecutive
          draws relative to their mean, from which Monte Carlo errors of averages follow;
        - ``crps``, the continuous ranked probability score, in the response's units (lower is
          better);
        - ``covered_50``, ``covered_80``, ``covered_90``, ``covered_95``: 1 if the response fell
          into that band of a new run, else 0;
        - ``width_50`` and so on: width of that band on the log scale, infinite where it reaches
          zero;
        - ``pit``: rank of the response among the draws of a new run, between 0 and 1; uniform if
          the forecast is calibrated.

    Raises
    ------
    ValueError
        If the forecast is of another number of runs, or the runs have no response.

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
    told = {name: observed.attrs[name] for name in ("response", "groups")}
    return scores.assign_coords(observed.coords).assign_attrs(told)


def score_table(scores: xr.Dataset, by: str | None = None) -> pd.DataFrame:
    """Average scores over curves, each with its standard error.

    Each curve's own mean comes first, so that long curves weigh no more than short ones.

    Parameters
    ----------
    scores : xarray.Dataset
        Scores of runs, as of `score`.
    by : str, optional
        Coordinate of the runs, such as a group: a row per level instead of one row for all.

    Returns
    -------
    pandas.DataFrame
        ``rmsle`` (root mean squared log error), ``log_score``, ``crps``, ``coverage_50`` and
        ``width_50`` to ``coverage_95`` and ``width_95``; with ``_se`` their standard errors
        between curves, missing for a single curve or where a score is infinite;
        ``log_score_mcse``, the Monte Carlo standard error of ``log_score``. If a score is
        infinite, last ``caveats``: why, and at how many runs.

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
    known = [name for name, values in scores.coords.items() if values.dims == ("run",)]
    if by not in known:
        raise ValueError(f"by must be a coordinate of the runs, one of {known}, got {by!r}")
    label = scores[by].values
    parts = {level: scores.isel(run=label == level) for level in dict.fromkeys(label.tolist())}
    rows = pd.DataFrame.from_dict({level: _row(own) for level, own in parts.items()}, "index")
    return _with_caveats(rows.rename_axis(by), [*parts.values()])


def why_infinite(scores: xr.Dataset, names: Sequence[str] = tuple(INFINITE)) -> str:
    """Say why scores of runs are infinite, and at how many; nothing if they are not.

    Parameters
    ----------
    scores : xarray.Dataset
        Scores of runs, as of `score`.
    names : sequence of str
        The scores to look at.

    Returns
    -------
    str

    Examples
    --------
    >>> why_infinite(xr.Dataset({"crps": ("run", [1.0, np.inf])}), ["crps"])
    'infinite: infinite draws (crps) at 1 of 2 runs'
    """
    counts = {name: int(np.isinf(scores[name].values).sum()) for name in names}
    total = scores.sizes["run"]
    told = [f"{INFINITE[name]} at {n} of {total} runs" for name, n in counts.items() if n]
    return f"infinite: {', '.join(told)}" if told else ""


def _with_caveats(rows: pd.DataFrame, parts: Sequence[xr.Dataset]) -> pd.DataFrame:
    caveats = [why_infinite(own) for own in parts]
    return rows.assign(caveats=caveats) if any(caveats) else rows


def curve_means(scores: xr.Dataset) -> xr.Dataset:
    """Average scores over the runs of each curve.

    Parameters
    ----------
    scores : xarray.Dataset
        Numbers on dim run and perhaps others, with the groups as coordinates and in the
        attributes.

    Returns
    -------
    xarray.Dataset
        The same variables, over dim curve in place of run.

    Examples
    --------
    >>> runs = grid(N=[1e6, 1e8], task=["c4", "books"])
    >>> scores = runs.assign(crps=("run", [1.0, 2.0, 3.0, 6.0]))
    >>> curve_means(scores)["crps"].values.tolist()
    [2.0, 4.0]
    """
    curves = curves_in(scores)
    own = xr.DataArray(curve_index(scores, curves), dims="run", name="curve")
    means = scores.groupby(own).mean(skipna=False)
    return means.drop_vars("curve").assign_coords(curves.coords)


def standard_error(values: np.ndarray) -> np.ndarray:
    """Estimate the standard error of a mean over the first axis.

    Parameters
    ----------
    values : array, shape (n, ...)
        Independent values.

    Returns
    -------
    array, shape (...)
        Missing for a single value, and where a value is infinite.

    Examples
    --------
    >>> float(standard_error(np.array([1.0, 3.0, 5.0]))) * 3**0.5
    2.0
    """
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    with np.errstate(invalid="ignore"):
        return values.std(axis=0, ddof=1) / np.sqrt(len(values))


def scores_from_draws(
    forecast: xr.Dataset, observed: np.ndarray, log_density: np.ndarray
) -> xr.Dataset:
    """Scores of a forecast, given the density of what was observed.

    Parameters
    ----------
    forecast : xarray.Dataset
        Draws ``mean`` and ``new_run`` on dims chain, draw, run.
    observed : array, shape (run,)
        Responses.
    log_density : array, shape (chain, draw, run)
        Log density of each response given each draw.

    Returns
    -------
    xarray.Dataset
        As of `score`, without coordinates.
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
    """Return the log of the mean density, and the densities of batches relative to it."""
    chains, draws, _ = log_density.shape
    top = log_density.max(axis=(0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        density = np.exp(log_density - top)
        mean = density.mean(axis=(0, 1))
        batches = np.array_split(density, min(-(-BATCHES // chains), draws), axis=1)
        relative = np.concatenate([batch.mean(axis=1) for batch in batches]) / mean
        return np.where(np.isneginf(top), -np.inf, top + np.log(mean)), relative


def _crps(draws: np.ndarray, observed: np.ndarray) -> np.ndarray:
    from scoringrules import crps_ensemble  # five seconds to import

    with np.errstate(invalid="ignore"):  # draws may be infinite, and so is the score then
        values = crps_ensemble(observed, draws.T, estimator="qd", backend="numpy")
    return np.where(np.isinf(draws).any(axis=0), np.inf, values)


def _band_scores(forecast: xr.Dataset, observed: np.ndarray) -> dict[str, np.ndarray]:
    """Return coverage and width of each band of a new run."""
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
    """Return the rank of a value among draws and itself, in the middle of its ties."""
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
