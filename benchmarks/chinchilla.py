"""Chinchilla's law from the digitised runs of its figure: posterior and published refit.

    BAYESLAW_DATA=... uv run python benchmarks/chinchilla.py [--quick]

245 runs of Hoffmann et al. (2022) as Besiroglu et al. (2024, arXiv:2404.10102) read them off a
figure; the published refit leaves out the five largest losses. Five parts: the optimum of the
published objective; the posterior with the default noise, and with nearly Gaussian noise, compared
with the published estimates; the time from the data in a fresh process to bands, compared with the
published workflow (a grid of 4,500 starts, then 4,000 bootstraps, here with an analytic gradient
instead of automatic differentiation, in its favour) on the same machine; and the allocation of
Chinchilla's budget. --quick runs a sample of that workflow and extrapolates its time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import optimize

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate

DELTA, SEED, BUDGET = 1e-3, 42, 5.76e23
NAMES = ["E", "A", "B", "alpha", "beta"]
PUBLISHED = {  # estimate and standard error (bootstrap)
    "E": (1.81686, 0.02566),
    "A": (482.006, 124.522),
    "B": (2085.434, 1293.284),
    "alpha": (0.34781, 0.01540),
    "beta": (0.36585, 0.02060),
    "a": (0.513, 0.020),
}
HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
OPTIMUM = 0.0010182740178  # of the published objective on the 240 runs, by independent searches
NOISES = {
    "Student-t, nu 4 (default)": bl.StudentT(),
    "log-Gaussian (Student-t, nu 1000)": bl.StudentT(1000.0),
}
GRID = [  # of the published workflow: ln A, ln B, ln E, alpha, beta
    np.array(start)
    for start in itertools.product(
        np.arange(0, 30, 5.0),
        np.arange(0, 30, 5.0),
        np.arange(-1, 1.5, 0.5),
        np.arange(0, 2.5, 0.5),
        np.arange(0, 2.5, 0.5),
    )
]
START = np.array([np.log(406.4), np.log(410.7), np.log(1.69), 0.33917, 0.28491])


def runs_of(everything: bool = False) -> xr.Dataset:
    """The 240 runs of the published refit, or all 245."""
    runs = bl.datasets.load("chinchilla_epoch")
    return runs if everything else runs.isel(run=runs["kept"].values)


def fit_of(runs: xr.Dataset, noise: bl.StudentT) -> bl.Fit:
    """The posterior."""
    model = bl.Model(bl.laws.chinchilla, noise=noise)
    return bl.fit(model, runs, sampler=bl.Sampler(random_seed=SEED, progressbar=False))


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """The result of a function, and its seconds."""
    started = time.perf_counter()
    return function(*arguments), time.perf_counter() - started


# The published objective, written out with its gradient.


def objective_and_gradient(
    free: np.ndarray, log_n: np.ndarray, log_d: np.ndarray, log_loss: np.ndarray
) -> tuple[float, np.ndarray]:
    """Sum of Huber losses of log residuals, and its gradient by ln A, ln B, ln E, alpha, beta."""
    a, b, e, alpha, beta = free
    terms = np.exp(np.array([a - alpha * log_n, b - beta * log_d, np.full_like(log_n, e)]))
    mean = terms.sum(axis=0)
    residual = np.log(mean) - log_loss
    size, slope = np.abs(residual), np.clip(residual, -DELTA, DELTA)
    value = np.where(size <= DELTA, size**2 / 2, DELTA * size - DELTA**2 / 2).sum()
    by_log = terms / mean * slope
    by_exponent = [-(by_log[0] * log_n).sum(), -(by_log[1] * log_d).sum()]
    return float(value), np.array([*by_log.sum(axis=1), *by_exponent])


def logs_of(runs: xr.Dataset) -> np.ndarray:
    """Logarithms of N, D and the loss."""
    return np.log([runs[name].values for name in ("N", "D", "loss")])


def objective(parameters: dict[str, float], runs: xr.Dataset) -> float:
    """The published objective of given parameters."""
    logs = [np.log(parameters[name]) for name in ("A", "B", "E")]
    return objective_and_gradient(
        np.array([*logs, parameters["alpha"], parameters["beta"]]), *logs_of(runs)
    )[0]


def search_grid(starts: list[np.ndarray], logs: np.ndarray) -> float:
    """The lowest objective from many starts."""
    with np.errstate(all="ignore"):
        optima = [
            optimize.minimize(objective_and_gradient, s, (*logs,), "L-BFGS-B", jac=True)
            for s in starts
        ]
    return min(each.fun for each in optima)


def bootstrap(repeats: int, logs: np.ndarray) -> np.ndarray:
    """Standard errors of NAMES and the allocation exponent by resampling runs."""
    rng, rows = np.random.default_rng(SEED), []
    for _ in range(repeats):
        sample = logs[:, rng.integers(0, logs.shape[1], logs.shape[1])]
        a, b, e, alpha, beta = optimize.minimize(
            objective_and_gradient, START, (*sample,), "BFGS", jac=True
        ).x
        rows.append([*np.exp([e, a, b]), alpha, beta, beta / (alpha + beta)])
    return np.std(rows, axis=0, ddof=1)


# The parts.


def optimum(everything: bool) -> dict[str, Any]:
    """The point fit by the published objective."""
    runs, model = runs_of(everything), bl.Model(bl.laws.chinchilla)
    fitted, seconds = timed(lambda: bl.least_squares(model, runs, huber=DELTA).loc["all"])
    keys = [*NAMES, "objective"]
    record = {key: float(fitted[key]) for key in keys} | {"converged": bool(fitted["converged"])}
    return record | {"runs": runs.sizes["run"], "seconds": seconds}


def posterior(fit: bl.Fit) -> pd.DataFrame:
    """Parameters and the allocation exponent, with the published estimates."""
    of_curve = fit.tree["posterior"].to_dataset().squeeze("curve")
    draws = {name: of_curve[name].values.ravel() for name in NAMES}
    draws["a"] = draws["beta"] / (draws["alpha"] + draws["beta"])
    rows = [table_row(name, values) for name, values in draws.items()]
    return pd.DataFrame(rows).set_index("parameter")


def table_row(name: str, draws: np.ndarray) -> dict[str, Any]:
    """A row of the table; the published error also in units of the posterior standard deviation."""
    estimate, error = PUBLISHED[name]
    low, median, high = np.quantile(draws, [0.05, 0.5, 0.95])
    sd = draws.std(ddof=1)
    return {
        "parameter": name,
        "median": median,
        "sd": sd,
        "5%": low,
        "95%": high,
        "published": estimate,
        "its SE": error,
        "difference / sd": (estimate - median) / sd,
        "SE / sd": error / sd,
    }


def bands() -> None:
    """From the data to bands of the curve, to be timed in a fresh process."""
    fit = fit_of(runs_of(), bl.StudentT())
    sizes = np.geomspace(1e8, 1e11, 16)
    bl.interval(bl.forecast(fit, bl.grid(N=sizes, D=[1.4e12])), 0.9)


def fresh_process() -> float:
    """Seconds of a new interpreter, the second time: compiled code is cached."""
    command = [sys.executable, __file__, "--bands"]
    seconds = [timed(lambda: subprocess.run(command, check=True))[1] for _ in range(2)]
    return seconds[-1]


def published_workflow(quick: bool) -> dict[str, Any]:
    """Time of the grid and of the bootstraps, extrapolated from a sample if quick."""
    logs, rng = logs_of(runs_of()), np.random.default_rng(SEED)
    starts, repeats = (100, 50) if quick else (len(GRID), 4000)
    chosen = [GRID[i] for i in rng.permutation(len(GRID))[:starts]]
    lowest, of_grid = timed(search_grid, chosen, logs)
    errors, of_bootstrap = timed(bootstrap, repeats, logs)
    return {
        "starts": starts,
        "bootstraps": repeats,
        "extrapolated": quick,
        "lowest objective": lowest,
        "standard errors": dict(zip(PUBLISHED, errors.tolist(), strict=True)),
        "grid seconds": of_grid * len(GRID) / starts,
        "bootstrap seconds": of_bootstrap * 4000 / repeats,
    }


def allocation(fit: bl.Fit) -> dict[str, dict[str, float]]:
    """The compute-optimal run of Chinchilla's budget."""
    plan = bl.plan(fit, BUDGET).squeeze(["curve", "budget"])
    names = ["N", "D", "D_per_N", "N_exponent", "mean"]
    return {name: quantiles(plan[name].values.ravel()) for name in names}


