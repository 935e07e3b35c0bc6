"""Four runs of two tasks, the table of the tests of `bayeslaw.data`."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayeslaw.data.runs import read_runs


def table(**changes: object) -> pd.DataFrame:
    """Four runs of two tasks, with columns replaced or added."""
    columns = {
        "params": [1e6, 1e7, 1e8, 1e9],
        "tokens": [2e7, 2e8, 2e9, 2e10],
        "loss": [4.0, 3.5, 3.2, 3.0],
        "task": ["c4", "c4", "pile", "pile"],
        "dataset": ["web", "books", "web", "books"],
        "id": ["a", "b", "c", "d"],
    }
    return pd.DataFrame({**columns, **changes})


def read(**changes: object) -> xr.Dataset:
    """The table above, read with both groups."""
    return read_runs(table(**changes), predictors={"N": "params"}, groups=["task", "dataset"])
