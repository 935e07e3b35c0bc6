"""Convergence and speed where a hand-written model does not converge.

    BAYESLAW_DATA=... uv run python benchmarks/convergence.py [--naive DRAWS]

Cases: 72 image-classification learning curves (12 tasks x 6 models, `revisiting_nsl` of
Alabdulmohsin et al. 2022; the upper half, on the logarithmic scale, of each training range), and
simulated 3 curves x 12 sizes, 8 x 6, 3 x 4 crossed groups x 6 sizes, with several seeds; and
3 x 2 curves of which only the smallest 4 to 7 of 8 sizes are known, next to a discrepancy. With
--naive also, on the first case, the model that a user would write: L0, log k and log alpha of each
curve centred on population and crossed effects that are not marginalised, in raw units, sampled by
nutpie through `pymc.sample`.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate, check_convergence

SMALL = {"3 curves x 12": (3, 1, 12), "8 curves x 6": (8, 1, 6), "3 x 4 crossed x 6": (3, 4, 6)}
SHORT = 4, 5, 6, 7  # sizes that are known
GROUPS = ["Task", "Model"]


def image_curves(folder: Path) -> pd.DataFrame:
    """The 72 curves, upper half of each training range."""
    rows = pd.read_csv(folder / "revisiting_nsl" / "benchmark.vision.csv")
    rows = rows[(rows["Domain"] == "IC") & (rows["Training"] == 1)]
    examples = rows.groupby(GROUPS)["Seen Examples"]
    return rows[
        rows["Seen Examples"] >= np.sqrt(examples.transform("min") * examples.transform("max"))
    ]


def simulate(tasks: int, datasets: int, sizes: int, seed: int) -> pd.DataFrame:
    """Curves of a power law with moderate differences between them and noise of one per cent."""
    rng, rows = np.random.default_rng(seed), []
    of_task, of_dataset = (rng.normal(0, [0.3, 0.2, 0.2], (n, 3)) for n in (tasks, datasets))
    for i in range(tasks):
        for j in range(datasets):
            center = np.array([0, 1, np.log(0.3)]) + of_task[i] + of_dataset[j] * (datasets > 1)
            logit, level, log_alpha = center + rng.normal(0, [0.2, 0.1, 0.1])
            n, share = np.geomspace(1e6, 1e9, sizes), 1 / (1 + np.exp(-logit))
            mean = np.exp(level) * (share + (1 - share) * (n / 10**7.5) ** -np.exp(log_alpha))
            loss = mean * np.exp(0.01 * rng.standard_t(4, sizes))
            labels = {"task": f"t{i}", "dataset": f"d{j}"}
            rows += [{**labels, "N": a, "loss": b} for a, b in zip(n, loss, strict=True)]
    return pd.DataFrame(rows)


def ours(name: str, runs: object, groups: list[str], seed: int) -> None:
    """Fit with bayeslaw and print a line."""
    fitted(name, bl.Model(bl.laws.power, pooling=groups, discrepancy=None), runs, seed)


def short(sizes: int, seed: int) -> None:
    """Fit the beginnings of curves with the default model, pooled, without groups."""
    runs = bl.read_runs(simulate(3, 2, 8, seed), predictors=["N"], groups=["task", "dataset"])
    known = np.unique(runs["N"])[sizes - 1]
    start = runs.isel(run=runs["N"].values <= known)
    fitted(f"6 curves, {sizes} of 8 sizes, seed {seed}", bl.Model(bl.laws.power), start, seed)


def fitted(name: str, model: bl.Model, runs: object, seed: int) -> None:
    """Fit a model and print a line."""
    started = time.perf_counter()
    fit = bl.fit(model, runs, sampler=bl.Sampler(random_seed=seed, progressbar=False))
    line(name, Gate.of(fit.tree), fit.tree["sample_stats"].to_dataset(), started)


def line(name: str, gate: Gate, stats: object, started: float) -> None:
    """Print a line of the table."""
    seconds = time.perf_counter() - started
    ess = min(gate.ess_bulk, gate.ess_tail)
    print(
        f"{name:<34} gate {'passed' if gate.passed else 'FAILED'}  R-hat {gate.r_hat:6.3f}  "
        f"min ESS {ess:6.0f}  divergences {gate.divergences:4d}  draws {gate.draws:6d}  "
        f"gradients/draw {float(stats['n_steps'].mean()):6.1f}  {seconds:6.1f} s  "  # type: ignore[index]
        f"min ESS/s {ess / seconds:6.2f}",
        flush=True,
    )


def naive(rows: pd.DataFrame, seed: int, draws: int) -> None:
    """The hand-written model of a user, in raw units."""
    codes = [rows[group].astype("category").cat.codes.to_numpy() for group in GROUPS]
    sizes = [int(code.max()) + 1 for code in codes]
    cell = codes[0] * sizes[1] + codes[1]
    curves, curve = np.unique(cell, return_inverse=True)
    task, model = curves // sizes[1], curves % sizes[1]
    with pm.Model():
        values = []
        for name, mean, sd in (
            ("log_L0", -1.5, 1.0),
            ("log_k", 3.0, 3.0),
            ("log_alpha", -1.6, 0.8),
        ):
            center = pm.Normal(f"{name}_mu", mean, sd)
            a = pm.Normal(f"{name}_task", 0, pm.HalfNormal(f"{name}_sd_task", 1), shape=sizes[0])
            b = pm.Normal(f"{name}_model", 0, pm.HalfNormal(f"{name}_sd_model", 1), shape=sizes[1])
            own = pm.HalfNormal(f"{name}_sd", 1)
            values.append(pm.Normal(name, center + a[task] + b[model], own, shape=curves.size))
        floor, k, alpha = (pm.math.exp(value)[curve] for value in values)
        sigma = pm.LogNormal("sigma", np.log(0.01), 1, shape=curves.size)
        mean = floor + k * rows["Seen Examples"].to_numpy() ** -alpha
        log_loss = np.log(rows["Loss"].to_numpy())
        pm.StudentT("y", 4, mu=pm.math.log(mean), sigma=sigma[curve], observed=log_loss)
        started = time.perf_counter()
        tree = pm.sample(
            draws,
            tune=draws,
            chains=4,
            nuts_sampler="nutpie",
            random_seed=seed,
            progressbar=False,
        )
    posterior = tree["posterior"].to_dataset()
    tested = [name for name in posterior if not name.endswith(("_task", "_model")) or "_sd" in name]
    gate = check_convergence(posterior[tested], tree["sample_stats"].to_dataset())
    line("72 curves, hand-written model", gate, tree["sample_stats"].to_dataset(), started)


def main() -> None:
    """Run the cases and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--naive", type=int, metavar="DRAWS", help="also sample the hand-written model"
    )
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for name, (tasks, datasets, sizes) in SMALL.items():
        groups = ["task", "dataset"] if datasets > 1 else ["task"]
        for seed in range(1, options.seeds + 1):
            rows = simulate(tasks, datasets, sizes, seed)
            ours(
                f"{name}, seed {seed}",
                bl.read_runs(rows, predictors=["N"], groups=groups),
                groups,
                seed,
            )
    for seed in range(1, options.seeds + 1):
        for sizes in SHORT:
            short(sizes, seed)
    folder = os.environ.get("BAYESLAW_DATA")
    if folder is None:
        print("BAYESLAW_DATA is not set: the 72 curves are skipped")
        return
    rows = image_curves(Path(folder))
    runs = bl.read_runs(rows, response="Loss", predictors={"N": "Seen Examples"}, groups=GROUPS)
    ours(f"72 curves ({runs.sizes['run']} runs)", runs, GROUPS, 1)
    if options.naive:
        naive(rows, 1, options.naive)


if __name__ == "__main__":
    main()
