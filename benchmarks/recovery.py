"""Coverage of 90% intervals on simulated crossed groups.

    uv run python benchmarks/recovery.py --repeats 40

Each repetition draws a new population, 3 tasks x 4 datasets, 8 sizes over three decades, and
Student-t noise of one per cent, all from the model's own priors of spread; fits the power law
with both groups pooled; and counts how often the 90% intervals of L0, k and alpha of the 12
curves hold the true values. The standard error is over repetitions, as curves of one repetition
are not independent. Fits that do not pass their gate are counted, and not removed.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate

TASKS, DATASETS, SIZES, NOISE = 3, 4, np.geomspace(1e6, 1e9, 8), 0.01
PARAMETERS = ("L0", "k", "alpha")


def simulate(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs, and the true parameters of their curves."""
    reference = 10**7.5
    center = np.array([rng.normal(0, 1.0), rng.normal(0.5, 0.5), rng.normal(np.log(0.3), 0.3)])
    spread = np.abs(rng.normal(0, [0.5, 1.0, 0.3], size=(3, 3)))  # own, task, dataset
    own, task, dataset = (
        spread[i] * rng.standard_normal((n, 3))
        for i, n in enumerate((TASKS * DATASETS, TASKS, DATASETS))
    )
    rows, truths = [], []
    for i in range(TASKS):
        for j in range(DATASETS):
            logit, level, log_alpha = center + task[i] + dataset[j] + own[i * DATASETS + j]
            share, alpha = 1 / (1 + np.exp(-logit)), np.exp(log_alpha)
            floor, k = share * np.exp(level), (1 - share) * np.exp(level) * reference**alpha
            loss = bl.laws.power(SIZES, L0=floor, k=k, alpha=alpha)
            loss = loss * np.exp(NOISE * rng.standard_t(4, SIZES.size))
            labels = {"task": f"t{i}", "dataset": f"d{j}"}
            rows += [{**labels, "N": n, "loss": y} for n, y in zip(SIZES, loss, strict=True)]
            truths.append({**labels, "L0": floor, "k": k, "alpha": alpha})
    return pd.DataFrame(rows), pd.DataFrame(truths)


def covered(fit: bl.Fit, truth: pd.DataFrame) -> dict[str, float]:
    """Share of the curves whose 90% interval holds the truth, per parameter."""
    table = bl.summary(fit, prob=0.9).loc["curve"]
    hits = {}
    for name in PARAMETERS:
        interval = table.xs(name, level="parameter")
        true = truth[name].to_numpy()
        hits[name] = float(np.mean((interval["lower"] <= true) & (true <= interval["upper"])))
    return hits


def main() -> None:
    """Run all repetitions and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started, rng = time.perf_counter(), np.random.default_rng(options.seed)
    simulated = [simulate(rng) for _ in range(options.repeats)]
    model = bl.Model(bl.laws.power, pooling=["task", "dataset"], discrepancy=None)
    many = [
        bl.read_runs(rows, predictors=["N"], groups=["task", "dataset"]) for rows, _ in simulated
    ]
    fits = bl.refit(model, many, sampler=bl.Sampler(options.seed, progressbar=False))
    hits = pd.DataFrame(
        [covered(fit, truth) for fit, (_, truth) in zip(fits, simulated, strict=True)]
    )
    print(f"{options.repeats} repetitions x {TASKS * DATASETS} curves, seed {options.seed}")
    for name in PARAMETERS:
        error = hits[name].std() / np.sqrt(len(hits))
        print(f"{name:>6}: 90% intervals cover {hits[name].mean():.3f} +- {error:.3f}")
    passed = sum(Gate.of(fit.tree).passed for fit in fits)
    print(f"gate passed by {passed} of {len(fits)}; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
