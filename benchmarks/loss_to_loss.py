"""Six training sets by eight validation sets: one hierarchy, forecast at 20 times the compute.

    BAYESLAW_DATA=... uv run python benchmarks/loss_to_loss.py [--quick] [--law NAME] [--draws N]

Data: Brandfonbrener et al. 2024 (arXiv:2411.12925), 529 models of 20M to 1.7B parameters at up to
4.84e19 FLOP, evaluated on eight validation sets; six models of 3.3B parameters at 1e21 FLOP are
forecast and not used otherwise. The authors' two forms, fitted pair by pair, predict
them with mean relative errors of 3.25% (Chinchilla form) and 2.86% (Kaplan's), recomputed here
from their published fits. Baseline: the same law by least squares, pair by pair.

The law and all settings are the package's defaults; nothing was selected on the held-out models.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import bayeslaw as bl
from bayeslaw._sampling.gate import Gate
from bayeslaw.fitting.least_squares import predict

GROUPS = ["train_set", "validation_set"]
QUICK = {
    "train_set": ["fineweb-100b", "starcoder"],
    "validation_set": ["c4", "fineweb_100b", "starcoder"],
}


def runs_of(quick: bool) -> xr.Dataset:
    runs = bl.datasets.load("loss_to_loss")
    if not quick:
        return runs
    is_level = [runs[group].isin(levels) for group, levels in QUICK.items()]
    return runs.isel(run=(is_level[0] & is_level[1]).values)


def published(later: xr.Dataset) -> dict[str, float]:
    """Mean relative errors of the authors' predictions for the same pairs."""
    fits = pd.read_csv(
        bl.datasets.fetch("loss_to_loss", ["published_fits.csv"])["published_fits.csv"]
    )
    fits = fits[fits["loss_name"].str.fullmatch(r"eval/.*_val/CrossEntropyLoss")]
    fits["validation_set"] = fits["loss_name"].str.extract(r"eval/(.*)_val/", expand=False)
    keyed = fits.set_index(["data", "validation_set", "kaplan"])["extrap_pred"]
    pairs = list(zip(later["train_set"].values, later["validation_set"].values, strict=True))
    observed = later["loss"].values
    errors = {}
    for name, kaplan in (("Chinchilla form", False), ("Kaplan form", True)):
        predicted = np.array([keyed[(*map(str, pair), kaplan)] for pair in pairs])
        errors[f"published, {name}"] = float(np.mean(np.abs(predicted / observed - 1)))
    return errors


def coverage(forecast: xr.Dataset, later: xr.Dataset) -> dict[str, float]:
    observed = later["loss"].values
    shares = {}
    for prob in (0.5, 0.8, 0.9, 0.95):
        band = bl.interval(forecast, prob)["new_run"]
        inside = (band.sel(bound="lower") <= observed) & (observed <= band.sel(bound="upper"))
        shares[f"coverage {prob:.0%}"] = float(inside.mean())
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="two training sets, three validation sets"
    )
    parser.add_argument("--law", default="chinchilla")
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    train, later = bl.split_held_out(runs_of(options.quick))
    model = bl.Model(bl.laws.find(options.law), pooling=GROUPS)
    started = time.perf_counter()
    fit = bl.fit(
        model,
        train,
        sampler=bl.Sampler(random_seed=options.seed, draws=options.draws, tune=options.draws),
    )
    seconds = time.perf_counter() - started
    forecast = bl.forecast(fit, later, random_seed=options.seed)
    median = bl.interval(forecast, 0.9)["mean"].sel(bound="median").values
    observed = later["loss"].values
    points = predict(model.law, bl.least_squares(model, train), later)
    gate = Gate.of(fit.tree)
    record = {
        "law": options.law, "runs": train.sizes["run"], "held out": later.sizes["run"],
        "seed": options.seed, "draws": options.draws, "seconds": round(seconds),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "gate": gate.sentence,
        "mean relative error": {
            "hierarchy": float(np.mean(np.abs(median / observed - 1))),
            "least squares by pair": float(np.mean(np.abs(points / observed - 1))),
            **published(later),
        },
        "mean signed error, hierarchy": float(np.mean(median / observed - 1)),
        **coverage(forecast, later),
    }  # fmt: skip
    print(json.dumps(record, indent=2))
    if not options.quick:
        out = Path(__file__).parent / "results" / f"loss_to_loss_{options.law}.json"
        out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
