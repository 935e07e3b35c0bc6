"""Draws of the posterior, by importance sampling or NUTS, until they pass the convergence gate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from bayeslaw._inference.bound_model import BoundModel
from bayeslaw._inference.posterior import posterior_dataset, unconstrained_dataset
from bayeslaw._memory import require_memory
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.gate import Gate, check_convergence
from bayeslaw._sampling.importance import ImportanceDraws, importance_draws
from bayeslaw._sampling.nuts import FEWEST_DRAWS, Sampler, TraceInterrupted, nuts_traces
from bayeslaw._sampling.time_limit import TimeLimit, TimeLimitReached
from bayeslaw._sampling.trace import Trace

__all__ = [
    "PosteriorDraws",
    "SamplingInterrupted",
    "require_memory_for",
    "sample_posterior",
]

STACK = 2**20  # numbers of 8 bytes that the thread of a chain reserves

type FromFlat = Callable[[np.ndarray, xr.Dataset], PosteriorDraws]
type FromTrace = Callable[[Trace], PosteriorDraws]


@dataclass(frozen=True)
class PosteriorDraws:
    """Draws of a posterior, their convergence gate, and the seconds that sampling took.

    `unconstrained` has the sampler's variables, `posterior` the parameters in the user's units.
    """

    unconstrained: xr.Dataset
    posterior: xr.Dataset
    sample_stats: xr.Dataset
    gate: Gate
    seconds: float


class SamplingInterrupted(KeyboardInterrupt):
    """Sampling was interrupted; `draws` are those so far."""

    def __init__(self, draws: PosteriorDraws) -> None:
        super().__init__()
        self.draws = draws


def sample_posterior(
    bound: BoundModel,
    compiled: CompiledDensity,
    sampler: Sampler,
    *,
    limit: TimeLimit | None = None,
    before: PosteriorDraws | None = None,
) -> PosteriorDraws:
    """Sample until the gate passes, more draws would not help, or the time is over.

    `limit` is the sampler's, from now, unless it began before; `before` are draws that are used if
    there are none better when the time is over. Raises TimeoutError if there are none, and
    SamplingInterrupted if interrupted when there are any, a few of every chain at least; before
    that, a plain KeyboardInterrupt.
    """
    started = time.perf_counter()
    limit = limit or TimeLimit(sampler.max_seconds)

    def from_flat(rows: np.ndarray, sample_stats: xr.Dataset) -> PosteriorDraws:
        draws = compiled.layout.split(rows)
        unconstrained = unconstrained_dataset(bound, draws)
        posterior = posterior_dataset(bound, unconstrained)
        seconds = time.perf_counter() - started
        gate = check_convergence(posterior, sample_stats)
        return PosteriorDraws(unconstrained, posterior, sample_stats, gate, seconds)

    def from_trace(trace: Trace) -> PosteriorDraws:
        return from_flat(trace.rows, trace.sample_stats)

    # One thread of linear algebra per chain: with more, they compete and take six times longer.
    with threadpool_limits(1):
        if sampler.importance:
            before = _by_importance(compiled, sampler, limit, from_flat)
            if before is not None and before.gate.passed:
                return before
        return _by_nuts(compiled, sampler, limit, from_trace, before)


def require_memory_for(sampler: Sampler, bound: BoundModel, responses: int = 0) -> None:
    """Raise ValueError unless the draws, as many as there may be, fit in memory.

    Each draw has parameters in two coordinate systems, and any latent variables of the runs;
    `responses` of each run are simulated.
    """
    n_curves, n_runs = bound.run_arrays.n_curves, bound.run_arrays.response.size
    draws = sampler.draws * sampler.max_draws_factor + sampler.tune
    values = 2 * (len(bound.model.roles) * n_curves + bound.model.is_augmented * n_runs)
    what = (
        f"sampling {sampler.chains} chains of up to {draws} draws (draws={sampler.draws}, "
        f"tune={sampler.tune}) of {n_curves} curves and {n_runs} runs"
    )
    require_memory(what, sampler.chains * (draws * values + STACK) + responses * n_runs)


def _by_importance(
    compiled: CompiledDensity, sampler: Sampler, limit: TimeLimit, from_flat: FromFlat
) -> PosteriorDraws | None:
    """Draws by importance sampling that pass the gate, or the last ones.

    None if there are several modes, the weights are not good enough, or the time is over.
    """
    if compiled.initial_points is not None:
        return None
    draws, n_draws = None, sampler.chains * sampler.draws
    rng = np.random.default_rng([sampler.random_seed, 3])
    for independent in importance_draws(compiled, n_draws, rng, limit):
        draws = _as_chains(independent, compiled, sampler, from_flat)
        if draws.gate.passed:
            break
    return draws


def _as_chains(
    independent: ImportanceDraws, compiled: CompiledDensity, sampler: Sampler, from_flat: FromFlat
) -> PosteriorDraws:
    """Independent draws, divided into chains."""
    shape = sampler.chains, sampler.draws
    sample_stats = xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.zeros(shape, dtype=bool)),
            "logp": (("chain", "draw"), independent.log_density.reshape(shape)),
        },
        {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])},
        {"pareto_k": independent.pareto_k},
    )
    # Copies of a proposal are adjacent, so each is evaluated once.
    is_new = np.append(True, np.any(np.diff(independent.points, axis=0), axis=1))
    rows = compiled.flat_variables(independent.points[is_new])[np.cumsum(is_new) - 1]
    return from_flat(rows.reshape(*shape, -1), sample_stats)


def _by_nuts(
    compiled: CompiledDensity,
    sampler: Sampler,
    limit: TimeLimit,
    from_trace: FromTrace,
    before: PosteriorDraws | None,
) -> PosteriorDraws:
    """The fewest draws that pass the gate, or the last ones; the best ones if it is cut short."""
    draws = before
    try:
        for draws in _attempts(compiled, sampler, limit, from_trace):
            if draws.gate.is_final:
                break
    except TimeLimitReached as reached:
        best = _best(draws, reached.trace, from_trace)
        if best is None:
            raise TimeoutError(_too_early(sampler, reached.steps)) from None
        return replace(best, gate=replace(best.gate, time_limit=float(limit.seconds or np.inf)))
    except KeyboardInterrupt as interrupt:
        trace = interrupt.trace if isinstance(interrupt, TraceInterrupted) else None
        best = _best(draws, trace, from_trace)
        if best is None:
            raise
        raise SamplingInterrupted(best) from None
    assert draws is not None
    return draws


def _best(
    draws: PosteriorDraws | None, cut_short: Trace | None, from_trace: FromTrace
) -> PosteriorDraws | None:
    """The last complete draws or those of a trace that was cut short, if there are any."""
    other = None if cut_short is None else from_trace(cut_short)
    so_far = [each for each in (draws, other) if each is not None]
    return max(so_far, key=lambda each: (each.gate.passed, each.gate.draws), default=None)


def _attempts(
    compiled: CompiledDensity, sampler: Sampler, limit: TimeLimit, from_trace: FromTrace
) -> Iterator[PosteriorDraws]:
    """More and more draws, with smaller steps where more draws would not help."""
    failed: list[Gate] = []
    for attempt in sampler.attempts:
        for trace in nuts_traces(compiled, attempt, limit, failed):
            draws = from_trace(trace)
            yield draws
            failed.append(draws.gate)
            if not draws.gate.would_more_draws_help:
                break


def _too_early(sampler: Sampler, steps: int) -> str:
    """Why there are no draws when the time is over, and what would help."""
    return (
        f"max_seconds={sampler.max_seconds:g} ended sampling before there were draws to use: each "
        f"of {sampler.chains} chains takes {sampler.tune} steps of tuning and {FEWEST_DRAWS} "
        f"draws, and the slowest had made {steps} steps; allow more time"
        + (f", or a core for each chain (cores={sampler.cores})" if sampler.is_in_turn else "")
        + f", or tune less (tune={sampler.tune})"
    )
