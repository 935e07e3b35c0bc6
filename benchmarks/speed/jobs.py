"""Jobs of the processes of a cluster other than fits, in a module that they can import."""

from __future__ import annotations

import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import xarray as xr

import bayeslaw as bl

MODEL = bl.Model(bl.laws.power, pooling=["task"], discrepancy=None)
SHORT = {"draws": 20, "tune": 50, "chains": 2, "target_accept": 0.9, "progressbar": False}
TOGETHER = 1.0  # seconds that a process waits, so that each process gets one job


def prepare(runs: xr.Dataset) -> int:
    """Import, and load or compile the model; returns the process id."""
    with ThreadPoolExecutor(1) as here:
        bl.refit(MODEL, [runs, runs], executor=here, sampler=bl.Sampler(random_seed=1, **SHORT))
    time.sleep(TOGETHER)
    return os.getpid()


def echo(job: Any, path: str) -> Any:
    """The tree of a cached fit, as the result of a job."""
    return _cached(path)


@cache
def _cached(path: str) -> Any:
    return pickle.loads(Path(path).read_bytes())
