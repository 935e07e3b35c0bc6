"""Sampling the posterior of a compiled model until its gate passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import nutpie
import xarray as xr
from threadpoolctl import threadpool_limits

from bayeslaw._inference.coordinates import coordinates
from bayeslaw._inference.hierarchy import coordinate_roles, groupings, hierarchy_layout, is_pooled
from bayeslaw._inference.posterior import posterior_dataset, unconstrained_dataset
from bayeslaw._inference.run_arrays import RunArrays
from bayeslaw._progress import progress
from bayeslaw._sampling.compiled import DRAW, CompiledDensity
from bayeslaw._sampling.gate import Gate, check_convergence
from bayeslaw._sampling.importance import ImportanceDraws, importance_draws
from bayeslaw._sampling.initial_points import with_initial_points
from bayeslaw.model.model import Model

__all__ = [
    "PosteriorDraws",
    "Sampler",
    "SamplingInterrupted",
    "labelled_unconstrained",
    "sample_posterior",
    "unconstrained_draws",
]

FEWEST = 10  # draws of a chain that are worth keeping
TARGET_ACCEPT = (0.9, 0.97, 0.995)


@dataclass(frozen=True)
class Sampler:
    """How to sample; see `fit`.

    Parameters
    ----------
    random_seed, draws, tune, chains, cores, target_accept, progressbar
        As of `fit`.
    max_draws_factor : int
        Times the draws asked for that are made at most, until the gate passes.
    importance : bool
        Whether to try importance sampling first; see `bayeslaw.importance`.
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

    def __post_init__(self) -> None:
        for name in ("draws", "tune", "chains"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not isinstance(self.random_seed, int | np.integer) or self.random_seed < 0:
            raise ValueError(
                f"random_seed must be a whole number, 0 or more, got {self.random_seed!r}"
            )
        if self.target_accept is not None and not 0 < self.target_accept < 1:
            raise ValueError(f"target_accept must lie between 0 and 1, got {self.target_accept}")

    @property
    def attempts(self) -> tuple[Sampler, ...]:
        """One way to sample, or several: each with smaller steps, if the one before diverges."""
        if self.target_accept is not None:
            return (self,)
        return tuple(replace(self, target_accept=rate) for rate in TARGET_ACCEPT)

    def to_record(self) -> dict[str, Any]:
        """The settings under the names that files and stores have for them."""
        names = {"max_draws_factor": "most"}
        return {names.get(name, name): value for name, value in vars(self).items()}


@dataclass(frozen=True)
class PosteriorDraws:
    """Draws of a posterior, and whether they can be trusted.

    Parameters
    ----------
    unconstrained, posterior, sample_stats : xarray.Dataset
        The sampler's variables, parameters in the user's units, statistics of the sampler.
    gate : Gate
        Convergence.
    seconds : float
        That it took.
    """

    unconstrained: xr.Dataset
    posterior: xr.Dataset
    sample_stats: xr.Dataset
    gate: Gate
    seconds: float


class SamplingInterrupted(KeyboardInterrupt):
    """Sampling was interrupted.

    Parameters
    ----------
    draws : PosteriorDraws
        The draws so far.
    """

    def __init__(self, draws: PosteriorDraws) -> None:
        super().__init__()
        self.draws = draws


class _Stopped(KeyboardInterrupt):
    """The same, with the trace that there was."""

    def __init__(self, trace: xr.DataTree) -> None:
        super().__init__()
        self.trace = trace


def sample_posterior(
    model: Model,
    runs: xr.Dataset,
    run_arrays: RunArrays,
    compiled: CompiledDensity,
    sampler: Sampler,
) -> PosteriorDraws:
    """Sample until the gate passes, or more draws would not help.

    Parameters
    ----------
    model : Model
        The model.
    runs : xarray.Dataset
        Training runs.
    design : RunArrays
        The runs as arrays.
    engine : CompiledDensity
        Compiled, on their numbers.
    sampler : Sampler
        How.

    Returns
    -------
    Sampled

    Raises
    ------
    Cut
        If it is interrupted when every chain has a few draws; before, a plain KeyboardInterrupt.
    """
    started = time.perf_counter()

    def judged(rows: np.ndarray, stats: xr.Dataset) -> PosteriorDraws:
        draws = compiled.layout.split(rows, compiled.model_data)
        link = labelled_unconstrained(model, run_arrays, draws)
        posterior = posterior_dataset(model, run_arrays, link, runs)
        seconds = time.perf_counter() - started
        return PosteriorDraws(link, posterior, stats, check_convergence(posterior, stats), seconds)

    def traced(trace: xr.DataTree) -> PosteriorDraws:
        rows = trace["posterior"].to_dataset()[DRAW].values
        return judged(rows, _kept_stats(trace["sample_stats"].to_dataset()))

    # One thread of linear algebra per chain: more of them fight, and it gets six times slower.
    with threadpool_limits(1):
        ready = with_initial_points(compiled, model, run_arrays)
        try:
            quick = _independent(ready, sampler, judged) if sampler.importance else None
            return quick or _until_gate(ready, sampler, traced)
        except _Stopped as stopped:
            raise SamplingInterrupted(traced(stopped.trace)) from None


def unconstrained_draws(compiled: CompiledDensity, sampler: Sampler) -> tuple[np.ndarray, int]:
    """Draws (chain, draw, unknowns) in the sampler's own space, ungated, and how many diverged."""
    nuts_model = compiled.nutpie_model(compiled.chain_of_seed(sampler.random_seed, sampler.chains))
    trace = nutpie.sample(
        nuts_model, draws=sampler.draws, tune=sampler.tune, chains=sampler.chains,
        cores=sampler.cores, seed=sampler.random_seed, target_accept=sampler.target_accept,
        progress_bar=False, save_warmup=False, store_unconstrained=True,
    )  # fmt: skip
    stats = trace["sample_stats"].to_dataset()
    return stats["unconstrained_draw"].values, int(stats["diverging"].sum())


def labelled_unconstrained(
    model: Model, run_arrays: RunArrays, draws: dict[str, np.ndarray]
) -> xr.Dataset:
    """The sampler's variables with their labels.

    Parameters
    ----------
    model : Model
        The model.
    design : RunArrays
        The runs.
    draws : dict of str to array
        As of `CompiledDensity.variables`.

    Returns
    -------
    xarray.Dataset
    """
    roles = coordinate_roles(model, coordinates(model))
    pooled = is_pooled(model, run_arrays.curves)
    where = hierarchy_layout(groupings(model, run_arrays.curves), list(roles)) if pooled else None
    return unconstrained_dataset(draws, roles, where, run_arrays.curves)


def _independent(
    compiled: CompiledDensity,
    sampler: Sampler,
    judged: Callable[[np.ndarray, xr.Dataset], PosteriorDraws],
) -> PosteriorDraws | None:
    """Independent draws, unless there are other modes or the draws do not prove good enough."""
    if compiled.initial_points is not None:
        return None
    rng = np.random.default_rng([sampler.random_seed, 3])
    for drawn in importance_draws(compiled, sampler.chains * sampler.draws, rng):
        found = _of_chains(drawn, compiled, sampler, judged)
        if found.gate.passed:
            return found
    return None


def _of_chains(
    drawn: ImportanceDraws,
    compiled: CompiledDensity,
    sampler: Sampler,
    judged: Callable[[np.ndarray, xr.Dataset], PosteriorDraws],
) -> PosteriorDraws:
    """Independent draws, dealt out to chains."""
    shape = sampler.chains, sampler.draws
    stats = xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.zeros(shape, dtype=bool)),
            "logp": (("chain", "draw"), drawn.log_density.reshape(shape)),
        },
        {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])},
        {"pareto_k": drawn.pareto_k},
    )
    is_new = np.append(True, np.any(np.diff(drawn.points, axis=0), axis=1))
    rows = compiled.flat_variables(drawn.points[is_new])[
        np.cumsum(is_new) - 1
    ]  # copies stand together
    return judged(rows.reshape(*shape, -1), stats)


