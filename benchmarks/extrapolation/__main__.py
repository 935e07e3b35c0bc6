"""Run the benchmark: baselines, the models of this package, tables and the figure.

    BAYESLAW_DATA=... uv run --group extrapolation python -m benchmarks.extrapolation --quick

Fits and scores by curve are saved in the folder as they are done, so that an interrupted run
resumes where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

import bayeslaw as bl
from benchmarks.extrapolation import baselines, data, models, published, report
from benchmarks.extrapolation.data import Curve, Prediction
from benchmarks.extrapolation.figure import figure
from benchmarks.extrapolation.models import Recipe, Sampling

RESULTS = Path(__file__).parents[1] / "results" / "extrapolation"
OURS, LEARNED, PLAIN = "bayeslaw", "bayeslaw, noise of the domain", "power law, no discrepancy"
PEER = "simple-scaling-laws"
PAPER = ("IC", "BB", "LM", "NMT", "DD", "Nano", "ColPret")
QUICK = ("BB", "LM", "NMT")
# Chosen by `choose.py`, on training rows alone, before any test row was scored.
RECIPES = {
    "IC": Recipe(bl.laws.plateau_power),
    "BB": Recipe(bl.laws.curvature),
    "LM": Recipe(bl.laws.plateau_power),
    "NMT": Recipe(bl.laws.plateau_power),
    "DD": Recipe(bl.laws.plateau_power),
    "Nano": Recipe(bl.laws.broken(1), is_pooled=False),  # pooled, it took over 43 minutes
    "ColPret": Recipe(bl.laws.power, is_pooled=False),  # 192 curves that share no group
    "LCDB": Recipe(bl.laws.power),
    "Datablations": Recipe(bl.laws.power, is_pooled=False),  # pooled, it took over 11 minutes
}
NO_NOISE = ("NMT", "Nano", "LM")  # test rows without scatter: one to a curve, or copies


def main() -> None:
    """Run the benchmark with the options given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three small domains, short chains")
    parser.add_argument("--domains", nargs="+", default=None, choices=data.DOMAINS)
    parser.add_argument("--folder", type=Path, default=RESULTS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-peer", action="store_true", help="without simple-scaling-laws")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    short = {"draws": 500, "tune": 500, "chains": 2} if options.quick else {}
    how = Sampling(seed=options.seed, folder=options.folder / "fits", **short)
    domains = options.domains or (QUICK if options.quick else tuple(RECIPES))
    parts, pit_parts = [], []
    for domain in domains:
        for name, scores, pit in _domain(domain, how, options):
            parts.append(scores)
            pit_parts.append(pit)
            _print_means(name, domain, scores)
    scores, pit = pd.concat(parts), pd.concat(pit_parts)
    report.write(options.folder, scores, pit, published.published())
    means = report.summary(scores)
    names = [n for n in (OURS, "one break", "M4", "last value") if n in means.index.unique(0)]
    whole = "all 92" if "all 92" in means.index.unique(1) else domains[0]
    figure(means, names, whole).savefig(options.folder / "extrapolation.png", dpi=200)
    print((options.folder / "summary.md").read_text())


def _domain(
    domain: str, how: Sampling, options: argparse.Namespace
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Scores and PIT values of every configuration, read back if an earlier run saved them."""
    curves = data.load(domain)
    recipe = RECIPES[domain]
    without = dataclasses.replace(recipe, law=bl.laws.power, discrepancy=None, is_pooled=False)
    ours = partial(models.predict, f"{domain}-ours", recipe=recipe, how=how)
    predictors: dict[str, Callable[[Sequence[Curve]], list[Prediction]]] = {
        **baselines.POINTS,
        PLAIN: partial(models.predict, f"{domain}-plain", recipe=without, how=how),
        OURS: ours,
    }
    if domain not in NO_NOISE:
        predictors[LEARNED] = partial(ours, learn_noise=True)
    if not options.no_peer:
        predictors[PEER] = partial(baselines.simple_scaling_laws, seed=options.seed)
    for name, predictor in predictors.items():
        cached = options.folder / "parts" / f"{domain}-{name}.parquet".replace(" ", "-")
        if not cached.exists():
            scored = _scored(name, curves, predictor)
            cached.parent.mkdir(parents=True, exist_ok=True)
            for table, path in zip(scored, (cached, cached.with_suffix(".pit")), strict=True):
                table.to_parquet(path)
        yield name, pd.read_parquet(cached), pd.read_parquet(cached.with_suffix(".pit"))


def _scored(
    name: str, curves: Sequence[Curve], predictor: Callable[[Sequence[Curve]], list[Prediction]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    predictions = predictor(curves)
    return report.score(name, curves, predictions), report.pit_values(name, curves, predictions)


def _print_means(name: str, domain: str, scores: pd.DataFrame) -> None:
    mean = scores[["rmsle", "log_density", "crps", "cover_90"]].mean()
    values = ", ".join(f"{key} {value:.4f}" for key, value in mean.items())
    print(f"{time.strftime('%H:%M:%S')} {domain}, {name}: {values}", flush=True)


if __name__ == "__main__":
    main()
