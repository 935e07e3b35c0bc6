"""Models and runs of the measurements."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import xarray as xr

import bayeslaw as bl
from benchmarks.convergence import simulate

IMAGES = (12, 6, 3902)  # tasks, models and rows of the image-classification curves
SHAPES = {10: (2, 5), 100: (10, 10), 1000: (25, 40), 10_000: (100, 100)}  # curves, crossed
ROWS = (10, 100, 1000, 10_000)
GROUPS = ["task", "dataset"]


def find(name: str) -> tuple[bl.Model, xr.Dataset]:
    """A model and its runs, by name."""
    match name:
        case "images":
            return images(bl.laws.plateau_power)  # which these curves are like
        case "dozen":
            return bl.Model(bl.laws.power, pooling=GROUPS), dozen()
        case "another":
            return bl.Model(bl.laws.shifted_power, pooling=GROUPS), dozen()
        case "learners":
            runs = bl.datasets.load("learners")
            return bl.Model(bl.laws.power.of("D"), pooling=["task", "learner"]), runs
        case "plain":
            return bl.Model(bl.laws.power, pooling=GROUPS, discrepancy=None), dozen()
        case "twenty":
            return bl.Model(bl.laws.power, pooling=GROUPS), twenty()
    raise ValueError(f"no case is called {name!r}; the cases are those of `find`")


def images(law: bl.Law = bl.laws.power) -> tuple[bl.Model, xr.Dataset]:
    """The 72 image-classification curves and their model, or simulated power laws of that shape."""
    if os.environ.get("BAYESLAW_DATA"):
        from benchmarks.extrapolation.data import load
        from benchmarks.extrapolation.models import Recipe, groups_of, runs_of

        curves = load("IC")
        groups = groups_of(curves)
        return Recipe(law).model(groups), runs_of(curves, "train", groups)
    tasks, models, rows = IMAGES
    per_curve = -(-rows // (tasks * models))
    table = simulate(tasks, models, per_curve, 1)
    surplus = np.arange(len(table)) // per_curve < len(table) - rows  # one row each of some curves
    first = np.arange(len(table)) % per_curve == 0
    return bl.Model(bl.laws.power, pooling=GROUPS), _read(table[~(surplus & first)])


def crossed(n_curves: int, rows: int = 20) -> xr.Dataset:
    """Curves of tasks crossed with data sets."""
    return _read(simulate(*SHAPES[n_curves], rows, 1))


def dozen(rows: int = 12, seed: int = 1) -> xr.Dataset:
    """Twelve curves of three tasks and four data sets."""
    return _read(simulate(3, 4, rows, seed))


def twenty() -> xr.Dataset:
    """Twenty curves of four tasks and five data sets, 872 runs."""
    return _read(simulate(4, 5, 44, 1)[8:])


def small(seed: int) -> xr.Dataset:
    """Three curves of twelve runs."""
    table = simulate(3, 1, 12, seed)
    return bl.read_runs(table, predictors=["N"], groups=["task"])


def _read(table: pd.DataFrame) -> xr.Dataset:
    return bl.read_runs(table, predictors=["N"], groups=GROUPS)
