"""Comparison of laws by leave-one-out and by scores at held-out runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._sampling.gate import NOT_CONVERGED, Gate
from bayeslaw.comparison.baselines import LAST_VALUE, LEAST_SQUARES, baselines, require_names
from bayeslaw.comparison.caveats import few_curves, few_runs, influential, joined, unclear
from bayeslaw.comparison.leave_one_out import leave_one_curve_out
from bayeslaw.comparison.paired_differences import paired_differences
from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import check_runs
from bayeslaw.diagnostics.psis_loo import leave_one_out
from bayeslaw.diagnostics.region_probabilities import region_probabilities
from bayeslaw.fitting.result import Fit
from bayeslaw.forecasting.forecast import forecast
from bayeslaw.forecasting.scores import curve_means, score, score_table, why_infinite

__all__ = ["compare"]

WHY_INFINITE = "infinite"  # temporary column: why a score is infinite, for the caveats
SCORES = ("log_score", "log_score_se", "rmsle", "crps", "coverage_90")


def compare(
    fits: Mapping[str, Fit],
    later: xr.Dataset | None = None,
    *,
    loo: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Compare fits of several laws to the same runs, inside and outside of their range.

    Inside the range: expected log predictive density by Pareto-smoothed leave-one-out, of single
    runs and of whole curves. It rewards interpolation; a law that wins there may extrapolate
    worse. Outside: scores at held-out runs, best law first, together with two baselines: the last
    value of the curve, and the first law by least squares (both missing where a held-out curve
    has no training run).

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits by name; all of the same runs.
    later : xarray.Dataset, optional
        Held-out runs, at larger scales.
    loo : mapping of str to arviz_stats.ELPDData, optional
        Leave-one-out results by fit, to use in place of the approximation, such as those of
        `bayeslaw.leave_one_out_exactly`.

    Returns
    -------
    pandas.DataFrame
        A row per fit and baseline, indexed by ``law``. ``verdict``: best, worse, not
        distinguishable from the best, or why the scores do not count; for a law with named
        regions also the most probable one (see `bayeslaw.region_probabilities`). ``elpd_loo``,
        ``elpd_loo_se``, ``loo_weight`` (stacking) and ``bad_pareto_k`` (number of runs too
        influential for the approximation); ``elpd_curve``, ``elpd_curve_se`` and ``bad_curve_k``,
        the same for whole curves, missing without pooling (see `bayeslaw.leave_one_curve_out`).
        With `later` also ``log_score`` (mean log density of a held-out response),
        ``log_score_se`` (between curves), ``log_score_diff`` from the best and
        ``log_score_diff_se`` (paired by curve; the largest of the errors between curves and
        between levels of each group), ``rmsle``, ``crps``, ``coverage_90``. Last ``caveats``: few
        curves or runs, why a score is infinite, influential runs, a fit that did not converge, a
        difference within its error.

    Raises
    ------
    ValueError
        If there is no fit, one has the name of a baseline or no pointwise likelihood, `loo` is of
        other fits or runs, or the fits are of different outcomes: other runs, another order,
        other responses or other standard errors.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> bl.compare({"power": power, "log-linear": log_linear}, later)  # doctest: +SKIP
    """
    _require_same_outcome(fits)
    require_names(fits)
    in_range = _in_range(fits, _leave_one_out(fits, loo or {})).join(_by_curve(fits))
    if later is None:
        runs = next(iter(fits.values())).runs
        return _with_verdicts_and_caveats(fits, in_range, "elpd_loo_diff", runs)
    without_differences = in_range.drop(columns=["elpd_loo_diff", "elpd_loo_diff_se"])
    scores = _out_of_range(fits, later).join(without_differences)
    table = _with_verdicts_and_caveats(fits, scores, "log_score_diff", later)
    return table.sort_values("log_score", ascending=False, na_position="last")


