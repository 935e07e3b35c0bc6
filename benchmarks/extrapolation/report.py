"""Scores curve by curve, their means by domain, and a figure.

Densities and CRPS are of ``y / y_scale``. A band holds a raw row if its probability integral
transform (PIT) under the draws of a new run is central enough; the PIT of the mean of a bin is
under draws of the mean curve, with the bin's own standard error added. Standard errors are between
curves; curves that share a task or a model are not independent, so they are a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from benchmarks.extrapolation.data import Curve, Prediction, binned

PROBS = (0.5, 0.8, 0.9, 0.95)
ROWS = [f"cover_{prob * 100:.0f}" for prob in PROBS]
BINS = [f"bin_{name}" for name in ROWS]
SCORES = ["rmsle", "log_density", "crps", *ROWS, *BINS, "width_90", "seconds"]
FLAGS = ["gate", "converged"]
PIT_BINS = 20
LOWEST = -1e300  # logarithm of a draw not above zero: infinite ones times a weight of zero are NaN
# Unions of domains over which others report means; used if all members are there.
UNIONS: Mapping[str, tuple[str, ...]] = {
    "all 92": ("IC", "NMT", "LM", "BB"),
    "NLP+Nano": ("NMT", "LM", "BB", "Nano"),
}
NAN = float("nan")


def score(
    configuration: str, curves: Sequence[Curve], predictions: Sequence[Prediction]
) -> pd.DataFrame:
    """Score forecasts.

    Parameters
    ----------
    configuration : str
        Name of the predictor and its settings.
    curves : sequence of Curve
        The curves that were forecast.
    predictions : sequence of Prediction
        For each curve, in their order.

    Returns
    -------
    pandas.DataFrame
        A row per curve: configuration, domain, curve, n_test, n_bins, `SCORES` and `FLAGS`; NaN
        where a forecast has no such part or the test rows do not determine the score.

    Raises
    ------
    ValueError
        If a forecast is missing or has another number of rows than its curve.
    """
    rows = []
    for curve, prediction in _pairs(curves, predictions):
        shares = {**dict.fromkeys(ROWS + BINS, NAN)}
        shares |= zip(ROWS, _covered(_pit_of_rows(curve, prediction)), strict=True)
        shares |= zip(BINS, _covered(_pit_of_bins(curve, prediction)), strict=True)
        rows.append(
            {
                "configuration": configuration,
                "domain": curve.domain,
                "curve": curve.name,
                "n_test": curve.x_test.size,
                "n_bins": binned(curve).mean.size,
                "rmsle": _rmsle(curve, prediction),
                "log_density": _log_density(curve, prediction),
                "crps": _crps(curve, prediction),
                **shares,
                "width_90": _width(prediction),
                "seconds": prediction.seconds,
                "gate": prediction.gate,
                "converged": prediction.converged,
            }
        )
    return pd.DataFrame(rows)


def pit_values(
    configuration: str, curves: Sequence[Curve], predictions: Sequence[Prediction]
) -> pd.DataFrame:
    """Probability integral transforms (PIT): the rank of the observed value among the draws.

    Parameters
    ----------
    configuration, curves, predictions
        As of `score`.

    Returns
    -------
    pandas.DataFrame
        Columns configuration, domain, curve, of ("row" or "bin") and pit, from 0 to 1.
    """
    parts = [
        pd.DataFrame(
            {
                "configuration": configuration,
                "domain": curve.domain,
                "curve": curve.name,
                "of": of,
                "pit": pit,
            }
        )
        for curve, prediction in _pairs(curves, predictions)
        for of, pit in (
            ("row", _pit_of_rows(curve, prediction)),
            ("bin", _pit_of_bins(curve, prediction)),
        )
    ]
    return pd.concat(parts, ignore_index=True).dropna()


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Plain means over the curves of each domain, and standard errors between them.

    Parameters
    ----------
    scores : pandas.DataFrame
        As of `score`, of one or more configurations.

    Returns
    -------
    pandas.DataFrame
        Indexed by configuration and domain, in the order of the scores, `UNIONS` last: ``curves``,
        the mean of each of `SCORES` with its error as ``<score>_se``, and of `FLAGS` the share
        that passed.
    """
    keyed = pd.concat([scores, *_unions(scores)])
    keyed = keyed.assign(**{flag: keyed[flag].astype(float) for flag in FLAGS})
    groups = keyed.groupby(["configuration", "domain"], sort=False)
    columns = {"curves": groups.size()}
    for name in SCORES:
        columns |= {name: groups[name].mean(), f"{name}_se": groups[name].sem()}
    return pd.DataFrame(columns | {flag: groups[flag].mean() for flag in FLAGS})


