"""The whole job on the embedded language models, in two acts, in front of the user."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

import bayeslaw as bl
from bayeslaw.cli.console import answer

__all__ = ["run"]

GROUPS = ["corpus", "architecture"]
LARGEST = 4e4  # parameters of a model that the first act fits
ENOUGH = 0.75  # share inside the 90% band below which `SHORTFALL` is said
ABOUT = (
    "Training runs of small language models, measured on 4 corpora x 2 architectures: loss in nats "
    "per byte against parameters N and bytes of text D. The first start compiles each law."
)
SHORTFALL = "Too few: what the law gets wrong there is more than it got wrong where it was fitted."


class _Act(NamedTuple):
    title: str
    law: bl.Law
    train: xr.Dataset
    later: xr.Dataset
    sampler: dict[str, Any]
    suffix: str = ""  # of its files


def run(out: Path, seed: int, *, quiet: bool) -> dict[str, Any]:
    """Fit, judge by held-out runs and draw, twice; figures and fits go into a folder.

    Parameters
    ----------
    out : pathlib.Path
        Folder, made if it is not there.
    seed : int
        Seed of the fits.
    quiet : bool
        Whether to say nothing on the way.

    Returns
    -------
    dict
        Whether both fits converged, what each act found, and where it is kept.
    """
    started, fits, found = time.perf_counter(), {}, {}
    tell: Any = bool if quiet else (lambda told: answer(told, as_json=False))
    acts = _acts(*bl.split_held_out(bl.datasets.load("tiny_lm")))
    tell({"about": [ABOUT]})
    for name, act in acts.items():
        tell({"intro": ["", _intro(act)]})
        # The law's parameters differ by corpus and architecture; the scatter does by curve alone.
        model = bl.Model(act.law, pooling=dict.fromkeys(act.law.parameters, GROUPS))
        fits[name] = bl.fit(
            model, act.train, random_seed=seed, progressbar=not quiet, **act.sampler
        )
        found[name] = _found(act, fits[name])
        tell(found[name])
    out.mkdir(parents=True, exist_ok=True)  # only now: an interrupt leaves nothing behind
    last = [_keep(acts[name], fit, out) for name, fit in fits.items()]
    last += [f"({time.perf_counter() - started:.0f} s)"]
    tell({"sentences": ["", *last]})
    return {"converged": all(a["converged"] for a in found.values()), **found, "sentences": last}


def _acts(train: xr.Dataset, later: xr.Dataset) -> dict[str, _Act]:
    small, large = bl.split_at(train.isel(run=(train["D"] == train["D"].max()).values), N=LARGEST)
    # So that they pass the gate.
    steady = {"draws": 1000, "tune": 1000, "target_accept": 0.99}
    careful = {"draws": 700, "tune": 500, "target_accept": 0.98}
    return {
        "size": _Act("Act 1, larger models", bl.laws.power, small, large, steady, "_size"),
        "joint": _Act("Act 2, larger models, more data", bl.laws.chinchilla, train, later, careful),
    }


def _intro(act: _Act) -> str:
    fitted, judges = (
        f"{runs.sizes['run']} runs up to N = {runs['N'].max():.3g} and D = {runs['D'].max():.3g}"
        for runs in (act.train, act.later)
    )
    return f"{act.title}. {act.law.doc.splitlines()[0]}\nFitted to {fitted}; {judges} judge."


def _found(act: _Act, fit: bl.Fit) -> dict[str, Any]:
    forecast, gate = bl.forecast(fit, act.later), bl.diagnose(fit).gate
    comparison, held_out = bl.compare({act.law.name: fit}, act.later), _held_out(act, forecast)
    population = bl.summary(fit).loc["population"].droplevel("label")
    return {
        "converged": gate.passed,
        "verdict": [gate.sentence],
        "population": population[["median", "lower", "upper"]],
        "comparison": comparison[["verdict", "log_score", "rmsle", "crps", "coverage_90"]],
        "held_out": held_out,
        "sentences": [*_sentences(held_out), *forecast.attrs["caveats"]],
    }


def _held_out(act: _Act, forecast: xr.Dataset) -> pd.DataFrame:
    """Run by run: its compute over the most that its curve was fitted to, and the forecast."""
    labels = {name: act.later[name] for name in GROUPS}
    most = act.train["flops_counted"].groupby(GROUPS).max().sel(labels)
    loss, bands = act.later["loss"], [bl.interval(forecast, prob)["new_run"] for prob in (0.5, 0.9)]
    inside = [(band[0] <= loss) & (loss <= band[2]) for band in bands]
    columns = labels | {
        "N": act.later["N"].astype(int),
        "compute": act.later["flops_counted"] / most,
        "loss": loss,
        "median": bl.interval(forecast)["mean"].sel(bound="median"),
        "lower": bands[1][0],
        "upper": bands[1][2],
        "inside": np.select(inside, ["50%", "90%"], "no"),
    }
    return pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})


def _sentences(held_out: pd.DataFrame) -> list[str]:
    times, inside = held_out["compute"].to_numpy(), held_out["inside"].tolist()
    error = held_out["median"].to_numpy() / held_out["loss"].to_numpy() - 1
    total, most = len(inside), len(inside) - inside.count("no")
    sentence = (
        f"Of {total} held-out runs, at {times.min():.1f} to {times.max():.1f} times the compute of "
        f"any fitted run of their curve, {inside.count('50%')} are in the 50% band and {most} in "
        f"the 90% band; {total / 2:.0f} and {0.9 * total:.0f} would be right. Medians are off by "
        f"{error.min():+.1%} to {error.max():+.1%}, too high for {sum(error > 0)}."
    )
    return [sentence, SHORTFALL] if most < ENOUGH * total else [sentence]


def _keep(act: _Act, fit: bl.Fit, out: Path) -> str:
    kept, figure = out / f"fit{act.suffix}.nc", out / f"forecast{act.suffix}.png"
    bl.save(fit, kept)
    runs = xr.concat([act.train, act.later], "run")
    bl.plot_forecast(_curves(act, fit), runs, x="N", columns=4).savefig(figure, dpi=200)
    return f"Figure: {figure}   Fit: {kept}"


def _curves(act: _Act, fit: bl.Fit) -> xr.Dataset:
    """Forecast along N, where D rises from the fitted to the held-out one in between."""
    gap, data = ([act.train[n].max().item(), act.later[n].min().item()] for n in ("N", "D"))
    sizes = np.geomspace(act.train["N"].min(), act.later["N"].max(), 60)
    grid = bl.grid(**{name: np.unique(act.later[name]) for name in GROUPS[::-1]}, N=sizes)
    path = np.interp(np.log(grid["N"]), np.log(gap), data)
    forecast = bl.forecast(fit, grid.assign(D=("run", path)))
    told = ", beyond the fitted N rising to ".join(dict.fromkeys(f"{each:.3g}" for each in data))
    return forecast.assign_attrs(caveats=[f"Drawn at D = {told}.", *forecast.attrs["caveats"]])
