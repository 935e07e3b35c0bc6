"""NUTS by nutpie: sampler settings, and chains that are extended while they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from bayeslaw._arguments import COUNT, POSITIVE, PROBABILITY, SEED
from bayeslaw._progress import Pace, progress
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nutpie_module import nutpie_module
from bayeslaw._sampling.time_limit import TimeLimit, TimeLimitReached
from bayeslaw._sampling.trace import Trace, trace_of
from bayeslaw._suggestions import names_arguments

__all__ = ["FEWEST_DRAWS", "Sampler", "TraceInterrupted", "nuts_traces", "unconstrained_draws"]

FEWEST_DRAWS = 10  # of each chain, for a trace that was cut short to be of use
IN_FILES = {"max_draws_factor": "most"}  # settings under another name in files
OPTIONAL = ("cores", "target_accept", "max_seconds")
ADDED_LATER = ("max_seconds",)  # not in older files; recorded only if set
RANGES = {
    "random_seed": SEED,
    **dict.fromkeys(("draws", "tune", "chains", "cores", "max_draws_factor"), COUNT),
    "target_accept": PROBABILITY,
    "max_seconds": POSITIVE,
}
TARGET_ACCEPT = (0.9, 0.97, 0.995)
# Tuning and draws differ in pace, and a gate that fails makes another round.
PACE = Pace(seconds=10.0, least=100, left="left in this round")


@dataclass(frozen=True)
class Sampler:
    """Settings of the sampler.

    The posterior is sampled by the No-U-Turn Sampler (NUTS) of nutpie until the draws pass the
    convergence gate of `bayeslaw.diagnose`, or more draws would not help.

    Parameters
    ----------
    random_seed : int
        Seed, 0 or more; the same seed gives the same draws.
    draws : int
        Draws per chain, at least.
    tune : int
        Draws per chain that adapt the step size and the mass matrix, and are discarded.
    chains : int
        Number of chains.
    cores : int, optional
        Chains sampled in parallel; by default all of them.
    target_accept : float, optional
        Acceptance rate for which the step size is adapted, between 0 and 1. By default 0.9; if
        there are divergences, sampling starts again at 0.97, then at 0.995, with smaller steps.
    progressbar : bool
        Whether to show progress.
    max_draws_factor : int
        Chains are extended to at most this many times `draws` until the gate passes.
    importance : bool
        Whether to try importance sampling first, which is faster for a few curves. Its draws are
        used if there is one mode, Pareto k of the weights is below 0.67, and the gate passes.
    max_seconds : float, optional
        Seconds after which sampling of a fit ends with the draws so far, once the draw under way
        is complete; by default there is no limit. They count from the start of sampling: compiling
        is not counted, attempts with smaller steps and extensions are. The fit says that its limit
        ended sampling, and its gate judges the draws that there are, whose number depends on the
        speed of the machine. TimeoutError is raised if some chain has fewer than 10 draws by then.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> sampler = Sampler(random_seed=1, draws=500, chains=2)
    >>> [attempt.target_accept for attempt in sampler.attempts]
    [0.9, 0.97, 0.995]
    """

    random_seed: int
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int | None = None
    target_accept: float | None = None
    progressbar: bool = True
    max_draws_factor: int = 4
    importance: bool = False
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        for name, number_range in RANGES.items():
            if (value := getattr(self, name)) is not None or name not in OPTIONAL:
                object.__setattr__(self, name, number_range.check(name, value))

    @property
    def attempts(self) -> tuple[Sampler, ...]:
        """Settings to try in turn, each with smaller steps, as long as there are divergences."""
        if self.target_accept is not None:
            return (self,)
        return tuple(replace(self, target_accept=rate) for rate in TARGET_ACCEPT)

    @property
    def is_in_turn(self) -> bool:
        """Whether some chains start when others have ended."""
        return self.cores is not None and self.cores < self.chains

    def to_record(self) -> dict[str, Any]:
        """The settings under their names in files and in the keys of stores."""
        is_unset = {name for name in ADDED_LATER if getattr(self, name) is None}
        return {
            IN_FILES.get(name, name): value
            for name, value in vars(self).items()
            if name not in is_unset
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Sampler:
        """The settings of a record, which may have more in it."""
        in_files = {field.name: IN_FILES.get(field.name, field.name) for field in fields(cls)}
        absent = {name for name in ADDED_LATER if name not in record}
        return cls(**{name: record[key] for name, key in in_files.items() if name not in absent})


# A dataclass writes its own __init__, so it is decorated afterwards.
Sampler.__init__ = names_arguments(Sampler.__init__)


class TraceInterrupted(KeyboardInterrupt):
    """Sampling was interrupted; `trace` has the draws so far."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace


def unconstrained_draws(compiled: CompiledDensity, sampler: Sampler) -> tuple[np.ndarray, int]:
    """Draws (chain, draw, unknowns) in the sampler's space, not gated, and divergences."""
    trace = nutpie_module().sample(
        _nutpie_model(compiled, sampler), draws=sampler.draws, tune=sampler.tune,
        chains=sampler.chains, cores=sampler.cores, seed=sampler.random_seed,
        target_accept=sampler.target_accept, progress_bar=False, save_warmup=False,
        store_unconstrained=True,
    )  # fmt: skip
    stats = trace["sample_stats"].to_dataset()
    return stats["unconstrained_draw"].values, int(stats["diverging"].sum())


