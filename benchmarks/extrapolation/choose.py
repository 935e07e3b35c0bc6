"""Choose a law for each domain on training rows alone.

    BAYESLAW_DATA=... uv run --group extrapolation python -m benchmarks.extrapolation.choose BB LM

Rows beyond half of a curve's largest training size are held out, the others are fitted; what is
printed is how well each law extrapolates to them. Test rows are not read.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np

import bayeslaw as bl
from benchmarks.extrapolation import data, models, report
from benchmarks.extrapolation.data import Curve
from benchmarks.extrapolation.models import Recipe, Sampling

LAWS = (bl.laws.plateau_power, bl.laws.power, bl.laws.broken(1), bl.laws.curvature)
LEAST = 4  # training rows


def main() -> None:
    """Print scores by domain and law."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("domains", nargs="+", choices=data.DOMAINS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--laws", nargs="+", default=[law.name for law in LAWS])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    how = Sampling(400, 500, 2, options.seed)
    for domain in options.domains:
        curves = inner(data.load(domain))
        for law in map(bl.laws.find, options.laws):
            predictions = models.predict(domain, curves, Recipe(law), how)
            scores = report.score(law.name, curves, predictions)
            mean = scores[["rmsle", "log_density", "crps", "cover_90", "gate"]].astype(float).mean()
            values = ", ".join(f"{key} {value:.4f}" for key, value in mean.items())
            seconds = scores["seconds"].sum()
            print(f"{domain}, {law.name}: {values}, {seconds:.0f} s", flush=True)


def inner(curves: Sequence[Curve]) -> list[Curve]:
    """The same curves, their training rows in two parts."""
    halved = [_halved(curve) for curve in curves]
    return [curve for curve in halved if curve.x_test.size and curve.x_train.size >= LEAST]


def _halved(curve: Curve) -> Curve:
    early = curve.x_train <= curve.x_train[-1] / 2
    if early.sum() < LEAST:
        early = np.arange(curve.x_train.size) < max(LEAST, curve.x_train.size - 1)
    parts = {"x_train": curve.x_train[early], "y_train": curve.y_train[early]}
    parts |= {"x_test": curve.x_train[~early], "y_test": curve.y_train[~early]}
    if curve.stderr_train is not None:
        parts |= {"stderr_train": curve.stderr_train[early]}
        parts |= {"stderr_test": curve.stderr_train[~early]}
    return dataclasses.replace(curve, **parts)


if __name__ == "__main__":
    main()
