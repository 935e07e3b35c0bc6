"""`extend`: more draws for a fit, without making it again."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr

from bayeslaw._inference.bound_model import BoundModel, bind
from bayeslaw._sampling.gate import check_convergence
from bayeslaw._sampling.nuts import TARGET_ACCEPT, Sampler
from bayeslaw._sampling.prepare import prepared_density
from bayeslaw._sampling.sample_posterior import (
    PosteriorDraws,
    SamplingInterrupted,
    require_memory_for,
    sample_posterior,
)
from bayeslaw._suggestions import names_arguments
from bayeslaw.errors import Interrupted
from bayeslaw.fitting.announce import announce_draws
from bayeslaw.fitting.fit import assemble_fit, complete_fit
from bayeslaw.fitting.result import Fit, require_fit

__all__ = ["extend"]


@names_arguments
def extend(
    fit: Fit,
    *,
    draws: int,
    random_seed: int | None = None,
    progressbar: bool = True,
    max_seconds: float | None = None,
) -> Fit:
    """Add draws to every chain of a fit, and judge all of them together.

    For a fit whose only trouble is a small effective sample size or an R-hat a little too large.
    Each chain adapts once more, with a new seed, and its draws follow those it has; all draws that
    were made before are kept. The compiled model is that of the fit, so nothing is compiled again.
    Divergences are kept too: a fit that has some needs smaller steps, ``bl.fit`` with
    ``bl.Sampler(..., target_accept=0.99)``, rather than more draws.

    Parameters
    ----------
    fit : Fit
        The fit; it stays as it is.
    draws : int
        Draws to add to each chain.
    random_seed : int, optional
        Seed of the new draws; by default one that follows from the fit's seed and its number of
        draws.
    progressbar : bool
        Whether to show progress.
    max_seconds : float, optional
        Seconds after which sampling ends, with the new draws so far; by default as many as the fit
        had. See `bayeslaw.Sampler`.

    Returns
    -------
    Fit
        With the gate of all its draws. It has the groups that the fit has.

    Raises
    ------
    ValueError
        If `draws` is below 1, or `max_seconds` not above 0.
    TimeoutError
        If the time limit comes before every chain has 10 new draws.
    Interrupted
        If sampling is interrupted once every new chain has draws; its ``fit`` has those so far.

    Examples
    --------
    >>> import bayeslaw as bl
    >>> fit = bl.load("fit.nc")  # doctest: +SKIP
    >>> longer = bl.extend(fit, draws=2000)  # doctest: +SKIP
    >>> print(longer)  # doctest: +SKIP
    """
    require_fit(fit)
    first = Sampler.from_record(json.loads(fit.tree.attrs["sampler"]))
    seed = _next_seed(fit, first) if random_seed is None else random_seed
    limit = first.max_seconds if max_seconds is None else max_seconds
    asked = replace(first, random_seed=seed, draws=draws, max_seconds=limit)
    more = _settings_of_more(fit, asked, progressbar)
    bound = bind(fit.model, fit.runs)
    require_memory_for(more, bound)
    announce_draws(more, fit.tree["posterior"].sizes["draw"], _seconds(fit))
    density = prepared_density(bound, progressbar)
    try:
        new = sample_posterior(bound, density, more)
    except SamplingInterrupted as interrupted:
        raise Interrupted(_joined(fit, bound, interrupted.draws, first, more)) from None
    return _joined(fit, bound, new, first, more)


def _seconds(fit: Fit) -> float:
    """Seconds that sampling of the fit took."""
    return float(json.loads(fit.tree.attrs["sampler"])["seconds"])


def _next_seed(fit: Fit, first: Sampler) -> int:
    """A seed that differs between one extension and the next."""
    entropy = [first.random_seed, fit.tree["posterior"].sizes["draw"]]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _settings_of_more(fit: Fit, sampler: Sampler, progressbar: bool) -> Sampler:
    """Settings of the new draws: the step size's target is the one that the fit ended with."""
    target_accept = fit.tree["sample_stats"].attrs.get("target_accept", TARGET_ACCEPT[0])
    return replace(
        sampler,
        chains=fit.tree["posterior"].sizes["chain"],
        target_accept=sampler.target_accept or target_accept,
        progressbar=progressbar,
        max_draws_factor=1,
        importance=False,
    )


def _joined(fit: Fit, bound: BoundModel, new: PosteriorDraws, first: Sampler, more: Sampler) -> Fit:
    """The fit with new draws after its own, chain by chain."""
    posterior = _append(fit.tree["posterior"].to_dataset(), new.posterior)
    unconstrained = _append(fit.tree["unconstrained_posterior"].to_dataset(), new.unconstrained)
    stats = _append(fit.tree["sample_stats"].to_dataset(), new.sample_stats)
    stats.attrs = dict(new.sample_stats.attrs)
    seconds = _seconds(fit) + new.seconds
    gate = replace(check_convergence(posterior, stats), time_limit=new.gate.time_limit)
    draws = PosteriorDraws(unconstrained, posterior, stats, gate, seconds)
    is_complete = "posterior_predictive" in fit.tree
    make = complete_fit if is_complete else partial(assemble_fit, more_groups={})
    result = make(bound, draws, first)
    before = json.loads(fit.tree.attrs.get("extensions", "[]"))
    result.tree.attrs["extensions"] = json.dumps([*before, more.to_record()])
    return result


def _append(first: xr.Dataset, more: xr.Dataset) -> xr.Dataset:
    """Draws after other draws; variables that only one of them has are dropped."""
    n, shared = first.sizes["draw"], [name for name in first if name in more]
    later = more[shared].assign_coords(draw=n + np.arange(more.sizes["draw"]))
    return xr.concat([first[shared], later], "draw")
