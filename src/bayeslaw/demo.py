"""The whole job on the embedded data, in front of the user."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from rich.console import Console

import bayeslaw as bl

__all__ = ["run"]

LAWS = ("power", "log_linear")  # each law is compiled once on a machine, for half a minute
DRAWS = 500


def run(out: Path, seed: int, *, quiet: bool) -> dict[str, Any]:
    """Fit, compare, forecast and draw; the figure and the fit go into a folder.

    Parameters
    ----------
    out : pathlib.Path
        Folder, made if it is not there.
    seed : int
        Seed of everything.
    quiet : bool
        Whether to say nothing on the way.

    Returns
    -------
    dict
        What was found, for `bayeslaw.cli`.
    """
    started, say = time.perf_counter(), Console(quiet=quiet, highlight=False).print
    train, later = bl.split_held_out(bl.datasets.load("learners"))
    say(
        f"{train.sizes['run']} measured training runs: loss against the number of training "
        f"examples D, of 4 learners on 5 tasks; {later.sizes['run']} larger runs are held out.",
        soft_wrap=True,
    )
    fits = {name: _fit(name, train, seed, say, quiet) for name in LAWS}
    comparison = bl.compare(fits, later)
    forecast = bl.forecast(fits["power"], later, random_seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    bl.save(fits["power"], out / "fit.nc")
    bl.plot_forecast(_curves(fits["power"], later, seed), bl.datasets.load("learners")).savefig(
        out / "forecast.png", dpi=200
    )
    parameters = bl.summary(fits["power"]).drop(index="curve", level="of")
    inside, held_out = _inside(forecast, later)
    return {
        "converged": all(bl.diagnose(fit).gate.passed for fit in fits.values()),
        "parameters": parameters[["median", "lower", "upper"]],
        "comparison": comparison.drop(columns=["elpd_loo_se", "loo_weight", "bad_pareto_k"]),
        "held_out": held_out,
        "sentences": [
            _sentence(inside, later.sizes["run"]),
            *forecast.attrs["caveats"],
            f"Figure: {out / 'forecast.png'}   Fit: {out / 'fit.nc'}   "
            f"({time.perf_counter() - started:.0f} s)",
        ],
    }


def _fit(name: str, train: xr.Dataset, seed: int, say: Any, quiet: bool) -> bl.Fit:
    model = bl.Model(getattr(bl.laws, name).of("D"), pooling=["task", "learner"])
    say(f"\nFitting {name}: {model.law.doc.splitlines()[0]}", soft_wrap=True)
    fit = bl.fit(model, train, random_seed=seed, draws=DRAWS, tune=DRAWS, progressbar=not quiet)
    say(str(fit).splitlines()[0], soft_wrap=True)
    return fit


def _curves(fit: bl.Fit, later: xr.Dataset, seed: int) -> xr.Dataset:
    """Forecast on a fine grid, from the smallest size to the largest that was held out."""
    import numpy as np

    sizes = np.geomspace(float(fit.runs["D"].min()), float(later["D"].max()), 40)
    groups = {name: sorted(set(later[name].values.tolist())) for name in ("task", "learner")}
    return bl.forecast(fit, bl.grid(D=sizes, **groups), random_seed=seed)


def _inside(forecast: xr.Dataset, later: xr.Dataset) -> tuple[dict[float, int], pd.DataFrame]:
    """How many held-out runs fell into their bands, in all and by curve."""
    loss, counts = later["loss"].values, {}
    for prob in (0.5, 0.9):
        band = bl.interval(forecast, prob)["new_run"]
        hit = (band.sel(bound="lower").values <= loss) & (loss <= band.sel(bound="upper").values)
        counts[prob] = hit
    frame = pd.DataFrame(
        {
            "task": later["task"].values,
            "learner": later["learner"].values,
            "D": later["D"].values,
            "held-out loss": loss,
            "median": bl.interval(forecast, 0.9)["mean"].sel(bound="median").values,
            "lower": band.sel(bound="lower").values,
            "upper": band.sel(bound="upper").values,
            "inside 90%": counts[0.9],
        }
    )
    by = frame.groupby(["task", "learner", "D"], sort=False)
    told = by.agg({"held-out loss": "mean", "median": "mean", "lower": "mean", "upper": "mean"})
    told["inside 90%"] = by["inside 90%"].agg(lambda hit: f"{int(hit.sum())} of {hit.size}")
    largest = told.reset_index().groupby(["task", "learner"], sort=False).tail(1)
    return {prob: int(hit.sum()) for prob, hit in counts.items()}, largest.reset_index(drop=True)


def _sentence(inside: Mapping[float, int], total: int) -> str:
    told = ", ".join(f"{count} in the {prob:.0%} band" for prob, count in inside.items())
    return f"Of {total} held-out runs, at up to four times the largest size fitted: {told}."