def quantiles(draws: np.ndarray) -> dict[str, float]:
    """Median and 90% interval."""
    low, median, high = np.nanquantile(draws, [0.05, 0.5, 0.95])
    return {"median": float(median), "5%": float(low), "95%": float(high)}


# Output.


def show_optimum(point: dict[str, Any]) -> None:
    """Print a point estimate and its objective."""
    values = "  ".join(f"{name} {point[name]:.7g}" for name in NAMES)
    print(f"{point['runs']} runs: objective {point['objective']:.13f}  {values}")
    print(f"          converged {point['converged']}, {point['seconds']:.2f} s")


def show_scores() -> dict[str, float]:
    """Print the objective of published estimates."""
    runs = runs_of()
    refit = {name: PUBLISHED[name][0] for name in NAMES}
    scores = {
        "published refit": objective(refit, runs),
        "Hoffmann, rounded": objective(HOFFMANN, runs),
    }
    for name, value in {"known optimum": OPTIMUM, **scores}.items():
        print(f"          {name:<18} {value:.13f}")
    return scores


def show_posterior(noise: str, fit: bl.Fit, seconds: float) -> dict[str, Any]:
    """Print a posterior."""
    table, gate = posterior(fit), Gate.of(fit.tree)
    print(f"\n{noise}: {'passed' if gate.passed else 'FAILED'} its gate, {seconds:.1f} s")
    print(table.to_string(float_format=lambda x: f"{x:.4g}"))
    return {"parameters": table.to_dict("index"), "passed": gate.passed, "seconds": seconds}