def markdown(means: pd.DataFrame, published: pd.DataFrame | None = None) -> str:
    """Write the means as a table, sorted by domain.

    Parameters
    ----------
    means : pandas.DataFrame
        As of `summary`.
    published : pandas.DataFrame, optional
        Published means, as of `published.published`; shown for the domains in `means`.

    Returns
    -------
    str
        A line per domain and configuration.
    """
    heads = ["domain", "configuration", "curves", "RMSLE", "log density", "CRPS", "in 50/80/90/95%"]
    heads += ["means in 50/80/90/95%", "width of 90%", "gate", "seconds"]
    lines = [heads, ["---"] * len(heads)]
    for domain in means.index.unique("domain"):
        here = means.xs(domain, level="domain")
        records = here.to_dict("index")
        lines += [[domain, str(name), *_cells(row)] for name, row in records.items()]
        lines += [] if published is None else _quoted(published[published["domain"] == domain])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def write(
    folder: Path, scores: pd.DataFrame, pit: pd.DataFrame, published: pd.DataFrame | None = None
) -> None:
    """Save the results: ``curves.csv``, ``pit.csv`` (counts), ``summary.csv``, ``summary.md``.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    scores, place : pandas.DataFrame
        As of `score` and `pit_values`.
    published : pandas.DataFrame, optional
        Published means for ``summary.md``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    means = summary(scores)
    scores.to_csv(folder / "curves.csv", index=False, float_format="%.5g")
    histogram(pit).to_csv(folder / "pit.csv")
    means.to_csv(folder / "summary.csv", float_format="%.5g")
    (folder / "summary.md").write_text(markdown(means, published), encoding="utf-8")


def histogram(pit: pd.DataFrame) -> pd.DataFrame:
    """Count PIT values in equal bins from 0 to 1.

    Parameters
    ----------
    place : pandas.DataFrame
        As of `pit_values`.

    Returns
    -------
    pandas.DataFrame
        Indexed by configuration, domain and of; a column per part, named by its lower edge.
    """
    part = np.minimum((pit["pit"] * PIT_BINS).astype(int), PIT_BINS - 1)
    keys = [pit[name] for name in ("configuration", "domain", "of")]
    counts = pd.crosstab(keys, part).reindex(columns=range(PIT_BINS), fill_value=0)
    return counts.set_axis([f"{i / PIT_BINS:g}" for i in range(PIT_BINS)], axis=1)


def _pairs(
    curves: Sequence[Curve], predictions: Sequence[Prediction]
) -> Iterator[tuple[Curve, Prediction]]:
    if len(curves) != len(predictions):
        raise ValueError(f"{len(curves)} curves take as many forecasts, got {len(predictions)}")
    for curve, prediction in zip(curves, predictions, strict=True):
        for name in ("median", "new_run", "log_density", "curve"):
            values = getattr(prediction, name)
            if values is not None and values.shape[-1] != curve.x_test.size:
                raise ValueError(
                    f"{name} of {curve.name!r} has {values.shape[-1]} rows, but the curve has "
                    f"{curve.x_test.size} test rows"
                )
        yield curve, prediction


def _rmsle(curve: Curve, prediction: Prediction) -> float:
    """Infinite where a median is not above zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.log(prediction.median) - np.log(curve.y_test)
    return float(np.sqrt(np.mean(np.where(np.isnan(error), np.inf, error) ** 2)))


