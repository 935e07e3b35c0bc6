"""Sampling: a model and runs become a fit."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pymc as pm
import xarray as xr
from pytensor.compile.mode import Mode

from bayeslaw._inference.graph import LATENT, built_on
from bayeslaw._inference.model_data import numbers_of
from bayeslaw._inference.pointwise import Fitted
from bayeslaw._inference.posterior import posterior_dataset
from bayeslaw._inference.run_arrays import Design, design_of
from bayeslaw._sampling.compile_cache import engine_of, variables_of
from bayeslaw._sampling.gate import Gate
from bayeslaw._sampling.nuts import Cut, Sampled, Sampler, labelled_link, sampled
from bayeslaw.data import runs as table
from bayeslaw.data.curves import warn_thin_groups
from bayeslaw.data.table import RunsError
from bayeslaw.model.model import Model

__all__ = ["Fit", "Interrupted", "check_fittable", "fit", "fit_of"]

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
        groups = ", ".join(table.groups(self.runs)) or "no groups"
        size = f"{self.runs.sizes['run']} runs, {self.tree['posterior'].sizes['curve']} curves"
        verdict = Gate.of(self.tree).sentence
        return f"{verdict}\nFit of law {self.model.law.name!r} to {size} ({groups})."


class Interrupted(KeyboardInterrupt):
    """A fit was interrupted while it was sampled; what was sampled is a fit too.

    Parameters
    ----------
    fit : Fit
        Of the draws so far. Its gate says what it is worth.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> try:  # doctest: +SKIP
    ...     fit = bl.fit(model, runs, random_seed=1)
    ... except bl.Interrupted as stopped:
    ...     fit = stopped.fit
    """

    def __init__(self, fit: Fit) -> None:
        super().__init__()
        self.fit = fit


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
    design = design_of(model, runs)
    numbers = numbers_of(model, design)
    engine, is_whole = engine_of(model, runs, design, numbers, progressbar), True
    try:
        found = sampled(model, runs, design, engine, sampler)
    except Cut as cut:
        found, is_whole = cut.found, False
    seen = _predictive(model, design, found, runs, random_seed)
    built = built_on(model, design, numbers, runs)
    prior = _prior(model, design, built, runs, random_seed)
    made = fit_of(model, runs, found, sampler, seen | prior)
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
    table.check_runs(runs)
    if not table.has_response(runs):
        raise RunsError("these runs have no response to fit; a grid is for forecast")
    warn_thin_groups(runs, table.groups(runs), len(model.law.parameters))


def fit_of(
    model: Model, runs: xr.Dataset, found: Sampled, sampler: Sampler, more: Mapping[str, xr.Dataset]
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
    tree = {"/posterior": found.posterior, "/link": found.link, "/sample_stats": found.stats}
    result = xr.DataTree.from_dict({**tree, **more, **_data(runs)})
    result.attrs.update(_provenance(model, sampler, found))
    return Fit(model, runs, result)


def _predictive(
    model: Model,
    design: Design,
    found: Sampled,
    runs: xr.Dataset,
    seed: int,
) -> dict[str, xr.Dataset]:
    link, posterior = found.link, found.posterior
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
    names = [name for name in variables_of(built) if name != LATENT]
    mode = Mode(linker="py", optimizer=None)  # pyright: ignore[reportArgumentType]
    variables = [built[name] for name in names]
    drawn = pm.draw(variables, draws=PRIOR_DRAWS, mode=mode, random_seed=rng)
    draws = {name: values[None] for name, values in zip(names, drawn, strict=True)}
    link = labelled_link(model, design, draws)
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


def _provenance(model: Model, sampler: Sampler, found: Sampled) -> dict[str, str]:
    packages = ("bayeslaw", "pymc", "pytensor", "nutpie", "arviz", "numpy", "xarray", "numba")
    return {
        "gate": found.gate.to_json(),
        "law": model.law.name,
        "model": repr(model),
        "versions": json.dumps(
            {"python": platform.python_version(), **{name: version(name) for name in packages}}
        ),
        "sampler": json.dumps({**vars(sampler), "seconds": round(found.seconds, 2)}),
    }
