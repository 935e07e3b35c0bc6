"""Simulation-based calibration of the curvature family, for kappa near 0, .5, 1 and 2.

    uv run python benchmarks/curvature.py [--quick] [--seed N] [--centres C ...]

For each centre c, kappa ~ Normal(c, .5) is the prior; kappa, the relative slope and the noise are
drawn from the prior, 8 sizes over 4 decades simulated, and the model with the same prior fitted.
The rank of the truth among thinned posterior draws must be uniform (chi-squared over 10 bins).
Truths that are not positive at all sizes have no density under the model and are drawn again.
The level's prior is centred on the data; its truth is known to a per cent either way.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate

CENTRES = (0.0, 0.5, 1.0, 2.0)
SIZES = np.geomspace(1e6, 1e10, 8)
REFERENCE, BINS, THINNED = 1e8, 10, 99


def simulate(centre: float, rng: np.random.Generator) -> tuple[xr.Dataset, dict[str, float]]:
    while True:
        m, slope = np.exp(rng.normal(1.0, 0.5)), 0.1 * 3.0 ** rng.normal()
        truth = {"m": m, "s": slope * m, "kappa": rng.normal(centre, 0.5)}
        mean = bl.laws.curvature(SIZES, **truth, N_0=REFERENCE)
        if np.all(mean > 0):
            break
    truth["sigma"] = 0.01 * np.exp(rng.normal())
    loss = mean * np.exp(truth["sigma"] * rng.standard_t(4, SIZES.size))
    table = pd.DataFrame({"N": SIZES, "loss": loss})
    return bl.read_runs(table, predictors=["N"], reference={"N": REFERENCE}), truth


def rank(fit: bl.Fit, name: str, truth: float) -> int:
    draws = fit.tree["posterior"][name].values.ravel()
    thinned = draws[np.linspace(0, draws.size - 1, THINNED).astype(int)]
    return int(np.sum(thinned < truth))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="40 data sets for each centre, not 200"
    )
    parser.add_argument("--centres", type=float, nargs="+", default=CENTRES)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    repeats = 40 if options.quick else 200
    print(f"{os.cpu_count()} cores, {platform.machine()}, seed {options.seed}")
    for centre in options.centres:
        started, rng = time.perf_counter(), np.random.default_rng([options.seed, int(10 * centre)])
        sets, truths = zip(*(simulate(centre, rng) for _ in range(repeats)), strict=True)
        priors = {"kappa": bl.Normal(centre, 0.5)}
        model = bl.Model(bl.laws.curvature, pooling=None, discrepancy=None, priors=priors)
        fits = bl.refit(
            model,
            sets,
            sampler=bl.Sampler(random_seed=options.seed, draws=500, tune=500, progressbar=False),
        )
        passed = sum(Gate.of(fit.tree).passed for fit in fits)
        line = f"kappa ~ N({centre:g}, .5): gate {passed} of {repeats}"
        for name in ("kappa", "s", "sigma"):
            pairs = zip(fits, truths, strict=True)
            ranks = np.array([rank(fit, name, truth[name]) for fit, truth in pairs])
            counts = np.bincount(ranks * BINS // (THINNED + 1), minlength=BINS)
            p = stats.chisquare(counts).pvalue
            inside = np.mean((ranks >= 5) & (ranks < 95))
            line += f"; {name}: p = {p:.2f}, 90% interval covers {inside:.3f}"
        print(line, f"({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