def nuts_traces(
    compiled: CompiledDensity, sampler: Sampler, limit: TimeLimit, failed: Sequence[Gate]
) -> Iterator[Trace]:
    """Traces of more and more draws, each an extension of the one before.

    `failed` are the gates of all draws before, to which the caller adds: progress says why there
    is another round.

    Raises TimeLimitReached at the limit, and TraceInterrupted if interrupted when every chain has a
    few draws; before that, a plain KeyboardInterrupt.
    """
    cores = sampler.cores or sampler.chains
    factors = range(1, sampler.max_draws_factor + 1)
    if sampler.is_in_turn:
        # Some chains start when others have ended, so they cannot be extended together: sample
        # again, for longer.
        for factor in factors:
            job = _start(compiled, sampler, factor * sampler.draws, cores, limit)
            yield _first_draws(job, sampler, factor, failed)
        return
    job = _start(compiled, sampler, sampler.max_draws_factor * sampler.draws, cores, limit)
    try:
        for factor in factors:
            trace = _first_draws(job, sampler, factor, failed)
            # More draws are rarely needed, and would slow down the gate.
            job.handle.pause()
            yield trace
            job.handle.resume()
    finally:
        _stop(job.handle)


@dataclass
class _Job:
    """Sampling in the background: draws that each chain has finished, and the trace at the end."""

    handle: Any
    finished: list[int]
    limit: TimeLimit
    trace: Trace | None = None

    def steps_done(self, sampler: Sampler, steps: int) -> int:
        """Steps of the slowest chain; of all chains on average, where some wait for others."""
        if sampler.is_in_turn:
            return sum(min(each, steps) for each in self.finished) // len(self.finished)
        return min(self.finished)


def _start(
    compiled: CompiledDensity, sampler: Sampler, draws: int, cores: int, limit: TimeLimit
) -> _Job:
    if limit.is_over:
        raise TimeLimitReached(0, None)
    finished = [0] * sampler.chains

    def record_progress(chains: Any) -> None:
        finished[:] = [chain.finished_draws for chain in chains]

    handle = nutpie_module().sample(
        _nutpie_model(compiled, sampler), draws=draws, tune=sampler.tune, chains=sampler.chains,
        cores=cores, seed=sampler.random_seed, target_accept=sampler.target_accept,
        progress_bar=False, progress_callback=record_progress, progress_rate=50,
        save_warmup=False, return_raw_trace=True, blocking=False,
    )  # fmt: skip
    return _Job(handle, finished, limit)


def _nutpie_model(compiled: CompiledDensity, sampler: Sampler) -> Any:
    return compiled.nutpie_model(compiled.chain_of_seed(sampler.random_seed, sampler.chains))


def _first_draws(job: _Job, sampler: Sampler, factor: int, failed: Sequence[Gate]) -> Trace:
    """The first draws of every chain, as soon as all chains have them."""
    draws, task = factor * sampler.draws, _task(sampler, factor, failed)
    try:
        if not _wait_for(job, sampler, sampler.tune + draws, task):
            raise TimeLimitReached(min(job.finished), _stopped(job, sampler))
    except KeyboardInterrupt:
        trace = _stopped(job, sampler)
        if trace is None:
            raise
        raise TraceInterrupted(trace) from None
    return _current_trace(job, sampler, draws)


def _task(sampler: Sampler, factor: int, failed: Sequence[Gate]) -> str:
    """What is sampled and, after a round that failed its gate, why again."""
    chains = f"Sampling {sampler.chains} chains"
    if not failed:
        return chains
    again = f", {factor} times the draws" if factor > 1 else " again, with smaller steps"
    return f"{chains}{again}: {failed[-1].failures[-1]}"  # the last rules out that more would help


def _wait_for(job: _Job, sampler: Sampler, steps: int, task: str) -> bool:
    """Wait until every chain has made that many steps; False if the time is over before."""
    done = job.steps_done(sampler, steps)
    with progress(task, steps, shown=sampler.progressbar, done=done, pace=PACE) as update:
        while min(job.finished) < steps and not _is_finished(job.handle):
            if job.limit.interrupted.is_set():
                raise KeyboardInterrupt
            if job.limit.is_over:
                return False
            update(job.steps_done(sampler, steps))
        update(steps)
    return True


def _stopped(job: _Job, sampler: Sampler) -> Trace | None:
    """The draws that all chains have when they are stopped, if there are a few."""
    draws = min(job.finished) - sampler.tune
    trace = _current_trace(job, sampler, draws) if draws >= FEWEST_DRAWS else None
    _stop(job.handle)
    return trace


def _current_trace(job: _Job, sampler: Sampler, draws: int) -> Trace:
    """The first draws of each chain."""
    if job.trace is None and _is_finished(job.handle):
        # A finished sampler hands over its draws only once, so that all of them are taken.
        job.trace = _trace(job.handle, job.handle.wait(), sampler)
    trace = job.trace or _trace(job.handle, job.handle.inspect(), sampler, draws)
    return trace.first(draws)


def _trace(handle: Any, results: Any, sampler: Sampler, draws: int | None = None) -> Trace:
    trace = trace_of(results, sampler.tune, draws, handle._settings.as_dict())
    trace.sample_stats.attrs["target_accept"] = sampler.target_accept
    return trace


def _stop(handle: Any) -> None:
    """Stop sampling and wait until all its threads have ended."""
    if not handle._sampler.is_empty(ignore_error=True):
        handle._sampler.abort()
        handle._sampler.take_results()  # not as a trace: there may be no draw yet


def _is_finished(handle: Any) -> bool:
    try:
        handle._sampler.wait(0.05)
    except TimeoutError:
        return False
    except RuntimeError as error:
        raise ValueError(
            "sampling cannot start: the density of the posterior is zero or infinite wherever it "
            "was tried; look for responses, sizes or standard errors of a wrong order of magnitude"
        ) from error
    return True
