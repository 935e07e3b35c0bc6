"""Many fits of one model with one compilation, here or on many machines."""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cloudpickle
import xarray as xr

from bayeslaw._inference.model_data import ModelData, model_data_of
from bayeslaw._inference.run_arrays import RunArrays, run_arrays_of
from bayeslaw._progress import progress
from bayeslaw._sampling.compile_cache import compiled_density_of
from bayeslaw._sampling.compiled import CompiledDensity
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nuts import Sampler, sample_posterior
from bayeslaw.fitting.fit import Fit, assemble_fit, check_fittable
from bayeslaw.fitting.fit_store import FitStore, store_key
from bayeslaw.model.model import Model

__all__ = ["refit"]

ENGINES = 8  # compiled models that a process keeps
MORE_TUNE, MORE_DRAWS = 2, 4  # times as many, where the gate did not pass
SMALLER_STEPS = 2  # times as many draws after divergences: each draw is one more chance of another


def refit(
    model: Model,
    many_runs: Sequence[xr.Dataset],
    *,
    random_seed: int,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    target_accept: float | None = None,
    importance: bool = False,
    executor: Executor | None = None,
    store: str | os.PathLike[str] | None = None,
    progressbar: bool = True,
) -> list[Fit]:
    """Fit one model to many sets of runs, compiled once per process.

    The sets may differ in their numbers of runs and curves; those whose groups divide the curves
    otherwise are compiled apart. A fit that does not pass its gate is made once more, with twice
    the draws that adapt the sampler and four times the draws, and is then given as it is:
    look at ``Gate.of(fit.tree).passed``, or at the caveats of its forecast. Fits have no prior or
    predictive groups and no pointwise likelihood; `bayeslaw.fit` has.

    Parameters
    ----------
    model : Model
        What to fit.
    many_runs : sequence of xarray.Dataset
        Training runs of each fit; by masks of one table: ``[runs.isel(run=m) for m in masks]``.
    random_seed : int
        Seed of the first fit; the next ones take the numbers after it.
    draws, tune, chains : int
        Draws kept per chain, draws that adapt the sampler, chains; the chains of one fit are
        sampled one after the other.
    target_accept : float, optional
        As for `bayeslaw.fit`.
    importance : bool
        Whether to try importance sampling first, which for a few curves is ten times faster and
        more. Its draws are taken where they prove good enough: one mode, Pareto k of the weights
        below 0.67 (it is ``fit.tree["sample_stats"].attrs["pareto_k"]``), and the gate. Otherwise
        the fit is sampled as without.
    executor : concurrent.futures.Executor, optional
        Where fits are made: threads of this process, one per core, unless given. Any executor
        serves, such as ``ProcessPoolExecutor()`` or Dask's ``client.get_executor()``; each of its
        processes imports and compiles by itself.
    store : path, optional
        Folder of a Zarr store in which fits are kept as they are done. A fit of the same model,
        runs and settings that is there is not made again, so that a job that was killed goes on
        where it was. Needs ``bayeslaw[zarr]``; executors elsewhere must see the folder.
    progressbar : bool
        Whether to show how many are done and failed, and the time that remains.

    Returns
    -------
    list of Fit
        In the order of the runs; those that did not converge are there too, and say so.

    Raises
    ------
    ValueError
        If a set of runs lacks what the model names.

    Examples
    --------
    >>> fits = bl.refit(model, [first, second], random_seed=1)  # doctest: +SKIP
    """
    jobs = []
    for i, runs in enumerate(many_runs):
        check_fittable(model, runs)
        sampler = Sampler(
            random_seed + i, draws, tune, chains, 1, target_accept, progressbar=False,
            importance=importance,
        )  # fmt: skip
        jobs.append(_Job(model, runs, sampler, None if store is None else os.fspath(store)))
    found = {i: job.kept() for i, job in enumerate(jobs) if job.is_kept}
    with _executor(executor) as where:
        pending = {where.submit(_done, job): i for i, job in enumerate(jobs) if i not in found}
        try:
            for future in _watched(pending, len(jobs), progressbar):
                i = pending[future]
                found[i] = jobs[i].fit(future.result()[0])
        except BaseException:
            for future in pending:
                future.cancel()
            raise
    return [found[i] for i in range(len(jobs))]