def show_times(fresh: float, published: dict[str, Any]) -> dict[str, Any]:
    """Print both wall times."""
    total = published["grid seconds"] + published["bootstrap seconds"]
    sample = " (extrapolated from {starts} starts and {bootstraps} bootstraps)".format(**published)
    print(f"\nfresh process, data to 90% bands (warm caches): {fresh:.1f} s")
    print(
        f"published workflow, analytic gradient{sample if published['extrapolated'] else ''}: "
        f"grid {published['grid seconds']:.0f} s + bootstrap "
        f"{published['bootstrap seconds']:.0f} s = {total:.0f} s, {total / fresh:.1f} x"
    )
    print(f"its lowest objective {published['lowest objective']:.13f}; its standard errors now:")
    print("  ".join(f"{name} {x:.4g}" for name, x in published["standard errors"].items()))
    return {"fresh process": fresh, "published workflow": published}


def show_allocation(plan: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Print the allocation."""
    print(f"\ncompute-optimal at {BUDGET:.3g} FLOP: median and 90% interval")
    for name, x in plan.items():
        print(f"{name:<11} {x['median']:.4g}  ({x['5%']:.4g} to {x['95%']:.4g})")
    return plan


def machine() -> str:
    """The machine and its load."""
    busy = os.getloadavg()[0]
    version = platform.python_version()
    return f"{os.cpu_count()} cores, load {busy:.1f} before the start, Python {version}"


def report(quick: bool) -> dict[str, Any]:
    """All parts, printed."""
    results: dict[str, Any] = {"machine": machine(), "seed": SEED}
    print(results["machine"])
    results["optimum"] = [optimum(everything) for everything in (False, True)]
    for point in results["optimum"]:
        show_optimum(point)
    results["scores"] = show_scores()
    fits = {name: timed(fit_of, runs_of(), noise) for name, noise in NOISES.items()}
    results["posterior"] = {name: show_posterior(name, *fitted) for name, fitted in fits.items()}
    results["times"] = show_times(fresh_process(), published_workflow(quick))
    results["plan"] = show_allocation(allocation(fits[next(iter(NOISES))][0]))
    return results


def main() -> None:
    """Print and save the report, or run the part that a fresh process is timed at."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="sample the published workflow")
    parser.add_argument("--bands", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bands:
        return bands()
    out = Path(__file__).parent / "results" / "chinchilla.json"
    out.write_text(json.dumps(report(options.quick), indent=1) + "\n", encoding="utf-8")
    return None


if __name__ == "__main__":
    main()
