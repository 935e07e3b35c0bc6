"""Chinchilla's law under the choices in which refits differ: noise, and five outliers.

    BAYESLAW_DATA=... uv run python benchmarks/multiverse_chinchilla.py

245 runs of Hoffmann et al. (2022) as Besiroglu et al. (2024) read them off a figure; their refit
leaves out the five largest losses. Three kinds of noise, with and without these five, and least
squares with Huber's loss as they use it: estimates of beta, and the loss of runs that spend
Chinchilla's budget on its own size and on Gopher's, far beyond all runs. Results are
saved in benchmarks/results/multiverse_chinchilla.json.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw.comparison.multiverse import Multiverse, multiverse

BUDGET, SIZES = 5.76e23, {"Chinchilla": 7e10, "Gopher": 2.8e11}
DELTA, SEED = 1e-3, 42
NOISES = {
    "Student-t": bl.StudentT(),
    "log-Gaussian": bl.Gaussian(),
    "raw Gaussian": bl.Gaussian(bl.response_scales.RawScale()),
}


def beta_of(result: Multiverse) -> pd.DataFrame:
    """Median and deviation of beta in each universe."""
    rows = result.parameters.xs("beta", level="parameter").droplevel(["of", "label"])
    return result.universes[["noise", "drop", "runs", "passed"]].join(rows[["median", "sd"]])


def least_squares() -> dict[str, float]:
    """Beta by least squares with Huber's loss, with and without the outliers."""
    runs = bl.datasets.load("chinchilla_epoch")
    model = bl.Model(bl.laws.chinchilla)
    each = {"kept": runs, "dropped": runs.isel(run=runs["kept"].values)}
    return {
        name: float(bl.least_squares(model, data, huber=DELTA).loc["all", "beta"])
        for name, data in each.items()
    }


def universes() -> Multiverse:
    """All combinations."""
    runs = bl.datasets.load("chinchilla_epoch")
    sizes = np.array(list(SIZES.values()))
    at = bl.grid(N=sizes, D=[1.0])
    at = at.assign(D=("run", BUDGET / (6 * sizes)))
    return multiverse(
        runs,
        laws={"chinchilla": bl.laws.chinchilla},
        noises=NOISES,
        drops={"kept": None, "dropped": ~runs["kept"].values},
        at=at,
        sampler=bl.Sampler(random_seed=SEED, progressbar=False),
    )


def main() -> None:
    """Fit, print and save."""
    busy, started = os.getloadavg()[0], time.perf_counter()
    result = universes()
    seconds = time.perf_counter() - started
    beta, huber = beta_of(result), least_squares()
    bands = result.universes[["noise", "drop"]].join(result.forecasts)
    print(beta.to_string(float_format=lambda x: f"{x:.3f}"))
    print("least squares (Huber): " + ", ".join(f"{k} {x:.3f}" for k, x in huber.items()))
    print(f"\nloss at {BUDGET:g} FLOP, {', '.join(SIZES)}\n{bands.to_string()}\n\n{result}")
    print(
        f"{seconds:.0f} s ({time.process_time():.0f} s of processor time in all, load {busy:.1f})"
    )
    record = {
        "seed": SEED,
        "seconds": seconds,
        "processor seconds": time.process_time(),
        "load": busy,
        "beta": beta.to_dict("records"),
        "beta by least squares (Huber)": huber,
        "forecasts": bands.reset_index().to_dict("records"),
        "shares": result.shares.reset_index().to_dict("records"),
    }
    out = Path(__file__).parent / "results" / "multiverse_chinchilla.json"
    out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
