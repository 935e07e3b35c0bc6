"""Runs of tasks crossed with data sets, in one or two predictors, and densities on them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw._inference.bound_model import bind
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import model_data_of
from bayeslaw._sampling.compiled import CompiledDensity, compiled_density_of
from bayeslaw.data.runs import read_runs
from bayeslaw.laws import chinchilla
from bayeslaw.model.model import Model

REFERENCE = {"N": 1e7, "D": 1e9}
TRUTH = {"E": 1.0, "A": 0.8, "alpha": 0.3, "B": 0.7, "beta": 0.25}


def crossed_curves(n_tasks: int = 2, n_data: int = 2, seed: int = 1) -> xr.Dataset:
    """One curve for each task and data set, of six or seven runs with a little noise."""
    rng = np.random.default_rng(seed)
    sizes = np.geomspace(1e5, 1e9, 6 + seed % 2)
    rows = []
    for i, j in np.ndindex(n_tasks, n_data):
        tokens = sizes * rng.uniform(10, 300, sizes.size)
        law = chinchilla(sizes / REFERENCE["N"], tokens / REFERENCE["D"], **TRUTH)
        loss = law * np.exp(0.1 * i - 0.05 * j + 0.01 * rng.normal(size=sizes.size))
        curve = {"N": sizes, "D": tokens, "loss": loss, "task": f"t{i}", "dataset": f"d{j}"}
        rows.append(pd.DataFrame(curve))
    groups = ["task", "dataset"]
    return read_runs(pd.concat(rows), predictors=["N", "D"], groups=groups, reference=REFERENCE)


def density_of(model: Model, runs: xr.Dataset) -> CompiledDensity:
    """The compiled density of a model on runs."""
    bound = bind(model, runs)
    return compiled_density_of(bound, model_data_of(bound, laplace_approximation(bound)))
