"""What a long call says before it starts: how many fits it makes, and about how long they take."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import ContextVar

import xarray as xr

from bayeslaw._progress import announce
from bayeslaw._sampling.nuts import Sampler
from bayeslaw.model.model import Model

__all__ = ["announce_draws", "announced_fits", "processor_seconds"]

# Measured (docs/measured.md): a fit of 36 runs by 8,000 draws, without a discrepancy and with one;
# with one, 20 curves of 888 runs take 50 s, and 72 of 3,902 runs 250 s.
SECONDS, SECONDS_WITH_DISCREPANCY = 2.0, 5.0
RUNS, DRAWS, POWER_OF_RUNS = 36, 8000, 0.8
IMPORTANCE_SPEEDUP = 8.0

# Not in the estimate: 1 to 2 s of processor time per law, and 16 s for what all laws share.
FIRST_TIME = "some seconds for each model that is compiled for the first time"

_is_announced = ContextVar("_is_announced", default=False)


@contextmanager
def announced_fits(
    task: str,
    jobs: Sequence[tuple[Model, xr.Dataset]],
    sampler: Sampler,
    executor: Executor | None = None,
) -> Iterator[None]:
    """Say how many fits are made in this block, and roughly how long they take.

    Blocks within this one say nothing, as their fits are among these.
    """
    if sampler.progressbar and jobs and not _is_announced.get():
        announce(f"{task}: {_estimate(jobs, sampler, executor)}")
    token = _is_announced.set(True)
    try:
        yield
    finally:
        _is_announced.reset(token)


def announce_draws(sampler: Sampler, before: int, seconds: float) -> None:
    """Say how many draws a fit gets, and how long that takes, from its draws and seconds before."""
    steps = sampler.tune + sampler.draws
    time = _duration(seconds * steps / (sampler.tune + before))
    if sampler.progressbar:
        announce(
            f"Extending: {sampler.draws:,} more draws of each of {sampler.chains} chains, after "
            f"{sampler.tune:,} for tuning, roughly {time}, and {FIRST_TIME}."
        )


def _estimate(
    jobs: Sequence[tuple[Model, xr.Dataset]], sampler: Sampler, executor: Executor | None
) -> str:
    """The number of fits, and how long they take."""
    seconds = sum(processor_seconds(model, runs, sampler) for model, runs in jobs)
    time = _duration(seconds) + " of processor time"
    if executor is None:
        time = _duration(seconds / min(os.cpu_count() or 1, len(jobs)))
    laws = len({model.law.name for model, _ in jobs})
    count = f"{_count(len(jobs), 'fit')} of {_count(laws, 'law')}"
    return f"{count}, roughly {time}, and {FIRST_TIME}."


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
