"""`refit`: many fits of one model with one compilation, on one machine or many."""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import cloudpickle
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._inference.laplace import laplace_approximation
from bayeslaw._inference.model_data import ModelData, model_data_of
from bayeslaw._progress import progress
from bayeslaw._sampling.compiled import CompiledDensity, compiled_density_of
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.initial_points import with_initial_points
from bayeslaw._sampling.nuts import Sampler
from bayeslaw._sampling.sample_posterior import require_memory_for, sample_posterior
from bayeslaw._sampling.time_limit import TimeLimit
from bayeslaw.fitting.announce import announced_fits
from bayeslaw.fitting.fit import (
    assemble_fit,
    check_compilable,
    check_fittable,
    check_noise,
)
from bayeslaw.fitting.fit_store import FitStore, store_key
from bayeslaw.fitting.identified import identified_model
from bayeslaw.fitting.result import Fit
from bayeslaw.model.model import Model

__all__ = ["refit"]

CACHE_SIZE = 8  # compiled densities that a process keeps
# In the second attempt, if the gate does not pass. After divergences there are fewer draws, as each
# of them can diverge.
TUNE_FACTOR, DRAWS_FACTOR, DRAWS_FACTOR_AFTER_DIVERGENCES = 2, 4, 2


def refit(
    model: Model,
    many_runs: Sequence[xr.Dataset],
    *,
    sampler: Sampler,
    executor: Executor | None = None,
    store: str | os.PathLike[str] | None = None,
) -> list[Fit]:
    """Fit one model to many sets of runs, compiled once per process.

    The sets may differ in their numbers of runs and curves. Sets whose groups divide the curves
    in another way are compiled separately. A fit that does not pass its gate is sampled once more,
    with twice the draws that adapt the sampler and four times the draws, and then returned as it
    is: look at ``bl.diagnose(fit).gate.passed``, or at the caveats of its forecast. Fits have no
    prior or predictive groups and no pointwise likelihood; those of `bayeslaw.fit` have.

    Parameters
    ----------
    model : Model
        The model.
    many_runs : sequence of xarray.Dataset
        Training runs of each fit; by masks of one table: ``[runs.isel(run=m) for m in masks]``.
    sampler : Sampler
        Settings of the sampler. Its seed is that of the first fit; the next fits have the seeds
        after it. The chains of one fit are sampled one after the other; with ``max_seconds``, which
        is the limit of each fit, at once, so that all have draws. With ``importance=True``
        importance sampling is tried first, which is at least ten times faster for a few curves.
        Its draws are used if there is one mode, Pareto k of the weights
        (``fit.tree["sample_stats"].attrs["pareto_k"]``) is below 0.67, and the gate passes;
        otherwise the fit is sampled by NUTS.
    executor : concurrent.futures.Executor, optional
        Where fits are made; by default threads of this process, one per core. Any executor
        works, such as ``ProcessPoolExecutor()`` or Dask's ``client.get_executor()``; each of its
        processes imports and compiles by itself.
    store : path, optional
        Folder of a Zarr store in which fits are saved as they are done. A fit of the same model,
        runs and settings is loaded instead of sampled, so that a job that was killed can be
        resumed; a damaged one is fitted again, with a warning. Needs ``bayeslaw[zarr]``; workers
        on other machines must see the folder.

    Returns
    -------
    list of Fit
        In the order of the runs, including those that did not converge, which say so.

    Raises
    ------
    ValueError
        If a set of runs lacks a column that the model names.
    TimeoutError
        If the time limit of a fit comes before each of its chains has 10 draws.

    Examples
    --------
    >>> fits = bl.refit(model, [first, second], sampler=bl.Sampler(1))  # doctest: +SKIP
    """
    jobs = []
    for i, runs in enumerate(many_runs):
        check_fittable(model, runs)
        if i == 0:
            check_compilable(model)
        seed, cores = sampler.random_seed + i, 1 if sampler.max_seconds is None else None
        own = replace(sampler, random_seed=seed, cores=cores, progressbar=False)
        path = None if store is None else os.fspath(store)
        jobs.append(_RefitJob(identified_model(model, runs), runs, own, path))
    fits = _stored_fits(jobs)
    missing = {i: job for i, job in enumerate(jobs) if i not in fits}
    to_make = [(model, job.runs) for job in missing.values()]
    try:
        with announced_fits("Fitting", to_make, sampler, executor):
            fits |= _made(missing, len(jobs), executor, sampler.progressbar)
    except KeyboardInterrupt as interrupt:
        raise interrupt from None  # if it is the second one, the first one's traceback is no use
    return [fits[i] for i in range(len(jobs))]


def _made(
    jobs: Mapping[int, _RefitJob], total: int, executor: Executor | None, progressbar: bool
) -> dict[int, Fit]:
    """Fits of jobs, by their position among all."""
    interrupted, fits = threading.Event(), {}
    # An event reaches the threads of this process, and cannot be sent to another.
    run = partial(_run, interrupted=interrupted) if executor is None else _run
    with _executor(executor) as pool:
        pending = {pool.submit(run, job): i for i, job in jobs.items()}
        try:
            for future in _completed(pending, total, progressbar):
                i = pending[future]
                fits[i] = jobs[i].fit_of(future.result()[0])
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                interrupted.set()
            for future in pending:
                future.cancel()
            raise
    return fits


