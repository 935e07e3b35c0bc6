"""The whole job on the embedded language models, in two acts, in front of the user."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import bayeslaw as bl
from bayeslaw.console import answer

__all__ = ["run"]

GROUPS = ["corpus", "architecture"]
LARGEST = 4e4  # parameters of a model that the first act fits
DRAWS = 500
ENOUGH = 0.75  # share inside the 90% band; less is no accident, with 16 runs
SHORTFALL = (
    "So few are no accident: out there the law is off, and its own bands know the noise and the "
    "parameters, not what the law gets wrong."
)

type Tell = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class _Act:
    """A law, the runs it is fitted to and judged by, what is said before, its files' suffix."""

    intro: str
    law: bl.Law
    train: xr.Dataset
    later: xr.Dataset
    suffix: str = ""


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
    started = time.perf_counter()
    tell: Tell = (lambda _: None) if quiet else (lambda told: answer(told, as_json=False))
    train, later = bl.split_held_out(bl.datasets.load("tiny_lm"))
    tell({"about": [_about(train, later)]})
    acts, fits, found = {"size": _size(train), "joint": _joint(train, later)}, {}, {}
    for name, act in acts.items():
        tell({"intro": ["", act.intro]})
        fits[name] = _fit(act, seed, quiet)
        found[name] = _found(act, fits[name])
        tell(found[name])
    out.mkdir(parents=True, exist_ok=True)  # an interrupt leaves nothing behind
    kept = [_keep(acts[name], fit, out) for name, fit in fits.items()]
    last = [*kept, f"({time.perf_counter() - started:.0f} s)"]
    tell({"sentences": ["", *last]})
    converged = all(each["converged"] for each in found.values())
    return {"converged": converged, **found, "sentences": last}


def _about(train: xr.Dataset, later: xr.Dataset) -> str:
    return (
        f"{train.sizes['run']} measured training runs of small language models, 4 corpora x 2 "
        "architectures: loss in nats per byte against parameters N and bytes of text D. "
        f"{later.sizes['run']} larger runs are held out. On its first start the demo compiles "
        "each law, for half a minute."
    )


def _size(train: xr.Dataset) -> _Act:
    """The runs of the largest D alone, where the loss is a curve in N."""
    runs = train.isel(run=(train["D"] == train["D"].max()).values)
    fitted, later = bl.split_at(runs, N=LARGEST)
    intro = (
        f"Act 1, larger models on the same data: L0 + k N^-alpha at D = {runs['D'].max():.3g}, "
        f"pooled over corpora and architectures. {fitted.sizes['run']} runs up to N = "
        f"{LARGEST:.0f} are fitted, {later.sizes['run']} larger ones judge."
    )
    return _Act(intro, bl.laws.power, fitted, later, "_size")


def _joint(train: xr.Dataset, later: xr.Dataset) -> _Act:
    intro = (
        "Act 2, larger models on more data: E + A N^-alpha + B D^-beta, pooled alike. All "
        f"{train.sizes['run']} runs are fitted, {later.sizes['run']} at about ten times the "
        "compute judge."
    )
    return _Act(intro, bl.laws.chinchilla, train, later)


def _fit(act: _Act, seed: int, quiet: bool) -> bl.Fit:
    model = bl.Model(act.law, pooling=GROUPS)
    return bl.fit(
        model, act.train, random_seed=seed, draws=DRAWS, tune=DRAWS, progressbar=not quiet
    )


def _found(act: _Act, fit: bl.Fit) -> dict[str, Any]:
    forecast = bl.forecast(fit, act.later)  # the draws that `compare` scores
    comparison, held_out = bl.compare({act.law.name: fit}, act.later), _held_out(act, forecast)
    population = bl.summary(fit).loc["population"].droplevel("label")
    return {
        "converged": bl.diagnose(fit).gate.passed,
        "verdict": [str(fit).splitlines()[0]],
        "population": population[["median", "lower", "upper"]],
        "comparison": comparison[["verdict", "log_score", "rmsle", "crps", "coverage_90"]],
        "held_out": held_out,
        "sentences": [*_sentences(held_out), *forecast.attrs["caveats"]],
    }


def _held_out(act: _Act, forecast: xr.Dataset) -> pd.DataFrame:
    """Run by run: its loss, the forecast, and the narrower band that holds the loss."""
    told = act.later.to_dataframe()[[*GROUPS, "N", "loss"]].astype({"N": int})
    told.insert(3, "compute", _times(act))
    told["median"] = bl.interval(forecast)["mean"].sel(bound="median").values
    told["lower"], told["upper"] = _band(forecast, 0.9)
    inside = [told["loss"].between(*_band(forecast, prob)) for prob in (0.5, 0.9)]
    return told.assign(inside=np.select(inside, ["50%", "90%"], "no")).reset_index(drop=True)


def _times(act: _Act) -> pd.Series:
    """Compute of held-out runs, over the most of any fitted run of the same curve."""
    fitted, later = (runs.to_dataframe() for runs in (act.train, act.later))
    most = fitted.groupby(GROUPS)["flops_counted"].max().rename("most")
    return later["flops_counted"] / later.join(most, on=GROUPS)["most"]


def _band(forecast: xr.Dataset, prob: float) -> tuple[np.ndarray, np.ndarray]:
    band = bl.interval(forecast, prob)["new_run"]
    return band.sel(bound="lower").values, band.sel(bound="upper").values


def _sentences(held_out: pd.DataFrame) -> list[str]:
    total, compute = len(held_out), held_out["compute"]
    error = held_out["median"] / held_out["loss"] - 1
    half, most = (held_out["inside"] == "50%").sum(), (held_out["inside"] != "no").sum()
    return [
        f"Of {total} held-out runs, at {compute.min():.1f} to {compute.max():.1f} times the "
        f"compute of any fitted run of their curve, {half} are in the 50% band and {most} in the "
        f"90% band; {total / 2:.0f} and {0.9 * total:.0f} would be right. The medians are off by "
        f"{error.min():+.1%} to {error.max():+.1%}, and too high at {(error > 0).sum()} runs.",
        *([SHORTFALL] if most < ENOUGH * total else []),
    ]


def _keep(act: _Act, fit: bl.Fit, out: Path) -> str:
    fit_file, figure = out / f"fit{act.suffix}.nc", out / f"forecast{act.suffix}.png"
    bl.save(fit, fit_file)
    runs = xr.concat([act.train, act.later], "run")
    bl.plot_forecast(_curves(act, fit), runs, x="N", columns=4).savefig(figure, dpi=200)
    return f"Figure: {figure}   Fit: {fit_file}"


def _curves(act: _Act, fit: bl.Fit) -> xr.Dataset:
    """Forecast along N; D rises between the largest N fitted and the smallest held out."""
    ends = [act.train["N"].max().item(), act.later["N"].min().item()]
    sizes = np.geomspace(act.train["N"].min().item(), act.later["N"].max().item(), 60)
    groups = {name: list(dict.fromkeys(act.later[name].values.tolist())) for name in GROUPS[::-1]}
    grid = bl.grid(**groups, N=np.union1d(sizes, ends))
    data = [act.train["D"].max().item(), act.later["D"].min().item()]
    grid["D"] = np.interp(np.log(grid["N"]), np.log(ends), data) + 0 * grid["N"]
    return bl.forecast(fit, grid)
