"""The first few points of a curve, and a prior learned from other curves.

    BAYESLAW_DATA=... uv run --group extrapolation python -m benchmarks.extrapolation.few

A task of the image-classification curves is left out, the others are fitted, and the population of
the same architecture is the prior of each curve of the task, of which the first 10 or 6
training rows are known. So the prior has seen neither the curve nor its task. Scores are of the
test rows; on three tasks also for the same fits with the default prior, which take much longer.

Then twelve curves at a time are left out, one of each task and two of each architecture, so that
the prior has not seen the curve but others of its task and of its architecture.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.data.runs import reference_sizes
from benchmarks.extrapolation import data, models, report
from benchmarks.extrapolation.data import Curve, Prediction
from benchmarks.extrapolation.models import Recipe, Sampling

FOLDER = Path(__file__).parents[1] / "results" / "extrapolation"
POINTS = (10, 6)
LEAST = 20  # training rows that a curve has in the file: 65 of the 72
LAW = bl.laws.plateau_power
LIBRARY, ALONE = {"draws": 1000, "tune": 1000}, {"draws": 500, "tune": 500}
WITH_DEFAULT_PRIOR = (
    "bird_10",
    "cal_10",
    "inet_10",
)  # tasks that are fitted with default priors, too


@dataclass(frozen=True)
class Part:
    """Curves that are left out of a library, and the groups of which it still knows the levels.

    Parameters
    ----------
    name : str
        Of the part.
    curves : sequence of Curve
        That are left out.
    known : sequence of str
        Groups whose level of such a curve the library has.
    """

    name: str
    curves: Sequence[Curve]
    known: Sequence[str]

    @property
    def prior(self) -> str:
        """The name of a prior that is learned without these curves."""
        return f"population prior of its {' and '.join(self.known)}"


def parts(every: Sequence[Curve]) -> Iterator[Part]:
    """Every task once; then sets of twelve curves, which together are all of them."""
    tasks, models = (sorted({c.groups[g] for c in every}) for g in ("task", "model"))
    for task in tasks:
        yield Part(task, [c for c in every if c.groups["task"] == task], ["model"])
    for i in range(len(models)):
        turned = {task: models[(i + j) % len(models)] for j, task in enumerate(tasks)}
        own = [c for c in every if turned[c.groups["task"]] == c.groups["model"]]
        yield Part(f"set-{i + 1}", own, ["task", "model"])


def main() -> None:
    """Print and save the scores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--parts", nargs="+", default=None, help="tasks, or set-1 to set-6")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    how = Sampling(**LIBRARY, seed=options.seed, folder=options.folder / "fits")
    every = data.load("IC")
    tables = []
    for part in parts(every):
        if options.parts and part.name not in options.parts:
            continue
        own = {curve.name for curve in part.curves}
        library = [curve for curve in every if curve.name not in own]
        fit = models.fitted(f"IC-without-{part.name}", library, Recipe(LAW), how)
        if not Gate.of(fit.tree).passed:
            sentence = Gate.of(fit.tree).sentence
            print(f"{part.name}: left out, its library says {sentence}", flush=True)
            continue
        for n in POINTS:
            curves = data.few_points(part.curves, n, reach=0.0, rows=LEAST)
            for name, known in {part.prior: part.known, "default prior": None}.items():
                if known is None and part.name not in WITH_DEFAULT_PRIOR:
                    continue
                predictions = _fit_one_by_one(curves, fit, known, how)
                tables.append(report.score(f"{name}, first {n}", curves, predictions))
                _print_means(part.name, tables[-1])
    scores = pd.concat(tables)
    means = report.summary(scores)
    scores.to_csv(options.folder / "few.csv", index=False, float_format="%.5g")
    (options.folder / "few.md").write_text(report.markdown(means), encoding="utf-8")
    print(report.markdown(means))


def _fit_one_by_one(
    curves: Sequence[Curve], library: bl.Fit, known: Sequence[str] | None, how: Sampling
) -> list[Prediction]:
    """Forecasts of curves fitted one by one, with the population of a library as the prior."""
    groups, predictions = models.groups_of(curves[:1]), {}

    def levels(curve: Curve) -> dict[str, str]:
        return {name: curve.groups[name] for name in known or ()}

    for level, some in itertools.groupby(curves, levels):
        own = list(some)
        runs = [models.runs_of([c], "train", groups, reference_sizes(library.runs)) for c in own]
        priors = {} if known is None else bl.population(library, at=level)
        model = bl.Model(LAW.of(models.SIZE), pooling=None, priors=priors)
        fits = bl.refit(
            model,
            runs,
            store=how.folder / "few.zarr" if how.folder else None,
            sampler=bl.Sampler(random_seed=how.seed, importance=True, progressbar=False, **ALONE),
        )
        for curve, fit in zip(own, fits, strict=True):
            predictions[curve.name] = models.prediction(fit, curve, groups, seconds=0.0)
    return [predictions[curve.name] for curve in curves]


def _print_means(task: str, scores: Sequence | pd.DataFrame) -> None:
    frame = pd.DataFrame(scores)
    mean = frame[["rmsle", "log_density", "cover_90", "gate"]].astype(float).mean()
    values = ", ".join(f"{key} {value:.3f}" for key, value in mean.items())
    print(f"{task}, {frame['configuration'].iloc[0]}: {values}", flush=True)


if __name__ == "__main__":
    main()