def _require_same_outcome(fits: Mapping[str, Fit]) -> None:
    if not fits:
        raise ValueError("there is nothing to compare: no fits were given")
    digests = {name: _digest(fit.runs) for name, fit in fits.items()}
    first, *others = digests
    for name in others:
        if digests[name] != digests[first]:
            raise ValueError(
                f"fits {first!r} and {name!r} are of different outcomes: the runs, their order, "
                "their responses or their standard errors differ "
                f"({fits[first].runs.sizes['run']} and {fits[name].runs.sizes['run']} runs); "
                "fit all laws to the same runs"
            )


def _digest(runs: xr.Dataset) -> str:
    """Hash of what is observed: runs in order, responses and standard errors."""
    response = runs.attrs["response"]
    rows = repr([str(run) for run in runs["run"].values])
    error = runs["stderr"].values.tobytes() if "stderr" in runs else b"none"
    parts = [rows.encode(), response.encode(), runs[response].values.tobytes(), error]
    return hashlib.sha256(b"/".join(parts)).hexdigest()


def _leave_one_out(fits: Mapping[str, Fit], given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave-one-out by fit: as given, otherwise approximated."""
    for name, loo in given.items():
        if name not in fits:
            raise ValueError(f"loo has {name!r}, which is no fit; the fits are {list(fits)}")
        if loo.n_data_points != fits[name].runs.sizes["run"]:
            raise ValueError(
                f"loo of {name!r} is of {loo.n_data_points} runs, and the fit is of "
                f"{fits[name].runs.sizes['run']}; give that of the same fit"
            )
    for name, fit in fits.items():
        if name not in given and "log_likelihood" not in fit.tree:
            raise ValueError(
                f"fit {name!r} has no pointwise likelihood, as fits of refit have none; make it "
                "with fit, or give loo"
            )
    return {n: given[n] if n in given else leave_one_out(fit) for n, fit in fits.items()}


def _by_curve(fits: Mapping[str, Fit]) -> pd.DataFrame:
    """Leave-one-curve-out, a row per fit."""
    rows = {}
    for name, loo in ((name, leave_one_curve_out(fit)) for name, fit in fits.items()):
        rows[name] = (np.nan,) * 3 if loo is None else (loo.elpd, loo.se, _count_influential(loo))
    columns = ["elpd_curve", "elpd_curve_se", "bad_curve_k"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def _count_influential(loo: Any) -> int:
    return int(np.sum(loo.pareto_k.values > loo.good_k))


def _in_range(fits: Mapping[str, Fit], loo: Mapping[str, Any]) -> pd.DataFrame:
    """Leave-one-out with stacking weights and differences from the best, a row per fit."""
    table = pd.DataFrame(
        {
            "elpd_loo": {name: each.elpd for name, each in loo.items()},
            "elpd_loo_se": {name: each.se for name, each in loo.items()},
            "bad_pareto_k": {name: _count_influential(each) for name, each in loo.items()},
        }
    )
    if len(fits) == 1:
        return table.assign(loo_weight=1.0, elpd_loo_diff=0.0, elpd_loo_diff_se=0.0)
    best = max(_converged(fits), key=lambda name: loo[name].elpd)
    # By default ArviZ rounds.
    compared = az.compare(loo, reference=best, round_to="none")
    return table.assign(
        loo_weight=compared["weight"],
        elpd_loo_diff=compared["elpd_diff"],
        elpd_loo_diff_se=compared["dse"],
    )


def _out_of_range(fits: Mapping[str, Fit], later: xr.Dataset) -> pd.DataFrame:
    """Scores at later runs with differences from the best, a row per fit and baseline."""
    check_runs(later)
    scored = {name: score(forecast(fit, later), later) for name, fit in fits.items()}
    rows = {name: score_table(each)[list(SCORES)].loc["all"] for name, each in scored.items()}
    rows |= _baselines(next(iter(fits.values())), later)
    table = pd.DataFrame.from_dict(rows, "index")
    shown = ("squared_log_error", "log_score", "crps")
    reasons = {name: why_infinite(each, shown) for name, each in scored.items()}
    table[WHY_INFINITE] = pd.Series(reasons)
    return table.join(paired_differences(scored, _converged(fits)))


def _baselines(first: Fit, later: xr.Dataset) -> dict[str, dict[str, float]]:
    if set(curves_in(later)["curve"].values) <= set(curves_in(first.runs)["curve"].values):
        errors = baselines(first.model, first.runs, later)
        return {name: {"rmsle": _rmsle(each)} for name, each in errors.items()}
    return {name: {"rmsle": float("nan")} for name in (LAST_VALUE, LEAST_SQUARES)}


def _rmsle(errors: xr.Dataset) -> float:
    return float(np.sqrt(curve_means(errors)["squared_log_error"]).mean())


def _with_verdicts_and_caveats(
    fits: Mapping[str, Fit], rows: pd.DataFrame, difference: str, runs: xr.Dataset
) -> pd.DataFrame:
    """The rows with verdicts as first and caveats as last column.

    The verdict is by the column `difference`, whose errors are between the runs, or their curves.
    """
    best = str(rows.loc[_converged(fits), difference].abs().fillna(np.inf).idxmin())
    n_curves = curves_in(runs).sizes["curve"]
    n_pairs = runs.sizes["run"] if difference == "elpd_loo_diff" else n_curves
    differences = {
        str(name): (estimate, error, n_pairs)
        for name, estimate, error in rows[[difference, f"{difference}_se"]].itertuples()
    }
    verdicts = [
        _verdict(name, fits, best, *values) + _most_probable_region(fits.get(name))
        for name, values in differences.items()
    ]
    known = rows[WHY_INFINITE].dropna() if WHY_INFINITE in rows else pd.Series(dtype=str)
    reasons = {str(name): str(reason) for name, reason in known.items()}
    caveats = [
        joined(
            *_fit_caveats(name, fits, rows),
            few_curves(n_curves),
            reasons.get(name, ""),
            "" if name == best else unclear(*values),
        )
        for name, values in differences.items()
    ]
    table = rows.drop(columns=WHY_INFINITE, errors="ignore").assign(caveats=caveats)
    table.insert(0, "verdict", verdicts)
    return table.rename_axis("law")


def _fit_caveats(name: str, fits: Mapping[str, Fit], rows: pd.DataFrame) -> list[str]:
    """Caveats of the fit itself; none for a baseline."""
    if name not in fits:
        return []
    runs, counts = fits[name].runs, rows.loc[name, ["bad_pareto_k", "bad_curve_k"]].fillna(0)
    n_runs, influential_runs, influential_curves = runs.sizes["run"], *counts.astype(int)
    return [
        "" if Gate.of(fits[name].tree).passed else NOT_CONVERGED,
        few_runs(n_runs),
        influential(influential_runs, f"{n_runs} runs"),
        influential(influential_curves, f"{curves_in(runs).sizes['curve']} curves"),
    ]


def _most_probable_region(fit: Fit | None) -> str:
    """The most probable region of a law's parameter, such as kappa of `laws.curvature`."""
    if fit is None or not fit.model.law.regions or not Gate.of(fit.tree).passed:
        return ""
    probabilities = region_probabilities(fit)
    if probabilities.index[0] != "population" and len(probabilities) > 1:  # several unpooled curves
        return ""
    first = probabilities.iloc[0]
    return f"; {first.idxmax()} with probability {first.max():.2f}"


def _converged(fits: Mapping[str, Fit]) -> list[str]:
    """Names of the fits that passed their gate; of all if none did."""
    return [name for name, fit in fits.items() if Gate.of(fit.tree).passed] or list(fits)


def _verdict(
    name: str, fits: Mapping[str, Fit], best: str, difference: float, error: float, n_pairs: int
) -> str:
    if name not in fits:
        return "baseline"
    if not Gate.of(fits[name].tree).passed:
        return NOT_CONVERGED
    if not np.isfinite(difference):
        return "not positive at a held-out run"
    if name == best:
        return "best"
    if unclear(difference, error, n_pairs):
        return f"not distinguishable from {best}"
    return "worse"