@dataclass(frozen=True)
class _Job:
    """One fit to be made."""

    model: Model
    runs: xr.Dataset
    sampler: Sampler
    store: str | None

    def __reduce__(self) -> tuple[Any, ...]:
        # A law holds a function, which plain pickle finds by a name that is the law's.
        return _unpickled, (cloudpickle.dumps((self.model, self.runs, self.sampler, self.store)),)

    @cached_property
    def key(self) -> str:
        """Name of the fit in a store."""
        return store_key(self.model, self.runs, self.sampler)

    @property
    def is_kept(self) -> bool:
        """Whether the fit is in the store."""
        return self.store is not None and self.key in FitStore(self.store)

    def kept(self) -> Fit:
        """The fit of the store."""
        assert self.store is not None
        return FitStore(self.store).get(self.key, self.model)

    def fit(self, tree: xr.DataTree | None) -> Fit:
        """The fit that was made; in the store unless its tree is given."""
        return self.kept() if tree is None else Fit(self.model, self.runs, tree)


def _unpickled(content: bytes) -> _Job:
    return _Job(*cloudpickle.loads(content))


@contextmanager
def _executor(given: Executor | None) -> Iterator[Executor]:
    if given is not None:
        yield given
        return
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield threads


def _watched(
    pending: Collection[Future[Any]], total: int, progressbar: bool
) -> Iterator[Future[Any]]:
    """Futures as they are done; those that are not pending were done before."""
    before, failed = total - len(pending), 0
    with progress("Fitting", total, shown=progressbar, done=before) as tell:
        for done, future in enumerate(as_completed(pending), before + 1):
            yield future
            failed += not future.result()[1]
            tell(done, f"{failed} not converged" if failed else "")


def _done(job: _Job) -> tuple[xr.DataTree | None, bool]:
    """What was made, unless it is in the store now, and whether it passed its gate."""
    _load_lazy()
    if job.is_kept:  # by a worker that was lost since
        return None, Gate.of(job.kept().tree).passed
    fit = _fitted(job)
    passed = Gate.of(fit.tree).passed
    if job.store is None:
        return fit.tree, passed
    FitStore(job.store).put(job.key, fit)
    return None, passed


def _load_lazy() -> None:
    """Load jax where it is installed: ArviZ makes it a module that loads when it is first used.

    SciPy uses it whenever it asks whether an array is one of jax's, and threads that do so at once
    find half a module.
    """
    with _lock:
        getattr(sys.modules.get("jax"), "Array", None)


def _fitted(job: _Job) -> Fit:
    run_arrays = run_arrays_of(job.model, job.runs)
    model_data = model_data_of(job.model, run_arrays)
    compiled = _compiled(job.model, job.runs, run_arrays, model_data)
    first = replace(
        job.sampler, max_draws_factor=1, target_accept=job.sampler.attempts[0].target_accept
    )
    found = sample_posterior(job.model, job.runs, run_arrays, compiled, first)
    if not found.gate.is_final:
        again = _patient(job.sampler, found.gate)
        found = sample_posterior(job.model, job.runs, run_arrays, compiled, again)
    return assemble_fit(job.model, job.runs, found, job.sampler, {})


def _patient(sampler: Sampler, failed: Gate) -> Sampler:
    """How to sample again: with more draws, and smaller steps if they were too large."""
    steps = sampler.attempts[-1 if failed.divergences else 0].target_accept
    times = SMALLER_STEPS if failed.divergences else MORE_DRAWS
    more = {"tune": MORE_TUNE * sampler.tune, "draws": times * sampler.draws}
    return replace(sampler, max_draws_factor=1, target_accept=steps, importance=False, **more)


_compiled_densities: OrderedDict[tuple[str, Any], CompiledDensity] = OrderedDict()
_lock = threading.Lock()


def _compiled(
    model: Model, runs: xr.Dataset, run_arrays: RunArrays, model_data: ModelData
) -> CompiledDensity:
    """The compiled model on these numbers; one thread compiles, the others wait for it."""
    key = model.structure(model_data.priors_as_data), model_data.structure
    with _lock:
        if key not in _compiled_densities:
            _compiled_densities[key] = compiled_density_of(model, runs, run_arrays, model_data)
        _compiled_densities.move_to_end(key)
        while len(_compiled_densities) > ENGINES:
            _compiled_densities.popitem(last=False)
        return _compiled_densities[key].with_data(model_data)
