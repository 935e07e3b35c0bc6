"""The same small fits on one and on two processes, and what a thousand workers would do.

    uv run python -m benchmarks.cluster [--fits 12] [--draws 1000]

`bayeslaw.refit` is given Dask processes of one thread each, processes of the standard library, and
threads, one and two of each: fits per second. Every process imports and compiles, or loads
compiled code from the disk, before the clock starts; that time is reported separately.

On paper, for n fits on W workers: each takes t seconds of processor, a worker is ready after t0,
and the scheduler is busy for s seconds per fit, one after the other. The fit that is dispatched
last is done t later. So all are done after

    t0 + max(n t / W, n s) + t

and the efficiency is n t / W over that. t, t0 and s are measured: s with jobs that return at once
a fit of the usual size. Disks, networks and lost workers are not included. Results are saved in
benchmarks/results/speed/cluster.json.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import multiprocessing
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
from distributed import Client, LocalCluster

import bayeslaw as bl
from bayeslaw._sampling.nuts import Sampler
from benchmarks.speed.cases import small
from benchmarks.speed.jobs import MODEL, TOGETHER, echo, prepare

WORKERS, FITS = (10, 100, 1000), (1000, 10_000, 100_000)
ECHOES = 200
OUT = Path(__file__).parent / "results" / "speed" / "cluster.json"


@dataclass(frozen=True)
class Workers:
    """An executor, and a function that makes all its processes ready and returns their ids."""

    executor: Executor
    ready: Callable[[xr.Dataset], list[int]]


def _each(executor: Executor, workers: int, runs: xr.Dataset) -> list[int]:
    futures = [executor.submit(prepare, runs) for _ in range(workers)]
    return [future.result() for future in futures]


@contextmanager
def dask(workers: int) -> Iterator[Workers]:
    """Dask's processes of one thread each."""
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True,
            dashboard_address=None, silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield Workers(client.get_executor(), lambda runs: [*client.run(prepare, runs).values()])


@contextmanager
def processes(workers: int) -> Iterator[Workers]:
    """Spawned processes of the standard library: a fork of threads may hang."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as executor:
        yield Workers(executor, partial(_each, executor, workers))


@contextmanager
def threads(workers: int) -> Iterator[Workers]:
    """Threads of this process."""
    with ThreadPoolExecutor(workers) as executor:
        yield Workers(executor, partial(_each, executor, 1))


KINDS: dict[str, Callable[[int], Any]] = {
    "Dask processes": dask,
    "processes": processes,
    "threads": threads,
}


def throughput(kind: str, workers: int, runs: list[xr.Dataset], **settings: Any) -> dict[str, Any]:
    """Fits per second once every worker is ready."""
    with KINDS[kind](workers) as pool:
        started = time.perf_counter()
        process_ids = pool.ready(runs[0])
        warm = time.perf_counter() - started - TOGETHER
        if len(set(process_ids)) != (1 if kind == "threads" else workers):
            raise RuntimeError(f"{len(set(process_ids))} of {workers} {kind} are ready")
        how = {"random_seed": 1, "executor": pool.executor, "progressbar": False, **settings}
        started = time.perf_counter()
        bl.refit(MODEL, runs, sampler=bl.Sampler(**how))
        rate = len(runs) / (time.perf_counter() - started)
    print(f"{kind:<15} {workers}: {rate:6.2f} fits/s, ready after {warm:.1f} s", flush=True)
    return {
        "kind": kind, "workers": workers, "fits per second": rate, "ready after": warm,
        "load": os.getloadavg()[0],
    }  # fmt: skip


def one_fit(runs: list[xr.Dataset], **settings: Any) -> tuple[bl.Fit, float]:
    """A fit, and the seconds of processor per fit."""
    with threads(1) as pool:
        pool.ready(runs[0])
        how = {"random_seed": 1, "executor": pool.executor, "progressbar": False, **settings}
        spent = time.process_time()
        fits = bl.refit(MODEL, runs, sampler=bl.Sampler(**how))
        return fits[0], (time.process_time() - spent) / len(runs)


def dispatch_seconds(fit: bl.Fit) -> float:
    """Seconds of processor, of scheduler and client together, to send a job and receive its fit."""
    refit = importlib.import_module("bayeslaw.fitting.refit")
    job = refit._RefitJob(MODEL, fit.runs, Sampler(1), None)
    with tempfile.NamedTemporaryFile() as cached_fit, dask(1) as pool:
        Path(cached_fit.name).write_bytes(pickle.dumps(fit.tree))
        submit = pool.executor.submit
        submit(echo, job, cached_fit.name).result()
        spent = time.process_time()
        futures = [submit(echo, job, cached_fit.name) for _ in range(ECHOES)]
        for future in futures:
            future.result()
        return (time.process_time() - spent) / ECHOES


def efficiency(fits: int, workers: int, each: float, ready: float, handed: float) -> float:
    """Efficiency of the workers, by the model above."""
    alone = fits * each / workers
    return alone / (ready + max(alone, fits * handed) + each)


def on_paper(each: float, ready: float, handed: float) -> dict[str, dict[str, float]]:
    """Print and return efficiencies by workers and fits."""
    print(f"\na fit takes {each:.2f} s, a worker {ready:.1f} s, handing out {1e3 * handed:.1f} ms")
    table = {
        f"{workers} workers": {
            f"{fits} fits": efficiency(fits, workers, each, ready, handed) for fits in FITS
        }
        for workers in WORKERS
    }
    for workers, row in table.items():
        shares = ", ".join(f"{fits} {100 * share:.0f}%" for fits, share in row.items())
        print(f"{workers:<13} {shares}")
    print(f"one scheduler keeps {each / handed:.0f} workers busy")
    return table


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--fits", type=int, default=12)
    parser.add_argument("--draws", type=int, default=1000, help="and as many to adapt the sampler")
    options = parser.parse_args()
    settings = {"draws": options.draws, "tune": options.draws}
    runs = [small(seed) for seed in range(options.fits)]
    fit, each = one_fit(runs[:4], **settings)  # puts compiled code on the disk
    rates = [throughput(kind, n, runs, **settings) for kind in KINDS for n in (1, 2)]
    ready = max(record["ready after"] for record in rates if record["kind"] != "threads")
    handed = dispatch_seconds(fit)
    table = on_paper(each, ready, handed)
    record = {
        "fits": options.fits, **settings, "cores": os.cpu_count(), "throughput": rates,
        "seconds of a fit": each, "seconds of handing out": handed, "efficiency": table,
    }  # fmt: skip
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