def _log_density(curve: Curve, prediction: Prediction) -> float:
    if prediction.log_density is None:
        return NAN
    return float(np.mean(prediction.log_density) + np.log(curve.y_scale))


def _crps(curve: Curve, prediction: Prediction) -> float:
    if prediction.new_run is None:
        return NAN
    from scoringrules import crps_ensemble  # five seconds to import

    ensemble = prediction.new_run.T
    crps = crps_ensemble(curve.y_test, ensemble, estimator="qd", backend="numpy")
    return float(np.mean(crps) / curve.y_scale)


def _width(prediction: Prediction) -> float:
    if prediction.new_run is None:
        return NAN
    lower, upper = np.quantile(prediction.new_run, [0.05, 0.95], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        width = np.log(upper) - np.log(lower)
    return float(np.mean(np.where(np.isnan(width), np.inf, width)))


def _pit_of_rows(curve: Curve, prediction: Prediction) -> np.ndarray:
    """The share of draws below each raw row; of draws equal to it, half."""
    draws, y = prediction.new_run, curve.y_test
    if draws is None:
        return np.empty(0)
    return np.mean(draws < y, axis=0) + np.mean(draws == y, axis=0) / 2


def _pit_of_bins(curve: Curve, prediction: Prediction) -> np.ndarray:
    """The probability of a mean below that of each bin; none where its error is not known."""
    if prediction.curve is None:
        return np.empty(0)
    bins = binned(curve)
    known = np.isfinite(bins.stderr)
    with np.errstate(invalid="ignore", divide="ignore"):
        log = np.nan_to_num(np.log(prediction.curve), nan=LOWEST, neginf=LOWEST)
    draws = log @ bins.weights[known].T
    error = np.maximum(bins.stderr[known], np.finfo(float).tiny)
    return special.ndtr((bins.mean[known] - draws) / error).mean(axis=0)


def _covered(pit: np.ndarray) -> list[float]:
    if not pit.size:
        return [NAN] * len(PROBS)
    return [float(np.mean(np.abs(pit - 0.5) <= prob / 2)) for prob in PROBS]


def _unions(scores: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for union, members in UNIONS.items():
        for _, rows in scores.groupby("configuration", sort=False):
            if set(members) <= set(rows["domain"]):
                yield rows[rows["domain"].isin(members)].assign(domain=union)


def _cells(row: Mapping[str, float]) -> list[str]:
    """The cells of one line: a mean and, after it, its standard error."""
    of = {name: _with_error(row, name) for name in ("rmsle", "log_density", "crps", "width_90")}
    cover = [" / ".join(_percent(row[name]) for name in names) for names in (ROWS, BINS)]
    return [
        f"{row['curves']:.0f}", of["rmsle"], of["log_density"], of["crps"], *cover,
        of["width_90"], _percent(row["gate"]), _number(row["seconds"]),
    ]  # fmt: skip


def _quoted(rows: pd.DataFrame) -> list[list[str]]:
    return [
        [row["domain"], f"*{row['configuration']}, published*", "", _number(row["rmsle"]),
         _number(row["log_density"]), *["-"] * 5, _number(row["seconds"])]
        for row in rows.to_dict("records")
    ]  # fmt: skip


def _with_error(row: Mapping[str, float], name: str) -> str:
    mean, error = _number(row[name]), row[f"{name}_se"]
    return f"{mean} ± {error:.2g}" if np.isfinite(error) else mean


def _number(value: float) -> str:
    return "-" if np.isnan(value) else "∞" if np.isinf(value) else f"{value:.3g}"


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{share * 100:.0f}"
