"""What measured times say of two forms of an inference-time law; a part of `published.py`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

import bayeslaw as bl

NAN = float("nan")


def read(
    table: pd.DataFrame, response: str, predictors: list[str], groups: Sequence[str] = ()
) -> Any:
    """Runs; measurements may agree to the last digit without being copies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.RunsWarning)
        return bl.read_runs(
            table, response=response, predictors=predictors, groups=groups, duplicates="keep"
        )


def times() -> dict[str, pd.DataFrame]:
    """Measured times, with the work and the setting of each."""
    step, first = (bl.datasets.table(f"inference_time_{name}") for name in ("step", "first_token"))
    step, first = (
        step.assign(tokens=step["batch"]),
        first.assign(tokens=first.eval("batch * context")),
    )
    tiny = bl.datasets.table("tiny_lm").rename(columns={"n_params": "N"})
    tiny = tiny.assign(milliseconds=1e3 / tiny["eval_tokens_per_second"])
    return {"time per token": step, "time to first token": first, "tiny_lm, time per byte": tiny}


def slopes(table: pd.DataFrame, setting: list[str]) -> pd.Series:
    """Slopes d log T / d log N, one per setting with four sizes or more."""
    sizes = table.groupby(setting)["N"].transform("nunique")
    runs = read(table[sizes >= 4], "milliseconds", ["N"], setting)
    return bl.least_squares(bl.Model(bl.laws.proportional.of("N")), runs)["b"]


def median_rmsle(table: pd.DataFrame, law: bl.Law) -> float:
    """Median over contexts of a time law's RMSLE, each fitted alone."""
    table = table.assign(flops=2 * table["N"] * table["tokens"])
    runs = read(table, "milliseconds", [*law.predictors], ["context"])
    return float(bl.least_squares(bl.Model(law), runs)["rmsle"].median())


def inference() -> pd.DataFrame:
    """Slopes of time in size, and the errors of the two forms."""
    falls = bl.laws.inference_time.of("N", "tokens", "flops")
    grows = bl.laws.decoding_time.of("N", "tokens")
    rows = []
    for name, table in times().items():
        is_tiny = "corpus" in table
        setting = ["corpus"] if is_tiny else ["batch", "context"]
        for architecture, part in table.groupby("architecture"):
            slope = slopes(part, setting)
            low, middle, high = slope.quantile([0.05, 0.5, 0.95])
            forms = (
                (NAN, NAN) if is_tiny else (median_rmsle(part, falls), median_rmsle(part, grows))
            )
            rows.append(
                [f"{name}, {architecture}", slope.size, middle, low, high, slope.min(), *forms]
            )
    columns = [
        "times",
        "settings",
        "slope",
        "low",
        "high",
        "lowest",
        "additive_rmsle",
        "decoding_rmsle",
    ]
    return pd.DataFrame(rows, columns=columns)


def sentences(table: pd.DataFrame) -> list[str]:
    """Sentences on the two forms, derived from the numbers."""
    refused = table["lowest"].min() > 0
    both = table.dropna()
    return [
        f"T grows with N in {'every' if refused else 'not every'} setting: d log T / d log N is "
        f"{table['slope'].min():.2f} to {table['slope'].max():.2f} in the medians, "
        f"{table['lowest'].min():.2f} at least.",
        "laws.inference_time can only fall in N: its best fit of a single pass is a constant, with "
        f"RMSLE {both['additive_rmsle'].min():.2f} to {both['additive_rmsle'].max():.2f}, against "
        f"{both['decoding_rmsle'].min():.2f} to {both['decoding_rmsle'].max():.2f} of "
        "laws.decoding_time. For the time of a pass the data "
        f"{'refuse the additive form' if refused else 'do not settle it'}.",
        f"{np.mean(table['slope'] < 1):.0%} of the median slopes lie below 1, where small models "
        "do not fill their machine: time proportional to N is not what was measured, either.",
        "A time to a solution, for which the additive form is meant, is not among these data: of "
        "that they say nothing.",
    ]
