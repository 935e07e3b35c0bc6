"""How long do fits of tables of awkward shapes take, and do they converge?

    OMP_NUM_THREADS=1 uv run python -m benchmarks.shapes [NAME ...]

Simulated tables, seed 0; seconds on the clock with everything compiled, and peak memory (Linux).
A table of 100,000 runs takes half an hour or more on two cores; name others to leave it out.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

import bayeslaw as bl
from benchmarks.speed.measure import forget_peak, peak_memory

NOISE = 0.01


def joint(curves: int, rows: int) -> tuple[bl.Model, xr.Dataset]:
    """Curves of runs at random N and D that follow Chinchilla's law, with terms of their own."""
    rng = np.random.default_rng(0)
    curve = np.repeat(np.arange(curves), rows)
    frame = pd.DataFrame({"set": curve.astype(str), "N": 10 ** rng.uniform(7.5, 10, curve.size)})
    frame["D"] = 10 ** rng.uniform(8.5, 11, curve.size)
    own = np.exp(rng.normal(0, 0.05, (3, curves)))[:, curve]
    return bl.Model(bl.laws.chinchilla), _chinchilla(frame, own, rng)


def one_size(shapes: int, rows: int) -> tuple[bl.Model, xr.Dataset]:
    """Shapes of one N each, at several D."""
    rng = np.random.default_rng(0)
    curve = np.repeat(np.arange(shapes), rows)
    frame = pd.DataFrame({"set": curve.astype(str), "N": np.geomspace(1e7, 1e10, shapes)[curve]})
    frame["D"] = np.tile(np.geomspace(3e8, 1e11, rows), shapes)
    own = np.ones((3, curve.size))
    own[1] = np.exp(rng.normal(0, 0.05, shapes))[curve]
    return bl.Model(bl.laws.chinchilla), _chinchilla(frame, own, rng)


def only_a_differs(shapes: int, rows: int) -> tuple[bl.Model, xr.Dataset]:
    """The same shapes, of which a user says that they differ in A alone."""
    shared = {f"sd_{name}": bl.Fixed(0) for name in ("E", "B", "alpha", "beta")}
    return bl.Model(bl.laws.chinchilla, priors=shared), one_size(shapes, rows)[1]


def power(curves: int, rows: int) -> tuple[bl.Model, xr.Dataset]:
    """Curves that follow a power law above a floor."""
    rng = np.random.default_rng(0)
    curve = np.repeat(np.arange(curves), rows)
    size = np.tile(np.geomspace(1e7, 3e9, rows), curves)
    factor = np.exp(rng.normal(0, 0.1, curves))[curve]
    loss = (1.7 + factor * (size / 1e8) ** -0.3) * np.exp(NOISE * rng.normal(size=size.size))
    frame = pd.DataFrame({"set": curve.astype(str), "N": size, "loss": loss})
    runs = bl.read_runs(frame, response="loss", predictors=["N"], groups=["set"])
    return bl.Model(bl.laws.power), runs


def _chinchilla(frame: pd.DataFrame, own: np.ndarray, rng: np.random.Generator) -> xr.Dataset:
    terms = 1.69 * own[0] + 406 * own[1] * frame["N"] ** -0.34 + 410 * own[2] * frame["D"] ** -0.28
    frame["loss"] = terms * np.exp(NOISE * rng.normal(size=len(frame)))
    return bl.read_runs(frame, response="loss", predictors=["N", "D"], groups=["set"])


TABLES: dict[str, Callable[[], tuple[bl.Model, xr.Dataset]]] = {
    "3 curves of 32 runs in N and D": lambda: joint(3, 32),
    "3 curves of 5 runs in N and D": lambda: joint(3, 5),
    "22 shapes of one N, 10 runs each": lambda: one_size(22, 10),
    "22 shapes, only A differs": lambda: only_a_differs(22, 10),
    "6 curves of two sizes": lambda: power(6, 2),
    "one curve of 5,000 runs": lambda: power(1, 5000),
    "one curve of 20,000 runs": lambda: power(1, 20_000),
    "1,000 curves of 100 runs": lambda: power(1000, 100),
}


def main(names: list[str]) -> None:
    """Fit the tables twice, the first time to compile."""
    warnings.simplefilter("ignore", bl.errors.RunsWarning)
    for name in names or TABLES:
        model, runs = TABLES[name]()
        short = bl.Sampler(1, draws=20, tune=20, chains=2, max_draws_factor=1, progressbar=False)
        bl.fit(model, runs, sampler=short)
        forget_peak()
        started = time.perf_counter()
        fit = bl.fit(model, runs, sampler=bl.Sampler(1, progressbar=False))
        steps = float(fit.tree["sample_stats"].to_dataset()["n_steps"].mean())
        seconds = time.perf_counter() - started
        print(
            f"{name}: {seconds:.1f} s, {steps:.0f} steps a draw, {peak_memory():.2f} GB. "
            f"{str(fit).splitlines()[0]}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