def _until_gate(
    compiled: CompiledDensity, sampler: Sampler, judged: Callable[[xr.DataTree], PosteriorDraws]
) -> PosteriorDraws:
    """As few draws as pass the gate."""
    for attempt in sampler.attempts:
        for trace in _traces(compiled, attempt):
            found = judged(trace)
            if found.gate.is_final:
                return found
            if not found.gate.would_more_draws_help:
                break
    return found  # pyright: ignore[reportPossiblyUnboundVariable]


def _traces(compiled: CompiledDensity, sampler: Sampler) -> Any:
    """Traces of more and more draws; each begins with the one before."""
    at_once = sampler.cores or sampler.chains
    if at_once < sampler.chains:
        # Chains that wait for others cannot be watched together: sample again, for longer.
        for times in range(1, sampler.max_draws_factor + 1):
            job = _start(compiled, sampler, times * sampler.draws, at_once)
            yield _watched(job, sampler, times * sampler.draws)
        return
    job = _start(compiled, sampler, sampler.max_draws_factor * sampler.draws, at_once)
    try:
        for times in range(1, sampler.max_draws_factor + 1):
            yield _watched(job, sampler, times * sampler.draws)
    finally:
        _stop(job.handle)


@dataclass
class _Job:
    """Sampling in the background, how far its chains are, and all draws once they are there."""

    handle: Any
    finished: list[int]
    trace: xr.DataTree | None = None


