"""What a long call says before it starts: how many fits it makes, and about how long they take."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import Executor

import xarray as xr

from bayeslaw._progress import announce
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.model.model import Model

__all__ = ["announce_fits", "processor_seconds"]

# Measured (docs/measured.md): a fit of 36 runs by 8,000 draws, without a discrepancy and with one;
# and 72 curves of 3,902 runs take 11 times as long as 3 of 36, 20 of 888 runs 3 times.
SECONDS, SECONDS_WITH_DISCREPANCY = 3.0, 20.0
RUNS, DRAWS, POWER_OF_RUNS = 36, 8000, 0.5
IMPORTANCE_SPEEDUP = 8.0


def announce_fits(
    task: str,
    jobs: Sequence[tuple[Model, xr.Dataset]],
    sampler: Sampler,
    executor: Executor | None = None,
) -> None:
    """Say how many fits follow, and a rough estimate of how long they take."""
    if not sampler.progressbar or not jobs:
        return
    seconds = sum(processor_seconds(model, runs, sampler) for model, runs in jobs)
    time = _duration(seconds) + " of processor time"
    if executor is None:
        time = _duration(seconds / min(os.cpu_count() or 1, len(jobs)))
    laws = len({model.law.name for model, _ in jobs})
    announce(
        f"{task}: {_count(len(jobs), 'fit')} of {_count(laws, 'law')}, roughly {time}, and up to a "
        "minute for each model that is compiled for the first time."
    )


def processor_seconds(model: Model, runs: xr.Dataset, sampler: Sampler) -> float:
    """Processor time of a fit, within a factor of about three; compilation is not included."""
    seconds = SECONDS_WITH_DISCREPANCY if model.discrepancy else SECONDS
    seconds *= (runs.sizes["run"] / RUNS) ** POWER_OF_RUNS
    seconds *= sampler.chains * (sampler.tune + sampler.draws) / DRAWS
    return seconds / IMPORTANCE_SPEEDUP if sampler.importance else seconds


def _duration(seconds: float) -> str:
    """Seconds, minutes or hours, to one digit."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{_one_digit(seconds / size)} {unit}"
    return f"{_one_digit(max(seconds, 1.0))} s"


def _one_digit(value: float) -> str:
    return f"{round(value, -math.floor(math.log10(value))):g}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number:,} {thing}s"