def _stored_fits(jobs: Sequence[_RefitJob]) -> dict[int, Fit]:
    """Fits in the store, by the position of their job."""
    if not jobs or jobs[0].store is None:
        return {}
    fits = FitStore(jobs[0].store).intact({job.key: job.model for job in jobs})
    return {i: fits[job.key] for i, job in enumerate(jobs) if job.key in fits}


@dataclass(frozen=True)
class _RefitJob:
    """One of the fits, which can be sent to another process."""

    model: Model
    runs: xr.Dataset
    sampler: Sampler
    store: str | None

    def __reduce__(self) -> tuple[Any, ...]:
        # Plain pickle looks up the function of a law by name, which is that of the law.
        return _unpickled, (cloudpickle.dumps((self.model, self.runs, self.sampler, self.store)),)

    @cached_property
    def key(self) -> str:
        """Name of the fit in a store."""
        return store_key(self.model, self.runs, self.sampler)

    @property
    def is_stored(self) -> bool:
        """Whether the fit is in the store."""
        return self.store is not None and self.key in FitStore(self.store)

    def stored_fit(self) -> Fit:
        """The fit in the store."""
        assert self.store is not None
        return FitStore(self.store).get(self.key, self.model)

    def fit_of(self, tree: xr.DataTree | None) -> Fit:
        """The fit with this tree; None for that in the store."""
        return self.stored_fit() if tree is None else Fit(self.model, self.runs, tree)


def _unpickled(content: bytes) -> _RefitJob:
    return _RefitJob(*cloudpickle.loads(content))


@contextmanager
def _executor(executor: Executor | None) -> Iterator[Executor]:
    if executor is not None:
        yield executor
        return
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield threads


def _completed(
    pending: Collection[Future[Any]], total: int, progressbar: bool
) -> Iterator[Future[Any]]:
    """Futures in order of completion, with progress; jobs that are not pending are done."""
    done_before, failed = total - len(pending), 0
    with progress("Fitting", total, shown=progressbar, done=done_before) as update:
        for done, future in enumerate(as_completed(pending), done_before + 1):
            yield future
            failed += not future.result()[1]
            update(done, f"{failed} not converged" if failed else "")


def _run(
    job: _RefitJob, interrupted: threading.Event | None = None
) -> tuple[xr.DataTree | None, bool]:
    """The tree of a fit, or None if it is in the store, and whether the gate passed."""
    _load_lazy()
    if job.is_stored:  # by a worker that was lost since
        return None, Gate.of(job.stored_fit().tree).passed
    fit = _fit(job, interrupted or threading.Event())
    passed = Gate.of(fit.tree).passed
    if job.store is None:
        return fit.tree, passed
    FitStore(job.store).put(job.key, fit)
    return None, passed


def _load_lazy() -> None:
    """Load jax, where installed, which ArviZ imports lazily.

    SciPy uses it to ask whether an array is one of jax's. Threads that do so at the same time see
    a half-loaded module.
    """
    with _lock:
        getattr(sys.modules.get("jax"), "Array", None)


def _fit(job: _RefitJob, interrupted: threading.Event) -> Fit:
    bound = bind(job.model, job.runs)
    require_memory_for(job.sampler, bound)
    laplace = laplace_approximation(bound)
    check_noise(bound, laplace)
    compiled = _compiled(bound, model_data_of(bound, laplace))
    compiled = with_initial_points(compiled, bound, laplace)
    first = replace(
        job.sampler, max_draws_factor=1, target_accept=job.sampler.attempts[0].target_accept
    )
    limit = TimeLimit(first.max_seconds, interrupted=interrupted)
    draws = sample_posterior(bound, compiled, first, limit=limit)
    if not draws.gate.is_final:
        second = _second_attempt(job.sampler, draws.gate)
        draws = sample_posterior(bound, compiled, second, limit=limit, before=draws)
    return assemble_fit(bound, draws, job.sampler, {})


def _second_attempt(sampler: Sampler, failed: Gate) -> Sampler:
    """Settings with more draws, and with smaller steps if there were divergences."""
    diverged = failed.divergences > 0
    factor = DRAWS_FACTOR_AFTER_DIVERGENCES if diverged else DRAWS_FACTOR
    return replace(
        sampler,
        tune=TUNE_FACTOR * sampler.tune,
        draws=factor * sampler.draws,
        target_accept=sampler.attempts[-1 if diverged else 0].target_accept,
        max_draws_factor=1,
        importance=False,
    )


_compiled_densities: OrderedDict[tuple[str, Any], CompiledDensity] = OrderedDict()
_lock = threading.Lock()


def _compiled(bound: BoundModel, model_data: ModelData) -> CompiledDensity:
    """The compiled density for these data; one thread compiles, the others wait for it."""
    key = bound.model.structure(model_data.priors_as_data), model_data.structure
    with _lock:
        if key not in _compiled_densities:
            _compiled_densities[key] = compiled_density_of(bound, model_data)
        _compiled_densities.move_to_end(key)
        while len(_compiled_densities) > CACHE_SIZE:
            _compiled_densities.popitem(last=False)
        return _compiled_densities[key].with_data(model_data)
