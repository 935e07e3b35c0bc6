"""The first few points of a curve, and a prior learned from other curves.

    BAYESLAW_DATA=... uv run --group extrapolation python -m benchmarks.extrapolation.few

A task of the image-classification curves is left out, the others are fitted, and what those of the
same architecture have in common is the prior of each curve of the task, of which the first 10 or 6
training rows are known. So a prior has seen neither the curve nor its task. The test rows score it,
on three tasks beside the same fits with the default prior, which take much longer.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

import bayeslaw as bl
from bayeslaw.gate import Gate
from bayeslaw.runs import reference
from benchmarks.extrapolation import data, models, report
from benchmarks.extrapolation.data import Curve, Prediction
from benchmarks.extrapolation.models import Recipe, Sampling

FOLDER = Path(__file__).parents[1] / "results" / "extrapolation"
POINTS = (10, 6)
LEAST = 20  # training rows that a curve has in the file: 65 of the 72
LAW = bl.laws.plateau_power
LIBRARY, ALONE = {"draws": 1000, "tune": 1000}, {"draws": 500, "tune": 500}
BESIDE = ("bird_10", "cal_10", "inet_10")  # tasks that are fitted with default priors, too


def main() -> None:
    """Print and keep the scores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--tasks", nargs="+", default=None, help="leave out these alone")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    how = Sampling(**LIBRARY, seed=options.seed, folder=options.folder / "fits")
    every = data.load("IC")
    tables = []
    for task in options.tasks or sorted({curve.groups["task"] for curve in every}):
        library = [curve for curve in every if curve.groups["task"] != task]
        fit = models.fitted(f"IC-without-{task}", library, Recipe(LAW), how)
        if not Gate.of(fit.tree).passed:
            print(f"{task}: left out, its library says {Gate.of(fit.tree).sentence}", flush=True)
            continue
        for n in POINTS:
            own = [curve for curve in every if curve.groups["task"] == task]
            curves = data.few_points(own, n, reach=0.0, rows=LEAST)
            for name, learned in {"population prior": fit, "default prior": None}.items():
                if learned is None and task not in BESIDE:
                    continue
                found = _alone(curves, learned, fit.runs, how)
                tables.append(report.score(f"{name}, first {n}", curves, found))
                _say(task, tables[-1])
    scores = pd.concat(tables)
    means = report.summary(scores)
    scores.to_csv(options.folder / "few.csv", index=False, float_format="%.5g")
    (options.folder / "few.md").write_text(report.markdown(means), encoding="utf-8")
    print(report.markdown(means))


def _alone(
    curves: Sequence[Curve], learned: bl.Fit | None, library: xr.Dataset, how: Sampling
) -> list[Prediction]:
    """Forecasts of curves by themselves; a library of their architecture is the prior."""
    groups, found = models.groups_of(curves[:1]), {}
    for level, some in itertools.groupby(curves, lambda curve: curve.groups["model"]):
        own = list(some)
        runs = [models.runs_of([curve], "train", groups, reference(library)) for curve in own]
        priors = bl.population(learned, at={"model": level}) if learned else {}
        model = bl.Model(LAW.of(models.SIZE), pooling=None, priors=priors)
        fits = bl.refit(
            model, runs, random_seed=how.seed, importance=True, progressbar=False, **ALONE,
            store=how.folder / "few.zarr" if how.folder else None,
        )  # fmt: skip
        for curve, fit in zip(own, fits, strict=True):
            found[curve.name] = models.prediction(fit, curve, groups, seconds=0.0)
    return [found[curve.name] for curve in curves]


def _say(task: str, scores: Sequence | pd.DataFrame) -> None:
    frame = pd.DataFrame(scores)
    mean = frame[["rmsle", "log_density", "cover_90", "gate"]].astype(float).mean()
    told = ", ".join(f"{key} {value:.3f}" for key, value in mean.items())
    print(f"{task}, {frame['configuration'].iloc[0]}: {told}", flush=True)


if __name__ == "__main__":
    main()
