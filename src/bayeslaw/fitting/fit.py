"""Sampling: a model and runs become a fit."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._inference.graph import LATENT, build_graph
from bayeslaw._inference.model_data import model_data_of
from bayeslaw._inference.pointwise import DrawsAtRuns
from bayeslaw._inference.posterior import posterior_dataset
from bayeslaw._inference.prior_distribution import prior_draws
from bayeslaw._inference.run_arrays import RunArrays, run_arrays_of
from bayeslaw._sampling.compile_cache import compiled_density_of, recorded_variables
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nuts import (
    PosteriorDraws,
    Sampler,
    SamplingInterrupted,
    labelled_unconstrained,
    sample_posterior,
)
from bayeslaw.data.curves import warn_thin_groups
from bayeslaw.data.runs import check_runs, group_names, has_response
from bayeslaw.errors import Interrupted, RunsError
from bayeslaw.model.model import Model

__all__ = ["Fit", "assemble_fit", "check_fittable", "fit"]

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
        ArviZ groups: ``posterior`` (parameters in the user's units),
        ``unconstrained_posterior`` (the sampler's variables), ``sample_stats``, ``log_likelihood`` (of the raw response; with a discrepancy
        that of each given all others),
        ``posterior_predictive``, ``prior``, ``prior_predictive``, ``observed_data`` and
        ``constant_data``; provenance in its attributes.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> fit = bl.load("fit.nc")  # doctest: +SKIP
    >>> fit.tree["posterior"]["alpha"].median(("chain", "draw"))  # doctest: +SKIP
    """

    model: Model
    runs: xr.Dataset
    tree: xr.DataTree

    def __str__(self) -> str:
        """The verdict of the gate, then what was fitted."""
        groups = ", ".join(group_names(self.runs)) or "no groups"
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
        if there are divergences, sampling starts again with 0.97, then 0.995: with smaller steps.
    progressbar : bool
        Whether to show progress.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If the runs lack what the model names, or a number makes no sense.
    Interrupted
        If sampling is interrupted: its ``fit`` has the draws so far. Before there are some, a
        plain KeyboardInterrupt.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> train, later = bl.split_held_out(bl.datasets.load("learners"))
    >>> model = bl.Model(bl.laws.power.of("D"), pooling=["task", "learner"])
    >>> fit = bl.fit(model, train, random_seed=1)  # doctest: +SKIP
    """
    sampler = Sampler(random_seed, draws, tune, chains, cores, target_accept, progressbar)
    check_fittable(model, runs)
    run_arrays = run_arrays_of(model, runs)
    model_data = model_data_of(model, run_arrays)
    compiled, is_whole = compiled_density_of(model, runs, run_arrays, model_data, progressbar), True
    try:
        found = sample_posterior(model, runs, run_arrays, compiled, sampler)
    except SamplingInterrupted as cut:
        found, is_whole = cut.draws, False
    seen = _predictive(model, run_arrays, found, runs, random_seed)
    built = build_graph(model, run_arrays, model_data, runs)
    prior = _prior(model, run_arrays, built, runs, random_seed)
    made = assemble_fit(model, runs, found, sampler, seen | prior)
    if not is_whole:
        raise Interrupted(made)
    return made


def check_fittable(model: Model, runs: xr.Dataset) -> None:
    """Refuse runs that cannot be fitted, and warn of those that tell little.

    Parameters
    ----------
    model : Model
        What to fit.
    runs : xarray.Dataset
        Training runs.
    """
    check_runs(runs)
    if not has_response(runs):
        raise RunsError("these runs have no response to fit; a grid is for forecast")
    warn_thin_groups(runs, group_names(runs), len(model.law.parameters))


def assemble_fit(
    model: Model,
    runs: xr.Dataset,
    found: PosteriorDraws,
    sampler: Sampler,
    more: Mapping[str, xr.Dataset],
) -> Fit:
    """What was sampled as a fit, with more groups for its tree.

    Parameters
    ----------
    model : Model
        What was fitted.
    runs : xarray.Dataset
        Training runs.
    found : Sampled
        Draws and their gate.
    sampler : Sampler
        How they were made.
    more : mapping of str to xarray.Dataset
        Groups by path.

    Returns
    -------
    Fit
    """
    tree = {
        "/posterior": found.posterior,
        "/unconstrained_posterior": found.unconstrained,
        "/sample_stats": found.sample_stats,
    }
    result = xr.DataTree.from_dict({**tree, **more, **_data(runs)})
    result.attrs.update(_provenance(model, sampler, found))
    return Fit(model, runs, result)


def _predictive(
    model: Model,
    run_arrays: RunArrays,
    found: PosteriorDraws,
    runs: xr.Dataset,
    seed: int,
) -> dict[str, xr.Dataset]:
    link, posterior = found.unconstrained, found.posterior
    response, rng = runs.attrs["response"], np.random.default_rng([seed, 1])
    draws = {name: posterior[name].values for name in model.roles}
    latent = link[LATENT].values if LATENT in link else None
    density = DrawsAtRuns.of(model, run_arrays, draws, runs, latent).pointwise_log_likelihood()
    every = max(1, density.shape[0] * density.shape[1] // PREDICTIVE_DRAWS)
    few = {name: values[:, ::every] for name, values in draws.items()}
    seen = DrawsAtRuns.of(
        model, run_arrays, few, runs, None if latent is None else latent[:, ::every]
    )
    new = DrawsAtRuns.of(model, run_arrays, few, runs).distribution
    return {
        "/log_likelihood": _on_runs(response, density, runs),
        "/posterior_predictive": _on_runs(
            response, new.draw(rng, seen.discrepancy_at_runs(rng)), runs
        ),
    }


def _prior(
    model: Model, run_arrays: RunArrays, built: Any, runs: xr.Dataset, seed: int
) -> dict[str, xr.Dataset]:
    rng = np.random.default_rng([seed, 2])
    names = [name for name in recorded_variables(built) if name != LATENT]
    draws = prior_draws(built, names, PRIOR_DRAWS, rng)
    link = labelled_unconstrained(model, run_arrays, draws)
    prior = posterior_dataset(model, run_arrays, link, runs)
    fitted = DrawsAtRuns.of(
        model, run_arrays, {name: prior[name].values for name in model.roles}, runs
    )
    response = fitted.distribution.draw(rng, fitted.discrepancy_at_runs(rng, is_conditional=False))
    return {
        "/prior": prior,
        "/unconstrained_prior": link,
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


def _provenance(model: Model, sampler: Sampler, found: PosteriorDraws) -> dict[str, str]:
    packages = ("bayeslaw", "pymc", "pytensor", "nutpie", "arviz", "numpy", "xarray", "numba")
    return {
        "gate": found.gate.to_json(),
        "law": model.law.name,
        "model": repr(model),
        "versions": json.dumps(
            {"python": platform.python_version(), **{name: version(name) for name in packages}}
        ),
        "sampler": json.dumps({**sampler.to_record(), "seconds": round(found.seconds, 2)}),
    }