def _start(compiled: CompiledDensity, sampler: Sampler, draws: int, at_once: int) -> _Job:
    finished = [0] * sampler.chains

    def note(progress: Any) -> None:
        finished[:] = [chain.finished_draws for chain in progress]

    nuts_model = compiled.nutpie_model(compiled.chain_of_seed(sampler.random_seed, sampler.chains))
    handle = nutpie.sample(
        nuts_model, draws=draws, tune=sampler.tune, chains=sampler.chains, cores=at_once,
        seed=sampler.random_seed, target_accept=sampler.target_accept, progress_bar=False,
        progress_callback=note, progress_rate=50, save_warmup=False, blocking=False,
    )  # fmt: skip
    return _Job(handle, finished)


def _watched(job: _Job, sampler: Sampler, draws: int) -> xr.DataTree:
    """The first draws of every chain, as soon as all of them are there."""
    wanted = sampler.tune + draws
    what = f"Sampling {sampler.chains} chains"
    try:
        with progress(what, wanted, shown=sampler.progressbar) as tell:
            while min(job.finished) < wanted and not _is_finished(job.handle):
                tell(min(job.finished))
            tell(wanted)
    except KeyboardInterrupt:
        done = min(job.finished) - sampler.tune
        trace = _so_far(job).isel(draw=slice(done)) if done >= FEWEST else None
        _stop(job.handle)
        if trace is None:
            raise
        raise _Stopped(trace) from None
    return _so_far(job).isel(draw=slice(draws))


def _so_far(job: _Job) -> xr.DataTree:
    if job.trace is None and not _is_finished(job.handle):
        return job.handle.inspect()
    if job.trace is None:  # a finished sampler hands its draws over only once
        job.trace = job.handle.wait()
    return job.trace  # pyright: ignore[reportReturnType]


def _stop(handle: Any) -> None:
    """Stop sampling and wait until no thread of it is left."""
    if not handle._sampler.is_empty(ignore_error=True):
        handle._sampler.abort()
        handle._sampler.take_results()  # not made a trace of: there may be no draw yet


def _is_finished(handle: Any) -> bool:
    try:
        handle._sampler.wait(0.05)
    except TimeoutError:
        return False
    return True


def _kept_stats(stats: xr.Dataset) -> xr.Dataset:
    wanted = (
        "diverging",
        "energy",
        "n_steps",
        "depth",
        "step_size_bar",
        "logp",
        "maxdepth_reached",
    )
    return stats[[name for name in wanted if name in stats]]
