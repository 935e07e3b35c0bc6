"""What `bayeslaw demo` runs: two fits, forecasts and scores on the embedded language models."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

import bayeslaw as bl
from bayeslaw._disk.files import require_folder, write_figure
from bayeslaw.cli.console import print_answer

__all__ = ["run"]

GROUPS = ["corpus", "architecture"]
LARGEST = 4e4  # parameters of a model that the first act fits
MIN_COVERAGE = 0.75  # of the 90% band; below it `SHORTFALL` is printed
ABOUT = (
    "Training runs of small language models, measured on 4 corpora x 2 architectures: loss in nats "
    "per byte against parameters N and bytes of text D. The first run compiles each law."
)
SHORTFALL = "Too few: the discrepancy of the law is larger there than where it was fitted."


class _Act(NamedTuple):
    title: str
    law: bl.Law
    train: xr.Dataset
    later: xr.Dataset
    sampler: dict[str, Any]
    suffix: str = ""  # of its files


def run(out: Path, seed: int, *, quiet: bool) -> dict[str, Any]:
    """Fit and score each act, and save figures and fits in a folder.

    Returns whether both fits converged, the results of each act, and where they are saved.
    """
    require_folder(out)
    started, fits, results = time.perf_counter(), {}, {}
    show: Any = bool if quiet else (lambda result: print_answer(result, as_json=False))
    acts = _acts(*bl.split_held_out(bl.datasets.load("tiny_lm")))
    show({"about": [ABOUT]})
    for name, act in acts.items():
        show({"intro": ["", _intro(act)]})
        # The law's parameters depend on corpus and architecture; the noise on the curve alone.
        model = bl.Model(act.law, pooling=dict.fromkeys(act.law.parameters, GROUPS))
        fits[name] = bl.fit(
            model,
            act.train,
            sampler=bl.Sampler(random_seed=seed, progressbar=not quiet, **act.sampler),
        )
        results[name] = _results(act, fits[name])
        show(results[name])
    out.mkdir(parents=True, exist_ok=True)  # only now, so that an interrupt leaves nothing behind
    last = [_save(acts[name], fit, out) for name, fit in fits.items()]
    last += [f"({time.perf_counter() - started:.0f} s)"]
    show({"sentences": ["", *last]})
    converged = all(result["converged"] for result in results.values())
    return {"converged": converged, **results, "sentences": last}


def _acts(train: xr.Dataset, later: xr.Dataset) -> dict[str, _Act]:
    small, large = bl.split_at(train.isel(run=(train["D"] == train["D"].max()).values), N=LARGEST)
    # Settings with which both fits pass the gate.
    steady = {"draws": 1000, "tune": 1000, "target_accept": 0.99}
    careful = {"draws": 700, "tune": 500, "target_accept": 0.98}
    return {
        "size": _Act("Act 1, larger models", bl.laws.power, small, large, steady, "_size"),
        "joint": _Act("Act 2, larger models, more data", bl.laws.chinchilla, train, later, careful),
    }


def _intro(act: _Act) -> str:
    fitted, held_out = (
        f"{runs.sizes['run']} runs up to N = {runs['N'].max():.3g} and D = {runs['D'].max():.3g}"
        for runs in (act.train, act.later)
    )
    return f"{act.title}. {act.law.doc.splitlines()[0]}\nFitted to {fitted}; scored on {held_out}."


def _results(act: _Act, fit: bl.Fit) -> dict[str, Any]:
    forecast, gate = bl.forecast(fit, act.later), bl.diagnose(fit).gate
    comparison = bl.compare({act.law.name: fit}, act.later)
    held_out = _held_out_table(act, forecast)
    population = bl.summary(fit).loc["population"].droplevel("label")
    return {
        "converged": gate.passed,
        "verdict": [gate.sentence],
        "population": population[["median", "lower", "upper"]],
        "comparison": comparison[["verdict", "log_score", "rmsle", "crps", "coverage_90"]],
        "held_out": held_out,
        "sentences": [*_sentences(held_out), *forecast.attrs["caveats"]],
    }


def _held_out_table(act: _Act, forecast: xr.Dataset) -> pd.DataFrame:
    """One row per run: its compute relative to the most fitted of its curve, and the forecast."""
    labels = {name: act.later[name] for name in GROUPS}
    largest = act.train["flops_counted"].groupby(GROUPS).max().sel(labels)
    loss, bands = act.later["loss"], [bl.interval(forecast, prob)["new_run"] for prob in (0.5, 0.9)]
    inside = [(band[0] <= loss) & (loss <= band[2]) for band in bands]
    columns = labels | {
        "N": act.later["N"].astype(int),
        "compute": act.later["flops_counted"] / largest,
        "loss": loss,
        "median": bl.interval(forecast)["mean"].sel(bound="median"),
        "lower": bands[1][0],
        "upper": bands[1][2],
        "inside": np.select(inside, ["50%", "90%"], "no"),
    }
    return pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})


def _sentences(held_out: pd.DataFrame) -> list[str]:
    multiples, inside = held_out["compute"].to_numpy(), held_out["inside"].tolist()
    error = held_out["median"].to_numpy() / held_out["loss"].to_numpy() - 1
    total, covered = len(inside), len(inside) - inside.count("no")
    sentence = (
        f"Of {total} held-out runs, at {multiples.min():.1f} to {multiples.max():.1f} times the "
        f"compute of any fitted run of their curve, {inside.count('50%')} are in the 50% band and "
        f"{covered} in the 90% band; {total / 2:.0f} and {0.9 * total:.0f} are expected. Medians "
        f"are off by {error.min():+.1%} to {error.max():+.1%}, too high for {sum(error > 0)}."
    )
    return [sentence, SHORTFALL] if covered < MIN_COVERAGE * total else [sentence]


def _save(act: _Act, fit: bl.Fit, out: Path) -> str:
    file, figure = out / f"fit{act.suffix}.nc", out / f"forecast{act.suffix}.png"
    bl.save(fit, file)
    runs = xr.concat([act.train, act.later], "run")
    drawn = bl.plot_forecast(_forecast_along_n(act, fit), runs, x="N", columns=4)
    write_figure(drawn, figure, dpi=200)
    return f"Figure: {figure}   Fit: {file}"


def _forecast_along_n(act: _Act, fit: bl.Fit) -> xr.Dataset:
    """Forecast along N, with D rising from its fitted to its held-out value beyond the fitted N."""
    gap, data = ([act.train[n].max().item(), act.later[n].min().item()] for n in ("N", "D"))
    sizes = np.geomspace(act.train["N"].min(), act.later["N"].max(), 60)
    grid = bl.grid(**{name: np.unique(act.later[name]) for name in GROUPS[::-1]}, N=sizes)
    amounts = np.interp(np.log(grid["N"]), np.log(gap), data)
    forecast = bl.forecast(fit, grid.assign(D=("run", amounts)))
    values = dict.fromkeys(f"{value:.3g}" for value in data)
    path = ", rising beyond the fitted N to ".join(values)
    return forecast.assign_attrs(caveats=[f"Drawn at D = {path}.", *forecast.attrs["caveats"]])
