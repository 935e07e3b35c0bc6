"""Sampling: a model and runs become a fit."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import nutpie
import pymc as pm
import xarray as xr
from pytensor.compile.mode import Mode
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from threadpoolctl import threadpool_limits

from bayeslaw import runs as table
from bayeslaw.build import LATENT, build
from bayeslaw.coordinates import coordinates
from bayeslaw.curves import warn_thin_groups
from bayeslaw.design import Design, design_of
from bayeslaw.engine import POINT, Engine, compile_engine, unconstrained
from bayeslaw.gate import Gate, check
from bayeslaw.model import Model
from bayeslaw.observation import Fitted
from bayeslaw.pooling import groupings, is_pooled, layout, roles_of
from bayeslaw.posterior import link_dataset, posterior_dataset
from bayeslaw.starts import near_optima
from bayeslaw.tables import RunsError

__all__ = ["Fit", "fit"]

EXTENSIONS = (1, 2, 3, 4)  # times the draws asked for, until the gate passes
TARGET_ACCEPT = (0.9, 0.98)
PRIOR_DRAWS = 500
PREDICTIVE_DRAWS = 1000


@dataclass(frozen=True)
class Fit:
    """A model, the runs it was fitted to, and what was found.

    Parameters
    ----------
    model : Model
        What was fitted.
    runs : xarray.Dataset
        The training runs.
    tree : xarray.DataTree
        ArviZ groups: ``posterior`` (parameters in the user's units), ``link`` (the sampler's
        variables), ``sample_stats``, ``log_likelihood`` (of the raw response; with a discrepancy
        that of each given all others),
        ``posterior_predictive``, ``prior``, ``prior_predictive``, ``observed_data`` and
        ``constant_data``; provenance in its attributes.
    """

    model: Model
    runs: xr.Dataset
    tree: xr.DataTree

    def __str__(self) -> str:
        """The verdict of the gate, then what was fitted."""
        groups = ", ".join(table.groups(self.runs)) or "no groups"
        size = f"{self.runs.sizes['run']} runs, {self.tree['posterior'].sizes['curve']} curves"
        verdict = Gate.of(self.tree).sentence
        return f"{verdict}\nFit of law {self.model.law.name!r} to {size} ({groups})."


def fit(
    model: Model,
    runs: xr.Dataset,
    *,
    random_seed: int,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    target_accept: float | None = None,
    progressbar: bool = True,
) -> Fit:
    """Sample the posterior of a model given runs.

    Sampling goes on, to four times the draws, until R-hat, effective sample sizes, divergences
    and energy pass the gate of `bayeslaw.diagnose`. A fit that does not pass is returned all the
    same, and says so first wherever it is printed.

    Parameters
    ----------
    model : Model
        What to fit.
    runs : xarray.Dataset
        Training runs.
    random_seed : int
        Seed, 0 or more; the same seed gives the same draws.
    draws, tune, chains : int
        Draws kept per chain (at least), draws that adapt the sampler, chains.
    cores : int, optional
        Chains sampled at once; all of them unless given.
    target_accept : float, optional
        Acceptance rate that the step size aims at, between 0 and 1. Unless given it is 0.9 and,
        if there are divergences, sampling starts again with 0.98: with smaller steps.
    progressbar : bool
        Whether to show progress.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If the runs lack what the model names, or a number makes no sense.
    KeyboardInterrupt
        If sampling is interrupted; nothing is left behind.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> train, later = bl.split_held_out(bl.datasets.load("learners"))
    >>> model = bl.Model(bl.laws.power.of("D"), pooling=["task", "learner"])
    >>> fit = bl.fit(model, train, random_seed=1)  # doctest: +SKIP
    """
    sampler = Sampler(random_seed, draws, tune, chains, cores, target_accept, progressbar)
    _warn(model, runs)
    built = build(model, runs)
    return sample(model, runs, built, compile_engine(built), sampler)


@dataclass(frozen=True)
class Sampler:
    """How to sample; see `fit`."""

    random_seed: int
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int | None = None
    target_accept: float | None = None
    progressbar: bool = True

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
        """Just this way to sample, or two: the second with smaller steps, if the first diverges."""
        if self.target_accept is not None:
            return (self,)
        return tuple(replace(self, target_accept=rate) for rate in TARGET_ACCEPT)


def sample(
    model: Model, runs: xr.Dataset, built: pm.Model, engine: Engine, sampler: Sampler
) -> Fit:
    """Sample a built and compiled model; the part of `fit` that `refit` repeats."""
    design = design_of(model, runs)

    def expanded(points: np.ndarray) -> tuple[xr.Dataset, xr.Dataset]:
        link = _link(model, design, built, points)
        return link, posterior_dataset(model, design, link, runs)

    started = time.perf_counter()
    # One thread of linear algebra per chain: more of them fight, and it gets six times slower.
    with threadpool_limits(1):
        engine = near_optima(engine, model, design, built)
        variables, stats, gate = _until_gate(engine, sampler, expanded)
    link, posterior = variables
    tree = {"/posterior": posterior, "/link": link, "/sample_stats": stats}
    tree |= _predictive(model, design, variables, runs, sampler.random_seed)
    tree |= _prior(model, design, built, runs, sampler.random_seed)
    tree |= _data(runs)
    provenance = _provenance(model, sampler, gate, time.perf_counter() - started)
    result = xr.DataTree.from_dict(tree)
    result.attrs.update(provenance)
    return Fit(model, runs, result)


def _warn(model: Model, runs: xr.Dataset) -> None:
    table.check_runs(runs)
    if not table.has_response(runs):
        raise RunsError("these runs have no response to fit; a grid is for forecast")
    warn_thin_groups(runs, table.groups(runs), len(model.law.parameters))


def _until_gate(
    engine: Engine,
    sampler: Sampler,
    expanded: Callable[[np.ndarray], tuple[xr.Dataset, xr.Dataset]],
) -> tuple[tuple[xr.Dataset, xr.Dataset], xr.Dataset, Gate]:
    """Variables, sampler statistics and verdict after as few draws as pass the gate."""
    for attempt in sampler.attempts:
        for trace in _traces(engine, attempt):
            variables = expanded(trace["posterior"][POINT].values)
            stats = _kept_stats(trace["sample_stats"].to_dataset())
            gate = check(variables[1], stats)
            if gate.is_settled:
                return variables, stats, gate
            if not gate.would_more_draws_help:
                break
    return variables, stats, gate  # pyright: ignore[reportPossiblyUnboundVariable]


def _traces(engine: Engine, sampler: Sampler) -> Any:
    """Traces of more and more draws; each begins with the one before."""
    at_once = sampler.cores or sampler.chains
    if at_once < sampler.chains:
        # Chains that wait for others cannot be watched together: sample again, for longer.
        for times in EXTENSIONS:
            job = _start(engine, sampler, times * sampler.draws, at_once)
            yield _watched(job, sampler, times * sampler.draws)
        return
    job = _start(engine, sampler, EXTENSIONS[-1] * sampler.draws, at_once)
    try:
        for times in EXTENSIONS:
            yield _watched(job, sampler, times * sampler.draws)
    finally:
        _stop(job.handle)


@dataclass
class _Job:
    """Sampling in the background, how far its chains are, and all draws once they are there."""

    handle: Any
    finished: list[int]
    trace: xr.DataTree | None = None


def _start(engine: Engine, sampler: Sampler, draws: int, at_once: int) -> _Job:
    finished = [0] * sampler.chains

    def note(progress: Any) -> None:
        finished[:] = [chain.finished_draws for chain in progress]

    compiled = engine.sampler(engine.numbers(sampler.random_seed, sampler.chains))
    handle = nutpie.sample(
        compiled, draws=draws, tune=sampler.tune, chains=sampler.chains, cores=at_once,
        seed=sampler.random_seed, target_accept=sampler.target_accept, progress_bar=False,
        progress_callback=note, progress_rate=50, save_warmup=False, blocking=False,
    )  # fmt: skip
    return _Job(handle, finished)


def _watched(job: _Job, sampler: Sampler, draws: int) -> xr.DataTree:
    """The first draws of every chain, as soon as all of them are there."""
    wanted = sampler.tune + draws
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    try:
        with Progress(*columns, TextColumn(""), disable=not sampler.progressbar) as bar:
            task = bar.add_task(f"Sampling {sampler.chains} chains", total=wanted)
            while min(job.finished) < wanted and not _is_finished(job.handle):
                bar.update(task, completed=min(job.finished))
            bar.update(task, completed=wanted)
    except KeyboardInterrupt:
        _stop(job.handle)
        raise
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


def _link(model: Model, design: Design, built: pm.Model, points: np.ndarray) -> xr.Dataset:
    return _labelled_link(model, design, unconstrained(built, _sampled(built), points))


def _sampled(built: pm.Model) -> list[str]:
    every = ("center", "spread", "effects", LATENT, "theta")
    return [name for name in every if name in built.named_vars]


def _labelled_link(model: Model, design: Design, draws: dict[str, np.ndarray]) -> xr.Dataset:
    roles = roles_of(model, coordinates(model))
    pooled = is_pooled(model, design.curves)
    where = layout(groupings(model, design.curves), list(roles)) if pooled else None
    return link_dataset(draws, roles, where, design.curves)


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


def _predictive(
    model: Model,
    design: Design,
    variables: tuple[xr.Dataset, xr.Dataset],
    runs: xr.Dataset,
    seed: int,
) -> dict[str, xr.Dataset]:
    link, posterior = variables
    response, rng = runs.attrs["response"], np.random.default_rng([seed, 1])
    draws = {name: posterior[name].values for name in model.roles}
    latent = link[LATENT].values if LATENT in link else None
    density = Fitted.of(model, design, draws, runs, latent).left_out()
    every = max(1, density.shape[0] * density.shape[1] // PREDICTIVE_DRAWS)
    few = {name: values[:, ::every] for name, values in draws.items()}
    seen = Fitted.of(model, design, few, runs, None if latent is None else latent[:, ::every])
    new = Fitted.of(model, design, few, runs).scatter
    return {
        "/log_likelihood": _on_runs(response, density, runs),
        "/posterior_predictive": _on_runs(response, new.draw(rng, seen.wrong_at_runs(rng)), runs),
    }


def _prior(
    model: Model, design: Design, built: pm.Model, runs: xr.Dataset, seed: int
) -> dict[str, xr.Dataset]:
    rng = np.random.default_rng([seed, 2])
    names = [name for name in _sampled(built) if name != LATENT]
    mode = Mode(linker="py", optimizer=None)  # pyright: ignore[reportArgumentType]
    variables = [built[name] for name in names]
    drawn = pm.draw(variables, draws=PRIOR_DRAWS, mode=mode, random_seed=rng)
    draws = {name: values[None] for name, values in zip(names, drawn, strict=True)}
    link = _labelled_link(model, design, draws)
    prior = posterior_dataset(model, design, link, runs)
    fitted = Fitted.of(model, design, {name: prior[name].values for name in model.roles}, runs)
    response = fitted.scatter.draw(rng, fitted.wrong_at_runs(rng, is_seen=False))
    return {
        "/prior": prior,
        "/prior_link": link,
        "/prior_predictive": _on_runs(runs.attrs["response"], response, runs),
    }


def _on_runs(name: str, values: np.ndarray, runs: xr.Dataset) -> xr.Dataset:
    coords = {"chain": np.arange(values.shape[0]), "draw": np.arange(values.shape[1])}
    return xr.Dataset(
        {name: (("chain", "draw", "run"), values)}, coords={**coords, "run": runs["run"].values}
    )


def _data(runs: xr.Dataset) -> dict[str, xr.Dataset]:
    response = runs.attrs["response"]
    constant = runs.drop_vars(response)
    constant.attrs = {}
    observed = xr.Dataset({response: ("run", runs[response].values)}, {"run": runs["run"].values})
    return {"/observed_data": observed, "/constant_data": constant}


def _provenance(model: Model, sampler: Sampler, gate: Gate, seconds: float) -> dict[str, str]:
    packages = ("bayeslaw", "pymc", "pytensor", "nutpie", "arviz", "numpy", "xarray", "numba")
    return {
        "gate": gate.to_json(),
        "law": model.law.name,
        "model": repr(model),
        "versions": json.dumps(
            {"python": platform.python_version(), **{name: version(name) for name in packages}}
        ),
        "sampler": json.dumps({**vars(sampler), "seconds": round(seconds, 2)}),
    }
