"""Two curves, a slow and a fast one, whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslaw.data.runs import read_runs
from bayeslaw.laws import power

SIZES = np.geomspace(1e4, 1e9, 12)
TRUTH = {
    "slow": {"L0": 1.5, "k": 2.0, "alpha": 0.2},
    "fast": {"L0": 0.5, "k": 1.0, "alpha": 0.5},
}


def table(sizes: Any, sigma: float = 0.0, seed: int = 1, **columns: Any) -> pd.DataFrame:
    """Two curves with the truth above at a reference of 1e6."""
    rng, rows = np.random.default_rng(seed), []
    for task, truth in TRUTH.items():
        loss = power(np.asarray(sizes) / 1e6, **truth)
        loss = loss * np.exp(sigma * rng.normal(size=loss.size))
        rows.append(pd.DataFrame({"N": sizes, "loss": loss, "task": task, **columns}))
    return pd.concat(rows)


def read(frame: pd.DataFrame, **options: Any) -> xr.Dataset:
    return read_runs(frame, predictors=["N"], groups=["task"], reference={"N": 1e6}, **options)
