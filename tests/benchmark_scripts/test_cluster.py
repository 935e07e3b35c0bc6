"""Refits on separate processes of a cluster, one of which is killed amid its work."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client, LocalCluster

import bayeslaw as bl

MODEL = bl.Model(bl.laws.pure_power, pooling=None, discrepancy=None)
SETTINGS = {"draws": 50, "tune": 100, "chains": 2, "target_accept": 0.9, "progressbar": False}
FITS = 12
LONGEST = 120.0  # seconds to wait for the first fit of a worker, which has to import everything


@pytest.fixture(scope="module")
def many() -> list[xr.Dataset]:
    """One curve each, with five to seven sizes."""
    rng, each = np.random.default_rng(1), []
    for i in range(FITS):
        sizes = np.geomspace(1e6, 1e9, 5 + i % 3)
        loss = 3 * (sizes / 1e7) ** -0.2 * np.exp(0.01 * rng.normal(size=sizes.size))
        table = pd.DataFrame({"N": sizes, "loss": loss})
        each.append(bl.read_runs(table, predictors=["N"], reference={"N": 1e7}))
    return each


@pytest.fixture(scope="module")
def here(many: list[xr.Dataset]) -> list[bl.Fit]:
    """Fitted in this process, which also puts the compiled model on disk for the others."""
    return bl.refit(MODEL, many, sampler=bl.Sampler(random_seed=1, **SETTINGS))


@pytest.fixture
def client() -> Iterator[Client]:
    """Two processes of one thread, each watched by a nanny that starts it again if it dies."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
            silence_logs=logging.CRITICAL,  # a killed worker is told of in errors
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client


def n_saved(store: Path) -> int:
    """How many fits are whole in a store; one that is being written has a name with a dot."""
    return len([path for path in store.glob("[!.]*") if (path / "zarr.json").exists()])


def kill_one(client: Client, store: Path) -> tuple[int, int]:
    """Kill a process that is at work once there is a fit; its number, and how many fits were."""
    stop = time.monotonic() + LONGEST
    while not n_saved(store) and time.monotonic() < stop:
        time.sleep(0.01)
    at_work = client.processing()
    address = max(at_work, key=lambda worker: len(at_work[worker]))
    [pid] = client.run(os.getpid, workers=[address]).values()
    os.kill(pid, signal.SIGKILL)
    return pid, n_saved(store)


def test_a_killed_process_loses_no_fit(
    client: Client, many: list[xr.Dataset], here: list[bl.Fit], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as executor:
        killing = executor.submit(kill_one, client, tmp_path)
        there = bl.refit(
            MODEL,
            many,
            executor=client.get_executor(),
            store=tmp_path,
            sampler=bl.Sampler(random_seed=1, **SETTINGS),
        )
    killed, done = killing.result()
    assert 0 < done < FITS  # it was killed amid the work
    assert killed not in client.run(os.getpid).values()
    assert n_saved(tmp_path) == FITS
    for one, other in zip(there, here, strict=True):
        for group in ("posterior", "unconstrained_posterior"):
            xr.testing.assert_identical(
                one.tree[group].to_dataset(), other.tree[group].to_dataset()
            )
