"""Does a discrepancy along each of several predictors help? On the embedded language models.

    uv run python benchmarks/joint_discrepancy.py

Chinchilla's law with its parameters pooled over corpus and architecture, fitted to 872 runs with a
discrepancy and without, scored on 16 runs at ten times the compute and more.
"""

from __future__ import annotations

import argparse

import bayeslaw as bl

GROUPS = ["corpus", "architecture"]


def main() -> None:
    """Fit both and print scores of the held-out runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    train, later = bl.split_held_out(bl.datasets.load("tiny_lm"))
    law = bl.laws.chinchilla
    pooling = dict.fromkeys(law.parameters, GROUPS)
    for discrepancy in (bl.Brownian(), None):
        model = bl.Model(law, pooling=pooling, discrepancy=discrepancy)
        fit = bl.fit(
            model, train, sampler=bl.Sampler(random_seed=options.seed, tune=500, progressbar=False)
        )
        scores = bl.score_table(bl.score(bl.forecast(fit, later), later)).loc["all"]
        rounded = scores[["rmsle", "log_score", "coverage_50", "coverage_90"]].round(3).to_dict()
        taus = [n for n in fit.tree["posterior"].data_vars if n.startswith("tau_")]
        along = {n: fit.tree["posterior"][n] for n in taus if n.endswith("_population")}
        spread = {name: round(float(values.median()), 4) for name, values in along.items()}
        print(f"{discrepancy}: {fit}\n{rounded} {spread}", flush=True)


if __name__ == "__main__":
    main()
